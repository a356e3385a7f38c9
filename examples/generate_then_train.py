"""Samples for a culture and a model trained on them, in one script.

python examples/generate_then_train.py outputs/tour-run models/tour-arab
Uses the scripted engine and the embedded model, to show the way; for a model of use, give real ones in both places.
Needs: pip install 'culturepark[train]' && culturepark setup local
"""

from __future__ import annotations

import sys

import culturepark


def main(folder: str, out: str, base_model: str = "embedded", steps: int = 20) -> None:
    """Generate, train, and show what changed."""
    run = culturepark.generate(cultures=["arab", "korean"], n=60, engine="mock", output_dir=folder)
    (result,) = culturepark.train(
        run,
        culture="arab",
        base_model=base_model,
        output_dir=out,
        max_steps=steps,
        learning_rate=1e-3,
        batch_size=2,
        max_length=256,
        answers=2,
        answer_tokens=24,
        probes=4,
    )
    for name, first, last in result.facts["losses"]:
        print(f"{name} loss: {first:.3f} -> {last:.3f}")
    fit = result.facts["survey_fit"]
    print(f"distance to the survey: {fit['before']['distance']:.3f} -> {fit['after']['distance']:.3f}")
    print(f"the adapter, its card and its curve: {result.folder}")


if __name__ == "__main__":
    main(*(sys.argv[1:3] if len(sys.argv) > 2 else ("outputs/tour-run", "models/tour-arab")), *sys.argv[3:4])
