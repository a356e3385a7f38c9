"""Real worker processes: the same bytes as one process makes, also when workers are killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from culturepark.runs.folder import load_run
from culturepark.runs.local_workers import _pack
from tests.books import check_books, read_data
from tests.resume.test_stops import finish, read_stats, serve, start, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of the workers of a run."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                command = (folder / "cmdline").read_bytes()
            except (OSError, IndexError):
                continue
            if parent == process.pid and b"local_workers" in command:
                found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run by one process."""
    folder = tmp_path_factory.mktemp("calm")
    with serve(folder, "--seed", "3") as url:
        code, _, err = finish(start(url, folder / "run"))
    assert code == 0, err
    return folder / "run"


def test_two_workers_make_what_one_process_makes(tmp_path: Path, calm: Path) -> None:
    with serve(tmp_path, "--seed", "3") as url:
        code, out, err = finish(start(url, tmp_path / "run", "--workers", "2"))
        assert code == 0, err
        assert read_stats(url)["answered_again"] == 0
        assert read_stats(url)["peak"] <= 8, "the workers share the calls in flight"
    run = load_run(tmp_path / "run")
    assert read_data(run) == read_data(load_run(calm))
    assert len({p.name.split(".")[1] for p in (run.path / "replies").glob("0*.w*.jsonl")}) == 2, "both worked"
    told = run.manifest["calls_this_sitting"]["all"]
    assert told["calls"] == run.counts().calls
    check_books(run)


def test_killed_workers_are_replaced_and_only_calls_in_flight_are_asked_again(tmp_path: Path, calm: Path) -> None:
    with serve(tmp_path, "--seed", "3", "--latency-s", "0.05") as url:
        process = start(url, tmp_path / "run", "--workers", "2")
        for asked in (40, 120):
            wait_for(lambda most=asked: read_stats(url)["requests"] > most, process)  # type: ignore[misc]
            os.kill(workers_of(process)[0], signal.SIGKILL)
        code, _, err = finish(process)
        assert code == 0, err
        assert err.count("is lost (ended by signal 9); others take over") == 2
        assert read_stats(url)["answered_again"] <= 2 * 4
    assert read_data(load_run(tmp_path / "run")) == read_data(load_run(calm))


def test_a_killed_run_takes_its_workers_along_and_goes_on_with_another_number(tmp_path: Path, calm: Path) -> None:
    with serve(tmp_path, "--seed", "3", "--latency-s", "0.05") as url:
        process = start(url, tmp_path / "run", "--workers", "3")
        wait_for(lambda: read_stats(url)["requests"] > 60, process)
        workers = workers_of(process)
        assert len(workers) == 3
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < deadline, "a worker outlived its run"
            time.sleep(0.05)
        code, _, err = finish(start(url, tmp_path / "run", "--workers", "2"))
        assert code == 0, err
        assert read_stats(url)["answered_again"] <= 8
    assert read_data(load_run(tmp_path / "run")) == read_data(load_run(calm))


def test_ctrl_c_drains_the_workers(tmp_path: Path, calm: Path) -> None:
    with serve(tmp_path, "--seed", "3", "--latency-s", "0.1") as url:
        process = start(url, tmp_path / "run", "--workers", "2")
        wait_for(lambda: read_stats(url)["requests"] > 30, process)
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
        assert code == 130 and "Press Ctrl-C again" in err
        code, _, err = finish(start(url, tmp_path / "run"))
        assert code == 0, err
        assert read_stats(url)["answered_again"] == 0
    assert read_data(load_run(tmp_path / "run")) == read_data(load_run(calm))


def test_what_a_worker_cannot_open_is_one_line(tmp_path: Path) -> None:
    with serve(tmp_path, "--seed", "3", "--require-key", "right") as url:
        code, _, err = finish(start(url, tmp_path / "run", "--workers", "2"))
    assert code == 4
    assert [line for line in err.splitlines() if line.startswith("culturepark:")][0].count("API key") == 1


def test_a_worker_ends_in_silence_while_its_input_is_open() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "culturepark.runs.local_workers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process.stdin, process.stdout, process.stderr:
        process.stdin.write(_pack(("close",)))
        process.stdin.flush()
        said = process.stderr.read()  # to its end; the input is still open
        assert (process.wait(60), said) == (0, b"")


def test_a_ctrl_c_at_the_terminal_is_for_the_parent_alone(tmp_path: Path) -> None:
    """Also while the workers are only being started, so that none of them answers with a traceback."""
    with serve(tmp_path, "--latency-s", "0.05") as url:
        process = start(url, tmp_path / "run", "--workers", "2")
        wait_for(lambda: len(workers_of(process)) == 2, process)
        groups = {os.getpgid(worker) for worker in workers_of(process)}
        assert os.getpgid(process.pid) not in groups
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said and "Exception ignored" not in said, said
