"""Wrappers that keep a run polite and alive: retries, the window of calls in flight, and the count of tokens.

Stacked as ``CountingClient(ReplayClient(RetryingClient(WindowClient(transport))))``: a replayed reply
takes no slot, and a call that waits for its next try holds none.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from culturepark.errors import CallError, CultureParkError, EndpointError
from culturepark.llm.base import ChatClient, Purpose, Reply, Request
from culturepark.llm.faults import UnreachableError

if TYPE_CHECKING:
    from tenacity import RetryCallState

_NUMBERS = ("calls", "input", "cached", "output", "retries", "replayed")
_PASSING = frozenset({"rate", "server", "network", "timeout"})


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """A call is about to wait ``wait_s`` and then be tried again; ``attempt`` counts from 1."""

    key: str
    purpose: Purpose
    kind: str
    attempt: int
    wait_s: float
    message: str


@dataclass(slots=True)
class _History:
    """What one call has been through: tries that count, seconds waited for the present kind of error."""

    request: Request
    tries: int = 0
    kind: str = ""
    waited_s: float = 0.0
    down_since: float | None = None

    def meet(self, kind: str) -> None:
        """Note the kind of a failure; another kind than before starts the waiting time anew."""
        if kind != self.kind:
            self.kind, self.waited_s = kind, 0.0


class RetryingClient:
    """Tries a call again while its error may pass.

    A 429 is waited out up to ``rate_patience_s``, an unreachable server up to ``outage_s``, both
    without counting tries; then ``EndpointError`` ends the run. Other errors end the call after ``tries``.
    """

    def __init__(
        self,
        inner: ChatClient,
        tries: int = 6,
        base_wait_s: float = 0.5,
        max_wait_s: float = 60.0,
        on_event: Callable[[RetryEvent], None] | None = None,
        *,
        rate_patience_s: float = 1800.0,
        outage_s: float = 90.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._tries, self._base_wait_s, self._max_wait_s = tries, base_wait_s, max_wait_s
        self._rate_patience_s, self._outage_s = rate_patience_s, outage_s
        self._on_event, self._sleep, self._clock = on_event, sleep, clock
        self._down_since: float | None = None

    async def reply(self, request: Request) -> Reply:
        """Answer one request, however many tries that takes within the limits."""
        from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

        history = _History(request)
        backoff = wait_random_exponential(multiplier=self._base_wait_s, max=self._max_wait_s)
        # One object a call: tenacity keeps the state of a running call inside it.
        retrying = AsyncRetrying(
            sleep=self._sleep,
            retry=retry_if_exception(_may_pass),
            stop=lambda state: history.tries >= self._tries,
            wait=lambda state: max(_asked_wait(state), backoff(state)),
            before_sleep=lambda state: self._note_wait(state, history),
            reraise=True,
        )
        reply: Reply = await retrying(self._try, history)
        return reply

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()

    async def _try(self, history: _History) -> Reply:
        try:
            reply = await self._inner.reply(history.request)
        except CallError as error:
            self._judge(error, history)
            raise
        self._down_since = None
        return reply

    def _judge(self, error: CallError, history: _History) -> None:
        """Note one failure; raises ``EndpointError`` when it shows that no call will succeed soon."""
        history.meet(error.kind)
        if not (error.kind == "rate" or isinstance(error, UnreachableError)):
            history.tries += 1
        if error.kind == "network":
            self._judge_outage(error, history)
        elif error.kind != "timeout":
            self._down_since = None  # an answer, if only an error, comes from a server that is there
        if error.kind == "rate" and history.waited_s >= self._rate_patience_s:
            raise EndpointError(
                f"{error}: waited {self._rate_patience_s:g} s for the rate limit in vain; "
                "lower --concurrency or wait, then resume"
            ) from None

    def _judge_outage(self, error: CallError, history: _History) -> None:
        now = self._clock()
        if self._down_since is None:
            self._down_since = now
        if history.down_since != self._down_since:  # another outage than this call's last one
            history.down_since, history.waited_s = self._down_since, 0.0
        gone = isinstance(error, UnreachableError) and history.waited_s >= self._outage_s
        if gone or now - self._down_since >= self._outage_s:
            told = f"the server stopped answering: {error}"
            raise EndpointError(f"{told}; start it again, then resume") from None

    def _note_wait(self, state: RetryCallState, history: _History) -> None:
        error = _error_of(state)
        history.waited_s += state.upcoming_sleep
        if self._on_event is not None:
            call = (history.request.key, history.request.purpose)
            self._on_event(RetryEvent(*call, error.kind, state.attempt_number, state.upcoming_sleep, str(error)))


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, CallError) and error.kind in _PASSING


def _error_of(state: RetryCallState) -> CallError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, CallError):
        raise TypeError("only a CallError is tried again")
    return error


def _asked_wait(state: RetryCallState) -> float:
    return _error_of(state).retry_after or 0.0


class WindowClient:
    """At most ``limit`` calls in flight; the others wait their turn, first come first served."""

    def __init__(self, inner: ChatClient, limit: int) -> None:
        self._inner = inner
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.limit = max(1, limit)
        self.in_flight = 0

    async def reply(self, request: Request) -> Reply:
        """Answer one request as soon as there is a slot."""
        await self._enter()
        try:
            return await self._inner.reply(request)
        finally:
            self._leave()

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()

    def resize(self, limit: int) -> None:
        """Change the limit; calls already in flight go on."""
        self.limit = max(1, limit)
        self._admit()

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return sum(not turn.done() for turn in self._waiting)

    async def _enter(self) -> None:
        if self.in_flight < self.limit:  # nobody waits while a slot is free
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot was given in the same moment: pass it on
                self._leave()
            raise

    def _leave(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)


@dataclass(slots=True)
class _Total:
    """Totals of one purpose; ``replayed`` calls are not among ``calls`` and their tokens not counted."""

    calls: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    retries: int = 0
    replayed: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, reply: Reply) -> None:
        if reply.replayed:
            self.replayed += 1
            return
        self.calls += 1
        self.input += reply.usage.input
        self.cached += reply.usage.cached
        self.output += reply.usage.output


class CountingClient:
    """Counts answered calls, tokens and final errors per purpose.

    ``note_retry`` takes the events of a ``RetryingClient``.
    """

    def __init__(self, inner: ChatClient) -> None:
        self._inner = inner
        self._totals: dict[str, _Total] = {}

    async def reply(self, request: Request) -> Reply:
        """Answer one request and count it."""
        try:
            reply = await self._inner.reply(request)
        except CultureParkError as error:
            self._total(request.purpose).errors[getattr(error, "kind", "endpoint")] += 1
            raise
        self._total(request.purpose).add(reply)
        return reply

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()

    def beside(self, inner: ChatClient) -> CountingClient:
        """Another client whose calls are counted into the same totals."""
        other = CountingClient(inner)
        other._totals = self._totals
        return other

    def note_retry(self, event: RetryEvent) -> None:
        """Count one more try."""
        self._total(event.purpose).retries += 1

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Totals per purpose and under ``all``, as plain numbers that no later call changes."""
        result = {purpose: _as_dict(total) for purpose, total in sorted(self._totals.items())}
        everything = _Total()
        for total in self._totals.values():
            for name in _NUMBERS:
                setattr(everything, name, getattr(everything, name) + getattr(total, name))
            everything.errors.update(total.errors)
        return result | {"all": _as_dict(everything)}

    def _total(self, purpose: str) -> _Total:
        return self._totals.setdefault(purpose, _Total())


def _as_dict(total: _Total) -> dict[str, Any]:
    return {**{name: getattr(total, name) for name in _NUMBERS}, "errors": dict(sorted(total.errors.items()))}
