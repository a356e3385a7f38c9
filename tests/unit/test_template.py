"""Template ratio: the same text under other names is 1, nothing in common is 0, topic words do not count."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.measures.markers import Markers, list_forms, strip_markers
from culturepark.measures.template import Passage, template_ratio

NAMES = {
    "korean": ("Korea", "Korean", "Seoul", "Minji", "kimchi", "Chuseok"),
    "german": ("Germany", "German", "Berlin", "Anna", "bread", "Christmas Eve"),
}
FORMS = (
    "My neighbour {3} in {2} works too much and sleeps badly.",
    "On {5} we eat {4} together before anybody opens a gift.",
    "A {1} boss in {2} rarely praises anyone, so I stay quiet.",
    "In {0} my pension is small, therefore I kept a second job.",
)


def fill(culture: str, forms: Sequence[str] = FORMS, topic: str = "work", talk: str = "") -> list[Passage]:
    return [Passage(topic, culture, f.format(*NAMES[culture]), talk) for f in forms]


def make_talk(words: Sequence[str], seed: int, n: int = 20) -> list[str]:
    dice = random.Random(seed)
    return [" ".join(dice.choices(words, k=15)) for _ in range(n)]


def test_the_same_text_under_other_names_is_a_template() -> None:
    rows = [p for culture in NAMES for _ in range(3) for p in fill(culture, FORMS[:1])]
    made = template_ratio(rows, NAMES, "en")
    assert made.between.value == made.within.value == pytest.approx(1.0) and made.ratio.value == pytest.approx(1.0)
    assert (made.between.n, made.within.n, made.ratio.n) == (9, 6, 1)


def test_four_templates_are_as_alike_across_as_within() -> None:
    rows = [p for culture in NAMES for _ in range(3) for p in fill(culture)]
    made = template_ratio(rows, NAMES, "en")
    # Across, 3 of 12 partners of a text are the same form; within, 2 of 11: the ratio exceeds 1.
    assert made.ratio.value is not None and made.ratio.value > 1
    with_names = template_ratio(rows, {}, "en")
    assert with_names.ratio.value is not None and with_names.ratio.value < made.ratio.value
    assert with_names.removed.value == 0.0 and made.removed.value == pytest.approx(3 * (7 + 8) / made.removed.n)


def test_texts_with_nothing_in_common_are_no_template() -> None:
    rows = [Passage("work", "korean", "night shift again"), Passage("work", "korean", "again that night train")]
    rows += [Passage("work", "german", "early garden"), Passage("work", "german", "garden fence")]
    made = template_ratio(rows, NAMES, "en")
    assert made.between.value == 0.0 and made.ratio.value == 0.0
    assert made.within.value is not None and made.within.value > 0.2


def test_names_alone_in_common_do_not_count() -> None:
    rows = [Passage("t", c, f"{NAMES['korean'][0]} {w}") for c, w in (("korean", "rain"), ("german", "sun"))]
    assert template_ratio(rows, {}, "en").between.value == pytest.approx(0.336, abs=0.02)
    assert template_ratio(rows, NAMES, "en").between.value == 0.0


def test_topic_words_do_not_count_as_template() -> None:
    """Each culture has its own words, all share the topic's: the ratio falls with what is a culture's own."""
    topic = ["work", "job", "boss", "pay", "hours"]
    ratios = []
    for own in (1, 4, 12):
        rows = [
            Passage("work", c, t)
            for i, c in enumerate(("korean", "german", "turkish"))
            for t in make_talk(topic * 2 + [f"{c}{k % own}" for k in range(10)], seed=i)
        ]
        made = template_ratio(rows, {}, "en")
        assert made.ratio.value is not None
        ratios.append(made.ratio.value)
    same = [Passage("work", c, t) for i, c in enumerate(("korean", "german")) for t in make_talk(topic, seed=i)]
    assert template_ratio(same, {}, "en").ratio.value == pytest.approx(1.0, abs=0.05)
    assert all(r < 0.9 for r in ratios)


def test_topics_are_compared_apart() -> None:
    # Each topic has its own words: pooled texts would look less alike than they are on their topic.
    rows = [
        Passage(t, c, f"{t} words of {t}") for t in ("work", "faith") for c in ("korean", "german") for _ in range(2)
    ]
    made = template_ratio(rows, {}, "en")
    assert made.between.value == pytest.approx(1.0) and made.ratio.n == 2 and made.between.n == 8


def test_texts_of_one_talk_are_not_paired() -> None:
    alike = [Passage("t", "korean", "we agree on rain", "d1"), Passage("t", "german", "we agree on rain", "d1")]
    made = template_ratio(alike, {}, "en")
    assert made.between.value is None and "different talks" in made.between.reason
    others = [Passage("t", "korean", "moon night", "d2"), Passage("t", "german", "noon light", "d2")]
    made = template_ratio(alike + others, {}, "en")
    assert made.between.value == 0.0 and made.between.n == 2 and made.within.value == 0.0 and made.within.n == 2
    assert made.ratio.value is None and "share no word" in made.ratio.reason
    untold = [Passage(p.topic, p.culture, p.text) for p in alike + others]
    assert template_ratio(untold, {}, "en").between.n == 4


def test_each_pair_of_cultures_counts_alike() -> None:
    # Many texts of one culture do not drown the others: means over pairs 1, 0, 0.
    rows = [Passage("t", "a", "rain rain")] * 9 + [Passage("t", "b", "rain rain"), Passage("t", "c", "sun")]
    assert template_ratio(rows, {}, "en").between.value == pytest.approx(1 / 3)


def test_rare_words_weigh_more() -> None:
    common = [Passage("x", str(i), "the thing") for i in range(30)]
    pair = [Passage("t", "a", "the rain"), Passage("t", "b", "the sun")]
    alone, known = template_ratio(pair, {}, "en").between.value, template_ratio(pair + common, {}, "en")
    by_topic = template_ratio([*pair, *common], {}, "en")
    assert alone is not None and known == by_topic
    only = [Passage("t", "a", "the rain"), Passage("t", "b", "the sun"), *[Passage("x", "a", "the") for _ in range(30)]]
    figure = template_ratio(only, {}, "en").between.value
    assert figure is not None and figure < alone


@pytest.mark.parametrize("rows", [[], [Passage("t", "a", "hello")], [Passage("t", "a", "..."), Passage("t", "b", "!")]])
def test_nothing_to_compare_says_why(rows: list[Passage]) -> None:
    made = template_ratio(rows, {}, "en")
    for figure in (made.between, made.within, made.ratio):
        assert figure.value is None and figure.reason


def test_a_text_of_markers_only_is_left_out() -> None:
    rows = [*fill("korean", FORMS[:1]), *fill("german", FORMS[:1]), Passage("work", "german", "Berlin, Germany!")]
    assert template_ratio(rows, NAMES, "en").between.n == 1


def test_the_sample_is_fixed() -> None:
    texts = make_talk([f"w{k}" for k in range(60)], seed=1, n=400)
    rows = [Passage("t", ("a", "b")[i % 2], text) for i, text in enumerate(texts)]
    made = template_ratio(iter(rows), {}, "en", sample=20)
    assert made.between.n == 400 and made.within.n == 2 * 190
    assert made == template_ratio(rows, {}, "en", sample=20) != template_ratio(rows, {}, "en", sample=20, seed=1)


@pytest.mark.parametrize(
    ("tag", "text", "markers", "left"),
    [
        ("en", "Korea's Seoul, South Korea and Koreans", ["Korea", "South Korea", "Seoul", "Korean"], "and"),
        ("en", "In New York and in York", ["New York"], "in and in york"),
        ("en", "New York City hall", ["New", "New York City", "New York"], "hall"),
        ("en", "Ali is alike", ["Ali"], "is alike"),
        ("en", "New Seoul York", ["New York", "Seoul"], ""),
        ("en", "the German Christmas eve dinner", ["Christmas Eve", "German"], "the dinner"),
        ("tr", "Türkiye'de Türklerin evi İstanbul'da", ["Türkiye", "Türk", "İstanbul"], "evi"),
        ("tr", "Ankaralılar erken kalkar", ["Ankara"], "erken kalkar"),
        ("ko", "한국에서는 서울의 한국인 친구가", ["한국", "서울", "한국인"], "친구가"),
        ("ko", "김치찌개는 좋다", ["김"], "김치찌개는 좋다"),
        ("zh", "我在北京吃饺子", ["北京", "饺子"], "我 在 吃"),
        ("ar", "في السعودية وللسعوديين وبمصر", ["السعودية", "سعودي", "مصر"], "في"),
        ("ar", "نذهب للسعودية غدا", ["السعودية"], "نذهب غدا"),
        ("ar", "بلد جميل", ["لد"], "بلد جميل"),
        ("bn", "বাংলাদেশের মানুষ ঢাকায় থাকে", ["বাংলাদেশ", "ঢাকা"], "মানুষ থাকে"),
        ("de", "die koreanische Küche und koreanischen Feste", ["koreanisch"], "die küche und feste"),
        ("es", "las coreanas y el coreano", ["coreano"], "las y el"),
        ("pt-BR", "a comida mexicana", ["mexicano"], "a comida"),
    ],
)
def test_markers_go_with_their_endings(tag: str, text: str, markers: list[str], left: str) -> None:
    assert strip_markers(text, markers, tag) == left


@given(
    st.lists(st.sampled_from(["new", "york", "newyork", "eve", "a", "seouls", "seoul's", "b"]), max_size=12),
    st.sampled_from(["en", "tr", "es", "ko"]),
)
def test_stripping_again_changes_nothing(tokens: list[str], tag: str) -> None:
    markers = ["New York", "york eve", "a b", "Seoul"]
    once = strip_markers(" ".join(tokens), markers, tag)
    assert strip_markers(once, markers, tag) == once
    assert not any(word.startswith("seoul") for word in once.split())
    kept = once.split()
    assert all(kept[i : i + 2] != ["new", "york"] for i in range(len(kept)))


@given(st.text(max_size=40), st.lists(st.text(max_size=6), max_size=4), st.sampled_from(["ar", "bn", "zh", "de"]))
def test_stripping_any_text_again_changes_nothing(text: str, markers: list[str], tag: str) -> None:
    once = strip_markers(text, markers, tag)
    assert strip_markers(once, markers, tag) == once


def test_no_markers_leave_all_words() -> None:
    assert strip_markers("Well, I'd say so.", [], "en") == "well i'd say so"
    assert Markers(["", "..."], "en").strip(["a"]) == ["a"]
    assert "lima" in list_forms("limas", "en") and "mali" not in list_forms("malice", "en")
