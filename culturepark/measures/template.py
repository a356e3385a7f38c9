"""Template ratio: how alike texts of different cultures are once the words that name a culture are gone.

A reconstruction: the idea (delete what tells nationalities apart, compare the rest) is that of a study of stories
about 193 nationalities (arXiv 2606.14626, read as abstract only); the formula here is our own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from culturepark.language import words
from culturepark.measures.figure import Figure
from culturepark.measures.markers import Markers
from culturepark.measures.sampling import Reservoir

Floats = npt.NDArray[np.float64]
Vector = dict[int, float]

_NOTHING = 1e-9  # what differences of sums leave where there is nothing


@dataclass(frozen=True)
class Passage:
    """A text about a topic by a speaker of a culture; ``talk`` names the dialogue it comes from, if any."""

    topic: str
    culture: str
    text: str
    talk: str = ""


@dataclass(frozen=True)
class TemplateRatio:
    """Likeness ``between`` and ``within`` cultures, 0 to 1, and their ``ratio``; ``removed``: share of words taken out.

    ``n`` counts pairs of texts, for ``ratio`` topics, for ``removed`` words.
    """

    between: Figure
    within: Figure
    ratio: Figure
    removed: Figure


def template_ratio(
    passages: Iterable[Passage],
    markers: Mapping[str, Collection[str]],
    tag: str,
    sample: int = 50,
    seed: int = 0,
) -> TemplateRatio:
    """How much of what texts of different cultures say on a topic is the same text with other names.

    The markers of all cultures are taken out of every text. Likeness of two texts is the cosine of their TF-IDF
    vectors: count times ln((1 + N) / (1 + df)) + 1, over all N texts. On one topic, likeness is averaged over
    pairs of texts for each two cultures (between) and for each culture (within), then over those, then over topics.
    Texts of one talk are never paired: they answer each other. ``ratio`` = between / within over topics that have
    both. Near 1: a text is as like another culture's as its own culture's, so culture changes the names only; near 0:
    what cultures say differs. Read it with ``between``: high is one template, low is varied talk in which culture
    makes no difference. It can exceed 1. Markers that are missed lower it.

    Limits: likeness is of words, so paraphrased templates are missed; compare texts of one language and of like
    length. At most ``sample`` texts of each topic and culture are read, a seeded sample of the stream.
    """
    reservoir: Reservoir[Passage] = Reservoir(sample, seed)
    for passage in passages:
        reservoir.add((passage.topic, passage.culture), passage)
    rows = [passage for kept in reservoir.list_kept().values() for passage in kept]
    strip = Markers({m for of_culture in markers.values() for m in of_culture}, tag).strip
    numbers: dict[str, int] = {}
    bags: list[Counter[int]] = []
    before = after = 0
    for row in rows:
        found = words(row.text)
        left = strip(found)
        before, after = before + len(found), after + len(left)
        bags.append(Counter(numbers.setdefault(w, len(numbers)) for w in left))
    vectors = _weigh(bags)
    topics = [
        _compare_topic([(r, v) for r, v in zip(rows, vectors, strict=True) if r.topic == t and v])
        for t in sorted({r.topic for r in rows})
    ]
    removed = Figure((before - after) / before, before) if before else Figure(None, 0, "no words")
    return _sum_up(topics, removed)


def _weigh(bags: Sequence[Counter[int]]) -> list[Vector]:
    """TF-IDF vectors of length 1; an empty text has none."""
    holders = Counter(word for bag in bags for word in bag)
    rarity = {word: math.log((1 + len(bags)) / (1 + df)) + 1 for word, df in holders.items()}
    made = []
    for bag in bags:
        vector = {word: c * rarity[word] for word, c in bag.items()}
        length = math.sqrt(math.fsum(v * v for v in vector.values()))
        made.append({word: v / length for word, v in vector.items()})
    return made


@dataclass(frozen=True)
class _Topic:
    """Mean likeness on one topic and the pairs of texts behind it; ``None`` where there is no pair."""

    between: float | None
    within: float | None
    between_pairs: int
    within_pairs: int


def _compare_topic(rows: Sequence[tuple[Passage, Vector]]) -> _Topic:
    """Sums of cosines over pairs are products of summed vectors, less those of texts from one talk."""
    cultures = {c: i for i, c in enumerate(sorted({p.culture for p, _ in rows}))}
    likeness, pairs = _multiply(rows, cultures)
    talks: dict[tuple[str, int], list[tuple[Passage, Vector]]] = {}
    for number, row in enumerate(rows):
        talks.setdefault((row[0].talk, 0 if row[0].talk else number), []).append(row)
    for together in talks.values():
        same_likeness, same_pairs = _multiply(together, cultures)
        likeness -= same_likeness
        pairs -= same_pairs
    means = np.clip(np.divide(likeness, pairs, out=np.full_like(likeness, np.nan), where=pairs > 0), 0, 1)
    across = np.triu_indices(len(cultures), 1)
    return _Topic(
        _average(means[across]),
        _average(np.diag(means)),
        int(pairs[across].sum()),
        int(np.trace(pairs)) // 2,
    )


def _multiply(rows: Sequence[tuple[Passage, Vector]], cultures: Mapping[str, int]) -> tuple[Floats, Floats]:
    """Cultures by cultures: sum of cosines over ordered pairs of texts, a text with itself included; their number."""
    columns: dict[int, int] = {}
    for _, vector in rows:
        for word in vector:
            columns.setdefault(word, len(columns))
    sums, counts = np.zeros((len(cultures), len(columns))), np.zeros(len(cultures))
    for passage, vector in rows:
        line = cultures[passage.culture]
        counts[line] += 1
        sums[line, [columns[w] for w in vector]] += list(vector.values())
    return sums @ sums.T, np.outer(counts, counts)


def _average(values: Floats) -> float | None:
    found = values[~np.isnan(values)]
    return float(found.mean()) if found.size else None


def _sum_up(topics: Sequence[_Topic], removed: Figure) -> TemplateRatio:
    between = [t.between for t in topics if t.between is not None]
    within = [t.within for t in topics if t.within is not None]
    both = [(t.between, t.within) for t in topics if t.between is not None and t.within is not None]
    pairs = sum(t.between_pairs for t in topics), sum(t.within_pairs for t in topics)
    across = math.fsum(b for b, _ in both)
    inside = math.fsum(w for _, w in both)
    if not both:
        ratio = Figure(None, 0, "no topic with two cultures of which one has two texts from different talks")
    elif inside < _NOTHING:
        ratio = Figure(None, len(both), "texts of one culture share no word with each other")
    else:
        ratio = Figure(across / inside, len(both))
    return TemplateRatio(
        between=_take_mean(between, pairs[0], "no topic with texts of two cultures from different talks"),
        within=_take_mean(within, pairs[1], "no culture with two texts on a topic from different talks"),
        ratio=ratio,
        removed=removed,
    )


def _take_mean(values: Sequence[float], pairs: int, reason: str) -> Figure:
    return Figure(math.fsum(values) / len(values), pairs) if values else Figure(None, 0, reason)
