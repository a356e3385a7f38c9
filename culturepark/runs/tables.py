"""Who sits at one table: people with unlike answers, of as many cultures as the style asks for; nobody is left over."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import cycle

from culturepark.runs.quotas import Draft, Pack


def seat_topic(
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
