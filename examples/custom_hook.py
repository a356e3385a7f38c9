"""A trainer hook of one's own: here it counts words instead of training.

A package offers it to ``culturepark train --hook wordcount`` with these lines in its pyproject.toml:

    [project.entry-points."culturepark.trainers"]
    wordcount = "my_package.custom_hook:WordCountHook"
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from culturepark import load_run, sft_dataset
from culturepark.runs.folder import Run
from culturepark.training.hooks import Say, TrainResult
from culturepark.training.settings import TrainSettings, build_settings


class WordCountHook:
    """Learns how often each word is said."""

    def __init__(self, settings: TrainSettings, say: Say) -> None:
        """Keep where to write and how to tell."""
        self._folder, self._split, self._say = Path(settings.output_dir), settings.split, say

    def on_dataset(self, run: Run, culture: str | None) -> TrainResult:
        """Count the words of the answers to train on."""
        counts: Counter[str] = Counter()
        for row in sft_dataset(run, culture, "train", **self._split):
            counts.update(row["messages"][-1]["content"].casefold().split())
        target = self._folder / f"{culture or 'all'}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(counts.most_common(50), ensure_ascii=False), encoding="utf-8")
        self._say(f"{culture or 'all'}: {counts.total()} words, {len(counts)} different ones")
        return TrainResult(culture, self._folder, {"words": counts.total()})


def main(folder: str, out: str) -> None:
    """Call the hook by hand, for all cultures together."""
    settings = build_settings({"hook": "wordcount", "output_dir": out})
    WordCountHook(settings, print).on_dataset(load_run(folder), None)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
