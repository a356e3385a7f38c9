"""Personas: synthetic respondents drawn from one country's answer shares and one culture's profile.

Opinions come from the survey alone: the answer to the talk's topic is given by the plan's quota, all
other answers follow through the country's rank correlations (Gaussian copula). The rest of a person
(age, home, work, ways of talking) comes from the profile and is drawn apart from the opinions, since
the figures at hand do not say how answers differ by age or schooling; only religiosity is read off
the persona's own answers, so that it never contradicts them. Provenance: reconstruction.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from culturepark.culture.circumstances import Circumstances
from culturepark.culture.profiles import AGE_BANDS, Fact, Gender, Profile
from culturepark.culture.scenarios import Topic
from culturepark.culture.spread import BLOCK, Block, bound, draw_block, find_point
from culturepark.culture.surveys import Survey, apportion
from culturepark.errors import ConfigError
from culturepark.records import Persona, Stance

_NORMAL = NormalDist()
_BLOCKS_KEPT = 48
_BAND_YEARS = {"18-29": (18, 29), "30-44": (30, 44), "45-59": (45, 59), "60+": (60, 82)}


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
    _related_to: dict[tuple[str, str], list[Topic]] = field(default_factory=dict)
    _blocks: OrderedDict[tuple[str, int], Block] = field(default_factory=OrderedDict)

    def draw(self, order: Order) -> Persona:
        """Draw one persona. Its answers cover every item asked in its country."""
        chance = random.Random(f"{self.seed}/{self.profile.id}/{order.id}")
        answers = self._answers(order, chance) if order.country in self.survey.marginals else {}
        country = self.profile.by_code[order.country]
        gender: Gender = "female" if find_point(self.seed, order.number, 0) < 0.5 else "male"
        band = self._age_band(order)
        low, high = _BAND_YEARS[band]
        age = chance.randint(low, high)
        urban = country.urban_share
        setting = chance.choices(("village", "town", "city"), (1 - urban, urban * 0.4, urban * 0.6))[0]
        education = chance.choices(*_split(self.profile.demography.education))[0]
        around = self._around
        home = chance.choice(around.places(order.country, setting))
        occupation = chance.choice(around.occupations(order.country, gender, band, education, setting))
        households = around.households(band, gender, occupation.needs_family)
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
            household=chance.choices(*households)[0],
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
            normal = np.array([_NORMAL.inv_cdf(bound(chance.random())) for _ in latent.items])
            scores = latent.root @ normal
        else:
            scores = self._block(order.country, order.number // BLOCK).row(order.number % BLOCK)
        if order.topic is not None and order.code is not None:
            t = latent.index[order.topic.item]
            low, high = latent.bounds(t, order.code)
            target = _NORMAL.inv_cdf(bound(low + (high - low) * chance.random()))
            scores = scores + latent.correlation[:, t] * (target - scores[t])
        answers = latent.answers(scores)
        if order.topic is not None and order.code is not None:
            answers[order.topic.item] = order.code  # a rounding error at a cut must not move the quota
        return answers

    def _block(self, country: str, number: int) -> Block:
        key = (country, number)
        if key not in self._blocks:
            self._blocks[key] = draw_block(self.survey.latent(country), f"{self.seed}/{country}/{number}")
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _age_band(self, order: Order) -> str:
        shares = {b: s for b, s in self.profile.demography.ages.items() if b in order.bands}
        point, total = find_point(self.seed, order.number, 1), 0.0
        for band, share in shares.items():
            total += share / sum(shares.values())
            if point < total:
                return band
        return list(shares)[-1]

    def _pick_name(self, order: Order, gender: Gender, age: int, chance: random.Random) -> str:
        fitting = self._around.names(order.country, gender, age)
        free = [n for n in fitting if n not in order.avoid]
        return chance.choice(free or fitting)

    def _pick_facts(self, order: Order, chance: random.Random) -> list[Fact]:
        fitting, known = self._around.facts(order.country, order.topic.theme if order.topic else None)
        chosen = chance.sample(fitting, min(3, len(fitting)))
        taken = {f.id for f in chosen}
        others = [f for f in known if f.id not in taken]
        return chosen + chance.sample(others, min(2, len(others)))

    def _religiosity(self, country: str, answers: Mapping[str, int]) -> str:
        """Three levels from the answers to the two religion topics and the faith-and-science one."""
        marks = [topic.agreement(answers[topic.item]) for topic in self._of_faith if topic.item in answers]
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
        found: list[Stance] = []
        for topic in self._list_related(order.country, order.topic.item)[:most]:
            point = topic.point(answers[topic.item])
            found.append(
                Stance(
                    topic=topic.id,
                    item=topic.item,
                    code=point.code,
                    label=point.label,
                    view=point.view,
                    origin="copula",
                )
            )
        return tuple(found)

    def _list_related(self, country: str, item: str) -> list[Topic]:
        """The topics tied to an item in a country, most strongly first."""
        found = self._related_to.get((country, item))
        if found is None:
            latent = self.survey.latent(country)
            row = np.abs(latent.correlation[latent.index[item]])
            by_item = {t.item: t for t in self.topics.values()}
            order = [int(i) for i in np.argsort(-row, kind="stable") if row[i] >= 0.15]
            others = [latent.items[i] for i in order if latent.items[i] != item]
            found = self._related_to[country, item] = [by_item[other] for other in others if other in by_item]
        return found

    @cached_property
    def _around(self) -> Circumstances:
        return Circumstances(self.profile)

    @cached_property
    def _of_faith(self) -> list[Topic]:
        return [t for t in self.topics.values() if t.theme == "religion" or "faith" in t.tags]


def _tell_fact(fact: Fact) -> str:
    """A fact with what is not shared by everybody, so that a talk need not take it for the whole culture."""
    if not fact.contested:
        return fact.text
    return f"{fact.text} Not for everybody: {fact.contested[:1].lower()}{fact.contested[1:].rstrip('.')}."


def _split(shares: Mapping[Any, float]) -> tuple[list[str], list[float]]:
    return list(shares), list(shares.values())
