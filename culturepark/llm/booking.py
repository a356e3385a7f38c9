"""Calls in the ledger: an entry is opened when a call goes out and closed when its end is known."""

from __future__ import annotations

import time

from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.ledger import Ledger
from culturepark.llm.meter import Bill, Meter, bill_error


class Entry:
    """One call that is going out. One that is never closed counts as lost when the ledger is next opened."""

    __slots__ = ("_began", "_estimate", "_ledger", "_meter", "_number", "_request")

    def __init__(self, ledger: Ledger, meter: Meter, request: Request) -> None:
        """The line that says so is in the ledger when this returns."""
        self._ledger, self._meter, self._request = ledger, meter, request
        self._estimate = meter.estimate(request)
        self._number = ledger.ask(request.key, request.model, self._estimate)
        self._began = time.perf_counter()

    def answer(self, reply: Reply) -> None:
        """The call was answered."""
        self._close(self._meter.bill(self._request, self._estimate, reply))

    def fail(self, error: Exception) -> None:
        """The call ended in an error, which tells whether it was paid."""
        self._close(bill_error(self._estimate, error))

    def cancel(self) -> None:
        """The call never went out after all."""
        self._close(Bill(how="unsent"))

    def leave(self) -> None:
        """The call goes on without this process: it counts as lost until somebody recovers it."""
        self._ledger.leave(self._number)

    def _close(self, bill: Bill) -> None:
        self._ledger.settle(self._number, bill, round(1000 * (time.perf_counter() - self._began)))


class Booker:
    """Opens the entries of calls that share prices."""

    def __init__(self, ledger: Ledger, meter: Meter) -> None:
        self._ledger, self._meter = ledger, meter

    def open(self, request: Request) -> Entry:
        """Note that a call goes out now."""
        return Entry(self._ledger, self._meter, request)


class BookingClient:
    """Books each call that really goes out; belongs right above the transport, below the gate."""

    def __init__(self, inner: ChatClient, ledger: Ledger, meter: Meter) -> None:
        self._inner, self._ledger, self._meter = inner, ledger, meter

    async def reply(self, request: Request) -> Reply:
        """Answer one request, with a line before and after it."""
        entry = Entry(self._ledger, self._meter, request)
        try:
            reply = await self._inner.reply(request)
        except Exception as error:  # a cancelled call stays open: on the next opening it counts as lost
            entry.fail(error)
            raise
        entry.answer(reply)
        return reply

    async def close(self) -> None:
        """Close the inner client; the ledger is closed by whoever opened it."""
        await self._inner.close()
