"""Several servers with the same models share a run, by weight; one that cannot be reached is set aside for a while.

The calls of one dialogue go to one server, so that its prefix cache is hit, unless that one is full or down. A call
that found its server gone goes to another at once; only when all are gone is that an error, for retries to bear.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from culturepark.errors import CallError, CultureParkError
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.faults import UnreachableError
from culturepark.llm.lanes import Lane, OnFlow, ignore_flow
from culturepark.llm.pace import Pace
from culturepark.llm.turns import Turns
from culturepark.llm.window import ask_in_lane, describe_turns, note_headers

_FAILURES = 4  # in a row, of calls that a server took and did not answer properly
_FIRST_PROBE_S, _LONGEST_PROBE_S = 1.0, 10.0
_MOST_MOVED = 4096


@dataclass(slots=True, eq=False)
class Member:
    """One server. ``probe`` asks it for anything cheap (its list of models) and raises while it does not answer."""

    name: str
    client: ChatClient
    probe: Callable[[], Awaitable[object]]
    weight: float = 1.0
    is_up: bool = True
    reason: str = ""
    failures: int = 0
    pause_s: float = _FIRST_PROBE_S
    lanes: dict[str, Lane] = field(default_factory=dict)


class PoolClient:
    """Shares at most ``limit`` calls in flight out over servers; stands where a window stands for one server."""

    def __init__(
        self,
        members: Sequence[Member],
        limit: int,
        *,
        adapt: bool = True,
        rank_of: Callable[[Request], int] = lambda request: 0,
        on_event: OnFlow = ignore_flow,
        is_closed: Callable[[], bool] = bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.members = tuple(members)
        self._adapt, self._rank_of, self._on_event, self._sleep = adapt, rank_of, on_event, sleep
        self._turns = Turns(max(1, limit), clock, is_closed)
        self._asking: dict[int, tuple[Lane, int]] = {}
        self._moved: dict[str, Member] = {}  # dialogues that were taken up by another server than their own
        self._probes: set[asyncio.Task[None]] = set()

    async def reply(self, request: Request) -> Reply:
        """Answer one request by the first server that can be reached."""
        rank = self._rank_of(request)
        while True:
            member, lane, ticket = await self._enter(request, rank)
            try:
                reply = await ask_in_lane(member.client, request, lane, ticket, self._turns, self._asking)
            except CallError as error:
                self._note_failure(member, error)
                if not isinstance(error, UnreachableError):
                    raise
            else:
                member.failures, member.pause_s = 0, _FIRST_PROBE_S
                return reply
            finally:
                self._turns.give_back(lane)  # after the server was set aside, so that no waiting call runs into it

    async def close(self) -> None:
        """Close every server's client."""
        self._turns.stop()
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        for member in self.members:
            await member.client.close()

    def note_headers(self, request: Request, headers: Mapping[str, str]) -> None:
        """Take in the headers of an answer: they may tell what is left of a rate limit."""
        note_headers(self._turns, self._asking, request, headers)

    def resize(self, limit: int) -> None:
        """Change the limit over all servers; calls already in flight go on."""
        self._turns.ceiling = max(1, limit)
        self._share_out()

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

    async def _enter(self, request: Request, rank: int) -> tuple[Member, Lane, int]:
        """A server with a permit for this call. Raises ``UnreachableError`` when all are set aside."""
        dialogue = request.key.partition("/")[0]
        home = self._find_home(dialogue)
        if request.model not in home.lanes:
            self._open_lanes(request.model)
        lane = home.lanes[request.model]
        ticket = self._turns.claim(lane)
        if not ticket:
            lane, ticket = await self._turns.wait(lane, rank)
        if lane is home.lanes[request.model]:
            return home, lane, ticket
        member = next(m for m in self.members if m.lanes[request.model] is lane)
        self._move(dialogue, member)
        return member, lane, ticket

    def _find_home(self, dialogue: str) -> Member:
        """The server of a dialogue: the one it moved to, or the first by weighted rendezvous hashing that is up."""
        moved = self._moved.get(dialogue)
        if moved is not None and moved.is_up:
            return moved
        up = [member for member in self.members if member.is_up]
        if not up:
            raise self._make_outage()
        return up[0] if len(up) == 1 else max(up, key=lambda member: _draw(dialogue, member))

    def _move(self, dialogue: str, member: Member) -> None:
        self._moved.pop(dialogue, None)
        self._moved[dialogue] = member
        if len(self._moved) > _MOST_MOVED:
            del self._moved[next(iter(self._moved))]

    def _open_lanes(self, model: str) -> None:
        for member in self.members:
            lane = Lane(member.name, model, Pace(1, adapt=self._adapt), self._on_event, member.weight, member.is_up)
            member.lanes[model] = lane
            self._turns.lanes.append(lane)
        self._share_out()

    def _share_out(self) -> None:
        """Give each server that is up its part of the limit."""
        whole = sum(member.weight for member in self.members if member.is_up)
        for member in self.members:
            if member.is_up:
                part = math.ceil(self._turns.ceiling * member.weight / whole - 1e-9)
                for lane in member.lanes.values():
                    lane.pace.set_ceiling(part)
        self._turns.admit()

    def _note_failure(self, member: Member, error: CallError) -> None:
        if error.kind in ("network", "timeout", "server"):
            member.failures += 1
        is_gone = isinstance(error, UnreachableError)
        others = any(other.is_up for other in self.members if other is not member)
        if member.is_up and (is_gone or (others and member.failures >= _FAILURES)):
            self._set_aside(member, str(error))

    def _set_aside(self, member: Member, reason: str) -> None:
        member.is_up, member.reason = False, reason
        for lane in member.lanes.values():
            lane.is_open = False
        self._on_event("aside", member.name, "", {"reason": reason})
        task = asyncio.get_running_loop().create_task(self._bring_back(member))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)
        if any(other.is_up for other in self.members):
            self._share_out()
        else:
            self._turns.refuse_all(self._make_outage)

    async def _bring_back(self, member: Member) -> None:
        """Probe a server with growing pauses until it answers; only a call that succeeds makes them short again."""
        began = self._turns.clock()
        while not member.is_up:
            await self._sleep(member.pause_s * random.uniform(0.8, 1.2))
            member.pause_s = min(2 * member.pause_s, _LONGEST_PROBE_S)
            with suppress(CultureParkError):
                member.is_up = await _answers(member)
        member.failures, member.reason = 0, ""
        for lane in member.lanes.values():
            lane.is_open = True
        self._on_event("back", member.name, "", {"seconds": round(self._turns.clock() - began, 3)})
        self._share_out()

    def _make_outage(self) -> UnreachableError:
        reasons = "; ".join(member.reason for member in self.members if member.reason)
        return UnreachableError(f"none of {len(self.members)} servers answers: {reasons}")


async def _answers(member: Member) -> bool:
    """Is the server there? A server that refuses the question is, and what it refuses is for a call to tell."""
    try:
        await member.probe()
    except CallError as error:
        return error.kind not in ("network", "timeout", "server")
    except CultureParkError:
        return True
    return True


def _draw(dialogue: str, member: Member) -> float:
    """The score of a server for a dialogue; the highest gets it, so that shares are as the weights."""
    digest = hashlib.blake2b(f"{member.name}\n{dialogue}".encode("utf-8", "replace"), digest_size=8).digest()
    return -member.weight / math.log((int.from_bytes(digest, "big") + 0.5) / 2**64)
