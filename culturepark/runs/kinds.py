"""What lies under the names of a run's files: a pipe would hold its reader for ever, a link lead its writer elsewhere.

Folders in place of files are told and moved by ``rescue``. Folders may be links: replies may lie on another disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from culturepark.errors import DataError

_NAMES = frozenset(
    "journal.jsonl dialogues.jsonl samples.jsonl rejected.jsonl review.jsonl run.json manifest.json checkpoint.json "
    "recall.bin events.jsonl batches.jsonl README.md report.md stances.csv .lock".split()
)
_FOLDERS = ("replies", "spend")


def check_kinds(folder: Path, *, writing: bool) -> None:
    """Raise ``DataError`` for the first file of a run that is a pipe or a device; ``writing``: or a link."""
    for path in _list_odd(folder):
        try:
            mode = (path.lstat() if writing else path.stat()).st_mode
        except OSError:  # a link to nowhere: as good as no file
            continue
        if stat.S_ISLNK(mode):
            raise DataError(f"{path}: is a link, and a run writes to no file elsewhere; put the file itself there")
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise DataError(
                f"{path}: is a {_name_kind(mode)} where a file should be; remove it, then run the command that made "
                "this run again: it repairs the folder"
            )


def _list_odd(folder: Path) -> Iterator[Path]:
    """Everything under the name of a run's file that is not plainly a file."""
    for place in (folder, *(folder / name for name in _FOLDERS)):
        try:
            with os.scandir(place) as entries:
                odd = [e.name for e in entries if not e.is_file(follow_symlinks=False)]
        except OSError:  # not there, or no folder: others tell
            continue
        yield from (place / name for name in sorted(odd) if place is not folder or name in _NAMES)


def _name_kind(mode: int) -> str:
    return "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
