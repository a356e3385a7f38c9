"""Talks of an earlier run, looked up by their ids, so that refinement can be done again without holding them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

from culturepark.errors import DataError
from culturepark.files import read_lines
from culturepark.records import Dialogue
from culturepark.runs.journal import read_journal, take_lock
from culturepark.runs.plan import Slot


class StoredTalks:
    """The dialogues of a run and where its replies lie; the run is locked while this is open."""

    def __init__(self, path: Path, shard_size: int) -> None:
        """Index a run folder. Raises ``ConfigError`` when another process works on it."""
        self.path, self.replies = path, path / "replies"
        self._lock = take_lock(path / ".lock")
        self._shard_size = shard_size
        lines = list(read_journal(path))
        self._positions = {line["id"]: k for k, line in enumerate(lines)}
        self.mark = f"{len(lines)}-{lines[-1]['crc'] if lines else 0}"
        end = lines[-1]["ends"][0] if lines else 0
        self._offsets: dict[str, int] = {}
        for number, (offset, _) in enumerate(read_lines(path / "dialogues.jsonl")):
            if offset < end:
                self._offsets[lines[number]["id"]] = offset
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
        self._file.seek(self._offsets[name])
        try:
            return Dialogue.model_validate(json.loads(self._file.readline()))
        except ValueError as error:
            raise DataError(
                f"{self.path / 'dialogues.jsonl'}: the record of {name} is damaged; restore the file"
            ) from error

    def shard_of(self, key: str) -> int:
        """The reply log file of a call, as the run that held the talk counted."""
        return self._positions[key.split("/")[0]] // self._shard_size

    def close(self) -> None:
        """Give the run free."""
        if self._file is not None:
            self._file.close()
        self._lock.close()
