"""Rate-limit headers in the forms servers use, and the pauses that follow from them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.llm.allowances import RESET_CAP_S, Allowance, read_allowances, read_reset
from culturepark.llm.pauses import Pauses

NOW = 1_900_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("20ms", 0.02),
        ("1m30.5s", 90.5),
        ("6m0s", RESET_CAP_S),
        ("1h", RESET_CAP_S),
        ("30", 30.0),
        ("0", 0.0),
        (" 7.25 ", 7.25),
        (f"{NOW + 12:.0f}", 12.0),
        (f"{(NOW + 12) * 1000:.0f}", 12.0),
        (f"{NOW - 12:.0f}", 0.0),
        (datetime.fromtimestamp(NOW + 45, UTC).isoformat(), 45.0),
        (datetime.fromtimestamp(NOW + 45, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), 45.0),
        ("", None),
        ("soon", None),
        ("5 s or so", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("2026-01-01T00:00:00", None),
    ],
)
def test_reset_forms(text: str, seconds: float | None) -> None:
    assert read_reset(text, NOW) == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=30))
def test_any_reset_is_read_or_not_said(text: str) -> None:
    seconds = read_reset(text, NOW)
    assert seconds is None or 0 <= seconds <= RESET_CAP_S


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Content-Type": "x"}, []),
        (
            {
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "X-RateLimit-Remaining-Tokens": "1500",
                "X-RateLimit-Reset-Tokens": "20ms",
                "x-ratelimit-limit-requests": "60",
            },
            [("requests", 59, 1.0), ("tokens", 1500, 0.02)],
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "3",
                "anthropic-ratelimit-requests-reset": datetime.fromtimestamp(NOW + 9, UTC).isoformat(),
                "anthropic-ratelimit-output-tokens-remaining": "8000",
                "anthropic-ratelimit-output-tokens-reset": "2030-03-17T17:46:45Z",
                "Date": format_datetime(datetime.fromtimestamp(NOW, UTC), usegmt=True),
            },
            [("requests", 3, 9.0), ("tokens", 8000, 5.0)],
        ),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "50"}, [("requests", 0, 50.0)]),
        ({"X-RateLimit-Remaining": "2", "X-RateLimit-Reset": "4"}, [("requests", 2, 4.0)]),
        ({"RateLimit": "limit=100, remaining=7, reset=30"}, [("requests", 7, 30.0)]),
        ({"RateLimit": '"burst";r=5;t=2, "day";r=900;t=40'}, [("requests", 5, 2.0), ("requests", 900, 40.0)]),
        ({"RateLimit": '"default";r=50'}, []),
        ({"RateLimit": "nonsense"}, []),
        ({"x-ratelimit-remaining-requests": "5"}, []),
        ({"x-ratelimit-remaining-requests": "many", "x-ratelimit-reset-requests": "1s"}, []),
    ],
)
def test_headers(headers: dict[str, str], found: list[tuple[str, float, float]]) -> None:
    assert [(a.unit, a.left, pytest.approx(a.reset_s)) for a in read_allowances(headers)] == found


# What follows from them


def test_new_calls_wait_when_what_is_left_is_taken_by_calls_under_way() -> None:
    pauses = Pauses()
    assert pauses.note_allowances([Allowance("requests", 4, 30.0)], ticket=1, started=3, now=100.0) == 0.0
    pauses.note_start()
    assert not pauses.is_paused(100.0)  # four left, two went out since, one more now: one is left
    pauses.note_start()
    assert pauses.is_paused(100.0) and pauses.find_end(100.0) == 130.0
    assert not pauses.is_paused(130.0)
    pauses.note_start()
    assert not pauses.is_paused(130.0)


def test_tokens_are_near_zero_when_a_usual_call_does_not_fit() -> None:
    pauses = Pauses()
    for ticket in range(1, 100):
        pauses.note_served(ticket, 2000)
    assert pauses.note_allowances([Allowance("tokens", 2500, 10.0)], 100, 100, 0.0) == 0.0
    assert not pauses.is_paused(0.0)
    assert pauses.note_allowances([Allowance("tokens", 1500, 10.0)], 101, 101, 0.0) == 10.0
    assert pauses.is_paused(9.9) and not pauses.is_paused(10.0)


def test_the_scarcest_allowance_counts_and_a_pause_is_told_once() -> None:
    pauses = Pauses()
    scarce = [Allowance("requests", 50, 5.0), Allowance("tokens", 0, 40.0)]
    assert pauses.note_allowances(scarce, 1, 1, 0.0) == 40.0
    assert pauses.note_allowances(scarce, 2, 2, 1.0) == 0.0
    assert pauses.is_paused(40.9) and not pauses.is_paused(41.0)


def test_an_older_answer_does_not_undo_what_a_newer_one_told() -> None:
    pauses = Pauses()
    pauses.note_allowances([Allowance("requests", 0, 30.0)], 9, 9, 0.0)
    pauses.note_allowances([Allowance("requests", 60, 30.0)], 2, 9, 0.0)
    assert pauses.is_paused(1.0)
    pauses.note_allowances([Allowance("requests", 60, 30.0)], 10, 10, 0.0)
    assert not pauses.is_paused(1.0)
