"""Personas are coherent synthetic respondents: their answers follow the table, alone and together."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from culturepark.culture.personas import Order, PersonaSource, country_weights
from culturepark.culture.profiles import AGE_BANDS, Profile, load_profiles
from culturepark.culture.scenarios import load_topics
from culturepark.culture.surveys import Floats, js_distance, load_surveys
from culturepark.records import Persona

PROFILES = load_profiles()
SURVEY = load_surveys()["wvs7"]
TOPICS = load_topics()
CULTURES = [p for p in PROFILES.values() if p.role == "culture"]
LAST_YEARS = {"18-29": 29, "30-44": 44, "45-59": 59, "60+": 82}


def midranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return found


def population(profile: Profile, n: int) -> tuple[dict[str, float], list[Persona]]:
    weights = country_weights(profile, "equal")
    return weights, list(PersonaSource(profile, SURVEY, TOPICS, 0).population(n, weights))


@pytest.mark.slow
@pytest.mark.parametrize("profile", CULTURES, ids=lambda p: p.id)
def test_ten_thousand_people_answer_like_the_survey(profile: Profile) -> None:
    weights, people = population(profile, 10_000)
    errors = []
    for country in weights:
        here = [p for p in people if p.country == country]
        assert abs(len(here) - 10_000 * weights[country]) < 1
        items = list(here[0].answers)
        assert set(items) == set(SURVEY.marginals[country])
        ranks = {i: midranks(np.array([p.answers[i] for p in here], dtype=float)) for i in items}
        for a, b in combinations(items, 2):
            told = SURVEY.correlations[country].get((a, b))
            if told is not None:
                errors.append(abs(float(np.corrcoef(ranks[a], ranks[b])[0, 1]) - told))
    assert np.median(errors) <= 0.05
    for item in {i for p in people for i in p.answers}:
        table = SURVEY.mixture(weights, item)
        assert js_distance(table, Counter(p.answers[item] for p in people if item in p.answers)) <= 0.02, item


def test_a_person_fits_together() -> None:
    for profile in PROFILES.values():
        source = PersonaSource(profile, SURVEY, TOPICS, 3)
        for k in range(60):
            country = profile.countries[k % len(profile.countries)].code
            topic = TOPICS["parents_pride"]
            code = 1 if country in SURVEY.marginals else None
            person = source.draw(Order(f"t{k}-a", country, k, topic, code))
            names = profile.names[country][person.gender]
            assert person.name in (*names.any, *names.older, *names.younger)
            assert person.age_band in AGE_BANDS and 18 <= person.age <= LAST_YEARS[person.age_band]
            assert person.home in {p.name for p in profile.by_code[country].places if p.setting == person.setting}
            assert any(o.text == person.occupation and person.age_band in o.ages for o in profile.occupations)
            assert any(h.text == person.household and person.age_band in h.ages for h in profile.households)
            known = {f.id: f for f in profile.facts}
            assert all(not known[f].countries or country in known[f].countries for f in person.facts)
            assert person.stance.code == code
            if code is None:
                assert not person.answers and not person.related
            else:
                assert person.answers["Q27"] == 1
                assert all(person.answers[s.item] == s.code for s in person.related)


def test_a_person_is_the_same_whoever_was_drawn_before() -> None:
    orders = [Order(f"s{k}-a", "KOR", k, TOPICS["care_for_parents"], 2) for k in range(8)]
    forwards = PersonaSource(PROFILES["korean"], SURVEY, TOPICS, 5)
    backwards = PersonaSource(PROFILES["korean"], SURVEY, TOPICS, 5)
    first = [forwards.draw(o) for o in orders]
    assert first == [backwards.draw(o) for o in reversed(orders)][::-1]
    assert len({p.model_dump_json() for p in first}) == 8


def test_neighbouring_answers_go_together() -> None:
    """Who puts religion above science also holds the own religion alone for true, far more often than others."""
    source = PersonaSource(PROFILES["turkish"], SURVEY, TOPICS, 1)
    topic = TOPICS["faith_over_science"]
    sides = [
        [source.draw(Order(f"n{code}-{k}", "TUR", k, topic, code)).answers["Q170"] for k in range(400)]
        for code in (1, 4)
    ]
    assert np.mean(sides[1]) - np.mean(sides[0]) > 0.8


def test_religiosity_never_contradicts_the_own_answers() -> None:
    source = PersonaSource(PROFILES["german"], SURVEY, TOPICS, 1)
    faith = [t for t in TOPICS.values() if t.theme == "religion" or "faith" in t.tags]
    for k in range(200):
        person = source.draw(Order(f"r{k}", "DEU", k))
        mean = np.mean([t.agreement(person.answers[t.item]) for t in faith])
        assert (person.religiosity == "very religious") == (mean >= 0.7)
        assert (person.religiosity == "not very religious") == (mean < 0.4)


@pytest.mark.parametrize("profile", CULTURES, ids=lambda p: p.id)
def test_people_of_a_culture_differ(profile: Profile) -> None:
    source = PersonaSource(profile, SURVEY, TOPICS, 2)
    country = profile.countries[0].code
    people = [source.draw(Order(f"d{k}", country, k)) for k in range(200)]
    for part in ("name", "occupation", "household", "home", "style_id", "age", "interests", "facts"):
        assert len({getattr(p, part) for p in people}) >= (5 if part in ("home", "style_id") else 12), part
    women = sum(p.gender == "female" for p in people)
    assert 85 <= women <= 115
