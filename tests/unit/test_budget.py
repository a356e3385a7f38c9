"""The purse: never above a ceiling, waiting for what comes back, one end; and the whole stack against a server."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.config import RunConfig
from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import ChatClient, Reply, Request, Sampling, Usage
from culturepark.llm.booking import BookingClient
from culturepark.llm.budget import (
    Amount,
    BudgetClient,
    Ceiling,
    Exhausted,
    Purse,
    count_spent,
    format_amount,
    make_ceiling,
)
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.http import HttpClient
from culturepark.llm.ledger import Ledger
from culturepark.llm.limits import RetryingClient
from culturepark.llm.meter import Meter
from culturepark.llm.prices import Price
from culturepark.llm.replay import ReplayClient, ReplyLog
from culturepark.llm.spend import Spend, read_spend, sum_up
from culturepark.llm.window import WindowClient
from tests.fakeserver import FakeServer

PRICE = Price("m", 300, 100, 1000)
CALL = Amount(10, 10, 1)


def request(key: str = "d1/turn", text: str = "hello there", most: int = 20, **changes: Any) -> Request:
    return Request(key, "turn", "m", ({"role": "user", "content": text},), Sampling(max_tokens=most), **changes)


async def settle_down() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Watched(Purse):
    """A purse that looks after itself after every change."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.highest = Amount()

    def look(self) -> None:
        used = self.spent + self.reserved
        assert not self.ceiling.find_excess(used), f"{used} above {self.ceiling}"
        assert min(self.reserved.cost, self.reserved.tokens, self.reserved.calls) >= 0

    def reserve(self, amount: Amount) -> bool:
        done = super().reserve(amount)
        self.look()
        return done

    def settle(self, reserved: Amount, actual: Amount) -> None:
        super().settle(reserved, actual)
        self.look()


# --- The purse --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ceiling", "what"),
    [(Ceiling(cost=25), "cost"), (Ceiling(tokens=25), "tokens"), (Ceiling(calls=2), "calls"), (Ceiling(), "")],
)
def test_each_ceiling_bounds(ceiling: Ceiling, what: str) -> None:
    purse = Purse(ceiling)
    assert [purse.reserve(CALL) for _ in range(3)] == [True, True, not what]
    assert ceiling.find_excess(Amount(30, 30, 3)) == what
    assert ceiling.is_open == (not what)


def test_exactly_the_ceiling_fits() -> None:
    purse = Purse(Ceiling(cost=20, tokens=20, calls=2))
    assert purse.reserve(CALL) and purse.reserve(CALL)
    assert not purse.reserve(Amount(0, 0, 1)) and not purse.reserve(Amount(1, 0, 0))


async def test_what_does_not_fit_waits_for_what_comes_back() -> None:
    ends: list[Exhausted] = []
    purse = Purse(Ceiling(cost=15), on_exhausted=ends.append)
    await purse.take(CALL)
    second, third = asyncio.create_task(purse.take(CALL)), asyncio.create_task(purse.take(Amount(1, 1, 1)))
    await settle_down()
    assert purse.waiting == 2 and not second.done()  # the small one does not go past the one before it
    purse.settle(CALL, Amount(4, 4, 1))
    await asyncio.gather(second, third)
    assert (purse.spent.cost, purse.reserved.cost, ends) == (4, 11, [])


async def test_the_end_comes_once_and_to_all() -> None:
    ends: list[Exhausted] = []
    purse = Purse(Ceiling(cost=15), on_exhausted=ends.append)
    await purse.take(CALL)
    others = [asyncio.create_task(purse.take(CALL)) for _ in range(3)]
    await settle_down()
    purse.settle(CALL, CALL)
    found = await asyncio.gather(*others, return_exceptions=True)
    assert [type(f) for f in found] == [Draining] * 3
    with pytest.raises(Draining):
        await purse.take(Amount(1, 1, 1))  # it would fit, but the run has ended
    assert ends == [Exhausted("cost")] and purse.exhausted == ends[0]
    assert purse.spent == CALL and purse.reserved == Amount()


async def test_a_purse_that_is_overdrawn_on_resume_ends_at_once() -> None:
    ends: list[Exhausted] = []
    purse = Purse(Ceiling(calls=3), Amount(0, 0, 5), ends.append)
    with pytest.raises(Draining):
        await purse.take(CALL)
    assert ends == [Exhausted("calls")]


async def test_usage_above_the_estimate_stops_at_once() -> None:
    ends: list[Exhausted] = []
    purse = Purse(Ceiling(cost=25), on_exhausted=ends.append)
    await purse.take(CALL)
    await purse.take(CALL)
    waiting = asyncio.create_task(purse.take(CALL))
    await settle_down()
    purse.settle(CALL, Amount(40, 10, 1))
    assert ends == [Exhausted("cost", over=True)]
    with pytest.raises(Draining):
        await waiting
    purse.settle(CALL, CALL)  # the other one still under way is finished
    assert purse.spent.cost == 50 and purse.reserved == Amount() and len(ends) == 1


async def test_usage_above_the_estimate_that_fits_goes_on() -> None:
    purse = Purse(Ceiling(cost=100))
    await purse.take(CALL)
    purse.settle(CALL, Amount(40, 10, 1))
    assert purse.exhausted is None and purse.reserve(CALL)


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    purse = Purse(Ceiling(cost=15))
    await purse.take(CALL)
    first, second = asyncio.create_task(purse.take(CALL)), asyncio.create_task(purse.take(Amount(5, 5, 1)))
    await settle_down()
    first.cancel()
    await settle_down()
    assert second.done() and purse.waiting == 0  # the next one in line fits and need not wait for a settlement
    purse.settle(CALL, CALL)
    third = asyncio.create_task(purse.take(Amount(5, 5, 1)))
    await settle_down()
    assert not third.done()
    purse.settle(Amount(5, 5, 1), Amount())
    third.cancel()  # in the moment it was let in
    await asyncio.gather(third, return_exceptions=True)
    assert purse.reserved == Amount() and purse.spent == CALL


async def test_a_wait_cancelled_before_its_turn_is_skipped() -> None:
    purse = Purse(Ceiling(cost=10))
    await purse.take(CALL)
    first, second = asyncio.create_task(purse.take(CALL)), asyncio.create_task(purse.take(CALL))
    await settle_down()
    first.cancel()
    purse.settle(CALL, Amount())  # before the cancelled one has run
    await second
    assert purse.reserved == CALL
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_refund_lets_the_next_one_in() -> None:
    purse = Purse(Ceiling(cost=20), Amount(15, 15, 1))
    asked = []
    purse._ask_more = lambda amount: asked.append(amount) or True
    waiting = asyncio.create_task(purse.take(CALL))
    await settle_down()
    purse.refund(Amount(15, 15, 1))
    await waiting
    assert purse.spent == Amount() and asked == [CALL]


# --- Lending between processes ----------------------------------------------------------------------------


async def test_a_worker_lives_on_what_it_is_lent() -> None:
    leader, wanted = Purse(Ceiling(cost=100)), []
    worker = Purse(Ceiling(cost=0), ask_more=lambda amount: wanted.append(amount) or True)
    calls = [asyncio.create_task(worker.take(CALL)) for _ in range(3)]
    await settle_down()
    assert wanted == [CALL]  # asked once, however many wait
    lease = Amount(20, 20, 2)
    assert leader.reserve(lease)
    worker.widen(lease)
    await settle_down()
    assert [c.done() for c in calls] == [True, True, False] and len(wanted) == 2
    worker.settle(CALL, Amount(4, 4, 1))
    worker.settle(CALL, Amount(4, 4, 1))
    await calls[2]
    worker.settle(CALL, CALL)
    leader.settle(lease, worker.spent)
    assert leader.spent == Amount(18, 18, 3) and leader.reserved == Amount()


async def test_a_worker_that_gets_no_more_finishes_and_ends() -> None:
    ends: list[Exhausted] = []
    worker = Purse(Ceiling(cost=10), on_exhausted=ends.append, ask_more=lambda amount: True)
    await worker.take(CALL)
    waiting = asyncio.create_task(worker.take(CALL))
    await settle_down()
    worker.refuse()
    assert not ends  # a call is under way whose rest may do
    worker.settle(CALL, CALL)
    with pytest.raises(Draining):
        await waiting
    assert ends == [Exhausted("cost")]


# --- Whatever happens: never above the ceiling ------------------------------------------------------------


class Chaos:
    """A transport with errors; replies use no more than was estimated."""

    def __init__(self, seed: int, meter: Meter) -> None:
        self.dice, self.meter, self.paid, self.calls = random.Random(seed), meter, 0, 0

    async def reply(self, request: Request) -> Reply:
        estimate = self.meter.estimate(request)
        for _ in range(self.dice.randrange(4)):
            await asyncio.sleep(0)
        self.calls += 1
        kind = self.dice.choice(("ok", "ok", "ok", "free", "rate", "server", "timeout", "network", "cancel", "key"))
        if kind == "key":
            raise EndpointError("bad key")
        if kind == "cancel":
            raise asyncio.CancelledError
        if kind not in ("ok", "free"):
            raise CallError(kind, kind)
        read, written = self.dice.randint(1, estimate.input), self.dice.randint(0, estimate.output)
        usage = Usage(read, self.dice.randint(0, read), written)
        self.paid += PRICE.cost(usage)
        return Reply("x", usage=Usage() if kind == "free" else usage)

    async def close(self) -> None:
        return None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.one_of(st.none(), st.integers(0, 400_000)),
    st.one_of(st.none(), st.integers(0, 900)),
    st.one_of(st.none(), st.integers(0, 30)),
    st.lists(st.tuples(st.integers(1, 120), st.integers(1, 40)), min_size=1, max_size=40),
    st.lists(st.integers(0, 39), max_size=5),
)
def test_never_above_any_ceiling(
    seed: int,
    cost: int | None,
    tokens: int | None,
    calls: int | None,
    sizes: list[tuple[int, int]],
    cancelled: list[int],
) -> None:
    async def play() -> None:
        meter, ends = Meter(lambda model: PRICE), []
        purse = Watched(Ceiling(cost, tokens, calls), on_exhausted=ends.append)
        server = Chaos(seed, meter)
        client = BudgetClient(server, purse, meter)
        asked = [
            asyncio.create_task(client.reply(request(f"d{k}/t", "x" * size, most)))
            for k, (size, most) in enumerate(sizes)
        ]
        await asyncio.sleep(0)
        for k in cancelled:
            asked[k % len(asked)].cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert not [f for f in found if isinstance(f, AssertionError)], found
        assert purse.reserved == Amount() and purse.waiting == 0
        assert len(ends) == any(isinstance(f, Draining) for f in found)
        assert purse.spent.cost >= server.paid and purse.spent.calls >= server.calls

    asyncio.run(play())


def stack(inner: ChatClient, purse: Purse, meter: Meter, ledger: Ledger, log: ReplyLog, slots: int) -> ReplayClient:
    async def nap(seconds: float) -> None:
        await asyncio.sleep(0)

    booking = BookingClient(inner, ledger, meter)
    budget = BudgetClient(WindowClient(Gate(booking), slots, adapt=False), purse, meter)
    return ReplayClient(RetryingClient(budget, tries=6, sleep=nap), log)


FAULTS = {
    "p_500": 0.08,
    "p_429": 0.08,
    "p_reset": 0.04,
    "p_badjson": 0.05,
    "p_empty": 0.02,
    "retry_after": "0",
    "models": "m",
}


@pytest.mark.parametrize("ceiling", [Ceiling(cost=9_000_000), Ceiling(tokens=12_000), Ceiling(calls=150)], ids=str)
async def test_a_faulty_server_never_takes_more_than_the_ceiling(tmp_path: Path, ceiling: Ceiling) -> None:
    """Retries and a judge on another server share the purse, 64 calls at once; the servers' own count is the witness."""
    ends: list[Exhausted] = []
    billed = Amount()

    def charge(answer: dict[str, Any]) -> None:
        nonlocal billed
        usage = answer["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        spent = Usage(usage["prompt_tokens"], cached, usage["completion_tokens"])
        billed += Amount(PRICE.cost(spent), spent.input + spent.output, 0)

    real = FakeServer._serve

    async def serve(self: FakeServer, asked: Any, body: dict[str, Any], digest: str, fault: str) -> Any:
        nonlocal billed
        from tests.fakeserver import make_completion

        billed += Amount(0, 0, 1)
        if fault not in ("500", "429"):  # the strictest reading: whatever was begun is paid, also what broke
            charge(make_completion(body, digest, fault))
        return await real(self, asked, body, digest, fault)

    meter = Meter(lambda model: PRICE)
    purse = Watched(ceiling, on_exhausted=ends.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeServer, "_serve", serve)
        async with FakeServer(**FAULTS, seed=4) as talk, FakeServer(**FAULTS, seed=5) as judge:
            ledger = Ledger(tmp_path / "spend")
            logs = [ReplyLog(tmp_path / name, shard_of=lambda key: 0) for name in ("a", "b")]
            clients = [
                stack(HttpClient(server.base_url, None), purse, meter, ledger, log, 64)
                for server, log in zip((talk, judge), logs, strict=True)
            ]
            asked = [
                clients[k % 3 == 0].reply(request(f"d{k}/t", f"call {k} " + "word " * (k % 40), 20 + k % 30))
                for k in range(400)
            ]
            found = await asyncio.gather(*asked, return_exceptions=True)
            for client in clients:
                await client.close()
    ledger.close()
    answered = sum(isinstance(f, Reply) for f in found)
    assert any(isinstance(f, Draining) for f in found) and answered > 40
    assert {type(f) for f in found} <= {Reply, Draining, CallError}
    assert len(ends) == 1 and not ends[0].over
    assert not ceiling.find_excess(billed), f"the servers billed {billed}"
    spent = count_spent(sum_up(read_spend(tmp_path / "spend")))
    assert spent == purse.spent  # the two books agree to the picodollar
    assert spent.cost >= billed.cost and spent.tokens >= billed.tokens and spent.calls == billed.calls
    what = ends[0].what
    assert getattr(purse.spent, what) > 0.8 * getattr(ceiling, what)  # not stopped long before its end either


async def test_replayed_replies_take_nothing(tmp_path: Path) -> None:
    meter = Meter(lambda model: PRICE)
    async with FakeServer(models="m") as server:
        for sitting in range(2):
            ledger = Ledger(tmp_path / "spend")
            purse = Purse(Ceiling(calls=3), count_spent(sum_up(ledger.totals())))
            log = ReplyLog(tmp_path / "replies", shard_of=lambda key: 0)
            client = stack(HttpClient(server.base_url, None), purse, meter, ledger, log, 8)
            replies = [await client.reply(request(f"d{k}/t")) for k in range(3)]
            assert [r.replayed for r in replies] == [bool(sitting)] * 3 and purse.spent.calls == 3
            with pytest.raises(Draining):
                await client.reply(request("d9/t"))
            await client.close()
            ledger.close()


async def test_a_shut_gate_takes_nothing() -> None:
    purse, meter = Purse(Ceiling(calls=3)), Meter(lambda model: PRICE)
    gate = Gate(Chaos(0, meter))
    gate.shut()
    with pytest.raises(Draining):
        await BudgetClient(gate, purse, meter).reply(request())
    assert purse.spent == purse.reserved == Amount() and purse.exhausted is None


def test_ceilings_of_a_configuration() -> None:
    config = RunConfig(max_cost=0.1, max_tokens=5, max_calls=6)
    assert make_ceiling(config) == Ceiling(10**11, 5, 6)
    assert make_ceiling(RunConfig()).is_open


def test_what_was_spent_comes_back_from_the_books() -> None:
    assert count_spent(Spend(calls=3, failed=1, input=100, cached=50, output=7, cost=9)) == Amount(9, 107, 3)
    assert format_amount("tokens", Amount(tokens=1200)) == "1,200 tokens"
    assert format_amount("cost", Ceiling(cost=2 * 10**12)) == "$2.00"
