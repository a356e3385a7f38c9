"""Virtual time for simulated servers: an event loop that never waits, and servers that answer, queue, refuse or die.

run_virtually(main())        # hours in no time, the same each run; no sockets
"""

from __future__ import annotations

import asyncio
import heapq
import random
import selectors
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from culturepark.errors import CallError
from culturepark.llm.base import Reply, Request, Usage
from culturepark.llm.faults import UnreachableError

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Instead of waiting it moves the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if timeout is None and not found:
            raise AssertionError("the program waits for ever")
        if timeout and not found:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only by waiting."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def tell_time() -> float:
    """The virtual time."""
    return asyncio.get_running_loop().time()


@dataclass
class SimServer:
    """A server that serves ``slots`` at once; what comes above that waits, or with ``refuses`` gets a 429.

    ``p_429``: of calls refused at random. ``per_s``: a token bucket of requests. ``die``/``revive`` take it down and up.
    """

    slots: int = 64
    seconds: float = 1.0
    spread: float = 0.3
    refuses: bool = False
    retry_after: float | None = None
    p_429: float = 0.0
    p_500: float = 0.0
    per_s: float = 0.0
    burst: int = 0
    seed: int = 0
    up: bool = True
    in_flight: int = 0
    busy_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    log: list[tuple[float, str, str]] = field(default_factory=list)  # when, key, what became of it
    levels: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._free: list[float] = []
        self._tokens, self._filled = float(self.burst), 0.0
        self._flying: set[asyncio.Future[None]] = set()

    async def reply(self, request: Request) -> Reply:
        if not self.up:
            self._count(request, "refused")
            raise UnreachableError("cannot connect to the simulated server")
        if self._is_refused():
            self._count(request, "429")
            await asyncio.sleep(0.002)
            raise CallError("busy", "rate", self.retry_after)
        if self._rng.random() < self.p_500:
            self._count(request, "500")
            await asyncio.sleep(0.002)
            raise CallError("broken", "server")
        self._count(request, "taken")
        self.in_flight += 1
        self.levels.append((tell_time(), self.in_flight))
        try:
            await self._serve()
        finally:
            self.in_flight -= 1
        self.counts["served"] += 1
        return Reply(request.key, usage=Usage(100, 0, 20))

    async def close(self) -> None:
        return None

    async def probe(self) -> None:
        self.counts["probes"] += 1
        if not self.up:
            raise UnreachableError("cannot connect to the simulated server")

    def die(self) -> None:
        """Drop everything under way; nobody can connect any more."""
        self.up = False
        for flight in self._flying:
            if not flight.done():
                flight.set_exception(CallError("the connection broke", "network"))

    def revive(self) -> None:
        self.up, self._free = True, []

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        now, seconds = loop.time(), self.seconds * self._rng.uniform(1 - self.spread, 1 + self.spread)
        while self._free and self._free[0] <= now:
            heapq.heappop(self._free)
        start = now if len(self._free) < self.slots else heapq.heappop(self._free)
        heapq.heappush(self._free, start + seconds)
        self.busy_s += seconds
        flight: asyncio.Future[None] = loop.create_future()
        loop.call_at(start + seconds, lambda: flight.done() or flight.set_result(None))
        self._flying.add(flight)
        try:
            await flight
        finally:
            self._flying.discard(flight)

    def _is_refused(self) -> bool:
        if self.per_s:
            now = tell_time()
            self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.per_s)
            self._filled = now
            if self._tokens < 1:
                return True
            self._tokens -= 1
        return (self.refuses and self.in_flight >= self.slots) or self._rng.random() < self.p_429

    def _count(self, request: Request, what: str) -> None:
        self.counts[what] += 1
        self.log.append((tell_time(), request.key, what))


async def hold_talks(client: Any, talks: int, steps: int = 6, open_at_once: int = 80) -> list[str]:
    """Hold talks of consecutive calls, so many open at once, the oldest first; returns keys in order of answering."""
    order: list[str] = []
    numbers = iter(range(talks))

    async def work() -> None:
        for number in numbers:
            for step in range(steps):
                key = f"d{number}/{step}"
                reply = await client.reply(Request(key, "turn", "m", ({"role": "user", "content": key},)))
                order.append(reply.text)

    await asyncio.gather(*(work() for _ in range(open_at_once)))
    return order


def rank_by_number(request: Request) -> int:
    """The position of ``d17/3`` is 17."""
    return number_of(request.key)


def number_of(key: str) -> int:
    """The number of the talk: 17 for ``d17/3``."""
    return int(key.partition("/")[0][1:])
