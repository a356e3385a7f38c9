"""What a profile has for a person of some country, age, sex and schooling; each list is made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from culturepark.culture.profiles import Area, Fact, Gender, Occupation, Profile
from culturepark.culture.scenarios import Theme

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
_Found = TypeVar("_Found")


class Circumstances:
    """Lists of a profile by those they fit."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._made: dict[Hashable, object] = {}

    def places(self, country: str, setting: str) -> Sequence[str]:
        """Homes in a country's villages, towns or cities."""
        places = self._profile.by_code[country].places
        return self._keep(("place", country, setting), lambda: [p.name for p in places if p.setting == setting])

    def occupations(self, country: str, gender: str, band: str, education: str, setting: str) -> Sequence[Occupation]:
        """What such a person does; where nothing fits all, schooling counts more than the setting."""

        def find() -> Sequence[Occupation]:
            near = [
                o
                for o in self._profile.occupations
                if band in o.ages and gender in o.genders and (not o.countries or country in o.countries)
            ]
            exact = [o for o in near if education in o.education and setting in o.settings]
            schooled = [o for o in near if education in o.education]
            return exact or schooled or near or self._profile.occupations

        return self._keep(("occupation", country, gender, band, education, setting), find)

    def households(self, band: str, gender: str, needs_family: bool) -> tuple[list[str], list[float]]:
        """Whom such a person lives with, and how often."""

        def find() -> tuple[list[str], list[float]]:
            homes = [
                h
                for h in self._profile.households
                if band in h.ages and gender in h.genders and (h.family or not needs_family)
            ]
            return [h.text for h in homes], [h.weight for h in homes]

        return self._keep(("household", band, gender, needs_family), find)

    def facts(self, country: str, theme: Theme | None) -> tuple[Sequence[Fact], Sequence[Fact]]:
        """What holds in a country: of it what fits the theme of a talk, and all."""

        def find() -> tuple[Sequence[Fact], Sequence[Fact]]:
            known = [f for f in self._profile.facts if not f.countries or country in f.countries]
            areas = _THEME_AREAS[theme] if theme else ()
            return [f for f in known if f.area in areas], known

        return self._keep(("fact", country, theme), find)

    def names(self, country: str, gender: Gender, age: int) -> Sequence[str]:
        """First names people of this age have, each once."""
        older, younger = age >= 55, age < 40

        def find() -> Sequence[str]:
            names = self._profile.names[country][gender]
            return list(dict.fromkeys((*names.any, *(names.older if older else names.younger if younger else ()))))

        return self._keep(("name", country, gender, older, younger), find)

    def _keep(self, key: Hashable, make: Callable[[], _Found]) -> _Found:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make()
        return found  # type: ignore[return-value]
