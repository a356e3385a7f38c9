"""Personas: a home and a job that fit each other, ties that are measured, replacements who are other people."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from culturepark.culture.personas import Order, PersonaSource, country_weights
from culturepark.culture.profiles import AGE_BANDS, Profile, load_profiles
from culturepark.culture.scenarios import load_topics
from culturepark.culture.surveys import load_surveys
from culturepark.errors import ConfigError

PROFILES = load_profiles()
SURVEY = load_surveys()["wvs7"]
TOPICS = load_topics()
AWAY = ("alone", "dormitory", "flatmates", "roommates", "shared", "boarding house", "friends", "a friend", "old friend")


def source(culture: str, seed: int = 1) -> PersonaSource:
    return PersonaSource(PROFILES[culture], SURVEY, TOPICS, seed)


def changed(profile: Profile, **parts: Any) -> Profile:
    return Profile.model_validate({**profile.model_dump(), **parts})


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.id)
def test_nobody_keeps_house_for_nobody(profile: Profile) -> None:
    drawn = source(profile.id)
    codes = list(profile.by_code)
    people = [drawn.draw(Order(f"h{k}", codes[k % len(codes)], k)) for k in range(1500)]
    keepers = [p for p in people if any(w in p.occupation for w in ("homemaker", "for family", "family kitchen"))]
    assert len(keepers) > 5
    assert not [(p.occupation, p.household) for p in keepers if any(w in p.household for w in AWAY)]
    assert any(p.household.startswith("alone") for p in people)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.id)
def test_there_is_fitting_work_for_everybody(profile: Profile) -> None:
    """So that no persona falls back on work that does not fit where and how long it went to school."""
    kinds = product(profile.by_code, ("female", "male"), AGE_BANDS, ("primary", "secondary", "higher"))
    for (country, gender, band, education), setting in product(kinds, ("village", "town", "city")):
        fitting = [
            o.text
            for o in profile.occupations
            if band in o.ages
            and gender in o.genders
            and education in o.education
            and setting in o.settings
            and (not o.countries or country in o.countries)
        ]
        assert len(set(fitting)) >= 2, (country, gender, band, education, setting)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.id)
def test_work_home_and_name_fit_the_person(profile: Profile) -> None:
    drawn = source(profile.id, 4)
    codes = list(profile.by_code)
    for k in range(300):
        p = drawn.draw(Order(f"w{k}", codes[k % len(codes)], k))
        jobs = [o for o in profile.occupations if o.text == p.occupation]
        assert any(
            p.age_band in o.ages
            and p.gender in o.genders
            and p.education in o.education
            and p.setting in o.settings
            and (not o.countries or p.country in o.countries)
            for o in jobs
        )
        assert any(h.text == p.household and p.age_band in h.ages and p.gender in h.genders for h in profile.households)
        names = profile.names[p.country][p.gender]
        assert p.name in (*names.any, *(names.older if p.age >= 55 else names.younger if p.age < 40 else ()))
        assert p.setting in ("village", "town", "city") and len(set(p.interests)) == 2
        assert set(p.answers) == set(SURVEY.marginals.get(p.country, {}))


def test_a_profile_needs_a_family_for_every_age_and_gender() -> None:
    korean = PROFILES["korean"]
    homes = [h.model_dump() | {"genders": ("male",)} if "60+" in h.ages else h.model_dump() for h in korean.households]
    with pytest.raises(ValidationError, match=r"female persons of age band"):
        changed(korean, households=homes)
    lonely = [h.model_dump() | {"family": h.family and "60+" not in h.ages} for h in korean.households]
    with pytest.raises(ValidationError, match=r"no household with family fits female persons of age band 60\+"):
        changed(korean, households=lonely)


def test_related_stances_are_the_most_strongly_tied_ones() -> None:
    for name in ("faith_over_science", "men_as_executives", "immigration_and_crime", "honest_vote_count"):
        topic = TOPICS[name]
        person = source("turkish").draw(Order("r", "TUR", 0, topic, topic.codes[0]))
        figures = SURVEY.correlations["TUR"]
        ties = {i: abs(figures.get((topic.item, i), figures.get((i, topic.item), 0.0))) for i in person.answers}
        assert 1 <= len(person.related) <= 4
        told = [ties[s.item] for s in person.related]
        others = [t for i, t in ties.items() if i != topic.item and i not in {s.item for s in person.related}]
        assert min(told) > 0.1 and np.mean(told) > max(others) - 0.05
        for stance in person.related:
            assert stance.code == person.answers[stance.item] and stance.origin == "copula"
            assert stance.view == TOPICS[stance.topic].point(stance.code).view
        assert topic.item not in {s.item for s in person.related}


def test_a_forced_answer_pulls_its_neighbours_both_ways() -> None:
    """The mean answer to the nearest topic moves with the forced one, as the sign of the correlation says."""
    drawn = source("arab")
    topic = TOPICS["men_as_executives"]
    means = []
    for code in topic.codes:
        people = [drawn.draw(Order(f"f{code}-{k}", "JOR", k, topic, code)) for k in range(300)]
        assert all(p.answers[topic.item] == p.stance.code == code and p.stance.origin == "quota" for p in people)
        means.append(float(np.mean([p.answers["Q29"] for p in people])))
    assert means == sorted(means) and means[-1] - means[0] > 0.5


def test_a_replacement_is_another_person_and_stays_the_same_one() -> None:
    order = Order("d1-a", "KOR", 5, TOPICS["care_for_parents"], 2)
    again = replace(order, id="d1-2-a", number=order.number + 1_000_003, fresh=True)
    first, second = source("korean").draw(order), source("korean").draw(again)
    assert first.answers != second.answers and first.stance == second.stance
    assert first.model_dump(exclude={"id", "draw", "stance"}) != second.model_dump(exclude={"id", "draw", "stance"})
    alone = replace(order, fresh=True)  # drawn on its own, not from the rows of the first attempts
    assert source("korean").draw(alone).answers != first.answers
    late = source("korean")
    for k in range(900):  # blocks of latent scores come and go
        late.draw(Order(f"x{k}", "KOR", k))
    assert late.draw(order) == first and late.draw(again) == second


def test_a_fresh_persons_answers_follow_the_forced_one_too() -> None:
    topic = TOPICS["faith_over_science"]
    drawn = source("turkish")
    sides = [
        np.mean([drawn.draw(Order(f"n{c}-{k}", "TUR", k, topic, c, fresh=True)).answers["Q170"] for k in range(300)])
        for c in (1, 4)
    ]
    assert sides[1] - sides[0] > 0.8


def test_names_at_the_table_and_age_bands_are_kept() -> None:
    names = PROFILES["korean"].names["KOR"]
    taken = {n for by in names.values() for n in (*by.any, *by.older)}
    person = source("korean").draw(Order("t", "KOR", 1, bands=("18-29",), avoid=taken))
    assert person.age_band == "18-29" and person.name not in taken
    everyone = {n for by in names.values() for n in (*by.any, *by.older, *by.younger)}
    assert source("korean").draw(Order("t", "KOR", 1, avoid=everyone)).name in everyone


def test_another_seed_draws_other_people() -> None:
    orders = [Order(f"s{k}", "KOR", k) for k in range(20)]
    first, second = source("korean", 1), source("korean", 2)
    assert sum(first.draw(o).answers == second.draw(o).answers for o in orders) == 0


def test_the_main_contact_has_no_measured_answer() -> None:
    contact = source("english").draw(Order("c", PROFILES["english"].countries[0].code, 0, TOPICS["parents_pride"]))
    assert not contact.answers and not contact.related and contact.religiosity == "unknown"
    assert contact.stance.code is None and contact.stance.origin == "none" and contact.draw["survey"] is None


def test_weights_of_countries() -> None:
    arab = PROFILES["arab"]
    assert set(country_weights(arab, "equal").values()) == {1 / 7}
    population = country_weights(arab, "population")
    assert sum(population.values()) == pytest.approx(1)
    assert max(population, key=lambda c: population[c]) == "EGY"
    with pytest.raises(ConfigError, match="equal or population"):
        country_weights(arab, "sizes")
