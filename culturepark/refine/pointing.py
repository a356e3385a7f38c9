"""From sentence numbers to words: where a claim points, what it quotes, and whether its question can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from culturepark.language import LanguagePack, is_wrong_language, words
from culturepark.records import Claim, Quote
from culturepark.refine.agent import RawClaim
from culturepark.refine.sentences import Sentence
from culturepark.refine.stages.form import find_bad_unicode, find_markup
from culturepark.refine.stages.personal_data import find_personal_data
from culturepark.refine.stages.real_people import find_known_person
from culturepark.refine.wording import count_words, ends_with_question, says_name

__all__ = ["Pointed", "check_question", "make_candidate", "says_name", "to_claim", "widen"]


@dataclass(frozen=True, slots=True)
class Pointed:
    """A claim with the words it would answer with. ``sentences`` are the speaker's own, in order."""

    raw: RawClaim
    sentences: tuple[Sentence, ...]
    answer: str


def _join(sentences: Sequence[Sentence], language: LanguagePack) -> str:
    return ("" if language.unspaced else " ").join(s.text for s in sentences)


def make_candidate(
    raw: RawClaim, sentences: Sequence[Sentence], language: LanguagePack, names: Sequence[str]
) -> Pointed:
    """Resolve sentence numbers to the speaker's own sentences, whole and in order.

    Of a claim that points at several turns only the turn with most sentences stays. A start that hangs
    on the sentence before takes that one along; sentences at either end that only answer the partner (a
    name, a question) are left out. What then does not stand alone is dropped by a stage.
    """
    by_number = {s.number: s for s in sentences}
    numbers = sorted(set(raw.sentences))
    own = [by_number[n] for n in numbers if n in by_number]
    if not own or len(own) != len(numbers) or any(s.speaker != raw.speaker or not s.usable for s in own):
        return Pointed(raw, (), "")
    turns = [s.turn for s in own]
    turn = max(turns, key=lambda t: (turns.count(t), -t))
    ends = [s.number for s in own if s.turn == turn]
    own = [by_number[n] for n in range(ends[0], ends[-1] + 1)]  # no gap: a quote is one stretch of speech
    own = _reach_back(own, by_number, language)
    kept = _trim(own, language, names)
    return Pointed(raw, tuple(kept), _join(kept, language))


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
        return ends_with_question(sentence.text) or any(says_name(n, sentence.text) for n in names)

    kept = list(own)
    while len(kept) > 1 and (leans(kept[0]) or language.find("dangling", kept[0].text)):
        kept.pop(0)
    while len(kept) > 1 and leans(kept[-1]):
        kept.pop()
    return kept


def widen(
    pointed: Pointed, sentences: Sequence[Sentence], language: LanguagePack, min_words: int, names: Sequence[str]
) -> Pointed:
    """Lengthen a too short claim by the sentences that follow in the same turn, where they stand alone."""
    taken = list(pointed.sentences)
    following = {s.number: s for s in sentences}
    while taken and count_words(_join(taken, language), language) < min_words:
        after = following.get(taken[-1].number + 1)
        if after is None or after.turn != taken[-1].turn or ends_with_question(after.text):
            break
        if any(says_name(name, after.text) for name in names):
            break
        taken.append(after)
    if len(taken) == len(pointed.sentences):
        return pointed
    return replace(pointed, sentences=tuple(taken), answer=_join(taken, language))


def to_claim(pointed: Pointed, question: str, id: str = "") -> Claim:
    """The claim as it is stored: pointing and words, turn by turn."""
    turns: dict[int, list[Sentence]] = {}
    for sentence in pointed.sentences:
        turns.setdefault(sentence.turn, []).append(sentence)
    quotes = tuple(
        Quote(turn=turn, sentences=tuple(s.number for s in found), texts=tuple(s.text for s in found))
        for turn, found in turns.items()
    )
    return Claim(
        speaker=pointed.raw.speaker,
        kind=pointed.raw.kind,  # type: ignore[arg-type]
        quotes=quotes,
        question=question,
        id=id,
        reasons=pointed.raw.reasons,
    )


def check_question(question: str, names: Sequence[str], labels: Mapping[str, str], language: LanguagePack) -> str:
    """Why a question made by the agent cannot be used; empty if it can.

    ``labels`` maps words that would paste a culture's name into the prompt to the culture they name.
    """
    if not ends_with_question(question):
        return "no_question_mark"
    if not 4 <= count_words(question, language) <= 45:
        return "length"
    if any(says_name(name, question) for name in names):
        return "names_a_speaker"
    if set(words(question)) & set(labels):
        return "names_a_culture"
    if language.find("role_leak", question) or language.find("machine", question):
        return "role_leak"
    if find_bad_unicode(question, language) or find_markup(question):
        return "bad_form"
    if find_personal_data(question, language):
        return "personal_data"
    if find_known_person(question, language.tag.split("-")[0], frozenset()):
        return "names_a_person"
    if is_wrong_language(question, language):
        return "wrong_language"
    return ""
