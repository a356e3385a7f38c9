"""The packaged list of well-known people, and how their names are found in a text in any of the scripts.

Names are compared word by word without accents; what a language writes onto a name (cases, particles, "and") is
taken off first. Chinese names are looked for character by character. Limits: misspelt names pass.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from culturepark.files import load_yaml_model
from culturepark.language import straighten
from culturepark.language.spelling import MARKS

_FILE = Path(__file__).with_name("real_people.yaml")
_WORD = re.compile(f"[^\\W\\d_]+(?:[{MARKS}]+[^\\W\\d_]*)*")
_ASCII_GAPS = {c: " " for c in range(128) if not chr(c).isalpha()}
_DOTS = re.compile("(?<=[A-Z\u3400-\u9fff])[\u00b7\u2022\u2027\u30fb\uff0e.](?=[A-Z\u3400-\u9fff])")
_HAN = re.compile("[\u3400-\u9fff]")
_PLAIN = str.maketrans(
    {"ı": "i", "İ": "I", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "æ": "ae", "œ": "oe"}
)
_AFTER_KOREAN = frozenset(
    "은 는 이 가 을 를 의 에게 에게서 한테 와 과 랑 이랑 도 만 씨 님 처럼 보다 까지 부터 께서 께 이나 나 "
    "이라는 라는 이라고 라고 이라면 라면 이란 란 이야 야"
    " 이지만 지만 이었다 였다 이다 이든 든 마저 조차 식 측 대통령 대통령은 대통령이 대통령의 선수 감독 작가 "
    "회장 총리 교황".split()
)
_AFTER_BENGALI = tuple(
    straighten(e) for e in "দেরকে েদের দের েরা রাও েরই রাই কেও কেই ের েও েই রও রই রা কে তে টা টি ও ই র ে য়ের য়ে য়".split()
)
_BEFORE_ARABIC = re.compile("[وف]?(?:لل(?=..)|[بكل](?=...))?")


_BREAK = re.compile(r"[,;:!?()\[\]\n\u060c\u061b\u0964\u3001\u3002\uff0c\"\u201c\u201d]|(?<=\w{3})\.")
Kind = Literal["people", "quoted"]


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    people: tuple[tuple[str, ...], ...]
    historical: frozenset[str]
    no_names: frozenset[str]
    given: frozenset[str]
    offices: dict[str, str]
    says: dict[str, str]
    leads: dict[str, str]
    places_before: str
    places_after: str
    works: str
    quoted: tuple[str, ...]


@cache
def load_words() -> _Words:
    """The packaged names and the words around names."""
    return load_yaml_model(_FILE, _Words)


@dataclass(frozen=True, slots=True)
class _Index:
    spaced: dict[str, tuple[tuple[str, ...], ...]]  # first word -> names, in words
    han: dict[str, tuple[str, ...]]  # first two characters -> names


def level_names(text: str) -> str:
    """The form of a text in which names are looked for: straight, and without dots inside foreign names."""
    return _DOTS.sub("", straighten(text))


@cache
def _index(kind: Kind) -> _Index:
    words = load_words()
    spaced: dict[str, set[tuple[str, ...]]] = {}
    han: dict[str, set[str]] = {}
    for name in words.quoted if kind == "quoted" else (name for line in words.people for name in line):
        plain = level_names(name)
        if _HAN.search(plain):
            han.setdefault(plain[:2], set()).add(plain)
        else:
            parts = tuple(_fold(w) for w in _WORD.findall(plain))
            spaced.setdefault(parts[0], set()).add(parts)
    return _Index({k: tuple(sorted(v)) for k, v in spaced.items()}, {k: tuple(sorted(v)) for k, v in han.items()})


def _fold(word: str) -> str:
    if word.isascii():
        return word
    if ord(word[0]) > 0x24F:
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word.translate(_PLAIN)) if not unicodedata.combining(c))


@lru_cache(maxsize=65536)
def _forms(word: str) -> tuple[str, ...]:
    """A word as it stands and without what may be written onto a name."""
    first = ord(word[0])
    if first < 0x250:
        plain = _fold(word)
        found = [plain]
        if plain.isupper() and len(plain) > 2:
            found.append(plain.capitalize())
        return (*found, *(f[:-1] for f in found if f.endswith("s")))
    if 0xAC00 <= first <= 0xD7A3:
        return (word, *(word[:k] for k in range(2, len(word)) if word[k:] in _AFTER_KOREAN))
    if 0x620 <= first <= 0x64A:
        start = _BEFORE_ARABIC.match(word)
        cut = start.end() if start else 0
        bare = "ال" + word[cut:] if "لل" in word[:cut] else word[cut:]
        return tuple(dict.fromkeys((word, word[1:] if word[0] in "وف" and len(word) > 3 else word, bare)))
    if 0x980 <= first <= 0x9FF:
        return (word, *(word[: -len(e)] for e in _AFTER_BENGALI if word.endswith(e) and len(word) > len(e) + 1))
    return (word,)


@lru_cache(maxsize=65536)
def _names_from(word: str) -> tuple[tuple[Kind, tuple[str, ...]], ...]:
    """Names of the list that begin with this word."""
    kinds: tuple[Kind, ...] = ("people", "quoted")
    return tuple(
        (kind, parts) for kind in kinds for form in _forms(word) for parts in _index(kind).spaced.get(form, ())
    )


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of the list and where it stands in the levelled text."""

    kind: Kind
    name: str
    start: int
    end: int


def find_mentions(text: str) -> Iterator[Mention]:
    """Names of the list in a text in ``level_names`` form, by place in the text for each kind of script."""
    begins = any(map(_names_from, text.translate(_ASCII_GAPS).split() if text.isascii() else _WORD.findall(text)))
    spans = list(_WORD.finditer(text)) if begins else []
    for at, first in enumerate(spans):
        for kind, parts in _names_from(first[0]):
            stop = at + len(parts)
            if stop > len(spans) or any(p not in _forms(spans[at + k][0]) for k, p in enumerate(parts)):
                continue
            start, end = first.start(), spans[stop - 1].end()
            if not _BREAK.search(text, start, end):
                yield Mention(kind, text[start:end], start, end)
    if _HAN.search(text):
        yield from _find_han(text)


def _find_han(text: str) -> Iterator[Mention]:
    kinds: tuple[Kind, ...] = ("people", "quoted")
    for kind in kinds:
        han = _index(kind).han
        for at in range(len(text) - 1):
            for name in han.get(text[at : at + 2], ()):
                if text.startswith(name, at):
                    yield Mention(kind, name, at, at + len(name))
