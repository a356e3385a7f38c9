"""The size of the window and its pauses follow what a simulated server bears, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import Reply, Request
from culturepark.llm.faults import OverloadError
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.window import WindowClient
from tests.stubs import OK, Held, Outcomes, make_request
from tests.trials import Trial
from tests.virtual import SimServer, run_virtually, tell_time

# The size


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("capacity", [6, 20, 45])
def test_settles_near_the_capacity_of_a_server_that_refuses_more(capacity: int, retry_after: float | None) -> None:
    trial = Trial(SimServer(capacity, refuses=True, retry_after=retry_after), talks=10 * capacity).run()
    assert len(trial.order) == 60 * capacity
    assert 0.85 * capacity <= trial.mean_level(0.2, 0.8) <= capacity
    assert trial.count("429", 0.2, 1.0) <= 0.03 * trial.count("taken", 0.2, 1.0) + 1


def test_without_adapting_the_same_server_refuses_far_more() -> None:
    adaptive = Trial(SimServer(20, refuses=True), talks=200).run()
    fixed = Trial(SimServer(20, refuses=True), talks=200, adapt=False).run()
    assert fixed.count("429", 0.2, 1.0) > 5 * adaptive.count("429", 0.2, 1.0)


def test_reaches_and_keeps_all_slots_of_a_server_that_only_queues() -> None:
    trial = Trial(SimServer(64), talks=400).run()
    fixed = Trial(SimServer(64), talks=400, adapt=False).run()
    assert trial.mean_level(0.05, 0.8) > 63 and not trial.events
    assert trial.took_s <= 1.03 * fixed.took_s


def test_the_start_doubles_and_does_not_wait_for_whole_replies() -> None:
    trial = Trial(SimServer(64, seconds=20.0), talks=80).run()
    reached = {limit: min(t for t, n in trial.server.levels if n >= limit) for limit in (8, 9, 17, 33, 64)}
    assert reached[8] == 0.0 and reached[9] > 0.0
    assert list(reached.values()) == sorted(reached.values()) and reached[64] < 1.0


def test_never_above_the_limit() -> None:
    trial = Trial(SimServer(100), limit=17, talks=60).run()
    assert max(n for _, n in trial.server.levels) == 17


@pytest.mark.parametrize("p_429", [0.02, 0.05])
def test_refusals_at_random_do_not_strangle_the_run(p_429: float) -> None:
    trial = Trial(SimServer(64, seconds=0.05, p_429=p_429), talks=1500).run()
    assert len(trial.order) == 9000
    assert trial.mean_level(0.3, 0.8) > 45


def test_a_token_bucket_is_used_up_with_few_refusals() -> None:
    trial = Trial(SimServer(64, per_s=20, burst=20, retry_after=1.0), talks=400).run()
    assert trial.took_s <= 1.08 * (2400 / 20)
    assert trial.count("429", 0.2, 1.0) <= 0.03 * 2400


def test_capacity_that_shrinks_and_grows_is_followed() -> None:
    server = SimServer(40, refuses=True)

    async def change() -> None:
        await asyncio.sleep(60)
        server.slots = 10
        await asyncio.sleep(120)
        server.slots = 40

    trial = Trial(server, talks=1200)

    async def main() -> None:
        task = asyncio.create_task(change())
        await trial._main()
        await task

    run_virtually(main())

    def level(start: float, end: float) -> float:
        levels = [n for t, n in server.levels if start <= t < end]
        return sum(levels) / len(levels)

    assert 34 <= level(30, 60) <= 40 and 8 <= level(90, 180) <= 10.5 and 34 <= level(240, trial.took_s - 10) <= 40


@pytest.mark.parametrize("error", [CallError("late", "timeout"), OverloadError("busy"), CallError("busy", "rate")])
async def test_overload_and_timeouts_cut_the_window(error: CallError) -> None:
    window = WindowClient(Outcomes([error]), 64)
    with pytest.raises(CallError):
        await window.reply(make_request())
    assert window.snapshot()["limit"] == 1  # half of what was in flight, at least one


@pytest.mark.parametrize("error", [CallError("500", "server"), CallError("reset", "network"), EndpointError("key")])
async def test_other_errors_do_not(error: Exception) -> None:
    window = WindowClient(Outcomes([error]), 64)
    with pytest.raises(type(error)):
        await window.reply(make_request())
    assert window.snapshot()["limit"] == 8


def test_idle_time_does_not_grow_the_window() -> None:
    trial = Trial(SimServer(64), talks=100, open_at_once=3).run()
    assert trial.snapshot["limit"] == 8


async def test_each_model_has_a_limit_of_its_own_below_the_common_one() -> None:
    held = Held()
    window = WindowClient(held, 10)
    requests = [Request(f"d{i}/0", "turn", model, ()) for i in range(9) for model in ("a", "b")]
    calls = [asyncio.create_task(window.reply(request)) for request in requests]
    await asyncio.sleep(0)
    snapshot = window.snapshot()
    assert snapshot["in_flight"] == 10 and snapshot["waiting"] == 8
    assert sorted(entry["model"] for entry in snapshot["servers"]) == ["a", "b"]
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert window.snapshot()["in_flight"] == 0


# Pauses


def test_one_refusal_pauses_all_calls_until_retry_after() -> None:
    server = SimServer(64, seconds=2.0, per_s=1.0, burst=30, retry_after=15.0)
    trial = Trial(server, talks=15).run()
    began = next(t for t, kind, _ in trial.events if kind == "pause")
    # Everything refused went out in the same moment as the first; then nothing for 15 s.
    taken = [t for t, _, _ in server.log if began < t < began + 14.9]
    assert not taken and len(trial.order) == 90
    assert server.counts["429"] <= 64 - 30 + 5 * 20
    assert [details["seconds"] for _, kind, details in trial.events if kind == "pause"][:2] == [15.0, 15.0]


def test_a_pause_holds_every_new_call_of_that_model_only() -> None:
    async def main() -> None:
        class Busy(Outcomes):
            async def reply(self, request: Request) -> Reply:
                log.append((tell_time(), request.model))
                return await super().reply(request)

        log: list[tuple[float, str]] = []
        window = WindowClient(Busy([CallError("busy", "rate", 7.0), OK]), 8, clock=tell_time)
        with pytest.raises(CallError):
            await window.reply(Request("d0/0", "turn", "a", ()))
        assert window.snapshot()["servers"][0]["paused_s"] == 7.0
        await asyncio.gather(
            *(window.reply(Request(f"d{i}/0", "turn", model, ())) for i in (1, 2) for model in ("a", "b"))
        )
        assert log == [(0.0, "a"), (0.0, "b"), (0.0, "b"), (7.0, "a"), (7.0, "a")]

    run_virtually(main())


def test_a_server_that_refuses_single_calls_at_random_is_not_paused_for_ever() -> None:
    trial = Trial(SimServer(64, seconds=0.05, p_429=0.05, retry_after=1.0), talks=1000).run()
    pauses = [t for t, kind, _ in trial.events if kind == "pause"]
    assert 2 <= len(pauses) <= 12 < trial.server.counts["429"]


def test_calls_that_wait_out_a_pause_end_soon_when_the_run_drains() -> None:
    async def main() -> None:
        inner = Outcomes([CallError("busy", "rate", 100.0), OK])
        gate = Gate(inner)
        window = WindowClient(gate, 8, is_closed=lambda: gate.closed, clock=tell_time)
        with pytest.raises(CallError):
            await window.reply(make_request())
        waiting = [asyncio.create_task(window.reply(make_request(i))) for i in range(20)]
        await asyncio.sleep(1)
        assert window.waiting == 20
        gate.shut()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, Draining) for outcome in outcomes)
        assert tell_time() < 1.5 and inner.calls == 1
        assert (window.in_flight, window.waiting) == (0, 0)

    run_virtually(main())


def test_a_rate_limit_used_up_by_the_headers_is_waited_for() -> None:
    async def main() -> None:
        class Telling(Outcomes):
            async def reply(self, request: Request) -> Reply:
                asked.append(tell_time())
                left = max(0, 5 - len(asked))
                headers = {"x-ratelimit-remaining-requests": f"{left}", "x-ratelimit-reset-requests": "1m0s"}
                await asyncio.sleep(0.5)
                window.note_headers(request, headers if len(asked) <= 5 else {})
                return OK

        asked: list[float] = []
        events: list[tuple[str, Mapping[str, Any]]] = []
        window = WindowClient(
            Telling([]), 2, clock=tell_time, on_event=lambda kind, _, model, details: events.append((kind, details))
        )
        await asyncio.gather(*(window.reply(make_request(i)) for i in range(7)))
        assert len(asked) == 7 and asked[4] < 3.0 and 60.0 <= asked[5] < 63.0
        assert [kind for kind, _ in events] == ["pause"] and "rate limit" in events[0][1]["reason"]

    run_virtually(main())
