"""Talks of an earlier run, looked up by their ids, so that refinement can be done again without holding them anew."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import IO

from culturepark.errors import DataError
from culturepark.records import Dialogue
from culturepark.runs.identity import REPAIR
from culturepark.runs.journal import read_journal, take_lock
from culturepark.runs.plan import Slot
from culturepark.runs.upgrades import upgrade


class StoredTalks:
    """The dialogues of a run and where its replies lie; the run is locked while this is open."""

    def __init__(self, path: Path, shard_size: int, lock: bool = True) -> None:
        """Index a run folder. Raises ``ConfigError`` when another process works on it.

        A worker opens it without ``lock``: the process that it works for holds that.
        """
        self.path, self.replies = path, path / "replies"
        self._lock = take_lock(path / ".lock") if lock else None
        self._shard_size = shard_size
        self._positions: dict[str, int] = {}
        self._places: list[tuple[int, int, int]] = []  # where a dialogue's record begins and ends, and its checksum
        end, mark = 0, "0"
        for line in read_journal(path):
            self._positions[line["id"]] = len(self._places)
            self._places.append((end, line["ends"][0], line["crcs"][0]))
            end, mark = line["ends"][0], str(line["crc"])
        self.mark = f"{len(self._places)}-{mark}"
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._positions)

    def has(self, slot: Slot) -> bool:
        """Is the talk of this slot there?"""
        return slot.id in self._positions

    def find(self, name: str) -> Dialogue:
        """A stored talk. Raises ``DataError`` when its record is damaged."""
        if self._file is None:
            self._file = (self.path / "dialogues.jsonl").open("rb")
        start, end, crc = self._places[self._positions[name]]
        self._file.seek(start)
        raw = self._file.read(end - start)
        if zlib.crc32(raw) != crc:
            raise DataError(f"{self.path / 'dialogues.jsonl'}: the record of {name} is damaged; {REPAIR}")
        return Dialogue.model_validate(upgrade("dialogue", json.loads(raw), name))

    def shard_of(self, key: str) -> int:
        """The reply log file of a call, as the run that held the talk counted."""
        return self._positions[key.split("/")[0]] // self._shard_size

    def close(self) -> None:
        """Give the run free."""
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.close()
