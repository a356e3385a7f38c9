"""``culturepark events``: the story of a run, one sitting after the other."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from culturepark.runs.events import Sitting, read_events, split_sittings
from culturepark.runs.folder import Run

_SHOWN = 40  # events of a sitting shown without --all
_PLAIN = ("time", "kind", "writer")


def run_events(options: argparse.Namespace) -> int:
    """Tell what happened in a run."""
    run = Run(options.run)
    events = [e for e in read_events(Path(options.run)) if not options.kind or e["kind"] == options.kind]
    if options.json:
        for event in events:
            print(json.dumps(event, ensure_ascii=True))
        return 0
    if not events:
        print(f"{run.path}: no event{f' of kind {options.kind}' if options.kind else ''} was noted.")
        return 0
    if options.kind:
        for event in events:
            print(describe_event(event))
        return 0
    for number, sitting in enumerate(split_sittings(iter(events)), 1):
        print_sitting(number, sitting, options.all)
    return 0


def print_sitting(number: int, sitting: Sitting, everything: bool) -> None:
    """One sitting: how it began and ended, retries in one line, and what else was noteworthy."""
    print(f"Sitting {number}: {describe_event(sitting.start)}")
    retries = sitting.retries()
    if retries:
        kinds = ", ".join(f"{kind} {count}" for kind, count in retries.most_common())
        print(f"  {retries.total()} retries ({kinds}); calls waited {sitting.waited_s():.1f} s for them in all")
    shown = [e for e in sitting.events if everything or e["kind"] != "retry"]
    left = 0 if everything else max(0, len(shown) - _SHOWN)
    for event in shown[: len(shown) - left]:
        print(f"  {describe_event(event)}")
    if left:
        print(f"  ... and {left} more; see them with --all")
    ended = describe_event(sitting.end) if sitting.end else "ended without a word: killed, or still at work"
    print(f"  {ended}")


def describe_event(event: Mapping[str, Any]) -> str:
    """One event in one line, without anything that a terminal would obey."""
    details = "  ".join(f"{k}={_show(v)}" for k, v in event.items() if k not in _PLAIN)
    writer = f" [{event['writer']}]" if event.get("writer") else ""
    text = f"{event['time'][:19].replace('T', ' ')}  {event['kind']}{writer}  {details}".rstrip()
    return "".join(c if c.isprintable() else " " for c in text)


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
