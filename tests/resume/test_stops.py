"""Real processes stopped in real ways: whatever happens, the run goes on and its samples are the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from culturepark.runs.folder import load_run
from tests.books import check_books, read_data

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
FAULTS = ("--p-500", "0.05", "--p-429", "0.05", "--retry-after", "0.1", "--p-reset", "0.02", "--p-badjson", "0.03")


@contextmanager
def serve(folder: Path, *flags: str) -> Iterator[str]:
    """The fake server in a process of its own; yields its base URL."""
    port_file = folder / f"port-{time.monotonic_ns()}"
    command = [sys.executable, str(ROOT / "tests" / "fakeserver.py"), "--port-file", str(port_file), *flags]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    try:
        deadline = time.monotonic() + 30
        while not (port_file.exists() and port_file.read_text().strip()):
            assert server.poll() is None and time.monotonic() < deadline, "the fake server did not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}/v1"
    finally:
        server.kill()
        server.wait()


def start(url: str, folder: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "culturepark", "generate", "--cultures", "arab,korean", "--n", "40"]
    command += ["--topics", "family", "--turns", "4", "--model", "fake-model", "--base-url", url, "--concurrency", "8"]
    command += ["--encoder", "none", "--progress", "plain", "-o", str(folder), *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def refine(url: str, run: Path, folder: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "culturepark", "refine", str(run), "--base-url", url, "--concurrency", "4"]
    command += ["--progress", "plain", "-o", str(folder), *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def read_stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats", timeout=10) as answer:
        stats: dict[str, Any] = json.load(answer)
    return stats


def wait_for(check: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not check():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_replies(folder: Path) -> bool:
    return any(p.stat().st_size > 20_000 for p in (folder / "replies").glob("*.jsonl"))


def count_replies(folder: Path, step: str) -> int:
    """Replies of one step (``harm/``, ``fit/``, ``verify``) in the log."""
    logs = (folder / "replies").glob("*.jsonl")
    return sum(path.read_bytes().count(f"/{step}".encode()) for path in logs)


def kill_after(process: subprocess.Popen[str], folder: Path, step: str, number: int) -> None:
    """Kill a process as soon as the log has so many replies of one step."""
    wait_for(lambda: count_replies(folder, step) >= number, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_killed_again_and_again_gives_the_same_bytes(tmp_path: Path) -> None:
    chance = random.Random(11)
    with serve(tmp_path, "--seed", "3", *FAULTS, "--latency-s", "0.03") as url:
        kills = 0
        while kills < 8:
            process = start(url, tmp_path / "killed")
            time.sleep(chance.uniform(1.2, 3.0))
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        code, _, err = finish(start(url, tmp_path / "killed"))
        assert code == 0, err
        stats = read_stats(url)
    assert kills >= 3
    assert stats["answered_again"] <= kills * 8, "more was paid twice than was in flight at the kills"
    with serve(tmp_path, "--seed", "3", *FAULTS, "--latency-s", "0.03") as url:
        code, _, err = finish(start(url, tmp_path / "calm"))
        assert code == 0, err
        assert read_stats(url)["answered_again"] == 0
    for name in ("samples.jsonl", "dialogues.jsonl", "rejected.jsonl", "journal.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes(), name
    check_books(load_run(tmp_path / "killed"))
    assert len(load_run(tmp_path / "killed")) == 40


def test_killed_while_judging_gives_the_same_bytes(tmp_path: Path) -> None:
    """Killed in the midst of verification and of either axis; the server has faults of its own."""
    panel = ("--judges", "fake-model,second", "--sample-types", "single,multi,preference")
    faults = ("--models", "fake-model,second", "--seed", "5", *FAULTS, "--latency-s", "0.03")
    with serve(tmp_path, *faults) as url:
        for step, number in (("verify", 1), ("harm/second", 2), ("fit/fake-model", 4), ("fit/", 30)):
            process = start(url, tmp_path / "killed", *panel, "--concurrency", "1")  # so that some talks end early
            kill_after(process, tmp_path / "killed", step, number)
        assert load_run(tmp_path / "killed").counts().accepted > 0
        code, _, err = finish(start(url, tmp_path / "killed", *panel))
        assert code == 0, err
        assert read_stats(url)["answered_again"] <= 4 * 8
    with serve(tmp_path, *faults) as url:
        code, _, err = finish(start(url, tmp_path / "calm", *panel))
        assert code == 0, err
    killed, calm = load_run(tmp_path / "killed"), load_run(tmp_path / "calm")
    assert read_data(killed) == read_data(calm)
    for name in ("journal.jsonl", "review.jsonl", "stances.csv"):
        assert (killed.path / name).read_bytes() == (calm.path / name).read_bytes(), name
    # What the kills have cost is told, and differs; all else in the report is the same.
    reports = [(run.path / "report.md").read_text(encoding="utf-8").split("\n## ") for run in (killed, calm)]
    kept = [[part for part in parts if not part.startswith("Money")] for parts in reports]
    assert kept[0] == kept[1] and len(kept[0]) == len(reports[0]) - 1
    check_books(killed)
    check_books(calm)


def test_a_killed_refinement_is_taken_up_again(tmp_path: Path) -> None:
    """Another judge over stored talks, killed twice; then nothing is asked twice and the bytes are the same."""
    with serve(tmp_path, "--models", "fake-model,second", "--latency-s", "0.03") as url:
        code, _, err = finish(start(url, tmp_path / "run"))
        assert code == 0, err
        before = read_data(load_run(tmp_path / "run"))
        for number in (4, 12):
            process = refine(url, tmp_path / "run", tmp_path / "killed", "--judges", "second", "--min-words", "10")
            kill_after(process, tmp_path / "run", "harm/second", number)
        code, _, err = finish(
            refine(url, tmp_path / "run", tmp_path / "killed", "--judges", "second", "--min-words", "10")
        )
        assert code == 0, err
        assert read_stats(url)["answered_again"] <= 2 * 4
        asked = read_stats(url)["requests"]
        code, out, err = finish(
            refine(url, tmp_path / "run", tmp_path / "calm", "--judges", "second", "--min-words", "10")
        )
        assert code == 0 and "0 new calls" in out, err
        assert read_stats(url)["requests"] == asked
    assert read_data(load_run(tmp_path / "killed")) == read_data(load_run(tmp_path / "calm"))
    assert read_data(load_run(tmp_path / "run")) == before
    check_books(load_run(tmp_path / "killed"))


def test_ctrl_c_drains_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    with serve(tmp_path, "--latency-s", "0.1") as url:
        process = start(url, tmp_path / "run")
        wait_for(lambda: has_replies(tmp_path / "run"), process)
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
        assert code == 130
        assert "Press Ctrl-C again" in err and "to go on: culturepark generate" in err
        assert load_run(tmp_path / "run").state == "stopped"
        code, _, err = finish(start(url, tmp_path / "run"))
        assert code == 0 and "Resuming" in err
        assert read_stats(url)["answered_again"] == 0
    assert len(load_run(tmp_path / "run")) == 40


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    with serve(tmp_path, "--p-stall", "0.9", "--stall-s", "60") as url:
        process = start(url, tmp_path / "run")
        wait_for(lambda: read_stats(url)["requests"] > 4, process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        code, _, _ = finish(process)
        assert code == 130
        assert time.monotonic() - began < 10


def test_sigterm_is_like_ctrl_c(tmp_path: Path) -> None:
    with serve(tmp_path, "--latency-s", "0.1") as url:
        process = start(url, tmp_path / "run")
        wait_for(lambda: has_replies(tmp_path / "run"), process)
        process.terminate()
        code, _, _ = finish(process)
        assert code == 130
        assert load_run(tmp_path / "run").state == "stopped"


def test_a_server_that_dies_in_the_middle(tmp_path: Path) -> None:
    """The run stops with one line; with the server back it goes on and nothing is paid twice."""
    with serve(tmp_path, "--die-after", "60", "--latency-s", "0.02") as url:
        process = start(url, tmp_path / "run", "--outage-patience", "2")
        code, _, err = finish(process)
    assert code == 4
    assert "stopped answering" in err and "resume" in err
    done = load_run(tmp_path / "run").counts()
    assert done.failed == 0, "an outage must not burn candidates"
    with serve(tmp_path, "--latency-s", "0.02") as url:
        code, _, err = finish(start(url, tmp_path / "run"))
        assert code == 0, err
        again = read_stats(url)["requests"]
    assert len(load_run(tmp_path / "run")) == 40
    assert again + 60 - 8 <= load_run(tmp_path / "run").counts().calls + 40


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    with serve(tmp_path, "--latency-s", "0.2") as url:
        first = start(url, tmp_path / "run")
        wait_for(lambda: has_replies(tmp_path / "run"), first)
        first.send_signal(signal.SIGSTOP)  # else it may be done before the second one has started
        code, _, err = finish(start(url, tmp_path / "run"))
        assert code == 2 and "another process" in err
        first.kill()
        first.communicate()
        code, _, _ = finish(start(url, tmp_path / "run"))  # the dead one's lock is gone with it
        assert code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a file size limit")
def test_a_full_disk_stops_with_one_line_and_resumes(tmp_path: Path) -> None:
    """A file size limit stands in for a full disk: the write fails half-way."""
    limit = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY)); "
        "from culturepark.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    flags = ["generate", "--cultures", "arab,korean", "--n", "40", "--engine", "mock", "-o", str(tmp_path / "run")]
    flags += ["--encoder", "none", "--progress", "none"]
    done = subprocess.run([sys.executable, "-c", limit, *flags], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "culturepark", *flags], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    calm = [str(tmp_path / "calm") if flag == str(tmp_path / "run") else flag for flag in flags]
    subprocess.run([sys.executable, "-m", "culturepark", *calm], check=True, capture_output=True, env=ENVIRONMENT)
    for name in ("samples.jsonl", "rejected.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
