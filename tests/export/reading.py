"""What lies in the folder of an export, read by its consumers' own means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets

from culturepark.export.records import Export, read_export


def load(folder: Path, config: str, cache: Path) -> Any:
    return datasets.load_dataset(str(folder), config, cache_dir=str(cache))


def read_all(folder: Path) -> dict[str, bytes]:
    """Every file that can be seen, by its path."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith("."))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def record_of(folder: Path) -> Export:
    found = read_export(folder)
    assert found is not None
    return found
