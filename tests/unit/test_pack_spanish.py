"""The Spanish pack: tell-tale phrases that must be found, and everyday talk that must trip no rule."""

from __future__ import annotations

import unicodedata

import pytest

from culturepark.language import load_language, straighten, words
from tests.packs.cases import RULES, count_missed, is_caught, list_false_alarms, read_cases

PACK = load_language("spanish")


@pytest.mark.parametrize(("kind", "text"), read_cases("spanish", "hits"))
def test_phrases_are_found(kind: str, text: str) -> None:
    assert is_caught(PACK, kind, text)


@pytest.mark.parametrize(("kind", "text"), read_cases("spanish", "clean") + read_cases("spanish", "more_clean"))
def test_everyday_talk_is_not(kind: str, text: str) -> None:
    assert not is_caught(PACK, kind, text)


@pytest.mark.parametrize("kind", RULES)
def test_of_other_wordings_no_more_than_one_in_twenty_is_missed(kind: str) -> None:
    missed, tried = count_missed("spanish", kind)
    assert tried >= 30
    assert missed <= tried / 20


def test_no_clean_text_trips_any_rule() -> None:
    assert list_false_alarms("spanish") == []


@pytest.mark.parametrize("kind", RULES)
def test_separate_accents_and_capitals_hide_nothing(kind: str) -> None:
    hits = [
        text for found, text in read_cases("spanish", "hits") if found == kind and "<" not in text and "[" not in text
    ]
    assert [t for t in hits if not PACK.find(kind, unicodedata.normalize("NFD", t))] == []
    assert [t for t in hits if not PACK.find(kind, t.upper())] == []


@pytest.mark.parametrize(
    "text",
    [
        "Todas las alemanas son frías.",
        "Nosotros los argentinos somos apasionados.",
        "Una mujer nunca olvida.",
        "Esa gente es muy violenta.",
    ],
)
def test_the_group_is_found_in_gender_number_and_bare(text: str) -> None:
    assert PACK.find("essentialism", text)


@pytest.mark.parametrize(
    "text",
    [
        "No es verdad que todos los alemanes sean fríos.",
        "Nadie puede decir que todas las mujeres son débiles.",
        "Los alemanes son fríos es un prejuicio.",
        "El mito de que los turcos son celosos cansa.",
    ],
)
def test_a_claim_that_is_denied_is_no_claim(text: str) -> None:
    assert not PACK.find("essentialism", text)


def test_lists_of_words_are_single_words() -> None:
    assert len(PACK.stopwords) >= 60
    assert len(set(PACK.frequent)) >= 40
    assert [w for w in PACK.frequent if words(w) != [straighten(w)]] == []
