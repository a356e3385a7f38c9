"""Fixed random samples: of a list, and of a stream of unknown length. The same input gives the same sample."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


def draw_sample(items: Sequence[T], size: int, seed: int) -> list[T]:
    """At most ``size`` of the items, drawn without replacement, in the order they came."""
    if len(items) <= size:
        return list(items)
    return [items[i] for i in sorted(random.Random(seed).sample(range(len(items)), size))]


class Reservoir(Generic[T]):
    """A uniform sample of at most ``size`` items of each group of a stream (Vitter 1985, algorithm R).

    What a group keeps depends on its own items, their order and the seed, not on other groups.
    Memory grows with the number of groups. Group keys must have a stable ``repr``.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        if size < 1:
            raise ValueError("a reservoir holds at least one item")
        self.size, self.seed = size, seed
        self._kept: dict[Hashable, list[tuple[int, T]]] = {}
        self._seen: dict[Hashable, int] = {}
        self._dice: dict[Hashable, random.Random] = {}

    def add(self, group: Hashable, item: T) -> None:
        """Show the next item of a group."""
        seen = self._seen.get(group, 0)
        self._seen[group] = seen + 1
        kept = self._kept.setdefault(group, [])
        if seen < self.size:
            kept.append((seen, item))
            return
        if group not in self._dice:
            self._dice[group] = random.Random(f"{self.seed}:{group!r}")
        place = self._dice[group].randrange(seen + 1)
        if place < self.size:
            kept[place] = (seen, item)

    def count_seen(self, group: Hashable) -> int:
        """How many items of the group were shown."""
        return self._seen.get(group, 0)

    def list_kept(self) -> dict[Hashable, list[T]]:
        """The sample of each group in order of arrival, groups in order of first arrival."""
        return {
            group: [item for _, item in sorted(kept, key=lambda pair: pair[0])] for group, kept in self._kept.items()
        }
