"""Texts that left memory are found as if they were still there, and memory grows by little."""

from __future__ import annotations

import random
import tempfile

import numpy as np
import pytest
from numpy.typing import NDArray

from culturepark.errors import DataError
from culturepark.refine.seen import SeenNumbers
from culturepark.refine.stages.archive import Archive, Row, make_keys
from culturepark.refine.stages.near_copies import NearCopies

VOCABULARY = [f"{a}{b}" for a in "ba ko mi ru te lo sha".split() for b in "nen tar lis gor dum wek".split()]


def make_texts(count: int, seed: int) -> list[str]:
    """Texts of which about half are an earlier one with some words changed, or the same words."""
    chance = random.Random(seed)
    texts: list[str] = []
    for _ in range(count):
        if texts and chance.random() < 0.5:
            found = chance.choice(texts).split()
            for _ in range(chance.choice((0, 1, 2, 6))):
                found[chance.randrange(len(found))] = chance.choice(VOCABULARY)
        else:
            found = [chance.choice(VOCABULARY) for _ in range(25)]
        texts.append(" ".join(found))
    return texts


def put(archive: Archive, sketches: NDArray[np.uint32], rows: list[Row]) -> None:
    packed = [row.pack(sketch) for row, sketch in zip(rows, sketches, strict=True)]
    archive.take(b"".join(packed), map(len, packed))


@pytest.mark.parametrize("recent", [1, 3, 16])
@pytest.mark.parametrize("tag", ["en", "ko"])
def test_old_texts_are_found_as_if_they_had_stayed(recent: int, tag: str) -> None:
    whole, spilled = NearCopies(), NearCopies(recent=recent)
    hits = 0
    for number, text in enumerate(make_texts(150, recent)):
        same, alike = whole.find_same(text, tag), whole.find(text, tag)
        assert (spilled.find_same(text, tag), spilled.find(text, tag)) == (same, alike)
        hits += alike is not None
        for index in (whole, spilled):
            index.add(f"t{number}", text, tag)
    assert hits > 30 and len(spilled) == len(whole) == 150


def test_the_first_of_texts_with_the_same_words_is_named() -> None:
    index = NearCopies(recent=2)
    for number in range(7):
        index.add(f"t{number}", "Bread, and tea." if number in (1, 4, 6) else f"salt {number}", "en")
    assert index.find_same("bread and TEA", "en") == "t1"


def test_stretches_grow_together() -> None:
    """So that looking into them stays quick: 40 takes leave few stretches, and nothing is lost."""
    archive, chance = Archive(4, 8), np.random.default_rng(1)
    sketches = chance.integers(0, 2**32, (40, 8), dtype=np.uint32)
    for number, row in enumerate(sketches):
        put(archive, row[None], [Row(f"t{number}", f"line \x00 {number}".encode(), number << 30, number % 3)])
    assert len(archive) == 40 and len(archive._stretches) < 7
    for number, row in enumerate(sketches):
        assert number in archive.propose(row) and archive.find_same(number << 30) == number
        assert archive.read_text(number) == Row(f"t{number}", f"line \x00 {number}".encode(), number << 30, number % 3)
    assert (archive.read_sketches([7, 3, 39]) == sketches[[7, 3, 39]]).all()
    assert archive.propose(sketches[5] + np.uint32(1)) == [] and archive.find_same((41 << 30) + 1) is None


def test_what_is_too_unlike_is_not_proposed_and_nothing_else_is_left_out() -> None:
    archive, chance = Archive(4, 8), np.random.default_rng(2)
    base = chance.integers(0, 2**32, 8, dtype=np.uint32)
    rows = np.stack([np.where(np.arange(8) < kept, base, base + np.uint32(1)) for kept in range(9)])
    put(archive, rows, [Row("", b"", k) for k in range(9)])
    assert archive.propose(base) == list(range(2, 9))  # two numbers make a band
    assert archive.propose(base, 0.5) == [4, 5, 6, 7, 8]


def test_a_band_is_shared_by_equal_parts_only() -> None:
    row = np.arange(8, dtype=np.uint32)
    other = row.copy()
    other[5] += 1
    first, second = make_keys(np.stack((row, other)), 4)
    assert (first == second).tolist() == [True, True, False, True]


def test_a_full_disk_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    index = NearCopies(recent=1)
    with pytest.raises(DataError, match=r"No space left on device.*TMPDIR"):
        index.add("t0", "bread and tea", "en")


@pytest.mark.parametrize("fresh", [1, 7, 1000])
def test_numbers_seen_are_known_and_others_are_not(fresh: int) -> None:
    chance = random.Random(fresh)
    numbers = [chance.getrandbits(64) for _ in range(200)] + [0, 2**64 - 1]
    seen = SeenNumbers(fresh)
    assert 0 not in seen
    for number in numbers * 2:
        seen.add(number)
    assert len(seen) == 202 and all(n in seen for n in numbers)
    assert not any(n + 1 in seen for n in numbers[:200])


def test_numbers_seen_take_eight_bytes() -> None:
    seen = SeenNumbers(100)
    for number in range(5000):
        seen.add(number << 40)
    assert seen._sorted.nbytes == 40_000 and not seen._fresh
