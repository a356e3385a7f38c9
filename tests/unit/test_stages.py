"""The stages that look at one text, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from culturepark.language import list_languages, load_language
from culturepark.records import Shift
from culturepark.refine.agent import RawClaim
from culturepark.refine.candidate import KEPT, Candidate, Limits, StageContext
from culturepark.refine.pointing import Pointed, make_candidate, to_claim
from culturepark.refine.sentences import number_sentences
from culturepark.refine.stages import (
    essentialism,
    first_person,
    form,
    language,
    length,
    moved,
    personal_data,
    real_people,
    refusal,
    standing_alone,
)
from culturepark.refine.wording import count_words, ends_with_question
from tests.builders import ENGLISH, NAMES, make_dialogue, make_turns
from tests.speech import FOREIGN, MACHINES, ORDINARY, REFUSALS, ROLE_LEAKS, SWEEPING

STAGES = {
    "form": form.check,
    "language": language.check,
    "refusal": refusal.check,
    "essentialism": essentialism.check,
    "personal_data": personal_data.check,
    "real_people": real_people.check,
    "moved": moved.check,
    "standing_alone": standing_alone.check,
    "length": length.check,
    "first_person": first_person.check,
}
TURNS = make_turns(
    "Hello Min-jun. I wash my mother's hair every Friday. My sister cooks for her.",
    "We paid a nurse. My father wanted it so.",
    "I could not let a stranger into her kitchen. Would you?",
)
SENTENCES = number_sentences(TURNS, ENGLISH)
GOOD = "I wash my mother's hair every Friday, because she did it for me."


def claim(*numbers: int, speaker: str = "a") -> RawClaim:
    return RawClaim(speaker, "custom", numbers, "")


def point(*numbers: int, speaker: str = "a") -> Pointed:
    return make_candidate(claim(*numbers, speaker=speaker), SENTENCES, ENGLISH, NAMES[:2])


def context(min_words: int = 4, max_words: int = 60, name: str = "english") -> StageContext:
    return StageContext(load_language(name), Limits(min_words=min_words, max_words=max_words), NAMES[:2])


def candidate(text: str) -> Candidate:
    return Candidate("d000001-a1", text, "", "arab", "EGY", "care", 1, "custom", "a")


def judge(text: str, min_words: int = 4, max_words: int = 60, name: str = "english") -> tuple[str, str]:
    """Where a text falls first and why; empty where it stays."""
    for stage, check in STAGES.items():
        ruling = check(candidate(text), context(min_words, max_words, name))
        if not ruling.kept:
            return stage, ruling.reason
    return "", ""


def test_a_good_answer_passes_every_stage() -> None:
    assert [stage for stage, check in STAGES.items() if check(candidate(GOOD), context()) != KEPT] == []


@pytest.mark.parametrize(
    ("text", "fell"),
    [
        *((text, ("refusal", "refusal")) for text in REFUSALS),
        *((text, ("refusal", "as_an_ai")) for text in MACHINES),
        *((text, ("essentialism", "essentialism")) for text in SWEEPING),
        (f"{GOOD} My persona agrees.", ("refusal", "role_leak")),
        ("Min-jun and I wash her hair every Friday.", ("standing_alone", "not_standalone")),
        ("I wash her hair, Hassan told me to.", ("standing_alone", "not_standalone")),
        ("I wash her hair every Friday. Would you?", ("standing_alone", "not_standalone")),
        ("That is why I wash her hair every Friday.", ("standing_alone", "not_standalone")),
        ("But I wash her hair every Friday.", ("standing_alone", "not_standalone")),
        ("I wash hair.", ("length", "too_short")),
        ("I wash her hair. " * 20, ("length", "too_long")),
        ("Mothers deserve clean hair every Friday.", ("first_person", "not_first_person")),
        (f"{GOOD} Mail me: rosa@example.org", ("personal_data", "personal_data")),
        (f"{GOOD} So did Angela Merkel.", ("real_people", "real_person")),
        (f"<p>{GOOD}</p>", ("form", "markup")),
    ],
)
def test_a_bad_answer_falls_at_its_stage(text: str, fell: tuple[str, str]) -> None:
    assert judge(text, min_words=4 if fell[0] == "length" else 1) == fell


@pytest.mark.parametrize("text", ROLE_LEAKS)
def test_role_leaks_fall(text: str) -> None:
    assert judge(text, 1)[1] in ("role_leak", "markup")
    assert refusal.check(candidate(text), context()).reason == "role_leak"


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_talk_is_neither_broken_nor_personal(text: str) -> None:
    for name in ("form", "refusal", "essentialism", "personal_data", "real_people", "language"):
        assert STAGES[name](candidate(text), context()) == KEPT, name


@pytest.mark.parametrize(
    ("shift", "reason"),
    [
        (Shift(speaker="a", before=1, after="moved", sentence=2), "stance_moved"),
        (Shift(speaker="a", before=1, after="moved", sentence=3), "stance_moved"),
        (Shift(speaker="a", before=1, after="moved", sentence=4), ""),
        (Shift(speaker="a", before=1, after="moved"), ""),
        (Shift(speaker="a", before=1, after="unclear", sentence=2), ""),
        (Shift(speaker="b", before=1, after="moved", sentence=2), ""),
    ],
)
def test_words_said_after_a_change_of_mind_do_not_stand_for_the_stance(shift: Shift, reason: str) -> None:
    dialogue = make_dialogue(TURNS, shifts=(shift,))
    told = replace(candidate(point(2, 3).answer), claim=to_claim(point(2, 3), "Why?"), dialogue=dialogue)
    ruling = moved.check(told, context())
    assert ruling.reason == reason and ("sentence" in ruling.evidence) is bool(reason)


def test_a_text_from_elsewhere_has_no_stance_to_move() -> None:
    dialogue = make_dialogue(TURNS, shifts=(Shift(speaker="a", before=1, after="moved", sentence=1),))
    assert moved.check(candidate(GOOD), context()) == KEPT
    assert moved.check(replace(candidate(GOOD), dialogue=dialogue), context()) == KEPT


@pytest.mark.parametrize("name", ["spanish", "german", "korean", "arabic"])
def test_an_answer_in_another_language_falls(name: str) -> None:
    ruling = language.check(candidate(FOREIGN[name]), context())
    assert ruling.reason == "wrong_language" and ruling.evidence in FOREIGN[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("english", "I think \u0440\u0435ople should look after their parents as long as they can."),
        ("korean", "저는 어머니를 моя 매주 찾아가서 머리를 감겨 드리고 밥도 해 드려요."),
    ],
)
def test_letters_of_another_script_fall(name: str, text: str) -> None:
    ruling = language.check(candidate(text), context(name=name))
    assert ruling.reason == "mixed_script" and ruling.evidence


@pytest.mark.parametrize(("count", "reason"), [(4, "too_short"), (5, ""), (8, ""), (9, "too_long")])
def test_the_length_bounds_belong_to_the_range(count: int, reason: str) -> None:
    assert length.check(candidate("I " + "w " * (count - 1)), context(5, 8)).reason == reason


@pytest.mark.parametrize(("count", "reason"), [(6, "too_short"), (8, ""), (13, ""), (15, "too_long")])
def test_characters_of_an_unspaced_language_make_fewer_words(count: int, reason: str) -> None:
    assert length.check(candidate("我" * count), context(5, 8, "chinese")).reason == reason


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("english", "I wash her hair.", 4),
        ("korean", "저는 머리를 감겨요.", 3),
        ("chinese", "我每周五给妈妈洗头", 6),
        ("chinese", "我2024年用WhatsApp", 4),
        ("arabic", "أغسل شعر أمي", 3),
        ("bengali", "আমি মায়ের চুল ধুই", 4),
    ],
)
def test_words_are_counted_by_language(name: str, text: str, count: int) -> None:
    assert count_words(text, load_language(name)) == count


def test_a_language_without_words_for_oneself_is_not_checked() -> None:
    silent = replace(context(), pack=ENGLISH.model_copy(update={"first_person": ()}))
    assert first_person.check(candidate("Mothers deserve clean hair."), silent) == KEPT


@pytest.mark.parametrize(
    ("text", "asks"),
    [("Would you?", True), ("هل تفعل؟ ", True), ("你呢？", True), ("আপনি? না।", False), ("I would.", False)],
)
def test_question_marks_of_all_scripts_count(text: str, asks: bool) -> None:
    assert ends_with_question(text) is asks
    ruling = standing_alone.check(candidate(f"I wash hair. {text}"), context())
    assert (ruling.evidence == "ends with a question") is asks


@pytest.mark.parametrize("name", list_languages())
def test_stages_have_a_say_in_every_language(name: str) -> None:
    for stage, check in STAGES.items():
        assert check(candidate("1234 5678 — Ω"), context(name=name)).reason in (
            "", "empty", "not_first_person", "too_short", "wrong_language", "mixed_script"
        ), stage  # fmt: skip
