"""Arithmetic over the marks of a judge panel: what is missing, one value from many, how far judges lie apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Literal

from culturepark.records import Score

Axis = Literal["harm", "fit"]
AXES: tuple[Axis, ...] = ("harm", "fit")
WIDE_SPREAD = 3  # a difference this large goes to people
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {"mean": fmean, "median": median, "min": min, "max": max}


def find_missing(scores: Sequence[Score], axis: Axis) -> str:
    """Names the first judge who graded anything but has no value on this axis; empty if there is none."""
    graded = {s.judge for s in scores if s.axis == axis and s.value is not None}
    blank = {s.judge: s.reason for s in scores if s.axis == axis and s.value is None}
    judge = next((s.judge for s in scores if s.judge not in graded or s.judge in blank), None)
    return "" if judge is None else f"{axis}: {judge} gave no value ({blank.get(judge, 'not asked')})"


def list_values(scores: Sequence[Score], axis: Axis) -> list[int]:
    """The marks on one axis, in the order of the judges."""
    return [s.value for s in scores if s.axis == axis and s.value is not None]


def aggregate(values: Sequence[float], by: str) -> float:
    """One value from at least one mark, by ``mean``, ``median``, ``min`` or ``max``."""
    return float(AGGREGATES[by](values))


def measure_spread(scores: Sequence[Score], axis: Axis) -> int:
    """Highest minus lowest mark on one axis; 0 without marks."""
    values = list_values(scores, axis)
    return max(values) - min(values) if values else 0


def describe_disagreement(scores: Sequence[Score], axis: Axis) -> str:
    """The marks on one axis when they lie 3 or more apart; empty when they do not."""
    if measure_spread(scores, axis) < WIDE_SPREAD:
        return ""
    return f"{axis}: " + ", ".join(f"{s.judge} {s.value}" for s in scores if s.axis == axis)
