"""What lies in the wrong place in a run folder is put aside or where it belongs, before anything is opened.

A folder in place of a file is moved to ``damaged/``; replies that lie in another file are copied to the reply log.
"""

from __future__ import annotations

import os
from pathlib import Path

from culturepark.files import read_lines
from culturepark.llm.reply_lines import parse_reply
from culturepark.runs.check import Damage
from culturepark.runs.checkpoint import NAME as CHECKPOINT
from culturepark.runs.outcomes import DATA_FILES, JOURNAL
from culturepark.runs.recall import NAME as RECALL

_MADE = ("manifest.json", "run.json", "README.md", "report.md", "stances.csv", "review.jsonl", "events.jsonl")
_FILES = (JOURNAL, *DATA_FILES, CHECKPOINT, RECALL, *_MADE)  # each is made again when it is gone
_REPLY = b'{"shard":'


def open_aside(path: Path) -> Path:
    """A new folder below ``damaged/``."""
    (path / "damaged").mkdir(exist_ok=True)
    taken = [int(p.name) for p in (path / "damaged").iterdir() if p.name.isdecimal()]
    folder = path / "damaged" / str(max(taken, default=0) + 1)
    folder.mkdir()
    return folder


def move_folders(path: Path) -> list[Damage]:
    """Move folders that lie where files of the run should be, and a file in place of the reply log."""
    wrong = [name for name in _FILES if (path / name).is_dir()]
    told = [Damage(name, "", "is a folder where a file should be") for name in wrong]
    if (path / "replies").is_file():
        wrong.append("replies")
        told.append(Damage("replies", "", "is a file where a folder should be"))
    if wrong:
        aside = open_aside(path)
        for name in wrong:
            (path / name).rename(aside / name)
        if "replies" in wrong:
            _copy_replies(aside / "replies", path / "replies")
    return told


def rescue_replies(path: Path) -> list[Damage]:
    """Copy replies that lie in another file of the run (swapped by hand?) to the reply log, where they are found."""
    told = []
    for name in (JOURNAL, *DATA_FILES, "events.jsonl", "review.jsonl", *_list_spend(path)):
        if _begins_with_reply(path / name) and _copy_replies(path / name, path / "replies"):
            told.append(Damage(name, "", "holds replies of the reply log; they are used where they belong"))
    return told


def _list_spend(path: Path) -> list[str]:
    return [f"spend/{file.name}" for file in sorted((path / "spend").glob("*.jsonl"))]


def _begins_with_reply(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_REPLY)) == _REPLY


def _copy_replies(source: Path, folder: Path) -> bool:
    """Append the whole replies of a file to files of their shards that only rescue writes; are there any?"""
    lines: dict[int, list[bytes]] = {}
    for _, raw in read_lines(source):
        logged = parse_reply(raw) if raw.startswith(_REPLY) else None
        if logged is not None and logged.shard is not None:
            lines.setdefault(logged.shard, []).append(raw)
    for shard, found in lines.items():
        folder.mkdir(exist_ok=True)
        target = folder / f"{shard:05d}.rescued.jsonl"
        with target.open("ab") as file:
            file.writelines(found)
            file.flush()
            os.fsync(file.fileno())
    return bool(lines)
