"""The story of a run: what was noteworthy, when, in ``events*.jsonl``. Told for people; nothing is decided by it.

A run never stops because an event cannot be written. Of a sitting at most ``MOST`` events are kept.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from culturepark.files import dump_line, read_lines
from culturepark.llm.limits import RetryEvent
from culturepark.runs.outlet import open_outlet

MOST = 20_000
Echo = Callable[[Mapping[str, Any]], None]


class EventLog:
    """Appends events of one process to the run's folder; ``echo`` gets each one too."""

    def __init__(self, folder: Path, writer: str = "", echo: Echo | None = None) -> None:
        self._path = folder / (f"events.{writer}.jsonl" if writer else "events.jsonl")
        self._writer, self._echo = writer, echo
        self._handle: int | None = None
        self._written = 0
        self._left_out: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, **details: Any) -> None:
        """Note one event with its details (numbers and short texts without secrets)."""
        event = self._make(kind, details)
        if self._echo is not None:
            self._echo(event)
        self._keep(event)

    def note_shown(self, text: str) -> None:
        """Note a remark that the screen has shown before."""
        self._keep(self._make("remark", {"text": text}))

    def _make(self, kind: str, details: Mapping[str, Any]) -> dict[str, Any]:
        return {"time": _now(), "kind": kind, **({"writer": self._writer} if self._writer else {}), **details}

    def _keep(self, event: Mapping[str, Any]) -> None:
        kind = event["kind"]
        self.counts[kind] += 1
        if self._written >= MOST:
            self._left_out[kind] += 1
            return
        self._written += 1
        self._append(event)

    def note_retry(self, event: RetryEvent) -> None:
        """A call is about to be tried again."""
        self.note(
            "retry",
            call=event.key,
            purpose=event.purpose,
            fault=event.kind,
            attempt=event.attempt,
            wait_s=round(event.wait_s, 3),
            what=event.message,
        )

    def note_flow(self, kind: str, server: str, model: str, details: Mapping[str, Any]) -> None:
        """A server paused us, was set aside, came back, was slow, or its window was cut."""
        self.note(kind, server=server, model=model, **details)

    def close(self) -> None:
        """Note what was left out and close the file."""
        if self._left_out:
            self._append({"time": _now(), "kind": "left_out", "counts": dict(self._left_out)})
            self._left_out.clear()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _append(self, event: Mapping[str, Any]) -> None:
        try:
            if self._handle is None:
                self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.write(self._handle, dump_line(event))
        except OSError:  # the disk is full or gone: what matters is told by whoever writes the journal
            return


def _now() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"


def echo_json(stream: TextIO | None = None) -> Echo:
    """An echo that prints each event as one JSON line."""
    outlet = open_outlet(stream or sys.stderr)

    def echo(event: Mapping[str, Any]) -> None:
        print(json.dumps(event, ensure_ascii=True), file=outlet, flush=True)

    return echo


def read_events(folder: Path) -> Iterator[dict[str, Any]]:
    """All events of a run by time, those of workers among them; lines that are no event are left out."""
    found: list[tuple[str, dict[str, Any]]] = []
    for path in sorted(folder.glob("events*.jsonl")):
        latest = ""  # of a file the order counts: the clock may have jumped back
        for _, line in read_lines(path):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict) and isinstance(event.get("kind"), str) and isinstance(event.get("time"), str):
                latest = max(latest, event["time"])
                found.append((latest, event))
    return iter([event for _, event in sorted(found, key=lambda pair: pair[0])])


@dataclass
class Sitting:
    """One stretch of work on a run, from its start to its end or to the kill that left it without one."""

    start: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] | None = None

    def retries(self) -> Counter[str]:
        """Tries that were repeated, by the kind of their fault."""
        return Counter(str(e.get("fault", "other")) for e in self.events if e["kind"] == "retry")

    def waited_s(self) -> float:
        """Seconds that calls waited before a repeated try, summed over calls."""
        return sum(float(e.get("wait_s", 0)) for e in self.events if e["kind"] == "retry")


def split_sittings(events: Iterator[dict[str, Any]]) -> list[Sitting]:
    """The events by sitting; a sitting begins with a ``start``."""
    found: list[Sitting] = []
    for event in events:
        if event["kind"] == "start" or not found:
            found.append(Sitting(event))
        elif event["kind"] == "end":
            found[-1].end = event
        else:
            found[-1].events.append(event)
    return found
