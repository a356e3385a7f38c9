"""Numbered sentences of a dialogue, so that a claim points instead of copying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from culturepark.language import LanguagePack, split_sentences
from culturepark.records import Turn


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
