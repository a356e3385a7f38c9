"""Retries, with scripted failures and with a server that fails on order."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

import pytest

from culturepark.errors import CallError, CultureParkError, DataError, EndpointError
from culturepark.llm.base import Reply, Request
from culturepark.llm.faults import UnreachableError
from culturepark.llm.http import HttpClient
from culturepark.llm.limits import RetryEvent, RetryingClient
from culturepark.llm.window import WindowClient
from tests.fakeserver import FakeServer
from tests.stubs import OK, Outcomes, make_request


@dataclass
class Clock:
    """Time that passes only by sleeping."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def retrying(inner: Outcomes, clock: Clock, **settings: float) -> RetryingClient:
    return RetryingClient(inner, sleep=clock.sleep, clock=clock, **settings)  # type: ignore[arg-type]


def unreachable() -> UnreachableError:
    return UnreachableError("cannot connect to http://127.0.0.1:1/v1: Connection refused")


# Retries


@pytest.mark.parametrize("kind", ["rate", "server", "network", "timeout"])
async def test_passing_errors_are_tried_again(kind: str) -> None:
    inner = Outcomes([CallError("no", kind), CallError("no", kind), OK])
    assert await retrying(inner, Clock()).reply(make_request()) == OK
    assert inner.calls == 3


@pytest.mark.parametrize(
    "error",
    [CallError("no", "request"), CallError("no", "context"), EndpointError("gone"), DataError("full")],
)
async def test_lasting_errors_are_not(error: CultureParkError) -> None:
    inner = Outcomes([error, OK])
    with pytest.raises(type(error)) as caught:
        await retrying(inner, Clock()).reply(make_request())
    assert caught.value is error and inner.calls == 1


@pytest.mark.parametrize("kind", ["server", "timeout"])
async def test_ends_with_the_last_error_after_the_tries(kind: str) -> None:
    inner = Outcomes([CallError("first", kind), CallError("last", kind)])
    with pytest.raises(CallError, match="last"):
        await retrying(inner, Clock(), tries=4).reply(make_request())
    assert inner.calls == 4


async def test_waits_grow_and_stay_under_the_cap() -> None:
    clock = Clock()
    with pytest.raises(CallError):
        await retrying(Outcomes([CallError("no", "server")]), clock, tries=40, max_wait_s=8.0).reply(make_request())
    assert len(clock.sleeps) == 39 and max(clock.sleeps) <= 8.0
    assert clock.sleeps[0] <= 0.5 and max(clock.sleeps[5:]) > 1.0


async def test_retry_after_is_a_floor_for_the_wait() -> None:
    clock = Clock()
    inner = Outcomes([CallError("busy", "rate", 17.0), CallError("busy", "server", 90.0), OK])
    await retrying(inner, clock, max_wait_s=1.0).reply(make_request())
    assert clock.sleeps == [17.0, 90.0]


async def test_retry_after_of_a_real_server_is_kept() -> None:
    clock = Clock()
    async with FakeServer(p_429=0.5, retry_after="23", seed=1) as server:
        http = HttpClient(server.base_url)
        client = RetryingClient(http, sleep=clock.sleep, clock=clock, max_wait_s=1.0)
        await asyncio.gather(*(client.reply(make_request(i)) for i in range(20)))
        await client.close()
    assert clock.sleeps and set(clock.sleeps) == {23.0}
    assert len(clock.sleeps) == server.counts["fault_429"] and server.counts["served"] == 20


async def test_rate_limits_never_fail_by_count() -> None:
    inner = Outcomes([CallError("busy", "rate", 2.0)] * 60 + [OK])
    assert await retrying(inner, Clock(), tries=3, max_wait_s=2.0).reply(make_request()) == OK


async def test_rate_patience_ends_the_run() -> None:
    clock = Clock()
    client = retrying(Outcomes([CallError("the server answered 429", "rate", 100.0)]), clock, rate_patience_s=1000.0)
    with pytest.raises(EndpointError, match="answered 429.*in vain.*resume"):
        await client.reply(make_request())
    assert 1000.0 <= sum(clock.sleeps) <= 1100.0


async def test_rate_patience_counts_one_unbroken_time_of_refusals() -> None:
    busy = [CallError("busy", "rate", 100.0)] * 9
    inner = Outcomes([*busy, CallError("no", "server"), *busy, OK])
    assert await retrying(inner, Clock(), rate_patience_s=1000.0, max_wait_s=1.0).reply(make_request()) == OK


async def test_rate_limits_do_not_use_up_the_tries_for_other_errors() -> None:
    busy, broken = CallError("busy", "rate"), CallError("no", "server")
    inner = Outcomes([busy, broken, busy, broken, busy, OK])
    assert await retrying(inner, Clock(), tries=3).reply(make_request()) == OK


async def test_events_tell_each_wait() -> None:
    events: list[RetryEvent] = []
    clock = Clock()
    inner = Outcomes([CallError("busy", "rate", 5.0), CallError("broke", "network"), OK])
    client = RetryingClient(inner, on_event=events.append, sleep=clock.sleep, clock=clock)
    await client.reply(make_request())
    assert [(e.key, e.purpose, e.kind, e.attempt, e.message) for e in events] == [
        ("d0/0", "turn", "rate", 1, "busy"),
        ("d0/0", "turn", "network", 2, "broke"),
    ]
    assert [e.wait_s for e in events] == clock.sleeps


async def test_waiting_calls_hold_no_slot() -> None:
    window = WindowClient(Outcomes([CallError("busy", "rate"), OK]), 1)
    held: list[int] = []

    async def sleep(_: float) -> None:
        held.append(window.in_flight)

    await RetryingClient(window, sleep=sleep).reply(make_request())
    assert held == [0]


async def test_concurrent_calls_keep_their_own_tries() -> None:
    class Flaky(Outcomes):
        async def reply(self, request: Request) -> Reply:
            self.seen[request.key] = self.seen.get(request.key, 0) + 1
            await asyncio.sleep(0)
            if self.seen[request.key] < 4:
                raise CallError("no", "server")
            return Reply(request.key)

        seen: dict[str, int] = {}

    inner = Flaky([])
    client = retrying(inner, Clock(), tries=4, base_wait_s=0.001)
    replies = await asyncio.gather(*(client.reply(make_request(i)) for i in range(50)))
    assert [reply.text for reply in replies] == [f"d{i}/0" for i in range(50)]
    assert set(inner.seen.values()) == {4}


# The outage rule


async def test_unreachable_server_is_waited_for_then_ends_the_run() -> None:
    clock = Clock()
    with pytest.raises(EndpointError, match="stopped answering: cannot connect to http.*resume"):
        await retrying(Outcomes([unreachable()]), clock, tries=2, max_wait_s=10.0).reply(make_request())
    assert 90.0 <= sum(clock.sleeps) <= 100.0


async def test_outage_also_ends_when_waits_are_faked() -> None:
    async def no_sleep(_: float) -> None:
        return None

    with pytest.raises(EndpointError):
        await RetryingClient(Outcomes([unreachable()]), sleep=no_sleep).reply(make_request())


async def test_a_server_that_comes_back_in_time_costs_nothing() -> None:
    inner = Outcomes([unreachable()] * 12 + [OK])
    assert await retrying(inner, Clock(), tries=2, max_wait_s=5.0).reply(make_request()) == OK


async def test_resets_while_others_succeed_count_as_tries() -> None:
    clock = Clock()

    class OnePoisoned(Outcomes):
        async def reply(self, request: Request) -> Reply:
            if request.key == "d0/0":
                raise CallError("the connection broke", "network")
            return OK

    client = retrying(OnePoisoned([]), clock, max_wait_s=200.0, base_wait_s=100.0)

    async def others() -> None:
        for _ in range(200):
            await client.reply(make_request(1))
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    with pytest.raises(CallError, match="broke"):
        await client.reply(make_request(0))
    await task


async def test_resets_alone_end_the_run_after_the_outage_time() -> None:
    client = retrying(Outcomes([CallError("the connection broke", "network", 50.0)]), Clock())
    with pytest.raises(EndpointError, match="stopped answering"):
        await client.reply(make_request())


async def test_one_call_that_always_breaks_in_no_time_fails_alone() -> None:
    async def no_sleep(_: float) -> None:
        return None

    inner = Outcomes([CallError("the connection broke", "network", 50.0)])
    with pytest.raises(CallError, match="broke"):
        await RetryingClient(inner, sleep=no_sleep).reply(make_request())
    assert inner.calls == 6


async def test_an_error_answer_shows_that_the_server_lives() -> None:
    network, error = CallError("broke", "network", 80.0), CallError("500", "server", 80.0)
    client = retrying(Outcomes([network, error, network, error, OK]), Clock())
    assert await client.reply(make_request()) == OK


async def test_long_rate_waits_before_an_outage_do_not_shorten_it() -> None:
    clock = Clock()
    inner = Outcomes([CallError("busy", "rate", 100.0)] * 5 + [unreachable()] * 3 + [OK])
    assert await retrying(inner, clock, max_wait_s=1.0).reply(make_request()) == OK


async def test_a_refused_port_ends_the_run_with_its_address() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = retrying(HttpClient(f"http://127.0.0.1:{port}/v1"), Clock())  # type: ignore[arg-type]
    with pytest.raises(EndpointError, match=f"127.0.0.1:{port}.*Connection refused"):
        await client.reply(make_request())
    await client.close()


async def test_a_server_with_every_fault_serves_all_in_the_end() -> None:
    async def no_sleep(_: float) -> None:
        await asyncio.sleep(0)

    faults = {"p_500": 0.1, "p_429": 0.1, "p_reset": 0.05, "p_cut": 0.05, "p_badjson": 0.05, "p_stall": 0.02}
    async with FakeServer(seed=5, **faults) as server:  # type: ignore[arg-type]
        http = HttpClient(server.base_url, timeout_s=0.5)
        client = RetryingClient(WindowClient(http, 16), tries=12, sleep=no_sleep)
        replies = await asyncio.gather(*(client.reply(make_request(i)) for i in range(200)))
        await client.close()
    assert all(reply.text for reply in replies)
    assert all(server.counts[f"fault_{name[2:]}"] for name in faults)
    assert server.counts["answered_again"] == 0 and server.peak <= 16 + server.counts["fault_stall"]


# A server that fails every call


class Broken(Outcomes):
    """Fails every call until ``works_at`` on the clock; then only the calls of ``poisoned``."""

    def __init__(self, clock: Clock, works_at: float, kind: str = "server", poisoned: frozenset[str] = frozenset()):
        super().__init__([])
        self.clock, self.works_at, self.kind, self.poisoned = clock, works_at, kind, poisoned

    async def reply(self, request: Request) -> Reply:
        self.calls += 1
        await asyncio.sleep(0)
        if self.clock.now < self.works_at or request.key in self.poisoned:
            raise CallError("the server answered 502", self.kind)
        return OK


@pytest.mark.parametrize("kind", ["server", "network", "timeout"])
async def test_a_server_that_fails_everything_for_a_while_fails_no_call(kind: str) -> None:
    clock = Clock()
    client = retrying(Broken(clock, clock.now + 60.0, kind), clock, tries=2, max_wait_s=1.0)
    replies = await asyncio.gather(*(client.reply(make_request(i)) for i in range(20)), return_exceptions=True)
    assert replies == [OK] * 20


async def test_a_server_that_fails_everything_ends_the_run() -> None:
    clock = Clock()
    client = retrying(Broken(clock, clock.now + 1e9), clock, max_wait_s=1.0)
    replies = await asyncio.gather(*(client.reply(make_request(i)) for i in range(20)), return_exceptions=True)
    assert all(isinstance(reply, EndpointError) for reply in replies)
    assert "no call has succeeded for 90 s: the server answered 502; see to the server" in str(replies[-1])


async def test_calls_that_fail_while_others_succeed_are_to_blame_themselves() -> None:
    clock = Clock()
    poisoned = frozenset(f"d{i}/0" for i in range(10))
    inner = Broken(clock, 0.0, poisoned=poisoned)
    client = retrying(inner, clock, tries=4, max_wait_s=0.01)

    async def succeed() -> None:
        while not all(call.done() for call in calls):
            await client.reply(make_request(99))

    calls = [asyncio.create_task(client.reply(make_request(i))) for i in range(10)]
    await asyncio.gather(succeed(), *calls, return_exceptions=True)
    assert all(type(call.exception()) is CallError for call in calls)
