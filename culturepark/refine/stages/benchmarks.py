"""Does a text hold an item of a benchmark the user named? Word n-grams as 64-bit hashes, and neighbours by meaning.

13 words in a row; 8 for items of 8 to 12 words; shorter items (4 words at least) as a whole clause of the text. In
scripts without spaces 20 characters, shorter items (8 at least) whole. Limits: at most 50,000 items are compared by
meaning; a reworded item below a cosine of 0.9 passes.
"""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from culturepark.errors import DataError
from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.encoder import Encoder
from culturepark.refine.stages.near_copies import hash_words, split_words
from culturepark.refine.stages.semantic_copies import Neighbours

Hashes = NDArray[np.uint64]
_LONG, _MIDDLE, _SHORT = 13, 8, 4  # words
_DENSE_LONG, _DENSE_MIDDLE, _DENSE_SHORT = 20, 13, 8  # characters of scripts without spaces
_SAME = 0.9
_EMBEDDED, _BATCH, _ANSWERED = 50_000, 256, 2048
_CLAUSE = re.compile(
    r"[.!?;:,\"()\[\]\n\u2026\u201c\u201d\u201e\u00ab\u00bb\u2013\u2014\u0964\u0965\u060c\u061b\u061f\u06d4"
    r"\u3001\u3002\uff0c\uff1b\uff1a\uff1f\uff01\uff08\uff09\u300a\u300b\u300c-\u300f]+"
)
_ODD = 0x9E3779B97F4A7C15
_STEP, _BACK = np.uint64(_ODD), np.uint64(pow(_ODD, -1, 1 << 64))


class Benchmarks:
    """Items of benchmark files. Each is known by hashes of its word n-grams and by where it stands."""

    def __init__(self, encoder: Encoder | None = None) -> None:
        self._encoder = encoder
        self._names: list[str] = []
        self._files, self._rows = array("H"), array("I")
        self._grams: dict[int, tuple[array[int], array[int]]] = {}
        self._whole: dict[int, tuple[array[int], array[int]]] = {}
        self._tables: dict[tuple[bool, int], tuple[Hashes, NDArray[np.uint32]]] | None = None
        self._texts: list[str] = []  # of the first items
        self._near: dict[str, Neighbours] = {}
        self._answered: OrderedDict[tuple[str, str], str] = OrderedDict()

    @classmethod
    def load(cls, paths: Sequence[Path], encoder: Encoder | None = None) -> Benchmarks:
        """Read .jsonl, .json, .csv, .tsv and .txt files. Raises ``DataError`` for one that cannot be read."""
        made = cls(encoder)
        for path in paths:
            made._names.append(Path(path).name)
            for row, text in read_items(Path(path)):
                made._add(len(made._names) - 1, row, text)
        return made

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, text: str, tag: str) -> str:
        """Which item a text holds: file, row and the words they share, or the cosine; empty if none."""
        if (tag, text) not in self._answered:
            self._answered[tag, text] = self._find_words(text) or self._find_meaning(text, tag)
            if len(self._answered) > _ANSWERED:
                self._answered.popitem(last=False)
        return self._answered[tag, text]

    def _add(self, file: int, row: int, text: str) -> None:
        found = split_words(text)
        dense = _is_dense(found)
        long, middle, short = (_DENSE_LONG, _DENSE_MIDDLE, _DENSE_SHORT) if dense else (_LONG, _MIDDLE, _SHORT)
        count = len(found)
        if count < short:
            return
        item = len(self._rows)
        self._files.append(file)
        self._rows.append(row)
        if count < middle:
            size, book = count, self._whole
        else:
            size, book = (long if count >= long else count if dense else middle), self._grams
        keys, owners = book.setdefault(size, (array("Q"), array("I")))
        made = hash_grams(_hash_all(found), size)
        keys.frombytes(made.tobytes())
        owners.extend([item] * len(made))
        if self._encoder is not None and len(self._texts) < _EMBEDDED:
            self._texts.append(text)

    def _settle(self) -> dict[tuple[bool, int], tuple[Hashes, NDArray[np.uint32]]]:
        """Sorted hashes and their items, by (whole clauses only, size); the longest first."""
        if self._tables is None:
            self._tables = {}
            for is_whole, book in ((False, self._grams), (True, self._whole)):
                for size in sorted(book, reverse=True):
                    keys, owners = book[size]
                    found, first = np.unique(np.frombuffer(keys, dtype=np.uint64), return_index=True)
                    self._tables[is_whole, size] = found, np.frombuffer(owners, dtype=np.uint32)[first]
            self._grams, self._whole = {}, {}
        return self._tables

    def _find_words(self, text: str) -> str:
        found: list[str] = []
        borders = {0}
        for clause in _CLAUSE.split(text):
            found += split_words(clause)
            borders.add(len(found))
        hashes = _hash_all(found)
        for (is_whole, size), (keys, owners) in self._settle().items():
            made = hash_grams(hashes, size)
            places = np.minimum(np.searchsorted(keys, made), len(keys) - 1)
            for k in np.flatnonzero(keys[places] == made):
                if not is_whole or (int(k) in borders and int(k) + size in borders):
                    return f"{self._tell(int(owners[places[k]]))}: {' '.join(found[k : k + size])}"
        return ""

    def _find_meaning(self, text: str, tag: str) -> str:
        engine = self._encoder.find_engine(tag) if self._encoder and self._texts else None
        rows = self._encoder.encode([text], tag) if self._encoder and engine and text.strip() else None
        if rows is None or engine is None:
            return ""
        near = self._near.get(engine.name) or self._embed(engine.name, tag)
        found = near.find_alike(rows[0], max(_SAME, engine.same))
        return f"{self._tell(found[0][0])}: cosine {found[0][1]:.2f}" if found else ""

    def _embed(self, engine: str, tag: str) -> Neighbours:
        near = self._near[engine] = Neighbours()
        for start in range(0, len(self._texts), _BATCH):
            rows = self._encoder.encode(self._texts[start : start + _BATCH], tag) if self._encoder else None
            if rows is not None:
                near.append(rows)
        return near

    def _tell(self, item: int) -> str:
        return f"{self._names[self._files[item]]}, row {self._rows[item]}"


def hash_grams(hashes: Hashes, size: int) -> Hashes:
    """A 64-bit hash of every run of ``size`` words, from the words' own hashes (polynomial, modulo 2**64)."""
    count = len(hashes)
    if count < size:
        return np.zeros(0, dtype=np.uint64)
    steps, backs = _make_powers(count)
    sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(hashes * steps, dtype=np.uint64)))
    return np.asarray((sums[size:] - sums[:-size]) * backs[: count - size + 1], dtype=np.uint64)


@lru_cache(maxsize=1024)
def _make_powers(count: int) -> tuple[Hashes, Hashes]:
    made = []
    for base in (_STEP, _BACK):
        powers = np.full(count, base, dtype=np.uint64)
        powers[0] = 1
        made.append(np.cumprod(powers, dtype=np.uint64))
    return made[0], made[1]


@lru_cache(maxsize=1 << 16)
def _hash_word(word: str) -> int:
    return hash_words([word])


def _hash_all(found: Iterable[str]) -> Hashes:
    return np.array([_hash_word(w) for w in found], dtype=np.uint64)


def _is_dense(found: Sequence[str]) -> bool:
    """Is more than half of it single characters of a script without spaces? One Hangul block is a word."""
    single = sum(len(w) == 1 and w >= "\u0e01" and not "\uac00" <= w <= "\ud7a3" for w in found)
    return 2 * single > len(found)


def read_items(path: Path) -> Iterator[tuple[int, str]]:
    """Row number (from 1) and text of every string of a benchmark file. Raises ``DataError``."""
    readers = {".jsonl": _read_jsonl, ".json": _read_json, ".csv": _read_table, ".tsv": _read_table, ".txt": _read_text}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: benchmark files are {', '.join(readers)}; write it again as one of these")
    try:
        yield from reader(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    except (ValueError, RecursionError, csv.Error) as error:
        raise DataError(f"{path}: is not valid {path.suffix[1:].upper()} ({str(error)[:80]})") from error


def _read_jsonl(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield from ((number, text) for text in _walk(json.loads(line)))


def _read_json(path: Path) -> Iterator[tuple[int, str]]:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    rows = content if isinstance(content, list) else [content]
    if isinstance(content, dict) and any(isinstance(v, list) for v in content.values()):
        for value in content.values():  # rows under a name, or columns
            listed = value if isinstance(value, list) else [value]
            yield from ((number, text) for number, row in enumerate(listed, 1) for text in _walk(row))
        return
    yield from ((number, text) for number, row in enumerate(rows, 1) for text in _walk(row))


def _walk(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _walk(inner)


def _read_table(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        for number, row in enumerate(rows):  # row 0 is the header, unless the file has none
            yield from ((number, text) for text in row if text.strip())


def _read_text(path: Path) -> Iterator[tuple[int, str]]:
    """Every line; and every paragraph of several lines, since an item may be wrapped."""
    paragraph: list[str] = []
    first = 1
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                first = first if paragraph else number
                paragraph.append(line.strip())
                yield number, line.strip()
            else:
                if len(paragraph) > 1:
                    yield first, " ".join(paragraph)
                paragraph = []
    if len(paragraph) > 1:
        yield first, " ".join(paragraph)


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop a candidate whose question or answer holds a benchmark item."""
    benchmarks: Benchmarks | None = context.tools.get("benchmarks")
    if benchmarks is None:
        return KEPT
    for text in (candidate.question, candidate.text):
        found = benchmarks.find(text, context.pack.tag)
        if found:
            return Ruling("benchmark", found)
    return KEPT
