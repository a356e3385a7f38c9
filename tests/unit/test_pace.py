"""The rules of pace and pauses one by one; how they work together is in test_window."""

from __future__ import annotations

import asyncio

from culturepark.llm.allowances import Allowance
from culturepark.llm.base import Reply, Request
from culturepark.llm.pace import Pace
from culturepark.llm.pauses import Pauses
from culturepark.llm.window import WindowClient
from tests.stubs import OK, Held, Outcomes, make_request
from tests.virtual import rank_by_number


def start(pace: Pace, number: int) -> list[int]:
    return [pace.start() for _ in range(number)]


def test_one_cut_a_round_trip_and_no_growth_by_calls_from_before_it() -> None:
    pace = Pace(64)
    tickets = start(pace, 8)
    pace.ramp()
    tickets += start(pace, 8)
    assert pace.note_trouble(tickets[0]) and pace.limit == 8
    assert not pace.note_trouble(tickets[1]) and pace.limit == 8
    for ticket in tickets:
        pace.note_success(ticket)
    assert pace.limit == 8
    pace.note_success(pace.start())
    assert pace.limit == 9


def test_trouble_soon_after_the_start_cuts_again() -> None:
    """The start may run far past what the server bears: that one cut was made says nothing about lower levels."""
    pace = Pace(64)
    start(pace, 8)
    for limit in (16, 32):
        pace.ramp()
        assert pace.limit == limit
        start(pace, limit // 2)
    assert pace.note_trouble(pace.started) and pace.limit == 16
    while pace.in_flight >= pace.limit:
        pace.finish()
    pace.start()
    assert pace.note_trouble(pace.started) and pace.limit == 12


def test_a_fixed_pace_stays() -> None:
    pace = Pace(20, adapt=False)
    start(pace, 20)
    assert not pace.note_trouble(5) and pace.limit == 20
    pace.note_success(6)
    pace.ramp()
    assert pace.limit == 20
    pace.set_ceiling(5)
    assert pace.limit == 5


def contradict(pauses: Pauses, now: float, served: int = 8, refused: int = 0) -> float:
    """Ten calls go out, the first is refused; so many of the later ones are served, or refused as well."""
    paused = pauses.note_refused(1, 10, 2.0, now)
    for ticket in range(2, 2 + served):
        pauses.note_served(ticket, 100)
    for ticket in range(2 + served, 2 + served + refused):
        pauses.note_refused(ticket, 10, 2.0, now)
    return paused


def test_two_pauses_are_kept_before_a_server_counts_as_refusing_single_calls() -> None:
    pauses = Pauses()
    assert [contradict(pauses, now) for now in (0.0, 10.0, 20.0, 30.0)] == [2.0, 2.0, 2.0, 0.0]
    assert not pauses.is_paused(30.0)


def test_refusals_in_a_row_concern_all_calls_again() -> None:
    pauses = Pauses()
    for now in (0.0, 10.0, 20.0, 30.0):
        contradict(pauses, now)
    assert [pauses.note_refused(50 + i, 60, 2.0, 40.0) for i in range(4)] == [0.0, 0.0, 0.0, 2.0]
    assert pauses.is_paused(41.9) and not pauses.is_paused(42.0)
    pauses.note_served(70, 100)
    assert pauses.note_refused(71, 80, 2.0, 50.0) == 2.0


def test_a_limit_that_serves_some_and_refuses_the_rest_is_no_random_refusal() -> None:
    pauses = Pauses()
    assert [contradict(pauses, now, served=4, refused=2) for now in (0.0, 10.0, 20.0, 30.0, 40.0)] == [2.0] * 5


def test_the_scarcest_allowance_counts_in_any_order() -> None:
    scarce, ample = Allowance("requests", 0, 40.0), Allowance("requests", 50, 5.0)
    for told in ([scarce, ample], [ample, scarce]):
        pauses = Pauses()
        assert pauses.note_allowances(told, 1, 1, 0.0) == 40.0


async def test_a_new_call_does_not_overtake_at_the_end_of_a_pause() -> None:
    now = 100.0
    held = Held()

    class Telling(Held):
        async def reply(self, request: Request) -> Reply:
            if request.key == "d0/0":
                window.note_headers(request, {"RateLimit": "limit=9, remaining=0, reset=60"})
                return OK
            return await held.reply(request)

    window = WindowClient(Telling(), 1, rank_of=rank_by_number, clock=lambda: now)
    await window.reply(make_request(0))
    old = asyncio.create_task(window.reply(make_request(1)))
    await asyncio.sleep(0)
    assert window.waiting == 1
    now = 160.0  # the pause is over, though the timer did not notice yet
    new = asyncio.create_task(window.reply(make_request(2)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held.order == ["d1/0"]
    for call in (old, new):
        call.cancel()
    await asyncio.gather(old, new, return_exceptions=True)
    await window.close()


async def test_under_a_common_limit_the_oldest_talk_of_any_model_is_first() -> None:
    held = Held()
    window = WindowClient(held, 1, rank_of=rank_by_number)
    wanted = [(0, "a"), (5, "a"), (4, "a"), (1, "b"), (6, "b")]
    calls = [asyncio.create_task(window.reply(Request(f"d{n}/0", "turn", model, ()))) for n, model in wanted]
    await asyncio.sleep(0)
    for number in (0, 1, 4, 5, 6):
        held.doors.setdefault(f"d{number}/0", asyncio.Event()).set()
    await asyncio.gather(*calls)
    assert held.order == ["d0/0", "d1/0", "d4/0", "d5/0", "d6/0"]


async def test_cancelled_calls_are_neither_counted_as_waiting_nor_kept() -> None:
    held = Held()
    window = WindowClient(held, 1)
    calls = [asyncio.create_task(window.reply(make_request(i))) for i in range(4)]
    await asyncio.sleep(0)
    calls[2].cancel()
    await asyncio.sleep(0)
    assert window.waiting == window.snapshot()["servers"][0]["waiting"] == 2
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert not window._asking


async def test_answered_calls_are_not_kept() -> None:
    window = WindowClient(Outcomes([OK]), 4)
    for number in range(5):
        await window.reply(make_request(number))
    assert not window._asking
