"""How many calls one server bears for one model: a limit that grows while all is well and is cut at trouble.

Additive increase, multiplicative decrease, with a fast start. Trouble is a 429, an overloaded server or a
timeout. Trouble that comes at any load, such as a server failing at random, soon stops cutting the limit.
"""

from __future__ import annotations

import math

START = 8
RAMP_S = 0.1  # a server that bears no more says so at once: no need to wait for whole replies
_CUT, _FIRST_CUT = 0.8, 0.5
_LOW = 0.9  # of the level of the last cut
_LOW_TROUBLES = 3.0
_GAIN = 1 / 32
_TOO_MUCH = 0.2  # share of calls in trouble that is cut for even where load seems not to matter


class Pace:
    """Counts calls in flight against a limit between 1 and ``ceiling``; without ``adapt`` the limit is the ceiling.

    Each call gets a ticket number, so that a cut is made at most once a round trip: what happens to calls that
    started before the last cut says nothing about the limit since.
    """

    def __init__(self, ceiling: int, *, adapt: bool = True) -> None:
        self.ceiling, self.adapt = max(1, ceiling), adapt
        self.ramping = adapt
        self.in_flight = self.started = 0
        self._level = float(min(START, self.ceiling) if adapt else self.ceiling)
        self.limit = int(self._level)
        self._known = math.inf  # the level at which the last cut was needed
        self._low = 0.0  # trouble below this level is hardly a matter of load
        self._cut_at = 0  # tickets up to this one started before the last cut
        self._trouble = 0.0  # share of late calls that met trouble
        self._low_troubles = 0.0
        self._low_before = 0.0
        self._is_any_load = False

    def start(self) -> int:
        """Count a call that goes out; returns its ticket."""
        self.in_flight += 1
        self.started += 1
        return self.started

    def finish(self) -> None:
        """Count a call that ended, after its outcome was noted."""
        self.in_flight -= 1

    def set_ceiling(self, ceiling: int) -> None:
        """Change the highest limit; calls in flight go on."""
        self.ceiling = max(1, ceiling)
        if not self.adapt:
            self._set(float(self.ceiling))
        elif self.ramping:
            self._set(max(self._level, float(START)))
        else:
            self._set(self._level)

    def note_success(self, ticket: int) -> None:
        """An answer came. The limit grows only while it is really used."""
        self._trouble -= self._trouble * _GAIN
        if self._is_any_load and self._trouble < 0.001:
            self._is_any_load, self._low_troubles = False, 0.0
        if self._level < self.ceiling and self.in_flight >= self.limit and self.adapt and ticket > self._cut_at:
            self._set(self._level + self._find_step())

    def note_trouble(self, ticket: int) -> bool:
        """A sign that the server bears no more; returns whether the limit was cut for it."""
        self._trouble += (1 - self._trouble) * _GAIN
        if not self.adapt or ticket <= self._cut_at:
            return False
        if self._is_any_load or self._level < self._low:
            self._low_troubles += 1
            if self._trouble <= _TOO_MUCH:
                if self._low_troubles >= _LOW_TROUBLES and not self._is_any_load:
                    self._is_any_load, self._known = True, math.inf
                return False
        self._cut()
        return True

    @property
    def can_ramp(self) -> bool:
        """Is this the fast start, with the limit used and below the ceiling?"""
        return self.ramping and self.in_flight >= self.limit and self._level < self.ceiling

    def ramp(self) -> None:
        """Double the limit: the start has seen no trouble for ``RAMP_S``, though maybe no reply came yet."""
        if self.can_ramp:
            self._set(self._level * 2)

    def _find_step(self) -> float:
        """What one answered call adds to the limit; a round trip sees about as many calls as the limit."""
        level, known = self._level, self._known
        if self.ramping or level < 0.75 * known < math.inf:
            return 1.0  # doubles in a round trip
        if level < 0.95 * known < math.inf:
            return max(0.1, 1 / level)
        if level < 1.1 * known < math.inf:
            return min(0.25 / level, 0.01)  # where trouble was met last: look into it carefully
        self._known = math.inf
        return max(0.25, 1 / level)

    def _cut(self) -> None:
        level = float(min(self.limit, max(1, self.in_flight)))
        self._known = level
        self._low = 0.0 if self.ramping else _LOW * level  # the start runs past what the server bears
        self._set(level * (_FIRST_CUT if self.ramping else _CUT))
        self.ramping = False
        self._cut_at = self.started
        if self._low_troubles == self._low_before:
            self._low_troubles /= 2
        self._low_before = self._low_troubles
        if self._is_any_load:
            self._is_any_load, self._low_troubles, self._low_before = False, 0.0, 0.0

    def _set(self, level: float) -> None:
        self._level = min(max(level, 1.0), float(self.ceiling))
        self.limit = int(self._level)
