"""A run's rows as JSONL files for trainers that live elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from culturepark.errors import DataError
from culturepark.files import describe_fault, dump_line
from culturepark.training.rows import Rows


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows, one a line; the file is whole or as it was. Returns how many. Raises ``DataError``."""
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for row in rows:
                file.write(dump_line(row))
                count += 1
        os.replace(part, path)
    except OSError as error:
        raise DataError(f"{path}: {describe_fault(error)}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def write_files(rows: Rows, folder: Path) -> dict[str, Path]:
    """The chats of each split as ``SPLIT.jsonl``, pairs as ``pairs_SPLIT.jsonl``; paths by name without the end."""
    written = {}
    for lead, part, columns in (
        ("", rows.chats, ("messages",)),
        ("pairs_", rows.pairs, ("prompt", "chosen", "rejected")),
    ):
        for split, data in part.items():
            path = folder / f"{lead}{split}.jsonl"
            write_rows(path, ({c: row[c] for c in columns} for row in data))
            written[lead + split] = path
    return written
