"""The plan: exact sums, exact quotas, never a stance nobody was asked about."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.config import build_config
from culturepark.culture.personas import country_weights
from culturepark.culture.surveys import apportion, apportion_few
from culturepark.errors import ConfigError
from culturepark.runs.plan import OLDER, YOUNGER, Plan, replace_slot
from culturepark.runs.sources import load_sources, plan_run

CULTURES = ("arab", "bengali", "chinese", "german", "korean", "portuguese", "spanish", "turkish")
SOURCES = load_sources(build_config({}))


def plan(**given: object) -> Plan:
    return plan_run(
        build_config(
            {"cultures": ["arab", "korean"], "topics": list(SOURCES.topics), "claims_per_speaker": 3, **given}
        ),
        SOURCES,
    )


def check(made: Plan, n: int, cultures: list[str]) -> None:
    """What must hold for every plan."""
    assert sum(made.quotas.values()) == n == sum(s.wanted for s in made.slots)
    wanted: Counter[tuple[str, str, int]] = Counter()
    for slot in made.slots:
        assert slot.wanted > 0, "a table of guests only"
        item = SOURCES.topics[slot.topic].item
        for seat in slot.seats:
            if seat.culture == "english":
                assert slot.style == "classic" and seat.code is None and seat.wanted == 0
                continue
            figures = SOURCES.surveys["wvs7"].shares(seat.country, item)
            assert figures is not None and seat.code is not None and figures.share(seat.code) > 0
            wanted[seat.culture, slot.topic, seat.code] += seat.wanted
    assert {c: k for c, k in wanted.items() if k} == dict(made.quotas)
    per_culture = Counter({c: sum(k for cell, k in made.quotas.items() if cell[0] == c) for c in cultures})
    assert max(per_culture.values()) - min(per_culture[c] for c in cultures) <= 1
    for culture in cultures:
        weights = country_weights(SOURCES.profiles[culture], "equal")
        for topic in {t for c, t, _ in made.quotas if c == culture}:
            seats = sum(k for (c, t, _), k in made.quotas.items() if (c, t) == (culture, topic))
            for code, share in SOURCES.surveys["wvs7"].mixture(weights, SOURCES.topics[topic].item).items():
                assert abs(made.quotas.get((culture, topic, code), 0) - seats * share) < 1


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 900),
    cultures=st.lists(st.sampled_from(CULTURES), min_size=1, max_size=5, unique=True),
    style=st.sampled_from(["auto", "cross", "within", "panel", "classic"]),
    seed=st.integers(0, 5),
    topics=st.sampled_from(["all", "family", "elections", "parents_pride,same_sex_parents", "religion"]),
)
def test_every_plan_adds_up(n: int, cultures: list[str], style: str, seed: int, topics: str) -> None:
    try:
        made = plan(n=n, cultures=cultures, style=style, seed=seed, topics=topics)
    except ConfigError as error:
        assert style == "cross" or "no measured stance" in str(error)
        return
    check(made, n, cultures)


def test_a_hundred_samples_on_one_topic_are_the_largest_remainder() -> None:
    for topic in ("parents_pride", "science_over_faith", "newcomers_cultural_mix"):
        made = plan(n=100, cultures=["german"], topics=[topic])
        shares = SOURCES.surveys["wvs7"].marginals["DEU"][SOURCES.topics[topic].item]
        wanted = dict(zip(shares.codes, apportion(list(shares.shares), 100), strict=True))
        assert {code: k for (_, _, code), k in made.quotas.items()} == {c: k for c, k in wanted.items() if k}


def test_few_samples_do_not_only_name_the_majority() -> None:
    made = plan(n=50, cultures=["korean"])
    minority = 0
    for (_, topic, code), _ in made.quotas.items():
        shares = SOURCES.surveys["wvs7"].marginals["KOR"][SOURCES.topics[topic].item]
        minority += shares.share(code) < max(shares.shares)
    assert 15 <= minority <= 40


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=10), st.integers(0, 300), st.floats(0, 0.999))
def test_whole_numbers_stay_within_one_of_the_quota(weights: list[float], seats: int, start: float) -> None:
    for counts in (apportion(weights, seats), apportion_few(weights, seats, start)):
        assert sum(counts) == seats
        assert all(abs(k - seats * w / sum(weights)) < 1 + 1e-6 for k, w in zip(counts, weights, strict=True))


def test_countries_follow_their_weights() -> None:
    for weighting in ("equal", "population"):
        made = plan(n=4000, cultures=["arab", "korean"], weighting=weighting)
        got: Counter[str] = Counter()
        for slot in made.slots:
            for seat in slot.seats:
                if seat.culture == "arab":
                    got[seat.country] += seat.wanted
        weights = country_weights(SOURCES.profiles["arab"], weighting)
        due: Counter[str] = Counter()
        for topic in SOURCES.topics.values():  # a country's weight counts where it was asked
            asked = {c: w for c, w in weights.items() if SOURCES.surveys["wvs7"].asked(c, topic.item)}
            for country, weight in asked.items():
                due[country] += weight / sum(asked.values()) / len(SOURCES.topics)
        for country in weights:
            assert abs(got[country] / 2000 - due[country]) < 0.01, (weighting, country)


def test_all_pairs_of_cultures_meet() -> None:
    made = plan(n=4000, cultures=list(CULTURES))
    pairs = Counter(frozenset(s.culture for s in slot.seats) for slot in made.slots if slot.style == "cross")
    assert len(pairs) == 28
    assert min(pairs.values()) > 0.3 * max(pairs.values())


def test_items_not_asked_are_said_and_never_used() -> None:
    made = plan(n=600, cultures=["chinese", "german"])
    assert len(made.not_asked["chinese"]) == 18
    assert any("not asked" in remark and "chinese" in remark for remark in made.remarks)
    alone = [s for s in made.slots if s.topic in made.not_asked["chinese"]]
    assert alone and all(s.style == "within" and {x.culture for x in s.seats} == {"german"} for s in alone)
    strict = plan(n=600, cultures=["chinese", "german"], style="cross")
    assert not [s for s in strict.slots if s.topic in made.not_asked["chinese"]]


def test_two_of_one_culture_differ_in_answer_or_generation() -> None:
    for slot in plan(n=400, cultures=["arab"]).slots:
        first, second = slot.seats
        assert first.code != second.code or {first.bands, second.bands} == {YOUNGER, OLDER}


def test_every_stretch_of_the_plan_covers_all_topics() -> None:
    made = plan(n=2000)
    size = len(made.slots) // 5
    for k in range(5):
        assert len({s.topic for s in made.slots[k * size : (k + 1) * size]}) >= 48


def test_the_same_settings_give_the_same_plan_and_another_seed_another() -> None:
    assert plan(n=300) == plan(n=300)
    assert plan(n=300).slots != plan(n=300, seed=1).slots


def test_a_replacement_keeps_the_cell_and_brings_other_people() -> None:
    slot = next(s for s in plan(n=600).slots if s.wanted >= 3)
    again = replace_slot(slot, (1, 0), 1_000_003)
    assert (again.number, again.attempt, again.wanted) == (slot.number, 2, 1)
    assert again.id == f"{slot.id}-2"
    for old, new in zip(slot.seats, again.seats, strict=True):
        assert (old.culture, old.country, old.code) == (new.culture, new.country, new.code)
        assert old.number != new.number


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_runs(n: int) -> None:
    for style in ("auto", "panel", "classic"):
        check(plan(n=n, style=style), n, ["arab", "korean"])
