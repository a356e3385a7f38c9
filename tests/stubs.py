"""Clients for tests of the wrappers: scripted outcomes, and calls that are held until they are let go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from culturepark.llm.base import Purpose, Reply, Request, Usage

OK = Reply("yes", usage=Usage(10, 4, 3))


def make_request(number: int = 0, purpose: Purpose = "turn") -> Request:
    return Request(f"d{number}/0", purpose, "fake-model", ({"role": "user", "content": f"Hello {number}"},))


@dataclass
class Outcomes:
    """A client that gives scripted outcomes in turn; the last one again and again."""

    outcomes: Sequence[Reply | Exception]
    calls: int = 0
    closed: bool = False

    async def reply(self, request: Request) -> Reply:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def close(self) -> None:
        self.closed = True


@dataclass
class Held:
    """A client that holds each call until it is let go; it keeps the order of arrival."""

    order: list[str] = field(default_factory=list)
    doors: dict[str, asyncio.Event] = field(default_factory=dict)

    async def reply(self, request: Request) -> Reply:
        self.order.append(request.key)
        await self.doors.setdefault(request.key, asyncio.Event()).wait()
        return Reply(request.key)

    async def close(self) -> None:
        return None
