"""The window: permits in order, never lost; figures and events."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from culturepark.errors import CallError
from culturepark.llm.base import Request
from culturepark.llm.window import WindowClient
from tests.stubs import Held, Outcomes, make_request
from tests.trials import Trial
from tests.virtual import SimServer, number_of, rank_by_number, run_virtually, tell_time

# The order


def test_calls_of_old_talks_overtake() -> None:
    trial = Trial(SimServer(4), limit=4, talks=60, open_at_once=60).run()
    ends = [max(i for i, key in enumerate(trial.order) if number_of(key) == talk) for talk in range(60)]
    # Talks end in nearly the order of the plan: the first when a small part of all is done.
    assert ends[0] < 40 and all(abs(end / 6 - talk) < 12 for talk, end in enumerate(ends))


async def test_smaller_ranks_first_then_first_come_first_served() -> None:
    held = Held()
    ranks = {"d0/0": 9, "d1/0": 5, "d2/0": 5, "d3/0": 1, "d4/0": 7}
    window = WindowClient(held, 1, rank_of=lambda request: ranks[request.key])
    calls = [asyncio.create_task(window.reply(make_request(i))) for i in range(5)]
    for number in (0, 3, 1, 2, 4):
        await asyncio.sleep(0)
        held.doors.setdefault(f"d{number}/0", asyncio.Event()).set()
    await asyncio.gather(*calls)
    assert held.order == ["d0/0", "d3/0", "d1/0", "d2/0", "d4/0"]


async def test_window_is_first_come_first_served() -> None:
    held = Held()
    window = WindowClient(held, 2)
    calls = [asyncio.create_task(window.reply(make_request(i))) for i in range(6)]
    await asyncio.sleep(0)
    assert held.order == ["d0/0", "d1/0"] and (window.in_flight, window.waiting) == (2, 4)
    held.doors["d1/0"].set()
    await calls[1]
    await asyncio.sleep(0)
    assert held.order == ["d0/0", "d1/0", "d2/0"]
    for number in (0, 2, 3, 4, 5):
        held.doors.setdefault(f"d{number}/0", asyncio.Event()).set()
    await asyncio.gather(*calls)
    assert held.order == [f"d{i}/0" for i in range(6)] and window.in_flight == 0


# Permits


@pytest.mark.parametrize("adapt", [True, False])
async def test_window_can_grow_and_shrink(adapt: bool) -> None:
    held = Held()
    window = WindowClient(held, 1, adapt=adapt)
    calls = [asyncio.create_task(window.reply(make_request(i))) for i in range(5)]
    await asyncio.sleep(0)
    window.resize(3)
    await asyncio.sleep(0)
    assert len(held.order) == 3
    window.resize(0)
    assert window.limit == 1
    held.doors["d0/0"].set()
    await calls[0]
    await asyncio.sleep(0)
    assert len(held.order) == 3  # two are still in flight, above the new limit
    for number in range(5):
        held.doors.setdefault(f"d{number}/0", asyncio.Event()).set()
    await asyncio.gather(*calls)


async def test_a_cancelled_waiter_gives_its_turn_on() -> None:
    held = Held()
    window = WindowClient(held, 1)
    first, second, third = (asyncio.create_task(window.reply(make_request(i))) for i in range(3))
    await asyncio.sleep(0)
    held.doors["d0/0"].set()
    while not first.done():
        await asyncio.sleep(0)
        if window.in_flight and window.waiting == 1:
            second.cancel()  # in the moment it was given the slot
    await asyncio.gather(second, return_exceptions=True)
    await asyncio.sleep(0)
    assert second.cancelled() and held.order[-1] == "d2/0"
    held.doors["d2/0"].set()
    await third
    assert (window.in_flight, window.waiting) == (0, 0)


async def test_cancelled_and_failing_calls_free_their_slot() -> None:
    held = Held()
    window = WindowClient(held, 1)
    flying = asyncio.create_task(window.reply(make_request(0)))
    queued = asyncio.create_task(window.reply(make_request(1)))
    await asyncio.sleep(0)
    queued.cancel()
    flying.cancel()
    await asyncio.gather(flying, queued, return_exceptions=True)
    assert (window.in_flight, window.waiting) == (0, 0)
    failing = WindowClient(Outcomes([CallError("no", "server")]), 1)
    with pytest.raises(CallError):
        await failing.reply(make_request())
    assert failing.in_flight == 0


def test_no_permit_is_lost_whatever_is_cancelled() -> None:
    import random

    async def main(seed: int) -> None:
        rng = random.Random(seed)
        server = SimServer(8, seconds=1.0, refuses=seed % 2 == 0, p_429=0.1, retry_after=0.5, seed=seed)
        window = WindowClient(server, 12, rank_of=rank_by_number, clock=tell_time)
        tasks = []
        for number in range(300):
            tasks.append(asyncio.create_task(window.reply(Request(f"d{number}/0", "turn", "m", ()))))
            if rng.random() < 0.5:
                await asyncio.sleep(rng.choice((0.0, 0.002, 0.2)))
            if rng.random() < 0.4:
                rng.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (window.in_flight, window.waiting) == (0, 0)
        assert max(n for _, n in server.levels) <= 12
        await asyncio.wait_for(_insist(window), 60)

    for seed in range(20):
        run_virtually(main(seed))


async def _insist(window: WindowClient) -> None:
    while True:
        try:
            await window.reply(Request("d0/9", "turn", "m", ()))
            return
        except CallError:
            await asyncio.sleep(0.1)


# Figures and events


def test_snapshot_tells_calls_errors_and_latency() -> None:
    trial = Trial(SimServer(64, spread=0.0, p_500=0.1), talks=50).run()
    (entry,) = trial.snapshot.pop("servers")
    failed = trial.server.counts["500"]
    assert trial.snapshot == {
        "in_flight": 0,
        "waiting": 0,
        "limit": entry["limit"],
        "ceiling": 64,
        "paused_s": 0.0,
    }
    assert entry["server"] == "sim" and entry["up"] and entry["calls"] == 300
    assert failed and entry["errors"] == {"server": failed}
    assert entry["mean_latency_s"] == pytest.approx(1.0)


def test_slow_calls_and_cuts_are_told() -> None:
    class Slow(SimServer):
        async def _serve(self) -> None:
            if self.counts["served"] == 100:
                await asyncio.sleep(9)
            await super()._serve()

    trial = Trial(Slow(64), talks=40, open_at_once=1).run()
    assert [(kind, details["key"]) for _, kind, details in trial.events] == [("slow", "d16/4")]
    assert trial.events[0][2]["seconds"] > 5 * trial.events[0][2]["median"] > 3
    trial = Trial(SimServer(10, refuses=True), talks=40).run()
    kinds = Counter(kind for _, kind, _ in trial.events)
    assert kinds["cut"] and all(d["from"] > d["to"] for _, kind, d in trial.events if kind == "cut")
