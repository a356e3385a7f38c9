"""The story of a run: written as it happens, told by sittings, and never in the way."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from culturepark.cli.events import describe_event
from culturepark.runs import events
from culturepark.runs.events import EventLog, echo_json, read_events, split_sittings


def test_events_are_written_in_order_and_read_with_those_of_workers(tmp_path: Path) -> None:
    log, worker = EventLog(tmp_path), EventLog(tmp_path, "w1")
    log.note("start", wanted=3)
    worker.note("slow", seconds=9.5)
    log.note("retry", fault="rate", wait_s=0.5)
    log.note("retry", fault="server", wait_s=1.0)
    log.note("end", state="complete")
    log.close()
    worker.close()
    found = list(read_events(tmp_path))
    assert {e["kind"] for e in found if e.get("writer") == "w1"} == {"slow"}
    assert [e["kind"] for e in found if "writer" not in e] == ["start", "retry", "retry", "end"]
    assert [e["time"] for e in found] == sorted(e["time"] for e in found)


def test_sittings_begin_with_a_start_and_one_that_was_killed_has_no_end() -> None:
    def event(kind: str, **more: object) -> dict[str, object]:
        return {"time": "2026-01-01T00:00:00.000Z", "kind": kind, **more}

    told = [
        event("start"),
        event("retry", fault="rate", wait_s=0.5),
        event("start", resumed=True),
        event("retry", fault="server", wait_s=1),
        event("retry", fault="server", wait_s=2),
        event("end", state="complete"),
    ]
    first, second = split_sittings(iter(told))
    assert first.end is None and first.retries() == {"rate": 1}
    assert second.end and second.end["state"] == "complete"
    assert second.retries() == {"server": 2} and second.waited_s() == 3


def test_lines_that_are_no_event_are_left_out(tmp_path: Path) -> None:
    good = '{"time": "2026-01-01T00:00:00Z", "kind": "pause"}\n'
    (tmp_path / "events.jsonl").write_text("\x00\n[1]\n" + good + '{"kind": 3}\n{"time": "torn', encoding="utf-8")
    assert [e["kind"] for e in read_events(tmp_path)] == ["pause"]


def test_a_sitting_with_endless_events_keeps_counts_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST", 3)
    log = EventLog(tmp_path)
    for _ in range(10):
        log.note("retry", fault="rate")
    log.close()
    found = list(read_events(tmp_path))
    assert [e["kind"] for e in found] == ["retry"] * 3 + ["left_out"]
    assert found[-1]["counts"] == {"retry": 7} and log.counts["retry"] == 10


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "gone")
    log.note("start")
    log.close()
    assert list(read_events(tmp_path / "gone")) == []


def test_json_lines_for_programs(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = EventLog(tmp_path, echo=echo_json(stream))
    log.note("pause", server="http://host/v1", seconds=2.5)
    event = json.loads(stream.getvalue())
    assert (event["kind"], event["seconds"]) == ("pause", 2.5) and event["time"].endswith("Z")


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    event = {"time": "2026-01-01T00:00:00.000Z", "kind": "failed", "what": "bad \x1b[2Jreply\nline"}
    shown = describe_event(event)
    assert "\x1b" not in shown and "\n" not in shown and "reply" in shown


def test_a_clock_that_jumps_back_does_not_mix_up_sittings(tmp_path: Path) -> None:
    hours = [("start", 10), ("retry", 11), ("end", 11), ("start", 9), ("pause", 9), ("end", 9)]
    lines = [json.dumps({"time": f"2026-01-01T{hour:02d}:00:00.000Z", "kind": kind}) for kind, hour in hours]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    first, second = split_sittings(read_events(tmp_path))
    assert [e["kind"] for e in first.events] == ["retry"] and first.end and first.end["time"][11:13] == "11"
    assert [e["kind"] for e in second.events] == ["pause"] and second.end and second.end["time"][11:13] == "09"


def test_what_the_screen_has_shown_is_kept_but_not_echoed(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = EventLog(tmp_path, echo=echo_json(stream))
    log.note_shown("Damaged: a file")
    log.note("start")
    log.close()
    assert [e.get("text") for e in read_events(tmp_path)] == ["Damaged: a file", None]
    assert stream.getvalue().count("\n") == 1 and log.counts["remark"] == 1
