"""A run's dialogues read back from its files one by one, with what later talks are compared with."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from culturepark.errors import DataError
from culturepark.records import Claim, Rejected, Sample
from culturepark.runs.identity import REPAIR
from culturepark.runs.outcomes import DATA_FILES, JOURNAL, walk_journal
from culturepark.runs.recall import Mark
from culturepark.runs.upgrades import upgrade


@dataclass(frozen=True, slots=True)
class Told:
    """A committed dialogue: its journal line and the place after it, its samples, and what its copies were told by.

    ``screened`` are (id, text, language) in the order of seats and numbers.
    """

    line: dict[str, Any]
    after: Mark
    samples: list[Sample]
    screened: list[tuple[str, str, str]]


def reread(path: Path, start: Mark) -> Iterator[Told]:
    """Every committed dialogue after a place, in plan order. Raises ``DataError`` where a file is damaged."""
    mark = start
    with ExitStack() as stack:
        files = [stack.enter_context((path / name).open("rb", buffering=1 << 16)) for name in DATA_FILES]
        for file, end in zip(files, start.ends, strict=True):
            file.seek(end)
        for row in walk_journal(path / JOURNAL, start.end):
            if row.line is None:
                raise DataError(f"{path / JOURNAL}: is damaged after {mark.dialogues} dialogues; {REPAIR}")
            count = mark.dialogues + (not row.is_head)
            ends = mark.ends if row.is_head else tuple(row.line["ends"])
            before, mark = mark.ends, Mark(count, row.end, zlib.crc32(row.raw, mark.crc), ends)
            if row.is_head:
                continue
            chunks = []
            for name, file, first, last, crc in zip(DATA_FILES, files, before, ends, row.line["crcs"], strict=True):
                chunks.append(file.read(last - first))
                if zlib.crc32(chunks[-1]) != crc:
                    raise DataError(f"{path / name}: the part of {row.line['id']} is damaged; {REPAIR}")
            samples = [Sample.model_validate(r) for r in _parse(chunks[1], "sample", path / DATA_FILES[1])]
            yield Told(row.line, mark, samples, _list_screened(path, row.line, chunks, samples))


def _list_screened(
    path: Path, line: dict[str, Any], chunks: list[bytes], samples: list[Sample]
) -> list[tuple[str, str, str]]:
    (dialogue,) = _parse(chunks[0], "dialogue", path / DATA_FILES[0])
    tag, indexed = dialogue["language"], set(line["indexed"])
    spare = [Claim.model_validate(c) for c in dialogue["spare"] if c["id"] in indexed] if indexed else []
    found = [(claim.id, quoted(claim), tag) for claim in spare]
    found += [(s.id, quoted(Claim.model_validate(s.lineage["claim"])), s.language) for s in samples]
    for row in _parse(chunks[2], "rejected", path / DATA_FILES[2]):
        record = Rejected.model_validate(row)
        if record.claim and any(v.stage == "near_copies" and v.kept for v in record.verdicts):
            found.append((record.id, quoted(record.claim), tag))
    return sorted(found, key=lambda row: _seat_and_number(row[0]))


def _parse(chunk: bytes, kind: Literal["dialogue", "sample", "rejected"], path: Path) -> Iterator[dict[str, Any]]:
    for raw in chunk.splitlines():
        yield upgrade(kind, json.loads(raw), str(path))


def _seat_and_number(name: str) -> tuple[str, int]:
    """The last part of a candidate's id, such as a12, in the order of seats and numbers."""
    last = name.rpartition("-")[2]
    return last[:1], int(last[1:] or 0)


def quoted(claim: Claim) -> str:
    """A claim's words as they were said."""
    return " ".join(text for quote in claim.quotes for text in quote.texts)


def answer_of(sample: Sample) -> str:
    """What the speaker voiced, mended if it was: the part of a sample that copies are told by."""
    rewrite = next((r.text for r in sample.findings.rewrites if r.kept), None)
    return rewrite or quoted(Claim.model_validate(sample.lineage["claim"])) or sample.messages[-1]["content"]
