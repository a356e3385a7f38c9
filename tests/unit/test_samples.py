"""Candidates and samples: what becomes of each claim, how it is asked, and what is written down about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from culturepark.records import Claim, Dialogue, Findings, Rejected, Sample, Score, Shift, Verdict
from culturepark.refine.agent import RawClaim, Reading
from culturepark.refine.candidate import Candidate, Limits, StageContext
from culturepark.refine.forms import Form, FormSettings
from culturepark.refine.samples import (
    Reader,
    Rival,
    culture_labels,
    drop_all,
    drop_empty,
    make_candidates,
    make_rejected,
    make_sample,
)
from culturepark.refine.sentences import number_sentences
from culturepark.refine.stages import settle_stages
from tests.builders import ENGLISH, FULL, NAMES, TOPIC, make_dialogue, make_turns

TALK = (
    "I wash my mother's hair every Friday, because she did it for me. My sister cooks for her.",
    "We paid a nurse for my father, because none of us could lift him. I visit on Sundays.",
    "I could not let a stranger into her kitchen, so my wife and I take turns at night.",
    "I held his hand instead, and we talked more than in all my years at home.",
)
FIRST = "I wash my mother's hair every Friday, because she did it for me."
QUESTION = "How do you look after your mother, and why that way?"
LINEAGE = {"model": "fake", "seed": 3}


def read(
    claims: Sequence[RawClaim],
    wanted: Mapping[str, int] | None = None,
    dialogue: Dialogue | None = None,
    error: str = "",
    types: tuple[Form, ...] = ("single",),
    share: float = 0.0,
    seed: int = 3,
    min_words: int = 5,
    stages: tuple[str, ...] | None = None,
) -> dict[str, list[Candidate]]:
    dialogue = dialogue or make_dialogue(make_turns(*TALK))
    names = tuple(p.name for p in dialogue.personas.values())
    reader = Reader(
        topic=TOPIC,
        context=StageContext(ENGLISH, Limits(min_words=min_words, max_words=60), names),
        stages=settle_stages(()) if stages is None else stages,
        forms=FormSettings(seed, types, share, TOPIC, FULL),
        labels={"korean": "korean", "egypt": "arab"},
    )
    reading = Reading(tuple(claims), (), error, ())
    sentences = number_sentences(dialogue.turns, ENGLISH)
    return make_candidates(dialogue, reading, sentences, wanted if wanted is not None else {"a": 1, "b": 1}, reader)


def claim(speaker: str, *numbers: int, question: str = QUESTION, kind: str = "opinion", **more: Any) -> RawClaim:
    return RawClaim(speaker, kind, numbers, question, **more)


def only(found: Mapping[str, list[Candidate]], seat: str = "a") -> Candidate:
    (candidate,) = found[seat]
    return candidate


def make(candidate: Candidate, rival: Rival | None = None) -> Sample:
    assert candidate.dropped is None, candidate.dropped
    assert candidate.dialogue is not None
    return make_sample(candidate, candidate.dialogue, TOPIC, LINEAGE, rival)


def refuse(candidate: Candidate, dialogue: Dialogue | None = None) -> Rejected:
    assert candidate.dialogue is not None
    return make_rejected(candidate, dialogue or candidate.dialogue)


# --- From claims to candidates ---------------------------------------------------------------------------


def test_a_claim_becomes_a_candidate_with_the_speakers_own_words() -> None:
    candidate = only(read([claim("a", 1, 2, kind="custom")], {"a": 1}))
    assert (candidate.id, candidate.text, candidate.question) == ("d000001-a1", TALK[0], QUESTION)
    assert candidate.lead == ({"role": "user", "content": QUESTION},) and candidate.final == TALK[0]
    assert candidate.cell == ("arab", "care", 1)
    assert (candidate.country, candidate.kind, candidate.form, candidate.speaker) == ("EGY", "custom", "single", "a")
    assert candidate.dropped is None and candidate.tags == ()
    assert candidate.claim is not None and candidate.claim.id == candidate.id
    assert [q.model_dump() for q in candidate.claim.quotes] == [
        {"turn": 0, "sentences": (1, 2), "texts": (FIRST, "My sister cooks for her.")}
    ]


def test_a_candidate_has_the_verdicts_of_the_text_stages_only() -> None:
    candidate = only(read([claim("a", 1)], {"a": 1}))
    stages = [v.stage for v in candidate.verdicts]
    assert stages[0] == "form" and "essentialism" in stages and all(v.kept for v in candidate.verdicts)
    assert not {"near_copies", "stance", "harm", "fit"} & set(stages)


def test_stages_that_are_taken_out_are_not_asked() -> None:
    text = "Rain falls on the roof at home. " + TALK[0]
    dialogue = make_dialogue(make_turns(text, *TALK[1:]))
    assert only(read([claim("a", 1)], {"a": 1}, dialogue, min_words=1)).dropped is not None  # no first person in it
    kept = only(read([claim("a", 1)], {"a": 1}, dialogue, min_words=1, stages=settle_stages((), ("first_person",))))
    assert kept.dropped is None and "first_person" not in [v.stage for v in kept.verdicts]


def test_missing_claims_are_counted() -> None:
    found = read([claim("a", 1)], {"a": 3, "b": 2})
    assert [c.dropped.reason if c.dropped else "" for c in found["a"]] == ["", "no_claim", "no_claim"]
    missing = [refuse(c) for c in (*found["a"][1:], *found["b"])]
    assert {(r.status, r.stage, r.reason) for r in missing} == {("rejected", "extract", "no_claim")}
    assert [r.id for r in missing] == ["d000001-a2", "d000001-a3", "d000001-b1", "d000001-b2"]
    assert {(r.culture, r.topic, r.dialogue, r.answer) for r in missing[2:]} == {("korean", "care", "d000001", 5)}
    assert all(r.claim is None for r in missing)


def test_spare_claims_come_after_the_wanted_ones() -> None:
    found = read([claim("a", 1), claim("a", 5), claim("b", 3)], {"a": 1, "b": 1})
    assert [c.id for c in found["a"]] == ["d000001-a1", "d000001-a2"]
    assert [c.id for c in found["b"]] == ["d000001-b1"]
    assert all(c.dropped is None for c in found["a"])


def test_a_dropped_claim_is_not_replaced_by_no_claim() -> None:
    found = read([claim("a", 3), claim("a", 1)], {"a": 2})
    assert [c.dropped.reason if c.dropped else "" for c in found["a"]] == ["points_nowhere", ""]
    lost = refuse(found["a"][0])
    assert (lost.stage, lost.status, lost.evidence) == ("extract", "rejected", "sentences [3]")
    assert lost.claim is not None and lost.claim.quotes == ()


def test_nothing_is_told_of_a_speaker_of_whom_nothing_is_wanted() -> None:
    assert read([claim("a", 1), claim("b", 3)], {"a": 1, "b": 0}).keys() == {"a"}


def test_an_unreadable_reply_fails_every_wanted_sample() -> None:
    found = read([], {"a": 2, "b": 1}, error="it is not valid JSON")
    lost = [refuse(c) for seat in found.values() for c in seat]
    assert len(lost) == 3
    assert {(r.status, r.reason, r.evidence) for r in lost} == {
        ("failed", "unreadable_reply", "it is not valid JSON")
    }  # fmt: skip


def test_a_drop_by_a_stage_ends_the_way() -> None:
    dialogue = make_dialogue(make_turns("All Koreans are polite to me, I find.", "I see, my mother is too."))
    candidate = only(read([claim("a", 1)], {"a": 1}, dialogue))
    assert candidate.final == "" and candidate.lead == ()  # no chat is made of it
    lost = refuse(candidate)
    assert (lost.status, lost.stage, lost.reason) == ("rejected", "essentialism", "essentialism")
    assert lost.evidence.startswith("All Koreans are") and lost.claim is not None
    assert [(v.stage, v.kept) for v in lost.verdicts][-1] == ("essentialism", False)
    assert all(v.kept for v in lost.verdicts[:-1]) and len(lost.verdicts) > 1


def test_words_after_a_change_of_mind_are_dropped() -> None:
    dialogue = make_dialogue(make_turns(*TALK), shifts=(Shift(speaker="a", before=1, after="moved", sentence=5),))
    found = read([claim("a", 1), claim("a", 5)], {"a": 2}, dialogue)["a"]
    assert [c.dropped.reason if c.dropped else "" for c in found] == ["", "stance_moved"]


def test_a_claim_that_is_too_short_is_widened_before_it_is_measured() -> None:
    candidate = only(read([claim("b", 3)], {"b": 1}, min_words=15), "b")
    assert candidate.text == TALK[1] and candidate.dropped is None


# --- Questions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("How do Korean families look after the old?", "names_a_culture"),
        ("What would you tell Min-jun about his father?", "names_a_speaker"),
        ("Tell me about your mother", "no_question_mark"),
        ("", "no_question_mark"),
        ("Why so?", "length"),
        ("What does your persona think of care at home?", "role_leak"),
        ("What would <b>you</b> do for her at home?", "bad_form"),
        ("May I write to ann.lee@example.org about your mother?", "personal_data"),
    ],
)
def test_a_question_that_cannot_be_asked_is_replaced_by_the_topics(question: str, why: str) -> None:
    candidate = only(read([claim("a", 1, question=question)], {"a": 1}))
    sample = make(candidate)
    assert candidate.tags == (f"question_from_topic:{why}",) and sample.tags == ()
    assert sample.messages[0]["content"] == candidate.question in TOPIC.questions
    assert sample.lineage["question_from"] == f"topic ({why})"
    assert sample.lineage["claim"]["question"] == candidate.question


def test_the_topics_questions_vary_and_are_drawn_anew_alike() -> None:
    def ask(seed: int) -> str:
        return only(read([claim("a", 1, question="")], {"a": 1}, seed=seed)).question

    assert len({ask(seed) for seed in range(40)}) >= 6
    assert [ask(seed) for seed in range(9)] == [ask(seed) for seed in range(9)]


# --- Forms, as far as candidates go ------------------------------------------------------------------------


def test_a_stretch_of_talk_is_given_once_a_speaker() -> None:
    texts = (*TALK[:3], TALK[3] + " My father smiled at my bad jokes every time.")
    dialogue = make_dialogue(make_turns(*texts))
    numbers = [s.number for s in number_sentences(dialogue.turns, ENGLISH) if s.turn == 3]
    found = read([claim("b", n) for n in numbers], {"b": 2}, dialogue, types=("multi", "single"), share=1.0)["b"]
    assert [c.form for c in found] == ["multi", "single"]
    both = read(
        [claim("a", 5), claim("b", numbers[0])], {"a": 1, "b": 1}, dialogue, types=("multi", "single"), share=1.0
    )
    assert only(both, "a").form == only(both, "b").form == "multi"


def test_a_dropped_claim_uses_up_no_stretch_of_talk() -> None:
    texts = (*TALK[:3], TALK[3] + " All Germans are cold to me, I say.")
    dialogue = make_dialogue(make_turns(*texts))
    numbers = [s.number for s in number_sentences(dialogue.turns, ENGLISH) if s.turn == 3]
    found = read([claim("b", n) for n in reversed(numbers)], {"b": 2}, dialogue, types=("multi",), share=1.0)["b"]
    # The turn as a whole holds a sweeping claim, so neither becomes a talk; nothing else was asked for.
    assert [c.dropped.reason if c.dropped else "" for c in found] == ["essentialism", "no_form"]
    lost = refuse(found[1])
    assert (lost.status, lost.stage, lost.evidence) == ("rejected", "sample", "cannot be made into: multi")


# --- Samples -----------------------------------------------------------------------------------------------


def test_a_sample_tells_its_story() -> None:
    candidate = only(read([claim("a", 1, 2, kind="custom")], {"a": 1}))
    scored = replace(candidate, findings=Findings(stance="follows"), tags=("unjudged", "unknown_facts:1"))
    sample = make(scored)
    assert sample.id == "d000001-a1"
    assert sample.messages == ({"role": "user", "content": QUESTION}, {"role": "assistant", "content": TALK[0]})
    assert (sample.culture, sample.country, sample.language, sample.topic, sample.theme) == (
        "arab", "EGY", "en", "care", "family"
    )  # fmt: skip
    assert (sample.answer, sample.answer_label, sample.kind, sample.form) == (1, "answer 1", "custom", "single")
    lineage = sample.lineage
    assert lineage["survey"]["item"] == "Q38" and lineage["model"] == "fake" and lineage["seed"] == 3
    assert (lineage["dialogue"], lineage["speaker"], lineage["persona"]) == ("d000001", "a", "d1-a")
    assert (lineage["style"], lineage["scene"], lineage["persona_draw"]) == ("cross", "kitchen", {"seed": 1})
    assert Claim.model_validate(lineage["claim"]) == candidate.claim
    assert (lineage["requests"], lineage["turn_models"]) == (["r0"], ["fake"])
    assert lineage["prompts"] == {"speaker": "abc"} and lineage["question_from"] == "refinement agent"
    assert "rival" not in lineage and (sample.rejected, sample.origin) == ((), "")
    assert sample.verdicts == candidate.verdicts and sample.findings.stance == "follows"
    assert sample.tags == ("unjudged", "unknown_facts:1")


def test_a_talk_as_sample_begins_with_the_persona_and_the_topic() -> None:
    candidate = only(read([claim("b", 6)], {"b": 1}, types=("multi",), share=1.0), "b")
    sample = make(candidate)
    assert sample.form == "multi"
    assert [m["role"] for m in sample.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert [m["content"] for m in sample.messages[2:]] == [TALK[1], TALK[2], TALK[3]]
    assert sample.messages[1]["content"] in TOPIC.questions
    assert sample.lineage["question_from"] == "topic (opens a talk)"


def test_a_pair_holds_both_answers_and_its_origin() -> None:
    candidate = only(read([claim("a", 1)], {"a": 1}, types=("preference",)))
    sample = make(candidate, Rival("I let a nurse do all of it.", "culture", "d000001-b1"))
    assert (sample.form, sample.origin, sample.lineage["rival"]) == ("preference", "culture", "d000001-b1")
    assert sample.rejected == ({"role": "assistant", "content": "I let a nurse do all of it."},)
    assert [m["role"] for m in sample.messages] == ["system", "user", "assistant"]
    assert sample.messages[-1]["content"] == FIRST and sample.messages[1]["content"] in TOPIC.questions


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_messages_have_words_and_alternate(share: float) -> None:
    claims = [claim("a", n, question="" if n % 2 else QUESTION) for n in (1, 2, 5)] + [claim("b", n) for n in (3, 4, 6)]
    kinds: tuple[Form, ...] = ("single", "multi", "reasoning")
    samples = [make(c) for seat in read(claims, types=kinds, share=share).values() for c in seat if not c.dropped]
    assert len(samples) >= 4
    for sample in samples:
        roles = [m["role"] for m in sample.messages if m["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2) and roles
        assert [m["role"] for m in sample.messages].count("system") == (sample.form == "multi")
        assert all(m["content"].strip() == m["content"] != "" for m in sample.messages)


def test_values_with_holes_stay_as_they_are() -> None:
    text = "I pay $5 or {0} and 100 %s to nurse my mother $x."
    dialogue = make_dialogue(make_turns(text, *TALK[1:]))
    assert make(only(read([claim("a", 1)], {"a": 1}, dialogue))).messages[-1]["content"] == text


# --- Rejections --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "reason", "status"),
    [
        ("verify", "unverified", "failed"),
        ("harm", "no_score", "failed"),
        ("extract", "unreadable_reply", "failed"),
        ("verify", "call_timeout", "failed"),
        ("dialogue", "empty", "rejected"),
        ("harm", "harm", "rejected"),
        ("fit", "judges_disagree", "rejected"),
        ("sample", "no_pair", "rejected"),
    ],
)
def test_what_could_not_be_judged_has_failed(stage: str, reason: str, status: str) -> None:
    candidate = only(read([claim("a", 1)], {"a": 1}))
    scores = (Score(axis="harm", judge="j", value=4),)
    verdict = Verdict(stage=stage, kept=False, reason=reason, evidence="x" * 300)
    dropped = replace(
        candidate, verdicts=(*candidate.verdicts, verdict), findings=Findings(scores=scores), tags=("unjudged",)
    )
    lost = refuse(dropped)
    assert (lost.status, lost.stage, lost.reason, lost.evidence) == (status, stage, reason, "x" * 300)
    broken = make_dialogue([], status="failed")
    assert refuse(dropped, broken).status == ("failed" if stage == "dialogue" else status)
    assert (lost.id, lost.culture, lost.country, lost.speaker) == ("d000001-a1", "arab", "EGY", "a")
    assert lost.findings.scores == scores and lost.tags == ("unjudged",) and lost.claim == candidate.claim
    assert lost.verdicts == dropped.verdicts


@pytest.mark.parametrize(("status", "expected"), [("failed", "failed"), ("rejected", "rejected")])
def test_a_lost_dialogue_takes_its_samples_along(status: str, expected: str) -> None:
    changes: dict[str, Any] = {"status": status, "reason": "empty", "detail": "turn 2: " + "x" * 400}
    dialogue = make_dialogue([], **changes)
    found = drop_all(dialogue, {"a": 2, "b": 0})
    assert found.keys() == {"a"}
    lost = [refuse(c, dialogue) for c in found["a"]]
    assert {(r.status, r.stage, r.reason) for r in lost} == {(expected, "dialogue", "empty")}
    assert all(len(r.evidence) == 300 for r in lost)
    assert [r.id for r in lost] == ["d000001-a1", "d000001-a2"]


def test_an_empty_candidate_stands_in_its_cell() -> None:
    candidate = drop_empty(make_dialogue(make_turns(*TALK)), "b", 4, "extract", "no_claim", "y" * 999)
    assert candidate.id == "d000001-b4" and candidate.cell == ("korean", "care", 5) and candidate.text == ""
    assert candidate.dropped == Verdict(stage="extract", kept=False, reason="no_claim", evidence="y" * 300)


def test_labels_are_words_that_name_a_culture() -> None:
    labels = culture_labels(
        {"korean": ["South Korea", "Korean"], "arab": ["Arab", "Egypt", "United Arab Emirates", "the UAE"]}
    )
    assert labels == {"korea": "korean", "korean": "korean", "arab": "arab", "egypt": "arab", "emirates": "arab"}
    assert set(NAMES) & set(labels) == set()
