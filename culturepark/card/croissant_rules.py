"""The rules of Croissant 1.0 that matter to readers, checked without its library; mlcroissant checks more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_WANTED = ("name", "description", "conformsTo", "distribution", "recordSet", "license")
_VERSIONS = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/1.1")


def find_croissant_fault(content: object) -> str:
    """The first thing that is wrong, or nothing."""
    if not isinstance(content, dict):
        return "is no object"
    missing = [key for key in _WANTED if not content.get(key)]
    if missing:
        return f"{missing[0]} is missing"
    if not str(content.get("@type", "")).endswith("Dataset") or not isinstance(content.get("@context"), dict):
        return "is not a Dataset with a context"
    conforms = content["conformsTo"]
    if not set(conforms if isinstance(conforms, list) else [conforms]) & set(_VERSIONS):
        return f"conformsTo must be {_VERSIONS[0]}"
    files: set[str] = set()
    for entry in _walk(content["distribution"]):
        kind, name = str(entry.get("@type", "")).split(":")[-1], str(entry.get("@id", ""))
        if kind not in ("FileObject", "FileSet") or not name:
            return "an entry of distribution is neither a FileObject nor a FileSet with an @id"
        if not entry.get("encodingFormat"):
            return f"{name}: encodingFormat is missing"
        if kind == "FileSet" and not entry.get("includes"):
            return f"{name}: includes is missing"
        if kind == "FileObject" and not (entry.get("contentUrl") and (entry.get("sha256") or entry.get("md5"))):
            return f"{name}: contentUrl or checksum is missing"
        files.add(name)
    seen: set[str] = set()
    for record in _walk(content["recordSet"]):
        for field in _walk(record.get("field")):
            fault = _check_field(field, files, seen)
            if fault:
                return fault
    return "" if seen else "no record set has a field"


def _check_field(field: Mapping[str, Any], files: set[str], seen: set[str]) -> str:
    name = str(field.get("@id", ""))
    if not name or name in seen:
        return f"a field has no @id, or {name!r} twice"
    seen.add(name)
    parts = list(_walk(field.get("subField")))
    if not parts and not field.get("dataType"):
        return f"{name}: dataType is missing"
    source = field.get("source")
    if source is None and not parts:
        return f"{name}: source is missing"
    if isinstance(source, Mapping):
        place = source.get("fileSet") or source.get("fileObject") or {}
        if isinstance(place, Mapping) and str(place.get("@id", "")) not in files:
            return f"{name}: its source is not in distribution"
    return next(filter(None, (_check_field(part, files, seen) for part in parts)), "")


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, Mapping):
            yield entry
