"""Cheap gates: pure checks from a claim to a kept one, each with a reason code and its evidence.

A new gate is one function and one line in ``GATES``. Gates run in order; the first that drops ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from culturepark.language import LanguagePack, is_wrong_language, words
from culturepark.records import Claim, Dialogue, Quote, Verdict
from culturepark.refine.agent import RawClaim
from culturepark.refine.sentences import Sentence


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claim with the words it would answer with. ``sentences`` are the speaker's own, in order."""

    raw: RawClaim
    sentences: tuple[Sentence, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class GateContext:
    """What gates may look at."""

    dialogue: Dialogue
    language: LanguagePack
    names: tuple[str, ...]
    min_words: int
    max_words: int


Gate = Callable[[Candidate, GateContext], tuple[str, str]]


def check_pointing(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """Every number must name a usable sentence of the same speaker."""
    return ("", "") if candidate.sentences else ("points_nowhere", f"sentences {list(candidate.raw.sentences)}")


def check_stance(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """Words said after a speaker was argued out of the stance no longer stand for the survey's answer."""
    for shift in context.dialogue.shifts:
        if shift.speaker == candidate.raw.speaker and shift.after == "moved" and shift.sentence:
            if candidate.sentences[-1].number >= shift.sentence:
                return "stance_moved", f"the view moved at sentence {shift.sentence}"
    return "", ""


def check_refusal(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """No refusal, no talk of being a program, no talk about the set-up."""
    for kind, reason in (("refusal", "refusal"), ("machine", "as_an_ai"), ("role_leak", "role_leak")):
        found = context.language.find(kind, candidate.answer)
        if found:
            return reason, found
    return "", ""


def check_essentialism(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """No sentence may say that all members of a group are alike."""
    found = context.language.find("essentialism", candidate.answer)
    return ("essentialism", found) if found else ("", "")


def check_standing_alone(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """The answer must be understood without the talk: no names from it, no address, no dangling start."""
    for name in context.names:
        if says_name(name, candidate.answer):
            return "not_standalone", name
    if candidate.answer.rstrip().endswith("?"):
        return "not_standalone", "ends with a question"
    dangling = context.language.find("dangling", candidate.answer)
    return ("not_standalone", dangling) if dangling else ("", "")


def says_name(name: str, text: str) -> bool:
    """Is the name in the text as it is written? Said, Joy and So-young are names; said, joy and so are none."""
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text))


def check_first_person(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """The answer must speak from a person's own place."""
    if not context.language.find("first_person", candidate.answer):
        return "not_first_person", candidate.answer[:80]
    return "", ""


def check_length(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """Not too short to hold a view and a reason, not too long for one answer."""
    count = len(words(candidate.answer))
    if count < context.min_words:
        return "too_short", f"{count} words"
    if count > context.max_words:
        return "too_long", f"{count} words"
    return "", ""


def check_language(candidate: Candidate, context: GateContext) -> tuple[str, str]:
    """In the run's language, as far as the text is long enough to tell."""
    return (
        ("wrong_language", candidate.answer[:80]) if is_wrong_language(candidate.answer, context.language) else ("", "")
    )


GATES: dict[str, Gate] = {
    "pointing": check_pointing,
    "stance": check_stance,
    "refusal": check_refusal,
    "essentialism": check_essentialism,
    "standing_alone": check_standing_alone,
    "length": check_length,
    "first_person": check_first_person,
    "language": check_language,
}


def run_gates(candidate: Candidate, context: GateContext) -> tuple[Verdict, ...]:
    """Verdicts in order, up to and including the first that drops."""
    verdicts = []
    for stage, gate in GATES.items():
        reason, evidence = gate(candidate, context)
        verdicts.append(Verdict(stage=stage, kept=not reason, reason=reason, evidence=evidence))
        if reason:
            break
    return tuple(verdicts)


def make_candidate(
    raw: RawClaim, sentences: Sequence[Sentence], language: LanguagePack, names: Sequence[str]
) -> Candidate:
    """Resolve sentence numbers to the speaker's own sentences, whole and in order.

    Of a claim that points at several turns only the turn with most sentences stays. A start that hangs
    on the sentence before takes that one along; sentences at either end that only answer the partner (a
    name, a question) are left out. What then does not stand alone is dropped by a gate.
    """
    by_number = {s.number: s for s in sentences}
    numbers = sorted(set(raw.sentences))
    own = [by_number[n] for n in numbers if n in by_number]
    if not own or len(own) != len(numbers) or any(s.speaker != raw.speaker or not s.usable for s in own):
        return Candidate(raw, (), "")
    turns = [s.turn for s in own]
    turn = max(turns, key=lambda t: (turns.count(t), -t))
    ends = [s.number for s in own if s.turn == turn]
    own = [by_number[n] for n in range(ends[0], ends[-1] + 1)]  # no gap: a quote is one stretch of speech
    own = _reach_back(own, by_number, language)
    kept = _trim(own, language, names)
    return Candidate(raw, tuple(kept), " ".join(s.text for s in kept))


def _reach_back(own: list[Sentence], by_number: Mapping[int, Sentence], language: LanguagePack) -> list[Sentence]:
    found = list(own)
    while language.find("dangling", found[0].text):
        before = by_number.get(found[0].number - 1)
        if before is None or before.turn != found[0].turn or len(found) - len(own) == 2:
            return own
        found.insert(0, before)
    return found


def _trim(own: list[Sentence], language: LanguagePack, names: Sequence[str]) -> list[Sentence]:
    def leans(sentence: Sentence) -> bool:
        text = sentence.text
        return text.endswith("?") or any(says_name(n, text) for n in names)

    kept = list(own)
    while len(kept) > 1 and (leans(kept[0]) or language.find("dangling", kept[0].text)):
        kept.pop(0)
    while len(kept) > 1 and leans(kept[-1]):
        kept.pop()
    return kept


def widen(candidate: Candidate, sentences: Sequence[Sentence], context: GateContext) -> Candidate:
    """Lengthen a too short claim by the sentences that follow in the same turn, where they stand alone."""
    taken = list(candidate.sentences)
    following = {s.number: s for s in sentences}
    while taken and len(words(" ".join(s.text for s in taken))) < context.min_words:
        after = following.get(taken[-1].number + 1)
        if after is None or after.turn != taken[-1].turn or after.text.endswith("?"):
            break
        if any(says_name(name, after.text) for name in context.names):
            break
        taken.append(after)
    if len(taken) == len(candidate.sentences):
        return candidate
    return Candidate(candidate.raw, tuple(taken), " ".join(s.text for s in taken))


def to_claim(candidate: Candidate, question: str) -> Claim:
    """The claim as it is stored: pointing and words, turn by turn."""
    turns: dict[int, list[Sentence]] = {}
    for sentence in candidate.sentences:
        turns.setdefault(sentence.turn, []).append(sentence)
    quotes = tuple(
        Quote(turn=turn, sentences=tuple(s.number for s in found), texts=tuple(s.text for s in found))
        for turn, found in turns.items()
    )
    return Claim(speaker=candidate.raw.speaker, kind=candidate.raw.kind, quotes=quotes, question=question)  # type: ignore[arg-type]


def check_question(question: str, names: Sequence[str], labels: Mapping[str, str], language: LanguagePack) -> str:
    """Why a question made by the agent cannot be used; empty if it can.

    ``labels`` maps words that would paste a culture's name into the prompt to the culture they name.
    """
    if not question.endswith("?"):
        return "no_question_mark"
    if not 4 <= len(words(question)) <= 45:
        return "length"
    if any(says_name(name, question) for name in names):
        return "names_a_speaker"
    if set(words(question)) & set(labels):
        return "names_a_culture"
    if language.find("role_leak", question) or language.find("machine", question):
        return "role_leak"
    if is_wrong_language(question, language):
        return "wrong_language"
    return ""
