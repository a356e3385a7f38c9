"""Totals of a run's beginning, so that a long run is opened and counted without parsing its whole journal.

Derived: ``checkpoint.json`` is one sealed line, replaced as a whole, and used only where the checksums of the very
bytes it sums up still hold.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from culturepark.errors import DataError
from culturepark.files import replace_file, seal_line, unseal_line
from culturepark.records import SCHEMA_VERSION
from culturepark.runs.counts import Counts
from culturepark.runs.outcomes import DATA_FILES, JOURNAL

NAME = "checkpoint.json"
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where journal and data files ended, the CRC-32 of all bytes before, and what was counted until there."""

    end: int
    crc: int
    ends: tuple[int, ...]
    crcs: tuple[int, ...]
    counts: Counts

    def write(self, path: Path) -> None:
        """Replace the checkpoint of a folder. Raises ``OSError``."""
        record: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "end": self.end, "sum": self.crc}
        record |= {"ends": list(self.ends), "sums": list(self.crcs), "counts": self.counts.dump()}
        replace_file(path / NAME, seal_line(record).decode("utf-8"))


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint of a folder where it is whole and its journal still begins as it did."""
    point = load_checkpoint(path)
    try:
        return point if point and sum_file(path / JOURNAL, point.end) == point.crc else None
    except OSError:
        return None


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint of a folder where it is whole, whatever has become of the journal."""
    try:
        record = unseal_line((path / NAME).read_bytes())
        if record is None or record.get("schema_version") != SCHEMA_VERSION:
            return None
        ends, crcs = tuple(record["ends"]), tuple(record["sums"])
        return Checkpoint(record["end"], record["sum"], ends, crcs, Counts.load(record["counts"]))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def holds_data(path: Path, point: Checkpoint) -> bool:
    """Do the data files still begin as they did? Reads them; about two gigabytes a second and core."""
    from concurrent.futures import ThreadPoolExecutor

    def check(name: str, end: int, crc: int) -> bool:
        try:
            return sum_file(path / name, end) == crc
        except OSError:
            return False

    with ThreadPoolExecutor(len(DATA_FILES)) as pool:
        return all(pool.map(check, DATA_FILES, point.ends, point.crcs))


def sum_file(path: Path, end: int) -> int | None:
    """CRC-32 of a file's first ``end`` bytes; ``None`` when it is shorter."""
    crc, left = 0, end
    if end == 0:
        return 0
    with path.open("rb", buffering=0) as file:
        while left:
            block = file.read(min(BLOCK, left))
            if not block:
                return None
            crc = zlib.crc32(block, crc)
            left -= len(block)
    return crc


def check_sizes(path: Path, ends: Sequence[int]) -> None:
    """Raise ``DataError`` when a data file is shorter than its journal says."""
    from culturepark.runs.identity import REPAIR

    for name, end in zip(DATA_FILES, ends, strict=True):
        try:
            size = (path / name).stat().st_size
        except OSError:
            size = 0
        if size < end:
            raise DataError(f"{path / name}: has {size} of {end} bytes; {REPAIR}")
