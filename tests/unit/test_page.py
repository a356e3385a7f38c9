"""The readable report: which figures it shows, what is said where there is none, and runs side by side."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from culturepark.runs.page import Row, compare_rows, list_rows, write_report


def figure(value: float | None, n: int = 5, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"value": value, "n": n, "reason": reason, **more}


def texts(value: float) -> dict[str, Any]:
    names = ("distinct_1", "distinct_2", "distinct_3", "self_bleu_4", "near_copies", "compression")
    made: dict[str, Any] = {name: figure(value + k / 100, 7) for k, name in enumerate(names)}
    made["semantic"] = {"dispersion": figure(0.4), "mean_cosine": figure(0.3), "vendi": figure(12.5)}
    return made


MANIFEST: dict[str, Any] = {
    "fingerprint": "0123456789abcdef",
    "state": "complete",
    "config": {"n": 10, "model": "fake", "preset": "default"},
    "counts": {
        "candidates": 20,
        "accepted": 10,
        "rejected": 7,
        "failed": 3,
        "reasons": {"harm": 5, "unverified": 3, "near_copy": 2},
        "kinds": {"opinion": 6, "norm": 4},
        "forms": {"single": 8, "multi": 2},
        "tags": {"repaired": 1},
        "stages": {"harm": {"korean": [6, 4], "arab": [9, 1]}, "fit": {"arab": [8, 0]}},
    },
    "fidelity": {
        "arab": {"topics": 4, "js_before": 0.2, "js_mean": 0.1, "js_max": 0.3, "js_max_topic": "care", "js_floor": 0.05}
    },
    "keep_rates": {"arab": 0.6, "korean": 0.35},
    "keep_ratio": 1.714,
    "alarms": ["The stages keep 60% of arab but 35% of korean candidates"],
    "per_sample": {
        "all": {"calls": 1.9, "input": 3000.4, "cached": 1800.0, "output": 250.6},
        "turn": {"calls": 1.2, "input": 2000.0, "cached": 1500.0, "output": 200.0},
    },
    "measures": {
        "opinions": {
            "before": figure(0.6, 4),
            "after": figure(0.4, 4),
            "drift": figure(-0.2, 4),
            "ends": {"moved": 1, "same": 3},
            "agreeing_openings": {"value": 0.25, "n": 24},
            "contrast": {"value": None, "n": 0},
        },
        "diversity": {"arab": texts(0.5), "all": texts(0.7)},
        "template": {"between": figure(0.1), "within": figure(0.2), "ratio": figure(None, 0, "no topic with two")},
        "statements": {"accepted": {"factual supported": 3, "factual unknown": 1}, "dropped": {}},
        "panel": {
            "harm": {
                "judges": {"j1": 20, "j2": 19},
                "mean_score": {"j1": 1.5, "j2": 2.25},
                "mean_kappa": figure(0.6, 1, low=0.4, high=0.8),
                "alpha": figure(0.55, 19, low=0.3, high=0.7),
                "people": None,
            },
            "fit": {},
        },
        "review": 0,
    },
}


def change(**parts: Any) -> dict[str, Any]:
    made = copy.deepcopy(MANIFEST)
    for path, value in parts.items():
        *way, last = path.split("__")
        place = made
        for step in way:
            place = place[step]
        place[last] = value
    return made


def find(manifest: dict[str, Any], name: str, heading: str = "") -> Row:
    (row,) = [r for r in list_rows(manifest) if r.name == name and heading in r.heading]
    return row


# --- Rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "note"),
    [
        ("candidates", "20", ""),
        ("accepted", "10", "50.0 %"),
        ("failed", "3", "15.0 %"),
        ("not used: harm", "5", "25.0 %"),
        ("share of norms", "0.400", "4 samples"),
        ("share of customs", "0.000", "0 samples"),
        ("form multi", "2", ""),
        ("tagged repaired", "1", ""),
        ("arab: before refinement", "0.200", "mean over 4 topics"),
        ("arab: accepted samples", "0.100", "mean over 4 topics"),
        ("arab: largest", "0.300", "care"),
        ("arab: whole numbers alone", "0.050", "what n itself costs"),
        ("drift (below 0: toward agreement)", "-0.200", "n = 4 talks"),
        ("turns that begin by agreeing", "0.250", "n = 24 turns"),
        ("turns with a contrast", "-", "n = 0 turns"),
        ("speakers whose view ended moved", "0.250", "1 of 4"),
        ("arab: distinct-2", "0.510", "n = 7"),
        ("all: share with a near copy", "0.740", "n = 7"),
        ("all: compression ratio (lower is more varied)", "0.750", "n = 7"),
        ("arab: semantic mean cosine", "0.300", "n = 5"),
        ("likeness between cultures, marker words removed", "0.100", "n = 5"),
        ("template ratio, marker words removed", "-", "no topic with two"),
        ("accepted: factual unknown", "0.250", "1 of 4"),
        ("harm: mean of j2", "2.25", "19 candidates"),
        ("harm: mean kappa (quadratic)", "0.600", "n = 1 candidates, 95 % 0.400 to 0.800"),
        ("harm: Krippendorff's alpha (interval)", "0.550", "n = 19 candidates, 95 % 0.300 to 0.700"),
        ("kept of korean", "0.350", ""),
        ("highest keep-rate over lowest", "1.71", "alarm above 1.5"),
        ("dropped by harm", "5 of 15", "arab 1 of 9, korean 4 of 6"),
        ("dropped by fit", "0 of 8", "arab 0 of 8"),
        ("all", "1.90 calls", "3000 tokens in (1800 cached), 251 out"),
    ],
)
def test_each_figure_has_its_row(name: str, value: str, note: str) -> None:
    row = find(MANIFEST, name)
    assert (row.value, row.note) == (value, note)


def test_no_two_rows_are_called_the_same() -> None:
    names = [(row.heading, row.name) for row in list_rows(MANIFEST)]
    assert len(set(names)) == len(names) > 50


def test_a_single_judge_has_no_agreement() -> None:
    one = change(measures__panel__harm__judges={"j1": 20}, measures__panel__harm__mean_score={"j1": 1.5})
    names = [row.name for row in list_rows(one) if row.heading == "Judges"]
    assert names == ["harm: mean of j1"]


def test_people_stand_beside_the_judges() -> None:
    marks = {key: figure(0.7, 9) for key in ("a_mh", "difference", "pearson", "mae")}
    people = {
        "items": 9,
        "people": {"ann": 9},
        "a_hh": figure(None, 0, "fewer than two people"),
        "judges": {"j1": marks},
    }
    found = change(measures__panel__harm__people=people)
    assert find(found, "harm: people with people (kappa)").note == "fewer than two people"
    for key in marks:
        assert find(found, f"harm: j1 with people, {key}").value == "0.700"


def test_what_is_missing_is_a_dash_with_its_reason() -> None:
    drift = find(change(measures__opinions__drift=figure(None, 0, "nobody tells")), "drift (below 0: toward agreement)")
    assert (drift.value, drift.note) == ("-", "nobody tells")
    fidelity = {**MANIFEST["fidelity"]["arab"], "js_mean": None, "js_before": None, "js_max": None, "js_floor": None}
    empty = change(fidelity={"arab": fidelity})
    assert {find(empty, f"arab: {part}").value for part in ("before refinement", "accepted samples", "largest")} == {
        "-"
    }


def test_without_an_encoder_there_is_no_spread_of_meanings() -> None:
    bare = change()
    del bare["measures"]["diversity"]["all"]["semantic"]
    names = [row.name for row in list_rows(bare)]
    assert "arab: semantic vendi" in names and "all: semantic vendi" not in names and "all: distinct-1" in names


def test_a_run_at_work_or_without_measures_has_a_report() -> None:
    bare = {
        "fingerprint": "x",
        "state": "running",
        "config": {"n": 10, "model": None, "preset": "classic"},
        "counts": {"candidates": 0, "accepted": 0, "rejected": 0, "failed": 0, "reasons": {}},
    }
    for measures in ({}, None):
        rows = list_rows({**bare, "measures": measures})
        assert {row.heading for row in rows} == {"Candidates", "Samples"}
    assert "0 of 10 samples, state running" in write_report(bare)


# --- The page ------------------------------------------------------------------------------------------------


def test_the_page_begins_with_what_the_run_is() -> None:
    page = write_report(MANIFEST)
    assert page.startswith("# Report of a run\n\n10 of 10 samples, state complete, model `fake`, preset default,")
    assert "0123456789abcdef" in page and page.endswith("|\n")
    assert "\n**The stages keep 60% of arab but 35% of korean candidates**\n" in page
    assert "**" not in write_report(change(alarms=[]))


def test_every_row_stands_under_its_heading_once() -> None:
    page = write_report(MANIFEST)
    rows = list_rows(MANIFEST)
    headings = list(dict.fromkeys(row.heading for row in rows))
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == headings
    sections = page.split("\n## ")[1:]
    for heading, section in zip(headings, sections, strict=True):
        lines = section.rstrip("\n").split("\n")
        assert lines[:4] == [heading, "", "| figure | value | note |", "| --- | --- | --- |"]
        mine = [row for row in rows if row.heading == heading]
        assert lines[4:] == [f"| {row.name} | {row.value} | {row.note} |" for row in mine]


@pytest.mark.parametrize("bad", ["a|b", "a\nb", "<script>x</script>", "`rm`", "a\u202eb", "a\x1b[31mb", "a\r| x | y |"])
def test_names_from_outside_cannot_break_the_table(bad: str) -> None:
    judges = {bad: 20, "j2": 19}
    manifest = change(
        config__model=bad,
        measures__panel__harm__judges=judges,
        measures__panel__harm__mean_score={bad: 1.5, "j2": 2.25},
        counts__reasons={bad: 1},
    )
    page, plain = write_report(manifest), write_report(MANIFEST)
    assert not {"<", ">", "\u202e", "\x1b", "\r"} & set(page)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert all(line.count("|") == 4 for line in rows)
    assert len(page.splitlines()) == len(plain.splitlines()) - 2  # two reasons fewer
    assert page.splitlines()[2].count("`") == 2
    if bad == "a\nb":
        assert "| harm: mean of a b |" in page and "model `a b`" in page


# --- Side by side --------------------------------------------------------------------------------------------


def test_runs_stand_side_by_side_in_the_order_given() -> None:
    other = change(counts__accepted=9, measures__opinions__drift=figure(-0.5, 3))
    rows = compare_rows([MANIFEST, other])
    assert ("Candidates", "accepted", ["10", "9"]) in rows
    assert ("Opinions before and after the talk", "drift (below 0: toward agreement)", ["-0.200", "-0.500"]) in rows
    assert compare_rows([other, MANIFEST])[1][2] == ["9", "10"]
    assert len(rows) == len(list_rows(MANIFEST))


def test_what_only_one_run_has_is_a_dash_in_the_other() -> None:
    other = change(counts__reasons={"poor_fit": 4}, counts__forms={"preference": 3})
    del other["measures"]
    rows = {(heading, name): values for heading, name, values in compare_rows([MANIFEST, other, MANIFEST])}
    assert rows["Candidates", "not used: poor_fit"] == ["-", "4", "-"]
    assert rows["Candidates", "not used: harm"] == ["5", "-", "5"]
    assert rows["Samples", "form preference"] == ["-", "3", "-"]
    assert rows["Diversity", "all: distinct-1"] == ["0.700", "-", "0.700"]


def test_headings_stay_together_and_in_order() -> None:
    other = change(counts__reasons={"poor_fit": 4})
    found = [heading for heading, _, _ in compare_rows([MANIFEST, other])]
    assert list(dict.fromkeys(found)) == [h for k, h in enumerate(found) if k == 0 or found[k - 1] != h]
    assert list(dict.fromkeys(found)) == list(dict.fromkeys(row.heading for row in list_rows(MANIFEST)))
    assert compare_rows([]) == []
