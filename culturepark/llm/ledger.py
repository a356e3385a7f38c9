"""The ledger of a run: a line before a call goes out and one after it, so that a kill loses no spending.

One file a writer, ``spend/<writer>.jsonl``; a line is in it when the call returns. What survives: a kill of the
process at any moment; with ``durable`` a power cut too, up to the last 256 lines or second.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from culturepark.files import refuse_write, seal_line
from culturepark.llm.meter import Bill
from culturepark.llm.spend import (
    Asked,
    Book,
    Spend,
    Totals,
    find_excess,
    list_books,
    merge,
    read_book,
    seal_totals,
    sum_up,
)

_log = logging.getLogger(__name__)
COMPACT_EVERY = 20_000
_SYNC_EVERY, _SYNC_AFTER_S = 256, 1.0
_WRITER = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Ledger:
    """What a run has spent, for one writer of it.

    ``on_damage`` is told file, line number and what was made of each line that cannot be trusted. Calls that an
    earlier process asked and never settled count as lost, at their estimate.
    """

    def __init__(
        self,
        folder: Path,
        writer: str = "main",
        *,
        durable: bool = False,
        on_damage: Callable[[Path, int, str], None] | None = None,
    ) -> None:
        """Read what the run has spent and put the writer's own file in order. Raises ``DataError``."""
        if not _WRITER.fullmatch(writer):
            raise ValueError(f"not a writer's name: {writer!r}")
        self.path, self._durable = folder / f"{writer}.jsonl", durable
        self._handle: int | None = None
        self._unsynced, self._synced_at = 0, time.monotonic()
        others = [read_book(path) for path in list_books(folder) if path != self.path]
        self._others = merge([book.by_model() for book in others])
        self._book = read_book(self.path)
        self._orphans = dict(self._book.open)  # asked by an earlier process
        self._lines = self._book.lines
        self._appended = 0
        self.unknown = self._book.unknown + sum(book.unknown for book in others)
        for number, what in self._book.damage:
            (on_damage or _warn_of_damage)(self.path, number, what)
        if self._book.torn:
            (on_damage or _warn_of_damage)(self.path, self._book.lines + 1, "is unfinished and cut")
        if self._book.damage:
            self._keep_aside()
        if self._book.torn or self._book.damage or self._book.lines > 2:
            self._compact()

    def ask(self, key: str, model: str, estimate: Bill) -> int:
        """Note that a call goes out now; returns the number to settle it by."""
        number = self._book.next
        self._book.next += 1
        asked = Asked(key, model, estimate)
        self._write(_seal_ask(self._lines, number, asked))
        self._book.open[number] = asked
        return number

    def settle(self, number: int, bill: Bill, ms: int = 0) -> None:
        """Note what a call has used, and how many milliseconds it took."""
        asked = self._book.open[number]
        line = {
            "line": self._lines,
            "end": number,
            "model": asked.model,
            "input": bill.input,
            "cached": bill.cached,
            "output": bill.output,
            "cost": bill.cost,
            "how": bill.how,
            "ms": ms,
        }
        self._write(seal_line(line))
        del self._book.open[number]
        self._book.count(asked.model, bill, ms)
        if self._appended >= COMPACT_EVERY:
            self._compact()

    def leave(self, number: int) -> None:
        """A call goes on where this process cannot see it (in a batch): it counts as lost until it is recovered."""
        self._orphans[number] = self._book.open[number]

    def recover(self, key: str) -> Bill | None:
        """A call counted as lost was not: it lives on elsewhere (in a batch) and will be booked anew.

        Returns the estimate that is taken back, or ``None`` when no such call is counted.
        """
        number = next((n for n, asked in self._orphans.items() if asked.key == key), None)
        if number is None:
            return None
        estimate = self._orphans.pop(number).estimate
        self.settle(number, Bill(how="unsent"))
        return estimate

    def restore(self, told: Totals) -> int:
        """Raise the totals to what another file tells of calls that have ended; returns how many were missing here."""
        have, missing = self.totals(), 0
        for model, spend in told.items():
            known = have.get(model, Spend())
            lacking = (spend.calls - spend.lost) - (known.calls - known.lost)
            if lacking > 0:
                missing += lacking
                self._book.totals.setdefault(model, Spend()).add_all(find_excess(spend, known))
        if missing:
            self._compact()
        return missing

    def totals(self) -> dict[str, Spend]:
        """What was spent by model, over all writers as they were on opening; without this process's open calls."""
        lost = Book(open=self._orphans).by_model()
        return merge((self._others, self._book.totals, lost))

    def snapshot(self) -> dict[str, Any]:
        """The totals as plain numbers: ``models`` by name and ``all``; of an unknown price there is no cost."""
        return describe_spend(self.totals(), self.unknown)

    def close(self) -> None:
        """Sync and close the file."""
        if self._handle is not None:
            self._sync()
            os.close(self._handle)
            self._handle = None

    def _write(self, line: bytes) -> None:
        try:
            if self._handle is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(self.path, _APPEND, 0o644)
            written = os.write(self._handle, line)
            if written < len(line):
                self._write_rest(self._handle, line, written)
            self._appended += 1
            self._lines += 1
            if self._durable:
                self._unsynced += 1
                if self._unsynced >= _SYNC_EVERY or time.monotonic() - self._synced_at >= _SYNC_AFTER_S:
                    self._sync()
        except OSError as error:
            raise refuse_write(self.path, error) from error

    def _write_rest(self, handle: int, line: bytes, written: int) -> None:
        """Append the rest of a line; when it does not fit, its beginning is cut off again."""
        start = os.fstat(handle).st_size - written
        try:
            while written < len(line):
                written += os.write(handle, line[written:])
        except OSError:
            os.ftruncate(handle, start)
            raise

    def _sync(self) -> None:
        if self._durable and self._unsynced and self._handle is not None:
            os.fsync(self._handle)
        self._unsynced, self._synced_at = 0, time.monotonic()

    def _keep_aside(self) -> None:
        try:
            shutil.copyfile(self.path, self.path.with_suffix(".damaged"))
        except OSError as error:
            raise refuse_write(self.path, error) from error

    def _compact(self) -> None:
        """Replace the file by its totals and what is open; a reader sees the old one or the new one."""
        part = self.path.with_suffix(".part")
        asked = enumerate(self._book.open.items(), start=2)
        lines = [seal_totals(self._book), *(_seal_ask(place, *known) for place, known in asked)]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise refuse_write(self.path, error) from error
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._appended, self._lines = 0, 2 + len(self._book.open)


def describe_spend(totals: Totals, unknown: int = 0) -> dict[str, Any]:
    """Totals as plain numbers for files and scripts; ``usd`` is rounded, ``cost`` (picodollars) is exact."""
    models = {model: _as_plain(spend) for model, spend in sorted(totals.items())}
    return {"models": models, "all": _as_plain(sum_up(totals)), "unknown_lines": unknown}


def _as_plain(spend: Spend) -> dict[str, Any]:
    return asdict(spend) | {"usd": round(spend.cost / 10**12, 6)}


def _seal_ask(place: int, number: int, asked: Asked) -> bytes:
    said = asked.estimate
    line = {
        "line": place,
        "ask": number,
        "key": asked.key,
        "model": asked.model,
        "input": said.input,
        "output": said.output,
        "cost": said.cost,
    }
    return seal_line(line)


def _warn_of_damage(path: Path, number: int, what: str) -> None:
    _log.warning("%s, line %d %s", path, number, what)
