"""A pipe or a link under the name of a run's file: told in one line, never read for ever, never written through."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import culturepark
from culturepark.errors import DataError
from culturepark.runs.folder import load_run
from culturepark.runs.journal import RunFolder
from culturepark.runs.kinds import check_kinds
from tests.runs.test_damage import SETTINGS, run_again, same, stop_after

WRITTEN = (
    "journal.jsonl",
    "dialogues.jsonl",
    "samples.jsonl",
    "rejected.jsonl",
    "replies/00000.jsonl",
    "spend/main.jsonl",
    "events.jsonl",
    "recall.bin",
    ".lock",
)
MADE_WHOLE = ("run.json", "manifest.json", "README.md")


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds") / "half"
    stop_after(path, 2)
    return path


@pytest.fixture
def trial(half: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the stopped run; whoever waits at a pipe is woken."""

    def wake(*_: object) -> None:
        raise TimeoutError("hangs")

    shutil.copytree(half, tmp_path / "run")
    before = signal.signal(signal.SIGALRM, wake)
    signal.alarm(30)
    yield tmp_path / "run"
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def replace(file: Path, make: Callable[[Path], object]) -> None:
    file.unlink(missing_ok=True)
    make(file)


@pytest.mark.parametrize("name", [*WRITTEN, *MADE_WHOLE])
def test_nothing_is_written_through_a_link(trial: Path, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("something of the user's\n")
    replace(trial / name, lambda file: file.symlink_to(victim))
    with pytest.raises(DataError, match=f"{Path(name).name}: is a link") as caught:
        run_again(trial)
    assert "\n" not in str(caught.value)
    assert victim.read_text() == "something of the user's\n"


@pytest.mark.parametrize("name", [*WRITTEN, *MADE_WHOLE])
def test_no_pipe_is_waited_for(trial: Path, name: str) -> None:
    replace(trial / name, os.mkfifo)
    for work in (run_again, load_run):
        with pytest.raises(DataError, match=f"{Path(name).name}: is a pipe") as caught:
            work(trial)
        assert "\n" not in str(caught.value)


def test_what_is_removed_then_is_made_again(trial: Path, tmp_path: Path) -> None:
    replace(trial / "samples.jsonl", os.mkfifo)
    with pytest.raises(DataError):
        run_again(trial)
    (trial / "samples.jsonl").unlink()
    run_again(trial)
    culturepark.generate(output_dir=str(tmp_path / "calm"), **SETTINGS)
    same(trial, tmp_path / "calm")


def test_a_link_may_be_read_and_lead_to_a_folder(trial: Path, tmp_path: Path) -> None:
    (trial / "samples.jsonl").rename(tmp_path / "elsewhere.jsonl")
    (trial / "samples.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    assert len(list(load_run(trial).samples())) == len(load_run(trial))
    (trial / "samples.jsonl").unlink()
    shutil.move(tmp_path / "elsewhere.jsonl", trial / "samples.jsonl")
    shutil.move(trial / "replies", tmp_path / "replies")
    (trial / "replies").symlink_to(tmp_path / "replies", target_is_directory=True)
    run_again(trial)


def test_a_link_to_nowhere_makes_no_file_elsewhere(trial: Path, tmp_path: Path) -> None:
    (trial / "events.jsonl").unlink()
    (trial / "events.jsonl").symlink_to(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match="is a link"):
        run_again(trial)
    assert not (tmp_path / "nowhere.jsonl").exists()


def test_other_peoples_files_are_not_looked_at(trial: Path) -> None:
    os.mkfifo(trial / "notes.fifo")
    check_kinds(trial, writing=True)
    RunFolder(trial).close()
