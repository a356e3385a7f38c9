"""Which things hang together: numbers joined by links, in arrays, so that a million take megabytes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


class Groups:
    """Numbers 0 to n - 1, each alone at first."""

    def __init__(self, n: int) -> None:
        self._parents = array("q", range(n))

    def join(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Put the two numbers of each pair into one group; the smaller root stays the root."""
        parents = self._parents
        for one, other in pairs:
            while parents[one] != one:
                parents[one] = one = parents[parents[one]]
            while parents[other] != other:
                parents[other] = other = parents[parents[other]]
            if one < other:
                parents[other] = one
            else:
                parents[one] = other

    def join_rows(self, pairs: Numbers) -> None:
        """Like ``join`` for an array of pairs (k, 2); few of them are Python numbers at one time."""
        self.join(pair for rows in _cut(pairs) for pair in rows.tolist())

    def join_each(self, others: Numbers) -> None:
        """Join the numbers from 0 on, each with its own of ``others`` (k,)."""
        self.join(enumerate(other for part in _cut(others) for other in part.tolist()))

    def number(self) -> Numbers:
        """The group of each number, (n,), counted from 0 without gaps in the order of their smallest members."""
        roots = np.array(self._parents, dtype=np.int64)
        while True:
            above = roots[roots]
            if np.array_equal(above, roots):
                break
            roots = above
        return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def _cut(rows: Numbers) -> Iterator[Numbers]:
    for start in range(0, len(rows), 1 << 16):
        yield rows[start : start + (1 << 16)]
