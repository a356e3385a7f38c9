"""Pure rules that end a dialogue. Provenance: own; thresholds are judgement, not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from culturepark.culture.scenarios import Topic
from culturepark.dialogue.repetition import hash_triples
from culturepark.language import LanguagePack, load_language, words
from culturepark.records import Persona, Turn

# A dialogue ended by one of these before ``EARLY`` speeches is not worth refining.
BAD_ENDS = ("repetition", "off_topic")
EARLY = 3


def find_stop(
    turns: Sequence[Turn], limit: int, topic: Topic, personas: Mapping[str, Persona], language: LanguagePack
) -> str:
    """Which rule ends the talk after its last turn: a reason word, or nothing to go on."""
    spoken = [t for t in turns if t.speaker != "moderator"]
    if not spoken:
        return ""
    speaker = personas.get(spoken[-1].speaker)
    if repeats(spoken, own_view=speaker.stance.view if speaker else ""):
        return "repetition"
    if len(spoken) >= limit:
        return "turn_limit"
    if len(spoken) >= max(4, len(personas)) and language.find("farewell", spoken[-1].text):
        return "farewell"
    if is_off_topic(spoken, topic, language):
        return "off_topic"
    if collapses(spoken, topic, personas, language):
        return "collapse"
    return ""


def repeats(turns: Sequence[Turn], threshold: float = 0.5, own_view: str = "") -> bool:
    """Does the last turn share half of its word triples with one earlier turn?

    Two people may hold the same view in the same words: it counts only where the speaker said it before.
    """
    text, speaker = turns[-1].text, turns[-1].speaker
    whole = hash_triples(text)
    rest = hash_triples(text.replace(own_view, " . ")) if own_view else whole

    def shares(turn: Turn) -> bool:
        last = whole if turn.speaker == speaker else rest
        return bool(last) and len(last & hash_triples(turn.text)) / len(last) >= threshold

    return any(shares(turn) for turn in turns[:-1])


def is_off_topic(turns: Sequence[Turn], topic: Topic, language: LanguagePack, stretch: int = 3) -> bool:
    """Did the last three turns all miss the topic's keywords and the words of its statement and questions?"""
    if len(turns) < stretch:
        return False
    return not any(touches_topic(t.text, topic, language) for t in turns[-stretch:])


def touches_topic(text: str, topic: Topic, language: LanguagePack) -> bool:
    """Does the text hold a word that begins with a keyword of the topic, or a content word of its statement?"""
    own = _own_words(topic.title, topic.statement, topic.discuss, language.id)
    return any(w in own or w.startswith(topic.keywords) for w in words(text))


@lru_cache(maxsize=512)
def _own_words(title: str, statement: str, discuss: str, language: str) -> frozenset[str]:
    return frozenset(load_language(language).content_words(f"{title} {statement} {discuss}"))


def collapses(
    turns: Sequence[Turn], topic: Topic, personas: Mapping[str, Persona], language: LanguagePack, stretch: int = 4
) -> bool:
    """Do people who began far apart now only agree: four turns that open in agreement, without any contrast?"""
    if len(turns) < stretch:
        return False
    codes = [p.stance.code for p in personas.values() if p.stance.code is not None]
    marks = [topic.agreement(c) for c in codes]
    if len(marks) < 2 or max(marks) - min(marks) < 0.5:
        return False
    return all(
        language.opens_with("agreement_openings", t.text) and not language.find("contrast", t.text)
        for t in turns[-stretch:]
    )
