"""What the owner wrote into a card by hand: it stands between markers and survives every rewrite."""

from __future__ import annotations

import re
from collections.abc import Iterator

from culturepark.errors import DataError

MADE = "<!-- made by culturepark card: write only between the lines that say yours; all else is made again -->"
_OPEN = re.compile(r"<!-- yours: ([a-z0-9 _-]{1,40}) -->")
_END = "<!-- end of yours -->"


def read_notes(card: str) -> dict[str, str]:
    """The owner's texts by name; of two with one name both, one after the other.

    Raises ``DataError`` for one without its end: nobody can tell how far it goes.
    """
    found: dict[str, str] = {}
    for name, text in _split_notes(card):
        if text:
            found[name] = f"{found[name]}\n\n{text}" if name in found else text
    return found


def _split_notes(card: str) -> Iterator[tuple[str, str]]:
    place = 0
    while opened := _OPEN.search(card, place):
        following = _OPEN.search(card, opened.end())
        most = following.start() if following else len(card)
        end = card.find(_END, opened.end(), most)
        if end < 0:
            raise DataError(f"README.md: the part {opened[0]} has no {_END}; put that line back behind your words")
        yield opened[1], card[opened.end() : end].strip()
        place = end


def open_note(name: str, notes: dict[str, str]) -> str:
    """The place of one note, with what is in it; takes it out of ``notes``."""
    text = notes.pop(name, "")
    return f"<!-- yours: {name} -->\n{text + chr(10) if text else ''}{_END}"


def drop_comments(text: str) -> str:
    """The text without HTML comments; one that never ends goes on to the end."""
    parts, place = [], 0
    while (start := text.find("<!--", place)) >= 0:
        parts.append(text[place:start])
        end = text.find("-->", start + 4)
        if end < 0:
            return "".join(parts)
        place = end + 3
    return "".join([*parts, text[place:]])
