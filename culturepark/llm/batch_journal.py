"""Which batches a run has at a server: one checksummed line for every step of a wave, written before the next step.

So a run that was killed takes up what it paid for. Which requests a wave holds stands in two lines from before its
batch is made, so that one damaged line loses none. Texts are not in here, only the names of requests.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from culturepark.errors import DataError
from culturepark.files import cut_torn_tail, dump_line, read_lines, refuse_write, replace_file

# gathered: about to be uploaded; uploaded: the batch is about to be made; created: its id is known;
# done: nothing of it is wanted any more (every answer is logged, or the server refused it as a whole).
WaveState = Literal["gathered", "uploaded", "created", "done"]
_STATES = get_args(WaveState)
_LONG = 1_000_000


@dataclass(slots=True)
class WaveRecord:
    """One wave: requests for one model at one server (``server`` is its shown URL)."""

    name: str
    server: str
    model: str
    ids: tuple[str, ...]
    state: WaveState = "gathered"
    file: str = ""
    batch: str = ""


class BatchJournal:
    """The file ``batches.jsonl``; each line is on the disk when the call returns."""

    def __init__(self, path: Path, on_damage: Callable[[str], None] | None = None) -> None:
        """Read what is there; ``on_damage`` is told in a line each what cannot be trusted, which is then mended."""
        self._path = path
        self._handle: int | None = None
        self._open: dict[str, WaveRecord] = {}
        self._lost: dict[str, str] = {}  # waves whose requests nobody knows any more, and their batches
        self._bad: list[int] = []
        try:
            cut_torn_tail(path)
            size = 0
            for number, (_, line) in enumerate(read_lines(path), start=1):
                size += len(line)
                if not self._take_line(_read_line(line)):
                    self._bad.append(number)
            damage = list(self._describe_damage())
            needed = 2 * sum(len(name) + 3 for wave in self._open.values() for name in wave.ids)
            if on_damage is not None and damage:
                for told in damage:
                    on_damage(told)
                self._shorten()
            elif size > max(_LONG, 2 * needed):
                self._shorten()
        except OSError as error:
            raise DataError(f"{path}: cannot be read or mended ({error.strerror}), see to it") from error

    def open_waves(self) -> list[WaveRecord]:
        """Waves whose answers may still be wanted, oldest first."""
        return list(self._open.values())

    def begin(self, wave: WaveRecord) -> None:
        """Note a new wave."""
        self._write(_first_line(wave))
        self._open[wave.name] = wave

    def note(self, wave: WaveRecord, state: WaveState, *, file: str = "", batch: str = "", why: str = "") -> None:
        """Note that a wave came one step further."""
        file, batch = file or wave.file, batch or wave.batch
        self._write(_next_line(wave, state, {"file": file, "batch": batch, "why": why}))
        wave.state, wave.file, wave.batch = state, file, batch
        if state == "done":
            self._open.pop(wave.name, None)

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _shorten(self) -> None:
        """Leave out what is done."""
        lines = []
        for wave in self._open.values():
            lines.append(_seal(_first_line(wave)))
            if wave.state != "gathered":
                lines.append(_seal(_next_line(wave, "uploaded", {"file": wave.file})))
            if wave.state == "created":
                lines.append(_seal(_next_line(wave, "created", {"file": wave.file, "batch": wave.batch})))
        replace_file(self._path, b"".join(lines).decode())

    def _take_line(self, line: dict[str, Any] | None) -> bool:
        """Take in one line; False when it says nothing that can be used."""
        if line is None:
            return False
        name, state = line["wave"], line["state"]
        if state == "done":
            self._open.pop(name, None)
            self._lost.pop(name, None)
            return True
        if name not in self._open:
            if "ids" not in line:
                self._lost[name] = str(line.get("batch", ""))
                return True
            self._lost.pop(name, None)
            self._open[name] = WaveRecord(name, str(line["server"]), str(line["model"]), tuple(line["ids"]))
        wave = self._open[name]
        wave.state, wave.file = state, line.get("file", wave.file)
        wave.batch = line.get("batch", wave.batch)
        return True

    def _describe_damage(self) -> Iterator[str]:
        for batch in self._lost.values():
            called = f"the batch {batch}" if batch else "a batch"
            yield f"{self._path}: damaged, so which requests are in {called} is lost; those needed are paid again."
        if self._lost:
            return
        cost = "its copy is used" if len(self._bad) == 1 else "if no copy of it is left, that batch is paid again"
        for number in self._bad:
            yield f"{self._path}, line {number}: damaged; {cost}."

    def _write(self, line: dict[str, Any]) -> None:
        raw = _seal(line)
        try:
            if self._handle is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            start, view = os.fstat(self._handle).st_size, memoryview(raw)
            try:
                while view:
                    view = view[os.write(self._handle, view) :]
            except OSError:
                os.ftruncate(self._handle, start)
                raise
            os.fsync(self._handle)
        except OSError as error:
            raise refuse_write(self._path, error) from error


def list_open_batches(path: Path, on_damage: Callable[[str], None] | None = None) -> dict[str, tuple[int, int]]:
    """By server: batches whose answers may still be wanted, and the requests in them. Raises ``DataError``."""
    found: dict[str, tuple[int, int]] = {}
    for wave in BatchJournal(path, on_damage).open_waves():
        if wave.state != "gathered":  # nothing was asked of the server
            batches, requests = found.get(wave.server, (0, 0))
            found[wave.server] = (batches + 1, requests + len(wave.ids))
    return found


def _first_line(wave: WaveRecord) -> dict[str, Any]:
    ids = list(wave.ids)
    return {"wave": wave.name, "state": "gathered", "server": wave.server, "model": wave.model, "ids": ids}


def _next_line(wave: WaveRecord, state: WaveState, told: dict[str, str]) -> dict[str, Any]:
    known = _first_line(wave) if state == "uploaded" else {"wave": wave.name}
    return known | {"state": state} | {name: text for name, text in told.items() if text}


def _seal(line: dict[str, Any]) -> bytes:
    return dump_line(line | {"crc": _checksum(line)})


def _checksum(line: dict[str, Any]) -> str:
    return f"{zlib.crc32(dump_line({name: line[name] for name in sorted(line) if name != 'crc'})):08x}"


def _read_line(raw: bytes) -> dict[str, Any] | None:
    """A line that is what was written, or ``None``."""
    try:
        line = json.loads(raw)
        whole = line["crc"] == _checksum(line) and line["state"] in _STATES and isinstance(line["wave"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return line if whole else None
