"""A measured value that may be undefined, and says why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``value`` is ``None`` where the formula has no value, with the reason; ``n`` is what it was computed over."""

    value: float | None
    n: int
    reason: str = ""
