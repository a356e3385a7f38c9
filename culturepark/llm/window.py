"""The window: how many calls one server has in flight, by itself found, and in which order they go out.

A paused or full server makes calls wait; waiting is no failure and never times out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.lanes import Lane, OnFlow, ignore_flow
from culturepark.llm.pace import Pace
from culturepark.llm.turns import Turns


class WindowClient:
    """At most ``limit`` calls in flight; the others wait, those of the smallest ``rank_of(request)`` first.

    With ``adapt`` each model has a limit of its own below that, which follows what the server bears.
    ``is_closed`` tells that the run drains: then nobody waits on, and the gate below turns the calls away.
    """

    def __init__(
        self,
        inner: ChatClient,
        limit: int,
        *,
        adapt: bool = True,
        rank_of: Callable[[Request], int] = lambda request: 0,
        server: str = "",
        on_event: OnFlow = ignore_flow,
        is_closed: Callable[[], bool] = bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner, self._adapt, self._rank_of = inner, adapt, rank_of
        self._server, self._on_event = server, on_event
        self._turns = Turns(max(1, limit), clock, is_closed)
        self._lanes: dict[str, Lane] = {}
        self._asking: dict[int, tuple[Lane, int]] = {}  # by id of the request: its lane and ticket

    async def reply(self, request: Request) -> Reply:
        """Answer one request as soon as there is a slot."""
        rank = self._rank_of(request)
        lane = self._lanes.get(request.model) or self._open_lane(request.model)
        turns = self._turns
        ticket = turns.claim(lane)
        if not ticket:
            lane, ticket = await turns.wait(lane, rank)
        try:
            return await ask_in_lane(self._inner, request, lane, ticket, turns, self._asking)
        finally:
            turns.give_back(lane)

    async def close(self) -> None:
        """Close the inner client."""
        self._turns.stop()
        await self._inner.close()

    def note_headers(self, request: Request, headers: Mapping[str, str]) -> None:
        """Take in the headers of an answer: they may tell what is left of a rate limit."""
        note_headers(self._turns, self._asking, request, headers)

    def resize(self, limit: int) -> None:
        """Change the limit; calls already in flight go on."""
        self._turns.ceiling = max(1, limit)
        for lane in self._turns.lanes:
            lane.pace.set_ceiling(limit)
        self._turns.admit()

    @property
    def limit(self) -> int:
        """The most calls in flight, whatever the servers bear."""
        return self._turns.ceiling

    @property
    def in_flight(self) -> int:
        """How many calls are under way."""
        return self._turns.in_flight

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return self._turns.waiting

    def snapshot(self) -> dict[str, Any]:
        """Figures for the screen: in all, and one entry under ``servers`` for each server and model."""
        return describe_turns(self._turns)

    def _open_lane(self, model: str) -> Lane:
        lane = Lane(self._server, model, Pace(self._turns.ceiling, adapt=self._adapt), self._on_event)
        self._lanes[model] = lane
        self._turns.lanes.append(lane)
        return lane


async def ask_in_lane(
    client: ChatClient, request: Request, lane: Lane, ticket: int, turns: Turns, asking: dict[int, tuple[Lane, int]]
) -> Reply:
    """Ask with a permit, which the caller gives back; the lane learns from what happens."""
    clock = turns.clock
    began = clock()
    name = id(request)
    asking[name] = (lane, ticket)
    try:
        reply = await client.reply(request)
        lane.note_reply(ticket, request, reply, clock() - began)
        return reply
    except CallError as error:
        now = clock()
        lane.note_error(ticket, request, error, now, now - began)
        raise
    except EndpointError:
        lane.errors["endpoint"] += 1
        raise
    finally:
        asking.pop(name, None)


def note_headers(
    turns: Turns, asking: Mapping[int, tuple[Lane, int]], request: Request, headers: Mapping[str, str]
) -> None:
    """Let the lane of a call under way read the headers of its answer."""
    lane, ticket = asking.get(id(request), (None, 0))
    if lane is not None and lane.note_headers(ticket, headers, turns.clock()) and turns.waiting:
        turns.admit()


def describe_turns(turns: Turns) -> dict[str, Any]:
    """In flight, waiting and the limit in all, and each lane's own figures."""
    now = turns.clock()
    servers = [lane.describe(now) for lane in turns.lanes]
    return {
        "in_flight": turns.in_flight,
        "waiting": turns.waiting,
        "limit": min(turns.ceiling, sum(lane.pace.limit for lane in turns.lanes if lane.is_open) or turns.ceiling),
        "ceiling": turns.ceiling,
        "paused_s": min((entry["paused_s"] for entry in servers), default=0.0),
        "servers": servers,
    }
