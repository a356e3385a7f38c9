"""The table of stages: which run and in what order, and what one pass through a group leaves behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from culturepark.config import PRESETS
from culturepark.errors import ConfigError
from culturepark.records import Verdict
from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.stages import GROUPS, STAGES, Group, Stage, find_text_fault, run_stages, settle_stages
from tests.builders import ENGLISH

PROTECTING = ("essentialism", "personal_data", "real_people", "harm")
CANDIDATE = Candidate("d1-a1", "I say so myself.", "Why?", "arab", "EGY", "care", 1, "opinion")
CONTEXT = StageContext(ENGLISH)


def refusal(order: tuple[str, ...], skip: tuple[str, ...] = ()) -> str:
    with pytest.raises(ConfigError) as caught:
        settle_stages(order, skip)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- Which stages --------------------------------------------------------------------------------------


def test_without_wishes_all_stages_run_in_the_order_of_the_table() -> None:
    assert settle_stages(()) == tuple(STAGES)
    groups = [GROUPS.index(stage.group) for stage in STAGES.values()]
    assert groups == sorted(groups) and set(groups) == set(range(len(GROUPS)))


def test_stages_can_be_left_out_and_put_in_another_order() -> None:
    assert settle_stages((), ("length", "fit", "fit")) == tuple(s for s in STAGES if s not in ("length", "fit"))
    order = ("real_people", "personal_data", "length", "essentialism", "near_copies", "stance", "harm")
    assert settle_stages(order) == order
    assert settle_stages(order, ("length", "moved")) == tuple(s for s in order if s != "length")


@pytest.mark.parametrize("as_skip", [False, True])
def test_an_unknown_stage_is_refused_with_the_nearest_and_the_known_ones(as_skip: bool) -> None:
    message = refusal((), ("near_copy",)) if as_skip else refusal(("near_copy", "harm"))
    assert "'near_copy' (did you mean 'near_copies'?)" in message
    assert all(name in message for name in STAGES)


def test_a_stage_named_twice_is_refused() -> None:
    assert "'length' is named twice" in refusal(("length", *(s for s in STAGES if s != "length"), "length"))


def test_what_protects_people_cannot_be_left_out() -> None:
    assert tuple(name for name, stage in STAGES.items() if stage.required) == PROTECTING
    for name in PROTECTING:
        assert f"'{name}' protects people" in refusal((), (name,))
        assert f"'{name}' protects people" in refusal(tuple(s for s in STAGES if s != name))
        assert f"'{name}' protects people" in refusal((*(s for s in STAGES),), ("length", name))
    assert settle_stages(PROTECTING) == PROTECTING
    assert "protects people" in refusal(("form",))


def test_all_but_what_protects_people_can_be_left_out() -> None:
    assert settle_stages((), tuple(s for s in STAGES if s not in PROTECTING)) == PROTECTING


def test_groups_keep_their_order() -> None:
    text = tuple(s for s in STAGES if STAGES[s].group == "text")
    message = refusal(("near_copies", *text, "harm"))
    assert "'form' (text) must come before 'near_copies' (run)" in message and ", ".join(GROUPS) in message
    before = ("essentialism", "personal_data", "real_people")
    for first, second in (("harm", "stance"), ("harm", "near_copies"), ("semantic_copies", "harm"), ("harm", "claims")):
        assert f"{second!r} ({STAGES[second].group}) must come before {first!r}" in refusal((*before, first, second))
    assert "'length' (text) must come before 'harm' (judge)" in refusal((*before, "harm", "length"))


def test_the_presets_name_stages_that_may_be_left_out() -> None:
    for name, preset in PRESETS.items():
        settled = settle_stages((), preset.get("skip", ()))
        assert set(PROTECTING) <= set(settled), name
    assert "stance" in settle_stages((), PRESETS["classic"]["skip"])


def test_the_page_for_users_lists_the_same_stages() -> None:
    page = (Path(__file__).parents[2] / "docs" / "refinement.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`( \*)? \| (\w+) \|", page, re.MULTILINE)
    assert [(n, g, bool(star)) for n, star, g in rows] == [(n, s.group, s.required) for n, s in STAGES.items()]


# --- One pass ------------------------------------------------------------------------------------------------


Table = Callable[..., list[str]]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """Fill the table with stages that rule as told; returns a list of the stages that were asked."""

    def fill(group: Group = "text", **rulings: Ruling) -> list[str]:
        asked: list[str] = []
        for name, ruling in rulings.items():

            def check(candidate: Candidate, context: StageContext, name: str = name, ruling: Ruling = ruling) -> Ruling:
                assert context is CONTEXT
                asked.append(name)
                return ruling

            monkeypatch.setitem(STAGES, name, Stage(group, check))
        return asked

    return fill


def test_the_first_drop_ends_the_way(table: Table) -> None:
    asked = table(one=KEPT, two=Ruling("bad", "because"), three=Ruling("worse"))
    found = run_stages(CANDIDATE, CONTEXT, ("one", "two", "three"), "text")
    assert asked == ["one", "two"]
    assert found.verdicts == (
        Verdict(stage="one", kept=True),
        Verdict(stage="two", kept=False, reason="bad", evidence="because"),
    )
    assert found.dropped == found.verdicts[-1]
    assert run_stages(found, CONTEXT, ("three",), "text") == found and asked == ["one", "two"]


def test_the_order_is_the_users_and_other_groups_wait(table: Table) -> None:
    asked = table(one=KEPT, two=KEPT)
    asked_later = table("judge", three=Ruling("bad"))
    found = run_stages(CANDIDATE, CONTEXT, ("two", "three", "one"), "text")
    assert (asked, asked_later) == (["two", "one"], []) and found.dropped is None
    found = run_stages(found, CONTEXT, ("two", "three", "one"), "judge")
    assert asked_later == ["three"] and [v.stage for v in found.verdicts] == ["two", "one", "three"]
    assert run_stages(CANDIDATE, CONTEXT, (), "text") == CANDIDATE


def test_tags_are_gathered_once(table: Table) -> None:
    table(one=Ruling(tags=("x", "y")), two=Ruling(tags=("y", "z")), three=Ruling("bad", tags=("w",)))
    tagged = replace(CANDIDATE, tags=("z", "repaired"))
    assert run_stages(tagged, CONTEXT, ("one", "two"), "text").tags == ("z", "repaired", "x", "y")
    assert run_stages(tagged, CONTEXT, ("one", "three"), "text").tags == ("z", "repaired", "x", "y", "w")


def test_evidence_is_cut(table: Table) -> None:
    table(one=Ruling("bad", "e" * 301), two=Ruling(evidence="f" * 999))
    assert run_stages(CANDIDATE, CONTEXT, ("one",), "text").verdicts[0].evidence == "e" * 300
    assert run_stages(CANDIDATE, CONTEXT, ("two",), "text").verdicts[0].evidence == "f" * 300


def test_the_candidate_itself_stays_as_it_is(table: Table) -> None:
    table(one=Ruling("bad", tags=("x",)))
    run_stages(CANDIDATE, CONTEXT, ("one",), "text")
    assert CANDIDATE.verdicts == () and CANDIDATE.tags == ()


def test_a_new_text_is_judged_without_its_past(table: Table) -> None:
    table(one=KEPT, two=Ruling("bad"))
    asked_later = table("judge", three=Ruling("worse"))
    dropped = replace(CANDIDATE, verdicts=(Verdict(stage="stance", kept=False, reason="contradicts_stance"),))
    assert find_text_fault(dropped, CONTEXT, ("one", "three")) == "" and asked_later == []
    assert find_text_fault(dropped, CONTEXT, ("one", "two", "three")) == "bad"


def test_the_real_stages_keep_a_plain_answer_and_say_why_not() -> None:
    text = "I wash my mother's hair every Friday, because she did it for me."
    passed = run_stages(replace(CANDIDATE, text=text), CONTEXT, settle_stages(()), "text")
    assert passed.dropped is None and len(passed.verdicts) == sum(s.group == "text" for s in STAGES.values())
    assert find_text_fault(replace(CANDIDATE, text="All Koreans are polite to me, I find it so."), CONTEXT, settle_stages(())) == "essentialism"  # fmt: skip
