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
from itertools import accumulate, cycle

from culturepark.culture.personas import country_weights
from culturepark.culture.profiles import Profile
from culturepark.culture.scenarios import Scene, Topic
from culturepark.culture.surveys import Survey
from culturepark.errors import ConfigError
from culturepark.runs.quotas import Cell, Draft, Pack, Settings, find_askable, keep_shared, pack_people, share_out

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
    talks = {t: _seat_topic(draft, style, t, packs, askable) for t, packs in by_topic.items()}
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


def _seat_topic(
    draft: Draft, style: str, topic: str, packs: dict[str, list[Pack]], askable: Mapping[str, Sequence[str]]
) -> list[tuple[str, list[Pack]]]:
    """Talks on one topic, as (style, packs at the table); a pack of size 0 is a guest."""
    if style == "classic":
        return [("classic", [p]) for group in packs.values() for p in group]
    if style == "panel":
        return _seat_panels(draft, topic, packs, askable)
    if style == "within" or (style == "mixed" and len(packs) == 1 and not _others(topic, packs, askable)):
        return [("within", table) for group in packs.values() for table in _seat_within(draft, topic, group)]
    return [("cross", table) for table in _seat_cross(draft, topic, packs, askable)]


def _others(topic: str, packs: Mapping[str, object], askable: Mapping[str, Sequence[str]]) -> list[str]:
    return [c for c, topics in askable.items() if topic in topics and c not in packs]


def _seat_within(draft: Draft, topic: str, group: list[Pack]) -> list[list[Pack]]:
    """Pair people of one culture with unlike answers: sorted by answer, each with the one half a list away."""
    people = sorted(group, key=lambda p: p.code)
    if len(people) % 2:
        biggest = max(people, key=lambda p: p.size)
        if biggest.size > 1:  # one more person instead of a guest whose words would not be used
            people.append(Pack(biggest.culture, biggest.code, biggest.size // 2))
            biggest.size -= biggest.size // 2
        else:
            people.append(_invite(draft, biggest.culture, topic))
        people.sort(key=lambda p: p.code)
    half = len(people) // 2
    return [[people[i], people[i + half]] for i in range(half)]


def _seat_cross(
    draft: Draft, topic: str, packs: dict[str, list[Pack]], askable: Mapping[str, Sequence[str]]
) -> list[list[Pack]]:
    """Pair people of different cultures so that no one is left over and all culture pairs come up alike."""
    left = {culture: list(group) for culture, group in packs.items()}
    for culture in _others(topic, packs, askable):
        left.setdefault(culture, [])
    _even_out(left)
    for group in left.values():  # unlike answers meet: one side from the low end, the other half a list on
        group.sort(key=lambda p: p.code)
    for k, culture in enumerate(left):
        group = left[culture]
        turn = (len(group) // 2) * (k % 2)
        left[culture] = group[turn:] + group[:turn]
    tables = []
    while any(left.values()):
        first = max(left, key=lambda c: (len(left[c]), c))
        partners = [c for c in left if c != first]
        with_people = [c for c in partners if left[c]] or partners
        second = min(with_people, key=lambda c: (-len(left[c]), draft.pair_counts[frozenset((first, c))], c))
        a = left[first].pop(0)
        b = left[second].pop(0) if left[second] else _invite(draft, second, topic)
        draft.pair_counts[frozenset((first, second))] += 1
        tables.append([a, b])
    return tables


def _even_out(left: dict[str, list[Pack]]) -> None:
    """Split big packs until no culture has more people than all others together and the sum is even."""

    def split_one(cultures: list[str]) -> bool:
        groups = [p for c in cultures for p in left[c] if p.size > 1]
        if not groups:
            return False
        pack = max(groups, key=lambda p: p.size)
        left[pack.culture].append(Pack(pack.culture, pack.code, pack.size // 2))
        pack.size -= pack.size // 2
        return True

    while True:
        total = sum(map(len, left.values()))
        biggest = max(left, key=lambda c: len(left[c]))
        others = [c for c in left if c != biggest]
        if len(left[biggest]) > total - len(left[biggest]):
            if not split_one(others):
                return
        elif total % 2:
            if not split_one(others) and not split_one([biggest]):
                return
        else:
            return


def _invite(draft: Draft, culture: str, topic: str) -> Pack:
    """A guest, who only fills the table: the answer is drawn from the measured shares like everyone's."""
    record = draft.topics[topic]
    mixture = draft.surveys[record.survey].mixture(draft.weights[culture], record.item)
    chance = random.Random(f"{draft.settings.seed}/guest/{culture}/{topic}/{draft.guests[culture]}")
    draft.guests[culture] += 1
    return Pack(culture, chance.choices(list(mixture), list(mixture.values()))[0], 0)


def _seat_panels(
    draft: Draft, topic: str, packs: dict[str, list[Pack]], askable: Mapping[str, Sequence[str]]
) -> list[tuple[str, list[Pack]]]:
    """Tables of three or four, cultures dealt round-robin; the last one is filled from bigger packs, then by guests."""
    size = draft.settings.panel_size
    queues = {c: list(group) for c, group in packs.items()}
    dealt: list[Pack] = []
    while any(queues.values()):
        for queue in queues.values():
            if queue:
                dealt.append(queue.pop(0))
    around = cycle([*_others(topic, packs, askable), *packs])
    while len(dealt) % size:
        biggest = max(dealt, key=lambda p: p.size)
        if biggest.size == 1:
            dealt.append(_invite(draft, next(around), topic))
        else:
            part = biggest.size // 2
            dealt.append(Pack(biggest.culture, biggest.code, part))
            biggest.size -= part
    return [("panel", dealt[i : i + size]) for i in range(0, len(dealt), size)]


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
