"""The purse of a run: ceilings in money, tokens and calls that are never passed.

A call reserves what it may use at most before it goes out and settles what it used after. What does not fit waits
for others to settle; when nothing is left to wait for, the purse is exhausted and the run drains.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from culturepark.config import RunConfig
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.gate import Draining
from culturepark.llm.meter import Bill, Meter, bill_error
from culturepark.llm.prices import format_money, to_picos
from culturepark.llm.spend import Spend


@dataclass(frozen=True, slots=True)
class Amount:
    """Money (picodollars), tokens (in and out together) and calls."""

    cost: int = 0
    tokens: int = 0
    calls: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cost + other.cost, self.tokens + other.tokens, self.calls + other.calls)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cost - other.cost, self.tokens - other.tokens, self.calls - other.calls)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that may be used; ``None`` is without end."""

    cost: int | None = None
    tokens: int | None = None
    calls: int | None = None

    def find_excess(self, used: Amount) -> str:
        """Which ceiling an amount lies above (``cost``, ``tokens``, ``calls``); empty: none."""
        if self.cost is not None and used.cost > self.cost:
            return "cost"
        if self.tokens is not None and used.tokens > self.tokens:
            return "tokens"
        return "calls" if self.calls is not None and used.calls > self.calls else ""

    def widen(self, more: Amount) -> Ceiling:
        """This ceiling raised by an amount."""
        return Ceiling(
            None if self.cost is None else self.cost + more.cost,
            None if self.tokens is None else self.tokens + more.tokens,
            None if self.calls is None else self.calls + more.calls,
        )

    @property
    def is_open(self) -> bool:
        """Is there no ceiling at all?"""
        return self.cost is None and self.tokens is None and self.calls is None


FLAGS = {"cost": "--max-cost", "tokens": "--max-tokens", "calls": "--max-calls"}


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Why no call may start any more: ``what`` names the ceiling, ``over`` says that usage passed it."""

    what: str
    over: bool = False


class Purse:
    """What may still be used, within one process.

    The whole interface for lenders and borrowers is ``reserve(amount) -> bool`` and ``settle(reserved, actual)``: a
    worker's purse is filled by reserving an amount here and giving it to that purse with ``widen``; what it used
    and did not use comes back with ``settle``. ``ask_more`` is called once each time a call does not fit; when it
    answers True, calls wait for ``widen`` (or ``refuse``) instead of ending.
    """

    def __init__(
        self,
        ceiling: Ceiling,
        spent: Amount | None = None,
        on_exhausted: Callable[[Exhausted], None] = lambda why: None,
        ask_more: Callable[[Amount], bool] | None = None,
    ) -> None:
        """``spent`` is what earlier sittings used."""
        self.ceiling = ceiling
        self.spent, self.reserved = spent or Amount(), Amount()
        self.on_exhausted, self._ask_more = on_exhausted, ask_more
        self.exhausted: Exhausted | None = None
        self._open = 0  # reservations not settled
        self._asking = False
        self._waiting: deque[tuple[asyncio.Future[None], Amount]] = deque()

    @property
    def waiting(self) -> int:
        """How many calls wait for others to settle."""
        return len(self._waiting)

    def reserve(self, amount: Amount) -> bool:
        """Set an amount aside; says whether it fits under every ceiling."""
        if self.exhausted or self.ceiling.find_excess(self.spent + self.reserved + amount):
            return False
        self.reserved += amount
        self._open += 1
        return True

    def settle(self, reserved: Amount, actual: Amount) -> None:
        """Give a reservation back and count what was used of it."""
        self.reserved -= reserved
        self.spent += actual
        self._open -= 1
        # More was used than reserved, and it does not even fit with the others: nothing more may start.
        if over := self.ceiling.find_excess(self.spent + self.reserved):
            self.end(Exhausted(over, over=True))
        self._admit()

    def refund(self, amount: Amount) -> None:
        """Take back what was counted as spent and was not."""
        self.spent -= amount
        self._admit()

    def widen(self, more: Amount) -> None:
        """Raise the ceiling by an amount lent."""
        self.ceiling, self._asking = self.ceiling.widen(more), False
        self._admit()

    def refuse(self) -> None:
        """Nothing more will be lent."""
        self._ask_more, self._asking = None, False
        self._admit()

    async def take(self, amount: Amount) -> None:
        """Reserve, first come first served, waiting for calls under way to settle. Raises ``Draining`` at the end."""
        if not self._waiting and self.reserve(amount):
            return
        if self.exhausted:
            raise Draining
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, amount))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.settle(amount, Amount())  # reserved in the same moment
            else:
                self._waiting = deque(w for w in self._waiting if w[0] is not turn)
                self._admit()
            raise

    def _admit(self) -> None:
        """Let in whoever fits, in order; end when the first one does not and nobody will settle any more."""
        while self._waiting:
            turn, amount = self._waiting[0]
            if not turn.done():  # else it was cancelled
                if not self.reserve(amount):
                    break
                turn.set_result(None)
            self._waiting.popleft()
        if not self._waiting or self.exhausted:
            return
        if self._ask_more is not None and (self._asking or self._ask_more(amount)):
            self._asking = True
        elif not self._open:
            self.end(Exhausted(self.ceiling.find_excess(self.spent + amount)))

    def end(self, why: Exhausted) -> None:
        """Let no call start any more."""
        if self.exhausted is not None:
            return
        self.exhausted = why
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(Draining())
        self.on_exhausted(why)


class BudgetClient:
    """Lets a call through when the purse has room for it; belongs below retry, so that every try counts."""

    def __init__(self, inner: ChatClient, purse: Purse, meter: Meter) -> None:
        self._inner, self._purse, self._meter = inner, purse, meter

    async def reply(self, request: Request) -> Reply:
        """Answer one request, or raise ``Draining`` when the budget has no room for it."""
        with self._meter.hold(request) as estimate:
            amount = to_amount(estimate)
            await self._purse.take(amount)
            try:
                reply = await self._inner.reply(request)
            except BaseException as error:
                self._purse.settle(amount, to_amount(bill_error(estimate, error)))
                raise
            self._purse.settle(amount, to_amount(self._meter.bill(request, estimate, reply)))
            return reply

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()


def to_amount(bill: Bill) -> Amount:
    """What a bill takes out of the purse; an unknown price takes no money."""
    return Amount() if bill.how == "unsent" else Amount(bill.cost or 0, bill.input + bill.output, 1)


def make_ceiling(config: RunConfig) -> Ceiling:
    """The ceilings of a run."""
    cost = None if config.max_cost is None else to_picos(config.max_cost)
    return Ceiling(cost, config.max_tokens, config.max_calls)


def count_spent(spend: Spend) -> Amount:
    """What earlier sittings took out of the purse."""
    return Amount(spend.cost, spend.input + spend.output, spend.calls)


def format_amount(what: str, amount: Amount | Ceiling) -> str:
    """One part of an amount for people: ``$1.20``, ``1,200 tokens``, ``30 calls``."""
    number = getattr(amount, what) or 0
    return format_money(number) if what == "cost" else f"{number:,} {what}"
