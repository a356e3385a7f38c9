"""Phrases of the scripted engine, put together without chance: equal seeds give equal sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from culturepark.errors import DataError
from culturepark.files import read_yaml

_Item = TypeVar("_Item")
_GIVEN = ("subject", "view", "next")
_LONG_PHRASE = 24


class Dice:
    """Choices drawn from a hash. Only ``random()`` is used, whose numbers are the same in all Pythons."""

    __slots__ = ("_random",)

    def __init__(self, seed: str) -> None:
        self._random = random.Random(int(seed, 16)).random

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        return int(self._random() * n)

    def pick(self, options: Sequence[_Item]) -> _Item:
        """One of the options."""
        return options[int(self._random() * len(options))]

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self._random() < share

    def shuffle(self, items: Iterable[_Item]) -> list[_Item]:
        """The items in another order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(len(left))]


@dataclass(frozen=True, slots=True)
class Slot:
    """A hole of a phrase: a list of phrases, or (empty) a value the request gives."""

    name: str
    options: tuple[Phrase, ...] = ()


# A plain text, or texts and holes in turn.
Phrase = str | tuple["str | Slot", ...]


@dataclass(frozen=True, slots=True)
class Book:
    """All sentences by kind, holes linked to their lists."""

    sentences: Mapping[str, tuple[Phrase, ...]]
    plain_subjects: tuple[str, ...]
    no_subjects: frozenset[str]


@cache
def load_book() -> Book:
    """The phrases, read once. Raises ``DataError`` for a hole without a list."""
    path = Path(__file__).with_name("scripted.yaml")
    content = read_yaml(path)
    slots: dict[str, Slot] = {name: Slot(name) for name in _GIVEN}

    def link(name: str) -> Slot:
        if name not in slots:
            if name not in content["slots"]:
                raise DataError(f"{path}: there is no list for the hole {{{name}}}")
            slots[name] = Slot(name, parse_all(content["slots"][name]))
        return slots[name]

    def parse_all(texts: Iterable[str]) -> tuple[Phrase, ...]:
        return tuple(_parse(text, link) for text in texts)

    sentences = {kind: parse_all(texts) for kind, texts in content["sentences"].items()}
    return Book(sentences, tuple(content["plain_subjects"]), frozenset(content["no_subjects"]))


def _parse(text: str, link: Callable[[str], Slot]) -> Phrase:
    pieces = re.split(r"\{(\w+)\}", text)
    if len(pieces) == 1:
        return text
    return tuple(link(piece) if i % 2 else piece for i, piece in enumerate(pieces) if i % 2 or piece)


class Speech:
    """Says sentences about given subjects, as far as possible without a phrase that was heard before."""

    def __init__(
        self, dice: Dice, subjects: Sequence[str], heard: str = "", given: Mapping[str, str] | None = None
    ) -> None:
        self.dice = dice
        self._subjects = subjects or load_book().plain_subjects
        self._heard, self._given = heard, given or {}
        self._said = ""

    def say(self, kind: str) -> str:
        """One sentence of a kind, with a capital letter in front."""
        phrases = load_book().sentences[kind]
        for _ in range(6):
            text = self._fill(self.dice.pick(phrases))
            if not self._repeats(text):
                break
        return text[:1].upper() + text[1:]

    def _repeats(self, text: str) -> bool:
        # Any 12 words in a row that were heard before hold one of these stretches of eight whole.
        words, heard = text.split(" "), self._heard
        return any(" ".join(words[i : i + 8]) in heard for i in range(0, len(words) - 7, 5))

    def _fill(self, phrase: Phrase) -> str:
        if isinstance(phrase, str):
            return phrase
        return "".join([part if isinstance(part, str) else self._choose(part) for part in phrase])

    def _choose(self, slot: Slot) -> str:
        if not slot.options:
            return self._given[slot.name] if slot.name in self._given else self.dice.pick(self._subjects)
        text = ""
        for _ in range(4):
            option = self.dice.pick(slot.options)
            if not isinstance(option, str):
                return self._fill(option)
            text = option
            if text not in self._said and (len(text) < _LONG_PHRASE or text not in self._heard):
                break
        self._said += f"{text}\n"
        return text
