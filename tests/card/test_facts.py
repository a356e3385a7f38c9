"""What the card says is what the manifest, the records and the files say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from culturepark.card.composition import write_composition
from culturepark.card.facts import gather_facts, measure_disagreement
from culturepark.card.quality import write_fidelity
from culturepark.card.reading import Card, read_card
from culturepark.card.write import write_card
from culturepark.errors import ConfigError, DataError
from culturepark.export.records import read_export
from culturepark.export.write import export_run
from culturepark.runs.folder import Run
from tests.card.conftest import TERMS


def make_card(run: Run, **terms: Any) -> Card:
    write_card(run.path, run, read_export(run.path), **{**TERMS, **terms})
    return read_card(run.path)


def rows_of(card: Card, *columns: str) -> list[dict[str, str]]:
    table = card.find_table(*columns)
    assert table is not None, columns
    return [dict(zip(table[0], row, strict=True)) for row in table[1:]]


def test_counts_are_those_of_the_samples(judged: Run) -> None:
    card, samples = make_card(judged), list(judged.samples())
    cultures = {row["culture"]: int(row["samples"]) for row in rows_of(card, "^culture$", "^samples$", "^share$")}
    assert cultures == judged.manifest["counts"]["by_culture"] == Counter(s.culture for s in samples)
    places = {(row["culture"], row["country"]): int(row["samples"]) for row in rows_of(card, "^country$", "^name$")}
    assert places == Counter((s.culture, s.country) for s in samples)
    histogram = rows_of(card, "^histogram$")
    for group, name in (("task type", "form"), ("claim", "kind"), ("language", "language")):
        found = {row["value"]: int(row["samples"]) for row in histogram if row["histogram"] == group}
        assert found == Counter(getattr(s, name) for s in samples)
    for row in rows_of(card, "^topic$", "^answers$"):
        own = [s for s in samples if (s.culture, s.topic) == (row["culture"], row["topic"])]
        assert int(row["samples"]) == len(own)
        assert int(row["task: single"]) == sum(s.form == "single" for s in own)
        label, number = Counter(s.answer_label for s in own).most_common(1)[0]
        assert f"{label} {number}" in row["answers"]


def test_rejections_and_stages_are_those_of_the_manifest(judged: Run) -> None:
    card, counts = make_card(judged), judged.manifest["counts"]
    reasons = {row["reason"]: int(row["candidates"]) for row in rows_of(card, "^reason$", "^candidates$")}
    assert counts["rejected"] > 0 and reasons == counts["reasons"]
    assert f"{counts['candidates']} candidates of the whole run: {counts['accepted']} accepted" in card.text
    for row in rows_of(card, "^stage$", "^seen$"):
        by_culture = counts["stages"][row["stage"]].values()
        assert (int(row["seen"]), int(row["dropped"])) == (sum(n[0] for n in by_culture), sum(n[1] for n in by_culture))


def test_fidelity_and_judges_are_the_measured_figures(judged: Run) -> None:
    card = make_card(judged)
    for row in rows_of(card, "before refinement", "^after$"):
        found = judged.manifest["fidelity"][row["culture"]]
        assert row["after"] == f"{found['js_mean']:.3f}"
        assert row["before refinement"] == f"{found['js_before']:.3f}"
        assert row["rounding alone"] == f"{found['js_floor']:.3f}"
    panel = judged.manifest["measures"]["panel"]
    rows = {row["axis"]: row for row in rows_of(card, "^axis$", "mean score")}
    assert set(rows) == {"harm", "fit"}
    for axis, row in rows.items():
        kappa = panel[axis]["mean_kappa"]
        assert (
            f"kappa {kappa['value']:.3f} ({kappa['low']:.3f} to {kappa['high']:.3f})"
            in row["agreement (95 % interval)"]
        )
        for judge, mean in panel[axis]["mean_score"].items():
            assert f"{judge} {mean:.2f}" in row["judges and mean score"]


def test_topic_ends_follow_the_stance_table(judged: Run) -> None:
    facts = gather_facts(judged, None)
    worst = judged.manifest["fidelity"]["arab"]
    assert f"{worst['js_max_topic'].replace('_', chr(92) + '_')} {worst['js_max']:.3f}" in write_fidelity(facts)
    (judged.path / "stances.csv").write_text("not,a,table\n1,2,3\n")
    assert "farthest" not in write_fidelity(facts)


def test_disagreement_is_the_entropy_of_answers(judged: Run) -> None:
    facts = gather_facts(judged, None)
    (topic,) = {t for _, t in facts.answers}
    facts.answers.clear()
    facts.answers["arab", topic].update({"Agree": 2, "Disagree": 2})
    facts.answers["korean", topic].update({"Agree": 4})
    found = measure_disagreement(facts)
    assert found["korean"] == (1.0, pytest.approx(0.0), 1)
    share, entropy, _ = found["arab"]
    assert share == 0.5 and 0.3 < entropy < 0.6  # one bit of the log2(5) or log2(4) that the scale allows


def test_an_export_of_one_culture_has_a_card_of_that_culture(judged: Run, tmp_path: Path) -> None:
    out = tmp_path / "one"
    export = export_run(judged, ["messages"], out, cultures=["korean"])
    write_card(out, judged, export, **TERMS)
    text = (out / "README.md").read_text()
    wanted = judged.manifest["counts"]["by_culture"]["korean"]
    assert f"{wanted} samples of 1 culture(s)" in text and "one culture only" in text
    assert "**Arab**" not in text
    write_card(judged.path, judged, None, **TERMS)
    write_card(judged.path, judged, export)  # a title nobody gave follows the cultures
    assert "# CulturePark opinions: Korean\n" in (judged.path / "README.md").read_text()


def test_classic_run_without_judges_or_export(classic: Run) -> None:
    card = make_card(classic)
    assert "preset classic" in card.text and "one judge: no agreement can be measured" in card.text
    assert [c["config_name"] for c in card.metadata["configs"]] == ["samples", "dialogues", "rejected"]
    assert card.data.rows == len(classic)


def test_refined_run_tells_both_steps(refined: Run) -> None:
    card = make_card(refined)
    block = re.search(r"```bash\n(.*?)```", card.text, re.DOTALL)
    assert block is not None
    first, second = block[1].split("culturepark refine TALKS")
    assert "--min-fit" not in first and "--min-fit 5.0" in second and "only the refinement was done again" in card.text
    assert f"the run has {len(refined)} of 40 samples asked for" in card.text


def test_the_same_facts_give_the_same_bytes(judged: Run) -> None:
    names = ("README.md", "CITATION.cff", "croissant.json")
    make_card(judged)
    before = [(judged.path / name).read_bytes() for name in names]
    write_card(judged.path, Run(judged.path), read_export(judged.path))  # what was said stays said
    assert [(judged.path / name).read_bytes() for name in names] == before


def test_a_stopped_run_has_a_card_that_says_what_was_not_measured(judged: Run) -> None:
    judged.manifest.update(state="stopped", measures={}, fidelity={})
    text = (write_card(judged.path, judged, None, **TERMS)).read_text()
    assert "Fidelity: not measured" in text and "Distance to the survey: not measured" in text


def test_bad_input_is_one_line(judged: Run, tmp_path: Path) -> None:
    export = read_export(judged.path)
    assert export is not None
    with pytest.raises(DataError, match="another run"):
        write_card(judged.path, judged, export.model_copy(update={"run_id": "0" * 16}))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "README.md").write_text("# My own words\n")
    with pytest.raises(ConfigError, match="somebody else"):
        write_card(tmp_path / "foreign", judged, None)
    judged.samples = lambda: iter(())  # type: ignore[method-assign]
    with pytest.raises(DataError, match="no samples"):
        write_card(judged.path, judged, None)
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    with pytest.raises(DataError):
        write_card(blocked, judged, None)


def test_composition_of_many_topics_opens_on_a_click(judged: Run) -> None:
    facts = gather_facts(judged, None)
    assert "<details>" not in write_composition(facts)
    for number in range(700):
        facts.answers["arab", f"t{number:03}"]["Agree"] += 1
    text = write_composition(facts)
    assert "<details>" in text and "The first 600 of" in text


def test_language_copies_and_phrasings_are_counted(judged: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = list(judged.samples())
    persona = {"role": "system", "content": "You are a baker."}
    german = "Ich finde, dass man seinen Eltern im Alter helfen soll, weil sie uns auch immer geholfen haben."
    first = samples[0].model_copy(update={"messages": (persona, {"role": "assistant", "content": german})})
    other = first.model_copy(update={"messages": ({**persona, "content": "A baker, you."}, *first.messages[1:])})
    monkeypatch.setattr(judged, "samples", lambda: iter([first, first, other]))
    facts = gather_facts(judged, None)
    assert (facts.rows, facts.copies, facts.with_persona) == (3, 1, 3)
    assert (facts.personas, facts.twice, facts.phrased_twice) == (1, 1, 1)
    assert (facts.judged_language, facts.foreign) == (3, 3)
    monkeypatch.setattr(judged, "samples", lambda: iter([first, first]))
    assert gather_facts(judged, None).phrased_twice == 0
    monkeypatch.setattr(judged, "samples", lambda: iter(samples))
    assert gather_facts(judged, None).foreign == 0
