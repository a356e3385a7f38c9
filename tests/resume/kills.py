"""One run, killed again and again: starts real ``culturepark generate`` processes and ends them at random moments.

Used by the test and by ``bench/kills.py``. What a kill may cost is what was in flight: the fake server is asked for
that while the process is frozen, so that both numbers belong to the same moment.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.resume.nursery import Child, Nursery
from tests.resume.test_stops import ENVIRONMENT, read_stats

FAULTS = (
    *("--p-500", "0.05", "--p-429", "0.05", "--retry-after", "0.1", "--p-reset", "0.02"),
    *("--p-stall", "0.02", "--stall-s", "12", "--p-badjson", "0.03", "--p-empty", "0.01"),
)
CONCURRENCY = 8


@dataclass
class Killing:
    """What became of a run that was killed: signals sent by name, and the calls in flight at each SIGKILL."""

    signals: Counter[str] = field(default_factory=Counter)
    in_flight: list[int] = field(default_factory=list)
    early: int = 0  # kills before the process had made a call
    troubles: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How often a process was ended before its time."""
        return self.signals.total()


def write_command(url: str, folder: Path, n: int) -> list[str]:
    """The arguments of ``culturepark`` for the run in ``folder``."""
    command = ["generate", "--cultures", "arab,korean", "--n", str(n), "--topics", "family", "--turns", "4"]
    command += ["--model", "fake-model", "--base-url", url, "--encoder", "none", "--concurrency", str(CONCURRENCY)]
    return [*command, "--timeout", "8", "--progress", "plain", "-o", str(folder)]


def start_run(url: str, folder: Path, n: int) -> subprocess.Popen[str]:
    """A real process at work on the run in ``folder``."""
    command = [sys.executable, "-m", "culturepark", *write_command(url, folder, n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def kill_often(
    url: str, folder: Path, n: int, kills: int, seed: int, calls: int, nursery: Nursery | None = None
) -> Killing:
    """Kill the run ``kills`` times, if it lasts so long.

    ``calls`` is what an undisturbed run makes: each process is ended after a random number of calls at the server,
    such that all kills fit into the run, and some so early that they have made none. One in eight is asked to stop
    (SIGTERM or SIGINT), the others are killed. With a ``nursery`` only those that are killed early are started from
    nothing.
    """
    chance = random.Random(seed)
    done = Killing()
    while done.kills < kills:
        before = read_stats(url)["requests"]
        share = max(1.0, 0.7 * (calls - before) / (kills - done.kills))
        early = chance.random() < 0.1 and done.kills % 8 != 5
        process: subprocess.Popen[str] | Child
        if early or nursery is None:
            process = start_run(url, folder, n)
        else:
            process = nursery.start(*write_command(url, folder, n))
        if early:
            _wait(process, chance.uniform(0.05, 1.0))
        else:
            _wait_for_calls(process, url, before + int(chance.uniform(1, 2 * share + 1)), chance.uniform(0.0, 0.05))
        name = {5: "SIGTERM", 13: "SIGINT"}.get(done.kills % 16, "SIGKILL")
        if process.poll() is None and name == "SIGKILL":
            process.send_signal(signal.SIGSTOP)
            stats = read_stats(url)
            made = stats["requests"] > before
            done.in_flight.append(stats["lately"] if made else 0)
            done.early += not made
        over = process.poll() is not None
        if not over:
            process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
        if "Traceback" in err or process.returncode not in (0, 130, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT):
            done.troubles.append(f"{name}: exit {process.returncode}: {err[-600:]}")
        if over or process.returncode == 0:
            break
        done.signals[name] += 1
    return done


def _wait(process: subprocess.Popen[str] | Child, seconds: float) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def _wait_for_calls(process: subprocess.Popen[str] | Child, url: str, calls: int, more_s: float) -> None:
    deadline = time.monotonic() + 240
    while process.poll() is None and read_stats(url)["requests"] < calls and time.monotonic() < deadline:
        time.sleep(0.01)
    _wait(process, more_s)
