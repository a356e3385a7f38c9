"""A damaged run folder is cut back to what can be trusted; what is cut is kept in ``damaged/``, never destroyed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from culturepark.files import read_lines
from culturepark.runs.check import Damage, Finding, check_folder_files
from culturepark.runs.checkpoint import NAME as CHECKPOINT
from culturepark.runs.identity import make_head
from culturepark.runs.outcomes import DATA_FILES, JOURNAL, read_version, walk_journal
from culturepark.runs.rescue import move_folders, open_aside, rescue_replies
from culturepark.runs.upgrades import upgrade_journal


def settle_folder(path: Path, fingerprint: str) -> Finding:
    """Bring a folder in order before it is written to; the finding tells what was wrong with it.

    An older journal is upgraded, damage is cut out and kept aside, an unfinished commit is cut. Raises ``OSError``.
    """
    for leftover in path.glob(".*.part"):
        leftover.unlink()
    misplaced = [*move_folders(path), *rescue_replies(path)]
    if read_version(path) == 1:
        (path / CHECKPOINT).unlink(missing_ok=True)
        upgrade_journal(path / JOURNAL, make_head(fingerprint))
    found = check_folder_files(path)
    if fingerprint and found.fingerprint not in (None, "", fingerprint):
        found = Finding(damage=[Damage(JOURNAL, "", "belongs to another run")])
    if found.damage:
        _keep_aside(path, found)
    if found.fingerprint is None:
        _write_head(path, found, make_head(fingerprint))
        told = found.damage
        found = check_folder_files(path)
        found.damage = told
    for name, end in zip((JOURNAL, *DATA_FILES), (found.end, *found.ends), strict=True):
        if not found.damage and _is_torn(path / name, end):
            found.torn.append(name)
        _cut(path / name, end)
    found.damage = [*misplaced, *found.damage]
    return found


def _is_torn(path: Path, end: int) -> bool:
    """Is there more than the run knows of, and its last line without an end?"""
    if not path.exists() or path.stat().st_size <= end:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _keep_aside(path: Path, found: Finding) -> None:
    """Copy whatever will be cut into a new folder below ``damaged/``."""
    folder = open_aside(path)
    for name, end in zip((JOURNAL, *DATA_FILES), (found.end, *found.ends), strict=True):
        source = path / name
        if not source.exists() or source.stat().st_size <= end:
            continue
        with source.open("rb") as old, (folder / name).open("wb") as new:
            old.seek(end)
            shutil.copyfileobj(old, new, 1 << 20)
    (path / CHECKPOINT).unlink(missing_ok=True)


def _write_head(path: Path, found: Finding, head: bytes) -> None:
    """Give the journal its first line: in a new folder, or in place of one that is damaged."""
    journal = path / JOURNAL
    temporary = path / f".{JOURNAL}.{os.getpid()}.part"
    with temporary.open("wb") as file:
        file.write(head)
        for offset, raw in read_lines(journal):
            if 0 < offset < found.end:
                file.write(raw)
    temporary.replace(journal)


def _cut(path: Path, end: int) -> None:
    """Cut what lies beyond; the journal goes first, so that no line vouches for what is gone."""
    if path.exists() and path.stat().st_size > end:
        with path.open("rb+") as file:
            file.truncate(end)


def cut_failed(path: Path) -> int:
    """Take a run back to before its first failed candidate; returns how many dialogues are made again.

    What was answered lies in the reply log, so only calls that had failed are made anew. Derived files that tell of
    more are dropped first: whatever happens on the way, the folder stays one that resumes. Raises ``OSError``.
    """
    ends, start, dropped = [0] * len(DATA_FILES), 0, 0
    for row in walk_journal(path / JOURNAL):
        if row.line is None:
            break
        if row.is_head:
            continue
        if dropped or row.line["failed"]:
            start = start if dropped else row.end - len(row.raw)
            dropped += 1
        else:
            ends = row.line["ends"]
    if not dropped:
        return 0
    for name in ("manifest.json", CHECKPOINT):
        (path / name).unlink(missing_ok=True)
    for name, end in zip((JOURNAL, *DATA_FILES), (start, *ends), strict=True):
        os.truncate(path / name, end)
    return dropped
