"""What a resumed run must know of its beginning, so that a long run goes on without reading all it has made.

``recall.bin`` is a row of stretches: a sealed line that names the part of the journal it tells of, then its parts, each
with a checksum. Derived: what does not hold is cut off and made again from the data files.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from culturepark.files import dump_line, seal_line, unseal_line
from culturepark.refine.stages.near_copies import SKETCH
from culturepark.runs.counts import Counts
from culturepark.runs.outcomes import JOURNAL
from culturepark.version import __version__

NAME = "recall.bin"
_FORMAT = 1
_BLOCK = 1 << 20
_LONGEST_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two dialogues: how many lie before it, where files end there, CRC-32 of the journal so far."""

    dialogues: int = 0
    end: int = 0
    crc: int = 0
    ends: tuple[int, ...] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some dialogues next to each other, up to a mark; of each part where it begins, its size and CRC-32."""

    after: Mark
    parts: Mapping[str, tuple[int, int, int]]
    end: int  # in this file


class Recall:
    """The stretches of a run whose journal still begins as they say."""

    def __init__(self, path: Path) -> None:
        """Open a folder's file, or make it."""
        self._path = path / NAME
        self._made = f"{_FORMAT}/{__version__}/{SKETCH}/{version('rensa')}"  # made otherwise, it is of no use
        self._file: IO[bytes] | None = None
        self._outcomes: list[list[Any]] = []  # of the dialogues after the last stretch
        with contextlib.suppress(OSError):
            self._file = self._path.open("rb+" if self._path.exists() else "wb+", buffering=0)
        self.stretches: list[Stretch] = []
        with contextlib.suppress(OSError):
            self.stretches.extend(self._find_good(path / JOURNAL))

    @property
    def last(self) -> Mark:
        """Where the dialogues begin that no stretch tells of."""
        return self.stretches[-1].after if self.stretches else Mark()

    @property
    def descriptor(self) -> int:
        """The open file, for those who read from it later."""
        assert self._file is not None
        return self._file.fileno()

    def read(self, stretch: Stretch, part: str) -> bytes | None:
        """A part of a stretch; ``None`` when it is not as it was written."""
        place = stretch.parts.get(part)
        if place is None or self._file is None:
            return None
        start, size, crc = place
        with contextlib.suppress(OSError):
            raw = os.pread(self._file.fileno(), size, start)
            if len(raw) == size and zlib.crc32(raw) == crc:
                return raw
        return None

    def read_outcomes(self) -> Iterator[dict[str, Any]]:
        """A short form of the journal's lines, as ``Counts.add`` takes it; the last one has the totals."""
        for stretch in self.stretches:
            rows = json.loads(self.read(stretch, "outcomes") or b"[]")
            for number, (name, missing, accepted, rejected, failed) in enumerate(rows, 1):
                line = {"id": name, "missing": missing, "accepted": accepted, "rejected": rejected, "failed": failed}
                if stretch is self.stretches[-1] and number == len(rows):
                    line["totals"] = json.loads(self.read(stretch, "counts") or b"{}")
                yield {"brief": True, **line}

    def read_counts(self) -> Counts:
        """The totals of all dialogues that stretches tell of."""
        raw = self.read(self.stretches[-1], "counts") if self.stretches else None
        return Counts.load(json.loads(raw)) if raw else Counts()

    def note(self, line: Mapping[str, Any]) -> None:
        """A dialogue is committed: its journal line."""
        self._outcomes.append([line["id"], line["missing"], line["accepted"], line["rejected"], line["failed"]])

    def append(self, after: Mark, counts: Counts, parts: Mapping[str, bytes]) -> None:
        """Write a stretch with all that was noted since the last one. Where that fails, there is none."""
        if self._file is None:
            self._outcomes = []
            return
        start = self.stretches[-1].end if self.stretches else 0
        whole = {"outcomes": dump_line(self._outcomes), "counts": dump_line(counts.dump()), **parts}
        sizes = {name: [len(raw), zlib.crc32(raw)] for name, raw in whole.items()}
        record = {"recall": self._made, "dialogues": after.dialogues, "end": after.end, "sum": after.crc}
        head = seal_line({**record, "ends": list(after.ends), "parts": sizes})
        try:
            os.ftruncate(self._file.fileno(), start)
            for raw in (head, *whole.values()):
                view = memoryview(raw)
                while view:
                    done = os.pwrite(self._file.fileno(), view, start)
                    view, start = view[done:], start + done
        except OSError:  # derived, and later stretches would have a gap before them
            self.close()
            self._file = None
            return
        self._outcomes = []
        self.stretches.append(_place(after, sizes, start))

    def cut(self, count: int) -> None:
        """Forget all but the first ``count`` stretches."""
        del self.stretches[count:]
        self._outcomes = []

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _find_good(self, journal: Path) -> Iterator[Stretch]:
        """Stretches from the first on, as long as they and the journal hold."""
        if self._file is None:
            return
        start, before = 0, Mark()
        size = os.fstat(self._file.fileno()).st_size
        with journal.open("rb", buffering=0) as file:
            while start < size:
                found = self._read_head(start)
                if found is None or found.end > size or found.after.dialogues <= before.dialogues:
                    return
                if _sum_on(file, before.crc, found.after.end - before.end) != found.after.crc:
                    return
                rows = self.read(found, "outcomes")
                if rows is None or self.read(found, "counts") is None:
                    return
                if len(json.loads(rows)) != found.after.dialogues - before.dialogues:
                    return
                yield found
                start, before = found.end, found.after

    def _read_head(self, start: int) -> Stretch | None:
        raw, newline, _ = os.pread(self.descriptor, _LONGEST_HEAD, start).partition(b"\n")
        record = unseal_line(raw + newline)
        if record is None or record.get("recall") != self._made:
            return None
        sizes = record["parts"]
        end = start + len(raw) + 1 + sum(size for size, _ in sizes.values())
        return _place(Mark(record["dialogues"], record["end"], record["sum"], tuple(record["ends"])), sizes, end)


def _place(after: Mark, sizes: Mapping[str, Sequence[int]], end: int) -> Stretch:
    """The stretch that ends at ``end`` with parts of these sizes."""
    parts, place = {}, end - sum(size for size, _ in sizes.values())
    for name, (size, crc) in sizes.items():
        parts[name] = (place, size, crc)
        place += size
    return Stretch(after, parts, end)


def _sum_on(file: IO[bytes], crc: int, size: int) -> int | None:
    """The CRC-32 with the next ``size`` bytes; ``None`` when there are fewer."""
    while size:
        block = file.read(min(_BLOCK, size))
        if not block:
            return None
        crc, size = zlib.crc32(block, crc), size - len(block)
    return crc
