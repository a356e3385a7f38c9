"""Quotas: n samples shared out over cultures, topics and answers, then cut into people.

Pure functions of the settings and the survey's figures.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from culturepark.culture.profiles import Profile
from culturepark.culture.scenarios import Scene, Topic
from culturepark.culture.surveys import Survey, apportion, apportion_few
from culturepark.errors import ConfigError

Cell = tuple[str, str, int]  # culture, topic, answer code


@dataclass(frozen=True)
class Settings:
    """The part of the configuration a plan depends on, already resolved."""

    n: int
    cultures: tuple[str, ...]
    topics: tuple[str, ...]
    style: str
    seed: int
    weighting: str
    claims_per_speaker: int
    panel_size: int = 3


@dataclass
class Pack:
    """Samples of one cell that one persona will give."""

    culture: str
    code: int
    size: int


@dataclass
class Draft:
    """Talks planned so far, and what balances them."""

    settings: Settings
    profiles: Mapping[str, Profile]
    surveys: Mapping[str, Survey]
    topics: Mapping[str, Topic]
    scenes: Mapping[str, Scene]
    pair_counts: dict[frozenset[str], int] = field(default_factory=lambda: defaultdict(int))
    numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    guests: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    people: dict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    weights: dict[str, dict[str, float]] = field(default_factory=dict)
    # Found once and looked up for each of perhaps a hundred thousand talks.
    country_shares: dict[Cell, dict[str, float]] = field(default_factory=dict)
    starts: dict[Cell, tuple[float, list[str], list[float]]] = field(default_factory=dict)
    chance: random.Random = field(default_factory=random.Random)  # seeded anew for each use
    scene_lists: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def find_askable(draft: Draft) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Topics that each culture can speak to, and those it cannot because no country was asked."""
    askable, not_asked = {}, {}
    for culture in draft.settings.cultures:
        found = []
        for topic in draft.settings.topics:
            record = draft.topics[topic]
            survey = draft.surveys.get(record.survey)
            if survey and survey.mixture(draft.weights[culture], record.item):
                found.append(topic)
        askable[culture] = found
        missing = tuple(t for t in draft.settings.topics if t not in found)
        if missing:
            not_asked[culture] = missing
        if not found:
            raise ConfigError(
                f"culture {culture!r}: none of the chosen topics was asked in its countries, so there is no "
                "measured stance to give; choose other topics (see: culturepark topics)"
            )
    return askable, not_asked


def keep_shared(draft: Draft, askable: dict[str, list[str]]) -> dict[str, list[str]]:
    shared = {t for t in draft.settings.topics if sum(t in found for found in askable.values()) > 1}
    kept = {culture: [t for t in found if t in shared] for culture, found in askable.items()}
    for culture, found in kept.items():
        if not found:
            raise ConfigError(
                f"culture {culture!r} shares none of the chosen topics with another chosen culture; "
                "leave --style to auto or choose other topics"
            )
    return kept


def share_out(draft: Draft, askable: Mapping[str, Sequence[str]]) -> dict[Cell, int]:
    settings = draft.settings
    order = list(settings.topics)
    random.Random(f"{settings.seed}/topics").shuffle(order)  # which topics get the odd sample
    per_culture = apportion([1.0] * len(settings.cultures), settings.n)
    quotas: dict[Cell, int] = {}
    for culture, total in zip(settings.cultures, per_culture, strict=True):
        mine = [t for t in order if t in set(askable[culture])]
        for place, (topic, seats) in enumerate(zip(mine, apportion([1.0] * len(mine), total), strict=True)):
            record = draft.topics[topic]
            mixture = draft.surveys[record.survey].mixture(draft.weights[culture], record.item)
            shares = list(mixture.values())
            if seats >= len(shares):
                counts = apportion(shares, seats)
            else:
                start = (place * 0.6180339887498949 + random.Random(f"{settings.seed}/{culture}").random()) % 1
                counts = apportion_few(shares, seats, start)
            quotas.update({(culture, topic, c): k for c, k in zip(mixture, counts, strict=True) if k})
    return quotas


def pack_people(draft: Draft, quotas: Mapping[Cell, int], culture: str, topic: str) -> list[Pack]:
    """Cut one culture's quotas on a topic into personas, rare answers spread among the common ones."""
    most = draft.settings.claims_per_speaker
    placed: list[tuple[float, Pack]] = []
    for code in draft.topics[topic].codes:
        quota = quotas.get((culture, topic, code), 0)
        people = -(-quota // most)
        for k in range(people):
            size = quota // people + (1 if k < quota % people else 0)
            placed.append(((k + 0.5) / people, Pack(culture, code, size)))
    return [pack for _, pack in sorted(placed, key=lambda p: p[0])]
