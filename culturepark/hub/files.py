"""What goes to the Hub: the files of an export and its card, never anything else that lies in a run folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from culturepark.errors import DataError
from culturepark.export.records import EXPORT, Export

CARD = "README.md"
REJECTED_FOLDER = "data/rejected"
_TOP = (CARD, "CITATION.cff", "croissant.json", "LICENSE", EXPORT)
_CHUNK = 1 << 20
# Files an export of ours may have left in the repository; all else in it belongs to somebody else.
_OURS = re.compile(
    r"data/[a-z0-9_]+/(?:(?:[A-Za-z0-9_-]+/)?(?:train|validation|test|rejected)(?:-\d{5,}(?:-of-\d{5,})?)?"
    r"\.(?:parquet|jsonl)|dataset_info\.json|axolotl\.ya?ml)"
)


@dataclass(frozen=True)
class RemoteFile:
    """A file as the repository lists it; ``sha256`` is empty where it is no large file."""

    size: int
    git_sha1: str
    sha256: str = ""


@dataclass(frozen=True)
class LocalFile:
    """One file to push: its path in the repository, and a path or bytes that hold it."""

    path: str
    source: Path | bytes = field(repr=False)

    @cached_property
    def size(self) -> int:
        """Bytes."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    @cached_property
    def hashes(self) -> tuple[str, str]:
        """SHA-256 of the bytes, and the SHA-1 git gives a blob of them."""
        large, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
        if isinstance(self.source, bytes):
            large.update(self.source)
            blob.update(self.source)
        else:
            with self.source.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    large.update(chunk)
                    blob.update(chunk)
        return large.hexdigest(), blob.hexdigest()

    def is_same(self, remote: RemoteFile | None) -> bool:
        """Whether the repository holds these very bytes."""
        if remote is None or remote.size != self.size:
            return False
        sha256, git_sha1 = self.hashes
        return remote.sha256 == sha256 if remote.sha256 else remote.git_sha1 == git_sha1


@dataclass(frozen=True)
class Changes:
    """What one commit must do so that the repository holds what is here."""

    add: tuple[LocalFile, ...]
    delete: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.add or self.delete)


def list_files(folder: Path, export: Export, pages: Path | None = None) -> list[LocalFile]:
    """The files to push, card first; ``pages`` is where card and record lie, if not in ``folder``.

    Raises ``DataError`` when one is missing, cut or outside the folder.
    """
    top = pages or folder
    found = [_check_file(top, name) for name in _TOP if (top / name).is_file()]
    if not found or found[0].path != CARD:
        raise DataError(f"{top / CARD}: there is no card; write it with 'culturepark card'")
    for part in export.parts:
        files = [_check_file(folder, name) for name in part.files]
        size = sum(file.size for file in files)
        if size != part.bytes:
            where = folder / part.files[0] if part.files else folder
            raise DataError(f"{where}: has {size} bytes, the export wrote {part.bytes}; export again")
        found += files
    found += [_check_file(folder, name) for name in export.extras]
    return list({file.path: file for file in found}.values())


def _check_file(folder: Path, name: str) -> LocalFile:
    parts = PurePosixPath(name).parts
    path = folder.joinpath(*parts)
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name:
        raise DataError(f"{folder / EXPORT}: names a file outside the folder ({name[:80]!r}); export again")
    if not path.is_file():
        raise DataError(f"{path}: is missing; export again")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{path}: leads out of the folder; export again")
    return LocalFile(PurePosixPath(name).as_posix(), path)


def is_ours(path: str) -> bool:
    """Whether a file in the repository is one an export of ours writes below ``data/``."""
    return _OURS.fullmatch(path) is not None


def find_changes(files: Iterable[LocalFile], remote: Mapping[str, RemoteFile]) -> Changes:
    """What must be added or replaced, and which data files of earlier pushes must go."""
    wanted = {file.path: file for file in files}
    add = tuple(file for file in wanted.values() if not file.is_same(remote.get(file.path)))
    return Changes(add, tuple(sorted(path for path in remote if path not in wanted and is_ours(path))))


def show_size(size: int) -> str:
    """Bytes for people."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
