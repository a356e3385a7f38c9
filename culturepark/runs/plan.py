"""The plan: who sits with whom to talk about what, so that every quota is filled.

Everything here is a pure function of the data part of the configuration and the data files, so that
a plan is never stored: it is made again and is the same.
"""

from __future__ import annotations

import contextlib
import gc
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from culturepark.culture.personas import country_weights
from culturepark.culture.profiles import Profile
from culturepark.culture.scenarios import Scene, Topic
from culturepark.culture.surveys import Survey
from culturepark.errors import ConfigError
from culturepark.runs.quotas import Cell, Draft, Pack, Settings, find_askable, keep_shared, pack_people, share_out
from culturepark.runs.tables import seat_topic

YOUNGER, OLDER = ("18-29", "30-44"), ("45-59", "60+")
EVERY_AGE = (*YOUNGER, *OLDER)
CONTACT = "english"


@dataclass(frozen=True, slots=True)
class Seat:
    """One speaker of a planned talk: whom to draw, and how many samples are wanted from the speaker."""

    culture: str
    country: str
    code: int | None
    wanted: int
    number: int
    bands: tuple[str, ...] = EVERY_AGE


@dataclass(frozen=True, slots=True)
class Slot:
    """One planned talk. ``attempt`` counts from 1; a replacement keeps the number of its slot."""

    number: int
    attempt: int
    style: str
    topic: str
    scene: str
    seats: tuple[Seat, ...]

    @property
    def id(self) -> str:
        """Stable name of the dialogue."""
        return f"d{self.number:06d}" if self.attempt == 1 else f"d{self.number:06d}-{self.attempt}"

    @property
    def wanted(self) -> int:
        """Samples wanted from all seats."""
        return sum(seat.wanted for seat in self.seats)


@dataclass(frozen=True)
class Plan:
    """Slots in the order they are worked on, the quotas behind them, and remarks for the user."""

    slots: tuple[Slot, ...]
    quotas: Mapping[Cell, int]
    not_asked: Mapping[str, tuple[str, ...]]
    remarks: tuple[str, ...]


def make_plan(
    settings: Settings,
    profiles: Mapping[str, Profile],
    surveys: Mapping[str, Survey],
    topics: Mapping[str, Topic],
    scenes: Mapping[str, Scene],
) -> Plan:
    """Plan a run.

    ``n`` is split evenly over cultures, each culture's part evenly over the topics asked in one of
    its countries, each topic's part over the answers by largest remainder (by systematic sampling
    when a topic has fewer samples than answers). Raises ``ConfigError`` when nothing can be planned.
    """
    draft = Draft(settings, profiles, surveys, topics, scenes)
    for culture in settings.cultures:
        draft.weights[culture] = country_weights(profiles[culture], settings.weighting)
    askable, not_asked = find_askable(draft)
    style = _resolve_style(settings)
    if style == "cross":
        askable = keep_shared(draft, askable)
    quotas = share_out(draft, askable)
    by_topic: dict[str, dict[str, list[Pack]]] = defaultdict(dict)
    for topic in settings.topics:
        for culture in settings.cultures:
            packs = pack_people(draft, quotas, culture, topic)
            if packs:
                by_topic[topic][culture] = packs
    talks = {t: seat_topic(draft, style, t, packs, askable) for t, packs in by_topic.items()}
    with _without_collection():
        slots = _interleave(draft, talks)
    return Plan(tuple(slots), quotas, not_asked, _remark(settings, style, not_asked, askable, quotas))


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Nothing of a plan is garbage, and of perhaps a million new objects each is looked at many times in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _resolve_style(settings: Settings) -> str:
    several = len(settings.cultures) > 1
    style = settings.style
    if style == "cross" and not several:
        raise ConfigError("style cross needs at least two cultures; name more with --cultures or use --style within")
    if style == "auto":
        return "mixed" if several else "within"
    return style


def _interleave(draft: Draft, talks: Mapping[str, list[tuple[str, list[Pack]]]]) -> list[Slot]:
    """Put the talks of all topics in one order in which every stretch covers all topics alike."""
    placed: list[tuple[float, int, str, str, list[Pack]]] = []
    for rank, (topic, tables) in enumerate(talks.items()):
        chance = random.Random(f"{draft.settings.seed}/order/{topic}")
        chance.shuffle(tables)
        for k, (style, table) in enumerate(tables):
            placed.append(((k + 0.5) / len(tables), rank, topic, style, table))
    slots = []
    for number, (_, _, topic, style, table) in enumerate(sorted(placed, key=lambda p: p[:2])):
        scene = _pick_scene(draft, number, style, topic)
        slots.append(Slot(number, 1, style, topic, scene, _make_seats(draft, number, style, topic, table)))
    return slots


def _pick_scene(draft: Draft, number: int, style: str, topic: str) -> str:
    if style == "classic":
        return ""
    theme = draft.topics[topic].theme
    if (style, theme) not in draft.scene_lists:
        fitting = [s.id for s in draft.scenes.values() if style in s.styles and (not s.themes or theme in s.themes)]
        draft.scene_lists[style, theme] = fitting
    fitting = draft.scene_lists[style, theme]
    if not fitting:
        raise ConfigError(f"no scene fits style {style!r} and theme {theme!r}; add one under scenarios/scenes")
    draft.chance.seed(f"{draft.settings.seed}/scene/{number}")
    return draft.chance.choice(fitting)


def _make_seats(draft: Draft, number: int, style: str, topic: str, table: list[Pack]) -> tuple[Seat, ...]:
    chance = draft.chance
    chance.seed(f"{draft.settings.seed}/seats/{number}")
    table = list(table)
    chance.shuffle(table)  # who opens
    bands: list[tuple[str, ...]] = [EVERY_AGE] * len(table)
    if style == "within" and len({p.code for p in table}) == 1:  # same answer: let generations differ
        bands = [YOUNGER, OLDER] if chance.random() < 0.5 else [OLDER, YOUNGER]
    seats: list[Seat] = []
    for pack, ages in zip(table, bands, strict=True):
        # People of one culture who know each other live in one country, where both answers were given.
        beside = seats[0] if seats and style == "within" else None
        country = _next_country(draft, pack, topic, beside)
        seats.append(Seat(pack.culture, country, pack.code, pack.size, draft.numbers[pack.culture], ages))
        draft.numbers[pack.culture] += 1
    if style == "classic":
        contact = Seat(CONTACT, draft.profiles[CONTACT].countries[0].code, None, 0, draft.numbers[CONTACT])
        draft.numbers[CONTACT] += 1
        seats.append(contact)
    return tuple(seats)


def _next_country(draft: Draft, pack: Pack, topic: str, beside: Seat | None) -> str:
    """A country, given how likely each one is to hold this answer.

    The cell's people take points of an additive sequence (Kronecker), which fills any stretch of the
    range evenly. Somebody seated ``beside`` a compatriot shares the country as often as these
    likelihoods allow (maximal coupling), so that answers and countries still go together as measured.
    """
    cell = (pack.culture, topic, pack.code)
    if beside is None or beside.code is None:
        if cell not in draft.starts:
            likely = _country_shares(draft, *cell)
            key = f"{draft.settings.seed}/country/{pack.culture}/{topic}/{pack.code}"
            draft.starts[cell] = random.Random(key).random(), list(likely), list(accumulate(likely.values()))
        start, countries, ends = draft.starts[cell]
        point = (start + draft.people[cell] * 0.6180339887498949) % 1
        draft.people[cell] += 1
        return countries[min(bisect_right(ends, point), len(countries) - 1)]
    likely = _country_shares(draft, pack.culture, topic, pack.code)
    key = f"{draft.settings.seed}/country/{pack.culture}/{topic}/{pack.code}"
    theirs = _country_shares(draft, beside.culture, topic, beside.code)
    chance = random.Random(f"{key}/beside/{beside.number}")
    if chance.random() * theirs[beside.country] < likely.get(beside.country, 0.0):
        return beside.country
    left = {c: max(0.0, share - theirs.get(c, 0.0)) for c, share in likely.items()}
    return chance.choices(list(left), list(left.values()))[0]


def _country_shares(draft: Draft, culture: str, topic: str, code: int) -> dict[str, float]:
    """How the people of a culture who give an answer spread over its countries (sum 1)."""
    known = draft.country_shares.get((culture, topic, code))
    if known is not None:
        return known
    record = draft.topics[topic]
    survey = draft.surveys[record.survey]
    found = {}
    for country, weight in draft.weights[culture].items():
        figures = survey.shares(country, record.item)
        if figures and figures.share(code) > 0:
            found[country] = weight * figures.share(code)
    shares = {country: share / sum(found.values()) for country, share in found.items()}
    draft.country_shares[culture, topic, code] = shares
    return shares


def replace_slot(slot: Slot, missing: Sequence[int], numbers: int) -> Slot:
    """The next attempt at a slot that fell short: same cells, new people, wanting only what is missing."""
    seats = tuple(
        Seat(s.culture, s.country, s.code, short, s.number + numbers * slot.attempt, s.bands)
        for s, short in zip(slot.seats, missing, strict=True)
    )
    return Slot(slot.number, slot.attempt + 1, slot.style, slot.topic, slot.scene, seats)


def _remark(
    settings: Settings,
    style: str,
    not_asked: Mapping[str, Sequence[str]],
    askable: Mapping[str, Sequence[str]],
    quotas: Mapping[Cell, int],
) -> tuple[str, ...]:
    remarks = []
    for culture, topics in not_asked.items():
        shown = ", ".join(topics[:6]) + (f" and {len(topics) - 6} more" if len(topics) > 6 else "")
        remarks.append(f"{culture}: no stance on {len(topics)} topics its countries were not asked ({shown})")
    if style == "cross":
        dropped = [t for t in settings.topics if not any(t in found for found in askable.values())]
        if dropped:
            remarks.append(f"style cross: {len(dropped)} topics left out that only one chosen culture was asked")
    used = {cell[1] for cell in quotas}
    idle = {t for found in askable.values() for t in found} - used
    if idle:
        remarks.append(f"n is small: {len(idle)} of {len(idle | used)} topics get no sample")
    return tuple(remarks)
