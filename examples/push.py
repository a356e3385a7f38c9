"""A run's data and card to the Hugging Face Hub: first a list of what would go, then the push, then it is loaded back.

python examples/push.py outputs/RUN org/name cc-by-nc-4.0
Needs a token in HF_TOKEN or the Hub's own login (hf auth login). The repository is private.
"""

from __future__ import annotations

import sys

import culturepark


def main(folder: str, repo_id: str, license: str) -> None:
    """Push a run and load one culture of it from the Hub."""
    from datasets import load_dataset

    culturepark.push_run(folder, repo_id, license=license, dry_run=True, say=print)
    pushed = culturepark.push_run(folder, repo_id, license=license, say=print)
    assert pushed is not None
    dataset = load_dataset(repo_id, culturepark.load_run(folder).manifest["config"]["cultures"][0], revision=pushed.tag)
    print(dataset)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
