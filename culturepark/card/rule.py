"""What one row of the checklist can answer, and words the rows share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from culturepark.card.reading import Card

Level = Literal["fail", "warn", "ok"]

LICENCE = (r"licen[cs]", "terms")
SOURCES = (r"\bsources?\b", r"source data", "provenance", "data collection")
PROCESS = ("process", "generation", "how (it|the data) was made", "curation", "creation", "method", "making it again")
ANNOTATION = ("annotat", "label", "judge", "quality")
CHANGES = ("change", "version", "release", "history", "maintenance")
COMPOSITION = ("composition", "statistic", "dataset (structure|summary|size)", "distribution", "counts")


@dataclass(frozen=True, slots=True)
class Answer:
    """``bad`` counts as the row's own level, ``soft`` is a warning in any row."""

    kind: Literal["ok", "soft", "bad"]
    what: str


Check = Callable[[Card], Answer]


def pass_row(what: str) -> Answer:
    """The row holds."""
    return Answer("ok", what)


def warn_row(what: str) -> Answer:
    """The row holds in part, or cannot hold here."""
    return Answer("soft", what)


def fail_row(what: str) -> Answer:
    """The row does not hold."""
    return Answer("bad", what)


def list_missing(card: Card, wanted: dict[str, str], *headings: str) -> list[str]:
    """The names whose pattern is found nowhere in the sections of such headings."""
    return [name for name, pattern in wanted.items() if not card.find(pattern, *headings)]
