"""The reply log: what survives a kill, what damage costs, and when a changed request is asked anew."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.errors import CallError, DataError
from culturepark.llm.base import Reply, Request, Usage
from culturepark.llm.replay import ReplayClient, ReplyLog
from culturepark.llm.reply_lines import dump_reply, parse_reply


@dataclass
class Echo:
    """Answers with what it was asked and counts; ``fail`` makes the next call fail."""

    asked: list[str] = field(default_factory=list)
    fail: bool = False
    suffix: str = ""

    async def reply(self, request: Request) -> Reply:
        self.asked.append(request.key)
        if self.fail:
            raise CallError("no", "server")
        text = f"{request.messages[-1]['content']}!{self.suffix}"
        return Reply(text, "length", Usage(7, 2, 3), "echo-1", "a refusal")

    async def close(self) -> None:
        return None


def shard_of(key: str) -> int:
    return int(key.split("/")[0]) % 2


def make_request(key: str, text: str = "Hello") -> Request:
    return Request(key, "turn", "echo", ({"role": "user", "content": text},))


async def ask(folder: Path, keys: list[str], inner: Echo, text: str = "Hello") -> tuple[list[Reply], ReplyLog]:
    """One run: asks for every key over a fresh log and closes it."""
    log = ReplyLog(folder, shard_of)
    client = ReplayClient(inner, log)
    replies = [await client.reply(make_request(key, text)) for key in keys]
    await client.close()
    return replies, log


KEYS = [f"{i}/{step}" for i in range(4) for step in range(3)]


async def test_a_second_run_asks_nothing_and_gets_the_same(tmp_path: Path) -> None:
    first, _ = await ask(tmp_path / "replies", KEYS, Echo())
    inner = Echo(suffix=" other")
    second, log = await ask(tmp_path / "replies", KEYS, inner)
    assert inner.asked == [] and (log.damaged, log.stale) == (0, 0)
    assert second == [replace(reply, replayed=True) for reply in first]
    assert not any(reply.replayed for reply in first)


async def test_lines_lie_in_the_file_of_their_shard(tmp_path: Path) -> None:
    await ask(tmp_path, KEYS, Echo())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.jsonl", "00001.jsonl"]
    lines = [json.loads(line) for line in (tmp_path / "00001.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == [key for key in KEYS if shard_of(key) == 1]
    assert list(lines[0]) == ["shard", "key", "hash", "reply", "len", "crc"] and len(lines[0]["crc"]) == 8
    assert {line["shard"] for line in lines} == {1}
    assert lines[0]["reply"] == {
        "text": "Hello!",
        "finish": "length",
        "usage": {"input": 7, "cached": 2, "output": 3},
        "model": "echo-1",
        "refusal": "a refusal",
    }


async def test_only_asked_shards_are_read(tmp_path: Path) -> None:
    await ask(tmp_path, KEYS, Echo())
    (tmp_path / "00001.jsonl").write_text("broken\n")
    _, log = await ask(tmp_path, ["0/0", "2/1"], Echo())
    assert log.damaged == 0


async def test_a_torn_last_line_is_cut_and_asked_again(tmp_path: Path) -> None:
    await ask(tmp_path, ["0/0", "0/1", "0/2"], Echo())
    path = tmp_path / "00000.jsonl"
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        inner = Echo()
        _, log = await ask(tmp_path, ["0/0", "0/1", "0/2"], inner)
        assert inner.asked == (["0/2"] if end < len(whole) - 1 else []) and log.damaged == 0
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.replace(b"Hello", b"Hullo"),
        lambda line: line[:-20] + b"\n",
        lambda line: b"\x00" * len(line[:-1]) + b"\n",
        lambda line: b"[]\n",
        lambda line: b"\xff\xfe\n",
        lambda line: line.replace(b'"crc":"', b'"crc":"f'),
        lambda line: line.replace(b'"len":1', b'"len":2'),
        lambda line: line.replace(b'"shard":0', b'"shard":1'),
    ],
)
async def test_a_damaged_line_costs_only_its_own_reply(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    await ask(tmp_path, ["0/0", "0/1", "0/2"], Echo())
    path = tmp_path / "00000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + damage(lines[1]) + lines[2])
    told: list[str] = []
    inner = Echo()
    log = ReplyLog(tmp_path, shard_of, on_damage=told.append)
    client = ReplayClient(inner, log)
    for key in ("0/0", "0/1", "0/2", "0/1"):
        await client.reply(make_request(key))
    await client.close()
    assert inner.asked == ["0/1"] and log.damaged == 1
    assert told == [f"{path}: line 2: damaged, asked for again where still needed"]


async def test_damage_is_logged_without_a_callback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "00000.jsonl").write_text("broken\n")
    await ask(tmp_path, ["0/0"], Echo())
    assert "00000.jsonl: line 1: damaged" in caplog.text


async def test_a_changed_request_is_asked_anew_and_both_are_kept(tmp_path: Path) -> None:
    await ask(tmp_path, ["0/0"], Echo(), "Hello")
    inner = Echo()
    (reply,), log = await ask(tmp_path, ["0/0"], inner, "Goodbye")
    assert reply.text == "Goodbye!" and inner.asked == ["0/0"] and log.stale == 1
    inner = Echo()
    for text in ("Hello", "Goodbye"):
        (reply,), log = await ask(tmp_path, ["0/0"], inner, text)
        assert reply.text == f"{text}!" and log.stale == 0
    assert inner.asked == []


async def test_errors_are_not_logged(tmp_path: Path) -> None:
    with pytest.raises(CallError):
        await ask(tmp_path, ["0/0"], Echo(fail=True))
    inner = Echo()
    await ask(tmp_path, ["0/0"], inner)
    assert inner.asked == ["0/0"]


async def test_forget_closes_the_file_and_the_shard_is_read_again(tmp_path: Path) -> None:
    log, inner = ReplyLog(tmp_path, shard_of), Echo()
    client = ReplayClient(inner, log)
    before = len(os.listdir("/proc/self/fd"))
    await client.reply(make_request("0/0"))
    await client.reply(make_request("1/0"))
    assert len(os.listdir("/proc/self/fd")) == before + 2
    log.forget(0)
    log.forget(7)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    assert (await client.reply(make_request("0/0"))).replayed
    await client.reply(make_request("0/1"))
    await client.close()
    assert inner.asked == ["0/0", "1/0", "0/1"] and len(os.listdir("/proc/self/fd")) == before


async def test_text_that_utf8_cannot_hold_is_the_same_before_and_after_a_restart(tmp_path: Path) -> None:
    (first,), _ = await ask(tmp_path, ["0/0"], Echo(suffix="\ud83d"))
    (second,), log = await ask(tmp_path, ["0/0"], Echo())
    assert first.text == second.text == "Hello!?" and log.damaged == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5), st.text(max_size=8))
def test_any_text_comes_back(texts: list[str], refusal: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = ReplyLog(Path(folder), lambda key: 0)
        for number, text in enumerate(texts):
            log.append(f"{number}/x", "h", Reply(text, refusal=refusal))
        log.close()
        again = ReplyLog(Path(folder), lambda key: 0)
        found = [again.find(f"{number}/x", "h") for number in range(len(texts))]
        assert found == [Reply(text, refusal=refusal, replayed=True) for text in texts] and again.damaged == 0


# Disks


async def test_a_full_disk_stops_the_run_with_a_clear_line(tmp_path: Path) -> None:
    log = ReplyLog(tmp_path, shard_of)
    assert log.find("0/0", "h") is None
    (tmp_path / "00000.jsonl").symlink_to("/dev/full")
    with pytest.raises(DataError, match="00000.jsonl: the disk is full; free space.*resume"):
        log.append("0/0", "h", Reply("x"))
    log.close()


def test_a_write_that_fits_only_in_part_leaves_no_half_line(tmp_path: Path) -> None:
    log = ReplyLog(tmp_path, shard_of)
    log.append("0/0", "h", Reply("x"))
    path = tmp_path / "00000.jsonl"
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, hard))
    try:
        with pytest.raises(DataError, match="cannot be written"):
            log.append("0/1", "h", Reply("y"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == size
    log.append("0/1", "h", Reply("y"))
    log.close()
    again = ReplyLog(tmp_path, shard_of)
    assert again.find("0/1", "h") is not None and again.damaged == 0


def test_an_unreadable_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "00000.jsonl").mkdir()
    with pytest.raises(DataError, match="00000.jsonl: cannot be read"):
        ReplyLog(tmp_path, shard_of).find("0/0", "h")


def count_syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    real = os.fsync

    def sync(handle: int) -> None:
        calls.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    return calls


def test_durable_syncs_in_batches_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_syncs(monkeypatch)
    log = ReplyLog(tmp_path, shard_of, durable=True)
    for number in range(300):
        log.append("0/0", f"h{number}", Reply("x"))
    assert 1 <= len(calls) <= 3  # every 256, and every second on a slow machine
    log.close()
    assert 2 <= len(calls) <= 4
    plain = ReplyLog(tmp_path / "plain", shard_of)
    done = len(calls)
    plain.append("0/0", "h", Reply("x"))
    plain.close()
    assert len(calls) == done


async def test_durable_syncs_within_a_second_of_the_last_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("culturepark.llm.replay._SYNC_AFTER_S", 0.02)
    calls = count_syncs(monkeypatch)
    log = ReplyLog(tmp_path, shard_of, durable=True)
    log.append("0/0", "h", Reply("x"))
    await asyncio.sleep(0.2)
    assert len(calls) == 1
    log.close()
    assert len(calls) == 1


async def test_a_failed_sync_of_the_timer_stops_the_next_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [OSError(28, "No space left on device")]  # the kernel tells a failed sync only once

    def fail(_: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr("culturepark.llm.replay._SYNC_AFTER_S", 0.02)
    monkeypatch.setattr(os, "fsync", fail)
    log = ReplyLog(tmp_path, shard_of, durable=True)
    log.append("0/0", "h", Reply("x"))
    await asyncio.sleep(0.2)
    with pytest.raises(DataError, match="the disk is full"):
        log.append("0/1", "h", Reply("x"))


WRITER = """
import sys
from pathlib import Path
from culturepark.llm.base import Reply
from culturepark.llm.replay import ReplyLog
log = ReplyLog(Path(sys.argv[1]), lambda key: 0)
number = 0
while True:
    log.append(f"0/{number}", "h", Reply("word " * 200))
    print(number, flush=True)
    number += 1
"""


def test_everything_logged_before_a_real_kill_is_there(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
        time.sleep(0.05)
        writer.send_signal(signal.SIGKILL)
        said = writer.stdout.read().split()
    last = int(said[-1]) if said else 49
    log = ReplyLog(tmp_path, lambda key: 0)
    assert all(log.find(f"0/{number}", "h") for number in range(last))
    assert log.damaged == 0


# Shards: marks, swapped files, several writers


def fill(folder: Path, *numbers: int) -> None:
    """A log of three replies in each shard; all shards are finished and marked."""
    log = ReplyLog(folder, lambda key: int(key.split("/")[0]))
    for number in numbers:
        for step in range(3):
            log.append(f"{number}/{step}", "h", Reply(f"reply {number}.{step}", usage=Usage(5, 1, 2)))
        log.forget(number)
    log.close()


def open_told(folder: Path, **more: str) -> tuple[ReplyLog, list[str]]:
    told: list[str] = []
    return ReplyLog(folder, lambda key: int(key.split("/")[0]), on_damage=told.append, **more), told


def texts(log: ReplyLog, number: int) -> list[str]:
    found = [log.find(f"{number}/{step}", "h") for step in range(3)]
    return [reply.text for reply in found if reply]


def test_a_finished_shard_is_marked_with_what_it_held(tmp_path: Path) -> None:
    fill(tmp_path, 0, 1)
    marks = [json.loads(line) for line in (tmp_path / "marks.jsonl").read_text().splitlines()]
    whole = (tmp_path / "00001.jsonl").read_bytes()
    assert [mark["shard"] for mark in marks] == [0, 1]
    assert marks[1]["file"] == "00001.jsonl" and marks[1]["bytes"] == len(whole) and marks[1]["lines"] == 3
    assert marks[1]["usage"] == [3, 15, 3, 6] and marks[1]["sum"] == zlib.crc32(whole)
    log, told = open_told(tmp_path)
    assert len(texts(log, 1)) == 3
    log.forget(1)
    log.close()
    assert len((tmp_path / "marks.jsonl").read_text().splitlines()) == 2 and told == [], "nothing changed: no new mark"


def test_closing_marks_nothing(tmp_path: Path) -> None:
    log = ReplyLog(tmp_path, lambda key: 0)
    log.append("0/0", "h", Reply("x"))
    log.close()
    assert not (tmp_path / "marks.jsonl").exists()


def test_a_missing_marked_shard_is_named_once(tmp_path: Path) -> None:
    fill(tmp_path, 0, 1, 2)
    (tmp_path / "00001.jsonl").unlink()
    (tmp_path / "00002.jsonl").write_bytes((tmp_path / "00002.jsonl").read_bytes()[:50])
    log, told = open_told(tmp_path)
    assert texts(log, 0) == ["reply 0.0", "reply 0.1", "reply 0.2"] and texts(log, 1) == []
    assert len(told) == 1 and "00001.jsonl and 1 more: missing or cut off" in told[0]


def test_lines_cut_from_a_marked_shard_are_noticed(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    path = tmp_path / "00000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2], lines[2], lines[2]]))
    log, told = open_told(tmp_path)
    assert texts(log, 0) == ["reply 0.0", "reply 0.2"]
    assert told == [f"{path}: is not as it was when its shard ended; what is whole in it is used"]


def test_a_shard_that_grew_after_its_mark_is_whole(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    log, told = open_told(tmp_path)
    log.append("0/9", "h", Reply("more"))
    log.close()
    log, told = open_told(tmp_path)
    assert log.find("0/9", "h") and told == []


def test_swapped_files_are_noticed_and_used_where_they_belong(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    (tmp_path / "00001.jsonl").rename(tmp_path / "x")
    (tmp_path / "00002.jsonl").rename(tmp_path / "00001.jsonl")
    (tmp_path / "x").rename(tmp_path / "00002.jsonl")
    for _ in range(2):
        log, told = open_told(tmp_path)
        assert texts(log, 2) == [f"reply 2.{step}" for step in range(3)]
        assert texts(log, 1) == [f"reply 1.{step}" for step in range(3)]
        assert [text for text in told if "holds replies of shard" in text] == told and len(told) == 2
        log.append("1/7", "h", Reply("new"))  # goes to the file of its name, which now holds both
        assert log.find("2/7", "h") is None
        log.close()


def test_a_renamed_file_is_found_by_its_lines(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    (tmp_path / "00001.jsonl").rename(tmp_path / "00007.jsonl")
    log, _ = open_told(tmp_path)
    assert texts(log, 1) == ["reply 1.0", "reply 1.1", "reply 1.2"]


def test_two_lines_that_lost_the_line_feed_between_them_are_both_used(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    path = tmp_path / "00000.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\x0b", 1))
    log, told = open_told(tmp_path)
    assert texts(log, 0) == ["reply 0.0", "reply 0.1", "reply 0.2"] and "line 1: damaged" in told[0]


def test_changed_line_ends_cost_nothing(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    path = tmp_path / "00000.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    log, told = open_told(tmp_path)
    assert len(texts(log, 0)) == 3 and log.damaged == 0
    assert "other line ends" in told[0]


def test_damage_of_many_lines_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "00000.jsonl").write_bytes(b"junk\n" * 9)
    log, told = open_told(tmp_path)
    assert texts(log, 0) == [] and log.damaged == 9
    assert told == [
        f"{tmp_path / '00000.jsonl'}: line 1, 2, 3, 4, 5 and 4 more: damaged, asked for again where still needed"
    ]


def test_each_writer_appends_to_its_own_file_and_reads_all(tmp_path: Path) -> None:
    one, _ = open_told(tmp_path, writer="w1")
    two, _ = open_told(tmp_path, writer="w2")
    assert one.find("3/0", "h") is None and two.find("3/0", "h") is None
    one.append("3/0", "h", Reply("reply 3.0"))
    assert two.find("3/0", "h") is None, "a shard is read when it is first asked for"
    two.reload(3)
    assert texts(two, 3) == ["reply 3.0"]
    two.append("3/1", "h", Reply("reply 3.1"))
    two.forget(3)
    one.close()
    two.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00003.w1.jsonl", "00003.w2.jsonl", "marks.w2.jsonl"]
    alone, told = open_told(tmp_path)
    assert texts(alone, 3) == ["reply 3.0", "reply 3.1"] and told == []


def test_another_writers_unfinished_line_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path / "full", 3)
    whole = (tmp_path / "full" / "00003.jsonl").read_bytes()
    (tmp_path / "00003.w1.jsonl").write_bytes(whole[:-9])
    log, told = open_told(tmp_path, writer="w2")
    assert texts(log, 3) == ["reply 3.0", "reply 3.1"] and told == []
    assert (tmp_path / "00003.w1.jsonl").read_bytes() == whole[:-9]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_flipped_bit_never_changes_a_reply(data: st.DataObject) -> None:
    line = dump_reply(4, "d000001/turn3", "abcdef", Reply('He said: "}\\n,"len":3', refusal="no", usage=Usage(1, 2, 3)))
    place = data.draw(st.integers(0, len(line) - 2))
    flipped = bytearray(line)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    assert parse_reply(line) is not None and parse_reply(bytes(flipped)) is None


def test_every_cut_of_a_line_is_noticed() -> None:
    line = dump_reply(4, "d000001/turn3", "abcdef", Reply("Hello", digits=((0, (0.5,) * 10),)))
    assert parse_reply(line) is not None
    assert not any(parse_reply(line[:end] + b"\n") for end in range(len(line) - 1))
    assert not any(parse_reply(line[start:]) for start in range(1, len(line)))
