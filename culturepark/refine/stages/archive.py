"""The older texts of a run, out of memory: sorted keys by which copies are proposed, and rows with the rest.

About 35 bytes a text stay in memory. Files have no name and end with the process (``TMPDIR`` moves them); rows that a
run folder keeps are read from there.
"""

from __future__ import annotations

import os
import struct
import tempfile
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from culturepark.errors import DataError

Numbers = NDArray[np.uint32]
Keys = NDArray[np.unsignedinteger[Any]]
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], dtype=np.uint64)
_EVERY = 32  # of so many sorted keys one stays in memory
_GROUP = 200_000  # kept texts whose keys are sorted at once
_HEAD = struct.Struct("<QB")  # of a row, after the sketch: key of the words, kind


@dataclass(frozen=True, slots=True)
class Row:
    """A text as it is stored: ``words`` is a 64-bit key of its words, ``kind`` a number of the caller's."""

    id: str
    line: bytes
    words: int
    kind: int = 0

    def pack(self, sketch: Numbers) -> bytes:
        """Its bytes, the sketch first."""
        return b"%b%b%b\0%b" % (sketch.tobytes(), _HEAD.pack(self.words, self.kind), self.id.encode("utf-8"), self.line)


@dataclass(slots=True, weakref_slot=True)
class _Stretch:
    """Texts next to each other: for each band, and last for the words, a file has sorted (key, number) pairs."""

    size: int
    marks: list[array[int]]
    file: IO[bytes]

    @classmethod
    def write(cls, size: int, columns: Iterable[Keys], how: Literal["quicksort", "stable"]) -> _Stretch:
        made = cls(size, [], _open_file())
        weakref.finalize(made, made.file.close)
        for column in columns:  # one at a time: together they are large
            column.sort(kind=how)  # the numbers are below the keys, so that equal keys keep their order
            made.marks.append(array("I", (column[::_EVERY] >> np.uint64(32)).astype(np.uint32).tobytes()))
            _write(made.file, column.tobytes())
        return made

    def read(self, place: int) -> Keys:
        raw = os.pread(self.file.fileno(), 8 * self.size, 8 * place * self.size)
        return np.frombuffer(raw, dtype=np.uint64)

    def find(self, place: int, key: int) -> list[int]:
        """Numbers of the texts with a key, in order."""
        start = max(0, bisect_left(self.marks[place], key) - 1) * _EVERY
        found: list[int] = []
        while start < self.size:
            many = min(_EVERY, self.size - start)
            pairs = array("Q", os.pread(self.file.fileno(), 8 * many, 8 * (place * self.size + start)))
            first, last = bisect_left(pairs, key << 32), bisect_left(pairs, (key + 1) << 32)
            found += [pair & 0xFFFFFFFF for pair in pairs[first:last]]
            if last < many:
                break
            start += _EVERY
        return found


class Archive:
    """Texts by their numbers, which begin at 0. ``bands`` is how many parts of a sketch can propose a text."""

    def __init__(self, bands: int, width: int) -> None:
        self._bands, self._width = bands, width
        self._stretches: list[_Stretch] = []
        self._file: IO[bytes] | None = None
        self._kept: IO[bytes] | None = None
        self._count_kept = 0  # so many of the first texts are read from a file that is there anyway
        self._starts, self._sizes = array("Q"), array("I")
        self._signs = bytearray()

    def __len__(self) -> int:
        return len(self._starts)

    def take(self, rows: bytes, sizes: Iterable[int]) -> None:
        """Take in the next texts: their packed rows, one after the other, and the bytes of each."""
        start = self._write(rows)
        self._index([self._enter(rows, sizes, start)])

    def take_kept(self, descriptor: int, blocks: Iterable[tuple[int, bytes, Iterable[int]]]) -> None:
        """Take in the first texts of all, which lie in a file for good: where a block begins, its rows and sizes."""
        assert not len(self)
        self._kept = os.fdopen(os.dup(descriptor), "rb")
        weakref.finalize(self, self._kept.close)
        waiting: list[Keys] = []
        for start, rows, sizes in blocks:
            waiting.append(self._enter(rows, sizes, start))
            self._count_kept = len(self)
            if sum(map(len, waiting)) >= _GROUP:
                self._index(waiting)
                waiting = []
        if waiting:
            self._index(waiting)

    def _enter(self, rows: bytes, sizes: Iterable[int], start: int) -> Keys:
        """Note where rows lie; returns their keys, (n, bands + 1)."""
        wide = array("I", sizes)
        starts = np.cumsum(np.frombuffer(wide, dtype=np.uint32), dtype=np.int64)
        starts -= np.frombuffer(wide, dtype=np.uint32)
        content, width, found = np.frombuffer(rows, dtype=np.uint8), 4 * self._width, []
        for k in range(0, len(wide), 512):
            heads = content[starts[k : k + 512, None] + np.arange(width + 8)]
            sketches = np.ascontiguousarray(heads[:, :width]).view(np.uint32)
            words = np.ascontiguousarray(heads[:, width:]).view(np.uint64)
            self._signs += make_signs(sketches).tobytes()
            found.append(np.hstack((make_keys(sketches, self._bands), (words >> np.uint64(32)).astype(np.uint32))))
        self._starts.frombytes((starts + start).astype(np.uint64).tobytes())
        self._sizes.extend(wide)
        return np.concatenate(found)

    def _index(self, keys: list[Keys]) -> None:
        """Make the keys of the last texts findable."""
        size = sum(map(len, keys))
        numbers = np.arange(len(self) - size, len(self), dtype=np.uint64)
        columns = (
            (np.concatenate([k[:, place] for k in keys]).astype(np.uint64) << np.uint64(32)) | numbers
            for place in range(self._bands + 1)
        )
        self._stretches.append(_Stretch.write(size, columns, "quicksort"))
        while len(self._stretches) > 1 and self._stretches[-2].size <= 2 * self._stretches[-1].size:
            self._join_last()

    def _join_last(self) -> None:
        last, before = self._stretches.pop(), self._stretches.pop()
        columns = (np.concatenate((before.read(k), last.read(k))) for k in range(self._bands + 1))
        self._stretches.append(
            _Stretch.write(before.size + last.size, columns, "stable")
        )  # quick where runs are sorted
        for stretch in (before, last):
            stretch.file.close()

    def propose(self, sketch: Numbers, least: float = 0.0) -> list[int]:
        """Numbers of the texts that share a band with a sketch, in order.

        Many of which less than ``least`` of the sketch is equal are left out, none of the others.
        """
        keys = make_keys(sketch[None], self._bands)[0].tolist()
        shared = (k for stretch in self._stretches for band, key in enumerate(keys) for k in stretch.find(band, key))
        found = np.array(sorted(set(shared)), dtype=np.int64)
        if not len(found):
            return []
        signs = np.frombuffer(self._signs, dtype=np.uint8).reshape(-1, 2, self._width // 8)
        unlike = signs[found] ^ make_signs(sketch[None])
        alike = self._width - np.unpackbits(unlike[:, 0] | unlike[:, 1], axis=1).sum(axis=1, dtype=np.int64)
        numbers: list[int] = found[alike >= least * self._width].tolist()
        return numbers

    def find_same(self, words: int) -> int | None:
        """The first text with this key of its words."""
        near = (k for stretch in self._stretches for k in stretch.find(self._bands, words >> 32))
        return next((k for k in near if self._read_head(k)[0] == words), None)

    def read_sketches(self, numbers: Iterable[int]) -> Numbers:
        """The sketches of some texts, (n, width)."""
        raw = b"".join(self._read(k, 0, 4 * self._width) for k in numbers)
        return np.frombuffer(raw, dtype=np.uint32).reshape(-1, self._width)

    def read_text(self, number: int) -> Row:
        """A text without its sketch."""
        raw = self._read(number, 4 * self._width, self._sizes[number] - 4 * self._width)
        words, kind = _HEAD.unpack_from(raw)
        name, _, line = raw[_HEAD.size :].partition(b"\0")
        return Row(name.decode("utf-8"), line, words, kind)

    def read_rows(self, first: int, last: int) -> Iterator[bytes]:
        """The packed rows of the texts from ``first`` to before ``last``."""
        for number in range(first, last):
            yield self._read(number, 0, self._sizes[number])

    def _read_head(self, number: int) -> tuple[int, int]:
        found: tuple[int, int] = _HEAD.unpack(self._read(number, 4 * self._width, _HEAD.size))
        return found

    def _read(self, number: int, skip: int, size: int) -> bytes:
        file = self._kept if number < self._count_kept else self._file
        assert file is not None
        return os.pread(file.fileno(), size, self._starts[number] + skip)

    def _write(self, rows: bytes) -> int:
        if self._file is None:
            self._file = _open_file()
            weakref.finalize(self, self._file.close)
        start = self._file.tell()
        _write(self._file, rows)
        return start


def _open_file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(prefix="culturepark-", buffering=0)
    except OSError as error:
        raise _describe(error) from error


def _write(file: IO[bytes], raw: bytes) -> None:
    view = memoryview(raw)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        raise _describe(error) from error


def _describe(error: OSError) -> DataError:
    return DataError(
        f"the index of copies cannot be kept in {tempfile.gettempdir()} ({error.strerror}); "
        "free space or set TMPDIR to a folder with room, then resume"
    )


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
