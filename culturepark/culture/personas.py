"""Personas: synthetic respondents drawn from one country's answer shares and one culture's profile.

Opinions come from the survey alone: the answer to the talk's topic is given by the plan's quota, all
other answers follow through the country's rank correlations (Gaussian copula). The rest of a person
(age, home, work, ways of talking) comes from the profile and is drawn apart from the opinions, since
the figures at hand do not say how answers differ by age or schooling; only religiosity is read off
the persona's own answers, so that it never contradicts them. Provenance: reconstruction.
"""

from __future__ import annotations

import hashlib
import random
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from culturepark.culture.profiles import AGE_BANDS, Area, Fact, Gender, Occupation, Profile
from culturepark.culture.scenarios import Theme, Topic
from culturepark.culture.surveys import Floats, Latent, Survey, apportion
from culturepark.errors import ConfigError
from culturepark.records import Persona, Stance

_NORMAL = NormalDist()
_BLOCK = 400
_BLOCKS_KEPT = 48
_BAND_YEARS = {"18-29": (18, 29), "30-44": (30, 44), "45-59": (45, 59), "60+": (60, 82)}
_THEME_AREAS: dict[Theme, tuple[Area, ...]] = {
    "family": ("kinship", "home", "food"),
    "work": ("work", "school", "kinship"),
    "migration": ("neighbourhood", "work", "civic"),
    "safety": ("neighbourhood", "home", "civic"),
    "science": ("school", "work", "religion"),
    "religion": ("religion", "calendar", "kinship"),
    "privacy": ("civic", "home", "manners"),
    "elections": ("civic", "neighbourhood", "kinship"),
}


def country_weights(profile: Profile, weighting: str) -> dict[str, float]:
    """Weight of each country of a culture (sum 1): ``equal`` or ``population``."""
    if weighting not in ("equal", "population"):
        raise ConfigError(f"weighting must be equal or population, not {weighting!r}")
    raw = {c.code: 1.0 if weighting == "equal" else c.population for c in profile.countries}
    return {code: weight / sum(raw.values()) for code, weight in raw.items()}


@dataclass(frozen=True)
class Order:
    """What the plan asks of one persona.

    ``number`` counts personas of the culture; ``fresh`` marks a replacement, drawn on its own. ``bands``
    limits the age band, ``avoid`` the names already at the table.
    """

    id: str
    country: str
    number: int
    topic: Topic | None = None
    code: int | None = None
    fresh: bool = False
    bands: tuple[str, ...] = AGE_BANDS
    avoid: Collection[str] = ()


@dataclass
class PersonaSource:
    """Draws personas of one culture. The same seed and order give the same persona, in any sequence."""

    profile: Profile
    survey: Survey
    topics: Mapping[str, Topic]
    seed: int
    _blocks: OrderedDict[tuple[str, int], _Block] = field(default_factory=OrderedDict)

    def draw(self, order: Order) -> Persona:
        """Draw one persona. Its answers cover every item asked in its country."""
        chance = random.Random(f"{self.seed}/{self.profile.id}/{order.id}")
        answers = self._answers(order, chance) if order.country in self.survey.marginals else {}
        country = self.profile.by_code[order.country]
        gender: Gender = "female" if _strata(self.seed, order.number, 0) < 0.5 else "male"
        band = self._age_band(order)
        low, high = _BAND_YEARS[band]
        age = chance.randint(low, high)
        urban = country.urban_share
        setting = chance.choices(("village", "town", "city"), (1 - urban, urban * 0.4, urban * 0.6))[0]
        education = chance.choices(*_split(self.profile.demography.education))[0]
        home = chance.choice([p.name for p in country.places if p.setting == setting])
        occupation = self._pick_occupation(order.country, gender, band, education, setting, chance)
        homes = [
            h
            for h in self.profile.households
            if band in h.ages and gender in h.genders and (h.family or not occupation.needs_family)
        ]
        style = chance.choice(self.profile.communication.styles)
        facts = self._pick_facts(order, chance)
        return Persona(
            id=order.id,
            culture=self.profile.id,
            country=order.country,
            country_name=country.name,
            name=self._pick_name(order, gender, age, chance),
            gender=gender,
            age=age,
            age_band=band,
            setting=setting,
            home=home,
            education=education,
            occupation=occupation.text,
            household=chance.choices([h.text for h in homes], [h.weight for h in homes])[0],
            interests=tuple(chance.sample(self.profile.interests, 2)),
            religiosity=self._religiosity(order.country, answers),
            style=style.text,
            style_id=style.id,
            facts=tuple(f.id for f in facts),
            fact_texts=tuple(_tell_fact(f) for f in facts),
            stance=self._stance(order),
            related=self._related(order, answers),
            answers=answers,
            draw={
                "seed": self.seed,
                "culture": self.profile.id,
                "country": order.country,
                "number": order.number,
                "fresh": order.fresh,
                "survey": self.survey.id if answers else None,
                "answers": "gaussian copula over rank correlations" if answers else None,
                "religiosity": "read off the persona's own answers" if answers else None,
            },
        )

    def population(self, n: int, weights: Mapping[str, float]) -> Iterator[Persona]:
        """Draw ``n`` personas without a topic, countries by largest remainder over ``weights``."""
        countries = list(weights)
        for country, count in zip(countries, apportion(list(weights.values()), n), strict=True):
            for k in range(count):
                yield self.draw(Order(f"population/{country}/{k}", country, k))

    def _answers(self, order: Order, chance: random.Random) -> dict[str, int]:
        latent = self.survey.latent(order.country)
        if order.fresh:
            normal = np.array([_NORMAL.inv_cdf(_inside(chance.random())) for _ in latent.items])
            scores = latent.root @ normal
        else:
            scores = self._block(order.country, order.number // _BLOCK).row(order.number % _BLOCK)
        if order.topic is not None and order.code is not None:
            t = latent.index[order.topic.item]
            low, high = latent.bounds(t, order.code)
            target = _NORMAL.inv_cdf(_inside(low + (high - low) * chance.random()))
            scores = scores + latent.correlation[:, t] * (target - scores[t])
        answers = latent.answers(scores)
        if order.topic is not None and order.code is not None:
            answers[order.topic.item] = order.code  # a rounding error at a cut must not move the quota
        return answers

    def _block(self, country: str, number: int) -> _Block:
        """Latent scores of 400 people, each item spread evenly over its range (Latin hypercube, Stein 1987)."""
        key = (country, number)
        if key not in self._blocks:
            self._blocks[key] = _draw_block(self.survey.latent(country), f"{self.seed}/{country}/{number}")
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _age_band(self, order: Order) -> str:
        shares = {b: s for b, s in self.profile.demography.ages.items() if b in order.bands}
        point, total = _strata(self.seed, order.number, 1), 0.0
        for band, share in shares.items():
            total += share / sum(shares.values())
            if point < total:
                return band
        return list(shares)[-1]

    def _pick_name(self, order: Order, gender: Gender, age: int, chance: random.Random) -> str:
        names = self.profile.names[order.country][gender]
        fitting = [*names.any, *(names.older if age >= 55 else names.younger if age < 40 else ())]
        free = [n for n in dict.fromkeys(fitting) if n not in order.avoid]
        return chance.choice(free or fitting)

    def _pick_occupation(
        self, country: str, gender: str, band: str, education: str, setting: str, chance: random.Random
    ) -> Occupation:
        near = [
            o
            for o in self.profile.occupations
            if band in o.ages and gender in o.genders and (not o.countries or country in o.countries)
        ]
        exact = [o for o in near if education in o.education and setting in o.settings]
        schooled = [o for o in near if education in o.education]
        return chance.choice(exact or schooled or near or list(self.profile.occupations))

    def _pick_facts(self, order: Order, chance: random.Random) -> list[Fact]:
        known = [f for f in self.profile.facts if not f.countries or order.country in f.countries]
        areas = _THEME_AREAS[order.topic.theme] if order.topic else ()
        fitting = [f for f in known if f.area in areas]
        chosen = chance.sample(fitting, min(3, len(fitting)))
        taken = {f.id for f in chosen}
        others = [f for f in known if f.id not in taken]
        return chosen + chance.sample(others, min(2, len(others)))

    def _religiosity(self, country: str, answers: Mapping[str, int]) -> str:
        """Three levels from the answers to the two religion topics and the faith-and-science one."""
        marks = []
        for topic in self.topics.values():
            if topic.item in answers and (topic.theme == "religion" or "faith" in topic.tags):
                marks.append(topic.agreement(answers[topic.item]))
        if not marks:
            return "unknown"
        mean = sum(marks) / len(marks)
        return "not very religious" if mean < 0.4 else "somewhat religious" if mean < 0.7 else "very religious"

    def _stance(self, order: Order) -> Stance:
        topic = order.topic
        if topic is None:
            return Stance(topic="", item="", code=None, label="", view="", origin="none")
        if order.code is None:
            return Stance(topic=topic.id, item=topic.item, code=None, label="", view="", origin="none")
        point = topic.point(order.code)
        return Stance(
            topic=topic.id, item=topic.item, code=point.code, label=point.label, view=point.view, origin="quota"
        )

    def _related(self, order: Order, answers: Mapping[str, int], most: int = 4) -> tuple[Stance, ...]:
        """The topics most strongly tied to the talk's topic in this country (latent correlation at least 0.15)."""
        if order.topic is None or not answers:
            return ()
        latent = self.survey.latent(order.country)
        row = np.abs(latent.correlation[latent.index[order.topic.item]])
        by_item = {t.item: t for t in self.topics.values()}
        found: list[Stance] = []
        for i in np.argsort(-row, kind="stable"):
            item = latent.items[int(i)]
            if item == order.topic.item or item not in by_item:
                continue
            if row[i] < 0.15 or len(found) == most:
                break
            topic, code = by_item[item], answers[item]
            point = topic.point(code)
            found.append(
                Stance(topic=topic.id, item=item, code=code, label=point.label, view=point.view, origin="copula")
            )
        return tuple(found)


def _tell_fact(fact: Fact) -> str:
    """A fact with what is not shared by everybody, so that a talk need not take it for the whole culture."""
    if not fact.contested:
        return fact.text
    return f"{fact.text} Not for everybody: {fact.contested[:1].lower()}{fact.contested[1:].rstrip('.')}."


@dataclass(frozen=True, slots=True)
class _Block:
    """Ranks of 400 people on each item, and where in its band of the range each rank lies, (400, items) and (items,).

    Scores are worked out for the few people that are asked for.
    """

    ranks: NDArray[np.int16]
    shifts: tuple[float, ...]

    def row(self, number: int) -> Floats:
        """Latent scores of one person."""
        ranks = self.ranks[number].tolist()
        points = zip(ranks, self.shifts, strict=True)
        return np.array([_NORMAL.inv_cdf(_inside((rank + shift) / _BLOCK)) for rank, shift in points])


def _draw_block(latent: Latent, key: str) -> _Block:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    generator = np.random.Generator(np.random.PCG64(seed))
    scores = generator.standard_normal((_BLOCK, len(latent.items))) @ latent.root.T
    shifts = generator.random(len(latent.items))
    ranks = scores.argsort(axis=0).argsort(axis=0).astype(np.int16)
    return _Block(ranks, tuple(shifts.tolist()))


def _strata(seed: int, number: int, dimension: int) -> float:
    """A number from 0 to 1 from an additive sequence that fills the range evenly (Roberts 2018)."""
    steps = (0.7548776662466927, 0.5698402909980532)
    return (_find_start(seed, dimension) + steps[dimension] * (number + 1)) % 1.0


@cache
def _find_start(seed: int, dimension: int) -> float:
    return random.Random(f"{seed}/{dimension}").random()


def _inside(probability: float) -> float:
    return min(max(probability, 1e-9), 1 - 1e-9)


def _split(shares: Mapping[Any, float]) -> tuple[list[str], list[float]]:
    return list(shares), list(shares.values())
