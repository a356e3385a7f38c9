"""Whose call goes out next: the oldest talk's first, as soon as a lane has room.

Permits are per call. A call waits at its own lane; a lane with room and nobody waiting takes the first call that
waits at another lane of the same model, the least loaded one first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from culturepark.llm.lanes import Lane, Turn
from culturepark.llm.pace import RAMP_S

_LOOK_S = 0.25  # how soon a call that waits out a pause sees that the run is to stop


@dataclass(slots=True)
class Turns:
    """Gives out at most ``ceiling`` permits over all lanes. ``is_closed`` tells that nobody needs to wait any more."""

    ceiling: int
    clock: Callable[[], float]
    is_closed: Callable[[], bool] = bool
    lanes: list[Lane] = field(default_factory=list)
    in_flight: int = 0
    waiting: int = 0
    _number: int = 0
    _timer: asyncio.TimerHandle | None = None

    def claim(self, lane: Lane) -> int:
        """Take a permit at once if there is room and nobody waits for it; returns the call's ticket, or 0."""
        if self.in_flight >= self.ceiling or not lane.has_room(self.clock()):
            return 0
        if self.waiting and lane.first() is not None:
            return 0
        self.in_flight += 1
        return lane.start()

    async def wait(self, lane: Lane, rank: int) -> tuple[Lane, int]:
        """Wait for a permit, smaller ranks first, then first come first served; returns the lane to use and ticket."""
        turn: Turn = asyncio.get_running_loop().create_future()
        self._number += 1
        self.waiting += 1
        lane.put(rank, self._number, turn)
        self.admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self.waiting -= 1
            elif turn.exception() is None:  # the permit came in the same moment: pass it on
                self.give_back(turn.result()[0])
            raise

    def give_back(self, lane: Lane) -> None:
        """Return a permit."""
        lane.pace.finish()
        self.in_flight -= 1
        if self.waiting:
            self.admit()

    def admit(self) -> None:
        """Let out every waiting call for which there is room now; all of them when nobody needs to wait any more."""
        if self.is_closed():
            for lane in self.lanes:
                while lane.first() is not None:
                    self._let_out(lane, lane)
        now = self.clock()
        while self.waiting and self.in_flight < self.ceiling and (found := self._find_next(now)) is not None:
            self._let_out(*found)
        if self.waiting and self._timer is None and (seconds := self._find_delay(now)) is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look_again)

    def refuse_all(self, make_error: Callable[[], Exception]) -> None:
        """End the waiting of every call with an error."""
        for lane in self.lanes:
            while lane.first() is not None:
                self.waiting -= 1
                lane.pop().set_exception(make_error())

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_out(self, source: Lane, lane: Lane) -> None:
        self.waiting -= 1
        self.in_flight += 1
        source.pop().set_result((lane, lane.start()))

    def _find_next(self, now: float) -> tuple[Lane, Lane] | None:
        """Where the next call to go out waits, and the lane it may use."""
        best: tuple[Lane, Lane] | None = None
        order = (0, 0)
        for lane in self.lanes:
            if not lane.has_room(now):
                continue
            source, first = lane, lane.first()
            if first is None:  # nobody waits here: help another server of the same model out
                for other in self.lanes:
                    if other.model == lane.model and (theirs := other.first()) and (first is None or theirs < first):
                        source, first = other, theirs
            if first is None:
                continue
            if best is None or first < order or (first == order and lane.load < best[1].load):
                best, order = (source, lane), first
        return best

    def _find_delay(self, now: float) -> float | None:
        """When to look again though no call may have ended until then; None: not needed."""
        delays = []
        for lane in self.lanes:
            if lane.pauses.is_paused(now):
                delays.append(min(max(lane.pauses.find_end(now) - now, 0.001), _LOOK_S))
            elif lane.pace.can_ramp:
                delays.append(RAMP_S)
        return min(delays, default=None)

    def _look_again(self) -> None:
        self._timer = None
        for lane in self.lanes:
            if lane.first() is not None:
                lane.pace.ramp()
        self.admit()
