"""One server asked for one model: its pace, its pauses, the calls that wait for it, and what became of them."""

from __future__ import annotations

import heapq
from asyncio import Future
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from culturepark.errors import CallError
from culturepark.llm.allowances import read_allowances
from culturepark.llm.base import Reply, Request
from culturepark.llm.faults import OverloadError
from culturepark.llm.pace import Pace
from culturepark.llm.pauses import Pauses

# Kind of event, server, model, details. Kinds: pause, cut, slow, aside, back.
OnFlow = Callable[[str, str, str, Mapping[str, Any]], None]

Turn: TypeAlias = "Future[tuple[Lane, int]]"  # what a waiting call is given: the lane to use and its ticket

_SLOW = 5.0  # times the running median
_SLOW_FROM = 20  # calls before the median is trusted
_SLOW_LEAST_S = 1.0  # what takes less is not worth telling


def ignore_flow(kind: str, server: str, model: str, details: Mapping[str, Any]) -> None:
    """Tell nobody."""


@dataclass(slots=True, eq=False)
class Lane:
    """One server and model. ``is_open`` is false while the server is set aside."""

    server: str
    model: str
    pace: Pace
    on_event: OnFlow = ignore_flow
    weight: float = 1.0
    is_open: bool = True
    pauses: Pauses = field(default_factory=Pauses)
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    _heap: list[tuple[int, int, Turn]] = field(default_factory=list)
    _seconds: float = 0.0
    _median: float = 0.0

    @property
    def load(self) -> float:
        """Calls in flight by weight."""
        return self.pace.in_flight / self.weight

    def has_room(self, now: float) -> bool:
        """May a call go out here now?"""
        return self.is_open and self.pace.in_flight < self.pace.limit and not self.pauses.is_paused(now)

    def put(self, rank: int, number: int, turn: Turn) -> None:
        """Let a call wait here."""
        heapq.heappush(self._heap, (rank, number, turn))

    def first(self) -> tuple[int, int] | None:
        """The place in the order of the call that waits here first, if any waits."""
        while self._heap:
            rank, number, turn = self._heap[0]
            if not turn.done():
                return rank, number
            heapq.heappop(self._heap)  # cancelled
        return None

    def pop(self) -> Turn:
        """Take the call that waits first; there must be one."""
        return heapq.heappop(self._heap)[2]

    def start(self) -> int:
        """Count a call that goes out; returns its ticket."""
        self.pauses.note_start()
        return self.pace.start()

    def note_reply(self, ticket: int, request: Request, reply: Reply, seconds: float) -> None:
        """A call was answered after so many seconds."""
        self.calls += 1
        self._seconds += seconds
        self.pauses.note_served(ticket, reply.usage.input + reply.usage.output)
        self.pace.note_success(ticket)
        self._weigh(request, seconds)

    def note_error(self, ticket: int, request: Request, error: CallError, now: float, seconds: float) -> None:
        """A call failed: what does that say about the server?"""
        self.errors[error.kind] += 1
        is_overload = error.kind == "rate" or isinstance(error, OverloadError)
        if is_overload:
            paused = self.pauses.note_refused(ticket, self.pace.started, error.retry_after or 0.0, now)
            self._tell_pause(paused)
        if is_overload or error.kind == "timeout":
            before = self.pace.limit
            if self.pace.note_trouble(ticket):
                self.tell("cut", {"from": before, "to": self.pace.limit, "reason": error.kind})
        if error.kind == "timeout":
            self._weigh(request, seconds)

    def note_headers(self, ticket: int, headers: Mapping[str, str], now: float) -> bool:
        """The headers of an answer may tell how much is left of a rate limit; returns whether they do."""
        allowances = read_allowances(headers)
        if allowances:
            self._tell_pause(self.pauses.note_allowances(allowances, ticket, self.pace.started, now))
        return bool(allowances)

    def tell(self, kind: str, details: Mapping[str, Any]) -> None:
        """Tell an event of this lane."""
        self.on_event(kind, self.server, self.model, details)

    def describe(self, now: float) -> dict[str, Any]:
        """Its figures for the screen."""
        return {
            "server": self.server,
            "model": self.model,
            "up": self.is_open,
            "in_flight": self.pace.in_flight,
            "limit": self.pace.limit,
            "waiting": sum(not turn.done() for _, _, turn in self._heap),
            "paused_s": round(self.pauses.find_end(now) - now, 3) if self.pauses.is_paused(now) else 0.0,
            "calls": self.calls,
            "errors": dict(sorted(self.errors.items())),
            "mean_latency_s": round(self._seconds / self.calls, 4) if self.calls else 0.0,
        }

    def _tell_pause(self, seconds: float) -> None:
        if seconds > 0:
            self.tell("pause", {"seconds": round(seconds, 3), "reason": self.pauses.reason})

    def _weigh(self, request: Request, seconds: float) -> None:
        """Follow the median latency, 5 % up or down with each call, and tell of calls far above it."""
        if not self._median:
            self._median = seconds
            return
        if self.calls > _SLOW_FROM and seconds > max(_SLOW_LEAST_S, _SLOW * self._median):
            details = {"key": request.key, "seconds": round(seconds, 3), "median": round(self._median, 3)}
            self.tell("slow", details)
        self._median *= 1.05 if seconds > self._median else 1 / 1.05
