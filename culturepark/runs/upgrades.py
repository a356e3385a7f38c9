"""Older runs: numbered steps from one schema version to the next, applied to a record when it is read.

Version 2 seals every line with its length and checksum and gives the journal a first line that names the run; the
records themselves kept their fields. Reply lines of version 1 are read by ``llm/replay``.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from culturepark.errors import DataError
from culturepark.files import dump_line, read_lines, seal_line
from culturepark.records import SCHEMA_VERSION

Kind = Literal["journal", "dialogue", "sample", "rejected", "manifest"]
_VERSION_KEYS = {"dialogue": "version", "sample": "version", "rejected": "version", "manifest": "schema_version"}


def _keep(record: dict[str, Any]) -> dict[str, Any]:
    return record


# By kind: the step that leads from each version to the next.
STEPS: dict[Kind, dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "journal": {1: _keep},
    "dialogue": {1: _keep},
    "sample": {1: _keep},
    "rejected": {1: _keep},
    "manifest": {1: _keep},
}


def upgrade(kind: Kind, record: dict[str, Any], where: str, version: int | None = None) -> dict[str, Any]:
    """The record in today's shape. Raises ``DataError`` naming ``where`` for one made by a newer culturepark."""
    key = _VERSION_KEYS.get(kind, "")
    found = version if version is not None else record.get(key, 1)
    check_version(found, where)
    if found == SCHEMA_VERSION:
        return record
    for step in range(found, SCHEMA_VERSION):
        record = STEPS[kind][step](record)
    return {**record, key: SCHEMA_VERSION} if key else record


def check_version(version: object, where: str) -> None:
    """Raise ``DataError`` for a version this program does not know."""
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DataError(f"{where}: {version!r} is no schema version; restore the file")
    if version > SCHEMA_VERSION:
        raise DataError(
            f"{where}: made by a newer culturepark (schema version {version}, this one knows {SCHEMA_VERSION}); "
            "update culturepark"
        )


def parse_first_journal(raw: bytes) -> dict[str, Any] | None:
    """A journal line of version 1 whose checksum holds, or ``None``."""
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and line.get("crc") == _first_crc(line) else None


def _first_crc(line: Mapping[str, Any]) -> int:
    return zlib.crc32(dump_line({k: v for k, v in line.items() if k != "crc"}))


def upgrade_journal(path: Path, head: bytes) -> None:
    """Rewrite a journal of version 1 with sealed lines below ``head``; the old one is kept in ``older/``.

    Lines from the first damaged one on are left out: the old file has them.
    """
    kept = path.parent / "older" / "journal.jsonl"
    kept.parent.mkdir(exist_ok=True)
    if not kept.exists():
        shutil.copyfile(path, kept)
    temporary = path.with_name(f".{path.name}.upgrade.part")
    with temporary.open("wb") as file:
        file.write(head)
        for _, raw in read_lines(path):
            line = parse_first_journal(raw)
            if line is None:
                break
            made = upgrade("journal", line, str(path), 1)
            file.write(seal_line({k: v for k, v in made.items() if k != "crc"}))
    temporary.replace(path)
