"""What the owner says of a dataset: licence, contact, title, authors. Kept in the card's own files, nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from culturepark.card.terms import Licence, settle_licence
from culturepark.card.text import flatten
from culturepark.errors import ConfigError, DataError

NOBODY = "Authors not stated yet"
MAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~/%?=&+#-]*)?")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """``contact`` is a mail address, a web address or words."""

    licence: Licence | None = None
    contact: str = ""
    title: str = ""
    authors: tuple[str, ...] = ()


def settle(
    folder: Path,
    license: str | None = None,
    license_name: str = "",
    license_link: str = "",
    contact: str | None = None,
    title: str | None = None,
    authors: Sequence[str] | None = None,
) -> Settings:
    """What is given now, else what the folder's card and citation file say. Raises ``ConfigError``, ``DataError``."""
    before = read_settings(folder)
    licence = settle_licence(license, license_name, license_link)
    return Settings(
        licence=licence or before.licence,
        contact=_check_line("--contact", contact) or before.contact,
        title=_check_line("--title", title) or before.title,
        authors=tuple(filter(None, (_check_line("--authors", a) for a in authors or ()))) or before.authors,
    )


def read_settings(folder: Path) -> Settings:
    """What the files of an earlier card say; nothing where there are none.

    Raises ``DataError`` for a licence nobody knows.
    """
    head, _ = split_card(read_text(folder / "README.md"))
    citation = read_citation(folder)
    licence = None
    if isinstance(head.get("license"), str) and head["license"] != "unknown":
        try:
            licence = settle_licence(
                head["license"], str(head.get("license_name") or ""), str(head.get("license_link") or "")
            )
        except ConfigError as error:
            raise DataError(f"{folder / 'README.md'}: {error}") from error
    people = [p for p in citation.get("authors") or () if isinstance(p, dict)]
    names = [str(p.get("name") or f"{p.get('given-names', '')} {p.get('family-names', '')}").strip() for p in people]
    contacts = [c for c in citation.get("contact") or () if isinstance(c, dict)]
    first = contacts[0] if contacts else {}
    return Settings(
        licence=licence,
        contact=flatten(first.get("email") or first.get("website") or first.get("name") or "", _LONGEST),
        title=flatten(head.get("pretty_name") or "", _LONGEST),
        authors=tuple(flatten(n, _LONGEST) for n in names if n and n != NOBODY),
    )


def read_citation(folder: Path) -> dict[str, Any]:
    """The citation file as a mapping; empty where there is none that can be read. Raises ``DataError``."""
    return _parse(read_text(folder / "CITATION.cff"))


def split_card(text: str) -> tuple[dict[str, Any], str]:
    """A card's YAML block as a mapping (empty where there is none that can be read), and the text after it."""
    found = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", text, re.DOTALL)
    if not found:
        return {}, text
    return _parse(found[1]), text[found.end() :]


def read_text(path: Path) -> str:
    """A text file, or nothing where there is none. Raises ``DataError`` when it is there and cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({getattr(error, 'strerror', '') or error})") from error


def _parse(text: str) -> dict[str, Any]:
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            return {}  # a few aliases of aliases can stand for more text than fits into memory
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _check_line(flag: str, text: str | None) -> str:
    if text is None:
        return ""
    flat = flatten(text, _LONGEST + 1)
    if not flat or len(flat) > _LONGEST:
        raise ConfigError(f"{flag}: must be one line of 1 to {_LONGEST} characters")
    return flat
