"""What a run says about itself: figures over records written by hand, so that each has one right value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import culturepark.runs.measure
from culturepark.culture.profiles import load_profiles
from culturepark.records import Dialogue, Findings, Rejected, Rewrite, Sample, Score, Shift, Statement
from culturepark.refine.encoder import Encoder, Engine
from culturepark.runs.folder import Run
from culturepark.runs.journal import Commit, RunFolder
from culturepark.runs.measure import list_markers, measure_opinions, measure_run, measure_texts, needs_review
from culturepark.runs.page import list_rows, write_report
from tests.builders import TOPIC, make_dialogue, make_people, make_persona, make_turns

TOPICS = {"care": TOPIC}
WASH = "I wash my mother's hair every Friday, because she did it for me."
NURSE = "We paid a nurse for my father, since none of us could lift him."
NIGHT = "My wife and I take turns at night, so no stranger sleeps there."


def make_sample(number: int, text: str = WASH, **changes: Any) -> Sample:
    quote = {"turn": 0, "sentences": [1], "texts": [text]}
    lineage = {
        "dialogue": changes.pop("talk", f"d{number:06d}"),
        "claim": {"speaker": "a", "kind": "opinion", "quotes": [quote]},
    }
    values: dict[str, Any] = {
        "id": f"d{number:06d}-a1",
        "messages": ({"role": "user", "content": "Why?"}, {"role": "assistant", "content": text}),
        "culture": "arab",
        "country": "EGY",
        "language": "en",
        "topic": "care",
        "theme": "family",
        "answer": 1,
        "answer_label": "x",
        "kind": "opinion",
        "form": "single",
        "lineage": lineage,
        "verdicts": (),
    }
    return Sample(**{**values, **changes})


def make_lost(number: int, reason: str = "harm", **changes: Any) -> Rejected:
    values: dict[str, Any] = {
        "id": f"d{number:06d}-b1",
        "status": "rejected",
        "stage": "harm",
        "reason": reason,
        "culture": "korean",
        "country": "KOR",
        "topic": "care",
        "answer": 5,
        "dialogue": f"d{number:06d}",
        "speaker": "b",
    }
    return Rejected(**{**values, **changes})


def write_run(
    path: Path, samples: Sequence[Sample] = (), lost: Sequence[Rejected] = (), talks: Sequence[Dialogue] = ()
) -> Run:
    folder = RunFolder(path)
    try:
        folder.write_manifest({"fingerprint": "x"})
        kept = list(talks) or [make_dialogue(make_turns(WASH, NURSE))]
        for position, dialogue in enumerate(kept):
            mine = (list(samples), list(lost)) if position == 0 else ([], [])
            folder.write(Commit(position, dialogue, *mine, (0, 0), ()))
    finally:
        folder.close()
    return Run(path)


def measure(path: Path, *records: Sample | Rejected, encoder: Encoder | None = None, **more: Any) -> dict[str, Any]:
    samples = [r for r in records if isinstance(r, Sample)]
    lost = [r for r in records if isinstance(r, Rejected)]
    run = write_run(path, samples, lost, more.pop("talks", ()))
    return measure_run(run, TOPICS, more.pop("profiles", {}), encoder, more.pop("people", None))


def marks(harm: dict[str, int | None] | None = None, fit: dict[str, int | None] | None = None) -> Findings:
    scores = [Score(axis="harm", judge=j, value=v) for j, v in (harm or {}).items()]
    return Findings(scores=(*scores, *(Score(axis="fit", judge=j, value=v) for j, v in (fit or {}).items())))


# --- Texts -------------------------------------------------------------------------------------------------


def test_diversity_is_told_by_culture_and_together(tmp_path: Path) -> None:
    found = measure(tmp_path, make_sample(1), make_sample(2), make_sample(3, NURSE, culture="korean"))["diversity"]
    assert list(found) == ["arab", "korean", "all"]
    assert (found["arab"]["distinct_1"]["n"], found["all"]["distinct_1"]["n"]) == (26, 40)
    assert found["arab"]["near_copies"]["value"] == 1.0 and found["all"]["near_copies"]["value"] == 0.6667
    assert found["korean"]["self_bleu_4"] == {"value": None, "n": 1, "reason": "fewer than two texts"}
    assert "semantic" not in found["all"]


def test_what_is_measured_is_the_speakers_words_as_mended(tmp_path: Path) -> None:
    chat = ({"role": "user", "content": "Why?"}, {"role": "assistant", "content": f"{NURSE} {WASH} {NIGHT}"})
    rewrite = Rewrite(original=WASH, text="I care.", reason="contradicts_stance", kept=True)
    talk = make_sample(1, form="multi", messages=chat)
    mended = make_sample(2, culture="korean", findings=Findings(rewrites=(rewrite,)))
    found = measure(tmp_path, talk, mended)["diversity"]
    assert found["arab"]["distinct_1"]["n"] == 13 and found["korean"]["distinct_1"]["n"] == 2


def test_texts_are_sampled_so_that_memory_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(culturepark.runs.measure, "TEXTS", 2)
    found = measure(tmp_path, *(make_sample(k) for k in range(1, 9)))["diversity"]
    assert found["arab"]["distinct_1"]["n"] == 26


def test_without_texts_there_are_reasons_and_no_figures() -> None:
    found = measure_texts([], None)
    assert set(found) == {"distinct_1", "distinct_2", "distinct_3", "self_bleu_4", "near_copies", "compression"}
    assert all(figure["value"] is None and figure["reason"] for figure in found.values())


def make_encoder(asked: list[str], languages: str = "en") -> Encoder:
    def embed(texts: Sequence[str]) -> Any:
        asked.extend(texts)
        return np.array([[len(t) % 7 + 1, t.count("e"), 1.0] for t in texts], dtype=np.float32)

    return Encoder((Engine("toy", frozenset((languages,)), 0.9, 0.9, embed),))


def test_meanings_are_spread_where_the_encoder_knows_the_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(culturepark.runs.measure, "ENCODED", 2)
    samples = [make_sample(k, text) for k, text in enumerate((WASH, NURSE, NIGHT), 1)]
    asked: list[str] = []
    found = measure(tmp_path / "en", *samples, encoder=make_encoder(asked))["diversity"]
    assert found["arab"]["semantic"]["dispersion"]["n"] == 2 and 0 < found["arab"]["semantic"]["vendi"]["value"] <= 2
    assert asked == [WASH, NURSE]  # once: "all" is made of the cultures' vectors
    other = measure(tmp_path / "xx", *samples, encoder=make_encoder(asked, "xx"))["diversity"]
    assert "semantic" not in other["arab"]


def test_the_language_is_that_of_most_samples(tmp_path: Path) -> None:
    samples = [make_sample(1, language="de"), make_sample(2), make_sample(3)]
    asked: list[str] = []
    measure(tmp_path / "en", *samples, encoder=make_encoder(asked, "de"))
    assert asked == []
    measure(tmp_path / "de", *samples[:2], make_sample(3, language="de"), encoder=make_encoder(asked, "de"))
    assert asked != []


# --- Templates ---------------------------------------------------------------------------------------------


def test_the_same_words_under_other_names_are_a_template(tmp_path: Path) -> None:
    profiles = {c: p for c, p in load_profiles().items() if c in ("arab", "korean")}
    same = "In {} I care for my old mother at home and cook her soup with my own hands."
    samples = [
        make_sample(k, same.format(place), culture=culture)
        for k, (culture, place) in enumerate((("arab", "Egypt"), ("arab", "Jordan"), ("korean", "South Korea")), 1)
    ]
    found = measure(tmp_path / "same", *samples, profiles=profiles)["template"]
    assert found["between"] == {"value": 1.0, "n": 2, "reason": ""} and found["ratio"]["value"] == 1.0
    assert found["removed"]["value"] > 0
    nameless = measure(tmp_path / "bare", *samples)["template"]  # no profile, no markers
    assert nameless["between"]["value"] < 1.0 and nameless["removed"]["value"] == 0
    together = [s.model_copy(update={"lineage": {**s.lineage, "dialogue": "d1"}}) for s in samples]
    assert measure(tmp_path / "one", *together, profiles=profiles)["template"]["between"]["value"] is None


def test_markers_are_the_names_that_tell_a_culture() -> None:
    profile = load_profiles()["korean"]
    found = set(list_markers(profile))
    assert {profile.name, profile.countries[0].name, profile.countries[0].adjective} <= found
    assert {p.name for p in profile.countries[0].places if len(p.name) > 2} <= found
    given = {
        n for by_gender in profile.names.values() for names in by_gender.values() for n in (*names.any, *names.older)
    }
    assert {n for n in given if len(n) > 2} <= found and all(len(word) > 2 for word in found)
    assert {a for a in profile.aliases if len(a) > 2} <= found


# --- Statements and judges ---------------------------------------------------------------------------------


def test_statements_are_counted_by_kind_and_verdict(tmp_path: Path) -> None:
    known = Statement(text="Shops close.", kind="factual", verdict="supported", source="F:1", passage="x")
    open_ = Statement(text="It is right.", kind="normative", verdict="unknown")
    wrong = Statement(text="Shops open.", kind="factual", verdict="contradicted", source="F:1", passage="x")
    found = measure(
        tmp_path,
        make_sample(1, findings=Findings(statements=(known, open_))),
        make_sample(2, findings=Findings(statements=(known,))),
        make_lost(1, "fact_contradicted", findings=Findings(statements=(wrong, known))),
    )["statements"]
    assert found == {
        "accepted": {"factual supported": 2, "normative unknown": 1},
        "dropped": {"factual contradicted": 1, "factual supported": 1},
    }


def test_what_judges_see_very_differently_is_for_people_to_look_at(tmp_path: Path) -> None:
    lost = [
        make_lost(1, "judges_disagree", findings=marks({"j1": 1, "j2": 4}, {"j1": 5, "j2": 5})),
        make_lost(2, "poor_fit", findings=marks({"j1": 1, "j2": 1}, {"j1": 5, "j2": 1})),
        make_lost(3, "harm", findings=marks({"j1": 3, "j2": 5}, {"j1": 2, "j2": 4})),  # 2 apart is not much
        make_lost(4, "no_score", findings=marks({"j1": 1, "j2": None}, {"j1": 5})),
        make_lost(5, "contradicts_stance"),
    ]
    assert [needs_review(record) for record in lost] == [True, True, False, False, False]
    assert measure(tmp_path, *lost)["review"] == 2


def test_judges_are_compared_over_kept_and_dropped_candidates(tmp_path: Path) -> None:
    found = measure(
        tmp_path,
        make_sample(1, findings=marks({"j1": 1, "j2": 1}, {"j1": 5, "j2": 4})),
        make_sample(2, findings=marks({"j1": 2, "j2": None}, {"j1": 4, "j2": 4})),
        make_lost(1, findings=marks({"j1": 5, "j2": 4})),
    )["panel"]
    assert found["harm"]["judges"] == {"j1": 3, "j2": 2} and found["harm"]["items"] == 3
    assert found["harm"]["mean_score"] == {"j1": 2.6667, "j2": 2.5}
    assert found["fit"]["judges"] == {"j1": 2, "j2": 2} and found["fit"]["mean_score"] == {"j1": 4.5, "j2": 4.0}
    assert found["harm"]["mean_kappa"]["value"] == 0.9231  # 1 - 0.5 / 6.5
    assert found["harm"]["people"] is None and found["harm"]["alpha"]["n"] > 0


def test_a_judge_who_gave_nothing_breaks_nothing(tmp_path: Path) -> None:
    found = measure(tmp_path, make_lost(1, "no_score", findings=marks({"j1": 3, "j2": None}, {"j2": None})))
    assert found["panel"]["harm"]["mean_score"] == {"j1": 3}
    write_report(manifest_of(found))


def test_people_are_set_against_the_judges_of_their_axis(tmp_path: Path) -> None:
    samples = [make_sample(k, findings=marks({"j1": k}, {"j1": 3})) for k in range(1, 6)]
    people = {"harm": {"ann": {s.id: min(5, k + 1) for k, s in enumerate(samples, 1)}}}
    found = measure(tmp_path, *samples, people=people)["panel"]
    assert found["fit"]["people"] is None
    told = found["harm"]["people"]
    assert told["people"] == {"ann": 5} and told["items"] == 5
    assert told["judges"]["j1"]["mae"]["value"] == 0.8 and told["judges"]["j1"]["pearson"]["value"] > 0.9
    assert told["a_hh"]["value"] is None


def test_scores_are_bounded_by_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(culturepark.runs.measure, "SCORED", 3)
    found = measure(tmp_path, *(make_sample(k, findings=marks({"j1": 1, "j2": 2})) for k in range(1, 8)))
    assert found["panel"]["harm"]["judges"] == {"j1": 3, "j2": 3}


# --- Opinions ----------------------------------------------------------------------------------------------


def talk(
    codes: Sequence[int | None] = (1, 5), ends: Sequence[tuple[str, int | None] | None] = (), **changes: Any
) -> Dialogue:
    """A talk of people with these codes; ``ends``: how each ended and with which code, or nothing."""
    people = make_people(len(codes), codes)
    shifts = tuple(
        Shift(speaker=seat, before=people[seat].stance.code, after=end[0], now=end[1])
        for seat, end in zip(people, ends, strict=False)
        if end
    )
    values: dict[str, Any] = {"personas": people, "shifts": shifts, **changes}
    return make_dialogue(values.pop("turns", ()), len(codes), **values)


def test_distance_before_and_after_a_talk() -> None:
    found = measure_opinions([talk((1, 5), (("same", None), ("moved", 3)))], TOPICS)
    assert found["before"] == {"value": 1.0, "n": 1} and found["after"] == {"value": 0.5, "n": 1}
    assert found["drift"] == {"value": -0.5, "n": 1} and found["ends"] == {"moved": 1, "same": 1}


def test_the_figures_are_means_over_talks_in_which_all_ends_are_known() -> None:
    talks = [
        talk((1, 5), (("same", 1), ("moved", 3))),  # 1 to 0.5
        talk((2, 2), (("moved", 1), ("moved", 5))),  # 0 to 1
        talk((1, 5), (("same", None), ("moved", None))),  # where to is not known
        talk((1, 5), (("same", None), ("unclear", None))),
        talk((1, 5), (("same", None), None)),
        talk((1, 5), (("same", None), ("same", None)), status="rejected", reason="loop"),
    ]
    found = measure_opinions(talks, TOPICS)
    assert (found["before"], found["after"]) == ({"value": 0.5, "n": 2}, {"value": 0.75, "n": 2})
    assert found["drift"] == {"value": 0.25, "n": 2} and found["talks"] == 5
    assert found["ends"] == {"moved": 4, "same": 4, "unclear": 1}


def test_a_table_of_three_and_somebody_without_a_stance() -> None:
    three = talk((1, 3, 5), (("same", None), ("moved", 1), ("same", None)))
    assert measure_opinions([three], TOPICS)["before"]["value"] == pytest.approx(4 / 6)
    assert measure_opinions([three], TOPICS)["after"]["value"] == pytest.approx(4 / 6)
    classic = talk((None, 5), (("unclear", None), ("same", None)))
    assert measure_opinions([classic], TOPICS)["before"]["value"] is None  # nobody to be apart from


@pytest.mark.parametrize("talks", [[], [talk((1, 5))], [talk((1, 5), (("same", None),) * 2, topic="unknown")]])
def test_what_no_talk_tells_is_undefined_with_a_reason(talks: list[Dialogue]) -> None:
    found = measure_opinions(talks, TOPICS)
    for key in ("before", "after", "drift"):
        assert found[key]["value"] is None and found[key]["n"] == 0 and found[key]["reason"]


def test_agreement_and_contrast_are_shares_of_turns() -> None:
    said = make_turns(
        "Yes, I agree with you.", "I pay a nurse, but I visit.", "She says yes to all.", "Exactly, however I pay."
    )
    found = measure_opinions([talk(turns=said), talk(turns=said[:2], status="failed")], TOPICS)
    assert found["agreeing_openings"] == {"value": 0.5, "n": 4} and found["contrast"] == {"value": 0.5, "n": 4}
    other = measure_opinions([talk(turns=said, language="xx")], TOPICS)
    assert other["contrast"] == other["agreeing_openings"] == {"value": None, "n": 0}


# --- The whole ---------------------------------------------------------------------------------------------


def manifest_of(measures: dict[str, Any]) -> dict[str, Any]:
    counts = {"candidates": 3, "accepted": 2, "rejected": 1, "failed": 0, "reasons": {}}
    config = {"n": 3, "model": "fake", "preset": "default"}
    return {"fingerprint": "x", "state": "complete", "config": config, "counts": counts, "measures": measures}


def test_an_empty_run_is_measured_and_has_a_report(tmp_path: Path) -> None:
    found = measure(tmp_path, encoder=make_encoder([]))
    assert found["diversity"].keys() == {"all"} and found["panel"] == {"harm": {}, "fit": {}} and found["review"] == 0
    page = write_report(manifest_of(found))
    assert "| all: distinct-1 | - |" in page


def test_all_figures_reach_the_report_and_come_out_alike_again(tmp_path: Path) -> None:
    samples = [
        make_sample(k, text, culture=culture, findings=marks({"j1": k, "j2": 2}, {"j1": 4, "j2": 5 - k}))
        for k, (text, culture) in enumerate(((WASH, "arab"), (NURSE, "arab"), (NIGHT, "korean")), 1)
    ]
    people = {"fit": {"ann": {s.id: 4 for s in samples}, "bob": {s.id: 3 for s in samples[:2]}}}
    talks = [talk((1, 5), (("same", None), ("moved", 4)), turns=make_turns(WASH, NURSE))]
    run = write_run(tmp_path, samples, [make_lost(1, "judges_disagree")], talks)
    found = measure_run(run, TOPICS, {}, make_encoder([]), people)
    assert found == measure_run(run, TOPICS, {}, make_encoder([]), people) == json.loads(json.dumps(found))
    text = json.dumps(found)
    assert all(len(number.partition(".")[2]) <= 4 for number in text.replace(",", " ").replace("}", " ").split() if number[:1].isdigit() and "." in number)  # fmt: skip
    headings = {row.heading for row in list_rows(manifest_of(found))}
    assert {"Opinions before and after the talk", "Diversity", "Judges"} <= headings
    names = [row.name for row in list_rows(manifest_of(found))]
    assert any("j1 with people" in name for name in names) and any("semantic vendi" in name for name in names)


def test_personas_of_these_tests_hold_the_codes_they_say() -> None:
    assert make_persona("a", 3).stance.code == 3 and talk((2, 4)).personas["b"].stance.code == 4
