"""Which run a folder holds: ``run.json`` (written once), the first line of the journal, and the derived manifest.

Any one of the three tells; the manifest is made again when it is gone, and carries a checksum of its own.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from culturepark.errors import DataError
from culturepark.files import read_lines, replace_file, seal_line, unseal_line
from culturepark.records import SCHEMA_VERSION
from culturepark.runs.kinds import check_kinds
from culturepark.runs.upgrades import check_version, upgrade

# Everything a run keeps in its folder, besides hidden files.
PARTS = frozenset({"journal.jsonl", "dialogues.jsonl", "samples.jsonl", "rejected.jsonl", "replies", "run.json"})
REPAIR = "run the command that made this run again: it repairs the folder"
_CRC = '"crc": "'


@dataclass(frozen=True, slots=True)
class Identity:
    """The fingerprint a folder gives for its run; ``created`` is known where ``run.json`` or the manifest is whole."""

    fingerprint: str
    created: str = ""


def make_head(fingerprint: str) -> bytes:
    """The first line of a journal."""
    return seal_line({"journal": SCHEMA_VERSION, "fingerprint": fingerprint})


def write_identity(path: Path, identity: Identity, durable: bool = False) -> None:
    """Write ``run.json``, once. Raises ``OSError``."""
    line = seal_line(
        {"schema_version": SCHEMA_VERSION, "fingerprint": identity.fingerprint, "created": identity.created}
    )
    replace_file(path / "run.json", line.decode("utf-8"), durable)


def find_identity(path: Path) -> Identity | None:
    """What the folder says of itself; ``None`` when no part of it that is whole tells.

    Raises ``DataError`` for a run of a newer culturepark.
    """
    found = read_identity(path)
    if found is not None:
        return found
    head = unseal_line(_read_first(path / "journal.jsonl"))
    if head is not None and "journal" in head:
        check_version(head["journal"], str(path / "journal.jsonl"))
        return Identity(str(head["fingerprint"]))
    manifest = find_manifest(path)
    return Identity(str(manifest["fingerprint"]), str(manifest.get("created", ""))) if manifest else None


def read_identity(path: Path) -> Identity | None:
    """``run.json`` where it is whole."""
    try:
        record = unseal_line((path / "run.json").read_bytes())
    except OSError:
        return None
    if record is None or "fingerprint" not in record:  # another file of ours may lie in its place
        return None
    check_version(record.get("schema_version"), str(path / "run.json"))
    return Identity(str(record["fingerprint"]), str(record.get("created", "")))


def _read_first(path: Path) -> bytes:
    try:
        return next((raw for _, raw in read_lines(path)), b"")
    except OSError:
        return b""


def list_unreadable(path: Path) -> list[str]:
    """Names of the files that say which run this is and are there, but damaged: others tell, and make them again."""
    readers: dict[str, Callable[[Path], object]] = {"run.json": read_identity, "manifest.json": find_manifest}
    return [name for name, read in readers.items() if (path / name).is_file() and not read(path)]


def dump_manifest(manifest: Mapping[str, Any]) -> str:
    """The manifest as text; its last key is the CRC-32 of all text before it."""
    text = json.dumps(dict(manifest), ensure_ascii=False, indent=2)[:-2] + ",\n  "
    data = text.encode("utf-8", "replace")
    return f'{data.decode("utf-8")}{_CRC}{zlib.crc32(data):08x}"\n}}\n'


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run. Raises ``DataError`` when the folder is no run, or the file is damaged or newer."""
    check_kinds(folder, writing=False)
    path = folder / "manifest.json"
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        if any((folder / name).exists() for name in PARTS):
            raise DataError(f"{path}: is missing; {REPAIR}") from error
        raise DataError(f"{folder}: is not a run folder (no manifest.json); see outputs/ for runs") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    manifest = _parse_manifest(data)
    if manifest is None:
        raise DataError(f"{path}: is damaged (its checksum or shape does not hold); {REPAIR}")
    if "fingerprint" not in manifest:
        raise DataError(f"{path}: is not the manifest of a run")
    return upgrade("manifest", manifest, str(path))


def find_manifest(folder: Path) -> dict[str, Any]:
    """The manifest where it is whole, else nothing: it can be made again."""
    try:
        data = (folder / "manifest.json").read_bytes()
    except OSError:
        return {}
    manifest = _parse_manifest(data)
    if manifest is None or "fingerprint" not in manifest:
        return {}
    return upgrade("manifest", manifest, str(folder / "manifest.json"))


def find_earlier(folder: Path) -> dict[str, Any]:
    """What an earlier sitting wrote: the manifest, or where that is gone the day the run began."""
    found = read_identity(folder)
    return find_manifest(folder) or ({"created": found.created} if found else {})


def _parse_manifest(data: bytes) -> dict[str, Any] | None:
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict):
        return None
    crc = manifest.pop("crc", None)
    end = data.rfind(_CRC.encode())
    if crc is not None and (end < 0 or data[end:] != f'{_CRC}{zlib.crc32(data[:end]):08x}"\n}}\n'.encode()):
        return None
    has_none = manifest.get("schema_version", 1) != SCHEMA_VERSION  # version 1; and a newer one is told as such
    return manifest if crc is not None or has_none else None
