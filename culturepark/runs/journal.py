"""A run on disk: append-only files with one commit line per dialogue, cut back to the last whole commit.

``journal.jsonl`` is the truth about what is done: each line is one dialogue with its counts, the
samples' text hashes and where the data files ended after it. Whatever lies beyond the last line's ends
was not committed and is cut off on opening. ``manifest.json`` is derived and may be rewritten at any time.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from culturepark.errors import ConfigError, DataError
from culturepark.files import cut_torn_tail, dump_line, read_lines, replace_file
from culturepark.records import Dialogue, Rejected, Sample

DATA_FILES = ("dialogues.jsonl", "samples.jsonl", "rejected.jsonl")


@dataclass(slots=True)
class Counts:
    """What a run has so far.

    ``cells`` counts accepted samples by (culture, topic, answer), ``asked`` all candidates likewise. ``usage`` has
    calls, input, cached and output tokens by purpose; ``stages`` has candidates seen and dropped by stage and culture.
    """

    dialogues: int = 0
    finished: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    cultures: Counter[str] = field(default_factory=Counter)
    cells: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    asked: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    usage: dict[str, list[int]] = field(default_factory=dict)
    stages: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    @property
    def candidates(self) -> int:
        """Every chance at a sample that has ended: accepted, rejected or failed."""
        return self.accepted + self.rejected + self.failed

    def add(self, line: Mapping[str, Any]) -> None:
        """Count one journal line."""
        self.dialogues += 1
        self.finished += line["status"] == "finished"
        self.accepted += line["accepted"]
        self.rejected += line["rejected"]
        self.failed += line["failed"]
        self.calls += line["calls"]
        self.input_tokens += line["tokens"][0]
        self.cached_tokens += line["tokens"][1]
        self.output_tokens += line["tokens"][2]
        self.reasons.update(line["reasons"])
        if line["stop"]:
            self.stops[line["stop"]] += 1
        for culture, topic, code, count in line["cells"]:
            self.cells[culture, topic, code] += count
            self.cultures[culture] += count
        for culture, topic, code, count in line["asked"]:
            self.asked[culture, topic, code] += count
        self.kinds.update(line["kinds"])
        self.forms.update(line["forms"])
        self.tags.update(line["tags"])
        for purpose, numbers in line["usage"].items():
            _add(self.usage.setdefault(purpose, [0, 0, 0, 0]), numbers)
        for stage, culture, seen, dropped in line["stages"]:
            _add(self.stages.setdefault(stage, {}).setdefault(culture, [0, 0]), (seen, dropped))


def _add(total: list[int], numbers: Sequence[int]) -> None:
    for place, number in enumerate(numbers):
        total[place] += number


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


class RunFolder:
    """The files of one run, opened for writing under a lock."""

    def __init__(self, path: Path, durable: bool = False) -> None:
        """Open or make the folder, take the lock, cut what was not committed.

        Raises ``DataError`` when the folder cannot be written and ``ConfigError`` when another
        process works on it.
        """
        self.path = path
        self._durable = durable
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(path / ".lock")
            cut_torn_tail(path / "journal.jsonl")
            self.lines, ends = self._read_journal()
            self._cut_data(ends)
            self._files = [_open_append(path / name) for name in DATA_FILES]
            self._journal = _open_append(path / "journal.jsonl")
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror}); choose another --output-dir") from error
        self._ends = list(ends)

    def _read_journal(self) -> tuple[list[dict[str, Any]], list[int]]:
        """All good lines up to the first damaged one, or to the first that the data files do not reach."""
        sizes = [_size(self.path / name) for name in DATA_FILES]
        lines: list[dict[str, Any]] = []
        ends, good = [0, 0, 0], 0
        for offset, raw in read_lines(self.path / "journal.jsonl"):
            line = parse_journal_line(raw)
            if line is None or line["position"] != len(lines):
                break
            if any(end > size for end, size in zip(line["ends"], sizes, strict=True)):
                break
            lines.append(line)
            ends, good = line["ends"], offset + len(raw)
        self.damaged = _size(self.path / "journal.jsonl") > good
        if self.damaged:
            with (self.path / "journal.jsonl").open("rb+") as file:
                file.truncate(good)
        return lines, list(ends)

    def _cut_data(self, ends: Sequence[int]) -> None:
        for name, end in zip(DATA_FILES, ends, strict=True):
            path = self.path / name
            if _size(path) > end:
                with path.open("rb+") as file:
                    file.truncate(end)

    def write(self, commit: Commit) -> dict[str, Any]:
        """Write one dialogue and its outcomes, then its journal line. Returns the line."""
        groups = ([commit.dialogue], commit.samples, commit.rejected)
        chunks = [b"".join(dump_line(r.model_dump(mode="json")) for r in group) for group in groups]
        line = _journal_line(commit)
        line["ends"] = [end + len(chunk) for end, chunk in zip(self._ends, chunks, strict=True)]
        line["crcs"] = [zlib.crc32(chunk) for chunk in chunks]
        line["crc"] = _line_crc(line)
        try:
            for file, chunk in zip(self._files, chunks, strict=True):
                _write_all(file, chunk, self._durable)
            _write_all(self._journal, dump_line(line), self._durable)
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be written ({error.strerror}); mend that, then run the same command to resume"
            ) from error
        self._ends = line["ends"]
        return line

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest as a whole."""
        try:
            text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
            replace_file(self.path / "manifest.json", text)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror})") from error

    def close(self) -> None:
        """Close all files and give the lock back."""
        for file in (*self._files, self._journal):
            file.close()
        self._lock.close()


def _journal_line(commit: Commit) -> dict[str, Any]:
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


def _line_crc(line: Mapping[str, Any]) -> int:
    return zlib.crc32(dump_line({k: v for k, v in line.items() if k != "crc"}))


def parse_journal_line(raw: bytes) -> dict[str, Any] | None:
    """A journal line whose checksum holds, or ``None``."""
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) and line.get("crc") == _line_crc(line) else None


def read_journal(folder: Path) -> Iterator[dict[str, Any]]:
    """Journal lines of a run that may be at work right now; stops at the first damaged one."""
    for _, raw in read_lines(folder / "journal.jsonl"):
        line = parse_journal_line(raw)
        if line is None:
            return
        yield line


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run. Raises ``DataError`` when the folder is no run."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{folder}: is not a run folder (no manifest.json); see outputs/ for runs") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON; restore it or start another run") from error
    if not isinstance(manifest, dict) or "fingerprint" not in manifest:
        raise DataError(f"{path}: is not the manifest of a run")
    return manifest


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _open_append(path: Path) -> IO[bytes]:
    return path.open("ab", buffering=0)


def _write_all(file: IO[bytes], chunk: bytes, durable: bool) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
    if durable and chunk:
        os.fsync(file.fileno())


def take_lock(path: Path) -> IO[bytes]:
    """An advisory lock that ends with the process that holds it, however that ends.

    Raises ``ConfigError`` when another process holds it.
    """
    file = path.open("ab")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such lock on this system: the user keeps two processes apart
        pass
    except OSError as error:
        file.close()
        raise ConfigError(
            f"{path.parent}: another process is working on this run; wait for it or choose another --output-dir"
        ) from error
    return file
