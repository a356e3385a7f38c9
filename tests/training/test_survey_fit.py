"""How near a model's answers stand to the survey, over models whose answers are known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest

from culturepark.config import RunConfig
from culturepark.runs.sources import Sources, load_sources
from culturepark.training.survey_fit import (
    Probe,
    ask_probe,
    choose_probes,
    compare_fits,
    measure_fit,
    summarise_fit,
    tabulate_fits,
)


@pytest.fixture(scope="module")
def sources() -> Sources:
    return load_sources(RunConfig())


def probes_of(sources: Sources, count: int = 5) -> list[Probe]:
    return choose_probes(["arab"], sources, "equal", set(), set(), count, 0)


class Knows:
    """Answers as a table of shares by option label says; a liking for some letters may come on top."""

    def __init__(self, shares: Mapping[str, Mapping[str, float]], letters: Sequence[float] = ()) -> None:
        self.shares, self.letters = shares, letters

    def weigh(self, chat: Sequence[dict[str, str]], options: Sequence[str]) -> list[float]:
        words = chat[-1]["content"]
        statement = re.search(r'"(.*)"', words)
        assert statement
        shown = dict(re.findall(r"^([A-Z])\. (.*)$", words, re.M))
        assert list(shown) == list(options)
        if self.letters:
            raw = list(self.letters[: len(options)])
        else:
            raw = [self.shares[statement[1]].get(shown[o], 0.0) for o in options]
        return [r / sum(raw) for r in raw]


def surveyed(probes: list[Probe]) -> dict[str, dict[str, float]]:
    return {p.topic.statement.strip(): {p.topic.point(c).label: s for c, s in p.survey.items()} for p in probes}


def test_a_model_that_answers_as_the_survey_has_no_distance(sources: Sources) -> None:
    probes = probes_of(sources)
    fits = measure_fit(Knows(surveyed(probes)), probes)
    assert summarise_fit(fits, sources.topics) == pytest.approx({"distance": 0.0, "gap": 0.0}, abs=1e-6)
    assert [f.expected for f in fits] == pytest.approx([f.survey_expected for f in fits])


def test_a_liking_for_a_letter_cancels_out(sources: Sources) -> None:
    for fit in measure_fit(Knows({}, letters=[0.9] + [0.02] * 9), probes_of(sources)):
        codes = list(fit.shares)
        assert fit.expected == pytest.approx((codes[0] + codes[-1]) / 2)  # the middle: no side is preferred


def test_expected_answer_and_distance_by_hand(sources: Sources) -> None:
    (probe,) = probes_of(sources, 1)
    codes = probe.topic.codes
    one = {probe.topic.statement.strip(): {probe.topic.point(codes[0]).label: 1.0}}
    (fit,) = measure_fit(Knows(one), [probe])
    mean = sum(c * s for c, s in probe.survey.items())
    assert fit.expected == codes[0] and fit.survey_expected == pytest.approx(mean)
    summary = summarise_fit([fit], sources.topics)
    assert summary["gap"] == pytest.approx((mean - codes[0]) / (codes[-1] - codes[0]))
    assert 0 < summary["distance"] <= 1


def test_the_shift_is_positive_when_answers_come_nearer(sources: Sources) -> None:
    probes = probes_of(sources)
    far, near = measure_fit(Knows({}, letters=[1.0] * 10), probes), measure_fit(Knows(surveyed(probes)), probes)
    told = compare_fits(far, near, sources.topics)
    assert told["shift"]["distance"] > 0 and told["nearer"] == len(probes) == told["probes"]
    assert compare_fits(near, far, sources.topics)["shift"]["distance"] == -told["shift"]["distance"]
    assert compare_fits([], [], sources.topics) == {"probes": 0}
    row = tabulate_fits(far, near)[0]
    assert row["expected"]["after"] == pytest.approx(row["expected"]["survey"], abs=1e-3)


def test_only_items_not_trained_on_are_asked_those_of_the_test_split_first(sources: Sources) -> None:
    trained, held_out = {"work_as_duty"}, {"men_as_executives", "work_as_duty"}
    chosen = choose_probes(["arab"], sources, "equal", trained, held_out, 60, 0)
    names = [p.topic.id for p in chosen]
    assert names[0] == "men_as_executives" and "work_as_duty" not in names
    assert all(sum(p.survey.values()) == pytest.approx(1) for p in chosen)
    again = choose_probes(["arab"], sources, "equal", trained, held_out, 60, 0)
    other = choose_probes(["arab"], sources, "equal", trained, held_out, 60, 1)
    assert [p.topic.id for p in again] == names and [p.topic.id for p in other] != names


def test_a_shared_model_is_told_where_it_lives(sources: Sources) -> None:
    probes = choose_probes(["arab", "korean"], sources, "equal", set(), set(), 1, 0, tell_country=True)
    chat, _ = ask_probe(probes[1], turned=False)
    assert chat[0] == {"role": "system", "content": "You live in South Korea. Answer as you see things yourself."}
    assert ask_probe(probes_of(sources, 1)[0], turned=False)[0][0]["role"] == "user"
