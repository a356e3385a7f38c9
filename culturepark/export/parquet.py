"""Rows as Arrow tables and Parquet files, some at a time; the door to ``pyarrow``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from culturepark.export.formats import Kind, Row

if TYPE_CHECKING:
    import pyarrow

_AT_ONCE = 2000  # rows that are Python objects at one time when a table is gathered


def make_schema(columns: Mapping[str, Kind]) -> pyarrow.Schema:
    """The Arrow schema of a format's columns."""
    import pyarrow as pa

    text = pa.string()

    def pair(*names: str) -> pyarrow.DataType:
        return pa.list_(pa.struct([(name, text) for name in names]))

    verdict = pa.struct([("stage", text), ("kept", pa.bool_()), ("reason", text), ("evidence", text)])
    kinds: dict[Kind, Any] = {
        "text": text,
        "whole": pa.int64(),
        "real": pa.float64(),
        "texts": pa.list_(text),
        "chat": pair("role", "content"),
        "said": pair("from", "value"),
        "verdicts": pa.list_(verdict),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])


def gather_table(rows: Iterable[Row], columns: Mapping[str, Kind]) -> pyarrow.Table:
    """All rows as one table; only some of them are Python objects at one time."""
    import pyarrow as pa

    schema = make_schema(columns)

    def cut() -> Iterator[Any]:
        left = iter(rows)
        while chunk := list(islice(left, _AT_ONCE)):
            yield from pa.Table.from_pylist(chunk, schema).to_batches()

    return pa.Table.from_batches(cut(), schema)


class ParquetRows:
    """A Parquet file under way. What is written is a row group of its own; nothing is readable before ``finish``."""

    def __init__(self, file: IO[bytes], columns: Mapping[str, Kind]) -> None:
        import pyarrow.parquet as pq

        self._schema = make_schema(columns)
        self._writer = pq.ParquetWriter(file, self._schema)

    def write(self, rows: list[Row]) -> None:
        """Write rows as one row group."""
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(rows, self._schema), row_group_size=len(rows))

    def finish(self) -> None:
        """Write what makes it a readable file."""
        self._writer.close()

    def give_up(self) -> None:
        """Leave it as it is; the file may be full or gone."""
        self._writer.is_open = False
