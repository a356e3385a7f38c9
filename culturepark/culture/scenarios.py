"""Topics and scenes: one YAML file each under ``scenarios/topics`` and ``scenarios/scenes``.

A topic is a survey item told in our own words; a scene is a place, a relationship and an occasion
in which people come to talk about it.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from culturepark.errors import ConfigError, DataError
from culturepark.files import find_data_folder, load_yaml_model, nearest

Theme = Literal["family", "work", "migration", "safety", "science", "religion", "privacy", "elections"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScalePoint(_Strict):
    """One answer. ``label`` names it in a table; ``view`` is a first-person sentence holding it."""

    code: int
    label: str
    view: str


class Topic(_Strict):
    """A survey item in our own words.

    ``statement`` is a neutral claim people can be for or against. ``agree_end`` says whether the
    lowest or the highest code stands nearest to the statement. ``scale`` runs in code order.
    ``questions`` are ways an ordinary person would ask about it, without naming a culture.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    survey: str
    item: str
    theme: Theme
    title: str
    statement: str
    agree_end: Literal["low", "high"]
    scale: tuple[ScalePoint, ...] = Field(min_length=2)
    discuss: str
    questions: tuple[str, ...] = Field(min_length=6)
    keywords: tuple[str, ...] = Field(min_length=8)
    sensitive: str
    tags: tuple[str, ...] = Field(min_length=2)
    provenance: Literal["paper", "code", "reconstruction", "own"]

    @model_validator(mode="after")
    def _scale_is_ordered(self) -> Topic:
        codes = [p.code for p in self.scale]
        if codes != sorted(set(codes)):
            raise ValueError(f"topic {self.id}: scale codes must rise, got {codes}")
        if len({p.view for p in self.scale}) != len(codes):
            raise ValueError(f"topic {self.id}: two scale points share a view")
        if any(not q.rstrip().endswith("?") for q in self.questions):
            raise ValueError(f"topic {self.id}: every question must end with '?'")
        return self

    @cached_property
    def codes(self) -> tuple[int, ...]:
        """Answer codes, rising."""
        return tuple(p.code for p in self.scale)

    def point(self, code: int) -> ScalePoint:
        """The scale point of an answer code."""
        return next(p for p in self.scale if p.code == code)

    def agreement(self, code: int) -> float:
        """How near an answer is to the statement: 0 (far) to 1 (near), linear in the code."""
        low, high = self.codes[0], self.codes[-1]
        share = (code - low) / (high - low)
        return share if self.agree_end == "high" else 1 - share


class Want(_Strict):
    """What one speaker wants out of the talk; ``text`` completes "You want ..."."""

    text: str


class Scene(_Strict):
    """A place, a relationship and an occasion. ``wants`` holds one line per speaker, in order."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    place: str
    relationship: str
    occasion: str
    mood: str
    wants: tuple[Want, ...] = Field(min_length=2)
    styles: tuple[Literal["cross", "within", "panel"], ...] = Field(min_length=1)
    themes: tuple[Theme, ...] = ()
    provenance: Literal["paper", "code", "reconstruction", "own"]

    @model_validator(mode="after")
    def _a_panel_has_four_wants(self) -> Scene:
        if "panel" in self.styles and len(self.wants) < 4:
            raise ValueError(f"scene {self.id}: a panel scene needs four wants")
        return self


def _load(folder: Path, model: type[Topic] | type[Scene], what: str) -> dict[str, Topic | Scene]:
    found: dict[str, Topic | Scene] = {}
    for path in sorted(folder.glob("*.yaml")):
        record = load_yaml_model(path, model)
        if record.id in found:
            raise DataError(f"{path}: a second {what} has the id {record.id!r}")
        found[record.id] = record
    if not found:
        raise DataError(f"{folder}: no {what}s (*.yaml) found; give the right folder with --scenarios")
    return found


def load_topics(folder: Path | None = None) -> dict[str, Topic]:
    """Read every topic, by id, in survey order. Raises ``DataError`` for a wrong file."""
    topics = _load((folder or find_data_folder("scenarios")) / "topics", Topic, "topic")
    items = [t.item for t in topics.values()]  # type: ignore[union-attr]
    if len(set(items)) != len(items):
        raise DataError("two topics stand for the same survey item")
    key = lambda t: (t.survey, int("".join(c for c in t.item if c.isdigit()) or 0), t.id)  # noqa: E731
    return {t.id: t for t in sorted(topics.values(), key=key)}  # type: ignore[misc]


def load_scenes(folder: Path | None = None) -> dict[str, Scene]:
    """Read every scene, by id. Raises ``DataError`` for a wrong file."""
    return _load((folder or find_data_folder("scenarios")) / "scenes", Scene, "scene")  # type: ignore[return-value]


def find_topics(words: list[str], topics: dict[str, Topic]) -> list[str]:
    """Turn topic ids, survey items, themes, tags or ``all`` into topic ids, in survey order.

    Raises ``ConfigError`` with the nearest known name for an unknown word.
    """
    table: dict[str, set[str]] = {"all": set(topics)}
    for topic in topics.values():
        for word in (topic.id, topic.item, topic.theme, *topic.tags):
            table.setdefault(word.casefold(), set()).add(topic.id)
    chosen: set[str] = set()
    for word in words:
        key = word.strip().casefold()
        if key not in table:
            raise ConfigError(f"unknown topic {word!r}{nearest(key, table)}; see: culturepark topics")
        chosen |= table[key]
    return [t for t in topics if t in chosen]
