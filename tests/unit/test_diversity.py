"""Diversity: hand-worked values, known extremes, samples that repeat, undefined values that say so."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.errors import DataError
from culturepark.measures.diversity import compression_ratio, distinct_n, near_copy_share, self_bleu
from culturepark.measures.opinions import group_diversity, semantic_spread, stance_distance
from culturepark.measures.sampling import Reservoir, draw_sample


def make_texts(n: int, length: int = 30, vocabulary: int = 400, seed: int = 0) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(f"w{dice.randrange(vocabulary)}" for _ in range(length)) for _ in range(n)]


def test_distinct_by_hand() -> None:
    made = distinct_n(["The cat, the dog", "the cat"])
    # Words: the cat the dog the cat. Pairs inside texts: the cat, cat the, the dog, the cat.
    assert (made[1].value, made[2].value, made[3].value) == (3 / 6, 3 / 4, 1.0)
    assert {f.n for f in made.values()} == {6}


def test_distinct_counts_words_of_each_script() -> None:
    assert distinct_n(["我 喜欢 我"], (1,))[1].value == 3 / 4
    assert distinct_n(["밥을 먹고 밥을 먹고"], (1, 2))[2].value == 2 / 3
    assert distinct_n(["ভাত খাই ভাত"], (1,))[1].value == 2 / 3


def test_distinct_keeps_to_its_budget() -> None:
    texts = make_texts(50)
    for budget in (1, 100, 777):
        assert distinct_n(texts, budget=budget)[1].n == budget
    assert distinct_n(texts)[1].n == 1500
    small, large = distinct_n(texts, budget=100)[1].value, distinct_n(texts)[1].value
    assert small is not None and large is not None and small > large
    assert distinct_n(texts, budget=100, seed=1) == distinct_n(texts, budget=100, seed=1)
    assert any(distinct_n(texts, budget=100, seed=1) != distinct_n(texts, budget=100, seed=s) for s in (2, 3, 4))


def test_distinct_without_words_says_why() -> None:
    made = distinct_n(["One two", "three", "..."])
    assert made[2].value == 1.0 and made[3].value is None and made[3].reason == "no text has 3 words" and made[3].n == 3
    assert distinct_n([])[1].value is None


def test_self_bleu_by_hand() -> None:
    # First text: the twice, once in the other: 5 of 6 words; 3 of 5 pairs, 2 of 4 triples, 1 of 3 fours.
    # Second text: 5 of 6 (a is new), then the same. No brevity penalty.
    expected = (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    figure = self_bleu(["the cat sat on the mat", "The cat sat on a mat"])
    assert figure.value == pytest.approx(expected) and figure.n == 2


def test_self_bleu_smooths_and_penalises_brevity() -> None:
    # "a q" against "a b c d": 1/2 words, no pair (0.1 of 1), no triple or more (0.1 of 1), length 2 against 4.
    # The other way: 1/4 words, 0.1 of 3, 2 and 1.
    short = math.exp(1 - 4 / 2) * (1 / 2 * 0.1 * 0.1 * 0.1) ** 0.25
    long = (1 / 4 * 0.1 / 3 * 0.1 / 2 * 0.1) ** 0.25
    assert self_bleu(["a q", "a b c d"]).value == pytest.approx((short + long) / 2)
    assert self_bleu(["a b c", "x y z"]).value == 0.0


def test_self_bleu_uses_the_nearest_reference_length() -> None:
    # Lengths 4, 6, 8: the middle one is as near to both, the shorter counts, so only the first is short.
    texts = ["a b c d", "a b c d e f", "a b c d e f g h"]
    first, last = math.exp(1 - 6 / 4), (6 / 8 * 5 / 7 * 4 / 6 * 3 / 5) ** 0.25
    assert self_bleu(texts).value == pytest.approx((first + 1 + last) / 3)


def test_self_bleu_clips_to_one_reference() -> None:
    # "no no" occurs twice in a text, once at most in any other: one of two counts.
    assert self_bleu(["no no", "no", "no"], order=1).value == pytest.approx((1 / 2 + 1 + 1) / 3)


def test_self_bleu_counts_punctuation_and_not_case() -> None:
    assert self_bleu(["Yes, we do it.", "yes, WE do it."]).value == pytest.approx(1.0)
    marked, plain = self_bleu(["Yes, we do it!", "yes we do it ?"]).value, self_bleu(["yes we do it"] * 2).value
    assert marked is not None and plain == pytest.approx(1.0) and marked < 0.9
    assert self_bleu(["কি", "কা"]).value == 0.0  # vowel signs are part of a word, not punctuation


def test_self_bleu_grows_with_likeness_and_repeats() -> None:
    varied, narrow = self_bleu(make_texts(400)), self_bleu(make_texts(400, vocabulary=20))
    assert varied.value is not None and narrow.value is not None and varied.value < 0.3 < narrow.value
    assert varied.n == 300 and varied == self_bleu(make_texts(400)) != self_bleu(make_texts(400), seed=4)
    assert self_bleu(["alone", " "]).value is None


def jaccard(a: str, b: str) -> float:
    x, y = ({" ".join(t.lower().split())[i : i + 5] for i in range(max(1, len(t) - 4))} for t in (a, b))
    return len(x & y) / len(x | y)


def swap_words(text: str, n: int, dice: random.Random) -> str:
    parts = text.split()
    for i in dice.sample(range(len(parts)), n):
        parts[i] = f"new{dice.randrange(99)}"
    return " ".join(parts)


def test_near_copies_are_those_of_all_pairs() -> None:
    dice = random.Random(8)
    texts = make_texts(40, length=14)
    texts += [swap_words(t, k, dice) for k, t in enumerate(texts[:12])] + ["hm", "Hm", "no"]
    dice.shuffle(texts)
    alike = [[jaccard(a, b) >= 0.7 for b in texts] for a in texts]
    copied = [any(hit for j, hit in enumerate(row) if j != i) for i, row in enumerate(alike)]
    stays: list[int] = []
    for i in range(len(texts)):
        if not any(alike[i][j] for j in stays):
            stays.append(i)
    made = near_copy_share(texts)
    assert made.share.value == pytest.approx(sum(copied) / len(texts)) and made.share.n == len(texts)
    assert made.removable.value == pytest.approx(1 - len(stays) / len(texts))
    assert 0 < sum(copied) < 30


def test_near_copies_at_the_edges() -> None:
    made = near_copy_share(["Bread  and tea\n", "bread and TEA", "soup"])
    assert made.share.value == pytest.approx(2 / 3) and made.removable.value == pytest.approx(1 / 3)
    # Character sets abcde, bcdef, cdefg / the first two of three: 2 of 3 shared.
    assert near_copy_share(["abcdefg", "abcdef"], threshold=2 / 3).share.value == 1.0
    assert near_copy_share(["abcdefg", "abcdef"], threshold=0.67).share.value == 0.0
    # 7 of 25 shared, and 0.28 * 25 is a little more than 7 in floating point.
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    assert near_copy_share([letters[:20], letters[9:29]], threshold=0.28).share.value == 1.0
    assert near_copy_share(["x"] * 9).removable.value == pytest.approx(8 / 9)
    assert near_copy_share(["only", "  "]).share.value is None


def test_a_text_that_went_removes_no_other() -> None:
    # b is like a, c is like b but not like a: b goes, c stays.
    a, b, c = "abcdefghijklmnopqrst", "cdefghijklmnopqrstuv", "efghijklmnopqrstuvwx"
    assert jaccard(a, b) >= 0.7 and jaccard(b, c) >= 0.7 and jaccard(a, c) < 0.7
    made = near_copy_share([a, b, c])
    assert made.share.value == 1.0 and made.removable.value == pytest.approx(1 / 3)


def test_near_copies_work_on_a_sample() -> None:
    texts = make_texts(200) + ["the same text again"] * 200
    made = near_copy_share(texts, sample=100)
    assert made.share.n == 100 and made.share.value == pytest.approx(0.5, abs=0.15)
    assert made == near_copy_share(texts, sample=100)


def test_compression() -> None:
    plain, copied = compression_ratio(make_texts(300)), compression_ratio(make_texts(3) * 100)
    assert plain.value is not None and copied.value is not None and plain.value < 4 < 20 < copied.value
    assert plain.n == sum(len(t) + 1 for t in make_texts(300))
    assert compression_ratio(["밥"] * 500, budget=1001).n == 1001
    assert compression_ratio([]).value is None
    assert compression_ratio(["\ud800"]).n == 2


def test_stance_distance_by_hand() -> None:
    assert stance_distance([1, 4, None], 1, 4).value == 1.0
    # Pairs of 1 1 2 5: 0 1 4 1 4 3 = 13, over 6 pairs and 4 steps.
    assert stance_distance([5, 1, 2, 1], 1, 5).value == pytest.approx(13 / 6 / 4)
    assert stance_distance([3, 3, 3], 1, 5).value == 0.0
    assert stance_distance([None, 3], 1, 5).value is None
    with pytest.raises(DataError, match="outside"):
        stance_distance([0, 3], 1, 5)
    with pytest.raises(DataError, match="no width"):
        stance_distance([3, 3], 3, 3)


@given(st.lists(st.integers(1, 10), min_size=2, max_size=25))
def test_stance_distance_is_the_mean_over_pairs(codes: list[int]) -> None:
    gaps = [abs(x - y) for i, x in enumerate(codes) for y in codes[:i]]
    assert stance_distance(codes, 1, 10).value == pytest.approx(sum(gaps) / len(gaps) / 9)


def test_group_diversity_by_hand() -> None:
    scales = {"q1": (1, 4), "q2": (1, 5)}
    agents = [{"q1": 1, "q2": 1}, {"q1": 4, "q2": 5}, {"q1": 1}]
    # d01 = 5/5, d02 = 0/3, d12 = 3/3: mean 2/3; the tree takes 0 and 1, over 2.
    made = group_diversity(agents, scales)
    assert made.distance.value == pytest.approx(2 / 3) and made.distance.n == 3
    assert made.structural.value == pytest.approx(1 / 2) and made.structural.n == 3


def test_the_tree_takes_the_shortest_edges() -> None:
    # On a line at 0, 1, 5, 6 of 10: edges 1, 4 and 1, whatever the order.
    for order in ([0, 1, 5, 6], [5, 0, 6, 1], [6, 5, 1, 0]):
        made = group_diversity([{"q": code} for code in order], {"q": (0, 10)})
        assert made.structural.value == pytest.approx((1 + 4 + 1) / 10 / 3)


def test_agents_without_common_items() -> None:
    scales = {"q1": (1, 4), "q2": (1, 5)}
    made = group_diversity([{"q1": 1}, {"q1": 3}, {"q2": 2}, {}], scales)
    assert made.distance.value == pytest.approx(2 / 3) and made.distance.n == 1
    assert made.structural.value is None and "share no item" in made.structural.reason
    apart = group_diversity([{"q1": 1}, {"q2": 2}], scales)
    assert apart.distance.value is None and apart.structural.value is None
    assert group_diversity([{"q1": 1}, {}], scales).distance.value is None
    for bad in ([{"q1": 5}, {"q1": 1}], [{"q3": 1}, {"q3": 1}]):
        with pytest.raises(DataError, match="no scale, or an answer outside it"):
            group_diversity(bad, scales)


def test_spread_at_the_extremes() -> None:
    same, apart = semantic_spread(np.full((20, 4), 2.0)), semantic_spread(np.eye(20) * 7)
    assert (same.dispersion.value, same.mean_cosine.value) == (pytest.approx(0.0), pytest.approx(1.0))
    assert same.vendi.value == pytest.approx(1.0) and apart.vendi.value == pytest.approx(20.0)
    assert apart.mean_cosine.value == pytest.approx(0.0)
    assert apart.dispersion.value == pytest.approx(1 - 1 / math.sqrt(20))
    # Two groups of three at right angles count as two texts; 6 of the 15 pairs point one way.
    two = semantic_spread(np.repeat(np.eye(2), 3, axis=0))
    assert two.vendi.value == pytest.approx(2.0) and two.mean_cosine.value == pytest.approx(6 / 15)


def test_spread_is_that_of_all_pairs_and_of_a_fixed_sample() -> None:
    rows = np.random.default_rng(1).normal(0.3, 1, (500, 16)).astype(np.float32)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = (units @ units.T)[np.triu_indices(500, 1)]
    made = semantic_spread(rows, sample=100)
    assert made.mean_cosine.value == pytest.approx(cosines.mean(), abs=1e-6) and made.mean_cosine.n == 500
    assert made.dispersion.value == pytest.approx(1 - np.linalg.norm(units.mean(axis=0)), abs=1e-6)
    assert made.vendi.n == 100 and made == semantic_spread(rows, sample=100) != semantic_spread(
        rows, sample=100, seed=1
    )


def test_spread_reads_long_inputs_in_parts() -> None:
    rows = np.random.default_rng(2).normal(size=(20_000, 3))
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert semantic_spread(rows).dispersion.value == pytest.approx(1 - np.linalg.norm(units.mean(axis=0)))


def test_spread_leaves_out_what_has_no_direction() -> None:
    made = semantic_spread([[0, 0], [1, 0], [math.nan, 1], [0, 3], [math.inf, 0]])
    assert made.dispersion.n == 2 and made.mean_cosine.value == pytest.approx(0.0)
    assert made.vendi.value == pytest.approx(2.0)
    assert semantic_spread(np.zeros((5, 2))).vendi.value is None
    with pytest.raises(DataError, match="rows"):
        semantic_spread([1.0, 2.0])


def test_more_repetition_is_less_diversity_everywhere() -> None:
    varied, copied = make_texts(120), make_texts(12) * 10

    def measure(texts: Sequence[str]) -> list[float]:
        found = [distinct_n(texts)[2], self_bleu(texts), near_copy_share(texts).share, compression_ratio(texts)]
        return [f.value for f in found if f.value is not None]

    first, second = measure(varied), measure(copied)
    assert first[0] > second[0] and all(a < b for a, b in zip(first[1:], second[1:], strict=True))


def test_draw_sample_keeps_order_and_size() -> None:
    items = list(range(100))
    drawn = draw_sample(items, 10, seed=1)
    assert drawn == sorted(drawn) == draw_sample(items, 10, seed=1) != draw_sample(items, 10, seed=2)
    assert len(set(drawn)) == 10 and draw_sample(items, 100, seed=1) == items and draw_sample([], 5, seed=1) == []


def test_reservoir_is_fixed_by_its_stream() -> None:
    def fill(seed: int, other: bool) -> Reservoir[int]:
        made: Reservoir[int] = Reservoir(5, seed)
        for i in range(1000):
            made.add(("arab", "work"), i)
            if other:
                made.add("korean", -i)
        return made

    first = fill(1, True)
    kept = first.list_kept()
    assert list(kept) == [("arab", "work"), "korean"] and first.count_seen("korean") == 1000
    assert first.count_seen("none") == 0
    own = kept["arab", "work"]
    assert len(own) == 5 and own == sorted(own) and own == fill(1, False).list_kept()["arab", "work"]
    assert all(k == sorted(k) for s in range(5) for k in [fill(s, False).list_kept()["arab", "work"]])
    assert own != fill(2, False).list_kept()["arab", "work"] and own != [-i for i in kept["korean"]]


def test_reservoir_is_fair() -> None:
    counts = np.zeros(20)
    for seed in range(3000):
        made: Reservoir[int] = Reservoir(4, seed)
        for i in range(20):
            made.add("g", i)
        counts[made.list_kept()["g"]] += 1
    # Each item is kept in a fifth of 3000 samples; four standard deviations are about 88.
    assert abs(counts - 600).max() < 88 and counts.sum() == 12_000


def test_reservoir_keeps_all_of_a_short_stream() -> None:
    made: Reservoir[str] = Reservoir(3)
    for item in "ab":
        made.add("g", item)
    assert made.list_kept() == {"g": ["a", "b"]}
    with pytest.raises(ValueError, match="at least one"):
        Reservoir(0)
