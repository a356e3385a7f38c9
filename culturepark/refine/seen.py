"""A set of 64-bit numbers that takes eight bytes for each, where Python's own takes seventy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FRESH = 65_536


class SeenNumbers:
    """Numbers from 0 to 2 ** 64 - 1. Those of late are in a set, all others in one sorted array."""

    def __init__(self, fresh: int = _FRESH, known: NDArray[np.uint64] | None = None) -> None:
        self._most = fresh
        self._fresh: set[int] = set()
        self._sorted: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64) if known is None else np.unique(known)

    def __contains__(self, number: int) -> bool:
        if number in self._fresh:
            return True
        wanted = np.uint64(number)
        place = int(np.searchsorted(self._sorted, wanted))
        return place < len(self._sorted) and bool(self._sorted[place] == wanted)

    def __len__(self) -> int:
        return len(self._sorted) + len(self._fresh)

    def add(self, number: int) -> None:
        """Put in one number."""
        if number in self:
            return
        self._fresh.add(number)
        if len(self._fresh) >= self._most:
            fresh = np.fromiter(self._fresh, dtype=np.uint64, count=len(self._fresh))
            self._sorted = np.sort(np.concatenate((self._sorted, fresh)))
            self._fresh.clear()
