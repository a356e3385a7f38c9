"""A dataset folder as the linter sees it: metadata, sections, tables and code of any README, whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from culturepark.card.holdings import Holdings, inspect_data
from culturepark.card.notes import drop_comments
from culturepark.card.settings import read_text, split_card
from culturepark.errors import DataError

_LONGEST, _LINE = 1 << 20, 2000  # characters of a README, and of one line, that are looked at
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_PLACEHOLDER = re.compile(
    r"(?i)more information needed|not stated yet|\b(?:todo|tbd|fixme|xxx)\b|@example\.(?:com|org)|example\.com"
    r"|your[ _-]?(?:name|e-?mail)|\[(?:name|contact|e-?mail)\]|lorem ipsum"
)


@dataclass(frozen=True, slots=True)
class Section:
    """One heading and the text under it, up to the next heading of any level. Comments are left out."""

    level: int
    heading: str
    text: str


@dataclass(frozen=True)
class Card:
    """One README with the folder it stands in."""

    folder: Path
    metadata: dict[str, Any]
    text: str
    sections: tuple[Section, ...] = ()
    tables: tuple[list[list[str]], ...] = field(default=())
    broken_block: bool = False  # a YAML block that cannot be read

    @cached_property
    def data(self) -> Holdings:
        """What the data files of the folder hold, as far as they are there."""
        return inspect_data(self.folder, self.metadata)

    def find(self, pattern: str, *headings: str) -> re.Match[str] | None:
        """The first match, in any case, in the sections with such headings (patterns); without any, in all the text."""
        return re.search(pattern, self.take(*headings) if headings else self.text, re.IGNORECASE)

    def take(self, *headings: str) -> str:
        """The text below all headings that match one of the patterns, with that of their subsections."""
        return "\n".join(section.text for section, is_there in self._choose(headings) if is_there)

    def leave(self, *headings: str) -> str:
        """The text that ``take`` does not take."""
        return "\n".join(section.text for section, is_there in self._choose(headings) if not is_there)

    def _choose(self, headings: tuple[str, ...]) -> Iterator[tuple[Section, bool]]:
        wanted, inside = re.compile("|".join(headings), re.IGNORECASE), 0
        for section in self.sections:
            if inside and section.level <= inside:
                inside = 0
            if not inside and wanted.search(section.heading):
                inside = section.level
            yield section, bool(inside)

    def has_section(self, *headings: str) -> bool:
        """Is there such a section with something in it that is no placeholder?"""
        return bool(_PLACEHOLDER.sub("", self.take(*headings)).strip(" -*_.[]\n"))

    def find_table(self, *columns: str) -> list[list[str]] | None:
        """The first table, its header first, in which every pattern matches a column name."""
        for table in self.tables:
            if all(any(re.search(c, name, re.IGNORECASE) for name in table[0]) for c in columns):
                return table
        return None


def is_placeholder(text: str) -> bool:
    """Is this a text that somebody was meant to fill in?"""
    return bool(_PLACEHOLDER.search(text))


def read_card(folder: Path) -> Card:
    """The card of a folder. Raises ``DataError`` where there is none, or it is no text."""
    path = folder / "README.md"
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder; name the folder of a dataset")
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path}: there is no card; write one with: culturepark card {folder}")
    metadata, body = split_card(text[:_LONGEST])
    plain = "\n".join(line[:_LINE] for line in drop_comments(body).splitlines())
    sections = tuple(_split_sections(plain))
    broken = text.lstrip().startswith("---") and not metadata
    return Card(folder, metadata, plain, sections, tuple(_find_tables(plain)), broken)


def _split_sections(text: str) -> Iterator[Section]:
    lines: list[str] = []
    level, heading, bar = 1, "", ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence and not bar:
            bar = fence[1]
        elif fence and bar and fence[1].startswith(bar):
            bar = ""
        found = None if bar or fence else _HEADING.match(line)
        if found:
            yield Section(level, heading, "\n".join(lines))
            level, heading, lines = len(found[1]), found[2], []
        else:
            lines.append(line)
    yield Section(level, heading, "\n".join(lines))


def _find_tables(text: str) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if stripped.startswith("|") and stripped.count("|") > 1:
            cells = re.split(r"(?<!\\)\|", stripped.strip("|") if not stripped.endswith("\\|") else stripped[1:])
            rows.append([_unmark(cell) for cell in cells])
            continue
        if len(rows) > 2 and all(re.fullmatch(r":?-+:?", cell) for cell in rows[1] if cell):
            yield [rows[0], *rows[2:]]
        rows = []


def _unmark(cell: str) -> str:
    """A cell's words without the marks around them."""
    return re.sub(r"\\(.)", r"\1", cell).strip().strip("`*").strip()
