"""The folder an export goes to: may it, and how files get there at once or not at all.

Everything is written into a hidden folder inside it; then names change: ``export.json`` goes first and comes last, so
that where it is missing after a kill the next export puts back what was there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import IO

from culturepark.errors import ConfigError, DataError
from culturepark.export.formats import FORMATS
from culturepark.export.records import EXPORT
from culturepark.files import describe_fault
from culturepark.runs.folder import Run
from culturepark.runs.lock import take_lock

KEPT = "an earlier export is as it was"
_PAGES = frozenset((EXPORT, "README.md", "CITATION.cff", "croissant.json", "LICENSE", "data"))
_DATA = re.compile(
    rf"(?:{'|'.join(FORMATS)})/(?:dataset_info\.json|axolotl\.yaml"
    r"|[A-Za-z0-9_-]+/(?:train|validation|test)(?:-\d{5,}(?:-of-\d{5,})?\.parquet|\.jsonl))"
)
_NEW, _OLD = ".export-new", ".export-old"


class Target:
    """A folder that is locked for one export. Raises ``ConfigError`` when it holds something else."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder, self.work, self._old = folder, folder / _NEW, folder / _OLD
        self.in_run = folder.resolve() == run.path.resolve()
        self._made = not folder.exists()
        self._lock: IO[bytes] | None = None
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder}: is a file; choose another --output-dir")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(folder / ".export.lock")
            self._recover()
            self._check()
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir()
        except OSError as error:
            self.close()
            raise DataError(f"{folder}: {describe_fault(error)}; choose another --output-dir") from error
        except BaseException:
            self.close()
            raise

    def read_readme(self) -> str:
        """The README that is there, or nothing."""
        try:
            return (self.folder / "README.md").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def take_over(self) -> None:
        """Put what was written in the place of what was there. Raises ``OSError``; then the old is back."""
        sync_tree(self.work)
        try:
            self._old.mkdir()
            if (self.folder / "README.md").exists():
                shutil.copy2(self.folder / "README.md", self._old)
            for name in (EXPORT, "data"):
                if (self.folder / name).exists():
                    os.replace(self.folder / name, self._old / name)
            for name in ("data", "README.md", EXPORT):
                os.replace(self.work / name, self.folder / name)
        except OSError:
            self._recover()
            raise
        shutil.rmtree(self._old, ignore_errors=True)

    def close(self) -> None:
        """Take away what is half-written, and the folder too if it was made for nothing."""
        shutil.rmtree(self.work, ignore_errors=True)
        if self._lock is not None:
            if not self.in_run:
                (self.folder / ".export.lock").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None
        if self._made:
            with contextlib.suppress(OSError):
                self.folder.rmdir()  # only if it is empty

    def _recover(self) -> None:
        """Put back what was there before an export that was stopped while names changed; finish one that was not."""
        if self._old.exists() and not (self.folder / EXPORT).exists():
            if not (self.work / "data").exists():
                shutil.rmtree(self.folder / "data", ignore_errors=True)
            if not (self.work / "README.md").exists():
                (self.folder / "README.md").unlink(missing_ok=True)
            for name in ("data", "README.md", EXPORT):
                if (self._old / name).exists():
                    os.replace(self._old / name, self.folder / name)
        shutil.rmtree(self._old, ignore_errors=True)

    def _check(self) -> None:
        if not self.in_run:
            names = sorted(p.name for p in self.folder.iterdir() if not p.name.startswith("."))
            if "manifest.json" in names:
                raise ConfigError(f"{self.folder}: holds another run; choose another --output-dir")
            foreign = [name for name in names if name not in _PAGES]
            if not foreign and names and EXPORT not in names and "data" not in names:
                foreign = names
            if foreign:
                raise ConfigError(
                    f"{self.folder}: holds other files ({foreign[0]}); choose an empty or new --output-dir"
                )
        data = self.folder / "data"
        if data.is_symlink() or (data.exists() and not data.is_dir()):
            raise ConfigError(f"{data}: is not a folder of an export; move it away or choose another --output-dir")
        for path in sorted(data.rglob("*")):
            name = path.relative_to(data).as_posix()
            if path.is_symlink() or (not path.is_dir() and not _DATA.fullmatch(name)):
                raise ConfigError(
                    f"{path}: no export wrote this file, and exporting would remove it; move it away or choose "
                    "another --output-dir"
                )


def sync_tree(folder: Path) -> None:
    """Force all files below a folder to the disk, so that a full one is noticed before names change."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
