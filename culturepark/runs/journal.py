"""A run on disk, opened for writing: append-only data files and the outcome log that vouches for every byte of them.

``journal.jsonl`` is the truth about what is done. On opening everything is held against it: damage is named and kept
aside, what was not committed is cut off, and the run goes on from there. ``manifest.json`` and ``checkpoint.json``
are derived and may be gone at any time.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from culturepark.errors import DataError
from culturepark.files import describe_fault, dump_line, replace_file, seal_line, sync_folder
from culturepark.runs.check import GROUP, Damage
from culturepark.runs.checkpoint import Checkpoint, load_checkpoint
from culturepark.runs.clock import read_clock
from culturepark.runs.counts import Counts
from culturepark.runs.identity import Identity, dump_manifest, read_identity, read_manifest, write_identity
from culturepark.runs.lock import take_lock
from culturepark.runs.mending import cut_failed, settle_folder
from culturepark.runs.outcomes import DATA_FILES, JOURNAL, Commit, describe_commit, read_journal
from culturepark.runs.recall import Mark, Recall

__all__ = ["DATA_FILES", "Commit", "Counts", "RunFolder", "read_journal", "read_manifest", "take_lock"]

CHECKPOINT_EVERY = 1_000  # dialogues
_SYNC_AFTER_S = 1.0


class RunFolder:
    """The files of one run, opened for writing under a lock.

    ``damage`` tells what was wrong on opening; it is mended by then: what can be trusted was kept, the rest lies in
    ``damaged/`` and is made again. What survives: a kill of the process at any moment; with ``durable`` a power cut
    too, up to the last 64 dialogues or second.
    """

    def __init__(self, path: Path, durable: bool = False, fingerprint: str = "", retry_failed: bool = False) -> None:
        """Open or make the folder of the run ``fingerprint``, take the lock, mend what is damaged.

        ``retry_failed`` takes the run back to before its first failed candidate.

        Raises ``DataError`` when the folder cannot be written and ``ConfigError`` when another process works on it.
        """
        self.path = path
        self._durable = durable
        self.every = CHECKPOINT_EVERY
        self._staged: list[bytes] = [b"", b"", b"", b""]
        self._grouped = False
        self._waiting = self._unsynced = 0
        self._synced_at = time.monotonic()
        self._error: DataError | None = None
        self._files: list[IO[bytes]] = []
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path}: {describe_fault(error)}; choose another --output-dir") from error
        self._lock = take_lock(path / ".lock")
        try:
            found = settle_folder(path, fingerprint)
            self.made_again = cut_failed(path) if retry_failed else 0
            if self.made_again:
                told, found = found, settle_folder(path, fingerprint)
                found.damage, found.torn = told.damage, told.torn
            if fingerprint and read_identity(path) is None:
                write_identity(path, Identity(fingerprint, read_clock()), durable)
            self._files = [(path / name).open("ab", buffering=0) for name in (*DATA_FILES, JOURNAL)]
            if durable:
                sync_folder(path)
        except OSError as error:
            self._release()
            fault = f"{error.filename or path}: {describe_fault(error)}"
            raise DataError(f"{fault}; mend that, or choose another --output-dir") from error
        except BaseException:
            self._release()
            raise
        self.recall = Recall(path)
        self.keep: Callable[[], Mapping[str, bytes]] | None = None  # gives what the next stretch is to hold
        self.damage: list[Damage] = found.damage
        self.torn: list[str] = found.torn
        self.told: list[str] = []  # what the user was told on opening
        self.counts = found.counts
        self._ends, self._end = list(found.ends), found.end
        self._crcs, self._crc = list(found.crcs), found.crc
        point = load_checkpoint(path)
        if self.counts.dialogues - (point.counts.dialogues if point else 0) >= self.every:
            self._write_checkpoint()  # it was lost: what took long just now is not done again

    @property
    def lines(self) -> Iterator[dict[str, Any]]:
        """Every outcome so far, one after the other from the disk; of the first ones a short form (see ``Counts``)."""
        yield from self.recall.read_outcomes()
        yield from read_journal(self.path, self.recall.last.end, self.recall.last.dialogues + 1)

    def describe_damage(self) -> str:
        """One line for the user on what was wrong and is mended; empty when nothing was."""
        if not self.damage:
            return ""
        more = f" (and {len(self.damage) - 1} more: {', '.join(str(d) for d in self.damage[1:])})"
        return (
            f"Damaged: {self.path}/{self.damage[0]}{more if self.damage[1:] else ''}. Kept "
            f"{self.counts.dialogues} dialogues; the rest is made again from the logged replies, and what was cut "
            "lies in damaged/"
        )

    def write(self, commit: Commit) -> dict[str, Any]:
        """Write one dialogue and its outcomes, then its journal line. Returns the line."""
        if self._error is not None:
            raise self._error
        groups = ([commit.dialogue], commit.samples, commit.rejected)
        chunks = [b"".join(dump_line(r.model_dump(mode="json")) for r in group) for group in groups]
        line = describe_commit(commit, chunks, self._ends)
        for place, chunk in enumerate((*chunks, seal_line(line))):
            self._staged[place] += chunk
        self._ends = line["ends"]
        self.counts.add(line)
        if self.keep is not None:
            self.recall.note(line)
        self._waiting += 1
        if not self._grouped or self._waiting >= GROUP:
            self._flush()
        return line

    @contextlib.contextmanager
    def group(self) -> Iterator[None]:
        """Everything written inside goes to the disk together on leaving, data before journal lines."""
        self._grouped = True
        try:
            yield
        finally:
            self._grouped = False
            self._flush()

    def _flush(self) -> None:
        if not self._waiting or self._error is not None:
            return
        try:
            for file, chunk in zip(self._files, self._staged, strict=True):
                _write_all(file, chunk)
            self._unsynced += self._waiting
            if self._durable and (self._unsynced >= GROUP or time.monotonic() - self._synced_at >= _SYNC_AFTER_S):
                self._sync()
        except OSError as error:
            self._error = DataError(
                f"{self.path}: {describe_fault(error)}; mend that, then run the same command to resume"
            )
            raise self._error from error
        *self._crcs, self._crc = (
            zlib.crc32(chunk, crc) for chunk, crc in zip(self._staged, (*self._crcs, self._crc), strict=True)
        )
        self._end += len(self._staged[-1])
        before = self.counts.dialogues - self._waiting
        self._staged, self._waiting = [b"", b"", b"", b""], 0
        if before // self.every < self.counts.dialogues // self.every:
            self._write_checkpoint()
            if self.keep is not None:
                mark = Mark(self.counts.dialogues, self._end, self._crc, tuple(self._ends))
                self.recall.append(mark, self.counts, self.keep())

    def _sync(self) -> None:
        """Force data, then the journal, to the disk. What the disk reorders is found by the checksums on opening."""
        for file in self._files if self._unsynced else ():
            os.fsync(file.fileno())
        self._unsynced, self._synced_at = 0, time.monotonic()

    def _write_checkpoint(self) -> None:
        point = Checkpoint(self._end, self._crc, tuple(self._ends), tuple(self._crcs), self.counts)
        with contextlib.suppress(OSError):  # derived: without it opening takes longer; a full disk tells itself
            point.write(self.path)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest as a whole; not after a failed write, which it would not know of."""
        if self._error is not None:
            raise self._error
        try:
            replace_file(self.path / "manifest.json", dump_manifest(manifest), self._durable)
        except OSError as error:
            fault = f"{self.path / 'manifest.json'}: {describe_fault(error)}"
            raise DataError(f"{fault}; mend that, then run the same command to resume") from error

    def close(self) -> None:
        """Write what waits, close all files and give the lock back. Raises ``DataError``."""
        try:
            self._flush()
            if self._durable and self._error is None:
                self._sync()
        except OSError as error:
            raise DataError(f"{self.path}: {describe_fault(error)}") from error
        finally:
            self.recall.close()
            self._release()

    def _release(self) -> None:
        for file in self._files:
            file.close()
        self._lock.close()


def _write_all(file: IO[bytes], chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
