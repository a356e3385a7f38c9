"""The Korean pack: tell-tale phrases that must be found, and everyday talk that must trip no rule."""

from __future__ import annotations

import pytest

from culturepark.language import load_language, straighten, words
from tests.packs.cases import RULES, count_missed, is_caught, list_false_alarms, read_cases

PACK = load_language("korean")


@pytest.mark.parametrize(("kind", "text"), read_cases("korean", "hits"))
def test_phrases_are_found(kind: str, text: str) -> None:
    assert is_caught(PACK, kind, text)


@pytest.mark.parametrize(("kind", "text"), read_cases("korean", "clean") + read_cases("korean", "more_clean"))
def test_everyday_talk_is_not(kind: str, text: str) -> None:
    assert not is_caught(PACK, kind, text)


@pytest.mark.parametrize("kind", RULES)
def test_of_other_wordings_no_more_than_one_in_twenty_is_missed(kind: str) -> None:
    missed, tried = count_missed("korean", kind)
    assert tried >= 40
    assert missed <= tried / 20


def test_no_clean_text_trips_any_rule() -> None:
    assert list_false_alarms("korean") == []


@pytest.mark.parametrize("particle", ["은", "이란"])
@pytest.mark.parametrize("group", ["독일인", "독일 사람", "한국 여성", "외국인들"])
def test_any_particle_and_spacing_is_seen(group: str, particle: str) -> None:
    assert PACK.find("essentialism", f"{group}{particle} 원래 다 게을러요.")
    assert not PACK.find("essentialism", f"{group}{particle} 원래 다 게으른 건 아니에요.")
    assert not PACK.find("essentialism", f"일부 {group}{particle} 원래 다 게을러요.")


def test_lists_of_words_are_single_words() -> None:
    assert len(PACK.stopwords) >= 60
    assert len(set(PACK.frequent)) >= 40
    assert [w for w in PACK.frequent if words(w) != [straighten(w)]] == []
