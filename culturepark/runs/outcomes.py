"""The outcome log ``journal.jsonl``: a first line that names the run, then one sealed line per dialogue.

A line has the dialogue's counts, where the data files end after it (``ends``) and the checksum of what it added to
each of them (``crcs``). It is written last: what no line vouches for does not count.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from culturepark.errors import DataError
from culturepark.files import read_lines, unseal_line
from culturepark.records import Dialogue, Rejected, Sample
from culturepark.runs.identity import REPAIR
from culturepark.runs.upgrades import check_version, parse_first_journal, upgrade

JOURNAL = "journal.jsonl"
DATA_FILES = ("dialogues.jsonl", "samples.jsonl", "rejected.jsonl")


@dataclass(frozen=True, slots=True)
class Commit:
    """One dialogue with everything that came of it, ready to be written.

    ``indexed`` names the spare claims that later talks are compared with.
    """

    position: int
    dialogue: Dialogue
    samples: Sequence[Sample]
    rejected: Sequence[Rejected]
    missing: tuple[int, ...]
    indexed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the journal: number, bytes, where it ends in the file, and the outcome (``None``: damaged)."""

    number: int
    raw: bytes
    end: int
    line: dict[str, Any] | None
    is_head: bool = False


def walk_journal(path: Path, start: int = 0) -> Iterator[Row]:
    """Every whole line of a journal, the first one too; from the byte ``start`` on, where a line must begin.

    Positions are checked: a line that is not the next dialogue counts as damaged. Raises ``DataError`` for a
    journal of a newer culturepark.
    """
    version, expected = 2, None if start else 0
    for number, (offset, raw) in enumerate(_read_on(path, start), 1):
        end = offset + len(raw)
        line = unseal_line(raw) if version == 2 else parse_first_journal(raw)
        if number == 1 and not start:
            if line is not None and "journal" in line:
                check_version(line["journal"], str(path))
                yield Row(number, raw, end, line, is_head=True)
                continue
            if line is None and (line := parse_first_journal(raw)) is not None:
                version = 1
            else:
                yield Row(number, raw, end, None, is_head=True)
                continue
        if line is not None and (not is_outcome(line) or expected not in (None, line["position"])):
            line = None
        if line is not None:
            expected = line["position"] + 1
            line = line if version == 2 else upgrade("journal", line, str(path), version)
        yield Row(number, raw, end, line)


def _read_on(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    try:
        yield from read_lines(path, start)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {REPAIR}") from error


def is_outcome(line: dict[str, Any]) -> bool:
    """Does a checked line have what every outcome has?"""
    return isinstance(line.get("position"), int) and "ends" in line and "id" in line


def read_journal(folder: Path, start: int = 0, before: int = 0) -> Iterator[dict[str, Any]]:
    """Journal lines of a run that may be at work right now. Raises ``DataError`` at a damaged one.

    ``start``: the byte to begin at, after ``before`` lines.
    """
    path = folder / JOURNAL
    for row in walk_journal(path, start):
        if row.line is None:
            raise DataError(f"{path}, line {before + row.number}: is damaged; {REPAIR}")
        if not row.is_head:
            yield row.line


def read_version(folder: Path) -> int:
    """Schema version of the journal; a damaged or missing one counts as today's."""
    for _, raw in read_lines(folder / JOURNAL):
        return 1 if unseal_line(raw) is None and parse_first_journal(raw) is not None else 2
    return 2


def describe_commit(commit: Commit, chunks: Sequence[bytes], ends: Sequence[int]) -> dict[str, Any]:
    """The journal line of a commit whose ``chunks`` go to the data files, which end at ``ends`` before it."""
    dialogue = commit.dialogue
    cells = Counter((s.culture, s.topic, s.answer) for s in commit.samples)
    failed = sum(r.status == "failed" for r in commit.rejected)
    records: list[Sample | Rejected] = [*commit.samples, *commit.rejected]
    asked = Counter((r.culture, r.topic, r.answer) for r in records)
    return {
        "position": commit.position,
        "id": dialogue.id,
        "status": dialogue.status,
        "stop": dialogue.stop,
        "accepted": len(commit.samples),
        "rejected": len(commit.rejected) - failed,
        "failed": failed,
        "missing": list(commit.missing),
        "reasons": dict(Counter(r.reason for r in commit.rejected)),
        "cells": [[*cell, count] for cell, count in cells.items()],
        "asked": [[*cell, count] for cell, count in asked.items()],
        "kinds": dict(Counter(s.kind for s in commit.samples)),
        "forms": dict(Counter(s.form for s in commit.samples)),
        "tags": dict(Counter(t.partition(":")[0] for s in commit.samples for t in s.tags)),
        "stages": _count_stages(records),
        "indexed": list(commit.indexed),
        "usage": {purpose: list(numbers) for purpose, numbers in dialogue.usage.items()},
        "calls": dialogue.calls,
        "tokens": [dialogue.input_tokens, dialogue.cached_tokens, dialogue.output_tokens],
        "ends": [end + len(chunk) for end, chunk in zip(ends, chunks, strict=True)],
        "crcs": [zlib.crc32(chunk) for chunk in chunks],
    }


def _count_stages(records: Sequence[Sample | Rejected]) -> list[list[Any]]:
    """[stage, culture, candidates seen, candidates dropped] of every stage that gave a verdict."""
    seen: Counter[tuple[str, str]] = Counter()
    dropped: Counter[tuple[str, str]] = Counter()
    for record in records:
        for verdict in record.verdicts:
            seen[verdict.stage, record.culture] += 1
            dropped[verdict.stage, record.culture] += not verdict.kept
    return [[*key, count, dropped[key]] for key, count in seen.items()]
