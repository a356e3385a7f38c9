"""Is a run folder as it was written? Holds journal and data files against each other, byte for byte."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from culturepark.files import read_lines
from culturepark.runs.checkpoint import holds_data, load_checkpoint, read_checkpoint
from culturepark.runs.counts import Counts
from culturepark.runs.identity import find_manifest
from culturepark.runs.outcomes import DATA_FILES, JOURNAL, walk_journal

_START = re.compile(rb'\{"version":\d+,"id":"[^"]*","(\w+)"')  # the third key tells which record it is
_HOMES = {b"slot": "dialogues.jsonl", b"messages": "samples.jsonl", b"status": "rejected.jsonl"}
GROUP = 64  # dialogues that may be written before the journal lines that vouch for them


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong: the file, where in it (a line or a dialogue, or nothing), and what."""

    file: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where + ' ' if self.where else ''}{self.what}"


@dataclass(slots=True)
class Finding:
    """What of a folder can be trusted: its first dialogues, up to ``end`` in the journal and ``ends`` in the data."""

    counts: Counts = field(default_factory=Counts)
    end: int = 0
    crc: int = 0
    ends: list[int] = field(default_factory=lambda: [0, 0, 0])
    crcs: list[int] = field(default_factory=lambda: [0, 0, 0])
    fingerprint: str | None = None  # as the journal's first line says; None: there is none that is whole
    damage: list[Damage] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)  # files whose unfinished last line was cut
    dialogues: int = 0  # that the journal vouches for, whether their data is whole or not

    @property
    def is_whole(self) -> bool:
        """Is there nothing wrong?"""
        return not self.damage


def check_folder_files(path: Path) -> Finding:
    """Read a run folder, one that is at work too, and tell what is wrong with it. Changes nothing.

    Raises ``OSError``, and ``DataError`` for a run of a newer culturepark.
    """
    found = Finding()
    told, size = _count_told(path), _measure(path / JOURNAL)
    point = read_checkpoint(path)
    if point is not None and holds_data(path, point):
        found.counts, found.dialogues = point.counts, point.counts.dialogues
        found.end, found.crc, found.ends, found.crcs = point.end, point.crc, list(point.ends), list(point.crcs)
        found.fingerprint = _read_head(path)
    with ExitStack() as stack:
        files = [_open_at(path / name, end, stack) for name, end in zip(DATA_FILES, found.ends, strict=True)]
        _go_through(path, found, files)
    if not any(fault.file == JOURNAL for fault in found.damage):
        _check_lost(path, found, told)
        if not found.damage and size == _measure(path / JOURNAL):  # else somebody is writing right now
            _check_beyond(path, found)
    return found


def _read_head(path: Path) -> str | None:
    for row in walk_journal(path / JOURNAL):
        return str(row.line["fingerprint"]) if row.is_head and row.line else None
    return None


def _go_through(path: Path, found: Finding, files: Sequence[IO[bytes] | None]) -> None:
    """Go on line by line from where the finding ends; the first fault of each file is noted."""
    bad: dict[str, Damage] = {}
    before = list(found.ends)
    skipped = found.counts.dialogues + 1 if found.end else 0
    lines = _count_lines(found.counts)
    for row in walk_journal(path / JOURNAL, found.end):
        if row.line is None:
            bad.setdefault(JOURNAL, Damage(JOURNAL, f"line {row.number + skipped}", "is damaged"))
            if not row.is_head:
                break
        elif row.is_head:
            found.fingerprint = str(row.line["fingerprint"])
        else:
            found.dialogues += 1
            sizes = [end - start for start, end in zip(before, row.line["ends"], strict=True)]
            chunks = [_read(file, size) for file, size in zip(files, sizes, strict=True)]
            added = [1, row.line["accepted"], row.line["rejected"] + row.line["failed"]]
            for place, (name, chunk) in enumerate(zip(DATA_FILES, chunks, strict=True)):
                if len(chunk) != sizes[place] or zlib.crc32(chunk) != row.line["crcs"][place]:
                    where = _describe_place(path / name, row.line["id"], lines[place] + 1, added[place])
                    bad.setdefault(name, Damage(name, where, _describe(path / name, chunk, sizes[place])))
            lines = [line + more for line, more in zip(lines, added, strict=True)]
            before = row.line["ends"]
            if bad.keys() <= {JOURNAL}:
                found.counts.add(row.line)
                found.crcs = [zlib.crc32(chunk, crc) for chunk, crc in zip(chunks, found.crcs, strict=True)]
                found.ends = list(before)
        if bad.keys() <= {JOURNAL}:
            found.end, found.crc = row.end, zlib.crc32(row.raw, found.crc)
    found.damage.extend(bad.values())


def _open_at(path: Path, start: int, stack: ExitStack) -> IO[bytes] | None:
    try:
        file = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None
    file.seek(start)
    return file


def _read(file: IO[bytes] | None, size: int) -> bytes:
    return file.read(size) if file is not None and size > 0 else b""


def _count_lines(counts: Counts) -> list[int]:
    """Lines that the first dialogues take in each data file."""
    return [counts.dialogues, counts.accepted, counts.rejected + counts.failed]


def _describe_place(path: Path, dialogue: str, first: int, count: int) -> str:
    """A dialogue and its lines in a data file; of a file that is not there only the dialogue."""
    if not _measure(path):
        return dialogue
    return f"{dialogue}, line {first}," if count < 2 else f"{dialogue}, lines {first} to {first + count - 1},"


def _describe(path: Path, chunk: bytes, size: int) -> str:
    """What is wrong with the part of a data file that a journal line vouches for."""
    if not path.exists():
        return "cannot be read: the file is missing"
    if path.stat().st_size == 0:
        return "cannot be read: the file is empty"
    start = _START.match(chunk)
    if start and (home := _HOMES.get(start[1], path.name)) != path.name:
        return f"is not there: the file holds records of {home}"
    if len(chunk) < size:
        return "is cut off: the file ends too early"
    if b"\r\n" in chunk:
        return "has other line ends than were written"
    return "is not as it was written (its checksum does not hold)"


def _check_lost(path: Path, found: Finding, told: int) -> None:
    """A journal that ends early leaves no mark in itself: others tell how far it went."""
    if not (path / JOURNAL).exists() and (told or _measure(path / DATA_FILES[0])):
        found.damage.append(Damage(JOURNAL, "", "is missing"))
    elif told > found.dialogues:
        found.damage.append(Damage(JOURNAL, "", f"has lost its lines after the first {found.dialogues} dialogues"))


def _check_beyond(path: Path, found: Finding) -> None:
    """What no line vouches for: a kill leaves a few dialogues, and the dialogue before its samples."""
    longer = [name for name, end in zip(DATA_FILES[1:], found.ends[1:], strict=True) if _measure(path / name) > end]
    beyond = _count_beyond(path / DATA_FILES[0], found.ends[0])
    if beyond > GROUP:
        found.damage.append(Damage(JOURNAL, "", f"has lost its lines after the first {found.dialogues} dialogues"))
    elif not beyond:
        found.damage.extend(Damage(name, "", "has more at its end than was written") for name in longer)


def _measure(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _count_told(path: Path) -> int:
    """Dialogues that the manifest or the checkpoint knows of."""
    point, counts = load_checkpoint(path), find_manifest(path).get("counts", {})
    told = int(counts.get("dialogues", 0)) if isinstance(counts, dict) else 0
    return max(told, point.counts.dialogues if point else 0)


def _count_beyond(path: Path, end: int) -> int:
    """Whole dialogues beyond those that the journal vouches for, up to one more than a kill may leave."""
    count = 0
    for count, _ in enumerate(read_lines(path, end), 1):  # noqa: B007
        if count > GROUP:
            break
    return count
