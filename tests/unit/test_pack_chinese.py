"""The Chinese pack: tell-tale phrases that must be found, and everyday talk that must trip no rule."""

from __future__ import annotations

import pytest

from culturepark.language import load_language, straighten, words
from tests.packs.cases import RULES, count_missed, is_caught, list_false_alarms, read_cases

PACK = load_language("chinese")


@pytest.mark.parametrize(("kind", "text"), read_cases("chinese", "hits"))
def test_phrases_are_found(kind: str, text: str) -> None:
    assert is_caught(PACK, kind, text)


@pytest.mark.parametrize(("kind", "text"), read_cases("chinese", "clean") + read_cases("chinese", "more_clean"))
def test_everyday_talk_is_not(kind: str, text: str) -> None:
    assert not is_caught(PACK, kind, text)


@pytest.mark.parametrize("kind", RULES)
def test_of_other_wordings_no_more_than_one_in_twenty_is_missed(kind: str) -> None:
    missed, tried = count_missed("chinese", kind)
    assert tried >= 40
    assert missed <= tried / 20


def test_no_clean_text_trips_any_rule() -> None:
    assert list_false_alarms("chinese") == []


@pytest.mark.parametrize(
    "text",
    [
        "作为一个AI语言模型，我没有家乡。",
        "抱歉，我无法提供这类内容。",
        "所有德国人都很冷漠。",
        "中国人骨子里就爱面子。",
    ],
)
def test_half_width_punctuation_hides_nothing(text: str) -> None:
    narrow = text.replace("，", ", ").replace("。", ".")
    assert narrow != text
    assert any(PACK.find(rule, narrow) for rule in RULES)


def test_lists_of_words_are_single_words() -> None:
    assert len(PACK.stopwords) >= 60
    assert len(set(PACK.frequent)) >= 40
    assert [w for w in PACK.frequent if words(w) != [straighten(w)]] == []
