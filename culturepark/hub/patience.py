"""Another try for what a busy Hub or a broken connection spoilt: longer and longer waits, or as long as it asks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from culturepark.hub.faults import HubFault

T = TypeVar("T")
TRIES = 6
TRIES_ON_TOP = 3  # of steps that the library tries six times itself
_LONGEST_S = 30.0


class Patience:
    """Counts the tries of one step; make a new one for the next."""

    def __init__(
        self, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep, most: int = TRIES
    ) -> None:
        self._say, self._pause, self._most = say, pause, most
        self._tries, self._wait_s = 0, 1.0

    def bear(self, fault: HubFault) -> None:
        """Wait before another try, or raise the fault when no more is worth it."""
        self._tries += 1
        if fault.kind not in ("busy", "moved") or self._tries >= self._most:
            raise fault
        wait = max(fault.retry_after or 0.0, self._wait_s * random.uniform(0.5, 1.0))
        self._wait_s = min(2 * self._wait_s, _LONGEST_S)
        self._say(f"The Hub: {fault.message or 'no answer'}; next try in {wait:.0f} s.")
        self._pause(wait)

    def persist(self, step: Callable[[], T]) -> T:
        """Take a step that may be taken twice until it succeeds."""
        while True:
            try:
                return step()
            except HubFault as fault:
                self.bear(fault)
