"""Stages that decide over what models said: what is missing is never a pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from culturepark.records import Findings, Rewrite, Score, Statement
from culturepark.refine.candidate import Candidate, Limits, Ruling, StageContext
from culturepark.refine.panel import aggregate, measure_spread
from culturepark.refine.stages import claims, fit, harm, quality, stance
from tests.builders import ENGLISH

FAILED = Findings(error="the reply was refused")


def judge(stage: Any, findings: Findings, kind: Any = "opinion", **limits: Any) -> Ruling:
    candidate = Candidate("d1-a1", "I say so.", "Why?", "arab", "EGY", "care", 1, kind)
    ruling: Ruling = stage.check(replace(candidate, findings=findings), StageContext(ENGLISH, Limits(**limits)))
    return ruling


# --- Stance --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        (Findings(stance="follows"), ""),
        (Findings(stance="contradicts"), "contradicts_stance"),
        (Findings(stance="silent"), "off_stance"),
        (Findings(), "unverified"),
        (FAILED, "unverified"),
        (Findings(stance="follows", error="broken"), "unverified"),
    ],
)
def test_only_what_follows_from_the_view_is_kept(findings: Findings, reason: str) -> None:
    assert judge(stance, findings).reason == reason


@pytest.mark.parametrize(
    ("setting", "kept"), [("keep", {"opinion", "norm", "custom"}), ("customs", {"custom"}), ("drop", set())]
)
def test_what_says_nothing_about_the_view_is_kept_by_setting(setting: str, kept: set[str]) -> None:
    kinds = ("opinion", "norm", "custom")
    assert {k for k in kinds if judge(stance, Findings(stance="silent"), k, silent_claims=setting).kept} == kept
    assert not any(judge(stance, Findings(stance="contradicts"), k, silent_claims=setting).kept for k in kinds)


def test_a_failed_repair_is_told() -> None:
    rewrite = Rewrite(original="x", text="y", reason="contradicts_stance", kept=False, fault="meaning_changed")
    ruling = judge(stance, Findings(stance="contradicts", rewrites=(rewrite,)))
    assert ruling.reason == "contradicts_stance" and "meaning_changed" in ruling.evidence


# --- Claims --------------------------------------------------------------------------------------------


def state(verdict: Any, kind: Any = "factual", text: str = "shops close at noon") -> Statement:
    known = {"source": "F3", "passage": "Shops close late."} if verdict != "unknown" else {}
    return Statement(text=text, kind=kind, verdict=verdict, **known)  # type: ignore[arg-type]


def test_one_contradicted_statement_drops_the_claim() -> None:
    found = Findings(statements=(state("supported"), state("unknown"), state("contradicted", "normative")))
    ruling = judge(claims, found)
    assert ruling.reason == "fact_contradicted"
    assert all(part in ruling.evidence for part in ("shops close at noon", "F3", "Shops close late."))


def test_unknown_facts_are_counted_or_dropped() -> None:
    found = Findings(
        statements=(state("unknown"), state("unknown", text="tea is sweet"), state("unknown", "normative"))
    )
    assert judge(claims, found) == Ruling(tags=("unknown_facts:2",))
    dropped = judge(claims, found, unknown_claims="drop")
    assert (dropped.reason, dropped.evidence) == ("fact_unknown", "shops close at noon")


@pytest.mark.parametrize("statements", [(), (state("supported"),), (state("unknown", "normative"),)])
def test_other_statements_pass(statements: tuple[Statement, ...]) -> None:
    assert judge(claims, Findings(statements=statements), unknown_claims="drop") == Ruling()


def test_an_unreadable_check_passes_neither_claims_nor_quality() -> None:
    assert judge(claims, FAILED).reason == judge(quality, FAILED).reason == "unverified"


# --- Harm and fit --------------------------------------------------------------------------------------


def marks(harm: Any = (1,), fit: Any = (5,)) -> Findings:
    given = [("harm", k, v) for k, v in enumerate(harm)] + [("fit", k, v) for k, v in enumerate(fit)]
    return Findings(scores=tuple(Score(axis=a, judge=f"j{k}", value=v, reason="so") for a, k, v in given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "by", "reason"),
    [
        ((1, 1, 1), "mean", ""),
        ((2, 2, 2), "mean", ""),
        ((1, 2, 3), "mean", ""),
        ((2, 2, 3), "mean", "harm"),
        ((5,), "mean", "harm"),
        ((1, 1, 3), "max", "harm"),
        ((1, 2, 4), "median", "judges_disagree"),
        ((1, 3, 3), "median", "harm"),
        ((1, 1, 4), "mean", "judges_disagree"),
        ((1, 4), "mean", "harm"),
        ((1, None, 1), "mean", "no_score"),
        ((5, None), "mean", "no_score"),
        ((None,), "mean", "no_score"),
    ],
)
def test_harm_is_dropped_above_the_limit(values: tuple[int | None, ...], by: str, reason: str) -> None:
    assert judge(harm, marks(values, (5,) * len(values)), harm_by=by).reason == reason


@pytest.mark.parametrize(
    ("values", "by", "reason"),
    [
        ((5, 4, 3), "min", ""),
        ((5, 4, 2), "mean", "judges_disagree"),
        ((4, 4, 2), "min", "poor_fit"),
        ((4, 4, 2), "mean", ""),
        ((4, 4, 2), "median", ""),
        ((1, 1), "min", "poor_fit"),
        ((1, 4), "min", "judges_disagree"),
        ((5, None), "min", "no_score"),
        ((None, None), "mean", "no_score"),
    ],
)
def test_fit_is_dropped_below_the_limit(values: tuple[int | None, ...], by: str, reason: str) -> None:
    assert judge(fit, marks((1,) * len(values), values), fit_by=by).reason == reason


def test_disagreement_on_either_axis_is_for_people() -> None:
    ruling = judge(fit, marks((1, 4), (5, 5)))
    assert ruling.reason == "judges_disagree" and ruling.evidence == "harm: j0 1, j1 4"
    assert judge(fit, marks((1, 3), (5, 3))).kept


def test_without_any_judge_the_caller_decides() -> None:
    assert judge(harm, Findings()) == judge(fit, Findings()) == Ruling(tags=("unjudged",))


@pytest.mark.parametrize(("found", "stage"), [(marks((), (5, 5)), harm), (marks((1, 1), ()), fit)])
def test_a_missing_axis_is_no_pass(found: Findings, stage: Any) -> None:
    assert judge(stage, found).reason == "no_score"


def test_a_judge_who_is_missing_on_one_axis_is_no_pass() -> None:
    assert judge(harm, marks((1,), (5, 5))).reason == "no_score"
    assert judge(fit, marks((1, 1), (5,))).reason == "no_score"


def test_a_value_does_not_make_up_for_a_blank_of_the_same_judge() -> None:
    blank = Score(axis="harm", judge="j0", value=None, reason="cut")
    found = marks()
    ruling = judge(harm, found.model_copy(update={"scores": (*found.scores, blank)}))
    assert ruling.reason == "no_score" and "j0" in ruling.evidence and "cut" in ruling.evidence


def test_the_evidence_names_judge_mark_and_reason() -> None:
    assert judge(harm, marks((3, 4), (5, 5))).evidence == "mean 3.5; j1: 4, so"
    assert judge(fit, marks((1, 1), (3, 2))).evidence == "min 2; j1: 2, so"


def test_arithmetic_of_a_panel() -> None:
    assert [aggregate([1, 2, 2, 5], by) for by in ("mean", "median", "min", "max")] == [2.5, 2, 1, 5]
    assert (measure_spread(marks((1, 5)).scores, "harm"), measure_spread((), "fit")) == (4, 0)


# --- Quality -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grades", "least", "reason"),
    [
        ((3, 4), 12, ""),
        ((3, 4), 12.5, "low_quality"),
        ((2.5, 4.0), 10, ""),
        ((1, 1), 0, ""),
        ((None, None), 0, ""),
        ((None, 6), 1, "no_score"),
        ((6, None), 1, "no_score"),
    ],
)
def test_quality_is_complexity_times_quality(grades: tuple[Any, Any], least: float, reason: str) -> None:
    ruling = judge(quality, Findings(complexity=grades[0], quality=grades[1]), min_quality=least)
    assert ruling.reason == reason and ruling.tags == ()
