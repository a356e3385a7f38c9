"""What the screen shows while a run works: a live table, plain lines without a terminal, or nothing."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from culturepark.config import RunConfig
from culturepark.runs.clock import read_clock
from culturepark.runs.outlet import open_outlet
from culturepark.runs.runner import Progress

PLAIN_EVERY_S = 10.0


class Display(Protocol):
    """Where a run's progress and remarks go."""

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def update(self, view: View) -> None:
        """Show the present state."""

    def close(self) -> None:
        """Leave the screen in order."""


@dataclass(slots=True)
class View:
    """One look at a run: totals, rates over the last stretch, and the time left if it can be told."""

    progress: Progress
    calls: int
    tokens: int
    retries: int
    calls_per_s: float
    tokens_per_s: float
    left_s: float | None
    elapsed_s: float
    funds: str = ""  # spend, ceiling and projection in one line


def choose_display(mode: str, stream: TextIO | None = None, log_format: str = "text") -> Display:
    """The display for ``auto``, ``rich``, ``plain`` or ``none``; auto is rich on a terminal only.

    With ``log_format`` json all but ``none`` prints JSON lines.
    """
    stream = open_outlet(stream or sys.stderr)
    if mode == "none":
        return Silent()
    if log_format == "json":
        return JsonLines(stream)
    if mode == "rich" or (mode == "auto" and stream.isatty()):
        return Live(stream)
    return Plain(stream)


def open_display(config: RunConfig) -> Display:
    """The display a configuration asks for."""
    return choose_display(config.progress, log_format=config.log_format)


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Swallow a line."""

    def update(self, view: View) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Plain:
    """A line now and then, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = -PLAIN_EVERY_S

    def say(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._stream, flush=True)

    def update(self, view: View) -> None:
        """Print a summary every ten seconds."""
        if view.elapsed_s - self._last >= PLAIN_EVERY_S:
            self._last = view.elapsed_s
            self.say(summarise(view))

    def close(self) -> None:
        """Nothing to put in order."""


class JsonLines:
    """A JSON line for each remark, and one on the state now and then, for programs that read logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = -PLAIN_EVERY_S

    def say(self, text: str) -> None:
        """Print one remark."""
        self._print(kind="remark", text=text)

    def update(self, view: View) -> None:
        """Print the state every ten seconds."""
        if view.elapsed_s - self._last < PLAIN_EVERY_S:
            return
        self._last = view.elapsed_s
        counts = view.progress.counts
        self._print(
            kind="progress",
            wanted=view.progress.n,
            accepted=counts.accepted,
            rejected=counts.rejected,
            failed=counts.failed,
            open=view.progress.open,
            calls=view.calls,
            tokens=view.tokens,
            retries=view.retries,
            calls_per_s=round(view.calls_per_s, 2),
            left_s=None if view.left_s is None else round(view.left_s, 1),
            **({"funds": view.funds} if view.funds else {}),
        )

    def close(self) -> None:
        """Nothing to put in order."""

    def _print(self, **content: Any) -> None:
        now = read_clock()
        print(json.dumps({"time": now, **content}, ensure_ascii=True), file=self._stream, flush=True)


class Live:
    """A table that is redrawn in place."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._console = Console(file=stream)
        self._live = RichLive(console=self._console, refresh_per_second=4, transient=True)
        self._live.start()

    def say(self, text: str) -> None:
        """Print one line above the table."""
        self._console.print(text, markup=False, highlight=False)

    def update(self, view: View) -> None:
        """Redraw the table."""
        self._live.update(_draw(view))

    def close(self) -> None:
        """Take the table off the screen."""
        self._live.stop()


def summarise(view: View) -> str:
    """The state of a run in one line."""
    counts = view.progress.counts
    left = f", about {format_seconds(view.left_s)} left" if view.left_s is not None else ""
    left += f"; {view.funds}" if view.funds else ""
    return (
        f"{counts.accepted}/{view.progress.n} accepted, {counts.rejected} rejected, {counts.failed} failed, "
        f"{view.progress.open} talks open, {view.calls_per_s:.1f} calls/s, {view.tokens_per_s:.0f} tokens/s{left}"
    )


def _draw(view: View) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    counts = view.progress.counts
    table = Table.grid(padding=(0, 2))
    table.add_row("", ProgressBar(total=max(1, view.progress.n), completed=counts.accepted, width=60))
    per_culture = "  ".join(f"{c} {k}" for c, k in sorted(counts.cultures.items())) or "-"
    reasons = "  ".join(f"{r} {k}" for r, k in counts.reasons.most_common(5)) or "-"
    left = "-" if view.left_s is None else format_seconds(view.left_s)
    rows = (
        ("accepted", f"{counts.accepted} of {view.progress.n}   ({per_culture})"),
        ("rejected", f"{counts.rejected} rejected, {counts.failed} failed   ({reasons})"),
        ("talks", f"{counts.dialogues} done, {view.progress.open} open"),
        ("calls", f"{view.calls}, {view.calls_per_s:.1f}/s, {view.tokens_per_s:.0f} tokens/s, {view.retries} retries"),
        ("time", f"{format_seconds(view.elapsed_s)} so far, {left} left"),
        *([("money", view.funds)] if view.funds else []),
    )
    for name, text in rows:
        table.add_row(Text(name, style="bold"), Text(text))
    return table


def format_seconds(seconds: float) -> str:
    """A duration people read at a glance: ``42 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


async def watch(
    display: Display,
    progress: Progress,
    totals: Callable[[], dict[str, Any]],
    on_beat: Callable[[], None],
    every_s: float = 0.5,
    funds: Callable[[], str] = str,
) -> None:
    """Update the display until cancelled; rates are over the last ten seconds. ``funds`` tells of spend and ceiling."""
    start = time.monotonic()
    accepted_before = progress.counts.accepted
    past: list[tuple[float, int, int]] = [(start, 0, 0)]
    while True:
        total = totals()
        now = time.monotonic()
        calls, tokens = total["calls"], total["output"]
        past = [p for p in past if now - p[0] <= 10] or past[-1:]
        span = max(now - past[0][0], 1e-6)
        gained = progress.counts.accepted - accepted_before
        rate = gained / (now - start) if gained else 0.0
        left = (progress.n - progress.counts.accepted) / rate if rate else None
        display.update(
            View(
                progress,
                calls,
                tokens,
                total["retries"],
                (calls - past[0][1]) / span if now - past[0][0] > 0.1 else 0.0,
                (tokens - past[0][2]) / span if now - past[0][0] > 0.1 else 0.0,
                left,
                now - start,
                funds(),
            )
        )
        past.append((now, calls, tokens))
        on_beat()
        await asyncio.sleep(every_s)
