"""Exact and near copies over a whole run, found before anything is paid for; the door to ``rensa``.

MinHash over character n-grams proposes (64 permutations in 16 bands), the exact Jaccard of the stored texts decides.
Limits: of copies that share six n-grams in ten, one in ten is not proposed; meaning is not looked at.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from culturepark.language import words
from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.stages.archive import Archive, Row

UNSPACED = frozenset(("zh", "yue", "ja", "th", "lo", "km", "my"))
# Lengths of the n-grams that (propose, decide): the more a letter of the script says, the shorter.
_ALPHABET, _ABJAD, _DENSE = ((4,), (3,)), ((3,), (2,)), ((1, 2), (1, 2))
_SIZES = dict.fromkeys(("ar", "fa", "ur", "he", "ps"), _ABJAD) | dict.fromkeys(("ko", *UNSPACED), _DENSE)
_KINDS = [_ALPHABET[1], _ABJAD[1], _DENSE[1]]  # a stored text has the place of its deciding lengths in here
_PERMUTATIONS, _BANDS, _SEED = 64, 16, 20240607
_SLACK = 0.3  # how far a sketch may fall below the threshold and still be compared in full
_COMPARED = 8  # texts compared in full for one question
_LENIENCE, _BRIEF = 0.1, 90  # in a text of so many n-grams, one changed word may cost so much
_PREPARED = 1_024
_RECENT = 8_192  # three kilobytes of memory each
_DIGITS = re.compile(r"\d+")
SKETCH = f"{_PERMUTATIONS}/{_BANDS}/{_SEED}"  # sketches are of use to those made in the same way only


def split_words(text: str) -> list[str]:
    """Words in one spelling: NFKC, case folded, ASCII digits, no punctuation; unspaced scripts give characters."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    found = words(text.casefold())
    if text.isascii():
        return found
    return [w if w.isascii() or not any(map(str.isdecimal, w)) else _write_ascii_digits(w) for w in found]


def is_unspaced(tag: str) -> bool:
    """Does the language write no spaces between words?"""
    return shorten_tag(tag) in UNSPACED


def hash_words(found: list[str]) -> int:
    """A 64-bit number for a list of words, the same in every process."""
    return int.from_bytes(hashlib.blake2b(" ".join(found).encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _write_ascii_digits(word: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in word)


@dataclass(frozen=True, slots=True)
class _Spelling:
    """A text as it is compared: ``key`` stands for its words, in ``line`` numbers count alike."""

    key: int
    line: str
    proposing: tuple[int, ...]
    deciding: tuple[int, ...]


def _spell(text: str, tag: str) -> _Spelling:
    found = split_words(text)
    line = _DIGITS.sub("0", ("" if is_unspaced(tag) else " ").join(found))
    return _Spelling(hash_words(found), line, *_SIZES.get(shorten_tag(tag), _ALPHABET))


def shorten_tag(tag: str) -> str:
    """The language of a tag without region or script, in lower case."""
    return tag.replace("_", "-").split("-")[0].lower()


def _cut(line: str, sizes: tuple[int, ...]) -> list[str]:
    return [line[k : k + size] for size in sizes for k in range(len(line) - size + 1)] or [line]


@lru_cache(maxsize=256)  # what is proposed once is often proposed again; ten kilobytes each
def _cut_apart(line: str, sizes: tuple[int, ...]) -> frozenset[str]:
    return frozenset(_cut(line, sizes))


class NearCopies:
    """Every text of a run kept so far. ``threshold`` is the Jaccard from which two texts are copies.

    It is taken over character 3-grams (Arabic script: pairs; Korean and scripts without spaces: characters and
    pairs), numbers counting alike. Short texts, in which one word weighs more, need up to 0.1 less.
    """

    def __init__(self, threshold: float = 0.7, recent: int = _RECENT) -> None:
        """Up to ``recent`` texts are held in memory; then they go to an ``Archive``."""
        from rensa import RMinHash

        self.threshold = threshold
        self._recent = recent
        self._make_sketch = RMinHash
        self._archive = Archive(_BANDS, _PERMUTATIONS)
        # A text is asked about when its talk is read, once more when it is chosen, and then added.
        self._prepare = lru_cache(maxsize=_PREPARED)(self._prepare_anew)
        self._start_anew()

    def _start_anew(self) -> None:
        """Forget the texts in memory; the numbers below count from ``_base``."""
        from rensa import RMinHashLSH

        self._base = len(self._archive)
        self._index = RMinHashLSH(threshold=0.5, num_perm=_PERMUTATIONS, num_bands=_BANDS)
        self._digests: NDArray[np.uint32] = np.empty((256, _PERMUTATIONS), dtype=np.uint32)
        self._rows: list[Row] = []
        self._same: dict[int, int] = {}

    def __len__(self) -> int:
        return self._base + len(self._rows)

    def add(self, id: str, text: str, tag: str) -> None:
        """Remember a text. One without words is passed over: it is like nothing."""
        spelling, sketch = self._prepare(text, tag)
        if not spelling.line:
            return
        number = len(self._rows)
        if number == len(self._digests):
            self._digests = np.concatenate((self._digests, np.empty_like(self._digests)))
        self._digests[number] = sketch.digest()  # type: ignore[attr-defined]
        self._index.insert(number, sketch)
        kind = _KINDS.index(spelling.deciding)
        self._rows.append(Row(id, spelling.line.encode("utf-8", "replace"), spelling.key, kind))
        self._same.setdefault(spelling.key, number)
        if len(self._rows) == self._recent:
            rows = list(self._pack(0))
            self._archive.take(b"".join(rows), map(len, rows))
            self._start_anew()

    def dump(self, first: int, last: int) -> tuple[bytes, list[int]]:
        """The texts from number ``first`` to before ``last`` as packed rows, and the bytes of each."""
        old = self._archive.read_rows(first, min(last, self._base))
        rows = [*old, *self._pack(max(0, first - self._base), max(0, last - self._base))]
        return b"".join(rows), [len(row) for row in rows]

    def restore(self, descriptor: int, blocks: Iterable[tuple[int, bytes, Iterable[int]]]) -> None:
        """Take in what ``dump`` gave, before any other text. It stays in a file: where each block of rows begins."""
        assert not len(self)
        self._archive.take_kept(descriptor, blocks)
        self._base = len(self._archive)

    def _pack(self, first: int, last: int | None = None) -> Iterator[bytes]:
        for row, digest in zip(self._rows[first:last], self._digests[first:], strict=False):
            yield row.pack(digest)

    def find_same(self, text: str, tag: str) -> str | None:
        """The id of the first text with the same words in the same order."""
        spelling, _ = self._prepare(text, tag)
        if not spelling.line:
            return None
        number = self._archive.find_same(spelling.key)
        if number is None and spelling.key in self._same:
            number = self._base + self._same[spelling.key]
        return None if number is None else self._read(number).id

    def find(self, text: str, tag: str) -> tuple[str, float] | None:
        """The id of the most alike earlier text and their Jaccard, if it reaches the threshold; ties: the first."""
        found = self._compare(text, tag)
        return (self._read(found[0][1]).id, -found[0][0]) if found else None

    def find_all(self, text: str, tag: str) -> list[str]:
        """The ids of all that reach the threshold, the nearest first; eight at most, those most alike by sketch."""
        return [self._read(number).id for _, number in self._compare(text, tag)]

    def _compare(self, text: str, tag: str) -> list[tuple[float, int]]:
        """Of the proposed texts those that reach the threshold: less their Jaccard, and number; in this order."""
        spelling, sketch = self._prepare(text, tag)
        if not spelling.line:
            return []
        reached: list[tuple[float, int]] = []
        own = _cut_apart(spelling.line, spelling.deciding)
        for number in self._propose(sketch):
            row = self._read(number)
            if _KINDS[row.kind] != spelling.deciding:
                continue
            other = _cut_apart(row.line.decode("utf-8"), spelling.deciding)
            shared = len(own & other)
            jaccard = shared / (len(own) + len(other) - shared)
            if jaccard > 0 and jaccard >= self.threshold - _LENIENCE * min(1.0, _BRIEF / max(len(own), len(other))):
                reached.append((-jaccard, number))
        return sorted(reached)

    def _read(self, number: int) -> Row:
        if number < self._base:
            return self._archive.read_text(number)
        return self._rows[number - self._base]

    def _propose(self, sketch: object) -> list[int]:
        """Numbers of the texts worth comparing in full, the most alike by sketch."""
        near = np.sort(np.array(self._index.query(sketch), dtype=np.int64))
        digest = np.array(sketch.digest(), dtype=np.uint32)  # type: ignore[attr-defined]
        found, digests = near + self._base, self._digests[near]
        if self._base:
            old = self._archive.propose(digest, self.threshold - _SLACK)
            digests = np.concatenate((self._archive.read_sketches(old), digests))
            found = np.concatenate((np.array(old, dtype=np.int64), found))
        alike = (digests == digest).mean(axis=1)
        order = np.argsort(-alike, kind="stable")[:_COMPARED]
        return [int(found[k]) for k in order if alike[k] >= self.threshold - _SLACK]

    def _prepare_anew(self, text: str, tag: str) -> tuple[_Spelling, object]:
        spelling = _spell(text, tag)
        sketch = self._make_sketch(num_perm=_PERMUTATIONS, seed=_SEED)
        sketch.update(_cut(spelling.line, spelling.proposing))
        return spelling, sketch


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop a candidate whose text a kept one already has, word for word or nearly. Adding is the caller's."""
    index: NearCopies | None = context.tools.get("near_copies")
    if index is None:
        return KEPT
    same = index.find_same(candidate.text, context.pack.tag)
    if same is not None:
        return KEPT if same == candidate.id else Ruling("duplicate", f"like {same}, the same words")
    found = index.find(candidate.text, context.pack.tag)
    if found is None or found[0] == candidate.id:
        return KEPT
    return Ruling("near_copy", f"like {found[0]}, {found[1]:.2f} of their character n-grams")
