"""Selections spread, cover or keep order, never choose twice, and ask for nothing they are not given."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.refine.selection import (
    SELECTIONS,
    choose_facility,
    choose_farthest,
    choose_first,
    choose_longest,
)


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_farthest_takes_the_least_alike_next():
    assert choose_farthest(on_circle(0, 10, 20, 170, 90), None, 3) == [0, 3, 4]


def test_farthest_keeps_away_from_what_is_taken():
    assert choose_farthest(on_circle(0, 5, 100), on_circle(2), 1) == [2]
    assert choose_farthest(on_circle(0, 5, 100), on_circle(2, 100), 1) == [1]


def test_farthest_breaks_ties_by_quality_then_order():
    rows = on_circle(90, -90, 90)
    assert choose_farthest(rows, on_circle(0), 1) == [0]
    assert choose_farthest(rows, on_circle(0), 1, [1.0, 3.0, 3.0]) == [1]
    assert choose_farthest(rows, None, 1, [1.0, 2.0, 5.0]) == [2]


def test_quality_does_not_beat_distance():
    assert choose_farthest(on_circle(1, 120), on_circle(0), 1, [9.0, 1.0]) == [1]


def test_facility_takes_the_middle_of_the_crowd_then_the_stranger():
    rows = on_circle(0, 10, 20, 30, 40, 180)
    assert choose_facility(rows, 2) == [2, 5]


@given(st.integers(1, 7), st.integers(1, 3), st.integers(0, 9999))
def test_lazy_facility_is_the_plain_greedy(count, wanted, seed):
    rows = np.random.RandomState(seed).normal(size=(count, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    alike = np.clip(rows @ rows.T, 0, None)
    chosen: list[int] = []
    for _ in range(min(wanted, count)):
        gains = {k: alike[[*chosen, k]].max(axis=0).sum() for k in range(count) if k not in chosen}
        best = max(gains.values())
        chosen.append(next(k for k, g in gains.items() if g >= best - 1e-5))
    worth = [alike[found].max(axis=0).sum() for found in (chosen, choose_facility(rows, wanted))]
    assert worth[1] == pytest.approx(worth[0], abs=1e-4)


@given(st.integers(0, 12), st.integers(0, 15), st.integers(0, 9999), st.booleans())
def test_every_selection_gives_different_indices_as_many_as_can_be(count, wanted, seed, with_vectors):
    rows = np.random.RandomState(seed).normal(size=(count, 3)).astype(np.float32)
    texts = [f"text {k}" * (k % 4) for k in range(count)]
    for name, choose in SELECTIONS.items():
        found = choose(texts, rows if with_vectors else None, None, wanted, None)
        assert len(found) == len(set(found)) == min(count, wanted), name
        assert all(0 <= k < count for k in found)
        assert found == choose(texts, rows if with_vectors else None, None, wanted, None)


@given(st.integers(2, 9), st.integers(0, 9999))
def test_farthest_spreads_at_least_half_as_well_as_the_best(count, seed):
    """Greedy k-center reaches half the best smallest distance at worst (angles are distances)."""
    rows = np.random.RandomState(seed).normal(size=(count, 3)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    angles = np.arccos(np.clip(rows @ rows.T, -1, 1))

    def spread(chosen) -> float:
        return min(angles[a, b] for a, b in itertools.combinations(chosen, 2))

    best = max(spread(c) for c in itertools.combinations(range(count), 2))
    assert spread(choose_farthest(rows, None, 2)) >= best / 2 - 1e-3


def test_longest_and_first():
    texts = ["aaa", "a", "aaaa", "aaa"]
    assert choose_longest(texts, 3) == [2, 0, 3]
    assert choose_first(texts, 2) == [0, 1]
    assert choose_longest(texts, -1) == choose_first(texts, 0) == []


def test_without_vectors_quality_decides():
    assert SELECTIONS["farthest"](["a", "b", "c"], None, None, 2, [1.0, 3.0, 3.0]) == [1, 2]


def test_marks_of_quality_must_fit_the_texts():
    with pytest.raises(ValueError, match="2 marks"):
        choose_farthest(on_circle(0, 1, 2), None, 1, [1.0, 2.0])
