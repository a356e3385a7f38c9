"""On which side samples stand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from culturepark.export.splits import Splits
from culturepark.records import Sample


def find_straddlers(samples: Sequence[Sample], splits: Splits, *names: str) -> list[tuple[str, str]]:
    """What stands on more than one side: (what, which)."""
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sample in samples:
        side = splits.of(sample)
        for name in names if side else ():
            value = sample.topic if name == "topic" else str(sample.lineage[name])
            sides[name, value].add(side)
    return [key for key, found in sides.items() if len(found) > 1]


def count_sides(samples: Sequence[Sample], splits: Splits) -> Counter[str]:
    return Counter(splits.of(s) for s in samples)
