"""Culture profiles: one YAML file in ``personas/`` describes one culture.

A profile is data written by people: it names the group, place and period it speaks of, where each
fact comes from, and where people inside the culture disagree. Opinions are not in it: those are
drawn from survey figures (see ``personas``).
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from culturepark.errors import ConfigError, DataError
from culturepark.files import find_data_folder, load_yaml_model, nearest

Gender = Literal["female", "male"]
Setting = Literal["village", "town", "city"]
Education = Literal["primary", "secondary", "higher"]
Area = Literal["kinship", "religion", "calendar", "food", "work", "school", "home", "manners", "neighbourhood", "civic"]
AgeBand = Literal["18-29", "30-44", "45-59", "60+"]
AGE_BANDS: tuple[AgeBand, ...] = ("18-29", "30-44", "45-59", "60+")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(_Strict):
    """Whom the profile speaks of, and whom it does not."""

    group: str
    place: str
    period: str
    excludes: str


class Place(_Strict):
    """A settlement a persona can live in."""

    name: str
    setting: Setting


class Country(_Strict):
    """A country of the culture. ``population`` is in millions and serves as a weight."""

    code: str = Field(pattern=r"^[A-Z]{3}$")
    name: str
    adjective: str
    population: float = Field(gt=0)
    population_source: str
    urban_share: float = Field(gt=0, lt=1)
    places: tuple[Place, ...] = Field(min_length=4)

    @model_validator(mode="after")
    def _every_setting_has_a_place(self) -> Country:
        missing = {"village", "town", "city"} - {p.setting for p in self.places}
        if missing:
            raise ValueError(f"country {self.code}: no place for setting {', '.join(sorted(missing))}")
        return self


class Names(_Strict):
    """Given names of one gender in one country. ``older`` fit people of 55 and more, ``younger`` those under 40."""

    any: tuple[str, ...] = Field(min_length=8)
    older: tuple[str, ...] = ()
    younger: tuple[str, ...] = ()


class Style(_Strict):
    """One way of talking that some people of the culture have; ``text`` completes "You ..."."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    text: str


class Communication(_Strict):
    summary: str
    styles: tuple[Style, ...] = Field(min_length=4)


class ValueScore(_Strict):
    """A published value score of a country or region, as a figure with its source."""

    system: str
    dimension: str
    score: float
    of: str
    source: str


class Fact(_Strict):
    """Something a talk can lean on. ``text`` completes a persona's everyday knowledge in plain words.

    ``countries`` empty means all countries of the profile. ``source`` is a citation or the words
    ``own judgement``. ``contested`` says where people inside the culture see or do it differently.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    area: Area
    text: str
    source: str
    countries: tuple[str, ...] = ()
    contested: str = ""


class Disagreement(_Strict):
    """A question on which people inside the culture take different sides."""

    about: str
    sides: tuple[str, ...] = Field(min_length=2)
    source: str


class Occupation(_Strict):
    """What a persona does; ``needs_family`` marks work for the people at home, never given to one without any."""

    text: str
    education: tuple[Education, ...] = Field(min_length=1)
    settings: tuple[Setting, ...] = ("village", "town", "city")
    genders: tuple[Gender, ...] = ("female", "male")
    ages: tuple[AgeBand, ...] = AGE_BANDS
    countries: tuple[str, ...] = ()
    needs_family: bool = False


class Household(_Strict):
    """Whom a persona lives with; ``family`` is false for people who live alone or among strangers."""

    text: str
    ages: tuple[AgeBand, ...] = Field(min_length=1)
    genders: tuple[Gender, ...] = ("female", "male")
    weight: float = Field(default=1.0, gt=0)
    family: bool = True


class Demography(_Strict):
    """Rough shares among adults, used to vary personas; each sums to about 1."""

    ages: dict[AgeBand, float]
    education: dict[Education, float]
    source: str

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Demography:
        for name, shares in (("ages", self.ages), ("education", self.education)):
            if abs(sum(shares.values()) - 1) > 0.02:
                raise ValueError(f"demography.{name}: shares sum to {sum(shares.values()):.2f}, not 1")
        return self


class Profile(_Strict):
    """One culture. See ``docs/cultures.md`` for how to write one."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    aliases: tuple[str, ...]
    role: Literal["culture", "contact"] = "culture"
    provenance: Literal["paper", "code", "reconstruction", "own"]
    scope: Scope
    countries: tuple[Country, ...] = Field(min_length=1)
    languages: tuple[str, ...] = Field(min_length=1)
    names: dict[str, dict[Gender, Names]]
    communication: Communication
    values: tuple[ValueScore, ...]
    demography: Demography
    occupations: tuple[Occupation, ...] = Field(min_length=12)
    households: tuple[Household, ...] = Field(min_length=6)
    interests: tuple[str, ...] = Field(min_length=12)
    facts: tuple[Fact, ...] = Field(min_length=24)
    disagreements: tuple[Disagreement, ...] = Field(min_length=4)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Profile:
        codes = {c.code for c in self.countries}
        if set(self.names) != codes:
            raise ValueError(f"names cover {sorted(self.names)}, countries are {sorted(codes)}")
        for code, by_gender in self.names.items():
            if set(by_gender) != {"female", "male"}:
                raise ValueError(f"names.{code}: needs female and male")
        ids = [f.id for f in self.facts]
        if len(set(ids)) != len(ids):
            raise ValueError("two facts share an id")
        found = [(f.text, f.countries) for f in self.facts] + [(o.text, o.countries) for o in self.occupations]
        for text, countries in found:
            if not set(countries) <= codes:
                raise ValueError(f"{text[:40]!r}: unknown country in {list(countries)}")
        for gender, band in product(("female", "male"), AGE_BANDS):
            if not any(band in h.ages and gender in h.genders and h.family for h in self.households):
                raise ValueError(f"no household with family fits {gender} persons of age band {band}")
        return self

    @cached_property
    def by_code(self) -> dict[str, Country]:
        """The countries by ISO 3166 alpha-3 code."""
        return {c.code: c for c in self.countries}


def load_profiles(folder: Path | None = None) -> dict[str, Profile]:
    """Read every profile in ``folder`` (default: the packaged ``personas``), by id.

    Raises ``DataError`` naming the file and key when one is wrong.
    """
    folder = folder or find_data_folder("personas")
    profiles: dict[str, Profile] = {}
    for path in sorted(folder.glob("*.yaml")):
        profile = load_yaml_model(path, Profile)
        if profile.id != path.stem:
            raise DataError(f"{path}: id is {profile.id!r}; it must equal the file name {path.stem!r}")
        profiles[profile.id] = profile
    if not profiles:
        raise DataError(f"{folder}: no profiles (*.yaml) found; give the right folder with --personas")
    return profiles


def find_profiles(words: list[str], profiles: dict[str, Profile]) -> list[str]:
    """Turn what a user typed (ids, aliases, country codes, ``all``) into culture ids, in order.

    Raises ``ConfigError`` with the nearest known name for an unknown word.
    """
    table: dict[str, str] = {}
    for profile in profiles.values():
        for word in (profile.id, profile.name, *profile.aliases, *(c.code for c in profile.countries)):
            other = table.setdefault(word.casefold(), profile.id)
            if other != profile.id:
                raise DataError(f"the alias {word!r} belongs to both {other!r} and {profile.id!r}")
    found: list[str] = []
    for word in words:
        key = word.strip().casefold()
        if key == "all":
            found.extend(p.id for p in profiles.values() if p.role == "culture")
        elif key in table:
            found.append(table[key])
        else:
            raise ConfigError(f"unknown culture {word!r}{nearest(key, table)}; see: culturepark cultures")
    return list(dict.fromkeys(found))
