"""Who sits at a planned table: countries that go with answers, guests, compatriots, panels, the main contact."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from culturepark.config import build_config
from culturepark.culture.personas import Order, PersonaSource, country_weights
from culturepark.culture.surveys import js_distance
from culturepark.errors import ConfigError
from culturepark.runs.plan import CONTACT, Plan, Seat, Slot, make_plan
from culturepark.runs.sources import load_sources, plan_run, resolve_settings

SOURCES = load_sources(build_config({}))
SURVEY = SOURCES.surveys["wvs7"]


def plan(**given: object) -> Plan:
    return plan_run(
        build_config(
            {"cultures": ["arab", "korean"], "topics": list(SOURCES.topics), "claims_per_speaker": 3, **given}
        ),
        SOURCES,
    )


def seats(made: Plan, culture: str) -> Iterator[tuple[Slot, Seat]]:
    return ((slot, seat) for slot in made.slots for seat in slot.seats if seat.culture == culture)


@pytest.mark.parametrize("style", ["within", "cross", "panel", "classic"])
@pytest.mark.parametrize("weighting", ["equal", "population"])
def test_answers_differ_between_countries_as_measured(style: str, weighting: str) -> None:
    """How far a country's people stand from the whole culture on a topic, planned over measured: slope 1."""
    made = plan(n=30_000, style=style, weighting=weighting)
    weights = country_weights(SOURCES.profiles["arab"], weighting)
    planned: dict[tuple[str, str], list[float]] = defaultdict(list)
    for slot, seat in seats(made, "arab"):
        assert seat.code is not None
        planned[seat.country, slot.topic] += [SOURCES.topics[slot.topic].agreement(seat.code)] * seat.wanted
    points = []
    for (country, name), values in planned.items():
        topic = SOURCES.topics[name]
        mixed = sum(topic.agreement(c) * s for c, s in SURVEY.mixture(weights, topic.item).items())
        figures = SURVEY.marginals[country][topic.item]
        told = sum(topic.agreement(c) * s for c, s in zip(figures.codes, figures.shares, strict=True))
        if values:
            points.append((told - mixed, float(np.mean(values)) - mixed, len(values)))
    told_gap, gap, size = np.array(points).T
    slope = float((size * told_gap * gap).sum() / (size * told_gap**2).sum())
    assert 0.9 < slope < 1.1


def test_rare_answers_do_not_all_come_from_one_country() -> None:
    """In a run so small that most cells hold one person, every country is heard."""
    made = plan(n=100, cultures=["arab"], style="classic")
    heard = Counter(seat.country for _, seat in seats(made, "arab"))
    assert set(heard) == set(SOURCES.profiles["arab"].by_code) and max(heard.values()) <= 30


def test_compatriots_talk_to_each_other() -> None:
    made = plan(n=4000, cultures=["arab"])
    same = [slot.seats[0].country == slot.seats[1].country for slot in made.slots]
    assert np.mean(same) > 0.75
    alike = [s for s in made.slots if s.seats[0].code == s.seats[1].code]
    assert alike and all(s.seats[0].country == s.seats[1].country for s in alike)


def test_unlike_answers_meet() -> None:
    made = plan(n=4000, cultures=["german"], topics=["science_over_faith"])
    gaps = [abs((s.seats[0].code or 0) - (s.seats[1].code or 0)) for s in made.slots]
    assert np.mean(gaps) > 2.5


def test_guests_answer_like_everybody_else() -> None:
    """Whoever has too few people at the table sends guests, who must not all say the same."""
    many = plan(n=6000, cultures=["chinese", "german"], claims_per_speaker=1)
    guests: dict[tuple[str, str], Counter[int | None]] = defaultdict(Counter)
    for slot in many.slots:
        for seat in slot.seats:
            if seat.wanted == 0:
                guests[seat.culture, slot.topic][seat.code] += 1
    crowded = {cell: codes for cell, codes in guests.items() if sum(codes.values()) >= 10}
    assert len(crowded) > 10
    for (culture, name), codes in crowded.items():
        weights = country_weights(SOURCES.profiles[culture], "equal")
        told = SURVEY.mixture(weights, SOURCES.topics[name].item)
        assert len(codes) > 1 or max(told.values()) > 0.8, (culture, name)
    made = plan(n=40, cultures=["arab"], style="within")
    with_guest = [s for s in made.slots if any(x.wanted == 0 for x in s.seats)]
    assert len(with_guest) > 20
    assert any(s.seats[0].code != s.seats[1].code for s in with_guest)


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("n", [1, 2, 7, 500])
def test_panels_are_full_tables(size: int, n: int) -> None:
    cultures = ["arab", "korean", "german"]
    made = plan(n=n, style="panel", panel_size=size, cultures=cultures, turns=6)
    assert all(len(s.seats) == size and s.wanted > 0 for s in made.slots)
    if n <= 7:  # guests come from the other cultures, not as echoes of the one who is asked
        assert all({x.culture for x in s.seats} == set(cultures) for s in made.slots)


def test_the_main_contact_has_no_stance() -> None:
    made = plan(n=60, preset="classic")
    assert made.slots and len({s.id for s in made.slots}) == len(made.slots)
    for slot in made.slots:
        delegate, contact = slot.seats
        assert delegate.culture in ("arab", "korean") and delegate.wanted > 0 and slot.scene == ""
        assert (contact.culture, contact.code, contact.wanted) == (CONTACT, None, 0)


@pytest.mark.parametrize("style", ["auto", "within", "panel", "classic"])
def test_nobody_gives_more_than_a_speaker_gives_and_everybody_is_new(style: str) -> None:
    made = plan(n=900, style=style, claims_per_speaker=2)
    numbers = Counter((seat.culture, seat.number) for slot in made.slots for seat in slot.seats)
    assert max(numbers.values()) == 1
    assert max(seat.wanted for slot in made.slots for seat in slot.seats) == 2
    assert [s.number for s in made.slots] == list(range(len(made.slots)))


def test_cultures_that_share_no_topic_cannot_cross() -> None:
    """One topic only asked here, one only there: no table of two cultures, but talks within each."""
    for style in ("auto", "cross"):  # China was not asked, so there is nothing to plan for it
        with pytest.raises(ConfigError, match="none of the chosen topics was asked"):
            plan(cultures=["arab", "chinese"], topics=["Q125"], style=style)
    only = {"A": {"Q27": SURVEY.marginals["KOR"]["Q27"]}, "B": {"Q28": SURVEY.marginals["DEU"]["Q28"]}}
    apart = {"wvs7": type(SURVEY)("wvs7", {"KOR": only["A"], "DEU": only["B"]}, {})}
    settings = resolve_settings(
        build_config({"cultures": ["korean", "german"], "style": "cross", "n": 10, "topics": list(SOURCES.topics)}),
        SOURCES,
    )
    with pytest.raises(ConfigError, match="shares none of the chosen topics"):
        make_plan(settings, SOURCES.profiles, apart, SOURCES.topics, SOURCES.scenes)
    auto = resolve_settings(
        build_config({"cultures": ["korean", "german"], "n": 10, "topics": list(SOURCES.topics)}), SOURCES
    )
    made = make_plan(auto, SOURCES.profiles, apart, SOURCES.topics, SOURCES.scenes)
    assert {s.style for s in made.slots} == {"within"} and sum(s.wanted for s in made.slots) == 10


def test_a_runs_people_answer_all_questions_like_the_survey() -> None:
    """The quotas fix one answer each; the others follow through the copula, and the whole still fits the table."""
    made = plan(n=5000)
    told: dict[str, dict[str, Counter[int]]] = {c: defaultdict(Counter) for c in ("arab", "korean")}
    people = {c: PersonaSource(SOURCES.profiles[c], SURVEY, SOURCES.topics, 0) for c in told}
    for slot in made.slots:
        for place, seat in zip("ab", slot.seats, strict=True):
            order = Order(f"{slot.id}-{place}", seat.country, seat.number, SOURCES.topics[slot.topic], seat.code)
            for item, code in people[seat.culture].draw(order).answers.items():
                told[seat.culture][item][code] += 1
    for culture, items in told.items():
        weights = country_weights(SOURCES.profiles[culture], "equal")
        distances = [js_distance(SURVEY.mixture(weights, item), codes) for item, codes in items.items()]
        assert np.median(distances) < 0.03 and max(distances) < 0.06, culture


def test_few_samples_take_up_few_topics() -> None:
    """With all topics to choose from, a run takes as many as n fills; they are of different themes and were asked."""
    made = plan(n=500, topics=["all"])
    used = {topic for _, topic, _ in made.quotas}
    assert len(used) == 5 and len({SOURCES.topics[t].theme for t in used}) == 5
    assert not made.not_asked and "5 of 50 topics" in made.remarks[0]
    assert {c: sum(k for (c2, _, _), k in made.quotas.items() if c2 == c) for c in ("arab", "korean")} == {
        "arab": 250,
        "korean": 250,
    }
    assert used == {t for _, t, _ in plan(n=500, topics=["all"]).quotas}
    assert used != {t for _, t, _ in plan(n=500, topics=["all"], seed=1).quotas}


def test_named_topics_and_large_runs_use_all() -> None:
    assert len({t for _, t, _ in plan(n=40, topics=["family"]).quotas}) == 8
    whole = plan(n=5000, topics=["all"])
    assert len({t for _, t, _ in whole.quotas}) == 50 and not any("n is small" in r for r in whole.remarks)
    assert len({t for _, t, _ in plan(n=100, topics=["all"], topic_size=10).quotas}) == 5
    assert len({t for _, t, _ in plan(n=1, topics=["all"]).quotas}) == 1
