"""The folder of an export: what it may hold, and that no fault and no kill leaves half of one."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

from culturepark.errors import ConfigError, DataError
from culturepark.export import shelf, target
from culturepark.export.records import EXPORT, read_export
from culturepark.export.write import export_run
from culturepark.runs.lock import take_lock
from tests.export.made import MadeRun, make_many, make_sample
from tests.export.reading import read_all

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def old(tmp_path: Path) -> MadeRun:
    """A run with an export in the folder ``out``."""
    run = MadeRun(tmp_path / "run", make_many())
    export_run(run, ["messages", "openai"], tmp_path / "out")
    return run


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("notes.txt", "holds other files (notes.txt)"),
        ("README.md", "holds other files (README.md)"),
        ("manifest.json", "holds another run"),
        ("data/mine.csv", "no export wrote this file"),
        ("data/messages/arab/train.csv", "no export wrote this file"),
    ],
)
def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, name: str, told: str) -> None:
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(ConfigError) as caught:
        export_run(MadeRun(tmp_path / "run", make_many()), out=tmp_path / "out")
    assert told in str(caught.value)
    assert read_all(tmp_path / "out") == {name: b"mine"} and not list((tmp_path / "out").glob(".export*"))


def test_foreign_files_among_the_data_stop_a_second_export(tmp_path: Path, old: MadeRun) -> None:
    (tmp_path / "out" / "data" / "messages" / "arab" / "notes.md").write_text("mine")
    before = read_all(tmp_path / "out")
    with pytest.raises(ConfigError, match="notes.md: no export wrote this file"):
        export_run(old, out=tmp_path / "out")
    assert read_all(tmp_path / "out") == before


def test_a_link_in_the_place_of_data_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "messages").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / EXPORT).write_text("{}")
    with pytest.raises(ConfigError, match="is not a folder of an export"):
        export_run(MadeRun(tmp_path / "run", make_many()), out=tmp_path / "out")
    assert (tmp_path / "elsewhere" / "messages").is_dir()


def test_a_damaged_record_is_healed_by_exporting_again(tmp_path: Path, old: MadeRun) -> None:
    (tmp_path / "out" / EXPORT).write_text("{")
    with pytest.raises(DataError, match="export again"):
        read_export(tmp_path / "out")
    made = export_run(old, out=tmp_path / "out")
    assert read_export(tmp_path / "out") == made


def test_files_beside_the_data_stay(tmp_path: Path, old: MadeRun) -> None:
    (tmp_path / "out" / "CITATION.cff").write_text("cite")
    (tmp_path / "out" / ".gitattributes").write_text("lfs")
    export_run(old, out=tmp_path / "out")
    assert (tmp_path / "out" / "CITATION.cff").read_text() == "cite"
    assert (tmp_path / "out" / ".gitattributes").read_text() == "lfs"


def test_a_file_is_no_folder_and_two_exports_take_turns(tmp_path: Path, old: MadeRun) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is a file"):
        export_run(old, out=tmp_path / "file")
    with take_lock(tmp_path / "out" / ".export.lock"), pytest.raises(ConfigError, match="another process"):
        export_run(old, out=tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(DataError, match="no permission to write"):
        export_run(MadeRun(tmp_path / "run", make_many()), out=tmp_path / "out")


class Full:
    """A file that is full after some bytes."""

    left = 0

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        Full.left -= len(data)
        if Full.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(data))


@pytest.mark.parametrize("room", [0, 3, 2000, 30_000, 60_000])
@pytest.mark.parametrize("formats", [["messages", "parquet"], ["openai", "alpaca"]])
def test_a_full_disk_leaves_the_old_export_whole(
    tmp_path: Path, old: MadeRun, monkeypatch: pytest.MonkeyPatch, room: int, formats: list[str]
) -> None:
    before = read_all(tmp_path / "out")
    real = shelf._open
    monkeypatch.setattr(Full, "left", room)
    monkeypatch.setattr(shelf, "_open", lambda path: Full(real(path)))
    old.made.append(make_sample("more"))
    with pytest.raises(DataError) as caught:
        export_run(old, formats, tmp_path / "out")
    assert "the disk is full; an earlier export is as it was" in str(caught.value) and "\n" not in str(caught.value)
    assert read_all(tmp_path / "out") == before
    assert not list((tmp_path / "out").glob(".export*"))
    with pytest.raises(DataError, match="the disk is full"):
        export_run(old, formats, tmp_path / "new")
    assert not (tmp_path / "new").exists()


MOVES = 5  # names that change: two go, three come


class Faulty:
    """``os`` whose function fails at its k-th call."""

    def __init__(self, function: str, place: int) -> None:
        self._function, self._left = function, place

    def __getattr__(self, name: str) -> Any:
        return self._count if name == self._function else getattr(os, name)

    def _count(self, *given: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return getattr(os, self._function)(*given)


@pytest.mark.parametrize(("function", "place"), [("fsync", 0), ("fsync", 4), *(("replace", k) for k in range(MOVES))])
@pytest.mark.parametrize("before_it", ["an export", "a page", "nothing"])
def test_a_fault_at_the_last_moment_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, place: int, before_it: str
) -> None:
    """Forcing files to the disk or changing names fails, over an earlier export, a run's own page, or neither."""
    run = MadeRun(tmp_path / "run", make_many())
    if before_it != "nothing":
        (run.path / "README.md").write_text("# The run\n")
    assert list(run.samples())
    if before_it == "an export":
        export_run(run, ["messages", "openai"])
    elif function == "replace" and place > 2:
        pytest.skip("without an earlier export only three names change")
    before = read_all(run.path)
    monkeypatch.setattr(target, "os", Faulty(function, place))
    with pytest.raises(DataError, match="the disk is full"):
        export_run(run, ["parquet"])
    assert read_all(run.path) == before
    assert not list(run.path.glob(".export-*"))
    export_run(run, ["parquet"])
    assert {n.split("/")[1] for n in read_all(run.path) if n.startswith("data/")} == {"parquet"}
    assert (run.path / "README.md").read_text().endswith("---\n" + ("# The run\n" if before_it != "nothing" else ""))


KILLED = """
import os, signal, sys
from pathlib import Path
from culturepark.export import target
from culturepark.export.write import export_run
from tests.export.made import MadeRun, make_many
class Os:
    left = int(sys.argv[2])
    def __getattr__(self, name):
        return getattr(os, name)
    def replace(self, *names):
        if Os.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Os.left -= 1
        os.replace(*names)
target.os = Os()
export_run(MadeRun(Path(sys.argv[1]) / "run", make_many()), ["parquet", "alpaca"], Path(sys.argv[1]) / "out")
"""


@pytest.mark.parametrize("place", range(MOVES))
def test_a_kill_between_two_names_is_mended_by_the_next_export(tmp_path: Path, old: MadeRun, place: int) -> None:
    before = read_all(tmp_path / "out")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(place)], cwd=ROOT, timeout=120)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(ConfigError, match="no preference pairs"):  # a try that fails mends what was left, too
        export_run(old, ["preference"], tmp_path / "out")
    assert read_all(tmp_path / "out") == before
    export_run(old, ["messages"], tmp_path / "out")
    made = read_export(tmp_path / "out")
    assert made is not None and made.formats == ("messages",)
    assert not list((tmp_path / "out").glob(".export*"))
    data = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(data[s]) for s in data) == 160


LIMITED = """
import resource, sys
from pathlib import Path
from culturepark.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
sys.exit(main(["export", sys.argv[1], "-f", "parquet", "-o", sys.argv[2], "--no-card"]))
"""


def test_the_command_ends_with_one_line_when_the_system_takes_no_more(finished: Path, tmp_path: Path) -> None:
    """A real limit of the system on the size of files, in a real process."""
    assert resource.RLIMIT_FSIZE is not None
    export_run(finished, ["messages"], tmp_path / "out")
    before = read_all(tmp_path / "out")
    command = [sys.executable, "-c", LIMITED, str(finished), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, timeout=120, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("\n") == 1 and "File too large" in done.stderr and "an earlier export" in done.stderr
    assert read_all(tmp_path / "out") == before
