"""The head of a card answers a reader's four questions with what was measured, and claims no more."""

from __future__ import annotations

from typing import Any

import pytest

from culturepark.card.facts import Facts, gather_facts
from culturepark.card.origin import write_process
from culturepark.card.quality import list_gaps, write_contamination
from culturepark.card.settings import Settings, settle
from culturepark.card.short import write_short
from culturepark.export.records import read_export
from culturepark.runs.folder import Run
from tests.card.conftest import TERMS


def read_answers(run: Run, **changes: Any) -> dict[str, str]:
    """The four answers by the first words of their questions."""
    run.manifest["config"] |= changes
    facts, settings = gather_facts(run, read_export(run.path)), settle(run.path, **TERMS)
    lines = write_short(facts, settings).splitlines()
    return {line.split("**")[1].split(" ")[0]: line.split("** ", 1)[1] for line in lines}


def gather(run: Run, **changes: Any) -> Facts:
    run.manifest["config"] |= changes
    return gather_facts(run, None)


def test_a_phrase_books_run_is_not_offered_for_training(judged: Run) -> None:
    told = read_answers(judged)
    assert "not training" in told["For"] and "Fine-tuning" not in told["For"]
    assert "made up" in told["How"] and " of 5" not in told["How"]


def test_a_models_run_says_what_was_measured_and_who_judged(judged: Run) -> None:
    told = read_answers(judged, engine="http", model="some/writer")
    assert "Fine-tuning" in told["For"] and "within and between cultures (arab, korean: 40 samples)" in told["For"]
    assert "2 models scored cultural fit" in told["How"] and "was not measured" in told["How"]
    assert "cc-by-nc-4.0" in told["May"] and "non-profit" in told["May"]


def test_a_model_that_judges_itself_is_named_as_a_fault(judged: Run) -> None:
    judged.manifest["counts"].setdefault("usage", {})["harm"] = [1, 1, 0, 1]
    own = gather(judged, engine="http", model="some/writer", judges=[])
    assert any("it may like its own words" in gap for gap in list_gaps(own))
    assert "the model that wrote the talks scored cultural fit" in write_short(own, Settings())
    others = gather(judged, judges=["another/model"])
    assert not any("its own words" in gap for gap in list_gaps(others))
    assert "scored cultural fit" in write_short(others, Settings())


def test_advice_for_the_maker_is_not_for_the_reader(judged: Run) -> None:
    judged.manifest["plan"]["remarks"] = ["n is small: 3 of 50 topics; choose with --topics, or spread wider"]
    assert "n is small: 3 of 50 topics" in list_gaps(gather(judged))


def test_reworded_samples_are_told(judged: Run) -> None:
    facts = gather(judged)
    facts.tags["repaired"] = 0
    assert "as they were said." in write_process(facts)
    facts.tags["repaired"] = 7
    assert "but for 7 samples (tag `repaired`)" in write_process(facts)
    assert any(gap.startswith("7 samples are reworded") for gap in list_gaps(facts))


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ({"form"}, "by rules."),
        ({"form", "stance"}, "by rules and by verification against"),
        ({"form", "claims", "harm"}, "by rules, by verification against the given answer and facts, and by judges"),
    ],
)
def test_only_checks_that_were_made_are_claimed(judged: Run, stages: set[str], said: str) -> None:
    facts = gather(judged)
    for stage in set(facts.counts.stages) - stages:
        del facts.counts.stages[stage]
    assert f"Stages check each candidate {said}" in write_process(facts)


def test_the_items_not_to_evaluate_on_are_listed(judged: Run) -> None:
    facts = gather(judged)
    text = write_contamination(facts)
    items = {facts.topics[topic].item for _, topic in facts.answers}
    assert items and all(f"wvs7 {item}" in text for item in items)
    facts.topics = {}
    assert sorted(facts.answers)[0][1].replace("_", "\\_") in write_contamination(facts)
