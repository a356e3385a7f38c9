"""What the data files beside a card hold: rows, columns, cultures, languages, exact copies. Reads in pieces.

Parquet and JSON lines are read; of other kinds of file nothing is known. Files are looked for inside the folder only.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SKIPPED = frozenset({"id", "lineage", "findings", "verdicts"})  # what differs though the text is the same
_RUN_FILES = frozenset({"journal.jsonl", "dialogues.jsonl", "rejected.jsonl", "events.jsonl", "review.jsonl"})
_BATCH = 2000
_MOST = 2_000_000  # rows looked at


@dataclass
class Holdings:
    """``rows`` are those of the default configuration. ``missing`` are patterns of the card that no file matches."""

    files: list[Path] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    columns: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    copies: int = 0
    cultures: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def inspect_data(folder: Path, metadata: Mapping[str, Any]) -> Holdings:
    """Read the files of the card's default configuration, or where it has none those of ``data`` and the folder."""
    found = Holdings()
    patterns = _list_patterns(metadata)
    for pattern, is_default in patterns:
        paths = _match(folder, pattern)
        if not paths:
            found.missing.append(pattern)
        if is_default:
            found.files.extend(p for p in paths if p not in found.files)
    if not patterns:
        found.files = [p for ending in ("parquet", "jsonl") for p in _match(folder, f"**/*.{ending}")]
        found.files = [p for p in found.files if p.name not in _RUN_FILES]
    seen: set[bytes] = set()
    for path in found.files:
        try:
            for row in _read_rows(path):
                _take(found, row, seen)
                if found.rows >= _MOST:
                    return found
        except (OSError, ValueError, ImportError, RecursionError) as error:
            found.faults.append(f"{path.relative_to(folder).as_posix()}: {str(error).splitlines()[0][:120]}")
    return found


def _list_patterns(metadata: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Every file pattern of the card's configurations, and whether it is of the default one."""
    given = metadata.get("configs")
    configs = [c for c in given if isinstance(c, dict)] if isinstance(given, list) else []
    default = next((c for c in configs if c.get("default") or c.get("config_name") == "default"), None)
    found: list[tuple[str, bool]] = []
    for config in configs:
        files = config.get("data_files")
        for entry in files if isinstance(files, list) else [files]:
            value = entry.get("path") if isinstance(entry, dict) else entry
            for pattern in value if isinstance(value, list) else [value]:
                if isinstance(pattern, str) and "://" not in pattern:
                    found.append((pattern, config is (default or configs[0])))
    return found


def _match(folder: Path, pattern: str) -> list[Path]:
    if pattern.startswith(("/", "~")) or ".." in Path(pattern).parts:
        return []
    try:
        paths = sorted(folder.glob(pattern))
    except (ValueError, NotImplementedError):
        return []
    hidden = [p for p in paths if any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return [p for p in paths if p.is_file() and p not in hidden]


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from batch.to_pylist()
    elif path.suffix in (".jsonl", ".ndjson"):
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError(f"line {number} is no object")
                    yield row


def _take(found: Holdings, row: Mapping[str, Any], seen: set[bytes]) -> None:
    found.rows += 1
    found.columns.update(row.keys())
    for name, counts in (("culture", found.cultures), ("language", found.languages), ("form", found.forms)):
        if isinstance(row.get(name), str):
            counts[row[name]] += 1
    text = json.dumps({k: v for k, v in row.items() if k not in _SKIPPED}, sort_keys=True, default=str)
    key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    found.copies += key in seen
    seen.add(key)
