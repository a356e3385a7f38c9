"""The first pass over a run: what splits are made from, as numbers in arrays (about 60 bytes a sample).

The index of near copies takes about 250 bytes a sample while it is at work, and room in ``TMPDIR``.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from culturepark.export.copies import CopyPairs
from culturepark.records import Sample
from culturepark.runs.folder import Run

Keys = NDArray[np.uint64]
Tell = Callable[[str, int], None]


class Names:
    """A column of names, kept as small numbers in order of first sight."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.column = array("i")

    def add(self, name: str) -> None:
        """The next row's name."""
        self.column.append(self.known.setdefault(name, len(self.known)))


@dataclass(frozen=True)
class Scan:
    """Of each sample (n,): keys of its id, dialogue and persona, numbers of its topic, culture and country.

    ``copies`` (k, 2) are pairs of samples, one of which has a near copy of a text of the other. ``near_held`` (n,)
    marks samples of talks in which somebody from a held-out country took part.
    """

    ids: Keys
    dialogues: Keys
    personas: Keys
    topics: NDArray[np.int64]
    cultures: NDArray[np.int64]
    countries: NDArray[np.int64]
    copies: NDArray[np.int64]
    near_held: NDArray[np.bool_]
    topic_names: tuple[str, ...]
    culture_names: tuple[str, ...]
    country_names: tuple[str, ...]
    pairs: int

    def __len__(self) -> int:
        return len(self.ids)


def hash_name(name: str) -> int:
    """A 64-bit number for an id, the same in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def scan_run(run: Run, held_out: Sequence[str] = (), tell: Tell | None = None) -> Scan:
    """Read a run's samples once; its talks too, where countries are held out. ``tell`` hears how many were read."""
    ids, dialogues, personas, near = array("Q"), array("Q"), array("Q"), array("b")
    topics, cultures, countries, copies = Names(), Names(), Names(), array("q")
    held = _find_held_talks(run, frozenset(held_out)) if held_out else frozenset()
    index = CopyPairs(float(run.manifest.get("config", {}).get("near_copy") or 0.7))
    preferences = 0
    for number, sample in enumerate(run.samples()):
        key = hash_name(str(sample.lineage.get("dialogue") or sample.id))
        ids.append(hash_name(sample.id))
        dialogues.append(key)
        personas.append(hash_name(str(sample.lineage.get("persona") or sample.id)))
        near.append(key in held)
        topics.add(sample.topic)
        cultures.add(sample.culture)
        countries.add(sample.country)
        for text in _answers(sample):
            for other in index.add_text(number, text, sample.language):
                copies.extend((other, number))
        preferences += bool(sample.rejected)
        if tell and number % 500 == 0:
            tell("reading", number)
    return Scan(
        ids=np.array(ids, dtype=np.uint64),
        dialogues=np.array(dialogues, dtype=np.uint64),
        personas=np.array(personas, dtype=np.uint64),
        topics=np.array(topics.column, dtype=np.int64),
        cultures=np.array(cultures.column, dtype=np.int64),
        countries=np.array(countries.column, dtype=np.int64),
        copies=np.array(copies, dtype=np.int64).reshape(-1, 2),
        near_held=np.array(near, dtype=np.bool_),
        topic_names=tuple(topics.known),
        culture_names=tuple(cultures.known),
        country_names=tuple(countries.known),
        pairs=preferences,
    )


def _answers(sample: Sample) -> list[str]:
    """What a model learns to say from a sample, and what it learns not to."""
    return [sample.messages[-1]["content"], *(m["content"] for m in sample.rejected)]


def _find_held_talks(run: Run, held_out: frozenset[str]) -> frozenset[int]:
    return frozenset(
        hash_name(talk.id)
        for talk in run.dialogues()
        if any(persona.country in held_out for persona in talk.personas.values())
    )
