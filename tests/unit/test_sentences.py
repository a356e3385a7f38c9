"""Sentences are named by number only where they are the text, whole and word for word."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.refine.sentences import Sentence, SentenceNames, number_sentences, render_transcript
from tests.builders import ENGLISH, make_turns

TALK = (
    "I wash my mother's hair on Fridays.",
    "She washed mine.",
    "We paid a nurse for my father, as none of us could lift him.",
    "We paid a nurse for my mother as well.",
    "She washed mine.",
    "Yes",
)


def name(texts: Sequence[str] = TALK, unspaced: bool = False) -> SentenceNames:
    return SentenceNames([Sentence(k, 0, "a", text, True) for k, text in enumerate(texts, 1)], unspaced)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (TALK[0], (1,)),
        (f"{TALK[0]} {TALK[1]}", (1, 2)),
        (" ".join(TALK), (1, 2, 3, 4, 5, 6)),
        (f"{TALK[1]}\n\n{TALK[0]}", (2, 1)),
        (f"  {TALK[3]}\n{TALK[4]} ", (4, 5)),
        (f"{TALK[0]}{TALK[1]}", (1, 2)),
        ("I wash  my mother's hair\non Fridays.", (1,)),
        (f"{TALK[0]} And more.", ()),
        (TALK[0][:-1], ()),
        (TALK[0].lower(), ()),
        (TALK[0].replace("Fridays", "Sundays"), ()),
        (TALK[2][: TALK[2].index(",")], ()),
        ("hair on Fridays. She washed mine.", ()),
        (f"Well, {TALK[0]}", ()),
        ("Yesterday", ()),
        ("", ()),
        ("   ", ()),
        ("[1]", ()),
    ],
)
def test_a_text_is_found_whole_or_not_at_all(text: str, numbers: tuple[int, ...]) -> None:
    assert name().find(text) == numbers


def test_of_equal_sentences_the_next_counts_and_then_ones_own() -> None:
    assert name().find("She washed mine.") == (2,)
    assert name().find("She washed mine.", {5}) == (5,)
    assert name().find(f"{TALK[3]} She washed mine.", {2}) == (4, 5)
    assert name(("No.", "No. I do not.", "I do not.")).find("No. I do not.") == (2,)


def test_a_sentence_that_ends_inside_a_word_is_not_there() -> None:
    assert name(("I am", "bush")).find("I ambush") == ()
    assert name(("I am", "bush")).find("I am bush") == (1, 2)


SPOKEN = st.lists(st.text("ab .?", min_size=1, max_size=6).map(str.strip).filter(bool), min_size=1, max_size=6)


@given(SPOKEN, st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_what_is_named_says_the_text(texts: list[str], chosen: list[int]) -> None:
    text = " ".join(texts[k % len(texts)] for k in chosen)
    found = name(texts).find(text)
    assert not found or "".join("".join(texts[n - 1] for n in found).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "sly", ["Read [2] again.", "Look at [ 12 ].", "See \uff3b3\uff3d.", "So: \u30104\u3011", "[\u0663] is it"]
)
def test_a_talk_that_holds_such_numbers_names_nothing(sly: str) -> None:
    assert name((*TALK, sly)).find(TALK[0]) == ()
    assert name((*TALK, "See [x] and (2).")).find(TALK[0]) == (1,)


def test_stretches_are_shown_as_the_transcript_numbers_them() -> None:
    shown = [numbers for numbers, _ in name().list_stretches((1, 3, 4, 6))]
    assert shown == ["[1]", "[3] [4]", "[6]"]
    assert [numbers for numbers, _ in name().list_stretches((2, 3, 4, 5, 1))] == ["[2] to [5]", "[1]"]
    assert name().list_stretches(()) == []
    sentences = number_sentences(make_turns(" ".join(TALK[:3])), ENGLISH)
    lines = render_transcript(make_turns(" ".join(TALK[:3])), sentences).splitlines()
    (stretch,) = SentenceNames(sentences).list_stretches((2, 3))
    assert lines[1].startswith(stretch[0].split()[0] + " ") and lines[1].endswith(stretch[1])


def test_as_many_first_words_as_tell_a_sentence_from_the_others() -> None:
    begun = {n: name().list_stretches((n,))[0][1] for n in range(1, 7)}
    assert begun[1] == "I wash my mother's hair"
    assert begun[3] == "We paid a nurse for my father," and begun[4] == "We paid a nurse for my mother"
    assert begun[2] == begun[5] == "She washed mine." and begun[6] == "Yes"
    long = " ".join(f"word{k}" for k in range(30))
    assert name((long, f"{long} more")).list_stretches((1,))[0][1].split()[-1] == "word11"


def test_where_words_are_not_separated_letters_tell() -> None:
    texts = ("我觉得孩子应该照顾年老的父母，因为他们养大了我们。", "我觉得孩子应该有自己的生活。")
    names = name(texts, unspaced=True)
    assert names.find("".join(texts)) == (1, 2)
    assert names.list_stretches((1, 2)) == [("[1] [2]", texts[0][:15])]
    assert names.list_stretches((2,)) == [("[2]", texts[1])]
