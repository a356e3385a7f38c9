"""The Bengali pack: tell-tale phrases that must be found, and everyday talk that must trip no rule."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from culturepark.language import load_language, straighten, words
from tests.packs.cases import RULES, count_missed, is_caught, list_false_alarms, read_cases

PACK = load_language("bengali")


@pytest.mark.parametrize(("kind", "text"), read_cases("bengali", "hits"))
def test_phrases_are_found(kind: str, text: str) -> None:
    assert is_caught(PACK, kind, text)


@pytest.mark.parametrize(("kind", "text"), read_cases("bengali", "clean") + read_cases("bengali", "more_clean"))
def test_everyday_talk_is_not(kind: str, text: str) -> None:
    assert not is_caught(PACK, kind, text)


@pytest.mark.parametrize("kind", RULES)
def test_of_other_wordings_no_more_than_one_in_twenty_is_missed(kind: str) -> None:
    missed, tried = count_missed("bengali", kind)
    assert tried >= 40
    assert missed <= tried / 20


def test_no_clean_text_trips_any_rule() -> None:
    assert list_false_alarms("bengali") == []


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_composed_letters_hide_nothing(form: Literal["NFC", "NFD"]) -> None:
    assert PACK.find("essentialism", unicodedata.normalize(form, "মেয়েরা সবসময় আবেগ দিয়ে ভাবে।"))
    assert PACK.find("role_leak", "আমার পার\u200cসোনা একজন ডাক্তার।")


@pytest.mark.parametrize("ending", ["রা", "েরা", " মেয়েরা"])
def test_endings_are_seen(ending: str) -> None:
    assert PACK.find("essentialism", f"জার্মান{ending} সবাই অলস।")
    assert not PACK.find("essentialism", f"কিছু জার্মান{ending} সবাই অলস।")


def test_lists_of_words_are_single_words() -> None:
    assert len(PACK.stopwords) >= 60
    assert len(set(PACK.frequent)) >= 40
    assert [w for w in PACK.frequent if words(w) != [straighten(w)]] == []
