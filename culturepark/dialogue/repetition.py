"""Words in a row that two texts share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from culturepark.language import words


@lru_cache(maxsize=2048)  # a turn is held against all that follow it, by several rules
def hash_triples(text: str) -> frozenset[int]:
    """Every three words in a row, each as its hash, which is quicker and smaller; two share one by no likely chance."""
    found = words(text)
    return frozenset(map(hash, zip(found, found[1:], found[2:], strict=False)))


def shares_run(text: str, others: Sequence[str], length: int) -> bool:
    """Does a text share ``length`` words in a row (three or more) with one of the others?"""
    found = words(text)
    # Each run of that length holds one of the triples at these places, and half of its other words on one side of it.
    step, half = length - 2, (length - 3) // 2
    marks = list(map(hash, zip(found[::step], found[1::step], found[2::step], strict=False)))
    for other in others:
        known = hash_triples(other)
        if known.isdisjoint(marks):
            continue
        whole = _join(words(other))
        for i in (step * k for k, mark in enumerate(marks) if mark in known):
            sides = found[max(0, i - half) : i + 3], found[i : i + 3 + half]
            places = range(max(0, i - step + 1), min(i, len(found) - length) + 1)
            if any(_join(side) in whole for side in sides):
                if any(_join(found[k : k + length]) in whole for k in places):
                    return True
    return False


def _join(found: Sequence[str]) -> str:
    return f" {' '.join(found)} "
