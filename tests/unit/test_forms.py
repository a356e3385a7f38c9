"""Forms: which chat a candidate would train, what stands around the speaker's words, and what may not stand there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from culturepark.records import Claim, Dialogue, Quote
from culturepark.refine.candidate import Candidate, StageContext
from culturepark.refine.forms import (
    FORMS,
    Form,
    FormSettings,
    describe_persona,
    draw_form,
    drop_formless,
    give_form,
    give_mended,
    make_single,
    whole_text,
)
from culturepark.refine.sentences import number_sentences
from culturepark.refine.stages import settle_stages
from tests.builders import ENGLISH, FULL, NAMES, TOPIC, make_dialogue, make_turns

TALK = (
    "I wash my mother's hair every Friday, because she did it for me. My sister cooks for her.",
    "We paid a nurse for my father, because none of us could lift him. I visit on Sundays.",
    "I could not let a stranger into her kitchen, so my wife and I take turns at night.",
    "My back is bad since the mill. I held his hand instead, and we talked for hours. Is that so little?",
)
QUESTION = "How did you care for your father at the end?"


def settle(types: tuple[Form, ...], share: float = 0.2, seed: int = 3) -> FormSettings:
    return FormSettings(seed, types, share, TOPIC, FULL)


def rather_reasons() -> FormSettings:
    """Settings under which the usual candidate should reason first, and may be asked plainly otherwise."""
    return next(
        s
        for s in (settle(("reasoning", "single"), seed=k) for k in range(50))
        if draw_form("d000001-b1", s) == "reasoning"
    )


def take(
    dialogue: Dialogue, *numbers: int, reasons: tuple[int, ...] = (), seat: str = "b", id: str = "d000001-b1"
) -> Candidate:
    """The candidate of a claim that quotes sentences of one turn."""
    found = [s for s in number_sentences(dialogue.turns, ENGLISH) if s.number in numbers]
    quote = Quote(turn=found[0].turn, sentences=numbers, texts=tuple(s.text for s in found))
    persona = dialogue.personas[seat]
    return Candidate(
        id=id,
        text=" ".join(quote.texts),
        question=QUESTION,
        culture=persona.culture,
        country=persona.country,
        topic="care",
        answer=persona.stance.code,
        kind="opinion",
        speaker=seat,
        claim=Claim(speaker=seat, kind="opinion", quotes=(quote,), question=QUESTION, reasons=reasons),
        dialogue=dialogue,
    )


def give(
    candidate: Candidate,
    settings: FormSettings,
    told: set[int] | None = None,
    stages: Sequence[str] | None = None,
) -> Candidate:
    assert candidate.dialogue is not None
    sentences = number_sentences(candidate.dialogue.turns, ENGLISH)
    names = tuple(p.name for p in candidate.dialogue.personas.values())
    chosen = settle_stages(()) if stages is None else stages
    return give_form(
        candidate, sentences, settings, StageContext(ENGLISH, names=names), chosen, set() if told is None else told
    )


def last_claim() -> Candidate:
    """A claim of the second speaker's last turn: sentence 7 of the talk, after one that could be a reason."""
    return take(make_dialogue(make_turns(*TALK)), 7)


# --- Which form ------------------------------------------------------------------------------------------


def test_the_only_form_asked_for_is_drawn() -> None:
    for form in FORMS:
        assert {draw_form(f"d{k}-a1", settle((form,), 0.0)) for k in range(20)} == {form}


@pytest.mark.parametrize(
    ("types", "share", "expected"),
    [
        (("single", "multi"), 0.2, {"single": 0.8, "multi": 0.2}),
        (("single", "multi"), 0.0, {"single": 1.0}),
        (("single", "multi"), 1.0, {"multi": 1.0}),
        (("single", "preference"), 1.0, {"single": 0.5, "preference": 0.5}),
        (FORMS, 0.1, {"multi": 0.1, "single": 0.3, "reasoning": 0.3, "preference": 0.3}),
        (("multi", "reasoning"), 0.25, {"multi": 0.25, "reasoning": 0.75}),
    ],
)
def test_the_share_of_talks_is_kept_and_the_others_share_the_rest(
    types: tuple[Form, ...], share: float, expected: dict[str, float]
) -> None:
    drawn = Counter(draw_form(f"d{k:06d}-a1", settle(types, share)) for k in range(2000))
    assert drawn.keys() == expected.keys()
    for form, part in expected.items():
        assert abs(drawn[form] / 2000 - part) < 0.04, (form, drawn)  # type: ignore[index]


def test_the_form_hangs_on_the_id_and_the_seed_alone() -> None:
    ids = [f"d{k:06d}-b2" for k in range(60)]
    settings = settle(("single", "multi"), 0.5)
    assert [draw_form(i, settings) for i in ids] == [draw_form(i, settle(("single", "multi"), 0.5)) for i in ids]
    assert [draw_form(i, settings) for i in ids] != [draw_form(i, settle(("single", "multi"), 0.5, 4)) for i in ids]
    changed = replace(settings, topic=TOPIC.model_copy(update={"questions": ("What else would you do?",)}))
    assert [draw_form(i, settings) for i in ids] == [draw_form(i, changed) for i in ids]


# --- Each form ---------------------------------------------------------------------------------------------


def test_a_single_sample_is_question_and_words() -> None:
    made = give(last_claim(), settle(("single",)))
    assert (made.form, made.final) == ("single", "I held his hand instead, and we talked for hours.")
    assert made.lead == ({"role": "user", "content": QUESTION},)
    assert make_single(made) == made


def test_a_talk_leads_up_to_the_whole_turn() -> None:
    made = give(last_claim(), settle(("multi",), 1.0))
    assert made.form == "multi" and made.final == TALK[3]
    assert [m["role"] for m in made.lead] == ["system", "user", "assistant", "user"]
    assert [m["content"] for m in made.lead[2:]] == [TALK[1], TALK[2]]
    assert made.lead[1]["content"] in TOPIC.questions
    assert made.text == "I held his hand instead, and we talked for hours."  # what is checked stays the claim


def test_the_reasons_come_before_the_answer() -> None:
    dialogue = make_dialogue(make_turns(*TALK))
    made = give(take(dialogue, 7, reasons=(4, 6)), settle(("reasoning",)))
    assert made.form == "reasoning"
    assert made.final == (
        "I visit on Sundays. My back is bad since the mill.\n\nI held his hand instead, and we talked for hours."
    )
    assert len(made.lead) == 1 and QUESTION in made.lead[0]["content"] != QUESTION
    assert made.text == "I held his hand instead, and we talked for hours."


def test_a_pair_asks_the_topics_question_of_the_persona() -> None:
    made = give(last_claim(), settle(("preference",)))
    assert (made.form, made.final) == ("preference", "I held his hand instead, and we talked for hours.")
    assert [m["role"] for m in made.lead] == ["system", "user"] and made.lead[1]["content"] in TOPIC.questions


def test_what_was_asked_is_worded_in_several_ways_and_drawn_anew_alike() -> None:
    dialogue = make_dialogue(make_turns(*TALK))

    def gather(form: Form, place: int) -> set[str]:
        made = [give(take(dialogue, 7, reasons=(6,), id=f"d{k}-b1"), settle((form,), 1.0)) for k in range(40)]
        again = [give(take(dialogue, 7, reasons=(6,), id=f"d{k}-b1"), settle((form,), 1.0)) for k in range(40)]
        assert made == again
        return {m.lead[place]["content"] for m in made}

    assert len(gather("multi", 0)) >= 3  # persona
    assert len(gather("multi", 1)) >= 6  # opening question
    assert len(gather("reasoning", 0)) >= 3
    assert all(text.strip() == text and "${" not in text and "---" not in text for text in gather("preference", 0))


def test_the_persona_is_told_without_name_and_stance() -> None:
    dialogue = make_dialogue(make_turns(*TALK))
    persona = dialogue.personas["b"]
    for k in range(12):
        told = give(take(dialogue, 7, id=f"d{k}-b1"), settle(("multi",), 1.0)).lead[0]["content"]
        assert all(str(part) in told for part in ("31", "South Korea", "a baker b", "the old quarter b"))
        assert persona.name not in told and persona.stance.view not in told and persona.stance.label not in told
        assert not any(text in told for text in (*persona.fact_texts, *(s.view for s in persona.related)))
    assert not {"name", "stance", "answers"} & describe_persona(persona).keys()


# --- What cannot take a form -------------------------------------------------------------------------------


def test_a_talk_is_not_made_of_the_first_words_nor_of_a_table_of_three() -> None:
    dialogue = make_dialogue(make_turns(*TALK))
    both: tuple[Form, ...] = ("multi", "single")
    assert give(take(dialogue, 1, seat="a"), settle(both, 1.0)).form == "single"
    assert give(take(dialogue, 3), settle(both, 1.0)).form == "single"
    assert give(take(dialogue, 5, seat="a"), settle(both, 1.0)).form == "multi"
    three = make_dialogue(make_turns(*TALK, speakers="bab"), 3)
    assert give(take(three, 5), settle(both, 1.0)).form == "single"


def test_a_turn_that_was_told_is_not_told_again() -> None:
    told: set[int] = set()
    settings = settle(("multi", "single"), 1.0)
    assert give(last_claim(), settings, told).form == "multi" and told == {3}
    assert give(last_claim(), settings, told).form == "single" and told == {3}


def test_only_a_talk_uses_up_its_turn() -> None:
    told: set[int] = set()
    give(last_claim(), settle(("single",)), told)
    give(last_claim(), settle(("preference",)), told)
    assert told == set()


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        ((), "there are none"),
        ((7,), "they are the claim itself"),
        ((5,), "they are the partner's"),
        ((99,), "there is no such sentence"),
        ((8,), "they ask"),
    ],
)
def test_reasons_must_be_other_words_of_the_speaker(reasons: tuple[int, ...], why: str) -> None:
    dialogue = make_dialogue(make_turns(*TALK))
    assert number_sentences(dialogue.turns, ENGLISH)[7].text == "Is that so little?"
    made = give(take(dialogue, 7, reasons=reasons), rather_reasons())
    assert made.form == "single", why


@pytest.mark.parametrize("name", NAMES[:2])
def test_reasons_that_name_somebody_at_the_table_are_left_out(name: str) -> None:
    dialogue = make_dialogue(
        make_turns(*TALK[:3], f"My back is bad, {name}. I held his hand, and we talked for hours.")
    )
    assert give(take(dialogue, 7, reasons=(6,)), rather_reasons()).form == "single"


def test_reasons_from_a_turn_that_went_astray_are_left_out() -> None:
    turns = make_turns(*TALK)
    turns[1] = turns[1].model_copy(update={"flags": ("off_topic",)})
    dialogue = make_dialogue(turns)
    assert give(take(dialogue, 7, reasons=(4,)), rather_reasons()).form == "single"
    assert give(take(dialogue, 7, reasons=(4, 6)), settle(("reasoning",))).final.startswith("My back is bad")


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize(
    "bad",
    [
        "All Germans are cold to me, I say.",
        "My persona would say yes to this.",
        "As an AI I see it so.",
        "You reach me at ann.lee@example.org on most days.",
        "I read it in a <b>letter</b> on the table.",
    ],
)
def test_bad_talk_around_a_good_claim_is_left_out(place: int, bad: str) -> None:
    texts = list(TALK)
    texts[place] = f"{bad} {TALK[3]}" if place == 3 else bad
    dialogue = make_dialogue(make_turns(*texts))
    number = next(s.number for s in number_sentences(dialogue.turns, ENGLISH) if s.text.startswith("I held"))
    made = give(take(dialogue, number), settle(("multi", "single"), 1.0))
    assert made.form == "single" and made.dropped is None and made.verdicts == ()
    assert give(take(dialogue, number), settle(("multi",), 1.0)).dropped is not None


def test_bad_reasons_before_a_good_claim_are_left_out() -> None:
    dialogue = make_dialogue(
        make_turns(*TALK[:3], "All Germans are cold people. I held his hand, and we talked for hours.")
    )
    assert give(take(dialogue, 7, reasons=(6,)), rather_reasons()).form == "single"
    good = make_dialogue(make_turns(*TALK))
    assert give(take(good, 7, reasons=(6,)), rather_reasons()).form == "reasoning"


def test_short_and_leaning_words_may_stand_around_a_claim() -> None:
    dialogue = make_dialogue(make_turns(TALK[0], "And you, Hassan?", "Why, Min-jun?", TALK[3]))
    number = next(s.number for s in number_sentences(dialogue.turns, ENGLISH) if s.text.startswith("I held"))
    assert give(take(dialogue, number), settle(("multi",), 1.0)).form == "multi"


def test_stages_that_are_taken_out_do_not_judge_what_stands_around() -> None:
    dialogue = make_dialogue(make_turns(TALK[0], "My persona would say yes to this.", TALK[2], TALK[3]))
    number = next(s.number for s in number_sentences(dialogue.turns, ENGLISH) if s.text.startswith("I held"))
    skipped = settle_stages((), ("refusal",))
    assert give(take(dialogue, number), settle(("multi",), 1.0), stages=skipped).form == "multi"


def test_the_first_wanted_form_that_fits_is_taken() -> None:
    dialogue = make_dialogue(make_turns(*TALK))
    first = take(dialogue, 3)  # no talk before it, no reasons
    assert {give(replace(first, id=f"d{k}-b1"), settle(("reasoning", "multi", "preference", "single"), 0.5)).form for k in range(30)} == {"preference", "single"}  # fmt: skip
    drawn = [give(replace(first, id=f"d{k}-b1"), settle(("multi", "single", "preference"), 1.0)).form for k in range(9)]
    assert set(drawn) == {"single"}


def test_what_fits_no_form_is_dropped_with_its_verdicts() -> None:
    first = take(make_dialogue(make_turns(*TALK)), 3)
    made = give(first, settle(("multi", "reasoning"), 1.0))
    assert made.dropped is not None and made.lead == () and made.final == ""
    assert (made.dropped.stage, made.dropped.reason) == ("sample", "no_form")
    assert made.dropped.evidence == "cannot be made into: multi"
    assert drop_formless(made, "reasoning").verdicts[:-1] == made.verdicts


# --- After a repair ------------------------------------------------------------------------------------------

MENDED = "I washed him each day myself, and I would let no nurse do it."


def mend(form: Form, types: tuple[Form, ...]) -> Candidate:
    """What a form becomes when the claim was rewritten."""
    talk = make_dialogue(make_turns(*TALK))
    return give_mended(replace(give(take(talk, 7, reasons=(6,)), settle((form,), 1.0)), text=MENDED), types)


def test_a_mended_claim_stands_where_the_old_words_stood() -> None:
    single = mend("single", ("single",))
    assert (single.form, single.final) == ("single", MENDED)
    assert single.lead == ({"role": "user", "content": QUESTION},)
    reasoned = mend("reasoning", ("reasoning",))
    assert (reasoned.form, reasoned.final) == ("reasoning", f"My back is bad since the mill.\n\n{MENDED}")
    pair = mend("preference", ("preference",))
    assert (pair.form, pair.final) == ("preference", MENDED)
    assert [m["role"] for m in pair.lead] == ["system", "user"]


def test_a_talk_with_old_words_becomes_another_form_that_was_asked_for() -> None:
    single = mend("multi", ("multi", "preference", "single"))
    assert (single.form, single.final, len(single.lead)) == ("single", MENDED, 1)
    pair = mend("multi", ("multi", "preference"))
    assert (pair.form, pair.final) == ("preference", MENDED)
    assert [m["role"] for m in pair.lead] == ["system", "user"] and pair.lead[1]["content"] in TOPIC.questions
    for types in (("multi",), ("multi", "reasoning")):
        lost = mend("multi", types)  # type: ignore[arg-type]
        assert lost.dropped is not None and lost.dropped.reason == "no_form"


@pytest.mark.parametrize("form", FORMS)
def test_no_old_words_are_left_after_a_repair(form: Form) -> None:
    made = mend(form, FORMS)
    assert made.dropped is None and made.text == MENDED and MENDED in made.final
    shown = " ".join([made.final, *(m["content"] for m in made.lead)])
    assert "I held his hand" not in shown and whole_text(made).endswith(MENDED)


# --- What judges are shown -----------------------------------------------------------------------------------


def test_judges_see_all_that_a_person_said() -> None:
    dialogue = make_dialogue(make_turns(*TALK))
    claim = take(dialogue, 7, reasons=(6,))
    assert whole_text(give(claim, settle(("multi",), 1.0))) == "\n".join(TALK[1:])
    assert whole_text(give(claim, settle(("single",)))) == claim.text
    assert whole_text(give(claim, settle(("reasoning",)))).startswith("My back is bad since the mill.\n\nI held")
    assert whole_text(give(claim, settle(("preference",)))) == claim.text
    assert whole_text(claim) == claim.text
