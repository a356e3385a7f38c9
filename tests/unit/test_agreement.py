"""Agreement: hand-worked and published examples, gaps that stay gaps, intervals that repeat."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.errors import DataError
from culturepark.measures.agreement import Level, krippendorff_alpha, quadratic_kappa
from culturepark.measures.bootstrap import Interval, bootstrap_counts, bootstrap_interval, take_percentiles
from culturepark.measures.panel import summarise_panel

LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
_ = None
# Krippendorff 2011, part C: four observers, twelve units, some values missing.
PUBLISHED: list[list[float | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]


def disagree(ratings: Sequence[Sequence[float | None]], level: Level) -> float:
    """Alpha straight from its definition, pair by pair."""
    units = [[row[i] for row in ratings if row[i] is not None] for i in range(len(ratings[0]))]
    units = [u for u in units if len(u) > 1]
    values = [v for u in units for v in u]

    def differ(c: float, k: float) -> float:
        if level == "nominal":
            return float(c != k)
        if level == "interval":
            return (c - k) ** 2
        inside = sum(min(c, k) <= v <= max(c, k) for v in values)
        return (inside - (values.count(c) + values.count(k)) / 2) ** 2

    n = len(values)
    observed = sum(differ(c, k) / (len(u) - 1) for u in units for c in u for k in u) / n
    return 1 - observed / (sum(differ(c, k) for c in values for k in values) / (n * (n - 1)))


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(level: Level, value: float) -> None:
    figure = krippendorff_alpha(PUBLISHED, level)
    assert figure.value == pytest.approx(value, abs=0.0005) and figure.n == 11


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_is_its_definition(level: Level) -> None:
    dice = random.Random(3)
    for _round in range(40):
        ratings = [[dice.choice([None, 1, 2, 3, 4.5, 10]) for _ in range(9)] for _ in range(dice.randint(2, 5))]
        assert krippendorff_alpha(ratings, level).value == pytest.approx(disagree(ratings, level), abs=1e-9)


def test_alpha_by_hand() -> None:
    # Interval: D_o = (0+0+1+1)/4 = 1/2; the 12 ordered pairs of 1,1,1,2 differ 6 times, D_e = 6/12.
    assert krippendorff_alpha([[1, 1], [1, 2]]).value == pytest.approx(0.0)
    assert krippendorff_alpha([[1, 5], [1, 5]]).value == pytest.approx(1.0)
    # Far values cost more where distance counts.
    near, far = [[1, 3, 5, 1], [1, 3, 5, 2]], [[1, 3, 5, 1], [1, 3, 5, 5]]
    gap = {level: krippendorff_alpha(near, level).value - krippendorff_alpha(far, level).value for level in LEVELS}
    assert gap["interval"] > 0.2 and gap["interval"] > abs(gap["nominal"])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        ([], "no scores"),
        ([[], []], "no scores"),
        ([[1, 2, 3]], "no item has two scores"),
        ([[1, None], [None, 2]], "no item has two scores"),
        ([[4, 4, None], [4, 4, 1]], "all scores are the same"),
        ([[0.3, 0.3], [0.3, 0.3]], "all scores are the same"),
    ],
)
def test_alpha_without_value_says_why(ratings: list[list[float | None]], reason: str, level: Level) -> None:
    figure = krippendorff_alpha(ratings, level)
    assert figure.value is None and figure.reason == reason


def test_alpha_refuses_rows_of_different_length() -> None:
    with pytest.raises(DataError, match="every item"):
        krippendorff_alpha([[1, 2], [1]])


def test_kappa_by_hand() -> None:
    # Scores 1 1 2 3 / 1 2 2 3 on a scale of three. Sum of squared differences 1, over 4 items: 0.25.
    # By chance: shares .5 .25 .25 against .25 .5 .25:
    # .5*.5 + .5*.25*4 + .25*.25 + .25*.25 + .25*.25*4 + .25*.5 = 1.25. 1 - .25/1.25 = .8.
    figure = quadratic_kappa([1, 1, 2, 3], [1, 2, 2, 3], categories=(1, 2, 3))
    assert figure.value == pytest.approx(0.8) and figure.n == 4


def test_kappa_with_two_scores_is_plain_kappa() -> None:
    # The textbook table 20, 5 / 10, 15: agreement .7, by chance .5, kappa .4.
    a = [1] * 25 + [2] * 25
    b = [1] * 20 + [2] * 5 + [1] * 10 + [2] * 15
    assert quadratic_kappa(a, b, categories=(1, 2)).value == pytest.approx(0.4)


def test_kappa_is_signed_symmetric_and_skips_gaps() -> None:
    assert quadratic_kappa([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]).value == pytest.approx(-1.0)
    assert quadratic_kappa([1, 3, 5], [1, 3, 5]).value == pytest.approx(1.0)
    a, b = [1, 2, None, 4, 5, 3], [1, 3, 5, None, 4, 3]
    assert quadratic_kappa(a, b) == quadratic_kappa(b, a) == quadratic_kappa([1, 2, 5, 3], [1, 3, 4, 3])
    # A small slip costs less than a large one.
    small, large = quadratic_kappa([1, 2, 4, 5], [1, 2, 4, 4]).value, quadratic_kappa([1, 2, 4, 5], [1, 2, 4, 1]).value
    assert small is not None and large is not None and small > large


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ([], [], "fewer than two"),
        ([3], [4], "fewer than two"),
        ([None, 3, 2], [4, None, 2], "fewer than two"),
        ([4, 4, 4], [4, 4, 4], "same score"),
    ],
)
def test_kappa_without_value_says_why(a: list[int | None], b: list[int | None], reason: str) -> None:
    figure = quadratic_kappa(a, b)
    assert figure.value is None and reason in figure.reason


def test_kappa_refuses_scores_off_the_scale() -> None:
    with pytest.raises(DataError, match="score 6 is not one of 1, 2, 3, 4, 5"):
        quadratic_kappa([1, 6], [1, 5])
    with pytest.raises(DataError, match="same items"):
        quadratic_kappa([1, 2], [1])


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=30))
def test_alpha_and_kappa_never_exceed_one(pairs: list[tuple[int, int]]) -> None:
    a, b = [p[0] for p in pairs], [p[1] for p in pairs]
    kappa = quadratic_kappa(a, b).value
    assert kappa is None or -1 - 1e-9 <= kappa <= 1
    for level in LEVELS:
        alpha = krippendorff_alpha([a, b], level).value
        assert alpha is None or alpha <= 1
        assert alpha is None or (abs(alpha - 1) < 1e-12) == (a == b)


def take_mean(rows: Sequence[float]) -> float | None:
    return sum(rows) / len(rows)


def test_bootstrap_of_a_mean_matches_theory_and_repeats() -> None:
    dice = random.Random(5)
    items = [dice.gauss(0, 1) for _ in range(400)]
    first = bootstrap_interval(items, take_mean, seed=1)
    assert first == bootstrap_interval(items, take_mean, seed=1) != bootstrap_interval(items, take_mean, seed=2)
    error = 1.96 * float(np.std(items)) / math.sqrt(400)
    assert first.low is not None and first.high is not None and first.draws == 1000
    assert first.high - first.low == pytest.approx(2 * error, rel=0.15)
    exact = bootstrap_interval(items, take_mean, draws=4000)
    assert exact.low == pytest.approx(take_mean(items) - error, abs=0.08 * error)
    wide = bootstrap_interval(items, take_mean, seed=1, level=0.99)
    assert wide.low is not None and wide.low < first.low


def test_bootstrap_leaves_out_draws_without_value() -> None:
    def spread(rows: Sequence[int]) -> float | None:
        return None if len(set(rows)) == 1 else float(len(set(rows)))

    some = bootstrap_interval([1, 2, 3], spread, seed=0)  # one resample in nine is all alike
    assert 800 < some.draws < 960 and some.low == 2.0 and some.high == 3.0
    none = bootstrap_interval([1, 1, 1], spread)
    assert none == Interval(None, None, 0, "undefined in 1000 of 1000 draws")
    assert bootstrap_interval([1, 2, 3], lambda rows: math.nan).low is None
    assert bootstrap_interval([1], take_mean).reason == "fewer than two items"
    mostly = take_percentiles([None] * 6 + [1.0] * 4, 0.95)
    assert mostly.low is None and mostly.draws == 4
    with pytest.raises(ValueError, match="level"):
        take_percentiles([1.0], 95)


def test_resampling_kinds_is_resampling_items() -> None:
    items = [1.0] * 30 + [2.0] * 50 + [5.0] * 20
    counts = np.array([30, 50, 20])
    values = np.array([1.0, 2.0, 5.0])
    kinds = bootstrap_counts(counts, lambda c: {"mean": float(c @ values) / int(c.sum())}, draws=3000)["mean"]
    single = bootstrap_interval(items, take_mean, draws=3000)
    assert kinds.low == pytest.approx(single.low, abs=0.05) and kinds.high == pytest.approx(single.high, abs=0.05)


def make_scores(seed: int, noise: float, n: int = 80) -> dict[str, int]:
    """Scores around a hidden truth; more noise, less agreement."""
    dice = random.Random(seed)
    return {f"i{k}": min(5, max(1, round(k % 5 + 1 + dice.gauss(0, noise)))) for k in range(n)}


def test_panel_of_judges() -> None:
    scores = {"a": make_scores(1, 0.5), "b": make_scores(2, 0.5), "c": {"i0": 1, "i4": 5, "i9": 5}}
    made = summarise_panel(scores, draws=200)
    assert made["items"] == 80 and made["judges"] == {"a": 80, "b": 80, "c": 3} and made["people"] is None
    shown = {tuple(p["judges"]): p["kappa"] for p in made["pairs"]}
    assert set(shown) == set(combinations("abc", 2)) and shown["a", "c"]["n"] == 3
    items = sorted(scores["a"])
    for x, y in combinations("abc", 2):
        expected = quadratic_kappa([scores[x].get(i) for i in items], [scores[y].get(i) for i in items])
        assert shown[x, y]["value"] == pytest.approx(expected.value)
    assert made["mean_kappa"]["value"] == pytest.approx(np.mean([k["value"] for k in shown.values()]))
    alpha = krippendorff_alpha([[scores[j].get(i) for i in items] for j in "abc"])
    assert made["alpha"]["value"] == pytest.approx(alpha.value)
    assert made["alpha"]["low"] < made["alpha"]["value"] < made["alpha"]["high"]
    assert made == summarise_panel(dict(reversed(scores.items())), draws=200)
    assert json.loads(json.dumps(made)) == made


def test_panel_against_people() -> None:
    people = {p: make_scores(i, 1.0) for i, p in enumerate("pqr", start=10)}
    scores = {"good": make_scores(1, 0.2), "bad": make_scores(2, 4.0), "flat": dict.fromkeys(make_scores(1, 0), 3)}
    made = summarise_panel({**scores, "away": {"zz": 3}}, people, draws=200)["people"]
    items = sorted(people["p"])
    hand = [
        quadratic_kappa([people[x][i] for i in items], [people[y][i] for i in items]).value
        for x, y in ("pq", "pr", "qr")
    ]
    assert made["a_hh"]["value"] == pytest.approx(np.mean(hand)) and made["items"] == 80
    good, bad, flat, away = (made["judges"][j] for j in ("good", "bad", "flat", "away"))
    hand = [quadratic_kappa([scores["good"][i] for i in items], [people[x][i] for i in items]).value for x in "pqr"]
    assert good["a_mh"]["value"] == pytest.approx(np.mean(hand))
    assert good["difference"]["value"] == pytest.approx(good["a_mh"]["value"] - made["a_hh"]["value"])
    assert good["difference"]["low"] > 0 > bad["difference"]["high"]
    truth = np.mean([[people[x][i] for i in items] for x in "pqr"], axis=0)
    own = np.array([scores["good"][i] for i in items])
    assert good["pearson"]["value"] == pytest.approx(np.corrcoef(own, truth)[0, 1])
    assert good["mae"]["value"] == pytest.approx(np.abs(own - truth).mean())
    assert good["mae"]["value"] < bad["mae"]["value"]
    assert flat["pearson"]["value"] is None and "same" in flat["pearson"]["reason"] and flat["mae"]["value"] > 0
    assert all(f["value"] is None and f["reason"] for f in away.values())


def test_a_pair_interval_is_the_bootstrap_of_its_items() -> None:
    scores = {"a": make_scores(1, 0.8), "b": make_scores(2, 0.8)}
    shown = summarise_panel(scores, draws=2000)["pairs"][0]["kappa"]
    rows = list(zip(scores["a"].values(), scores["b"].values(), strict=True))
    plain = bootstrap_interval(
        rows, lambda r: quadratic_kappa([x for x, _ in r], [y for _, y in r]).value, draws=2000, seed=7
    )
    assert shown["low"] == pytest.approx(plain.low, abs=0.02) and shown["high"] == pytest.approx(plain.high, abs=0.02)


def test_people_who_scored_few_items_and_gaps() -> None:
    people = {"p": {"i1": 2, "i2": 5, "i3": 1}, "q": {"i3": 1}}
    made = summarise_panel({"j": make_scores(1, 0.3)}, people, draws=50)["people"]
    assert made["items"] == 3 and made["people"] == {"p": 3, "q": 1}
    assert made["a_hh"]["value"] is None and "fewer than two items" in made["a_hh"]["reason"]
    judge = made["judges"]["j"]
    alone = quadratic_kappa([make_scores(1, 0.3)[i] for i in people["p"]], list(people["p"].values()))
    assert (
        judge["a_mh"]["value"] == pytest.approx(alone.value)
        and judge["a_mh"]["reason"] == "1 of 2 pairs undefined and left out"
    )
    assert judge["difference"]["value"] is None and judge["mae"]["n"] == 3


@pytest.mark.parametrize("scores", [{}, {"a": {}}, {"a": {"i": 3}}, {"a": {"i": 3}, "b": {"j": 3}}, {"a": {}, "b": {}}])
def test_a_panel_with_nothing_to_compare_has_no_figures(scores: dict[str, dict[str, int]]) -> None:
    made = summarise_panel(scores, draws=20)
    for figure in (made["mean_kappa"], made["alpha"], *(p["kappa"] for p in made["pairs"])):
        assert figure["value"] is None and figure["low"] is None and figure["reason"]


def test_items_no_person_scored_do_not_count() -> None:
    people = {"p": make_scores(2, 1.0, n=30), "q": make_scores(3, 1.0, n=30)}
    few, many = make_scores(1, 0.5, n=30), make_scores(1, 0.5, n=3000)
    assert {i: many[i] for i in few} == few
    made = [summarise_panel({"j": scores}, people, draws=100)["people"] for scores in (few, many)]
    assert made[0] == made[1]


def test_one_person_alone_gives_no_agreement_of_people() -> None:
    made = summarise_panel({"j": make_scores(1, 0.3)}, {"p": make_scores(2, 0.3)}, draws=50)["people"]
    assert made["a_hh"]["value"] is None and made["a_hh"]["reason"] == "fewer than two people"
    assert made["judges"]["j"]["a_mh"]["value"] is not None


def test_judges_who_always_agree_on_one_score_have_no_kappa() -> None:
    same = dict.fromkeys((f"i{k}" for k in range(9)), 5)
    made = summarise_panel({"a": same, "b": same}, draws=50)
    assert made["mean_kappa"]["value"] is None and made["alpha"]["value"] is None
    # One item apart: most resamples have a value, some are all alike.
    made = summarise_panel({"a": same, "b": {**same, "i0": 4}, "c": {**same, "i0": 4}}, draws=200)
    assert made["pairs"][2]["kappa"]["value"] == pytest.approx(1.0)


def test_panel_names_who_scored_off_the_scale() -> None:
    with pytest.raises(DataError, match="b, item i1: score 9 is not one of"):
        summarise_panel({"a": {"i1": 3}, "b": {"i1": 9}})
