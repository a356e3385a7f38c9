"""Retries: what may pass is tried again, with waits that grow and differ; a call that waits holds no slot.

Belongs above the window (or the pool) and below the reply log: a replayed reply needs none of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import ChatClient, Purpose, Reply, Request
from culturepark.llm.faults import UnreachableError

if TYPE_CHECKING:
    from tenacity import RetryCallState

_PASSING = frozenset({"rate", "server", "network", "timeout"})
_MANY = 5  # calls that fail while none succeeds: the server's fault, not theirs


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """A call is about to wait ``wait_s`` and then be tried again; ``attempt`` counts from 1."""

    key: str
    purpose: Purpose
    kind: str
    attempt: int
    wait_s: float
    message: str
    model: str = ""


@dataclass(slots=True)
class _History:
    """What one call has been through: tries that count, seconds waited for the present kind of error.

    ``first`` is its first error as long as it was not yet looked at.
    """

    request: Request
    first: CallError | None
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

    A 429 is waited out up to ``rate_patience_s``, an unreachable server up to ``outage_s``, and so is a server that
    fails many calls and answers none; none of these counts as a try, and ``EndpointError`` ends the run when the time
    is up. Other errors end the call after ``tries``.
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
        self._failing: set[str] = set()  # keys of the calls that failed since the last one that did not
        self._failing_since = 0.0

    async def reply(self, request: Request) -> Reply:
        """Answer one request, however many tries that takes within the limits."""
        try:
            reply = await self._inner.reply(request)
        except CallError as error:
            first = error
        else:
            self._note_success()
            return reply
        return await self._insist(request, first)

    async def _insist(self, request: Request, first: CallError) -> Reply:
        """Go on after a first failure. Apart, since tenacity's set-up costs more than a call that succeeds at once."""
        from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

        history = _History(request, first)
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
        error, history.first = history.first, None
        if error is not None:
            self._judge(error, history)
            raise error
        try:
            reply = await self._inner.reply(history.request)
        except CallError as fault:
            self._judge(fault, history)
            raise
        self._note_success()
        return reply

    def _note_success(self) -> None:
        self._down_since = None
        if self._failing:
            self._failing.clear()

    def _judge(self, error: CallError, history: _History) -> None:
        """Note one failure; raises ``EndpointError`` when it shows that no call will succeed soon."""
        history.meet(error.kind)
        if error.kind == "rate":
            self._failing.clear()
        elif error.kind in _PASSING and not isinstance(error, UnreachableError):
            self._judge_failure(error, history)
        if error.kind == "network":
            self._judge_outage(error, history)
        elif error.kind != "timeout":
            self._down_since = None  # an answer, if only an error, comes from a server that is there
        if error.kind == "rate" and history.waited_s >= self._rate_patience_s:
            raise EndpointError(
                f"{error}: waited {self._rate_patience_s:g} s for the rate limit in vain; "
                "lower --concurrency or wait, then resume"
            ) from None

    def _judge_failure(self, error: CallError, history: _History) -> None:
        """Count a try, unless the server fails whatever it is asked: then no call is to blame."""
        now = self._clock()
        if not self._failing:
            self._failing_since = now
        self._failing.add(history.request.key)
        if len(self._failing) < _MANY:
            history.tries += 1
        elif max(now - self._failing_since, history.waited_s) >= self._outage_s:
            told = f"no call has succeeded for {self._outage_s:g} s: {error}"
            raise EndpointError(f"{told}; see to the server, then resume") from None

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
            request, wait_s = history.request, state.upcoming_sleep
            told = (error.kind, state.attempt_number, wait_s, str(error), request.model)
            self._on_event(RetryEvent(request.key, request.purpose, *told))


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, CallError) and error.kind in _PASSING


def _error_of(state: RetryCallState) -> CallError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, CallError):
        raise TypeError("only a CallError is tried again")
    return error


def _asked_wait(state: RetryCallState) -> float:
    return _error_of(state).retry_after or 0.0
