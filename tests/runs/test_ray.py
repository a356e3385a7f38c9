"""A Ray cluster of two machines on loopback; one of them is lost in the middle of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from culturepark.runs.folder import load_run
from tests.books import check_books, read_data
from tests.resume.test_stops import ENVIRONMENT, finish, read_stats, serve, start, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the ray extra"),
    pytest.mark.skipif(sys.platform != "linux", reason="two machines on one loopback"),
]
PORT = 6411
HEAD, OTHER = "127.0.0.2", "127.0.0.3"


@contextmanager
def machine(folder: Path, address: str, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """One machine of the cluster, with everything it starts in a process group of its own."""
    environment = {**ENVIRONMENT, "RAY_DISABLE_IMPORT_WARNING": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    command = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--node-ip-address", address]
    command += ["--num-cpus", "1", "--object-store-memory", "100000000", "--disable-usage-stats", *flags]
    with (folder / f"ray-{address}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            yield process
        finally:
            lose(process)


def lose(process: subprocess.Popen[bytes]) -> None:
    """The machine is gone at once, with all that ran on it."""
    for pid in [*descendants(process.pid), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def descendants(pid: int) -> list[int]:
    """All processes below one, children first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found, left = [], [pid]
    while left:
        left += (below := children.get(left.pop(), []))
        found += below
    return found


def wait_for_cluster(machines: int) -> None:
    """Until the head counts so many machines."""
    code = (
        f"import ray; ray.init(address='{HEAD}:{PORT}', log_to_driver=False, logging_level='ERROR'); "
        "print(sum(n['Alive'] for n in ray.nodes()))"
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
        if done.stdout.strip() == str(machines):
            return
        time.sleep(0.5)
    raise AssertionError(f"the cluster did not come up: {done.stderr[-2000:]}")


def test_a_lost_machines_talks_are_taken_up_by_the_other(tmp_path: Path) -> None:
    with serve(tmp_path, "--seed", "3") as url:
        code, _, err = finish(start(url, tmp_path / "calm"))
        assert code == 0, err
    with (
        machine(tmp_path, HEAD, "--head", "--port", str(PORT), "--include-dashboard=false"),
        machine(tmp_path, OTHER, "--address", f"{HEAD}:{PORT}") as other,
        serve(tmp_path, "--seed", "3", "--latency-s", "0.1") as url,
    ):
        wait_for_cluster(2)
        flags = ("--executor", "ray", "--ray-address", f"{HEAD}:{PORT}", "--workers", "2")
        process = start(url, tmp_path / "run", *flags)
        try:
            wait_for(lambda: read_stats(url)["requests"] > 60, process)
            lose(other)
            _, err = process.communicate(timeout=300)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == 0, err
        assert "Traceback" not in err
        assert "is lost" in err
        assert read_stats(url)["answered_again"] <= 8
    assert read_data(load_run(tmp_path / "run")) == read_data(load_run(tmp_path / "calm"))
    check_books(load_run(tmp_path / "run"))


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with serve(tmp_path) as url:
        process = start(url, tmp_path / "run", "--executor", "ray", "--ray-address", f"127.0.0.1:{PORT + 1}")
        _, err = process.communicate(timeout=200)
    assert process.returncode == 4
    assert "Traceback" not in err and err.count("culturepark:") == 1 and "cannot be reached" in err
