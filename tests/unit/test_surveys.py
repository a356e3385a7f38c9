"""Figures read as they are, and the Gaussian model that stands for them."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.culture.surveys import (
    Shares,
    Survey,
    apportion,
    apportion_few,
    fit_latent,
    js_distance,
    load_surveys,
)
from culturepark.errors import DataError

HEAD = "country,item,code,n,share,n_valid,n_missing\n"


def shares(*values: float, first: int = 1) -> Shares:
    return Shares(tuple(range(first, first + len(values))), values, 100, 0)


def write(folder: Path, marginals: str, correlations: str = "") -> Path:
    place = folder / "surveys" / "tiny"
    place.mkdir(parents=True)
    (place / "marginals.csv").write_text(marginals, encoding="utf-8")
    if correlations:
        (place / "rank_correlations.csv").write_text(correlations, encoding="utf-8")
    return folder


def test_missing_codes_are_no_answers(tmp_path: Path) -> None:
    rows = "AAA,Q1,-2,50,0.5,100,50\nAAA,Q1,1,30,0.3,100,50\nAAA,Q1,2,0,0,100,50\nAAA,Q1,3,70,0.7,100,50\nAAA,Q2,-1,9,1,0,9\n"
    survey = load_surveys(write(tmp_path, HEAD + rows))["tiny"]
    figures = survey.shares("AAA", "Q1")
    assert figures == Shares((1, 3), (0.3, 0.7), 100, 50)
    assert figures is not None and figures.share(3) == 0.7 and figures.share(2) == figures.share(-2) == 0
    assert not survey.asked("AAA", "Q2") and survey.shares("BBB", "Q1") is None


@pytest.mark.parametrize(
    ("marginals", "correlations", "fault"),
    [
        ("country,item,code,n\nAAA,Q1,1,2\n", "", "column 'n_missing' is missing"),
        (HEAD + "AAA,Q1,one,2,1,2,0\n", "", "line 2: .*whole numbers"),
        (HEAD + "AAA,Q1,1,2,1,2,0\nAAA,Q1,2,-2,1,2,0\n", "", "line 3: .*negative"),
        (HEAD + "AAA,Q1,1\n", "", "line 2: "),
        (HEAD + "AAA,Q1,1,2,1,2,0\n", "country,item_a,item_b,spearman\nAAA,Q1,Q2,1.5\n", "line 2: .*between -1 and 1"),
        (HEAD + "AAA,Q1,1,2,1,2,0\n", "country,item_a,item_b,spearman\nAAA,Q1,Q2,x\n", "must be a number"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, marginals: str, correlations: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        load_surveys(write(tmp_path, marginals, correlations))


def test_a_folder_without_a_survey(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no survey"):
        load_surveys(tmp_path)


def test_a_mixture_leaves_out_who_was_not_asked() -> None:
    survey = Survey("x", {"A": {"Q": shares(0.2, 0.8)}, "B": {"Q": shares(0.6, 0.4, first=2)}, "C": {}}, {})
    assert survey.mixture({"A": 1, "B": 3, "C": 9}, "Q") == pytest.approx({1: 0.05, 2: 0.65, 3: 0.3})
    assert survey.mixture({"A": 0, "C": 1}, "Q") == {}


def test_scores_turn_into_answers_at_the_cuts() -> None:
    latent = fit_latent({"P": shares(0.1, 0.5, 0.4), "Q": shares(0.5, 0.5, first=0)}, {})
    low, high = latent.cuts[0]
    edge = 1e-6
    for score, code in [(-9, 1), (low - edge, 1), (low + edge, 2), (high - edge, 2), (high + edge, 3), (9, 3)]:
        assert latent.answers(np.array([score, -0.1])) == {"P": code, "Q": 0}
    assert latent.answers(np.array([0.0, 0.1]))["Q"] == 1
    assert latent.bounds(0, 2) == pytest.approx((0.1, 0.6))
    assert (latent.bounds(0, 1)[0], latent.bounds(0, 3)[1]) == (0.0, 1.0)


@pytest.mark.parametrize("wanted", [-0.6, -0.2, 0.0, 0.35, 0.7])
def test_the_model_gives_the_rank_correlation_of_coarse_answers(wanted: float) -> None:
    latent = fit_latent({"P": shares(0.1, 0.2, 0.3, 0.4), "Q": shares(0.45, 0.1, 0.45)}, {("P", "Q"): wanted})
    scores = np.random.default_rng(4).standard_normal((40_000, 2)) @ latent.root.T
    people = [latent.answers(row) for row in scores]
    ranks = []
    for item in ("P", "Q"):
        counts = Counter(p[item] for p in people)
        ends = np.cumsum([counts[c] for c in sorted(counts)])
        middle = {c: end - counts[c] / 2 for c, end in zip(sorted(counts), ends, strict=True)}
        ranks.append([middle[p[item]] for p in people])
    assert np.corrcoef(ranks)[0, 1] == pytest.approx(wanted, abs=0.015)


def test_ties_that_cannot_be_true_together_become_the_nearest_that_can() -> None:
    items = {name: shares(0.5, 0.5) for name in "PQR"}
    latent = fit_latent(items, {("P", "Q"): 0.6, ("P", "R"): 0.6, ("Q", "R"): -0.6})
    assert np.allclose(np.diag(latent.correlation), 1)
    assert np.linalg.eigvalsh(latent.correlation).min() > 0
    assert latent.correlation[0, 1] > 0.3 and latent.correlation[1, 2] < -0.3


def test_an_item_everybody_answers_alike() -> None:
    latent = fit_latent({"P": shares(1.0), "Q": shares(0.3, 0.7)}, {("P", "Q"): 0.0})
    assert latent.answers(np.array([2.0, 2.0])) == {"P": 1, "Q": 2}


def test_the_distance_of_two_distributions() -> None:
    assert js_distance({1: 2, 2: 2}, {1: 0.5, 2: 0.5}) == 0
    assert js_distance({1: 1}, {2: 1}) == pytest.approx(1)
    half = 0.5 * math.log2(0.5 / 0.75) / 2 + 0.5 * math.log2(0.5 / 0.25) / 2 + math.log2(1 / 0.75) / 2
    assert js_distance({1: 1, 2: 1}, {1: 1}) == pytest.approx(math.sqrt(half))


def test_largest_remainders() -> None:
    assert apportion([0.5, 0.3, 0.2], 10) == [5, 3, 2]
    assert apportion([0.47, 0.16, 0.158, 0.12, 0.061, 0.031], 10) == [5, 2, 1, 1, 1, 0]
    assert apportion([1, 1, 1], 2) == [1, 1, 0]
    assert apportion([0, 1], 3) == [0, 3]
    assert apportion([0.1] * 10, 0) == [0] * 10


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6), st.integers(1, 6))
def test_few_seats_are_fair_over_all_starts(weights: list[int], seats: int) -> None:
    starts = [(k + 0.5) / 400 for k in range(400)]
    mean = np.mean([apportion_few(weights, seats, start) for start in starts], axis=0)
    assert np.allclose(mean, np.array(weights) / sum(weights) * seats, atol=0.01)
