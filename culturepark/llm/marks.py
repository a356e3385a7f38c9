"""Marks of finished shards: what a reply file held when the last of its talks was committed.

A mark is proof, not data: a marked file that is missing or differs is named, and costs nothing.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from culturepark.files import cut_torn_tail, read_lines, seal_line, unseal_line

_NAME = re.compile(r"(\d{5,})(\.[A-Za-z0-9_-]+)?\.jsonl")


@dataclass(slots=True)
class Extent:
    """How far a reply file goes: bytes, lines, CRC-32 of all, and calls, input, cached and output tokens in it."""

    size: int = 0
    lines: int = 0
    crc: int = 0
    usage: list[int] = field(default_factory=lambda: [0, 0, 0, 0])

    def add(self, raw: bytes, tokens: tuple[int, int, int] | None) -> None:
        """Count one line; ``tokens`` is ``None`` for one that cannot be read."""
        self.size += len(raw)
        self.lines += 1
        self.crc = zlib.crc32(raw, self.crc)
        if tokens is not None:
            for place, number in enumerate((1, *tokens)):
                self.usage[place] += number


@dataclass(frozen=True, slots=True)
class Mark:
    """A reply file as it was when its shard ended."""

    file: str
    shard: int
    size: int
    crc: int


class Marks:
    """``marks.jsonl`` beside the reply files; a worker writes ``marks.<writer>.jsonl``."""

    def __init__(self, folder: Path, writer: str) -> None:
        """Read what all writers have marked. Raises ``OSError``."""
        self._folder = folder
        self._path = folder / (f"marks.{writer}.jsonl" if writer else "marks.jsonl")
        self.by_file: dict[str, Mark] = {}
        for path in sorted(folder.glob("marks*.jsonl")):
            for _, raw in read_lines(path):
                record = unseal_line(raw)
                if record is not None and {"file", "shard", "bytes", "sum"} <= record.keys():
                    mark = Mark(record["file"], record["shard"], record["bytes"], record["sum"])
                    self.by_file[mark.file] = mark

    def find_missing(self) -> list[str]:
        """Names of marked files that are gone or shorter than they were."""
        return [name for name, mark in self.by_file.items() if _size(self._folder / name) < mark.size]

    def write(self, name: str, shard: int, extent: Extent) -> None:
        """Mark a file, unless it is marked just so. Raises ``OSError``."""
        mark = Mark(name, shard, extent.size, extent.crc)
        if not extent.lines or self.by_file.get(name) == mark:
            return
        record = {"file": name, "shard": shard, "bytes": extent.size, "lines": extent.lines, "sum": extent.crc}
        cut_torn_tail(self._path)
        with self._path.open("ab", buffering=0) as file:
            file.write(seal_line({**record, "usage": extent.usage}))
        self.by_file[name] = mark


def read_shard_number(path: Path) -> int | None:
    """The shard that a file's name tells, if it is a reply file."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
