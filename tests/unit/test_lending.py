"""One purse for several workers: whoever spends, no ceiling is passed, and nearly all of it can be used."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from culturepark.llm.budget import Amount, Ceiling, Purse
from culturepark.llm.gate import Draining
from culturepark.runs.lending import Account, Borrowed, Borrower, Lender


class Worker:
    """A borrower in this process; messages between it and the lender take a turn of the loop, or ``late`` seconds."""

    def __init__(self, name: str, lender: Lender, ceiling: Ceiling, late: float = 0) -> None:
        self.name, self._lender, self._late = name, lender, late
        self.borrowed = Borrowed(ceiling, self._tell)
        self.silent = False

    def _send(self, take: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self._late, take)

    def _tell(self) -> None:
        account = self.borrowed.account()
        self._send(lambda: self._lender.note(self, account))

    def report(self) -> None:
        if not self.silent:
            self._lender.note(self, self.borrowed.account())

    def report_late(self) -> None:
        if not self.silent:
            self._tell()

    def lend(self, amount: Amount) -> None:
        self._send(lambda: self.borrowed.lend(amount))

    def refuse(self) -> None:
        self._send(self.borrowed.refuse)

    def take_back(self) -> None:
        def give() -> None:
            idle = self.borrowed.give_back()
            self._send(lambda: self._lender.give_back(self, idle))

        self._send(give)

    async def call(self, estimate: Amount, actual: Amount) -> bool:
        """One call; says whether it was let through."""
        try:
            await self.borrowed.purse.take(estimate)
        except Draining:
            return False
        await asyncio.sleep(0)
        self.borrowed.purse.settle(estimate, actual)
        return True


async def report_often(workers: list[Worker]) -> None:
    while True:
        await asyncio.sleep(0.001)
        for worker in workers:
            worker.report_late()


def check_is_a_borrower(worker: Worker) -> Borrower:
    return worker


@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 4),
    calls=st.integers(1, 60),
    tokens=st.integers(10, 300) | st.integers(10, 4000),
    late=st.sampled_from([0, 0.001, 0.004]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_ceiling_is_passed_and_little_of_it_is_left(
    seed: int, size: int, calls: int, tokens: int, late: float
) -> None:
    chance = random.Random(seed)
    ceiling = Ceiling(tokens=tokens, calls=calls)
    most = 40

    async def play() -> Purse:
        purse = Purse(ceiling)
        lender = Lender(purse)
        workers = [Worker(f"w{k}", lender, ceiling, late * (k % 2)) for k in range(size)]
        spent = Amount()

        async def work(worker: Worker) -> None:
            nonlocal spent
            while True:
                estimate = Amount(0, chance.randint(1, most), 1)
                actual = Amount(0, chance.randint(1, estimate.tokens), 1)
                if not await worker.call(estimate, actual):
                    return
                spent += actual
                assert not ceiling.find_excess(spent)
                assert not ceiling.find_excess(purse.spent)

        reporter = asyncio.create_task(report_often(workers))
        await asyncio.wait_for(asyncio.gather(*(work(w) for w in workers for _ in range(3))), 20)
        for worker in workers:
            worker.report()
        reporter.cancel()
        assert purse.exhausted is not None
        assert purse.spent == spent
        return purse

    purse = asyncio.run(play())
    assert purse.spent.calls == calls or purse.spent.tokens > tokens - most, "the ceiling was not used up"


async def test_what_lies_idle_at_one_worker_serves_another() -> None:
    ceiling = Ceiling(tokens=100)
    purse = Purse(ceiling)
    lender = Lender(purse)
    idle, busy = Worker("w0", lender, ceiling), Worker("w1", lender, ceiling)
    assert await idle.call(Amount(0, 30, 1), Amount(0, 1, 1))
    idle.report()
    assert await busy.call(Amount(0, 95, 1), Amount(0, 95, 1))
    busy.report()
    assert purse.spent == Amount(0, 96, 2)
    assert check_is_a_borrower(busy).name == "w1"


async def test_a_lost_workers_loan_comes_back_less_what_its_file_tells() -> None:
    ceiling = Ceiling(tokens=100)
    purse = Purse(ceiling)
    lender = Lender(purse)
    lost, other = Worker("w0", lender, ceiling), Worker("w1", lender, ceiling)
    assert await lost.call(Amount(0, 20, 1), Amount(0, 10, 1))
    lost.silent = True
    assert await lost.call(Amount(0, 5, 1), Amount(0, 5, 1))
    lender.close("w0", Amount(0, 15, 2))
    assert purse.spent == Amount(0, 15, 2) and purse.reserved == Amount()
    assert await other.call(Amount(0, 85, 1), Amount(0, 85, 1))
    other.report()
    assert not await other.call(Amount(0, 1, 1), Amount(0, 1, 1))
    assert purse.exhausted and purse.exhausted.what == "tokens"


async def test_a_worker_whose_replies_cost_more_than_estimated_goes_on_with_what_is_left() -> None:
    ceiling = Ceiling(tokens=100)
    purse = Purse(ceiling)
    lender = Lender(purse)
    worker = Worker("w0", lender, ceiling)
    assert await worker.call(Amount(0, 10, 1), Amount(0, 40, 1))
    worker.report()
    assert await worker.call(Amount(0, 10, 1), Amount(0, 10, 1))
    worker.report()
    assert purse.spent == Amount(0, 50, 2)


async def test_without_a_ceiling_nobody_waits_and_everything_is_counted() -> None:
    purse = Purse(Ceiling())
    lender = Lender(purse)
    worker = Worker("w0", lender, Ceiling())
    for _ in range(5):
        assert await worker.call(Amount(3, 10, 1), Amount(2, 7, 1))
    worker.report()
    assert purse.spent == Amount(10, 35, 5)
    assert worker.borrowed.account() == Account(Amount(10, 35, 5))


@pytest.mark.parametrize("part", ["cost", "tokens", "calls"])
async def test_the_ceiling_that_ended_it_is_named(part: str) -> None:
    ceiling = Ceiling(**{part: 2})
    purse = Purse(ceiling)
    worker = Worker("w0", Lender(purse), ceiling)
    one = Amount(1, 1, 1)
    assert [await worker.call(one, one) for _ in range(3)] == [True, True, False]
    assert purse.exhausted and purse.exhausted.what == part
