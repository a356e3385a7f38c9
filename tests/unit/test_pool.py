"""Several servers for one run: shares by weight, one server for one talk, and nothing lost when servers go and come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from culturepark.errors import CallError, CultureParkError, EndpointError
from culturepark.llm.base import Reply, Request
from culturepark.llm.faults import UnreachableError
from culturepark.llm.limits import RetryEvent, RetryingClient
from culturepark.llm.pool import Member, PoolClient
from tests.stubs import OK, Held, Outcomes, make_request
from tests.virtual import SimServer, hold_talks, number_of, rank_by_number, run_virtually, tell_time


async def no_probe() -> None:
    return None


@dataclass
class Trial:
    """Talks held over retry, pool and simulated servers; ``plan`` may schedule what happens to the servers."""

    servers: list[SimServer]
    weights: tuple[float, ...] = (1.0, 1.0)
    limit: int = 96
    talks: int = 400
    open_at_once: int = 110
    plan: Callable[[list[SimServer], asyncio.AbstractEventLoop], None] = lambda servers, loop: None
    events: list[tuple[float, str, str]] = field(default_factory=list)
    retries: list[RetryEvent] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    took_s: float = 0.0
    snapshot: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Trial:
        run_virtually(self._main())
        return self

    async def _main(self) -> None:
        members = [
            Member(f"s{i}", server, server.probe, weight)
            for i, (server, weight) in enumerate(zip(self.servers, self.weights, strict=True))
        ]
        self.pool = PoolClient(members, self.limit, rank_of=rank_by_number, clock=tell_time, on_event=self._note)
        self.plan(self.servers, asyncio.get_running_loop())
        client = RetryingClient(self.pool, clock=tell_time, on_event=self.retries.append)
        try:
            self.order = await hold_talks(client, self.talks, open_at_once=self.open_at_once)
        finally:
            self.took_s, self.snapshot = tell_time(), self.pool.snapshot()
            await client.close()

    def _note(self, kind: str, server: str, model: str, details: Mapping[str, Any]) -> None:
        self.events.append((tell_time(), kind, server))

    def share_unmoved(self) -> float:
        """How many of the calls after a talk's first went to the server of the one before."""
        places: dict[str, list[tuple[float, int]]] = {}
        for number, server in enumerate(self.servers):
            for when, key, fate in server.log:
                if fate == "taken":
                    places.setdefault(key.partition("/")[0], []).append((when, number))
        pairs = [a[1] == b[1] for calls in places.values() for a, b in pairwise(sorted(calls))]
        return sum(pairs) / len(pairs)


# Sharing


def test_calls_are_shared_by_weight_and_talks_stay_where_they_are() -> None:
    trial = Trial([SimServer(64), SimServer(64)], (1.0, 2.0)).run()
    small, large = (server.counts["served"] for server in trial.servers)
    assert small + large == 2400 and 1.9 < large / small < 2.1
    assert max(n for _, n in trial.servers[0].levels) == 32 and max(n for _, n in trial.servers[1].levels) == 64
    assert trial.share_unmoved() > 0.97


def test_without_a_queue_no_talk_ever_moves() -> None:
    trial = Trial([SimServer(64), SimServer(64), SimServer(64)], (1.0, 1.0, 1.0), open_at_once=30).run()
    assert trial.share_unmoved() == 1.0
    assert all(server.counts["served"] > 600 for server in trial.servers)


def test_a_slow_server_does_not_hold_the_others_up() -> None:
    slow, fast = SimServer(64, seconds=4.0), SimServer(64)
    trial = Trial([slow, fast], talks=800).run()
    assert fast.counts["served"] > 3 * slow.counts["served"]
    assert trial.took_s < 0.6 * 2400 / (48 / 4)  # of what half of the calls each would take


async def test_what_a_full_server_cannot_take_goes_to_the_least_loaded() -> None:
    held = {name: Held() for name in "abc"}
    weights = {"a": 1.0, "b": 2.0, "c": 2.0}
    pool = PoolClient([Member(name, held[name], no_probe, weights[name]) for name in "abc"], 10, adapt=False)
    keys: dict[str, list[str]] = {name: [] for name in "abc"}
    for number in range(200):
        keys[pool._find_home(f"d{number}").name].append(f"d{number}/0")
    calls = []

    def ask(name: str, count: int) -> None:
        for _ in range(count):
            calls.append(asyncio.create_task(pool.reply(Request(keys[name].pop(), "turn", "m", ()))))

    ask("b", 1)
    ask("a", 2)
    await asyncio.sleep(0)
    assert [len(held[name].order) for name in "abc"] == [2, 1, 0]  # homes
    ask("a", 1)
    await asyncio.sleep(0.001)
    assert [len(held[name].order) for name in "abc"] == [2, 1, 1]
    ask("c", 1)
    ask("a", 1)
    await asyncio.sleep(0.001)
    assert [len(held[name].order) for name in "abc"] == [2, 2, 2]
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await pool.close()


def test_each_server_finds_its_own_window() -> None:
    trial = Trial([SimServer(10, refuses=True), SimServer(30, refuses=True)]).run()
    late = [
        sum(n for t, n in server.levels if t > 10) / sum(t > 10 for t, _ in server.levels) for server in trial.servers
    ]
    assert late[0] == pytest.approx(9, abs=1.5) and late[1] == pytest.approx(27, abs=3)


def test_old_talks_come_first_on_every_server() -> None:
    trial = Trial([SimServer(4), SimServer(4)], limit=8, talks=80, open_at_once=80).run()
    ends = [max(i for i, key in enumerate(trial.order) if number_of(key) == talk) for talk in range(80)]
    assert all(abs(end / 6 - talk) < 25 for talk, end in enumerate(ends))


# Servers that go and come


def test_one_server_dies_in_the_middle_and_comes_back() -> None:
    def plan(servers: list[SimServer], loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(5, servers[0].die)
        loop.call_later(15, servers[0].revive)

    trial = Trial([SimServer(64), SimServer(64)], talks=600, plan=plan).run()
    dead, alive = trial.servers
    assert len(trial.order) == len(set(trial.order)) == 3600
    assert dead.counts["served"] + alive.counts["served"] == 3600
    aside, back = trial.events
    assert aside[1:] == ("aside", "s0") and back[1:] == ("back", "s0") and 15 <= back[0] < 26
    # No call after the broken ones runs into the dead server, and the other one takes its slots over.
    assert dead.counts["refused"] <= 8 and len(trial.retries) <= 48
    assert max(n for t, n in alive.levels if t < 5) == 48 and max(n for t, n in alive.levels if 5 < t < 15) == 96
    assert any(fate == "taken" and t > back[0] for t, _, fate in dead.log)


def test_a_call_that_cannot_connect_goes_to_another_at_once() -> None:
    trial = Trial([SimServer(up=False), SimServer()], talks=50).run()
    assert len(trial.order) == 300 and not trial.retries
    assert trial.servers[0].counts["refused"] <= 48


def test_all_servers_away_for_a_while_costs_nothing() -> None:
    def plan(servers: list[SimServer], loop: asyncio.AbstractEventLoop) -> None:
        for server in servers:
            loop.call_later(5, server.die)
            loop.call_later(40, server.revive)

    trial = Trial([SimServer(64), SimServer(64)], plan=plan).run()
    assert len(set(trial.order)) == 2400
    assert {kind for _, kind, _ in trial.events} == {"aside", "back"}


def test_all_servers_away_for_good_ends_the_run_naming_the_reason() -> None:
    def plan(servers: list[SimServer], loop: asyncio.AbstractEventLoop) -> None:
        for server in servers:
            loop.call_later(5, server.die)

    trial = Trial([SimServer(64), SimServer(64)], plan=plan)
    with pytest.raises(EndpointError, match="none of 2 servers answers: .*resume"):
        trial.run()
    assert 95 <= trial.took_s < 200


def test_a_server_that_takes_calls_and_fails_them_all_is_set_aside() -> None:
    trial = Trial([SimServer(p_500=1.0), SimServer()], talks=300).run()
    assert len(trial.order) == 1800
    assert trial.servers[0].counts["500"] < 120
    times = [t for t, kind, _ in trial.events if kind == "aside"]
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[0] < 2 < gaps[-1]  # its list of models answers, so it comes back, later each time


def test_now_and_then_a_failure_sets_no_server_aside() -> None:
    trial = Trial([SimServer(p_500=0.03, seed=1), SimServer(p_500=0.03, seed=2)]).run()
    assert len(trial.order) == 2400 and len(trial.retries) > 40 and not trial.events


async def test_waiting_calls_are_not_left_behind_when_the_last_server_goes() -> None:
    class Going(Held):
        async def reply(self, request: Request) -> Reply:
            await super().reply(request)
            raise UnreachableError("cannot connect")

    going = Going()

    async def fail() -> None:
        raise UnreachableError("cannot connect")

    pool = PoolClient([Member("a", going, fail)], 1)
    calls = [asyncio.create_task(pool.reply(make_request(i))) for i in range(5)]
    await asyncio.sleep(0)
    assert (pool.in_flight, pool.waiting) == (1, 4)
    going.doors["d0/0"].set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, UnreachableError) for outcome in outcomes)
    assert (pool.in_flight, pool.waiting) == (0, 0)
    with pytest.raises(UnreachableError, match="none of 1 servers"):
        await pool.reply(make_request(7))
    await pool.close()


@pytest.mark.parametrize(
    ("error", "is_there"),
    [
        (UnreachableError("no"), False),
        (CallError("502", "server"), False),
        (CallError("late", "timeout"), False),
        (CallError("busy", "rate"), True),
        (EndpointError("it lists no models"), True),
    ],
)
def test_what_a_probe_shows(error: CultureParkError, is_there: bool) -> None:
    async def main() -> None:
        async def probe() -> None:
            raise error

        pool = PoolClient(
            [Member("a", Outcomes([UnreachableError("x"), OK]), probe), Member("b", Outcomes([OK]), no_probe)],
            8,
            clock=tell_time,
        )
        for number in range(20):
            await pool.reply(make_request(number))
        assert not pool.members[0].is_up
        await asyncio.sleep(10)
        assert pool.members[0].is_up == is_there
        await pool.close()

    run_virtually(main())


# Errors that end the run, and the rest


@pytest.mark.parametrize("told", ["refuses the API key (401)", "has no model 'm'"])
async def test_a_refusal_of_one_server_ends_the_run_naming_it(told: str) -> None:
    bad = Outcomes([EndpointError(f"the server at http://two {told}")])
    pool = PoolClient([Member("http://one", Outcomes([OK]), no_probe), Member("http://two", bad, no_probe)], 8)
    client = RetryingClient(pool)
    with pytest.raises(EndpointError) as caught:
        for number in range(100):
            await client.reply(make_request(number))
    assert str(caught.value) == f"the server at http://two {told}" and bad.calls == 1
    await client.close()


async def test_close_closes_every_server_and_ends_the_probes() -> None:
    inner = [Outcomes([UnreachableError("no")]), Outcomes([OK])]
    pool = PoolClient([Member(f"s{i}", client, no_probe) for i, client in enumerate(inner)], 4)
    for number in range(10):
        await pool.reply(make_request(number))
    await pool.close()
    assert all(client.closed for client in inner)
    assert not pool._probes


def test_snapshot_names_each_server() -> None:
    trial = Trial([SimServer(up=False), SimServer()], (1.0, 3.0), talks=20).run()
    snapshot = trial.snapshot
    assert [(entry["server"], entry["up"], entry["calls"]) for entry in snapshot["servers"]] == [
        ("s0", False, 0),
        ("s1", True, 120),
    ]
    assert snapshot["servers"][0]["errors"]["network"] >= 1
    assert (snapshot["in_flight"], snapshot["waiting"], snapshot["ceiling"]) == (0, 0, 96)
