"""Talks held over retry, window and one simulated server, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from culturepark.llm.limits import RetryingClient
from culturepark.llm.window import WindowClient
from tests.virtual import SimServer, hold_talks, rank_by_number, run_virtually, tell_time


@dataclass
class Trial:
    """Talks held over retry, window and one simulated server."""

    server: SimServer
    limit: int = 64
    adapt: bool = True
    talks: int = 300
    open_at_once: int = 80
    events: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    took_s: float = 0.0
    order: list[str] = field(default_factory=list)
    snapshot: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Trial:
        run_virtually(self._main())
        return self

    async def _main(self) -> None:
        window = WindowClient(
            self.server,
            self.limit,
            adapt=self.adapt,
            rank_of=rank_by_number,
            server="sim",
            on_event=self._note,
            clock=tell_time,
        )
        self.order = await hold_talks(
            RetryingClient(window, clock=tell_time), self.talks, open_at_once=self.open_at_once
        )
        self.took_s, self.snapshot = tell_time(), window.snapshot()

    def _note(self, kind: str, server: str, model: str, details: Mapping[str, Any]) -> None:
        assert (server, model) == ("sim", "m")
        self.events.append((tell_time(), kind, dict(details)))

    def count(self, what: str, start: float, end: float) -> int:
        """Calls that met a fate within shares of the whole time."""
        return sum(fate == what and start * self.took_s <= t < end * self.took_s for t, _, fate in self.server.log)

    def mean_level(self, start: float, end: float) -> float:
        """Calls in flight at the server, averaged over the calls it took within shares of the whole time."""
        levels = [n for t, n in self.server.levels if start * self.took_s <= t < end * self.took_s]
        return sum(levels) / len(levels)
