"""A quick tour without a model: make a run with the scripted engine, read it, open it as a data set.

python examples/quick_tour.py outputs/tour
"""

from __future__ import annotations

import sys

import culturepark


def main(folder: str) -> None:
    """Make and read a small run."""
    run = culturepark.generate(cultures=["arab", "korean"], n=20, engine="mock", output_dir=folder)
    counts = run.counts()
    print(f"{counts.accepted} accepted, {counts.rejected} rejected, {counts.failed} failed")

    sample = next(run.samples())
    print(f"\n{sample.culture} ({sample.country}) on {sample.topic}, answer: {sample.answer_label}")
    for message in sample.messages:
        print(f"  {message['role']}: {message['content']}")
    print(f"  from dialogue {sample.lineage['dialogue']}, survey item {sample.lineage['survey']['item']}")

    dataset = culturepark.load_run(folder).to_dataset()
    print(f"\n{dataset}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "outputs/tour")
