"""Looking for many literals at once, and the fast ways for plain ASCII text: same results as the plain way."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.language import load_language, words
from culturepark.language.literals import Literals
from culturepark.language.phrases import Phrases
from culturepark.refine.stages.form import _BROKEN, find_bad_unicode
from culturepark.refine.stages.people import _ASCII_GAPS, _WORD

LETTERS = "abc é한🙂\ud800"


@settings(max_examples=500, deadline=None)
@given(st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=8), st.text(LETTERS, max_size=20))
def test_what_is_found_is_what_stands_in_the_text(literals: list[str], text: str) -> None:
    book = Literals()
    assert book.add(literals) == frozenset(literals)
    assert book.find(text) == {literal for literal in literals if literal in text}


def test_literals_may_be_added_after_a_text_was_looked_at() -> None:
    book = Literals()
    assert book.find("one two") == frozenset()
    book.add(["one"])
    assert book.find("one two") == {"one"}
    book.add(["two"])
    assert book.find("one two") == {"one", "two"}


def test_phrases_that_share_their_literals_keep_apart() -> None:
    book = Literals()
    first, second = Phrases(["good (?:day|night)", "x?"], book), Phrases(["day", "night"], book)
    assert first.find("a good day") == ""  # the pattern without literals matches the empty text first
    assert [m.group() for m in Phrases(["good (?:day|night)"], book).scan("Good night, day")] == ["Good night"]
    assert [m.group() for m in second.scan("Good night, day")] == ["night", "day"]


@settings(max_examples=2000, deadline=None)
@given(st.text("ab'Z9_- .\n\t\x00\x0b\x1c\x1f", max_size=14))
def test_words_of_plain_text_are_those_of_the_pattern(text: str) -> None:
    assert words(text) == re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower())


def test_every_ascii_character_is_judged_by_the_pattern_of_broken_ones() -> None:
    english = load_language("english")
    for c in map(chr, range(128)):
        assert bool(find_bad_unicode(f"a{c}b", english)) == bool(_BROKEN.search(c)), repr(c)


@settings(max_examples=500, deadline=None)
@given(st.text("aB9_'-. \n", max_size=14))
def test_words_in_which_names_are_looked_for_are_those_of_the_pattern(text: str) -> None:
    assert text.translate(_ASCII_GAPS).split() == _WORD.findall(text)
