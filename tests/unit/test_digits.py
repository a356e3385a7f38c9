"""Probabilities of digits: where they stand, what they sum up to, and which replies are not trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.llm.digits import expect_grade, read_digits

Token = dict[str, Any]


def token(text: str, *top: tuple[str, float], p: float = 1.0, **more: Any) -> Token:
    """A token with its own probability and those of its alternatives, in the form servers give them."""
    alternatives = [{"token": t, "logprob": _log(q), "bytes": list(t.encode())} for t, q in top]
    return {"token": text, "logprob": _log(p), "bytes": list(text.encode()), "top_logprobs": alternatives, **more}


def _log(p: float) -> float:
    return math.log(p) if p else -math.inf


def choice(tokens: Sequence[Any]) -> dict[str, Any]:
    return {"logprobs": {"content": list(tokens)}}


def row(**shares: float) -> tuple[float, ...]:
    """Ten probabilities, from ``d4=0.5`` and the like."""
    return tuple(shares.get(f"d{k}", 0.0) for k in range(10))


# --- Where the digits stand ------------------------------------------------------------------------------


def test_each_digit_token_is_placed_and_spread() -> None:
    tokens = [token('{"q": '), token("4", ("4", 0.6), ("5", 0.3), ("x", 0.1)), token(', "c": '), token("2", ("2", 1.0)), token("}")]  # fmt: skip
    text = '{"q": 4, "c": 2}'
    found = read_digits(choice(tokens), text)
    assert found == ((6, row(d4=0.6, d5=0.3)), (14, row(d2=1.0)))
    assert [text[place] for place, _ in found] == ["4", "2"]


def test_spaces_around_a_digit_are_no_part_of_it() -> None:
    tokens = [token('{"q":'), token(" 4", (" 4", 0.5), ("4", 0.25), (" 3", 0.25)), token("\n}")]
    assert read_digits(choice(tokens), '{"q": 4\n}') == ((6, row(d3=0.25, d4=0.75)),)


@pytest.mark.parametrize("text", ["12", "4}", "1.5", "-3", "four", "", " ", "\u0664", "\uff14", "\u00b2"])
def test_tokens_that_are_more_or_less_than_one_digit_tell_nothing(text: str) -> None:
    assert read_digits(choice([token("["), token(text, (text, 1.0)), token("]")]), f"[{text}]") == ()


def test_alternatives_that_are_more_than_a_digit_do_not_count() -> None:
    tokens = [token("4", ("4", 0.5), ("45", 0.2), ("4.", 0.1), ("\u0664", 0.1), ("", 0.1))]
    assert read_digits(choice(tokens), "4") == ((0, row(d4=0.5)),)


def test_places_are_characters_and_not_bytes() -> None:
    tokens = [token("أب"), token("é한"), token("4", ("4", 1.0))]
    assert read_digits(choice(tokens), "أبé한4") == ((4, row(d4=1.0)),)


def test_a_character_that_is_split_over_tokens_is_put_together_from_bytes() -> None:
    raw = "한".encode()
    split = [
        {"token": "\ufffd", "logprob": 0.0, "bytes": list(raw[:2]), "top_logprobs": []},
        {"token": "\ufffd", "logprob": 0.0, "bytes": list(raw[2:]), "top_logprobs": []},
        token("4", ("4", 1.0)),
    ]
    assert read_digits(choice(split), "한4") == ((1, row(d4=1.0)),)


@pytest.mark.parametrize("given_bytes", [None, "no", [300], [-1], [True], [1.0]])
def test_without_good_bytes_the_word_of_the_token_counts(given_bytes: Any) -> None:
    tokens = [token("a", bytes=given_bytes), token("4", ("4", 1.0), bytes=given_bytes)]
    assert read_digits(choice(tokens), "a4") == ((1, row(d4=1.0)),)


# --- What stands before the text ---------------------------------------------------------------------------


def test_thoughts_before_the_text_are_passed_over() -> None:
    thoughts = [token("<think>"), token("3", ("3", 1.0)), token("</think>")]
    tokens = [*thoughts, token("é"), token("4", ("4", 1.0))]
    assert read_digits(choice(tokens), "é4") == ((1, row(d4=1.0)),)


@pytest.mark.parametrize("text", ["4 ", "5", "x4", "4\n", "{4"])
def test_tokens_that_do_not_spell_the_text_are_not_trusted(text: str) -> None:
    assert read_digits(choice([token("4", ("4", 1.0))]), text) == ()


def test_tokens_after_the_text_make_it_doubtful() -> None:
    assert read_digits(choice([token("4", ("4", 1.0)), token("5", ("5", 1.0))]), "4") == ()


def test_an_empty_text_has_no_digits() -> None:
    assert read_digits(choice([token("4", ("4", 1.0))]), "") == ()


# --- What servers leave out or garble -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_choice",
    [
        {},
        {"logprobs": None},
        {"logprobs": []},
        {"logprobs": {}},
        {"logprobs": {"content": None}},
        {"logprobs": {"content": "4"}},
        {"logprobs": {"content": []}},
        {"logprobs": {"content": [None]}},
        {"logprobs": {"content": ["4"]}},
        {"logprobs": {"content": [{"logprob": 0.0}]}},
        {"logprobs": {"content": [{"token": 4, "logprob": 0.0}]}},
    ],
)
def test_what_is_not_there_gives_nothing(given_choice: dict[str, Any]) -> None:
    assert read_digits(given_choice, "4") == ()


@pytest.mark.parametrize(
    "top", [None, [], 7, "x", [None], [{"token": "4"}], [{"token": "4", "logprob": None}], [{"logprob": -1}]]
)
def test_without_alternatives_the_token_itself_counts(top: Any) -> None:
    tokens = [token("4", p=0.5, top_logprobs=top)]
    assert read_digits(choice(tokens), "4") == ((0, row(d4=0.5)),)


def test_the_token_counts_beside_alternatives_that_leave_it_out() -> None:
    tokens = [token("4", ("5", 0.25), ("6", 0.125), p=0.5)]
    assert read_digits(choice(tokens), "4") == ((0, row(d4=0.5, d5=0.25, d6=0.125)),)


def test_probabilities_stay_between_0_and_1() -> None:
    off = [
        {"token": t, "logprob": value} for t, value in (("4", 3.0), (" 4", 1000.0), ("5", -math.inf), ("6", math.nan))
    ]
    tokens = [token("4", top_logprobs=off)]
    assert read_digits(choice(tokens), "4") == ((0, row(d4=1.0)),)


def test_a_lone_surrogate_is_no_accident() -> None:
    tokens = [{"token": "\ud800", "logprob": 0.0}, token("4", ("4", 1.0))]
    assert read_digits(choice(tokens), "\ud8004")[0][1] == row(d4=1.0)


@given(st.lists(st.text(alphabet='0123456789 {}":,abé한', min_size=1, max_size=3), max_size=12))
def test_every_place_holds_its_digit(parts: list[str]) -> None:
    text = "".join(parts)
    found = read_digits(choice([token(part, (part, 0.5), p=0.5) for part in parts]), text)
    singles = [part.strip() for part in parts if part.strip() in list("0123456789")]
    assert [text[place] for place, _ in found] == singles
    assert all(shares[int(text[place])] == 0.5 and sum(shares) == 0.5 for place, shares in found)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=3), lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["token", "logprob", "bytes", "top_logprobs", "content"]), x, max_size=4), max_leaves=12))  # fmt: skip
def test_nothing_a_server_sends_ends_in_an_error(content: Any) -> None:
    read_digits({"logprobs": content}, "4")
    for place, shares in read_digits({"logprobs": {"content": content}}, "4"):
        assert place == 0 and len(shares) == 10 and all(0 <= p <= 1 for p in shares)


# --- Expected grades -----------------------------------------------------------------------------------------


def test_the_expected_grade_is_the_mean_over_the_grades_asked_for() -> None:
    assert expect_grade(row(d4=0.5, d5=0.5), 1, 6) == pytest.approx(4.5)
    assert expect_grade(row(d1=0.2, d6=0.6), 1, 6) == pytest.approx((0.2 + 3.6) / 0.8)
    assert expect_grade(row(d3=0.001), 1, 6) == pytest.approx(3.0)


def test_digits_off_the_scale_do_not_count() -> None:
    assert expect_grade(row(d0=0.4, d1=0.1, d9=0.5), 1, 6) == pytest.approx(1.0)
    assert expect_grade(row(d0=0.4, d7=0.6), 1, 6) is None
    assert expect_grade(row(), 1, 5) is None
    assert expect_grade(row(d1=0.5, d5=0.5), 1, 5) == pytest.approx(3.0)  # both ends belong to it


@given(st.lists(st.floats(0, 1), min_size=10, max_size=10))
def test_the_expected_grade_lies_on_the_scale(shares: list[float]) -> None:
    value = expect_grade(tuple(shares), 1, 6)
    assert (value is None) == (sum(shares[1:7]) == 0)
    assert value is None or 1 - 1e-9 <= value <= 6 + 1e-9


def test_figures_can_be_stored() -> None:
    found = read_digits(choice([token("4", ("4", 1 / 3), ("5", 2 / 3))]), "4")
    assert json.loads(json.dumps(found)) == [[0, list(row(d4=0.333333, d5=0.666667))]]
