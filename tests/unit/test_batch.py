"""The parts of the batch client without a server: the journal, the gathering of waves, and patience with trouble."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from culturepark.config import build_config
from culturepark.errors import CallError, ConfigError, DataError, EndpointError
from culturepark.llm.base import Request
from culturepark.llm.batch_api import BatchGoneError, BatchStatus, LineFault, explain_line
from culturepark.llm.batch_journal import BatchJournal, WaveRecord, _seal
from culturepark.llm.faults import Fault, UnreachableError
from culturepark.llm.patience import Patience
from culturepark.llm.waves import Gatherer
from culturepark.runs.engines import choose_engine


def make_wave(name: str = "w1", ids: tuple[str, ...] = ("a", "b")) -> WaveRecord:
    return WaveRecord(name, "http://127.0.0.1/v1", "m", ids)


def make_request(model: str = "m") -> Request:
    return Request("d/0", "extract", model, ({"role": "user", "content": "Hello"},))


class TestJournal:
    def test_waves_come_back_as_far_as_they_came(self, tmp_path: Path) -> None:
        journal = BatchJournal(tmp_path / "batches.jsonl")
        waves = [make_wave(name) for name in ("w1", "w2", "w3", "w4")]
        for wave in waves:
            journal.begin(wave)
        for wave in waves[1:]:
            journal.note(wave, "uploaded", file=f"file-{wave.name}")
        for wave in waves[2:]:
            journal.note(wave, "created", batch=f"batch-{wave.name}")
        journal.note(waves[3], "done")
        journal.close()
        assert waves[2].batch == "batch-w3"
        assert BatchJournal(tmp_path / "batches.jsonl").open_waves() == waves[:3]

    def test_a_torn_tail_is_cut_and_written_over(self, tmp_path: Path) -> None:
        path = tmp_path / "batches.jsonl"
        journal = BatchJournal(path)
        journal.begin(make_wave())
        journal.note(make_wave(), "uploaded", file="f")
        journal.close()
        path.write_bytes(path.read_bytes()[:-5])
        again = BatchJournal(path)
        (wave,) = again.open_waves()
        assert wave.state == "gathered"
        again.note(wave, "done")
        again.close()
        assert BatchJournal(path).open_waves() == []

    @pytest.mark.parametrize("line", range(6))
    @pytest.mark.parametrize("place", [8, 40, -4, None])
    def test_no_single_damaged_or_missing_line_loses_a_wave(self, tmp_path: Path, line: int, place: int | None) -> None:
        path, waves = tmp_path / "batches.jsonl", [make_wave("w1"), make_wave("w2", ("c",))]
        journal = BatchJournal(path)
        for wave in waves:
            journal.begin(wave)
            journal.note(wave, "uploaded", file=f"f-{wave.name}")
            journal.note(wave, "created", batch=f"b-{wave.name}")
        journal.close()
        lines = path.read_bytes().splitlines(keepends=True)
        spoilt = bytearray(lines[line])
        if place is not None:
            spoilt[place] ^= 1
        lines[line] = bytes(spoilt) if place is not None else b""
        path.write_bytes(b"".join(lines))
        told: list[str] = []
        again = BatchJournal(path, told.append)
        whole = {wave.name: (wave.server, wave.model, wave.ids, wave.file) for wave in again.open_waves()}
        assert whole == {wave.name: (wave.server, wave.model, wave.ids, wave.file) for wave in waves}
        assert all(wave.batch or wave.state == "uploaded" for wave in again.open_waves()), "found again by its mark"
        again.close()
        assert told == ([] if place is None else [f"{path}, line {line + 1}: damaged; its copy is used."])
        told.clear()
        assert len(BatchJournal(path, told.append).open_waves()) == 2 and not told, "it is mended"

    def test_a_wave_that_is_lost_is_named_with_its_batch(self, tmp_path: Path) -> None:
        path = tmp_path / "batches.jsonl"
        journal = BatchJournal(path)
        for wave in (make_wave("w1"), make_wave("w2")):
            journal.begin(wave)
            journal.note(wave, "uploaded", file="f")
            journal.note(wave, "created", batch=f"batch-of-{wave.name}")
        journal.close()
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([lines[0][:20] + b"\n", lines[1][:30] + b"\n", *lines[2:]]))
        told: list[str] = []
        assert [wave.name for wave in BatchJournal(path, told.append).open_waves()] == ["w2"]
        assert len(told) == 1 and "batch-of-w1 is lost; those needed are paid again" in told[0]

    def test_a_journal_of_an_older_version_is_read(self, tmp_path: Path) -> None:
        """It says only once which requests a wave holds."""
        path, wave = tmp_path / "batches.jsonl", make_wave()
        lines = [
            {"wave": "w1", "state": "gathered", "server": wave.server, "model": "m", "ids": ["a", "b"]},
            {"wave": "w1", "state": "uploaded", "file": "f"},
            {"wave": "w1", "state": "created", "batch": "b"},
        ]
        path.write_bytes(b"".join(_seal(line) for line in lines))
        assert BatchJournal(path, pytest.fail).open_waves() == [replace(wave, state="created", file="f", batch="b")]

    @pytest.mark.parametrize("line", [b"[]", b"{}", b"null", b'{"crc": "0", "state": "created"}', b"\xff\xfe"])
    def test_lines_that_are_none_of_ours(self, tmp_path: Path, line: bytes) -> None:
        path = tmp_path / "batches.jsonl"
        path.write_bytes(line + b"\n")
        told: list[str] = []
        assert BatchJournal(path, told.append).open_waves() == []
        assert [text.partition(":")[0] for text in told] == [f"{path}, line 1"]

    def test_a_journal_that_cannot_be_written(self, tmp_path: Path) -> None:
        journal = BatchJournal(tmp_path / "file" / "batches.jsonl")
        (tmp_path / "file").write_text("")
        with pytest.raises(DataError, match="cannot be written.*then resume"):
            journal.begin(make_wave())

    def test_a_long_journal_is_cut_to_what_is_open(self, tmp_path: Path) -> None:
        path = tmp_path / "batches.jsonl"
        journal = BatchJournal(path)
        waves = [make_wave(f"w{k}", tuple(f"{k}-{j:06d}" for j in range(40_000))) for k in range(3)]
        for wave in waves:
            journal.begin(wave)
            journal.note(wave, "uploaded", file=f"file-{wave.name}")
        for wave in waves[:2]:
            journal.note(wave, "done")
        journal.close()
        before = path.stat().st_size
        again = BatchJournal(path)
        assert path.stat().st_size < before / 2
        assert again.open_waves() == [waves[2]]
        again.note(waves[2], "created", batch="b")
        again.close()
        assert BatchJournal(path).open_waves() == [waves[2]] and waves[2].batch == "b"


class Sent:
    """A gatherer and the waves that it sent."""

    def __init__(self, **settings: Any) -> None:
        self.waves: list[tuple[str, list[str]]] = []
        self.unwanted: set[str] = set()
        given = {"quiet_s": 0.01, "longest_s": 0.05, **settings}
        self.gatherer = Gatherer(self._send, self._encode, **given)

    def _send(self, model: str, lines: dict[str, bytes]) -> None:
        self.waves.append((model, list(lines)))
        self.gatherer.note_start(f"wave-{len(self.waves)}", len(lines))

    def _encode(self, name: str) -> bytes | None:
        return None if name in self.unwanted else b"x" * 10

    def add(self, *names: str, model: str = "m") -> None:
        for name in names:
            self.gatherer.add(name, make_request(model))

    async def wait(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.waves) < number:
                await asyncio.sleep(0.002)


class TestGatherer:
    async def test_requests_that_come_together_go_together(self) -> None:
        sent = Sent()
        sent.add("a", "b")
        sent.add("c", model="other")
        assert sent.waves == []
        await sent.wait(2)
        assert sent.waves == [("m", ["a", "b"]), ("other", ["c"])]

    async def test_a_steady_trickle_does_not_hold_a_wave_back(self) -> None:
        sent = Sent(quiet_s=0.05, longest_s=0.1)
        count = 0
        async with asyncio.timeout(5):
            while not sent.waves:
                sent.add(f"r{count}")
                count += 1
                await asyncio.sleep(0.005)
        assert 1 < len(sent.waves[0][1]) <= count

    async def test_lines_and_bytes_are_bounded(self) -> None:
        sent = Sent(max_lines=4)
        sent.add("a", "b", "c", "d", "e")
        assert sent.waves == [("m", ["a", "b", "c", "d"])]
        await sent.wait(2)
        small = Sent(max_bytes=25)
        small.add("a", "b", "c", "d", "e")
        await small.wait(3)
        assert [names for _, names in small.waves] == [["a", "b"], ["c", "d"], ["e"]]

    async def test_what_nobody_wants_any_more_is_left_out(self) -> None:
        sent = Sent()
        sent.unwanted = {"a", "c"}
        sent.add("a", "b", "c")
        await sent.wait(1)
        assert sent.waves == [("m", ["b"])]

    async def test_a_held_model_waits(self) -> None:
        sent = Sent()
        sent.gatherer.hold("m")
        sent.add("a")
        sent.add("b", model="other")
        await sent.wait(1)
        assert sent.waves == [("other", ["b"])]
        sent.gatherer.release("m")
        await sent.wait(2)
        assert sent.waves[1] == ("m", ["a"])

    async def test_after_a_refusal_only_so_much_is_under_way(self) -> None:
        sent = Sent()
        sent.gatherer.note_start("old", 10)
        sent.gatherer.note_start("refused", 8)
        assert sent.gatherer.shrink(8, 0.02) == 0.02 and sent.gatherer.shrink(8, 0.02) == 0.04
        sent.gatherer.note_end("refused")
        sent.gatherer.note_success()
        sent.add(*"abcdefgh")
        await sent.wait(1)
        assert sent.waves == [("m", ["a", "b", "c", "d"])]  # 10 others and half of 8
        sent.gatherer.note_end("old")
        await sent.wait(2)
        assert sent.waves[1] == ("m", ["e", "f", "g", "h"])

    async def test_a_refusal_of_one_request_still_leaves_room_for_one(self) -> None:
        sent = Sent()
        sent.gatherer.note_start("refused", 1)
        sent.gatherer.shrink(1, 0.001)
        sent.gatherer.note_end("refused")
        sent.add("a", "b")
        await sent.wait(1)
        assert sent.waves == [("m", ["a"])]

    async def test_closed_it_sends_nothing(self) -> None:
        sent = Sent()
        sent.add("a")
        sent.gatherer.close()
        await asyncio.sleep(0.05)
        assert sent.waves == []


class TestPatience:
    async def test_trouble_that_passes_is_waited_out(self) -> None:
        waits: list[float] = []

        async def pause(seconds: float) -> None:
            waits.append(seconds)

        faults = [CallError("busy", "rate", 7.0), CallError("oops", "server"), CallError("late", "timeout")]

        async def ask() -> str:
            if faults:
                raise faults.pop(0)
            return "done"

        assert await Patience(60, pause, 0.5).persist(ask) == "done"
        assert waits[0] == 7.0 and 0.25 <= waits[1] <= 1.0 and len(waits) == 3

    @pytest.mark.parametrize("error", [CallError("too long", "context"), CallError("bad", "request")])
    async def test_what_no_waiting_mends_ends_the_run(self, error: CallError) -> None:
        with pytest.raises(EndpointError, match=str(error)):
            await Patience(60, asyncio.sleep).bear(error)

    async def test_an_outage_ends_the_run(self) -> None:
        patience = Patience(0.0, asyncio.sleep, 0.0)
        with pytest.raises(EndpointError, match="cannot connect.*then resume"):
            await patience.bear(UnreachableError("cannot connect"))

    async def test_a_server_error_is_borne_longer_than_an_outage(self) -> None:
        await Patience(0.0, asyncio.sleep, 0.0).bear(CallError("500", "server"))

    async def test_a_particular_fault_comes_out_as_it_is(self) -> None:
        error = BatchGoneError("gone")
        with pytest.raises(BatchGoneError) as caught:
            await Patience(60, asyncio.sleep).bear(error)
        assert caught.value is error


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (LineFault(Fault(500), "batch_expired"), "timeout"),
        (LineFault(Fault(500), "request_timeout"), "timeout"),
        (LineFault(Fault(500, "no answer in the batch"), "batch_completed"), "server"),
        (LineFault(Fault(429)), "rate"),
        (LineFault(Fault(400, "Bad prompt.")), "request"),
    ],
)
def test_a_line_without_an_answer_has_the_error_of_a_live_call(found: LineFault, kind: str) -> None:
    error = explain_line(found, "the server")
    assert isinstance(error, CallError) and error.kind == kind


def test_a_cancelled_batch_ends_the_run() -> None:
    assert isinstance(explain_line(LineFault(Fault(500), "batch_cancelled"), "the server"), EndpointError)


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        ("failed", "token_limit_exceeded", "Enqueued token limit reached", True),
        ("failed", "", "Too many enqueued tokens", True),
        ("failed", "model_not_found", "", False),
        ("completed", "token_limit_exceeded", "", False),
    ],
)
def test_a_full_queue_is_told_from_other_refusals(status: str, code: str, message: str, expected: bool) -> None:
    assert BatchStatus("b", status, code=code, message=message).is_limit is expected


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"engine": "mock"}, "does not go with --engine mock"),
        ({"base_url": "http://127.0.0.1:1/v1,http://127.0.0.1:2/v1"}, "name only one in --base-url"),
        ({"base_url": "http://127.0.0.1:1/v1", "workers": 2}, "leave out --workers"),
    ],
)
def test_where_no_batches_can_be_had_one_line_says_so(settings: dict[str, Any], told: str) -> None:
    config = build_config({"model": "m", "batch": "all", **settings})
    with pytest.raises(ConfigError, match=told):
        choose_engine(config)


def test_the_journal_holds_no_texts(tmp_path: Path) -> None:
    journal = BatchJournal(tmp_path / "batches.jsonl")
    journal.begin(make_wave())
    journal.close()
    line = json.loads((tmp_path / "batches.jsonl").read_text())
    assert set(line) == {"wave", "state", "server", "model", "ids", "crc"}
