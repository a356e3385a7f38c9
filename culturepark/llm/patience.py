"""How long trouble with one step is borne before the run stops: an outage for a while, a full queue for a day."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from culturepark.errors import CallError, EndpointError

T = TypeVar("T")
_RATE_S = 86_400.0
_SERVER_S = 1_800.0
_LONGEST_WAIT_S = 60.0


class Patience:
    """Counts the trouble of one step; make a new one for the next step."""

    def __init__(self, outage_s: float, pause: Callable[[float], Awaitable[None]], first_s: float = 0.5) -> None:
        """``pause`` waits so many seconds, and may raise to give up; ``first_s`` is the first wait, then doubled."""
        self._outage_s, self._pause, self._wait_s = outage_s, pause, first_s
        self._since: dict[str, float] = {}

    async def persist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer."""
        while True:
            try:
                return await ask()
            except CallError as error:
                await self.bear(error)

    async def bear(self, error: CallError) -> None:
        """Wait before another try; raises the error itself, or ``EndpointError``, where none is worth it."""
        kind = "network" if error.kind == "timeout" else error.kind
        limits = {"rate": _RATE_S, "server": max(_SERVER_S, self._outage_s), "network": self._outage_s}
        if type(error) is not CallError and kind == "server":  # a particular fault that the caller knows how to mend
            raise error
        if kind not in limits:
            raise EndpointError(str(error)) from None
        now = asyncio.get_running_loop().time()
        if now - self._since.setdefault(kind, now) >= limits[kind]:
            raise EndpointError(f"{error}, for {limits[kind]:.0f} s: see to it or wait, then resume") from None
        await self._pause(max(error.retry_after or 0.0, self._wait_s * random.uniform(0.5, 1.0)))
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
