"""What later candidates are compared with: every text that was screened, and every sample's words and meaning."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator

import numpy as np

from culturepark.files import dump_line
from culturepark.language import words
from culturepark.records import Sample
from culturepark.refine.seen import SeenNumbers
from culturepark.refine.stages.near_copies import hash_words
from culturepark.refine.stages.semantic_copies import Place
from culturepark.runs.journal import RunFolder
from culturepark.runs.recall import Recall, Stretch
from culturepark.runs.reread import answer_of, reread
from culturepark.runs.tools import Toolbox

_PARTS = ("rows", "sizes", "words", "kept", "cells", "texts", "places")


class Memory:
    """Texts are taken in when screened and count as the run's own once their dialogue is committed."""

    def __init__(self, tools: Toolbox) -> None:
        self._near = tools.near_copies if "near_copies" in tools.stages else None
        self._meanings = tools.meanings
        self._texts = SeenNumbers()
        self._screened: Counter[str] = Counter()  # texts of dialogues that are not committed yet
        self._committed = self._dumped = 0  # texts, by their numbers among all that were screened
        self._places: dict[tuple[Place, str], int] = {}
        # Of samples since the last dump: hashes; and for meanings the place and the bytes of each, and their texts.
        self._hashes = array("Q")
        self._cells, self._sizes = array("I"), array("I")
        self._kept: list[bytes] = []

    def add(self, dialogue: str, name: str, text: str, tag: str) -> None:
        """A text of a dialogue was screened. To be called in plan order."""
        if self._near is not None:
            before = len(self._near)
            self._near.add(name, text, tag)
            self._screened[dialogue] += len(self._near) - before

    def holds(self, key: int) -> bool:
        """Does a sample have just these words?"""
        return key in self._texts

    def remember(self, sample: Sample, text: str) -> None:
        """A candidate became a sample. To be called in plan order."""
        key = text_hash(text)
        self._texts.add(key)
        self._hashes.append(key)
        if self._meanings is None or self._meanings.encoder.find_engine(sample.language) is None:
            return
        place = (sample.culture, sample.topic, sample.answer)
        self._meanings.remember(place, sample.language, sample.id, text)
        raw = sample.id.encode() + b"\0" + text.encode("utf-8", "surrogatepass")
        self._cells.append(self._places.setdefault((place, sample.language), len(self._places)))
        self._sizes.append(len(raw))
        self._kept.append(raw)

    def commit(self, dialogue: str) -> None:
        """All samples of a dialogue are remembered. To be called in plan order."""
        self._committed += self._screened.pop(dialogue, 0)

    def dump(self) -> dict[str, bytes]:
        """What dialogues committed since the last dump have brought, as parts of a stretch."""
        rows, sizes = self._near.dump(self._dumped, self._committed) if self._near else (b"", [])
        made = {"rows": rows, "sizes": array("I", sizes).tobytes(), "words": self._hashes.tobytes()}
        made |= {"kept": b"".join(self._kept), "texts": self._sizes.tobytes(), "cells": self._cells.tobytes()}
        made["places"] = dump_line([self._name_encoder(), self._describe_places()])
        self._dumped = self._committed
        self._hashes, self._cells, self._sizes, self._kept = array("Q"), array("I"), array("I"), []
        return made

    def restore(self, folder: RunFolder) -> None:
        """Take in what a run has, before anything else: from its stretches, and beyond them from its data files.

        From then on the folder writes stretches of its own.
        """
        recall = folder.recall
        self._load(recall)
        counts = recall.read_counts()
        for told in reread(folder.path, recall.last):
            for name, text, tag in told.screened:
                self.add(told.line["id"], name, text, tag)
            for sample in told.samples:
                self.remember(sample, answer_of(sample))
            self.commit(told.line["id"])
            recall.note(told.line)
            counts.add(told.line)
            if counts.dialogues % folder.every == 0:
                recall.append(told.after, counts, self.dump())
        folder.keep = self.dump

    def _load(self, recall: Recall) -> None:
        whole: list[Stretch] = []
        blocks = self._read_blocks(recall, whole)
        if self._near is not None and recall.stretches:
            self._near.restore(recall.descriptor, blocks)
            self._committed = self._dumped = len(self._near)
        else:
            list(blocks)
        recall.cut(len(whole))
        hashes = [np.frombuffer(recall.read(stretch, "words") or b"", dtype=np.uint64) for stretch in whole]
        self._texts = SeenNumbers(known=np.concatenate(hashes) if hashes else None)
        if self._meanings is not None and whole:
            self._load_meanings(recall, whole)

    def _read_blocks(self, recall: Recall, whole: list[Stretch]) -> Iterator[tuple[int, bytes, array[int]]]:
        """The screened texts of each stretch, as long as all parts hold; ``whole`` takes up these stretches."""
        for stretch in recall.stretches:
            parts = {name: recall.read(stretch, name) for name in _PARTS}
            rows, sizes = parts["rows"], array("I", parts["sizes"] or b"")
            if rows is None or None in parts.values() or sum(sizes) != len(rows):
                return
            if json.loads(parts["places"] or b"[0]")[0] != self._name_encoder():
                return
            whole.append(stretch)
            if sizes:
                yield stretch.parts["rows"][0], rows, sizes

    def _load_meanings(self, recall: Recall, whole: list[Stretch]) -> None:
        """The last samples of each place, as many as it held."""
        assert self._meanings is not None
        held = []
        for culture, topic, answer, tag, forgotten, count in json.loads(recall.read(whole[-1], "places") or b"")[1]:
            place = (culture, topic, answer)
            self._places[place, tag] = len(self._places)
            self._meanings.open_place(place, tag, forgotten)
            held.append(count)
        places = list(self._places)
        cells = [array("I", recall.read(stretch, "cells") or b"") for stretch in whole]
        left = Counter(cell for each in cells for cell in each)  # of each place, samples from here to the end
        for stretch, each in zip(whole, cells, strict=True):
            raw, start = recall.read(stretch, "kept") or b"", 0
            for cell, size in zip(each, array("I", recall.read(stretch, "texts") or b""), strict=True):
                if left[cell] <= held[cell]:
                    name, _, text = raw[start : start + size].partition(b"\0")
                    place, tag = places[cell]
                    self._meanings.remember(place, tag, name.decode(), text.decode("utf-8", "surrogatepass"))
                left[cell] -= 1
                start += size

    def _name_encoder(self) -> str:
        return self._meanings.encoder.name if self._meanings is not None else ""

    def _describe_places(self) -> list[list[object]]:
        """Culture, topic, answer, language, samples forgotten and held of each place, in the order they came up."""
        assert self._meanings is not None or not self._places
        return [[*p, tag, *self._meanings.measure_place(p, tag)] for p, tag in self._places if self._meanings]


def text_hash(text: str) -> int:
    """64 bits over the words of a text, in lower case and without punctuation."""
    return hash_words(words(text))
