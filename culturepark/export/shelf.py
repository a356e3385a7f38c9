"""All files of an export under way: one for each format, culture and split, written as rows come.

Rows wait until there are enough for a row group; together they may weigh no more than a fixed number of bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from culturepark.export.formats import Format, Row
from culturepark.export.parquet import ParquetRows
from culturepark.export.records import Part, Split
from culturepark.files import dump_line

GROUP_ROWS, GROUP_BYTES = 1000, 8 << 20  # of one row group
WAITING_BYTES = 64 << 20  # of all rows that wait
SHARD_BYTES = 500 << 20  # a Parquet file that has become larger is followed by another


class Shelf:
    """Files below ``folder``, an empty folder. Raises ``OSError`` when one cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._books: dict[tuple[str, str, Split], _Book] = {}
        self._waiting = 0

    def put(self, format: Format, culture: str, split: Split, row: Row) -> None:
        """Take a row in."""
        key = (format.name, culture, split)
        book = self._books.get(key)
        if book is None:
            place = self._folder / "data" / format.name / culture
            book = self._books[key] = (_Table if format.file == "parquet" else _Lines)(place, split, format)
        self._waiting += book.add(row)
        while self._waiting > WAITING_BYTES:
            self._waiting -= max(self._books.values(), key=lambda b: b.waiting).flush()

    def finish(self) -> Iterator[Part]:
        """Close all files and say what is in them, in order of format, culture and split."""
        for (format, culture, split), book in sorted(self._books.items()):
            files = book.finish()
            names = tuple(file.relative_to(self._folder).as_posix() for file in files)
            size = sum(file.stat().st_size for file in files)
            yield Part(format=format, culture=culture, split=split, files=names, rows=book.rows, bytes=size)

    def give_up(self) -> None:
        """Close all files as they are."""
        for book in self._books.values():
            book.give_up()


class _Lines:
    """A JSONL file."""

    waiting = 0

    def __init__(self, place: Path, split: Split, format: Format) -> None:
        self.rows = 0
        self._path = place / f"{split}.jsonl"
        self._file = _open(self._path)

    def add(self, row: Row) -> int:
        self.rows += 1
        self._file.write(dump_line(row))
        return 0

    def flush(self) -> int:
        return 0

    def finish(self) -> list[Path]:
        self._file.close()
        return [self._path]

    def give_up(self) -> None:
        _close(self._file)


class _Table:
    """A Parquet file, or several where it becomes large."""

    def __init__(self, place: Path, split: Split, format: Format) -> None:
        self.rows, self.waiting = 0, 0
        self._place, self._split, self._format = place, split, format
        self._rows: list[Row] = []
        self._paths: list[Path] = []
        self._open: tuple[IO[bytes], ParquetRows] | None = None

    def add(self, row: Row) -> int:
        """Take a row in; returns by how many bytes what waits has grown."""
        weight = weigh(row)
        self.rows += 1
        self.waiting += weight
        self._rows.append(row)
        if len(self._rows) >= GROUP_ROWS or self.waiting >= GROUP_BYTES:
            return weight - self.flush()
        return weight

    def flush(self) -> int:
        """Write what waits; returns its weight."""
        if not self._rows:
            return 0
        if self._open is None:
            path = self._place / f"{self._split}-{len(self._paths):05}.parquet"
            file = _open(path)
            try:
                self._open = file, ParquetRows(file, self._format.columns)
            except BaseException:
                _close(file)
                raise
            self._paths.append(path)
        file, table = self._open
        table.write(self._rows)
        weight, self.waiting, self._rows = self.waiting, 0, []
        if file.tell() >= SHARD_BYTES:
            self._end()
        return weight

    def finish(self) -> list[Path]:
        self.flush()
        self._end()
        made = []
        for number, path in enumerate(self._paths):
            name = path.with_name(f"{self._split}-{number:05}-of-{len(self._paths):05}.parquet")
            made.append(path.replace(name))
        return made

    def give_up(self) -> None:
        if self._open:
            self._open[1].give_up()
            _close(self._open[0])

    def _end(self) -> None:
        if self._open:
            file, table = self._open
            table.finish()
            file.close()
            self._open = None


_Book = _Lines | _Table


def weigh(value: Any) -> int:
    """About how many bytes a value takes; items of a long list count like its first."""
    if isinstance(value, str):
        return 50 + len(value)
    if isinstance(value, dict):
        return 100 + sum(map(weigh, value.values()))
    if isinstance(value, (list, tuple)):
        return 60 + (len(value) * weigh(value[0]) if len(value) > 8 else sum(map(weigh, value)))
    return 30


def _open(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _close(file: IO[bytes]) -> None:
    try:
        file.close()
    except OSError:  # what was to be written still is not written
        return
