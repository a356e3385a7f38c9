"""Samples: what becomes of each claim, how it is asked, and what is written down about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from culturepark.records import Dialogue, Rejected, Sample
from culturepark.refine.agent import RawClaim, Reading
from culturepark.refine.samples import Outcome, SampleSettings, make_outcomes, reject_all
from culturepark.refine.sentences import number_sentences
from tests.builders import ENGLISH, TOPIC, make_dialogue, make_turns

TALK = (
    "I wash my mother's hair every Friday, because she did it for me. My sister cooks for her.",
    "We paid a nurse for my father, because none of us could lift him. I visit on Sundays.",
    "I could not let a stranger into her kitchen, so my wife and I take turns at night.",
    "I held his hand instead, and we talked more than in all my years at home.",
)
QUESTION = "How do you look after your mother, and why that way?"


def tell(
    claims: Sequence[RawClaim],
    wanted: Mapping[str, int] | None = None,
    dialogue: Dialogue | None = None,
    error: str = "",
    share: float = 0.0,
    seed: int = 3,
    min_words: int = 5,
) -> dict[str, list[Outcome]]:
    dialogue = dialogue or make_dialogue(make_turns(*TALK))
    settings = SampleSettings(seed, min_words, 60, share, {"korean": "korean", "egypt": "arab"})
    return make_outcomes(
        dialogue,
        Reading(tuple(claims), (), error, ()),
        number_sentences(dialogue.turns, ENGLISH),
        wanted if wanted is not None else {"a": 1, "b": 1},
        TOPIC,
        ENGLISH,
        settings,
        {"model": "fake", "seed": seed},
    )


def claim(speaker: str, *numbers: int, question: str = QUESTION, kind: str = "opinion") -> RawClaim:
    return RawClaim(speaker, kind, numbers, question)


def only_sample(outcomes: Mapping[str, list[Outcome]], seat: str = "a") -> Sample:
    (found,) = outcomes[seat]
    assert isinstance(found, Sample), found
    return found


def test_a_claim_becomes_a_sample_with_its_story() -> None:
    sample = only_sample(tell([claim("a", 1, 2, kind="custom")], {"a": 1}))
    assert sample.id == "d000001-a1"
    assert sample.messages == (
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": TALK[0]},
    )
    assert (sample.culture, sample.country, sample.language, sample.topic, sample.theme) == (
        "arab", "EGY", "en", "care", "family"
    )  # fmt: skip
    assert (sample.answer, sample.answer_label, sample.kind, sample.form) == (1, "answer 1", "custom", "single")
    lineage = sample.lineage
    assert lineage["survey"]["item"] == "Q38" and lineage["model"] == "fake" and lineage["seed"] == 3
    assert (lineage["dialogue"], lineage["speaker"], lineage["persona"]) == ("d000001", "a", "d1-a")
    assert lineage["claim"]["quotes"] == [{"turn": 0, "sentences": [1, 2], "texts": _two()}]
    assert (lineage["requests"], lineage["turn_models"]) == (["r0"], ["fake"])
    assert lineage["prompts"] == {"speaker": "abc"} and lineage["question_from"] == "refinement agent"
    assert all(v.kept for v in sample.verdicts)


def _two() -> list[str]:
    return [TALK[0][: TALK[0].index(". ") + 1], TALK[0][TALK[0].index(". ") + 2 :]]


def test_missing_claims_are_counted() -> None:
    found = tell([claim("a", 1)], {"a": 3, "b": 2})
    assert [type(o) for o in found["a"]] == [Sample, Rejected, Rejected]
    missing = [o for o in (*found["a"], *found["b"]) if isinstance(o, Rejected)]
    assert {(o.status, o.stage, o.reason) for o in missing} == {("rejected", "extract", "no_claim")}
    assert [o.id for o in missing] == ["d000001-a2", "d000001-a3", "d000001-b1", "d000001-b2"]
    assert {(o.culture, o.topic, o.dialogue) for o in found["b"] if isinstance(o, Rejected)} == {
        ("korean", "care", "d000001")
    }


def test_spare_claims_come_after_the_wanted_ones() -> None:
    found = tell([claim("a", 1), claim("a", 2), claim("b", 3)], {"a": 1, "b": 1})
    assert [o.id for o in found["a"]] == ["d000001-a1", "d000001-a2"]
    assert [o.id for o in found["b"]] == ["d000001-b1"]


def test_a_dropped_claim_is_not_replaced_by_no_claim() -> None:
    found = tell([claim("a", 3), claim("a", 1)], {"a": 2})
    assert [getattr(o, "reason", "") for o in found["a"]] == ["points_nowhere", ""]


def test_nothing_is_told_of_a_speaker_of_whom_nothing_is_wanted() -> None:
    assert tell([claim("a", 1), claim("b", 3)], {"a": 1, "b": 0}).keys() == {"a"}


def test_an_unreadable_reply_fails_every_wanted_sample() -> None:
    found = tell([], {"a": 2, "b": 1}, error="it is not valid JSON")
    rejected = [o for outcomes in found.values() for o in outcomes]
    assert len(rejected) == 3
    for outcome in rejected:
        assert isinstance(outcome, Rejected)
        assert (outcome.status, outcome.reason, outcome.evidence) == (
            "failed",
            "unreadable_reply",
            "it is not valid JSON",
        )


def test_a_rejection_keeps_claim_and_verdicts() -> None:
    dialogue = make_dialogue(make_turns("All Koreans are polite to me, I find.", "I see, my mother is too."))
    (found,) = tell([claim("a", 1)], {"a": 1}, dialogue)["a"]
    assert isinstance(found, Rejected)
    assert (found.status, found.stage, found.reason) == ("rejected", "essentialism", "essentialism")
    assert found.evidence.startswith("All Koreans are") and found.claim is not None
    assert [(v.stage, v.kept) for v in found.verdicts][-1] == ("essentialism", False)
    assert found.verdicts[0].stage == "pointing" and all(v.kept for v in found.verdicts[:-1])


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("How do Korean families look after the old?", "names_a_culture"),
        ("What would you tell Min-jun about his father?", "names_a_speaker"),
        ("Tell me about your mother", "no_question_mark"),
        ("", "no_question_mark"),
        ("Why so?", "length"),
    ],
)
def test_a_question_that_cannot_be_asked_is_replaced_by_the_topics(question: str, why: str) -> None:
    sample = only_sample(tell([claim("a", 1, question=question)], {"a": 1}))
    assert sample.messages[0]["content"] in TOPIC.questions
    assert sample.lineage["question_from"] == f"topic ({why})"
    assert sample.lineage["claim"]["question"] == sample.messages[0]["content"]


def test_the_topics_questions_vary_and_are_drawn_anew_alike() -> None:
    def ask(seed: int) -> str:
        return only_sample(tell([claim("a", 1, question="")], {"a": 1}, seed=seed)).messages[0]["content"]

    assert len({ask(seed) for seed in range(40)}) >= 6
    assert [ask(seed) for seed in range(9)] == [ask(seed) for seed in range(9)]


def test_a_sample_can_be_the_talk_itself() -> None:
    sample = only_sample(tell([claim("b", 6)], {"b": 1}, share=1.0), "b")
    assert sample.form == "multi"
    assert [m["role"] for m in sample.messages] == ["user", "assistant"] * 2
    assert [m["content"] for m in sample.messages[1:]] == [TALK[1], TALK[2], TALK[3]]
    assert sample.messages[0]["content"] in TOPIC.questions
    assert sample.lineage["question_from"] == "topic (opens a talk)"
    assert sample.verdicts[-1].stage == "talk"


def test_a_stretch_of_talk_is_given_once() -> None:
    texts = (*TALK[:3], TALK[3] + " My father smiled at my bad jokes every time.")
    dialogue = make_dialogue(make_turns(*texts))
    numbers = [s.number for s in number_sentences(dialogue.turns, ENGLISH) if s.turn == 3]
    found = tell([claim("b", n) for n in numbers], {"b": 2}, dialogue, share=1.0)["b"]
    assert [o.form for o in found if isinstance(o, Sample)] == ["multi", "single"]


def test_a_claim_from_the_first_words_is_asked_alone() -> None:
    found = tell([claim("a", 1), claim("b", 3)], share=1.0)
    assert only_sample(found, "a").form == only_sample(found, "b").form == "single"


def test_the_share_of_talks_is_kept() -> None:
    forms = [only_sample(tell([claim("b", 6)], {"b": 1}, share=0.3, seed=k), "b").form for k in range(200)]
    assert 0.2 < forms.count("multi") / 200 < 0.4
    assert {only_sample(tell([claim("b", 6)], {"b": 1}, seed=k), "b").form for k in range(40)} == {"single"}


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("bad", ["All Germans are cold to me.", "My persona would say yes.", "As an AI I see it so."])
def test_bad_talk_around_a_good_claim_is_left_out(place: int, bad: str) -> None:
    texts = list(TALK)
    texts[place] = bad
    dialogue = make_dialogue(make_turns(*texts))
    number = len(number_sentences(dialogue.turns, ENGLISH))
    sample = only_sample(tell([claim("b", number)], {"b": 1}, dialogue, share=1.0), "b")
    assert sample.form == "single" and len(sample.messages) == 2
    assert all(v.kept for v in sample.verdicts)


def test_a_table_of_three_gives_single_questions_only() -> None:
    turns = make_turns("Who cooks for the old?", *TALK[:3], "Who goes on?", *TALK[1:3], TALK[3], speakers="mabc")
    dialogue = make_dialogue(turns, 3)
    found = {s.turn: s.number for s in reversed(number_sentences(turns, ENGLISH))}
    for turn in (5, 6):
        seat = turns[turn].speaker
        sample = only_sample(tell([claim(seat, found[turn])], {seat: 1}, dialogue, share=1.0), seat)
        assert sample.form == "single" and sample.messages[1]["content"] in turns[turn].text


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_messages_have_words_and_alternate(share: float) -> None:
    claims = [claim("a", n, question="" if n % 2 else QUESTION) for n in (1, 2, 5)] + [claim("b", n) for n in (3, 4, 6)]
    samples = [o for seat in tell(claims, share=share).values() for o in seat if isinstance(o, Sample)]
    assert len(samples) >= 4
    for sample in samples:
        roles = [m["role"] for m in sample.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) and roles
        assert all(m["content"].strip() == m["content"] != "" for m in sample.messages)


def test_values_with_holes_stay_as_they_are() -> None:
    text = "I pay $5 for ${name} and $$ to nurse my mother."
    sample = only_sample(tell([claim("a", 1)], {"a": 1}, make_dialogue(make_turns(text.replace("${name}", "{name}")))))
    assert sample.messages[1]["content"] == text.replace("${name}", "{name}")


@pytest.mark.parametrize(("status", "expected"), [("failed", "failed"), ("rejected", "rejected")])
def test_a_lost_dialogue_takes_its_samples_along(status: str, expected: str) -> None:
    changes: dict[str, Any] = {"status": status, "reason": "empty", "detail": "turn 2: " + "x" * 400}
    found = reject_all(make_dialogue([], **changes), {"a": 2, "b": 0}, TOPIC)
    assert found.keys() == {"a"}
    for outcome in found["a"]:
        assert isinstance(outcome, Rejected)
        assert (outcome.status, outcome.stage, outcome.reason) == (expected, "dialogue", "empty")
        assert len(outcome.evidence) == 300
    assert len({o.id for o in found["a"]}) == 2
