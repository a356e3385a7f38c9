"""Language packs: spelling that must not matter, empty kinds, claims taken back before and after, tags, scripts."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from culturepark.language import LanguagePack, find_language, list_languages, load_language, straighten, words
from culturepark.language.packs import _KINDS
from culturepark.language.scripts import SCRIPTS


def make_pack(**changed: Any) -> LanguagePack:
    """A pack without any phrases, save those given."""
    empty = dict.fromkeys((*_KINDS, "stopwords", "frequent"), ())
    return LanguagePack(
        **{"id": "test", "tag": "xx", "script": "Latin", "group_many": "cats", "group_one": "cat", **empty, **changed}
    )


def test_an_empty_kind_matches_nothing() -> None:
    pack = make_pack()
    for kind in _KINDS:
        assert pack.find(kind, "I say no, all cats are grey.") == ""
        assert not pack.opens_with(kind, "I say no.")
    assert pack.content_words("cats purr") == ["cats", "purr"]


def test_a_claim_is_taken_back_before_or_after_it_in_its_clause() -> None:
    pack = make_pack(
        essentialism=("all <many> are \\w+",), denial=("not",), denial_after=("is untrue",), clause_breaks=(r"\bbut\b",)
    )
    assert pack.find("essentialism", "All cats are grey.") == "All cats are grey"
    assert not pack.find("essentialism", "Not all cats are grey.")
    assert not pack.find("essentialism", "That all cats are grey is untrue.")
    assert pack.find("essentialism", "I do not lie but all cats are grey.")
    assert pack.find("essentialism", "All cats are grey but that is untrue.")
    assert pack.find("essentialism", "Not all cats are grey, all cats are black.") == "all cats are black"
    for mark in ".,;:!?\n\u2026\u060c\u061b\u061f\u3002\uff0c\uff1b\uff1f\uff01\u0964":
        assert pack.find("essentialism", f"I do not lie{mark} all cats are grey"), mark
        assert pack.find("essentialism", f"all cats are grey{mark} that is untrue"), mark
    assert not pack.find("essentialism", "我不说、not all cats are grey")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("أنا آلي", "انا الي هنا"),
        ("انا الى", "أَنَا إِلَى"),
        ("علي راي", "على رأي"),
        ("كبير", "كبـــــير"),
        ("can't", "I can\u2019t"),
        ("caf\u00e9", "cafe\u0301"),
        ("cafe\u0301", "caf\u00e9"),
        ("language model", "a lang\u200buage\u00a0mo\u00addel"),
        ("\u09a1\u09bc", "\u09dc"),
        ("\u09dc", "\u09a1\u09bc"),
    ],
)
def test_spelling_does_not_hide_a_phrase(pattern: str, text: str) -> None:
    assert make_pack(refusal=(pattern,)).find("refusal", text)


@given(st.text() | st.text("aeIİ\u0301\u0307\u200b\u0627\u0653\u0654\u0649\u0640\u09a1\u09bc", max_size=8))
def test_straightening_twice_changes_nothing_more(text: str) -> None:
    assert straighten(straighten(text)) == straighten(text)
    if text.isascii():
        assert straighten(text) == text


def test_vowel_signs_are_letters_of_a_word() -> None:
    pack = make_pack(
        script="Bengali", machine=(r"\bআমি\b",), refusal=(r"^\w+$",), farewell=(r"আমি\W+না",), gesture=(r"^[\w ]+$",)
    )
    assert pack.find("machine", "তবে আমি যাব।")
    assert not pack.find("machine", "আমিই যাব।")
    assert not pack.find("machine", "স্বআমি")
    assert pack.find("refusal", "বাংলাদেশি")
    assert pack.find("farewell", "আমি, না")
    assert pack.find("gesture", "আমি যাব না")
    assert words("আমি র‍্যাব, বাংলাদেশে থাকি। हिन्दी में") == ["আমি", "র্যাব", "বাংলাদেশে", "থাকি", "हिन्दी", "में"]


def test_words_of_scripts_without_spaces_are_characters() -> None:
    assert words("我用WhatsApp，2024年。") == ["我", "用", "whatsapp", "2024", "年"]
    assert words("ひらがな カタカナー") == [*"ひらがな", *"カタカナー"]
    assert words("ไทยที่") == ["ไ", "ท", "ย", "ที่"]
    assert words("한국 사람의") == ["한국", "사람의"]
    assert words("أُحِبُّ القهوة") == ["احب", "القهوة"]


def test_content_words_are_as_long_as_their_script_needs() -> None:
    assert make_pack(script="Hangul", stopwords=("정말",)).content_words("정말 가족 집") == ["가족"]
    assert make_pack(script="Han", stopwords=("的", "我们")).content_words("我的家") == ["家"]
    assert make_pack(script="Arabic").content_words("عمل في") == ["عمل"]
    assert make_pack().content_words("own home") == ["home"]


def test_an_opening_in_quotes_or_upside_down_marks_is_an_opening() -> None:
    pack = make_pack(agreement_openings=("sí", "对"))
    assert all(pack.opens_with("agreement_openings", t) for t in ("¡Sí, claro!", "«Sí»", "「对」", "„Sí"))
    assert not pack.opens_with("agreement_openings", "Claro que sí")


@pytest.mark.parametrize("tag", ["en", "en-GB", "EN_us", "en-Latn-ZA"])
def test_a_language_is_found_by_its_tag(tag: str) -> None:
    assert find_language(tag) is load_language("english")


@pytest.mark.parametrize("tag", ["", "x", "tlh", "english", "e", "../en", "eng"])
def test_an_unknown_tag_finds_nothing(tag: str) -> None:
    assert find_language(tag) is None


def test_each_pack_is_found_by_its_own_tag_and_named_as_its_file() -> None:
    assert "english" in list_languages()
    for name in list_languages():
        pack = load_language(name)
        assert pack.id == name
        assert find_language(pack.tag) is pack
        assert pack.unspaced == (pack.script == "Han")
        assert pack.essentialism and pack.refusal and pack.machine and pack.role_leak and pack.titles


@pytest.mark.parametrize("changed", [{"script": "Klingon"}, {"scripts_allowed": ("latin",)}, {"surprise": ("x",)}])
def test_an_unknown_script_or_key_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_pack(**changed)


def test_no_letter_belongs_to_two_scripts() -> None:
    every = [chr(c) for c in [*range(0x250), *range(0x370, 0xD800), *range(0xF900, 0xFFF0), 0x20000]]
    homes = {name: set(re.findall(f"[{script.letters}]", "".join(every))) for name, script in SCRIPTS.items()}
    assert [(a, b) for a, b in combinations(homes, 2) if homes[a] & homes[b]] == []
    assert {c for c in every[:0x250] if c.isalpha()} - homes["Latin"] == {"\u00b5"}


@pytest.mark.parametrize("text", ["President Lee", "the prime minister", "Dr. Kim", "Her Majesty"])
def test_titles_are_found(text: str) -> None:
    assert load_language("english").find("titles", text)
    assert not load_language("english").find("titles", "My drum and the presiding goat")
