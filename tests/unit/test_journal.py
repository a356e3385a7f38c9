"""The writer of a run folder: order and grouping of writes, full disks, locks, checkpoints, and what power loss finds."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import ConfigError, DataError
from culturepark.files import unseal_line
from culturepark.records import Dialogue
from culturepark.runs import journal as journal_module
from culturepark.runs.checkpoint import read_checkpoint
from culturepark.runs.counts import Counts
from culturepark.runs.folder import Run
from culturepark.runs.journal import Commit, RunFolder, read_journal
from culturepark.runs.lock import take_lock
from tests.builders import make_dialogue, make_turns

FILES = ("journal.jsonl", "dialogues.jsonl", "samples.jsonl", "rejected.jsonl")


def make_commit(position: int) -> Commit:
    dialogue: Dialogue = make_dialogue(make_turns("Hello there, my friend.", "And to you."))
    talk = dialogue.model_copy(update={"id": f"d{position:06d}", "calls": position})
    return Commit(position, talk, (), (), (0, 0), ())


def write(path: Path, first: int, last: int, **settings: Any) -> RunFolder:
    folder = RunFolder(path, **settings)
    for position in range(first, last):
        folder.write(make_commit(position))
    return folder


def read_all(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in FILES}


def test_every_line_is_json_and_proves_itself(tmp_path: Path) -> None:
    write(tmp_path, 0, 3, fingerprint="abc").close()
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    assert [unseal_line(line) for line in lines] == records
    assert records[0]["journal"] == 2 and records[0]["fingerprint"] == "abc"
    assert [r["position"] for r in records[1:]] == [0, 1, 2]
    for line, record in zip(lines, records, strict=True):
        assert list(record)[-2:] == ["len", "crc"] and line.index(b',"len":') == record["len"]


def test_a_group_is_one_write_a_file_and_the_journal_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path, 0, 1)
    writes: list[str] = []
    real = journal_module._write_all

    def note(file: Any, chunk: bytes) -> None:
        writes.append(Path(file.name).name)
        real(file, chunk)

    monkeypatch.setattr(journal_module, "_write_all", note)
    with folder.group():
        for position in range(1, 6):
            folder.write(make_commit(position))
        assert writes == [] and len(list(read_journal(tmp_path))) == 1
    assert writes == ["dialogues.jsonl", "samples.jsonl", "rejected.jsonl", "journal.jsonl"]
    folder.close()
    write(tmp_path / "single", 0, 6).close()
    assert read_all(tmp_path) == read_all(tmp_path / "single")


def test_what_a_group_holds_is_kept_when_something_breaks_it_off(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(RuntimeError), folder.group():
        folder.write(make_commit(0))
        raise RuntimeError
    folder.close()
    assert len(list(read_journal(tmp_path))) == 1


def test_durable_syncs_groups_of_dialogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync

    def sync(handle: int) -> None:
        synced.append(handle)
        real(handle)

    folder = RunFolder(tmp_path, durable=True)
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(journal_module, "_SYNC_AFTER_S", 1e9)
    for position in range(64):
        folder.write(make_commit(position))
    names = [Path(file.name).name for file in folder._files]
    assert len(synced) == 4 and names == ["dialogues.jsonl", "samples.jsonl", "rejected.jsonl", "journal.jsonl"]
    assert synced == [file.fileno() for file in folder._files], "data before the journal"
    folder.write(make_commit(64))
    assert len(synced) == 4
    folder.close()
    assert len(synced) == 8


# --- Disks ---------------------------------------------------------------------------------------------------------

FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is full",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reports an error",
    errno.EACCES: "no permission to write",
}


@pytest.mark.parametrize("number", FAULTS)
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("half", [False, True], ids=["nothing", "a part"])
def test_a_failed_write_is_one_line_and_nothing_half_written_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, place: int, half: bool
) -> None:
    folder = write(tmp_path, 0, 2)
    folder.write_manifest({"fingerprint": "x", "schema_version": 2, "counts": {"dialogues": 2}})
    real, left = journal_module._write_all, [place]

    def fail(file: Any, chunk: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            if half:
                real(file, chunk[: len(chunk) // 2])
            raise OSError(number, os.strerror(number))
        real(file, chunk)

    monkeypatch.setattr(journal_module, "_write_all", fail)
    with pytest.raises(DataError, match=FAULTS[number] + ".*same command") as caught:
        folder.write(make_commit(2))
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=FAULTS[number]):
        folder.write(make_commit(3))
    with pytest.raises(DataError, match=FAULTS[number]):  # it would tell of what is not there
        folder.write_manifest({"fingerprint": "x", "counts": {"dialogues": 3}})
    folder.close()
    monkeypatch.setattr(journal_module, "_write_all", real)
    assert Run(tmp_path).counts().dialogues == 2
    again = RunFolder(tmp_path)
    assert again.damage == [] and len(list(again.lines)) == 2
    for position in (2, 3):
        again.write(make_commit(position))
    again.close()
    write(tmp_path / "calm", 0, 4).close()
    assert read_all(tmp_path) == read_all(tmp_path / "calm")


@pytest.mark.parametrize("number", FAULTS)
def test_a_manifest_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    folder = RunFolder(tmp_path)
    folder.write_manifest({"fingerprint": "old", "schema_version": 2})

    def fail(old: Any, new: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError, match=f"manifest.json: {FAULTS[number]}"):
        folder.write_manifest({"fingerprint": "new", "schema_version": 2})
    folder.close()
    assert Run(tmp_path).manifest["fingerprint"] == "old"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="file/run.*choose another --output-dir"):
        RunFolder(tmp_path / "file" / "run")
    real = Path.open

    def refuse(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if "a" in mode or "w" in mode or "+" in mode:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="the disk is read-only; choose another --output-dir"):
        RunFolder(tmp_path / "run")


# --- Locks -------------------------------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from culturepark.runs.lock import take_lock
lock = take_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_process_is_told_who_holds_the_run_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=rf"another process is working on this run \({holder.pid} on ") as caught:
            RunFolder(tmp_path)
        assert "\n" not in str(caught.value)
        holder.kill()
        holder.wait()
    with take_lock(path):
        assert path.read_text().split()[0] == str(os.getpid())


def test_whatever_a_lock_file_holds_is_not_shown_as_it_is(tmp_path: Path) -> None:
    with take_lock(tmp_path / ".lock"):
        (tmp_path / ".lock").write_bytes(b"\x1b[31m evil\n")
        with pytest.raises(ConfigError, match="working on this run; wait"):
            take_lock(tmp_path / ".lock")


# --- Checkpoints -------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkpointed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of 11 dialogues with a checkpoint after the tenth."""
    monkeypatch.setattr(journal_module, "CHECKPOINT_EVERY", 5)
    write(tmp_path / "run", 0, 11).close()
    (tmp_path / "run" / "manifest.json").write_text('{"fingerprint": "x"}')
    return tmp_path / "run"


def test_a_checkpoint_gives_what_counting_gives(checkpointed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = read_checkpoint(checkpointed)
    assert point is not None and point.counts.dialogues == 10
    added: list[int] = []
    real = Counts.add

    def add(self: Counts, line: Any) -> None:
        added.append(line["position"])
        real(self, line)

    monkeypatch.setattr(Counts, "add", add)
    counts = Run(checkpointed).counts()
    assert added == [10] and counts.calls == sum(range(11))
    (checkpointed / "checkpoint.json").unlink()
    assert Run(checkpointed).counts() == counts and len(added) == 12
    folder = RunFolder(checkpointed)
    assert folder.counts == counts and [line["position"] for line in folder.lines] == list(range(11))
    folder.close()


@pytest.mark.parametrize("name", ["journal.jsonl", "dialogues.jsonl", "checkpoint.json"])
def test_a_checkpoint_hides_no_damage(checkpointed: Path, name: str) -> None:
    data = bytearray((checkpointed / name).read_bytes())
    data[len(data) // 3] ^= 1
    (checkpointed / name).write_bytes(data)
    folder = RunFolder(checkpointed)
    kept = len(list(folder.lines))
    if name == "checkpoint.json":
        assert folder.damage == [] and kept == 11
    else:
        assert [d.file for d in folder.damage] == [name] and 2 < kept < 5
    for position in range(kept, 11):
        folder.write(make_commit(position))
    folder.close()
    write(checkpointed.parent / "calm", 0, 11).close()
    assert read_all(checkpointed) == read_all(checkpointed.parent / "calm")
    assert Run(checkpointed).counts().calls == sum(range(11))


def test_a_checkpoint_that_knows_more_than_the_journal_tells_of_lost_lines(checkpointed: Path) -> None:
    lines = (checkpointed / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (checkpointed / "journal.jsonl").write_bytes(b"".join(lines[:8]))
    folder = RunFolder(checkpointed)
    folder.close()
    assert "has lost its lines after the first 7 dialogues" in folder.describe_damage()


def test_counts_come_back_from_json() -> None:
    counts = Counts(dialogues=3, usage={"turn": [1, 2, 3, 4]}, stages={"harm": {"arab": [5, 1]}})
    counts.cells["arab", "care", 2] += 3
    counts.reasons["harm"] += 1
    assert Counts.load(json.loads(json.dumps(counts.dump()))) == counts
