"""Gathers requests into waves: one model each, out when it has grown quiet, never more than the server holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from culturepark.llm.base import Request
from culturepark.llm.batch_api import MAX_BYTES, MAX_LINES

_LONGEST_HOLD_S = 1_800.0


@dataclass(slots=True)
class _Queue:
    """What waits to be sent to one model, in the order in which it was asked."""

    names: dict[str, None] = field(default_factory=dict)
    first: float = 0.0
    last: float = 0.0
    timer: asyncio.TimerHandle | None = None
    held: int = 0


class Gatherer:
    """Calls ``send(model, lines by name)`` for each wave; ``encode(name)`` is ``None`` for what nobody wants any more.

    A wave goes out ``quiet_s`` after its last request, or ``longest_s`` after its first.
    """

    def __init__(
        self,
        send: Callable[[str, dict[str, bytes]], None],
        encode: Callable[[str], bytes | None],
        *,
        quiet_s: float,
        longest_s: float,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._send, self._encode = send, encode
        self._quiet_s, self._longest_s = quiet_s, longest_s
        self._max_lines, self._max_bytes = max_lines, max_bytes
        self._queues: dict[str, _Queue] = {}
        self._under_way: dict[str, int] = {}  # requests of each wave that is at the server
        self._room: int | None = None  # how many requests the server holds at a time, once it has said so
        self._hold_until = 0.0
        self._refusals = 0

    def add(self, name: str, request: Request) -> None:
        """Put a request into the wave that is being gathered."""
        queue, now = self._queue(request.model), self._now()
        if not queue.names:
            queue.first = now
        queue.last = now
        queue.names[name] = None
        if len(queue.names) >= self._max_lines:
            self._flush(request.model)
        else:
            self._set_timer(request.model, self._quiet_s)

    def hold(self, model: str) -> None:
        """Send nothing to a model until ``release``."""
        self._queue(model).held += 1

    def release(self, model: str) -> None:
        """Undo one ``hold``."""
        self._queue(model).held -= 1

    def note_start(self, wave: str, size: int) -> None:
        """A wave is under way (also one that was sent by an earlier sitting)."""
        self._under_way[wave] = size

    def note_end(self, wave: str) -> None:
        """A wave is no longer under way; what waited for its room goes out."""
        self._under_way.pop(wave, None)
        for model, queue in self._queues.items():
            if queue.names:
                self._set_timer(model, self._quiet_s)

    def note_success(self) -> None:
        """The server has worked through a wave: there is room again."""
        self._hold_until, self._refusals = 0.0, 0

    def shrink(self, size: int, wait_s: float) -> float:
        """The server had no room for a wave of ``size``: send less at a time, later; returns the seconds to wait."""
        others = max(0, sum(self._under_way.values()) - size)
        self._room = max(1, others + size // 2)
        wait_s = min(wait_s * 2**self._refusals, _LONGEST_HOLD_S)
        self._refusals = min(self._refusals + 1, 12)
        self._hold_until = self._now() + wait_s
        return wait_s

    def close(self) -> None:
        """Send nothing more."""
        for queue in self._queues.values():
            if queue.timer is not None:
                queue.timer.cancel()
            queue.names.clear()

    def _queue(self, model: str) -> _Queue:
        return self._queues.setdefault(model, _Queue())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _set_timer(self, model: str, seconds: float) -> None:
        queue = self._queue(model)
        if queue.timer is None:
            queue.timer = asyncio.get_running_loop().call_later(max(seconds, 0.001), self._tick, model)

    def _tick(self, model: str) -> None:
        queue, now = self._queue(model), self._now()
        queue.timer = None
        due = min(queue.last + self._quiet_s, queue.first + self._longest_s)
        due = max(due, self._hold_until)
        if now < due:
            self._set_timer(model, due - now)
        else:
            self._flush(model)

    def _flush(self, model: str) -> None:
        """Send all that waits, in as many waves as the limits ask for; what finds no room goes on waiting."""
        queue = self._queue(model)
        if queue.held or self._now() < self._hold_until:
            self._set_timer(model, self._quiet_s)
            return
        while queue.names:
            lines = self._take(queue)
            if not lines:
                return  # the end of a wave calls again
            self._send(model, lines)  # which calls note_start

    def _take(self, queue: _Queue) -> dict[str, bytes]:
        room = self._max_lines
        if self._room is not None:
            room = min(room, self._room - sum(self._under_way.values()))
        lines: dict[str, bytes] = {}
        size = 0
        while queue.names and len(lines) < room:
            name = next(iter(queue.names))
            line = self._encode(name)
            if line is not None and lines and size + len(line) > self._max_bytes:
                break
            del queue.names[name]
            if line is not None:
                lines[name] = line
                size += len(line)
        return lines
