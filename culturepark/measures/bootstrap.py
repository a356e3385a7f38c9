"""Percentile bootstrap intervals over items (Efron 1979; Efron and Tibshirani 1993, chapter 13).

Limit: percentile intervals are too narrow for few items (fewer than about 30).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)
Ints = npt.NDArray[np.int64]

_ENOUGH_DEFINED = 0.5


@dataclass(frozen=True)
class Interval:
    """``draws`` counts the resamples in which the statistic was defined; the ends are ``None`` with a reason."""

    low: float | None
    high: float | None
    draws: int
    reason: str = ""


def bootstrap_interval(
    items: Sequence[T],
    statistic: Callable[[Sequence[T]], float | None],
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The middle ``level`` of a statistic over resamples of the items.

    Resamples in which it is ``None`` or not finite are left out; if they are more than half, there is no interval.
    """
    if len(items) < 2:
        return Interval(None, None, 0, "fewer than two items")
    dice = np.random.default_rng(seed)
    n = len(items)
    values = [statistic([items[i] for i in dice.integers(n, size=n).tolist()]) for _ in range(draws)]
    return take_percentiles(values, level)


def bootstrap_counts(
    counts: Ints,
    statistics: Callable[[Ints], Mapping[Key, float | None]],
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[Key, Interval]:
    """Intervals of several statistics at once over items that come in kinds, ``counts`` of each.

    The same distribution as resampling single items, since a resample of kinds is a multinomial draw;
    the cost depends on the number of kinds. All statistics see the same resamples, so differences are paired.
    """
    total = int(counts.sum())
    if total < 2:
        return {key: Interval(None, None, 0, "fewer than two items") for key in statistics(counts)}
    dice = np.random.default_rng(seed)
    values: dict[Key, list[float | None]] = {}
    for _ in range(draws):
        for key, value in statistics(dice.multinomial(total, counts / total)).items():
            values.setdefault(key, []).append(value)
    return {key: take_percentiles(found, level) for key, found in values.items()}


def take_percentiles(values: Sequence[float | None], level: float) -> Interval:
    """The ends of the middle ``level`` of the values that are defined."""
    if not 0 < level < 1:
        raise ValueError("level lies between 0 and 1")
    defined = [v for v in values if v is not None and math.isfinite(v)]
    if not defined or len(defined) < _ENOUGH_DEFINED * len(values):
        return Interval(None, None, len(defined), f"undefined in {len(values) - len(defined)} of {len(values)} draws")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), len(defined))
