"""Paraphrases of what a run already holds, inside one culture, topic and answer, by vectors; translations are tagged.

Words two texts share in a row are taken out before their meanings are compared: people open alike and reason
differently. Limits: a paraphrase far from its source passes; the more texts a cell holds, the nearer it must be.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.encoder import Encoder, Vectors
from culturepark.refine.stages.near_copies import is_unspaced, shorten_tag, split_words

Place = tuple[str, str, int | None]  # culture, topic, answer
_LOOKED_AT = 8  # texts whose shared words are taken out, the most alike first
_BATCH = 256
_FRESH = 64  # vectors kept for texts that are asked about and then remembered
_MANY, _COARSE, _SLACK = 512, 64, 0.25  # cells above _MANY are looked through in _COARSE dimensions first
_MOST = 60_000  # texts held, at about 1.9 kB
_FEW, _RISE = 4, 0.18  # each tenfold above _FEW texts takes this share of the way to a cosine of 1


class Neighbours:
    """Texts that are compared by vectors; those of the last texts may not be made yet."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.made = 0
        self.forgotten = 0
        self.waiting: dict[int, Vectors] = {}  # by number, of texts whose vectors are known and not yet put in
        self._rows: NDArray[np.float16] = np.zeros((0, 0), dtype=np.float16)
        self._coarse: Vectors = np.zeros((0, 0), dtype=np.float32)

    def append(self, rows: Vectors) -> None:
        """Put in the vectors of the next texts."""
        wanted = self.made + len(rows)
        if wanted > len(self._rows):
            room = max(wanted, self.made * 3 // 2, 4)
            self._rows = _grow(self._rows, self.made, room, rows.shape[1])
            self._coarse = _grow(self._coarse, self.made, room, _COARSE)
        self._rows[self.made : wanted] = rows
        self._coarse[self.made : wanted] = _project(rows)
        self.made = wanted

    def forget(self, count: int) -> None:
        """Drop the oldest texts."""
        self.forgotten += count
        gone = min(count, self.made)
        if len(self._rows):
            self._rows, self._coarse = self._rows[gone : self.made].copy(), self._coarse[gone : self.made].copy()
        self.made -= gone
        self.waiting = {k - count: row for k, row in self.waiting.items() if k >= count}
        del self.ids[:count], self.texts[:count]

    def list_made(self) -> Iterator[tuple[str, NDArray[np.float16]]]:
        """Texts whose vectors are made, put in or waiting, each with its vector."""
        yield from zip(self.texts[: self.made], self._rows[: self.made], strict=True)
        for number, row in self.waiting.items():
            yield self.texts[number], row.astype(np.float16)

    def vectors(self) -> Vectors:
        """All vectors made so far, (n, d)."""
        return self._rows[: self.made].astype(np.float32)

    def find_alike(self, row: Vectors, limit: float) -> list[tuple[int, float]]:
        """Numbers and cosines of the texts that reach a limit, the most alike first."""
        numbers = np.arange(self.made)
        if self.made > _MANY:
            numbers = np.flatnonzero(self._coarse[: self.made] @ _project(row[None])[0] >= limit - _SLACK)
        cosines = self._rows[numbers].astype(np.float32) @ row
        order = np.argsort(-cosines, kind="stable")
        return [(int(numbers[k]), float(cosines[k])) for k in order[:_LOOKED_AT] if cosines[k] >= limit]


def _grow(rows: NDArray[np.floating], used: int, room: int, width: int) -> NDArray[np.floating]:
    grown = np.zeros((room, width), dtype=rows.dtype)
    if used:
        grown[:used] = rows[:used]
    return grown


@cache
def _draw_signs(width: int) -> Vectors:
    return np.random.RandomState(7).randint(0, 2, (width, _COARSE)).astype(np.float32) * 2 - 1


def _project(rows: Vectors) -> Vectors:
    """Unit vectors of few dimensions whose cosines stand for those of the rows (random signs)."""
    made = rows @ _draw_signs(rows.shape[1])
    return np.asarray(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12), dtype=np.float32)


class Meanings:
    """What kept texts mean. ``same`` and ``translation``, when given, stand for the encoder's own thresholds.

    The encoder's ``same`` is meant for few texts and rises with their number, since chance makes many alike; a given
    one does not.
    """

    def __init__(
        self, encoder: Encoder, same: float | None = None, translation: float | None = None, most: int = _MOST
    ) -> None:
        """At ``most`` texts are held; then the fullest cells forget their oldest ones."""
        self.encoder, self._most = encoder, most
        self._same, self._translation = same, translation
        self._topics: dict[str, dict[tuple[Place, str], Neighbours]] = {}
        self._fresh: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def remember(self, place: Place, tag: str, id: str, text: str) -> None:
        """Store a kept text; its vector is made when somebody first asks. Languages nobody knows are passed over."""
        if self.encoder.find_engine(tag) is None:
            return
        cell = self._topics.setdefault(place[1], {}).setdefault((place, shorten_tag(tag)), Neighbours())
        known = self._fresh.get((shorten_tag(tag), text))
        if known is not None:
            cell.waiting[len(cell.texts)] = known
        cell.ids.append(id)
        cell.texts.append(text)
        self._count += 1
        if self._count > self._most:
            self._forget()

    def open_place(self, place: Place, tag: str, forgotten: int) -> None:
        """Make room for a place that has forgotten some texts already."""
        cell = self._topics.setdefault(place[1], {}).setdefault((place, shorten_tag(tag)), Neighbours())
        cell.forgotten = forgotten

    def measure_place(self, place: Place, tag: str) -> tuple[int, int]:
        """How many texts of a place are forgotten, and how many are held."""
        cell = self._topics[place[1]][place, shorten_tag(tag)]
        return cell.forgotten, len(cell.texts)

    def _forget(self) -> None:
        """Drop the oldest quarter of the fullest cell; of two alike, of the one that was there first."""
        cell = max((c for cells in self._topics.values() for c in cells.values()), key=lambda c: len(c.texts))
        gone = -(-len(cell.texts) // 4)
        cell.forget(gone)
        self._count -= gone

    def encode(self, texts: Sequence[str], tag: str) -> Vectors | None:
        """Unit vectors, (n, d), or nothing for a language beyond the encoder; the last texts are not encoded twice."""
        if self.encoder.find_engine(tag) is None:
            return None
        language = shorten_tag(tag)
        missing = [t for t in dict.fromkeys(texts) if (language, t) not in self._fresh]
        found = {t: self._fresh[language, t] for t in texts if (language, t) in self._fresh}
        rows = self.encoder.encode(missing, tag)
        if rows is None:
            return None
        found.update(zip(missing, rows, strict=True))
        for text in missing:
            self._fresh[language, text] = found[text]
        while len(self._fresh) > _FRESH:
            self._fresh.popitem(last=False)
        return np.stack([found[t] for t in texts]) if texts else rows

    def look_up(self, texts: Collection[str], tag: str) -> dict[str, NDArray[np.float16]]:
        """The vectors of those texts whose vectors are here, as they are kept."""
        wanted, language = set(texts), shorten_tag(tag)
        cells = (c for cells in self._topics.values() for (_, own), c in cells.items() if own == language)
        return {t: row for cell in cells for t, row in cell.list_made() if t in wanted}

    def vectors(self, place: Place, tag: str) -> Vectors | None:
        """The vectors of a place's texts in this language, (n, d); nothing where there are none."""
        cell = self._topics.get(place[1], {}).get((place, shorten_tag(tag)))
        return self._settle(cell, tag).vectors() if cell is not None else None

    def find(self, place: Place, tag: str, text: str) -> tuple[str, float] | None:
        """The id of the text of this place and language that means the same, and their cosine."""
        engine = self.encoder.find_engine(tag)
        cell = self._topics.get(place[1], {}).get((place, shorten_tag(tag)))
        if engine is None or cell is None:
            return None
        limit = _raise_limit(engine.same, len(cell.ids) + cell.forgotten) if self._same is None else self._same
        best, likeness = -1, limit
        for number, whole in self._settle(cell, tag).find_alike(self._encode_one(text, tag), limit):
            if whole < likeness:
                break
            found = self._compare_rests(text, cell.texts[number], whole, tag)
            if found > likeness or (best < 0 and found == likeness):
                best, likeness = number, found
        return (cell.ids[best], likeness) if best >= 0 else None

    def find_translation(self, place: Place, tag: str, text: str) -> tuple[str, float] | None:
        """The id of the text in another language on this topic, of any culture, that says the same."""
        engine = self.encoder.find_engine(tag)
        if engine is None:
            return None
        best: tuple[str, float] | None = None
        for (_, language), cell in self._topics.get(place[1], {}).items():
            if language == shorten_tag(tag) or self.encoder.find_engine(language) is not engine:
                continue
            limit = engine.translation if self._translation is None else self._translation
            found = self._settle(cell, language).find_alike(self._encode_one(text, tag), limit)
            if found and (best is None or found[0][1] > best[1]):
                best = cell.ids[found[0][0]], found[0][1]
        return best

    def _settle(self, cell: Neighbours, tag: str) -> Neighbours:
        while cell.made < len(cell.texts):
            numbers = range(cell.made, min(cell.made + _BATCH, len(cell.texts)))
            rows = self.encode([cell.texts[k] for k in numbers if k not in cell.waiting], tag)
            assert rows is not None  # only texts of known languages are stored
            made = iter(rows)
            cell.append(np.stack([cell.waiting.pop(k) if k in cell.waiting else next(made) for k in numbers]))
        return cell

    def _encode_one(self, text: str, tag: str) -> Vectors:
        rows = self.encode([text], tag)
        assert rows is not None
        return np.asarray(rows[0])

    def _compare_rests(self, text: str, other: str, whole: float, tag: str) -> float:
        """The cosine of two texts without the words they share in a row; never above that of the whole texts."""
        first, second = take_out_shared(text, other, tag), take_out_shared(other, text, tag)
        enough = 5 if is_unspaced(tag) else 3
        short = min(first, second, key=len)
        longer = second if short is first else first
        shared = len(split_words(other if longer is second else text)) - len(longer)
        if not shared or len(longer) < enough:
            return whole
        if len(short) < enough:  # one says all the other says, and more
            return whole if len(longer) <= shared / 2 else 0.0
        glue = "" if is_unspaced(tag) else " "
        rows = self.encoder.encode([glue.join(first), glue.join(second)], tag)
        return whole if rows is None else min(whole, float(rows[0] @ rows[1]))


def take_out_shared(text: str, other: str, tag: str) -> list[str]:
    """The words of a text without its runs of two (three characters where unspaced) that the other has too."""
    size = 3 if is_unspaced(tag) else 2
    found, others = split_words(text), split_words(other)
    known = {tuple(others[k : k + size]) for k in range(len(others) - size + 1)}
    gone: set[int] = set()
    for k in range(len(found) - size + 1):
        if tuple(found[k : k + size]) in known:
            gone.update(range(k, k + size))
    return [w for k, w in enumerate(found) if k not in gone]


def _raise_limit(same: float, count: int) -> float:
    return same + (1 - same) * min(1.0, _RISE * max(0.0, math.log10(max(count, 1) / _FEW)))


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop a paraphrase of a kept text of the same cell; tag a translation. Remembering is the caller's."""
    meanings: Meanings | None = context.tools.get("semantic_copies")
    if meanings is None:
        return KEPT
    found = meanings.find(candidate.cell, context.pack.tag, candidate.text)
    if found is not None and found[0] != candidate.id:
        return Ruling("paraphrase", f"like {found[0]}, cosine {found[1]:.2f}")
    found = meanings.find_translation(candidate.cell, context.pack.tag, candidate.text)
    return KEPT if found is None else Ruling(tags=(f"translation_of:{found[0]}",))
