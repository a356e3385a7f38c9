"""When new calls to a server may go out: not before ``Retry-After`` has passed, not while an allowance is used up.

A refusal (429, or overload with ``Retry-After``) stops the calls of all talks, so that they do not each run into it.
A server that turns single calls away at random while it serves those beside them is found out after two pauses; from
then on only the refused call waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from culturepark.llm.allowances import Allowance

_ALONE_AFTER = 2  # pauses during which the server served calls that came after the refused one
_SHARED_AFTER = 4  # refusals in a row that make it a matter of all calls again
_FIRST_TOKENS = 500.0


class Pauses:
    """The pauses of one server and model. Times are on the caller's clock, tickets count calls as they go out."""

    def __init__(self) -> None:
        self.until = 0.0  # no new call before; 0: none was ever paused
        self.reason = ""
        self._refused = self._last_refused = 0  # the first refused ticket of this pause, and the last one out by then
        self._served_after = self._refused_after = 0
        self._contradicted = self._in_a_row = 0
        self._left = math.inf  # calls that may go out before the renewal
        self._renewal = 0.0
        self._is_told = False  # the present wait for the renewal
        self._heard = 0  # the ticket of the newest answer that told an allowance
        self._tokens = _FIRST_TOKENS  # of a call, on average

    def is_paused(self, now: float) -> bool:
        """May no new call go out now?"""
        if self.until > now:
            return True
        if self._left < 1:
            if self._renewal > now:
                return True
            self._left, self._is_told = math.inf, False
        return False

    def find_end(self, now: float) -> float:
        """When the present pause ends; ``now`` where there is none."""
        return max(self.until, self._renewal if self._left < 1 else now, now)

    def note_start(self) -> None:
        """A call goes out."""
        self._left -= 1

    def note_served(self, ticket: int, tokens: int) -> None:
        """An answer came, for so many tokens."""
        self._in_a_row = 0
        if tokens:
            self._tokens += (tokens - self._tokens) * 0.1
        if self._refused < ticket <= self._last_refused:
            self._served_after += 1

    def note_refused(self, ticket: int, started: int, retry_after: float, now: float) -> float:
        """A 429 came; ``started`` is the last ticket out. Returns the seconds of a pause that now begins, or 0."""
        self._in_a_row += 1
        if self._refused < ticket <= self._last_refused:
            self._refused_after += 1
        if retry_after <= 0 or (self._contradicted >= _ALONE_AFTER and self._in_a_row < _SHARED_AFTER):
            return 0.0
        if self._in_a_row >= _SHARED_AFTER:
            self._contradicted = 0
        begins = not self.is_paused(now)
        if begins:
            self._weigh_last_pause()
            self._refused, self._last_refused = ticket, started
            self._served_after = self._refused_after = 0
            self.reason = "the server asked to wait"
        self.until = max(self.until, now + retry_after)
        return retry_after if begins else 0.0

    def note_allowances(self, allowances: Iterable[Allowance], ticket: int, started: int, now: float) -> float:
        """What the answer to ``ticket`` says is left; returns the seconds of a pause that was not yet told of, or 0.

        Calls that went out after that one count as not yet taken off.
        """
        if ticket < self._heard and self._renewal > now:
            return 0.0
        self._heard, self._left = ticket, math.inf
        for allowance in allowances:
            calls = allowance.left / (self._tokens if allowance.unit == "tokens" else 1.0) - (started - ticket)
            if calls < self._left:
                self._left, self._renewal = calls, now + allowance.reset_s
        if self._left >= 1 or self._renewal <= now or self._is_told:
            return 0.0
        self._is_told, self.reason = True, "its rate limit is used up"
        return self._renewal - now

    def _weigh_last_pause(self) -> None:
        """Was the last pause needed? Not where most calls that had gone out after the refused one were served."""
        if self._served_after >= 3 and self._served_after > 3 * self._refused_after:
            self._contradicted += 1
        elif self._refused_after > self._served_after:
            self._contradicted = 0
