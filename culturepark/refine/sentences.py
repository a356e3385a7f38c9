"""Numbered sentences of a dialogue, so that a claim points instead of copying, and a question need not say it again.

Limits: only whole sentences, word for word, can be named; in a talk that holds such numbers itself nothing can.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from culturepark.language import LanguagePack, split_sentences
from culturepark.records import Turn

_MARK = re.compile(r"[\[\uff3b\u3010]\s*\d+\s*[\]\uff3d\u3011]")
_FEWEST, _MOST = 5, 12  # words that tell how a sentence begins
_PIECE = 3  # letters that are taken for a word where none are separated


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; numbers start at 1 and run through the whole dialogue."""

    number: int
    turn: int
    speaker: str
    text: str
    usable: bool


def number_sentences(turns: Sequence[Turn], language: LanguagePack) -> tuple[Sentence, ...]:
    """All sentences in order. Those of a turn that ended the talk badly are shown but not usable."""
    found: list[Sentence] = []
    for turn in turns:
        usable = turn.speaker != "moderator" and not {"repetition", "off_topic"} & set(turn.flags)
        for text in split_sentences(turn.text, language.tag):
            found.append(Sentence(len(found) + 1, turn.index, turn.speaker, text, usable))
    return tuple(found)


def render_transcript(turns: Sequence[Turn], sentences: Sequence[Sentence]) -> str:
    """The talk as the refinement agent reads it: ``[number] Name: sentence``, one line each."""
    names = {t.index: t.name for t in turns}
    return "\n".join(f"[{s.number}] {names[s.turn]}: {s.text}" for s in sentences)


class SentenceNames:
    """Names stretches of a talk by the numbers and the first words of their sentences: ``[4] [5] "We paid a ..."``."""

    def __init__(self, sentences: Sequence[Sentence], unspaced: bool = False) -> None:
        """``unspaced``: the language writes no spaces between words."""
        parts = {s.number: " ".join(s.text.split()) for s in sentences}
        is_clear = not any(_MARK.search(text) for text in parts.values())
        self._parts = parts if is_clear else {}
        self._word = re.compile(rf"\S{{1,{_PIECE}}}" if unspaced else r"\S+")
        self._begun: dict[int, str] = {}
        self._by_letter: dict[str, list[int]] = {}
        for number, part in self._parts.items():
            self._by_letter.setdefault(part[:1], []).append(number)

    def find(self, text: str, own: Collection[int] = ()) -> tuple[int, ...]:
        """The numbers of the sentences that are this text, one after another; empty if there are none.

        Only white space may differ. Of equal sentences the one that goes on from the last counts, then one of ``own``.
        """
        whole, found, start = " ".join(text.split()), list[int](), 0
        while start < len(whole):
            fitting = [n for n in self._by_letter.get(whole[start], ()) if _stands_at(self._parts[n], whole, start)]
            if not fitting:
                return ()
            following = found[-1] + 1 if found else 0
            if len(fitting) > 1:
                fitting.sort(key=lambda n: (n != following, n not in own, -len(self._parts[n]), n))
            number = fitting[0]
            start += len(self._parts[number])
            start += whole[start : start + 1] == " "
            found.append(number)
        return tuple(found)

    def list_stretches(self, numbers: Sequence[int]) -> list[tuple[str, str]]:
        """Each unbroken stretch of these sentences: its numbers as they are shown, and how it begins."""
        stretches: list[list[int]] = []
        for number in numbers:
            if stretches and stretches[-1][-1] + 1 == number:
                stretches[-1].append(number)
            else:
                stretches.append([number])
        for number in (stretch[0] for stretch in stretches if stretch[0] not in self._begun):
            self._begun[number] = self._begin(number)
        return [(_show_numbers(stretch), self._begun[stretch[0]]) for stretch in stretches]

    def _begin(self, number: int) -> str:
        """As many first words as tell the sentence from every other one, within bounds."""
        part = self._parts[number]
        others = [self._parts[n] for n in self._by_letter[part[:1]] if n != number]
        ends = [word.end() for word in islice(self._word.finditer(part), _MOST)]
        for end in ends[_FEWEST - 1 :]:
            if not any(other.startswith(part[:end]) for other in others):
                return part[:end]
        return part[: ends[-1]]


@lru_cache(maxsize=128)
def name_sentences(sentences: tuple[Sentence, ...], unspaced: bool) -> SentenceNames:
    """The names of a talk's sentences, put together once for all questions on it."""
    return SentenceNames(sentences, unspaced)


def _stands_at(part: str, whole: str, start: int) -> bool:
    end = start + len(part)
    return whole.startswith(part, start) and not (whole[end - 1].isalnum() and whole[end : end + 1].isalnum())


def _show_numbers(stretch: Sequence[int]) -> str:
    if len(stretch) > 2:
        return f"[{stretch[0]}] to [{stretch[-1]}]"
    return " ".join(f"[{number}]" for number in stretch)
