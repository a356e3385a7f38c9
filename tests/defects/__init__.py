"""Texts with one planted defect each and their clean twins, pairs of copies, and judge examples, by language.

Written without sight of the rules they examine. Every name, number and address is invented or reserved for examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("english", "arabic", "korean", "chinese", "spanish", "german", "portuguese", "turkish", "bengali")


@dataclass(frozen=True)
class Case:
    """`benchmark` is the exam question the text repeats; empty for every other defect."""

    id: str
    defect: str
    text: str
    clean_twin: str
    benchmark: str = ""


@dataclass(frozen=True)
class Pair:
    """`kind` is near_copy or paraphrase; `same` says whether one of the two is to go."""

    id: str
    kind: str
    a: str
    b: str
    same: bool


@dataclass(frozen=True)
class Stance:
    """`relation` of the text to the view: follows, contradicts or silent."""

    id: str
    view: str
    text: str
    relation: str


@dataclass(frozen=True)
class Fact:
    """`verdict` on the text, given the fact alone: supported, contradicted or unknown."""

    id: str
    fact: str
    text: str
    verdict: str


@cache
def read_file(language: str) -> dict[str, list[dict[str, Any]]]:
    """Raises KeyError for a language without a file."""
    if language not in LANGUAGES:
        raise KeyError(f"no defect set for {language!r}; there are {', '.join(LANGUAGES)}")
    content: dict[str, list[dict[str, Any]]] = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return content


def load_cases(language: str) -> list[Case]:
    return [Case(**row) for row in read_file(language)["cases"]]


def load_pairs(language: str) -> list[Pair]:
    return [Pair(**row) for row in read_file(language)["pairs"]]


def load_stances(language: str) -> list[Stance]:
    return [Stance(**row) for row in read_file(language)["stances"]]


def load_facts(language: str) -> list[Fact]:
    return [Fact(**row) for row in read_file(language)["facts"]]
