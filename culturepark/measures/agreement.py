"""Agreement of raters who score the same items: Cohen's weighted kappa and Krippendorff's alpha.

Undefined values are ``None`` with a reason, never 0 or 1. A rater who gives everything the same score has
kappa 0 with a rater who does not: that is the formula's value, not a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from culturepark.errors import DataError
from culturepark.measures.figure import Figure

Level = Literal["interval", "ordinal", "nominal"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MISSING = -1
SCALE = (1, 2, 3, 4, 5)


def quadratic_kappa(a: Sequence[int | None], b: Sequence[int | None], categories: Sequence[int] = SCALE) -> Figure:
    """Cohen's kappa with quadratic weights over the items both scored; ``None`` is a missing score.

    kappa = 1 - sum w O / sum w E, with O the share of items with scores (i, j), E the product of the two raters'
    shares, w = (i - j)^2 over positions in ``categories`` (Cohen 1968). Raises ``DataError`` for other scores.
    """
    if len(a) != len(b):
        raise DataError(f"two raters must score the same items, not {len(a)} and {len(b)}")
    places = {c: i for i, c in enumerate(categories)}
    first, second = (np.array([find_place(s, places) for s in scores], dtype=np.int64) for scores in (a, b))
    return weigh_kappa(first, second, np.ones(len(a), dtype=np.int64), len(places))


def find_place(score: int | None, places: Mapping[int, int]) -> int:
    """Position of a score on its scale, ``MISSING`` for none. Raises ``DataError`` for a score off the scale."""
    if score is None:
        return MISSING
    if score not in places:
        raise DataError(f"score {score!r} is not one of {', '.join(map(str, places))}")
    return places[score]


def weigh_kappa(a: Ints, b: Ints, counts: Ints, size: int) -> Figure:
    """``quadratic_kappa`` of positions 0 to ``size`` - 1, where row i stands for ``counts[i]`` items."""
    both = (a != MISSING) & (b != MISSING)
    table = np.bincount(a[both] * size + b[both], weights=counts[both], minlength=size * size).reshape(size, size)
    n = int(table.sum())
    if n < 2:
        return Figure(None, n, "fewer than two items scored by both")
    steps = np.arange(size)
    weights = (steps[:, None] - steps[None, :]) ** 2
    expected = float((weights * np.outer(table.sum(axis=1), table.sum(axis=0))).sum()) / n
    if expected == 0:
        return Figure(None, n, "both gave every item the same score")
    return Figure(1 - float((weights * table).sum()) / expected, n)


def krippendorff_alpha(ratings: Sequence[Sequence[float | None]], level: Level = "interval") -> Figure:
    """Krippendorff's alpha of raters (rows) by items (columns); ``None`` is a missing score.

    alpha = 1 - D_o / D_e over pairs of values within items that have at least two (Krippendorff 2011, Computing
    Krippendorff's Alpha-Reliability). ``n`` counts those items. Differences: (c - k)^2 for ``interval``, of
    mid-ranks for ``ordinal``, 0 or 1 for ``nominal``.
    """
    if len({len(row) for row in ratings}) > 1:
        raise DataError("every rater needs a place for every item")
    table = np.array([[np.nan if s is None else s for s in row] for row in ratings], dtype=np.float64)
    if table.ndim != 2 or not table.size:
        return Figure(None, 0, "no scores")
    return weigh_alpha(table, np.ones(table.shape[1], dtype=np.int64), level)


def weigh_alpha(table: Floats, counts: Ints, level: Level) -> Figure:
    """``krippendorff_alpha`` of raters by kinds of items, NaN missing; column i stands for ``counts[i]`` items."""
    paired = ((~np.isnan(table)).sum(axis=0) >= 2) & (counts > 0)
    items = int(counts[paired].sum())
    if not items:
        return Figure(None, 0, "no item has two scores")
    table, counts = table[:, paired], counts[paired]
    present = ~np.isnan(table)
    if table[present].min() == table[present].max():
        return Figure(None, items, "all scores are the same")
    many = counts * present
    if level == "nominal":
        observed, expected = _compare_names(table, counts, many)
    else:
        values = _rank(table, present, many) if level == "ordinal" else table
        observed, expected = _compare_values(values, present, counts, many)
    return Figure(1 - observed / expected, items)


def _compare_values(table: Floats, present: npt.NDArray[np.bool_], counts: Ints, many: Ints) -> tuple[float, float]:
    """Mean squared difference of pairs within items and of all pairs, by way of sums of squares."""
    n = int(many.sum())
    centre = float(np.where(present, table, 0.0).ravel() @ many.ravel()) / n
    x = np.where(present, table - centre, 0.0)
    size = present.sum(axis=0)
    within = size * (x**2).sum(axis=0) - x.sum(axis=0) ** 2  # half the sum over ordered pairs
    observed = 2 * float((counts * within / (size - 1)).sum()) / n
    total = float(((x**2) * many).sum())
    return observed, 2 * total / (n - 1)


def _compare_names(table: Floats, counts: Ints, many: Ints) -> tuple[float, float]:
    """Share of pairs with different values, within items and overall."""
    size = (~np.isnan(table)).sum(axis=0)
    n = int(many.sum())
    unlike = np.zeros(table.shape[1])
    for i, first in enumerate(table):
        for second in table[i + 1 :]:
            unlike += 2 * ((first != second) & ~np.isnan(first) & ~np.isnan(second))
    observed = float((counts * unlike / (size - 1)).sum()) / n
    _, kind = np.unique(table[~np.isnan(table)], return_inverse=True)
    totals = np.bincount(kind, weights=many[~np.isnan(table)])
    return observed, float((totals * (n - totals)).sum()) / (n * (n - 1))


def _rank(table: Floats, present: npt.NDArray[np.bool_], many: Ints) -> Floats:
    """Mid-ranks: the ordinal difference of c and k (all values between them, half of each end) is that of mid-ranks."""
    _, kind = np.unique(table[present], return_inverse=True)
    totals = np.bincount(kind, weights=many[present])
    ranks = np.full(table.shape, np.nan)
    ranks[present] = (np.cumsum(totals) - totals / 2)[kind]
    return ranks
