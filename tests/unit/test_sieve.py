"""The sieve: copies in plan order, which candidates are used, pairs, and going on after a stop as if there was none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import culturepark.runs.tools
from culturepark.config import RunConfig
from culturepark.dialogue.state import Tally
from culturepark.language import words
from culturepark.records import Claim, Findings, Quote, Rewrite, Sample, Score, Verdict
from culturepark.refine.candidate import Candidate
from culturepark.refine.encoder import Encoder, Engine
from culturepark.refine.forms import make_single
from culturepark.refine.samples import drop_all
from culturepark.runs.drafts import Draft
from culturepark.runs.folder import Run
from culturepark.runs.journal import Commit, RunFolder
from culturepark.runs.memory import text_hash
from culturepark.runs.plan import Seat, Slot
from culturepark.runs.recall import Mark
from culturepark.runs.reread import answer_of, quoted, reread
from culturepark.runs.sieve import Sieve
from culturepark.runs.sources import Sources
from culturepark.runs.tools import Toolbox
from culturepark.runs.work import ModelSetup, Workshop
from tests.builders import FULL, TOPIC, Fake, make_dialogue, make_people, make_turns

WASH = "I wash my mother's hair every Friday, because she did it for me when I was small."
NURSE = "We paid a nurse for my father at the end, since none of us could lift him alone."
NIGHT = "My wife and I take turns at night, so that no stranger has to sleep in her room."
MONEY = "I send half of my wages home each month and never ask what it is spent on."
HAND = "I held his hand for hours, and we talked more than in all my years at home."
HOME = "The home in our town is clean, the cooks are kind, and I come by after work."
SWAP = WASH.replace("hair", "feet")  # a near copy
LATE = "Nobody in our street lets an old man eat his supper alone, and I would not either."
LONGER = f"{MONEY} My brother does the same from abroad, and our sister keeps the book of it."
TEXTS = (WASH, NURSE, NIGHT, MONEY, HAND, HOME)
MANY = 1000  # room for candidates without a bound that matters


def settle(**settings: Any) -> RunConfig:
    return RunConfig(**{"encoder": "none", "select": "first", **settings})


def make_sieve(config: RunConfig | None = None) -> Sieve:
    config = config or settle()
    tools = Toolbox(config, {})
    sources = Sources({}, {}, {"care": TOPIC, "pride": TOPIC.model_copy(update={"id": "pride"})}, {}, {})
    setup = ModelSetup("fake", "fake-refine", "full")
    return Sieve(tools, Workshop(config, sources, setup, Fake(lambda r: ""), FULL, tools))


Told = str | Candidate


def tell(
    texts: Mapping[str, Sequence[Told]], wanted: int | Mapping[str, int] = 1, number: int = 1, **changes: Any
) -> tuple[Slot, Draft]:
    """A talk at slot ``number`` in which each seat said some texts; candidates are taken as they are."""
    attempt, topic = changes.pop("attempt", 1), changes.pop("topic", "care")
    people = make_people(len(texts))
    counts = {seat: wanted if isinstance(wanted, int) else wanted.get(seat, 0) for seat in texts}
    seats = tuple(Seat(people[s].culture, people[s].country, people[s].stance.code, counts[s], number) for s in texts)
    slot = Slot(number, attempt, "cross", topic, "kitchen", seats)
    said = [t if isinstance(t, str) else t.text for found in texts.values() for t in found]
    dialogue = make_dialogue(make_turns(*said), len(texts), id=slot.id, slot=number, topic=topic, **changes)
    made = {
        seat: [_name(t if isinstance(t, Candidate) else say(t), seat, k, slot, people[seat]) for k, t in enumerate(found, 1)]
        for seat, found in texts.items()
    }  # fmt: skip
    made = {seat: [replace(c, dialogue=dialogue) for c in found] for seat, found in made.items()}
    return slot, Draft(dialogue, {s: k for s, k in counts.items() if k}, made)


def say(text: str, **changes: Any) -> Candidate:
    """A candidate that said ``text``; whose it is follows from where it is put."""
    claim = Claim(speaker="", kind="opinion", quotes=(Quote(turn=0, sentences=(1,), texts=(text,)),))
    made = Candidate("", text, "How do you care for your parents?", "", "", "care", None, "opinion", claim=claim)
    return replace(make_single(made), **changes)


def _name(candidate: Candidate, seat: str, number: int, slot: Slot, person: Any) -> Candidate:
    name = f"{slot.id}-{seat}{number}"
    claim = candidate.claim and candidate.claim.model_copy(update={"id": name, "speaker": seat})
    return replace(
        candidate,
        id=name,
        culture=person.culture,
        country=person.country,
        topic=slot.topic,
        answer=person.stance.code,
        speaker=seat,
        claim=claim,
    )


def drop(text: str, stage: str = "length", reason: str = "too_short", **changes: Any) -> Candidate:
    return say(text, verdicts=(Verdict(stage=stage, kept=False, reason=reason),), **changes)


def sift(sieve: Sieve, *talks: tuple[Slot, Draft], room: int = MANY) -> list[Commit]:
    """Screen all talks, then decide over each, in order."""
    for _, draft in talks:
        sieve.screen(draft)
    return [sieve.choose(position, slot, draft, room) for position, (slot, draft) in enumerate(talks)]


def reasons(commit: Commit) -> list[tuple[str, str, str]]:
    return [(r.id, r.reason, r.evidence) for r in commit.rejected]


def used(commit: Commit) -> list[str]:
    return [quoted(Claim.model_validate(s.lineage["claim"])) for s in commit.samples]


def spare(commit: Commit) -> list[str]:
    return [quoted(claim) for claim in commit.dialogue.spare]


# --- Copies ------------------------------------------------------------------------------------------------


def test_of_two_copies_the_first_in_the_plan_is_kept() -> None:
    first, second = sift(make_sieve(), tell({"a": [WASH]}), tell({"a": [WASH.upper()]}, number=2))
    assert used(first) == [WASH] and not first.rejected
    assert reasons(second) == [("d000002-a1", "duplicate", "like d000001-a1, the same words")]
    second, first = sift(make_sieve(), tell({"a": [WASH]}, number=2), tell({"a": [WASH.upper()]}))
    assert used(second) == [WASH] and [r[0] for r in reasons(first)] == ["d000001-a1"]


def test_copies_are_found_across_topics_cultures_and_seats() -> None:
    talks = (tell({"a": [WASH], "b": [SWAP]}), tell({"a": [NURSE], "b": [SWAP]}, number=2, topic="pride"))
    first, second = sift(make_sieve(), *talks)
    assert [(i, why) for i, why, _ in reasons(first)] == [("d000001-b1", "near_copy")]
    assert [(i, why) for i, why, _ in reasons(second)] == [("d000002-b1", "near_copy")]
    assert {r.evidence.split(",")[0] for r in (*first.rejected, *second.rejected)} == {"like d000001-a1"}
    assert {(r.stage, r.status) for r in first.rejected} == {("near_copies", "rejected")}


def test_the_threshold_of_copies_is_the_settings() -> None:
    strict, loose = settle(near_copy=1.0), settle(near_copy=0.5)
    for config, kept in ((strict, True), (loose, False)):
        _, second = sift(make_sieve(config), tell({"a": [WASH]}), tell({"a": [SWAP]}, number=2))
        assert bool(second.samples) == kept


def test_what_a_stage_dropped_before_is_no_source_of_copies() -> None:
    first, second = sift(make_sieve(), tell({"a": [drop(WASH)]}), tell({"a": [WASH]}, number=2))
    assert [why for _, why, _ in reasons(first)] == ["too_short"] and used(second) == [WASH]


def test_what_was_judged_away_later_still_has_its_copies_dropped() -> None:
    sieve, first, second = make_sieve(), tell({"a": [WASH]}), tell({"a": [SWAP]}, number=2)
    sieve.screen(first[1])
    sieve.screen(second[1])
    judged = [
        replace(c, verdicts=(*c.verdicts, Verdict(stage="harm", kept=False, reason="harm"))) for c in first[1].live()
    ]
    first[1].replace_all(judged)
    assert [why for _, why, _ in reasons(sieve.choose(0, *first, MANY))] == ["harm"]
    assert [why for _, why, _ in reasons(sieve.choose(1, *second, MANY))] == ["near_copy"]


def test_without_the_stage_only_the_same_words_are_copies() -> None:
    sieve = make_sieve(settle(skip=("near_copies",)))
    talks = [tell({"a": [text]}, number=k) for k, text in enumerate((WASH, SWAP, WASH.replace(",", ";")), 1)]
    first, second, third = sift(sieve, *talks)
    assert used(first) == [WASH] and used(second) == [SWAP]
    assert reasons(third) == [("d000003-a1", "duplicate", "same words as an earlier sample")]
    assert len(sieve._tools.near_copies) == 0
    sieve._memory.add("d000001", "d000001-a1", WASH, "en")
    assert len(sieve._tools.near_copies) == 0


def test_a_mended_text_is_no_copy_of_a_sample() -> None:
    rewrite = Rewrite(original=NURSE, text=WASH, reason="contradicts_stance", kept=True)
    sieve = make_sieve()
    talks = (tell({"a": [WASH]}), tell({"a": [NURSE]}, number=2))
    for _, draft in talks:
        sieve.screen(draft)
    mended = [make_single(replace(c, text=WASH, findings=Findings(rewrites=(rewrite,)))) for c in talks[1][1].live()]
    talks[1][1].replace_all(mended)
    assert used(sieve.choose(0, *talks[0], MANY)) == [WASH]
    assert [why for _, why, _ in reasons(sieve.choose(1, *talks[1], MANY))] == ["duplicate"]


def test_one_speaker_does_not_say_the_same_twice() -> None:
    sieve = make_sieve(settle(skip=("near_copies",)))
    (commit,) = sift(sieve, tell({"a": [WASH, WASH, NURSE]}, wanted=3))
    assert used(commit) == [WASH, NURSE] and [why for _, why, _ in reasons(commit)] == ["duplicate"]


# --- Choosing ------------------------------------------------------------------------------------------------


def test_what_is_not_needed_is_spare_and_no_candidate() -> None:
    (commit,) = sift(make_sieve(), tell({"a": [WASH, NURSE, NIGHT], "b": [HOME]}))
    assert used(commit) == [WASH, HOME] and spare(commit) == [NURSE, NIGHT]
    assert (commit.missing, commit.rejected) == ((0, 0), [])
    assert commit.indexed == ("d000001-a2", "d000001-a3")


def test_what_fell_after_enough_were_found_is_spare_too() -> None:
    (commit,) = sift(make_sieve(), tell({"a": [drop(HAND), WASH, drop(NIGHT)]}))
    assert used(commit) == [WASH] and [why for _, why, _ in reasons(commit)] == ["too_short"]
    assert spare(commit) == [NIGHT] and commit.indexed == ()  # it was never compared


@pytest.mark.parametrize(("select", "expected"), [("first", WASH), ("longest", LONGER)])
def test_the_setting_says_which_of_several_are_used(select: str, expected: str) -> None:
    (commit,) = sift(make_sieve(settle(select=select)), tell({"a": [WASH, NURSE, LONGER]}))
    assert used(commit) == [expected] and len(spare(commit)) == 2


def test_the_best_marks_are_used_where_meanings_are_not_known() -> None:
    graded = [say(t, findings=Findings(complexity=3, quality=q)) for t, q in ((WASH, 2), (NURSE, 5), (NIGHT, 4))]
    (commit,) = sift(make_sieve(settle(select="farthest")), tell({"a": graded}, wanted=2))
    assert sorted(used(commit)) == sorted([NURSE, NIGHT]) and spare(commit) == [WASH]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An encoder that knows three themes; returns the texts it was asked for."""
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> Any:
        asked.extend(texts)
        themes = (("wash", "hand", "night"), ("money", "wages", "paid"), ("home", "cooks"))
        return np.array([[0.01, *(sum(w in t for w in theme) for theme in themes)] for t in texts], dtype=np.float32)

    encoder = Encoder((Engine("toy", frozenset(("en",)), 0.99, 0.99, embed),))
    monkeypatch.setattr(culturepark.runs.tools, "open_encoder", lambda name: encoder if name != "none" else None)
    return asked


MEANT = {"encoder": "auto", "select": "farthest"}


def test_what_differs_most_from_its_cell_is_used(toy: list[str]) -> None:
    sieve = make_sieve(settle(**MEANT, skip=("semantic_copies",)))
    first, _ = sift(sieve, tell({"a": [WASH]}), tell({"a": [NIGHT, MONEY]}, number=2))
    assert used(first) == [WASH] and toy == []  # the stage is off, so nothing is encoded
    sieve = make_sieve(settle(**MEANT, semantic_copy=1.0))
    _, second, other = sift(
        sieve,
        tell({"a": [WASH]}),
        tell({"a": [f"{NIGHT} {HOME}", MONEY]}, number=2),
        tell({"a": [NIGHT, MONEY]}, number=3, topic="pride"),
    )
    assert used(second) == [MONEY] and used(other) == [NIGHT]  # another topic is another cell


def test_the_same_meaning_in_a_cell_is_dropped_and_elsewhere_kept(toy: list[str]) -> None:
    talks = (
        tell({"a": [WASH], "b": [HAND]}),  # b is of another culture and answer
        tell({"a": [NIGHT]}, number=2),
        tell({"a": [NIGHT]}, number=3, topic="pride"),
    )
    config = settle(**MEANT, semantic_copy=0.9, near_copy=1.0, skip=("near_copies",))
    first, second, third = sift(make_sieve(config), *talks)
    assert used(first) == [WASH, HAND] and used(third) == [NIGHT]
    ((name, why, evidence),) = reasons(second)
    assert (name, why) == ("d000002-a1", "paraphrase") and evidence.startswith("like d000001-a1, cosine 1.00")
    assert second.rejected[0].stage == "semantic_copies"


def test_what_is_missing_is_told_by_seat() -> None:
    talk = tell({"a": [WASH, drop(NURSE)], "b": [drop(NIGHT)]}, wanted={"a": 2, "b": 2})
    (commit,) = sift(make_sieve(), talk)
    assert commit.missing == (1, 2)
    assert [(i, why) for i, why, _ in reasons(commit)] == [
        ("d000001-a2", "too_short"),
        ("d000001-b1", "too_short"),
        ("d000001-b2", "no_claim"),  # one more was wanted than came to words
    ]


def test_a_seat_of_whom_nothing_is_wanted_is_left_alone() -> None:
    (commit,) = sift(make_sieve(), tell({"a": [WASH], "b": []}, wanted={"a": 1}))
    assert (commit.missing, len(commit.samples), commit.rejected) == ((0, 0), 1, [])


def test_a_talk_that_failed_takes_all_that_was_wanted() -> None:
    slot, draft = tell({"a": [], "b": []}, wanted={"a": 2, "b": 1}, status="failed", reason="call_timeout")
    draft.candidates = drop_all(draft.dialogue, draft.wanted)
    (commit,) = sift(make_sieve(), (slot, draft))
    assert commit.missing == (2, 1) and {(r.status, r.reason) for r in commit.rejected} == {("failed", "call_timeout")}
    assert len({r.id for r in commit.rejected}) == 3


@pytest.mark.parametrize("room", range(6))
def test_there_are_never_more_candidates_than_there_is_room(room: int) -> None:
    talk = tell({"a": [drop(HAND), WASH, NURSE], "b": [HOME, drop(MONEY)]}, wanted=2)
    (commit,) = sift(make_sieve(), talk, room=room)
    assert len(commit.samples) + len(commit.rejected) == min(room, 5)
    in_order = [(c.text, c.dropped is None) for found in talk[1].candidates.values() for c in found]
    assert used(commit) == [text for text, good in in_order[:room] if good]
    assert spare(commit) == [text for text, _ in in_order[room:]]
    assert sum(commit.missing) == 4 - len(commit.samples)


def test_every_claim_is_in_exactly_one_place() -> None:
    talk = tell({"a": [drop(HAND), WASH, WASH, NURSE, drop(NIGHT)], "b": [SWAP, HOME, MONEY]}, wanted={"a": 2, "b": 1})
    (commit,) = sift(make_sieve(), talk)
    names = [s.id for s in commit.samples] + [r.id for r in commit.rejected] + [c.id for c in commit.dialogue.spare]
    assert sorted(names) == [f"d000001-a{k}" for k in range(1, 6)] + [f"d000001-b{k}" for k in range(1, 4)]


def test_the_commit_holds_what_was_spent() -> None:
    slot, draft = tell({"a": [WASH]})
    draft.tally.take("extract", (2, 30, 10, 5))
    (commit,) = sift(make_sieve(), (slot, draft))
    assert (commit.dialogue.calls, commit.dialogue.input_tokens) == (2, 30)
    assert commit.dialogue.usage == {"extract": (2, 30, 10, 5)} and isinstance(draft.tally, Tally)
    assert commit.position == 0 and commit.samples[0].lineage["refine_model"] == "fake-refine"


# --- Pairs -------------------------------------------------------------------------------------------------


def pair(text: str, **changes: Any) -> Candidate:
    lead = ({"role": "system", "content": "You are Ann."}, {"role": "user", "content": TOPIC.questions[0]})
    return say(text, form="preference", lead=lead, final=text, **changes)


def count(n: int, word: str = "care") -> str:
    """A text of ``n`` words, unlike others of another word."""
    return " ".join(["I", *(f"{word}{'abcdefghijklmnopqrstuvwxyz'[k % 26]}{word}" for k in range(n - 1))])


def mark(*harm: int | None) -> Findings:
    scores = [Score(axis="harm", judge=f"j{k}", value=h) for k, h in enumerate(harm)]
    return Findings(scores=(*scores, *(Score(axis="fit", judge=f"j{k}", value=5) for k in range(len(harm)))))


def choose_pair(texts: Mapping[str, Sequence[Told]], **settings: Any) -> Sample | tuple[str, str, str]:
    """What becomes of the first candidate of the first speaker."""
    config = settle(**{"sample_types": ("single", "preference"), "skip": ("near_copies",), **settings})
    (commit,) = sift(make_sieve(config), tell(texts, wanted={"a": 1}))
    return commit.samples[0] if commit.samples else reasons(commit)[0]


def test_another_cultures_other_answer_is_the_rejected_side() -> None:
    sample = choose_pair({"a": [pair(WASH)], "b": [NURSE]})
    assert isinstance(sample, Sample) and (sample.form, sample.origin) == ("preference", "culture")
    assert sample.messages[-1]["content"] == WASH
    assert sample.rejected == ({"role": "assistant", "content": NURSE},)
    assert sample.lineage["rival"] == "d000001-b1"


def test_the_same_answer_the_same_culture_and_what_was_dropped_are_no_rivals() -> None:
    for changes in (
        {"answer": 1},
        {"culture": "arab"},
        {"verdicts": (Verdict(stage="fit", kept=False, reason="poor_fit"),)},
    ):
        slot, draft = tell({"a": [pair(WASH)], "b": [NURSE]}, wanted={"a": 1})
        draft.candidates["b"] = [replace(c, **changes) for c in draft.candidates["b"]]
        sieve = make_sieve(settle(sample_types=("preference",)))
        sieve.screen(draft)
        assert [why for _, why, _ in reasons(sieve.choose(0, slot, draft, MANY))] == ["no_pair"], changes


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [(20, 20, True), (20, 25, True), (25, 20, True), (20, 26, False), (26, 20, False), (8, 10, True), (8, 11, False)],
)
def test_both_answers_are_of_like_length(mine: int, theirs: int, fits: bool) -> None:
    sample = choose_pair({"a": [pair(count(mine))], "b": [count(theirs, "gift")]})
    assert isinstance(sample, Sample) and (sample.form == "preference") == fits
    assert (len(words(count(mine))), len(words(count(theirs, "gift")))) == (mine, theirs)


def test_the_first_rival_of_like_length_is_taken() -> None:
    sample = choose_pair({"a": [pair(WASH)], "b": [f"{NURSE} {HOME}", NIGHT], "c": [HAND]})
    assert isinstance(sample, Sample) and sample.rejected[0]["content"] == NIGHT


def test_without_a_rival_a_pair_becomes_a_single_sample_if_those_are_wanted() -> None:
    sample = choose_pair({"a": [pair(WASH)], "b": []})
    assert isinstance(sample, Sample) and (sample.form, sample.origin, sample.rejected) == ("single", "", ())
    assert sample.messages[0] == {"role": "user", "content": "How do you care for your parents?"}
    lost = choose_pair({"a": [pair(WASH)], "b": []}, sample_types=("preference", "multi"))
    assert lost == ("d000001-a1", "no_pair", "no other answer of like length to the same question")


@pytest.mark.parametrize("reason", ["contradicts_stance", "fact_contradicted"])
def test_what_verification_dropped_is_a_rival_of_the_same_speaker(reason: str) -> None:
    bad = drop(NURSE, "stance", reason, findings=mark(1, 2))
    sample = choose_pair({"a": [pair(WASH), bad], "b": [HOME]})
    assert isinstance(sample, Sample) and sample.origin == "verification"
    assert sample.rejected[0]["content"] == NURSE and sample.lineage["rival"] == "d000001-a2"


@pytest.mark.parametrize(
    ("reason", "findings"),
    [
        ("contradicts_stance", mark(4, 4)),
        ("contradicts_stance", mark(1, 4)),  # the judges disagree
        ("contradicts_stance", mark(1, None)),
        ("contradicts_stance", Findings()),
        ("fact_contradicted", mark(2, 3)),  # a mean of 2.5
        ("off_stance", mark(1, 1)),
        ("unverified", mark(1, 1)),
        ("harm", mark(1, 1)),
    ],
)
def test_what_harms_or_was_not_judged_is_no_rival(reason: str, findings: Findings) -> None:
    bad = drop(NURSE, "stance", reason, findings=findings)
    sample = choose_pair({"a": [pair(WASH), bad], "b": [HOME]})
    assert isinstance(sample, Sample) and sample.origin == "culture" and sample.rejected[0]["content"] == HOME
    assert choose_pair({"a": [pair(WASH), bad]}, sample_types=("preference",))[1] == "no_pair"  # type: ignore[index]


def test_a_stricter_limit_of_harm_holds_for_rivals_too() -> None:
    bad = drop(NURSE, "stance", "contradicts_stance", findings=mark(2, 2))
    for limit, origin in ((2.0, "verification"), (1.5, "culture")):
        sample = choose_pair({"a": [pair(WASH), bad], "b": [HOME]}, max_harm=limit)
        assert isinstance(sample, Sample) and sample.origin == origin


def test_another_speakers_dropped_words_are_no_rival_by_verification() -> None:
    bad = drop(NURSE, "stance", "contradicts_stance", findings=mark(1))
    assert choose_pair({"a": [pair(WASH)], "b": [bad]}, sample_types=("preference",))[1] == "no_pair"  # type: ignore[index]


@pytest.mark.parametrize(("harmless", "origin"), [(True, "repair"), (False, "verification"), (None, "verification")])
def test_the_words_before_a_repair_come_first_if_judges_found_them_harmless(harmless: bool | None, origin: str) -> None:
    rewrites = (
        Rewrite(original=MONEY, text="?", reason="contradicts_stance", kept=False, fault="too_short", harmless=True),
        Rewrite(original=NURSE, text=WASH, reason="contradicts_stance", kept=True, harmless=harmless),
    )
    mended = pair(WASH, findings=mark(1).model_copy(update={"rewrites": rewrites}))
    bad = drop(HAND, "stance", "contradicts_stance", findings=mark(1))
    sample = choose_pair({"a": [mended, bad], "b": [HOME]})
    assert isinstance(sample, Sample) and sample.origin == origin
    if harmless:
        assert sample.rejected[0]["content"] == NURSE and sample.lineage["rival"] == "d000001-a1"


def test_other_forms_have_no_rejected_side() -> None:
    sample = choose_pair({"a": [WASH], "b": [NURSE]})
    assert isinstance(sample, Sample) and (sample.form, sample.rejected, sample.origin) == ("single", (), "")


# --- Going on after a stop -----------------------------------------------------------------------------------


def plan_talks() -> list[tuple[Slot, Draft]]:
    """Talks of which later ones copy samples, spare claims, what was judged away and what was dropped before."""
    return [
        tell({"a": [WASH, NURSE, drop(NIGHT)], "b": [drop(MONEY), HOME]}),
        tell({"a": [SWAP, HAND], "b": [MONEY]}, number=2),  # of a sample; a good one; of what fell before
        tell({"a": [NURSE.upper()], "b": [NIGHT]}, number=3),  # of a spare claim; of one that fell before
        tell({"a": [f"{HAND} Truly."], "b": [LATE]}, number=2, attempt=2),  # of what is judged away
        tell({"a": [f"{WASH} {NIGHT} {HOME}", WASH], "b": [LONGER]}, number=4),  # a mended one
        tell({"a": [NIGHT, "I cook for her on Sundays and we eat in the yard."], "b": []}, wanted={"a": 2}, number=5),
        tell({"a": [LONGER], "b": [f"{HOME} Truly."]}, number=6, topic="pride"),
    ]


MENDED = "I would rather cook for her myself than let anybody else into that kitchen."


def look_at(draft: Draft) -> None:
    """What models would say: one text is judged away, one is mended."""
    changed = []
    for candidate in draft.live():
        if candidate.text == HAND:
            verdict = Verdict(stage="harm", kept=False, reason="harm", evidence="4")
            changed.append(replace(candidate, verdicts=(*candidate.verdicts, verdict)))
        elif candidate.text.startswith(f"{WASH} {NIGHT}"):
            rewrite = Rewrite(original=candidate.text, text=MENDED, reason="contradicts_stance", kept=True)
            mended = replace(candidate, text=MENDED, findings=Findings(stance="follows", rewrites=(rewrite,)))
            changed.append(make_single(mended))
    draft.replace_all(changed)


def work(path: Path, config: RunConfig, talks: Iterable[tuple[Slot, Draft]], first: int, last: int) -> None:
    """One sitting that screens all talks from ``first`` on and commits those before ``last``."""
    folder = RunFolder(path)
    try:
        folder.write_manifest({"fingerprint": "x"})
        sieve = make_sieve(config)
        sieve.restore(folder)
        rest = list(talks)[first:]
        for _, draft in rest:
            sieve.screen(draft)
            look_at(draft)
        for position, (slot, draft) in enumerate(rest[: last - first], first):
            folder.write(sieve.choose(position, slot, draft, MANY))
    finally:
        folder.close()


def read_all(path: Path) -> dict[str, bytes]:
    return {n: (path / n).read_bytes() for n in ("journal.jsonl", "samples.jsonl", "rejected.jsonl", "dialogues.jsonl")}


@pytest.mark.parametrize(
    "settings",
    [{}, {**MEANT, "semantic_copy": 0.95}, {"skip": ("near_copies",)}, {"near_copy": 0.4}],
    ids=["words", "meanings", "same", "loose"],
)
def test_after_a_stop_all_is_decided_as_without_one(tmp_path: Path, toy: list[str], settings: dict[str, Any]) -> None:
    config, end = settle(**settings), len(plan_talks())
    work(tmp_path / "whole", config, plan_talks(), 0, end)
    whole = read_all(tmp_path / "whole")
    for stop in range(end):
        path = tmp_path / f"stopped-{stop}"
        work(path, config, plan_talks(), 0, stop)
        work(path, config, plan_talks(), stop, end)
        assert read_all(path) == whole, stop
    every = tmp_path / "every"
    for stop in range(end):
        work(every, config, plan_talks(), stop, stop + 1)
    assert read_all(every) == whole


def test_the_talks_of_that_test_do_copy_each_other(tmp_path: Path) -> None:
    work(tmp_path, settle(), plan_talks(), 0, 7)
    lost = {r.id: r.evidence.split(",")[0] for r in Run(tmp_path).rejected() if r.stage == "near_copies"}
    assert lost["d000002-a1"] == "like d000001-a1"  # a sample
    assert lost["d000003-a1"] == "like d000001-a2"  # a spare claim
    assert lost["d000002-2-a1"] == "like d000002-a2"  # judged away
    assert lost["d000005-a1"] == "like d000003-b1"
    assert any(r.rewrites for r in [s.findings for s in Run(tmp_path).samples()])
    kept = {s.id for s in Run(tmp_path).samples()}
    assert {"d000002-b1", "d000003-b1"} <= kept  # like what fell before it was compared


def test_what_is_read_back_is_what_was_screened_in_plan_order(tmp_path: Path) -> None:
    work(tmp_path, settle(), plan_talks(), 0, 7)
    told = list(reread(tmp_path, Mark()))
    screened = [row for each in told for row in each.screened]
    assert [s.id for each in told for s in each.samples] == [s.id for s in Run(tmp_path).samples()]
    assert [each.after.dialogues for each in told] == list(range(1, 8))
    assert [each.line["id"] for each in reread(tmp_path, told[3].after)] == [each.line["id"] for each in told[4:]]
    names = [name for name, _, _ in screened]
    assert len(set(names)) == len(names) and {tag for _, _, tag in screened} == {"en"}
    assert [n for n in names if n.startswith("d000001")] == ["d000001-a1", "d000001-a2", "d000001-b2"]
    assert [n for n in names if n.startswith("d000002-a") or n == "d000002-b1"] == ["d000002-a2", "d000002-b1"]
    talks = list(dict.fromkeys(n.rpartition("-")[0] for n in names))
    assert talks == ["d000001", "d000002", "d000003", "d000002-2", "d000004", "d000005"]  # the last is all copies
    assert dict((n, t) for n, t, _ in screened)["d000004-a1"] == f"{WASH} {NIGHT} {HOME}"  # as it was said


def test_a_run_without_a_line_has_nothing_to_restore(tmp_path: Path) -> None:
    RunFolder(tmp_path).close()
    assert list(reread(tmp_path, Mark())) == []


# --- Words of a sample ---------------------------------------------------------------------------------------


def test_the_answer_of_a_sample_is_what_was_said_or_mended() -> None:
    (commit,) = sift(make_sieve(), tell({"a": [WASH]}))
    sample = commit.samples[0]
    assert answer_of(sample) == WASH
    rewrites = tuple(Rewrite(original=WASH, text=t, reason="x", kept=k) for t, k in ((NURSE, False), (NIGHT, True)))
    assert answer_of(sample.model_copy(update={"findings": Findings(rewrites=rewrites)})) == NIGHT
    assert answer_of(sample.model_copy(update={"findings": Findings(rewrites=rewrites[:1])})) == WASH
    bare = {**sample.lineage, "claim": {"speaker": "a", "kind": "opinion", "quotes": []}}
    assert answer_of(sample.model_copy(update={"lineage": bare})) == sample.messages[-1]["content"]


def test_the_hash_of_a_text_is_over_its_words() -> None:
    assert text_hash(WASH) == text_hash(f"  {WASH.upper()}!!") != text_hash(SWAP)
    assert 0 <= text_hash("") < 2**64
    assert text_hash("It is \ud800 broken.") != text_hash(WASH)  # what is no text at all ends no run
