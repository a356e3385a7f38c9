"""The folder of one training: what was begun there, what is finished, and how a result comes into its place.

``work/`` holds what is under way and ``training.json`` says how far it is; it goes first and comes last, so that a
half-moved result is never taken for a whole one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from culturepark.errors import ConfigError, DataError
from culturepark.files import replace_file
from culturepark.runs.lock import take_lock

RECORD = "training.json"
WORK = "work"
_KEPT = ("*/checkpoint-*", "sft-done", "new")  # in there: worth going on from


class Place:
    """One folder for one training of one identity (a hash of what decides its result), by one process at a time."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.work, self._identity = folder, folder / WORK, identity
        self._lock: IO[bytes] | None = None
        self._made = [f for f in (folder, *folder.parents) if not f.exists()]

    def read_record(self, restart: bool) -> dict[str, Any] | None:
        """The facts of a finished training of this identity; refuses a folder of another one unless ``restart``."""
        record, begun = self.folder / RECORD, self.work / "identity"
        if self.work.is_dir():
            self._hold()
        if restart:
            shutil.rmtree(self.work, ignore_errors=True)
            self.close()
            return None
        try:
            if begun.exists() and begun.read_text(encoding="utf-8") != self._identity:
                raise ConfigError(
                    f"{self.folder}: holds a training begun with other settings or data; "
                    "give another -o, or --restart to throw it away"
                )
            facts = json.loads(record.read_bytes()) if record.exists() else {}
        except (OSError, ValueError) as error:
            raise DataError(f"{record}: cannot be read; --restart trains anew") from error
        if facts.get("state") != "finished" or begun.exists():
            return None
        if facts.get("identity") != self._identity:
            raise ConfigError(
                f"{self.folder}: holds a model trained with other settings or data; "
                "give another -o, or --restart to replace it"
            )
        return dict(facts)

    def begin(self) -> None:
        """Write down that this training is under way. Raises ``OSError``."""
        self.work.mkdir(parents=True, exist_ok=True)
        self._hold()
        if not (self.folder / RECORD).exists():
            self._write_record(self.folder, {"state": "running"})
        replace_file(self.work / "identity", self._identity)

    def close(self) -> None:
        """Let others work here."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _hold(self) -> None:
        if self._lock is None:
            self._lock = take_lock(self.work / ".lock", "training", "-o")

    def give_up(self) -> None:
        """After a failure: leave no trace where nothing was learnt yet, so that a mended command may begin here."""
        if self._lock is None or any(next(self.work.glob(pattern), None) for pattern in _KEPT):
            return
        shutil.rmtree(self.work, ignore_errors=True)
        with contextlib.suppress(OSError, ValueError):
            if json.loads((self.folder / RECORD).read_bytes())["state"] == "running":
                (self.folder / RECORD).unlink()
        with contextlib.suppress(OSError):
            for made in self._made:
                made.rmdir()  # only if it is empty

    def open_new(self) -> Path:
        """An empty folder for the files of the result."""
        new = self.work / "new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        return new

    def take_over(self, facts: Mapping[str, Any], keep_work: bool) -> None:
        """Put the files of ``open_new`` in the place of earlier ones, the record last."""
        new = self.work / "new"
        self._write_record(new, facts)
        (self.folder / RECORD).unlink(missing_ok=True)
        for path in sorted(new.iterdir(), key=lambda p: p.name == RECORD):
            target = self.folder / path.name
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(path, target)
        if keep_work:
            (self.work / "identity").unlink()
            new.rmdir()
        else:
            shutil.rmtree(self.work)

    def _write_record(self, folder: Path, facts: Mapping[str, Any]) -> None:
        told = {"state": "", "identity": self._identity, **facts}
        replace_file(folder / RECORD, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
