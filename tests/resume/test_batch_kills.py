"""Real processes killed while their calls lie in batches: nothing is paid twice, and the bytes are those of a live run."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from culturepark.llm.batch_journal import BatchJournal
from culturepark.runs.folder import load_run
from tests.books import check_books, read_data
from tests.resume.kills import write_command
from tests.resume.nursery import Nursery
from tests.resume.test_stops import ENVIRONMENT, ROOT, finish, read_stats, start, wait_for

SMALL = ("--n", "8", "--tries", "12")
BATCHES = (*SMALL, "--batch", "all", "--batch-every", "0.05")


@contextmanager
def serve_batches(folder: Path, *flags: str) -> Iterator[str]:
    """The batch server in a process of its own; yields its base URL."""
    port_file = folder / f"port-{time.monotonic_ns()}"
    command = [sys.executable, str(ROOT / "tests" / "batchserver.py"), "--port-file", str(port_file), *flags]
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


def test_killed_among_batches_pays_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(5)
    faults = ("--p-expire", "0.02", "--p-line-500", "0.03", "--p-poll-500", "0.1", "--lose", "2", "--seed", "3")
    with serve_batches(tmp_path, "--batch-s", "0.1", *faults) as url:
        kills = looks = taken_up = 0
        with closing(Nursery(tmp_path, ENVIRONMENT)) as nursery:
            while kills < 4:
                process = nursery.start(*write_command(url, tmp_path / "killed", 8), *BATCHES)
                looks += chance.randint(1, 9)
                while process.poll() is None and read_stats(url)["looks"] < looks:
                    time.sleep(0.01)
                process.send_signal(signal.SIGINT if kills == 2 else signal.SIGKILL)
                _, err = process.communicate(60)
                assert "Traceback" not in err, err
                assert process.returncode == (130 if kills == 2 else -signal.SIGKILL), err
                kills, looks, taken_up = kills + 1, read_stats(url)["looks"], taken_up + ("Taking up" in err)
        code, _, err = finish(start(url, tmp_path / "killed", *BATCHES))
        assert code == 0, err
        assert taken_up or "Taking up" in err
        stats = read_stats(url)
        # Only a live scout, one a sitting, may have been under way at a kill: what lay in batches is never paid twice.
        assert stats["answered_again"] <= kills
        assert stats["lost"] == 2 and stats["lines"] > 30
        code, _, err = finish(start(url, tmp_path / "calm", *SMALL))
        assert code == 0, err
    killed, calm = load_run(tmp_path / "killed"), load_run(tmp_path / "calm")
    assert read_data(killed) == read_data(calm)
    check_books(killed)
    assert BatchJournal(killed.path / "batches.jsonl").open_waves() == []


def test_ctrl_c_leaves_the_batches_at_the_server(tmp_path: Path) -> None:
    with serve_batches(tmp_path, "--batch-s", "0.7") as url:
        process = start(url, tmp_path / "run", *BATCHES)
        wait_for(lambda: read_stats(url)["looks"] > 0, process)
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
        assert code == 130 and "go on at the server; resume to take them up" in err
        assert "Taking up" not in err
        process = start(url, tmp_path / "run", *BATCHES)
        wait_for(lambda: read_stats(url)["batches"] > 1, process)
        process.kill()
        process.communicate()
        assert read_stats(url)["answered_again"] == 0
    assert load_run(tmp_path / "run").manifest["state"] in ("stopped", "running")
