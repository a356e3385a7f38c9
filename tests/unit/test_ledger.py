"""The ledger: every call is in it whenever the process dies, damaged lines are named, and sums stay exact."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import culturepark.llm.ledger
from culturepark.errors import CallError, DataError
from culturepark.files import seal_line
from culturepark.llm.base import Reply, Request, Sampling, Usage
from culturepark.llm.booking import BookingClient
from culturepark.llm.ledger import Ledger, describe_spend
from culturepark.llm.meter import Bill, Meter
from culturepark.llm.prices import Price
from culturepark.llm.spend import Spend, read_book, read_spend, sum_up
from tests.builders import Fake

ROOT = Path(__file__).resolve().parents[2]
PRICE = Price("m", 300, 100, 1000)
ESTIMATE = Bill(100, 0, 50, 80_000, "estimated")
BILL = Bill(60, 20, 10, 24_000, "answered")
LOST = Bill(100, 0, 50, 80_000, "lost")


class Told:
    """Takes what the ledger tells of damage and keeps the line numbers."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __call__(self, file: Path, number: int, what: str) -> None:
        self.numbers.append(number)


def request(key: str = "d1/turn", model: str = "m") -> Request:
    return Request(key, "turn", model, ({"role": "user", "content": "hello"},), Sampling(max_tokens=20))


def count(*bills: Bill) -> Spend:
    spend = Spend()
    for bill in bills:
        spend.add(bill)
    return spend


def spent(folder: Path) -> Spend:
    return sum_up(read_spend(folder))


def fill(folder: Path, calls: int = 6, left_open: int = 2) -> None:
    """Some calls, the last of them never settled."""
    ledger = Ledger(folder)
    for k in range(calls):
        number = ledger.ask(f"d{k}/t", f"m{k % 2}", ESTIMATE)
        if k < calls - left_open:
            ledger.settle(number, BILL)
    ledger.close()


# --- What is counted --------------------------------------------------------------------------------------


def test_each_call_is_counted_for_what_became_of_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    bills = [BILL, Bill(how="failed"), Bill(how="unsent"), ESTIMATE, LOST, Bill(5, 0, 5, None)]
    for k, bill in enumerate(bills):
        ledger.settle(ledger.ask(f"d{k}/t", "m", ESTIMATE), bill, ms=k)
    wanted = Spend(
        calls=5, failed=1, lost=1, estimated=1, unpriced=1, input=265, cached=20, output=115, cost=184_000, ms=13
    )
    assert ledger.totals() == {"m": wanted} == read_spend(tmp_path)
    ledger.close()
    again = Ledger(tmp_path)
    assert again.totals() == {"m": wanted}
    assert again.snapshot() == describe_spend({"m": wanted})
    assert again.snapshot()["all"]["usd"] == 0.0 and again.snapshot()["models"]["m"]["cost"] == 184_000


def test_nothing_is_written_before_the_first_call(tmp_path: Path) -> None:
    Ledger(tmp_path / "spend").close()
    assert not (tmp_path / "spend").exists() and read_spend(tmp_path / "spend") == {}


def test_what_was_asked_and_never_settled_is_lost_at_its_estimate(tmp_path: Path) -> None:
    fill(tmp_path)
    assert read_spend(tmp_path) == {"m0": count(BILL, BILL, LOST), "m1": count(BILL, BILL, LOST)}
    ledger = Ledger(tmp_path)
    assert ledger.totals() == read_spend(tmp_path)
    under_way = ledger.ask("d9/t", "m0", ESTIMATE)
    assert ledger.totals()["m0"].calls == 3  # a call of this process is not lost
    ledger.settle(under_way, BILL)
    assert ledger.totals()["m0"] == count(BILL, BILL, LOST, BILL)


def test_any_number_of_kills_adds_up(tmp_path: Path) -> None:
    for sitting in range(5):
        fill(tmp_path)
        assert spent(tmp_path) == count(*[BILL, BILL, BILL, BILL, LOST, LOST] * (sitting + 1))


# --- A kill at any moment ---------------------------------------------------------------------------------


def truth(lines: list[bytes]) -> Spend:
    """What whole lines say, read independently of the code under test."""
    open_asks: set[int] = set()
    bills = []
    for line in lines:
        record = json.loads(line)
        if "ask" in record:
            open_asks.add(record["ask"])
        else:
            open_asks.remove(record["end"])
            bills.append(BILL)
    return count(*bills, *[LOST] * len(open_asks))


def test_a_file_cut_at_any_byte_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # thousands of files
    fill(tmp_path / "whole", calls=3, left_open=1)
    raw = (tmp_path / "whole" / "main.jsonl").read_bytes()
    path = tmp_path / "cut" / "main.jsonl"
    path.parent.mkdir()
    for end in range(len(raw) + 1):
        path.write_bytes(raw[:end])
        wanted = truth(raw[:end].split(b"\n")[:-1])
        assert spent(path.parent) == wanted, end
        damage: list[int] = []
        ledger = Ledger(path.parent, on_damage=Told(damage))
        ledger.settle(ledger.ask("d9/t", "m0", ESTIMATE), BILL)
        ledger.close()
        wanted.add(BILL)
        assert sum_up(ledger.totals()) == spent(path.parent) == wanted, end
        torn = [raw[:end].count(b"\n") + 1] if raw[:end].rpartition(b"\n")[2] else []
        assert damage == torn and ledger.unknown == 0 and read_book(path).damage == []


def test_a_killed_process_has_booked_every_call_it_made(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from culturepark.llm.ledger import Ledger
from culturepark.llm.meter import Bill
ledger, k = Ledger(Path({str(tmp_path)!r})), 0
while True:
    number = ledger.ask(f"d{{k}}/t", "m", Bill(100, 0, 50, 80_000, "estimated"))
    print("asked", flush=True)
    if k % 3:
        ledger.settle(number, Bill(60, 20, 10, 24_000))
        print("settled", flush=True)
    k += 1
"""
    for _ in range(2):
        before = spent(tmp_path)
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(501)]
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read().split("\n")[:-1]
        child.wait()
        child.stdout.close()
        asked, settled = told.count("asked"), told.count("settled")
        after = spent(tmp_path)
        assert asked <= after.calls - before.calls <= asked + 1
        answered = (after.calls - after.lost) - (before.calls - before.lost)
        assert settled <= answered <= settled + 1 and after.lost - before.lost >= asked // 3
        assert after.cost == 24_000 * (after.calls - after.lost) + 80_000 * after.lost


# --- Damage -----------------------------------------------------------------------------------------------


def test_a_flipped_byte_is_named_and_costs_at_most_an_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte of a file, each with one bit turned: never less than was spent, or the line is told as unknown."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    fill(tmp_path / "whole", calls=3, left_open=1)
    raw = (tmp_path / "whole" / "main.jsonl").read_bytes()
    real = truth(raw.split(b"\n")[:-1])
    path = tmp_path / "bad" / "main.jsonl"
    path.parent.mkdir()
    dice, unknown = random.Random(1), 0
    for place in range(len(raw) - 1):
        broken = bytearray(raw)
        broken[place] ^= 1 << dice.randrange(7)
        path.write_bytes(bytes(broken))
        damage: list[int] = []
        ledger = Ledger(path.parent, on_damage=Told(damage))
        line = raw[:place].count(b"\n") + 1
        assert line in damage or broken[place] == 10 or raw[place : place + 1] == b"\n", place
        unknown += ledger.unknown > 0
        told = sum_up(ledger.totals())
        if not ledger.unknown and b'"ask"' not in raw.split(b"\n")[line - 1]:
            assert told.cost >= real.cost, place
        assert (path.parent / "main.damaged").read_bytes() == bytes(broken)
        again_damaged: list[int] = []
        again = Ledger(path.parent, on_damage=Told(again_damaged))
        assert sum_up(again.totals()) == told and again.unknown == ledger.unknown and not again_damaged
    assert unknown


@pytest.mark.parametrize(("line", "wanted"), [(0, count(BILL, LOST)), (1, count(LOST, LOST)), (2, count(BILL, LOST))])
def test_a_damaged_but_readable_line_counts_at_its_estimate(tmp_path: Path, line: int, wanted: Spend) -> None:
    fill(tmp_path, calls=2, left_open=1)
    path = tmp_path / "main.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[line] = lines[line].replace(b'"model":', b'"model" :')
    path.write_bytes(b"\n".join(lines))
    told: list[Any] = []
    ledger = Ledger(tmp_path, on_damage=lambda *what: told.append(what))
    assert sum_up(ledger.totals()) == wanted and ledger.unknown == 0
    assert [(file, number) for file, number, _ in told] == [(path, line + 1)] and "estimate" in told[0][2]


def test_a_line_nobody_can_read_is_told_and_stays_told(tmp_path: Path) -> None:
    fill(tmp_path, calls=2, left_open=1)
    path = tmp_path / "main.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[2] = b"\x00\xff garbage"
    path.write_bytes(b"\n".join(lines))
    told: list[str] = []
    ledger = Ledger(tmp_path, on_damage=lambda file, number, what: told.append(what))
    assert ledger.unknown == 1 and "not known" in told[0] and sum_up(ledger.totals()) == count(BILL)
    ledger.close()
    assert Ledger(tmp_path).snapshot()["unknown_lines"] == 1


@pytest.mark.parametrize("copy", [0, 1])
def test_one_damaged_copy_of_the_totals_loses_nothing(tmp_path: Path, copy: int) -> None:
    fill(tmp_path)
    Ledger(tmp_path).close()  # compacts
    path = tmp_path / "main.jsonl"
    lines = path.read_bytes().split(b"\n")
    assert lines[0] == lines[1] and len(lines) == 5
    before = spent(tmp_path)
    lines[copy] = lines[copy].replace(b'"calls":2', b'"calls":1')
    path.write_bytes(b"\n".join(lines))
    told: list[str] = []
    ledger = Ledger(tmp_path, on_damage=lambda file, number, what: told.append(what))
    assert sum_up(ledger.totals()) == before and ledger.unknown == 0 and "copy" in told[0]


def test_both_copies_of_the_totals_damaged_is_told(tmp_path: Path) -> None:
    fill(tmp_path)
    Ledger(tmp_path).close()
    path = tmp_path / "main.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"calls":2', b'"calls":1'))
    ledger = Ledger(tmp_path, on_damage=lambda *told: None)
    assert ledger.unknown == 2


def take_out(path: Path, *numbers: int) -> None:
    """Take lines out of a file, counted from 1."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for k, line in enumerate(lines, 1) if k not in numbers))


@pytest.mark.parametrize(
    ("gone", "wanted", "unknown"),
    [
        ((1,), [BILL] * 4 + [LOST] * 2, 0),  # an ask: its end tells all
        ((4,), [BILL] * 3 + [LOST] * 3, 0),  # an end: its call counts at the estimate
        ((3, 4), [BILL] * 3 + [LOST] * 2, 1),  # a whole call
        ((3, 4, 5, 6), [BILL] * 2 + [LOST] * 2, 2),
        ((9,), [BILL] * 4 + [LOST], 1),  # a call that was under way
        ((2, 7), [BILL] * 3 + [LOST] * 3, 0),
    ],
)
def test_lines_taken_out_are_noticed(tmp_path: Path, gone: tuple[int, ...], wanted: list[Bill], unknown: int) -> None:
    fill(tmp_path)
    path = tmp_path / "main.jsonl"
    take_out(path, *gone)
    told: list[tuple[int, str]] = []
    ledger = Ledger(tmp_path, on_damage=lambda file, number, what: told.append((number, what)))
    assert sum_up(ledger.totals()) == count(*wanted) and ledger.unknown == unknown
    ((number, what),) = told
    assert number == min(gone) and what.startswith(f"comes after missing lines ({len(gone)})")
    assert ("not known" in what) == bool(unknown)
    ledger.settle(ledger.ask("new", "m0", ESTIMATE), BILL)
    ledger.close()
    assert not read_book(path).damage, "it is mended"


def test_the_last_call_may_be_the_one_that_is_missing(tmp_path: Path) -> None:
    """No number tells of a call that began after the last one whose line is there."""
    ledger = Ledger(tmp_path)
    first = ledger.ask("d0/t", "m", ESTIMATE)
    ledger.ask("d1/t", "m", ESTIMATE)
    ledger.settle(first, BILL)
    ledger.close()
    take_out(tmp_path / "main.jsonl", 2)
    assert read_book(tmp_path / "main.jsonl").unknown == 1


def test_a_line_taken_out_of_a_file_in_use_is_noticed(tmp_path: Path) -> None:
    """After a compaction and in a later sitting lines go on being numbered."""
    fill(tmp_path)
    ledger = Ledger(tmp_path)  # compacts: two totals, two asks
    for k in range(5):
        ledger.settle(ledger.ask(f"e{k}", "m", ESTIMATE), BILL)
    ledger.close()
    path = tmp_path / "main.jsonl"
    assert [json.loads(line).get("line") for line in path.read_bytes().splitlines()] == [None, None, *range(2, 14)]
    assert not read_book(path).damage
    before = spent(tmp_path)
    take_out(path, 7, 8)
    assert read_book(path).damage[0][0] == 7 and read_book(path).unknown == 1
    assert spent(tmp_path).calls == before.calls - 1


@pytest.mark.parametrize("copy", [1, 2])
def test_a_copy_of_the_totals_taken_out_loses_nothing(tmp_path: Path, copy: int) -> None:
    fill(tmp_path)
    Ledger(tmp_path).close()
    before = spent(tmp_path)
    take_out(tmp_path / "main.jsonl", copy)
    told: list[str] = []
    ledger = Ledger(tmp_path, on_damage=lambda file, number, what: told.append(what))
    assert sum_up(ledger.totals()) == before and ledger.unknown == 0
    assert told == ["had a copy, which is missing; nothing is lost by that"]


def test_both_totals_taken_out_are_noticed(tmp_path: Path) -> None:
    fill(tmp_path)
    Ledger(tmp_path).close()
    take_out(tmp_path / "main.jsonl", 1, 2)
    assert read_book(tmp_path / "main.jsonl").unknown == 2


def test_a_line_put_in_twice_counts_once(tmp_path: Path) -> None:
    fill(tmp_path)
    path, before = tmp_path / "main.jsonl", spent(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[3], lines[2]]))
    book = read_book(path)
    assert sum_up(book.by_model()) == before and book.unknown == 0
    assert book.damage == [(11, "is there twice and counts once"), (12, "is there twice and counts once")]


def test_lines_in_another_order_say_the_same(tmp_path: Path) -> None:
    fill(tmp_path, left_open=0)
    path, before = tmp_path / "main.jsonl", spent(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]))
    assert spent(tmp_path) == before and not read_book(path).damage


def test_files_of_older_versions_are_read_and_gone_on_with(tmp_path: Path) -> None:
    """Their lines have no numbers."""
    fill(tmp_path, calls=1, left_open=1)
    path = tmp_path / "main.jsonl"
    old = [{k: v for k, v in json.loads(line).items() if k != "line"} for line in path.read_bytes().splitlines()]
    path.write_bytes(b"".join(seal_line({k: v for k, v in r.items() if k not in ("len", "crc")}) for r in old))
    ledger = Ledger(tmp_path, on_damage=lambda *told: pytest.fail(str(told)))
    for k in range(3):
        ledger.settle(ledger.ask(f"e{k}", "m0", ESTIMATE), BILL)
    ledger.close()
    assert not read_book(path).damage and spent(tmp_path) == count(LOST, BILL, BILL, BILL)
    take_out(path, 4, 5)
    assert read_book(path).damage[0][0] == 4


def test_crlf_lines_are_noticed(tmp_path: Path) -> None:
    fill(tmp_path, calls=2, left_open=1)
    path = tmp_path / "main.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    book = read_book(path)
    assert len(book.damage) == 3 and book.unknown == 0 and sum_up(book.by_model()) == count(LOST, LOST)


# --- Compaction -------------------------------------------------------------------------------------------


def test_the_file_stays_small_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(culturepark.llm.ledger, "COMPACT_EVERY", 40)
    ledger = Ledger(tmp_path)
    dice, under_way, bills = random.Random(3), [], []
    longest = 0
    for k in range(500):
        under_way.append(ledger.ask(f"d{k}/t", "m", ESTIMATE))
        while len(under_way) > dice.randrange(9):
            ledger.settle(under_way.pop(dice.randrange(len(under_way))), BILL)
            bills.append(BILL)
        longest = max(longest, read_book(tmp_path / "main.jsonl").lines)
        assert spent(tmp_path) == count(*bills, *[LOST] * len(under_way))
    assert longest <= 40 + 2 + 9 and sum_up(ledger.totals()) == count(*bills)
    for number in under_way:
        ledger.settle(number, BILL)
    ledger.close()
    Ledger(tmp_path).close()
    assert read_book(tmp_path / "main.jsonl").lines == 2 and spent(tmp_path) == count(*[BILL] * 500)


def test_a_compaction_that_breaks_off_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    before = (tmp_path / "main.jsonl").read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError, match="the disk is full; free space or mend it, then resume"):
        Ledger(tmp_path)
    assert (tmp_path / "main.jsonl").read_bytes() == before and not list(tmp_path.glob("*.part"))


# --- Several writers, batches, disks ----------------------------------------------------------------------


def test_writers_have_files_of_their_own_and_one_sum(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path, "w0"), Ledger(tmp_path, "w1")
    first.settle(first.ask("a/t", "m", ESTIMATE), BILL)
    second.settle(second.ask("b/t", "m", ESTIMATE), BILL)
    second.ask("c/t", "m", ESTIMATE)
    first.close(), second.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w0.jsonl", "w1.jsonl"]
    assert spent(tmp_path) == count(BILL, BILL, LOST)
    third = Ledger(tmp_path, "main")
    assert sum_up(third.totals()) == count(BILL, BILL, LOST)
    with pytest.raises(ValueError):
        Ledger(tmp_path, "../evil")


def test_a_batch_that_outlived_the_process_is_not_lost(tmp_path: Path) -> None:
    fill(tmp_path, calls=3, left_open=2)
    ledger = Ledger(tmp_path)
    assert ledger.recover("d1/t") == ESTIMATE and ledger.recover("d1/t") is None and ledger.recover("d0/t") is None
    assert sum_up(ledger.totals()) == spent(tmp_path) == count(BILL, LOST)
    ledger.close()
    assert sum_up(Ledger(tmp_path).totals()) == count(BILL, LOST)


@pytest.mark.parametrize("fits", [0, 7])
@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EIO, "reports an error")],
)
def test_a_full_disk_is_one_line_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, fits: int
) -> None:
    fill(tmp_path, calls=2, left_open=0)
    ledger = Ledger(tmp_path)
    asked = ledger.ask("d7/t", "m", ESTIMATE)
    before = spent(tmp_path)
    write, done = os.write, []

    def fail(handle: int, data: bytes) -> int:
        if fits and not done:
            done.append(write(handle, data[:fits]))
            return fits
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        for attempt in (lambda: ledger.settle(asked, BILL), lambda: ledger.ask("d8/t", "m", ESTIMATE)):
            with pytest.raises(DataError, match=words):
                attempt()
    assert spent(tmp_path) == before and list(ledger._book.open) == [asked]
    ledger.settle(asked, BILL)  # once there is room again
    ledger.close()
    assert spent(tmp_path) == count(BILL, BILL, BILL) and not read_book(tmp_path / "main.jsonl").damage


def test_power_durability_syncs_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for durable in (False, True):
        synced.clear()
        monkeypatch.setattr(culturepark.llm.ledger.time, "monotonic", lambda: 0.0)
        ledger = Ledger(tmp_path / str(durable), durable=durable)
        for k in range(256):
            ledger.settle(ledger.ask(f"d{k}/t", "m", ESTIMATE), BILL)
        assert len(synced) == (2 if durable else 0)
        ledger.ask("d/t", "m", ESTIMATE)
        ledger.close()
        assert len(synced) == (3 if durable else 0)


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "main.jsonl").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        Ledger(tmp_path)


# --- The client -------------------------------------------------------------------------------------------


async def test_the_client_books_before_and_after(tmp_path: Path) -> None:
    seen: list[Spend] = []

    def answer(asked: Request) -> Reply | Exception:
        seen.append(spent(tmp_path))
        return {
            "ok": Reply("x", usage=Usage(15, 10, 5)),
            "mute": Reply("x"),
            "slow": CallError("no answer", "timeout"),
            "busy": CallError("busy", "rate"),
        }[asked.key]

    meter = Meter(lambda model: PRICE)
    ledger = Ledger(tmp_path)
    client = BookingClient(Fake(answer), ledger, meter)
    estimate = meter.estimate(request())
    for key in ("ok", "mute", "slow", "busy"):
        try:
            await client.reply(request(key))
        except CallError:
            assert key in ("slow", "busy")
    lost = [one.lost for one in seen]
    assert lost == [1, 1, 1, 2]  # in the file before the call goes out
    found = ledger.totals()["m"]
    assert (found.calls, found.failed, found.lost, found.estimated) == (4, 1, 1, 1)
    assert estimate.cost is not None and found.cost == PRICE.cost(Usage(15, 10, 5)) + 2 * estimate.cost
    await client.close()


async def test_a_cancelled_call_stays_open_and_counts_as_lost(tmp_path: Path) -> None:
    class Never:
        async def reply(self, asked: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        async def close(self) -> None:
            return None

    ledger = Ledger(tmp_path)
    call = asyncio.create_task(BookingClient(Never(), ledger, Meter(lambda model: PRICE)).reply(request("d5/t")))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    ledger.close()
    assert spent(tmp_path).lost == 1
    assert Ledger(tmp_path).recover("d5/t") is not None
