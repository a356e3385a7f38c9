"""Which of many texts to keep so that they differ: farthest point, facility location, longest, first.

All return indices in the order they were chosen. Limits: facility location holds all cosines in memory (n x n).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def choose_farthest(
    vectors: Floats, taken: Floats | None, wanted: int, quality: Sequence[float] | None = None
) -> list[int]:
    """Each next one is the least alike to all that is taken or chosen; ties go to quality, then to order.

    ``vectors`` (n, d) and ``taken`` (m, d) are unit vectors. With nothing taken the first is the one with the best
    quality. Greedy k-center (Gonzalez 1985).
    """
    rows = np.asarray(vectors, dtype=np.float32)
    count = len(rows)
    worth = np.zeros(count) if quality is None else np.asarray(quality, dtype=np.float64)
    if len(worth) != count:
        raise ValueError(f"{len(worth)} marks of quality for {count} texts")
    nearest = np.full(count, -np.inf, dtype=np.float32)
    if taken is not None and len(taken) and count:
        nearest = (rows @ np.asarray(taken, dtype=np.float32).T).max(axis=1)
    chosen: list[int] = []
    free = np.ones(count, dtype=bool)
    while len(chosen) < min(max(wanted, 0), count):
        left = np.flatnonzero(free)
        alike = np.round(nearest[left], 5)  # cosines nearer than that are a tie
        best = left[np.lexsort((left, -worth[left], alike))[0]]
        chosen.append(int(best))
        free[best] = False
        nearest = np.maximum(nearest, rows @ rows[best])
    return chosen


def choose_facility(vectors: Floats, wanted: int) -> list[int]:
    """The texts that together stand nearest to all: facility location over cosines, lazy greedy (Minoux 1978)."""
    rows = np.asarray(vectors, dtype=np.float32)
    count = len(rows)
    if count == 0 or wanted <= 0:
        return []
    alike = np.clip(rows @ rows.T, 0.0, None)
    covered = np.zeros(count, dtype=np.float32)
    heap = [(-float(gain), k) for k, gain in enumerate(alike.sum(axis=1, dtype=np.float64))]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < wanted:
        _, k = heapq.heappop(heap)
        gain = float(np.maximum(alike[k] - covered, 0.0).sum(dtype=np.float64))
        if heap and (-gain, k) > heap[0]:
            heapq.heappush(heap, (-gain, k))
            continue
        chosen.append(k)
        covered = np.maximum(covered, alike[k])
    return chosen


def choose_longest(texts: Sequence[str], wanted: int) -> list[int]:
    """The longest texts in characters; ties go to order."""
    return sorted(range(len(texts)), key=lambda k: (-len(texts[k]), k))[: max(wanted, 0)]


def choose_first(texts: Sequence[Any], wanted: int) -> list[int]:
    """The first ones."""
    return list(range(min(len(texts), max(wanted, 0))))


def choose_best(quality: Sequence[float] | None, count: int, wanted: int) -> list[int]:
    """The ones with the best marks; ties go to order. What is left to do where there are no vectors."""
    worth = [0.0] * count if quality is None else list(quality)
    return sorted(range(count), key=lambda k: (-worth[k], k))[: max(wanted, 0)]


def _farthest(
    texts: Sequence[str], vectors: Floats | None, taken: Floats | None, wanted: int, quality: Sequence[float] | None
) -> list[int]:
    if vectors is None:
        return choose_best(quality, len(texts), wanted)
    return choose_farthest(vectors, taken, wanted, quality)


def _facility(
    texts: Sequence[str], vectors: Floats | None, taken: Floats | None, wanted: int, quality: Sequence[float] | None
) -> list[int]:
    return choose_best(quality, len(texts), wanted) if vectors is None else choose_facility(vectors, wanted)


# By name: each takes texts, their vectors, those already taken, how many are wanted, and marks of quality.
Selection = Callable[[Sequence[str], Floats | None, Floats | None, int, Sequence[float] | None], list[int]]
SELECTIONS: dict[str, Selection] = {
    "farthest": _farthest,
    "facility": _facility,
    "longest": lambda texts, vectors, taken, wanted, quality: choose_longest(texts, wanted),
    "first": lambda texts, vectors, taken, wanted, quality: choose_first(texts, wanted),
}
