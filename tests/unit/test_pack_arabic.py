"""The Arabic pack: tell-tale phrases that must be found, and everyday talk that must trip no rule."""

from __future__ import annotations

import pytest

from culturepark.language import load_language, straighten, words
from tests.packs.cases import RULES, count_missed, is_caught, list_false_alarms, read_cases

PACK = load_language("arabic")


@pytest.mark.parametrize(("kind", "text"), read_cases("arabic", "hits"))
def test_phrases_are_found(kind: str, text: str) -> None:
    assert is_caught(PACK, kind, text)


@pytest.mark.parametrize(("kind", "text"), read_cases("arabic", "clean") + read_cases("arabic", "more_clean"))
def test_everyday_talk_is_not(kind: str, text: str) -> None:
    assert not is_caught(PACK, kind, text)


@pytest.mark.parametrize("kind", RULES)
def test_of_other_wordings_no_more_than_one_in_twenty_is_missed(kind: str) -> None:
    missed, tried = count_missed("arabic", kind)
    assert tried >= 40
    assert missed <= tried / 20


def test_no_clean_text_trips_any_rule() -> None:
    assert list_false_alarms("arabic") == []


@pytest.mark.parametrize("text", ["كُلُّ الأَلْمَانِ بَارِدُونَ.", "كل الالمان باردون.", "كـــل الألمــان باردون."])
def test_vowel_signs_and_spellings_hide_nothing(text: str) -> None:
    assert PACK.find("essentialism", text)


@pytest.mark.parametrize("start", ["", "و", "ف"])
def test_joined_particles_hide_nothing(start: str) -> None:
    assert PACK.find("essentialism", f"{start}كل الألمان باردون.")
    assert PACK.find("refusal", f"{start}لا يمكنني الامتثال لهذا الطلب.")


def test_lists_of_words_are_single_words() -> None:
    assert len(PACK.stopwords) >= 60
    assert len(set(PACK.frequent)) >= 40
    assert [w for w in PACK.frequent if words(w) != [straighten(w)]] == []
