"""The older texts of a run, out of memory: sorted keys by which copies are proposed, and a file with the rest.

About 180 bytes a text stay in memory. The file has no name and ends with the process; ``TMPDIR`` moves it.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from culturepark.errors import DataError

Numbers = NDArray[np.uint32]
Keys = NDArray[np.unsignedinteger[Any]]
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], dtype=np.uint64)


@dataclass(slots=True)
class _Stretch:
    """Some thousand texts or more: for each band, and last for the words, sorted keys and whose they are."""

    size: int
    keys: list[Keys]
    numbers: list[Numbers]

    def take_in(self, other: _Stretch) -> None:
        """Put in later texts, key by key, so that little is in memory twice."""
        self.size += other.size
        for k, (keys, numbers) in enumerate(zip(other.keys, other.numbers, strict=True)):
            joined = np.concatenate((self.keys[k], keys))
            order = np.argsort(joined, kind="stable")
            self.keys[k] = joined[order]
            self.numbers[k] = np.concatenate((self.numbers[k], numbers))[order]

    def find(self, place: int, key: int) -> list[int]:
        keys = self.keys[place]
        first = int(keys.searchsorted(keys.dtype.type(key)))
        if first == len(keys) or keys[first] != key:
            return []
        last = int(keys.searchsorted(keys.dtype.type(key), "right"))
        found: list[int] = self.numbers[place][first:last].tolist()
        return found


class Archive:
    """Texts by their numbers, which begin at 0. ``bands`` is how many parts of a sketch can propose a text."""

    def __init__(self, bands: int, width: int) -> None:
        self._bands, self._width = bands, width
        self._stretches: list[_Stretch] = []
        self._file: IO[bytes] | None = None
        self._ends = array("Q", [0])
        self._signs = make_signs(np.zeros((0, width), dtype=np.uint32))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def take(self, sketches: Numbers, spellings: Sequence[int], texts: Iterable[tuple[str, bytes]]) -> None:
        """Take in the next texts: sketches (n, width), 64-bit keys of their words, and (id, line) of each."""
        numbers = np.arange(len(self), len(self) + len(sketches), dtype=np.uint32)
        columns: list[Keys] = [*make_keys(sketches, self._bands).T, np.array(spellings, dtype=np.uint64)]
        orders = [np.argsort(column, kind="stable") for column in columns]
        keys = [column[order] for column, order in zip(columns, orders, strict=True)]
        fresh = _Stretch(len(sketches), keys, [numbers[order] for order in orders])
        self._write(sketches, texts)
        self._signs = np.concatenate((self._signs, make_signs(sketches)))
        self._stretches.append(fresh)
        while len(self._stretches) > 1 and self._stretches[-2].size <= 2 * self._stretches[-1].size:
            last = self._stretches.pop()
            self._stretches[-1].take_in(last)

    def propose(self, sketch: Numbers, least: float = 0.0) -> list[int]:
        """Numbers of the texts that share a band with a sketch, in order.

        Many of which less than ``least`` of the sketch is equal are left out, none of the others.
        """
        keys = make_keys(sketch[None], self._bands)[0].tolist()
        shared = (k for stretch in self._stretches for band, key in enumerate(keys) for k in stretch.find(band, key))
        found = np.array(sorted(set(shared)), dtype=np.int64)
        unlike = self._signs[found] ^ make_signs(sketch[None])
        alike = self._width - np.unpackbits(unlike[:, 0] | unlike[:, 1], axis=1).sum(axis=1, dtype=np.int64)
        numbers: list[int] = found[alike >= least * self._width].tolist()
        return numbers

    def find_same(self, spelling: int) -> int | None:
        """The first text with this key of its words."""
        found = (stretch.find(self._bands, spelling) for stretch in self._stretches)
        return next((numbers[0] for numbers in found if numbers), None)

    def read_sketches(self, numbers: Iterable[int]) -> Numbers:
        """The sketches of some texts, (n, width)."""
        raw = b"".join(self._read(self._ends[k], 4 * self._width) for k in numbers)
        return np.frombuffer(raw, dtype=np.uint32).reshape(-1, self._width)

    def read_text(self, number: int) -> tuple[str, bytes]:
        """Id and line of a text."""
        start = self._ends[number] + 4 * self._width
        name, _, line = self._read(start, self._ends[number + 1] - start).partition(b"\0")
        return name.decode("utf-8"), line

    def _write(self, sketches: Numbers, texts: Iterable[tuple[str, bytes]]) -> None:
        rows = [
            s.tobytes() + name.encode("utf-8") + b"\0" + line for s, (name, line) in zip(sketches, texts, strict=True)
        ]
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="culturepark-")
                weakref.finalize(self, self._file.close)
            self._file.write(b"".join(rows))
            self._file.flush()
        except OSError as error:
            raise DataError(
                f"the index of copies cannot be kept in {tempfile.gettempdir()} ({error.strerror}); "
                "free space or set TMPDIR to a folder with room, then resume"
            ) from error
        for row in rows:
            self._ends.append(self._ends[-1] + len(row))

    def _read(self, start: int, size: int) -> bytes:
        assert self._file is not None
        return os.pread(self._file.fileno(), size, start)


def make_keys(sketches: Numbers, bands: int) -> Keys:
    """A 32-bit key for each band of each sketch, (n, bands)."""
    parts = sketches.reshape(len(sketches), bands, -1).astype(np.uint64)
    mixed = (parts * _FACTORS[: parts.shape[2]]).sum(axis=2, dtype=np.uint64)
    mixed ^= mixed >> np.uint64(29)
    return np.asarray((mixed * _FACTORS[0]) >> np.uint64(32), dtype=np.uint32)


def make_signs(sketches: Numbers) -> NDArray[np.uint8]:
    """The two lowest bits of each number of the sketches, (n, 2, width / 8): where they differ, the numbers do."""
    bits = np.stack((sketches & np.uint32(1), (sketches >> np.uint32(1)) & np.uint32(1)), axis=1)
    return np.packbits(bits.astype(np.uint8), axis=2)
