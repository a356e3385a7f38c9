"""Units shared out over the splits so that every culture gets its share of each, as far as whole units allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from culturepark.export.groups import Numbers

Sides = NDArray[np.int8]
_MORE = 1.25  # a held-out split may become so many times what was wanted
_FIRST = (2.0, 0.25)  # its first unit may be so many times that; the test's up to this share of everything


def share_units(units: Numbers, cultures: Numbers, order: NDArray[np.uint64], shares: NDArray[np.float64]) -> Sides:
    """The side of each sample (n,): 0 train, 1 validation, 2 test.

    ``units`` (n,) are never divided; ``order`` (units,) says which are dealt first, ``shares`` (3,) what each side
    should have. A unit goes where its cultures lack most; one too large for a held-out side is for training.
    """
    n, u, c = len(units), len(order), int(cultures.max(initial=-1)) + 1
    cells, counts = np.unique(units * c + cultures, return_counts=True)
    starts = np.searchsorted(cells // c, np.arange(u + 1)).tolist() if n else []
    members, numbers = (cells % c).tolist() if n else [], counts.tolist()
    sizes = np.bincount(units, minlength=u)
    least = float((shares[1:][shares[1:] > 0] * n).min(initial=n))
    turns = np.lexsort((order, -np.where(sizes > least, sizes, 0))).tolist()
    want = np.maximum(np.outer(shares, np.bincount(cultures, minlength=c)), 1e-9).tolist()
    have, totals, wanted = [[0.0] * c for _ in want], [0, 0, 0], [float(w) for w in shares * n]
    dealt = np.zeros(u, dtype=np.int8)
    for unit in turns:
        size, span = int(sizes[unit]), range(starts[unit], starts[unit + 1])
        best, most = 0, -float("inf")
        for side in (0, 2, 1):
            if side and not _has_room(side, size, totals[side], wanted[side], n):
                continue
            wants, has = want[side], have[side]
            worth = sum(numbers[k] * max(-1e6, 1 - has[members[k]] / wants[members[k]]) for k in span)
            if worth > most + 1e-12:
                best, most = side, worth
        dealt[unit] = best
        for k in span:
            have[best][members[k]] += numbers[k]
        totals[best] += size
    return dealt[units]


def _has_room(side: int, size: int, has: int, wanted: float, n: int) -> bool:
    if wanted <= 0:
        return False
    if has:
        return has + size <= _MORE * wanted + 0.5
    times, share = _FIRST
    return size <= max(times * wanted, share * n if side == 2 else 0.0, 1.0)
