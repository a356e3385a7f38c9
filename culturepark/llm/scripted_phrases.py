"""Phrases of the scripted engine, put together without chance: equal seeds give equal sentences."""

from __future__ import annotations

import hashlib
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
_LONG_PHRASE = 12


class Dice:
    """Choices drawn from a hash: the same on every machine and with every version of Python."""

    __slots__ = ("_pool", "_round", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed, self._round, self._pool = seed, 0, 0

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        if self._pool < n << 32:
            digest = hashlib.blake2b(f"{self._seed}/{self._round}".encode()).digest()
            self._pool, self._round = int.from_bytes(digest, "big"), self._round + 1
        self._pool, index = divmod(self._pool, n)
        return index

    def pick(self, options: Sequence[_Item]) -> _Item:
        """One of the options."""
        return options[self.below(len(options))]

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.below(1_000_000) < share * 1_000_000

    def shuffle(self, items: Iterable[_Item]) -> list[_Item]:
        """The items in another order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(len(left))]


@dataclass(frozen=True, slots=True)
class Slot:
    """A hole of a phrase: a list of phrases, or (empty) a value the request gives."""

    name: str
    options: tuple[Phrase, ...] = ()


Phrase = tuple[str | Slot, ...]


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
        # Any 12 words in a row that were heard before hold one of these stretches of nine whole.
        words = text.split(" ")
        return any(" ".join(words[i : i + 9]) in self._heard for i in range(0, len(words) - 8, 4))

    def _fill(self, phrase: Phrase) -> str:
        return "".join([part if isinstance(part, str) else self._choose(part) for part in phrase])

    def _choose(self, slot: Slot) -> str:
        if not slot.options:
            return self._given[slot.name] if slot.name in self._given else self.dice.pick(self._subjects)
        for _ in range(4):
            text = self._fill(self.dice.pick(slot.options))
            if len(text) < _LONG_PHRASE or not (text in self._said or text in self._heard):
                break
        self._said += f"{text}\n"
        return text
