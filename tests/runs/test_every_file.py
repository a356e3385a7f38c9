"""Every file of an unfinished run, damaged in every way: named, mended, and the bytes of a run that nobody touched.

The run has several reply files, shard marks, checkpoints and stretches, so all of them are read on resuming.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import culturepark
from culturepark.errors import DataError
from culturepark.llm.spend import read_spend, sum_up
from culturepark.runs import journal, order, runner
from culturepark.runs.events import read_events
from culturepark.runs.journal import RunFolder
from tests.runs.test_damage import FILES, SETTINGS, note_calls, run_again, same, stop_after

NAMES = (
    *FILES,
    "replies/00000.jsonl",
    "replies/00001.jsonl",
    "replies/marks.jsonl",
    "spend/main.jsonl",
    "run.json",
    "manifest.json",
    "checkpoint.json",
    "recall.bin",
    "events.jsonl",
    "README.md",
    "report.md",
    "stances.csv",
    ".lock",
)
# Made from the others at every opening or ending: what was in them is not missed, and not told.
DERIVED = {"checkpoint.json", "recall.bin", "events.jsonl", "README.md", "report.md", "stances.csv", ".lock"}
Edit = Callable[[bytes], bytes]


def flip(share: float) -> Edit:
    def edit(data: bytes) -> bytes:
        place = int(share * (len(data) - 1))
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return edit


def drop_line(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[: len(lines) // 2], *lines[len(lines) // 2 + 1 :]])


def halve_last_line(data: bytes) -> bytes:
    return data[: -max(1, len(data.splitlines(keepends=True)[-1]) // 2)]


EDITS: dict[str, Edit] = {
    "a byte early": flip(0.03),
    "a byte in the middle": flip(0.5),
    "half a line at the end": halve_last_line,
    "half a line too many": lambda data: data + data[:30].replace(b"\n", b" "),
    "a line gone": drop_line,
    "a line twice": lambda data: data[: data.find(b"\n") + 1] + data,
    "two lines swapped": lambda data: b"".join([*data.splitlines(keepends=True)[::-1]]),
    "nothing in it": lambda data: b"",
    "zeros in it": lambda data: bytes(len(data)),
    "an older version": lambda data: data.replace(b'ersion":2', b'ersion":1').replace(b'"journal":2', b'"journal":1'),
}
HOWS = (*EDITS, "missing", "a folder in its place")
HEADLESS = ("nothing in it", "an older version")  # nothing is cut: the file is empty, or only its first line is wrong
FEW = ("a byte in the middle", "nothing in it", "a folder in its place")


@pytest.fixture(scope="module")
def parts() -> Any:
    """Small parts: two talks a reply file, a checkpoint and a stretch every second dialogue."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "SHARD", 2)
        patch.setattr(runner, "SHARD", 2)
        patch.setattr("culturepark.runs.generate.SHARD", 2)
        patch.setattr(journal, "CHECKPOINT_EVERY", 2)
        yield


@pytest.fixture(scope="module")
def calm(parts: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that nobody touches."""
    path = tmp_path_factory.mktemp("every") / "calm"
    culturepark.generate(output_dir=str(path), **SETTINGS)
    return path


@pytest.fixture(scope="module")
def half(calm: Path) -> Path:
    """The same run ended after three of its talks, which lie in two reply files."""
    path = calm.parent / "half"
    stop_after(path, 3)
    for name in NAMES:
        assert (path / name).is_file(), name
    return path


class Trial:
    """A copy of the unfinished run, and what comes of resuming it."""

    def __init__(self, half: Path, calm: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self.calm, self._capsys = path, calm, capsys
        shutil.copytree(half, path)
        self.asked: list[str] = []

    def resume(self) -> str:
        """Run the same command again; returns what the screen said."""
        self._capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            note_calls(patch, self.asked)
            run_again(self.path)
        same(self.path, self.calm)
        return self._capsys.readouterr().err

    def count_booked(self) -> int:
        return sum_up(read_spend(self.path / "spend")).calls


@pytest.fixture
def needed(half: Path, calm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The calls that the run still needs when nobody damages it."""
    trial = Trial(half, calm, tmp_path / "once", capsys)
    trial.resume()
    return trial.asked


def count_lost(name: str, before: bytes, how: str) -> int:
    """How many replies a damage destroys at most."""
    if not name.startswith("replies/0"):
        return 0
    return before.count(b"\n") if how in ("nothing in it", "zeros in it", "missing") else 1


@pytest.mark.parametrize("name", NAMES)
def test_each_damage_is_named_and_mended(
    half: Path, calm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], needed: list[str], name: str
) -> None:
    booked = sum_up(read_spend(half / "spend")).calls
    for number, how in enumerate(FEW if name in DERIVED else HOWS):
        trial = Trial(half, calm, tmp_path / str(number), capsys)
        file, before = trial.path / name, (half / name).read_bytes()
        if how in EDITS:
            after = EDITS[how](before)
            if after == before:
                continue
            file.write_bytes(after)
        else:
            file.unlink()
        if how == "a folder in its place":
            file.mkdir()
            (file / "something").write_text("of the user's")
            if name.startswith(
                ("replies/00001", "replies/marks", "spend", ".lock")
            ):  # none of ours to move: told, and nothing is touched
                untouched = {p: p.read_bytes() for p in trial.path.rglob("*.jsonl") if p.is_file()}
                with pytest.raises(DataError, match=Path(name).name) as caught:
                    trial.resume()
                assert caught.value.exit_code == 3 and "\n" not in str(caught.value)
                kept = {p: p.read_bytes() for p in untouched if p.name in FILES or p.parent.name == "replies"}
                assert all(untouched[p] == data for p, data in kept.items()), how
                shutil.rmtree(file)
                file.write_bytes(before)
        said = trial.resume()
        lost = count_lost(name, before, how)
        assert len(needed) <= len(trial.asked) <= len(needed) + lost, (how, trial.asked)
        assert len(trial.asked) == len(set(trial.asked)), how
        if how != "a line gone" or not name.startswith("spend"):  # a line that is gone leaves no mark in this file
            assert trial.count_booked() >= booked, how
        is_silent = name in DERIVED or (name.startswith(("replies", "spend")) and "line" in how and "half" not in how)
        is_silent |= how == "missing" and name in ("run.json", "manifest.json")
        is_silent |= name in ("replies/00000.jsonl", "replies/marks.jsonl")  # their talks are done: nothing reads them
        told = [line for line in said.splitlines() if Path(name).name in line or f"{Path(name).parent}:" in line]
        told = [line for line in told if "Resuming" not in line]
        if how == "a folder in its place":
            continue
        assert told or is_silent, (how, said)
        if how == "half a line too many" and name in FILES[:2]:
            assert "is unfinished" in said and "Damaged" not in said
        kept = [p for p in (trial.path / "damaged").rglob("*") if p.is_file()] if name in FILES else []
        if name in FILES and how in EDITS and "Damaged" in said and how not in HEADLESS:
            assert kept, f"{how}: what was cut is kept"


PAIRS = [
    *itertools.combinations((*FILES, "replies/00000.jsonl", "replies/00001.jsonl"), 2),
    ("replies/00000.jsonl", "spend/main.jsonl"),
    ("replies/00001.jsonl", "events.jsonl"),
    ("run.json", "checkpoint.json"),
    ("run.json", "manifest.json"),
    ("spend/main.jsonl", "events.jsonl"),
]


def test_any_two_files_swapped_cost_no_call(
    half: Path, calm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], needed: list[str]
) -> None:
    for number, (one, other) in enumerate(PAIRS):
        trial = Trial(half, calm, tmp_path / str(number), capsys)
        (trial.path / one).rename(trial.path / "between")
        (trial.path / other).rename(trial.path / one)
        (trial.path / "between").rename(trial.path / other)
        said = trial.resume()
        assert sorted(trial.asked) == sorted(needed), (one, other)
        assert any(Path(name).name in said for name in (one, other)), (one, other, said)


def test_a_spend_file_that_is_gone_makes_no_room_in_the_purse(half: Path, calm: Path, tmp_path: Path) -> None:
    booked = sum_up(read_spend(half / "spend")).calls
    path = tmp_path / "run"
    shutil.copytree(half, path)
    shutil.rmtree(path / "spend")
    shutil.rmtree(path / "replies")
    with pytest.raises(culturepark.errors.ShortfallError, match=f"{booked} calls used"):
        culturepark.generate(output_dir=str(path), max_calls=booked, **SETTINGS)
    assert sum_up(read_spend(path / "spend")).calls == booked


def test_a_file_in_place_of_the_reply_log_is_read(
    half: Path, calm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], needed: list[str]
) -> None:
    trial = Trial(half, calm, tmp_path / "run", capsys)
    replies = b"".join((half / "replies" / f"0000{k}.jsonl").read_bytes() for k in range(2))
    shutil.rmtree(trial.path / "replies")
    (trial.path / "replies").write_bytes(replies)
    assert "replies: is a file where a folder should be" in trial.resume()
    assert sorted(trial.asked) == sorted(needed)


def test_a_damaged_run_that_is_killed_while_it_is_mended(
    half: Path, calm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], needed: list[str]
) -> None:
    """The first dialogue is damaged; the sitting that mends it ends after one commit, and once more after two."""
    trial = Trial(half, calm, tmp_path / "run", capsys)
    file = trial.path / "dialogues.jsonl"
    file.write_bytes(flip(0.03)(file.read_bytes()))
    write = RunFolder.write
    for commits in (1, 2):
        left = [commits]

        def fail(self: RunFolder, commit: Any, left: list[int] = left) -> dict[str, Any]:
            left[0] -= 1
            if left[0] < 0:
                raise DataError("the disk is full")
            return write(self, commit)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError, match="disk is full"):
            patch.setattr(RunFolder, "write", fail)
            trial.resume()
    trial.resume()
    assert sorted(set(trial.asked)) == sorted(needed) and len(trial.asked) == len(set(trial.asked))
    assert (trial.path / "damaged" / "1" / "dialogues.jsonl").is_file()


def test_damage_is_in_the_story_of_the_run_also_when_the_screen_shows_nothing(
    half: Path, tmp_path: Path, calm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = Trial(half, calm, tmp_path / "run", capsys)
    file = trial.path / "dialogues.jsonl"
    file.write_bytes(flip(0.03)(file.read_bytes()))
    culturepark.generate(output_dir=str(trial.path), **{**SETTINGS, "progress": "none"})
    told = [e["text"] for e in read_events(trial.path) if e["kind"] == "remark"]
    assert any("Damaged" in text and "dialogues.jsonl" in text for text in told), told
