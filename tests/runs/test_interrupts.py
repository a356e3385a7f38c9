"""Ctrl-C again and again: the first drains, the second stops, and none breaks into what is being saved or said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.resume.test_stops import ENVIRONMENT

SCRIPT = """
import asyncio, os, signal
from culturepark.runs.alone import run_alone
from culturepark.runs.interrupts import answer_interrupts

async def strike(number):
    os.kill(os.getpid(), number)
    for _ in range(20):
        await asyncio.sleep(0)

async def work():
    said = []
    with answer_interrupts(lambda: said.append("drain"), lambda: said.append("stop")):
        for number in (signal.SIGINT, signal.SIGTERM)[:STRIKES]:
            await strike(number)
    print(said, flush=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT)[:LATE]:
        await strike(number)
    print("saved", flush=True)
    raise KeyboardInterrupt

try:
    run_alone(work())
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGINT)
    print("to go on")
"""


def run_script(strikes: int, late: int, script: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    text = f"STRIKES, LATE = {strikes}, {late}\n{script}"
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_what_is_saved_after_a_stop_is_saved_whole() -> None:
    done = run_script(2, 3)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["['drain', 'stop']", "saved", "to go on"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_who_really_means_it_gets_out_of_a_closing_that_hangs() -> None:
    done = run_script(1, 3, SCRIPT.replace("[:LATE]", "* 2"))
    assert done.stdout.splitlines() == ["['drain']", "to go on"], done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_program_that_was_not_interrupted_has_its_signals_back() -> None:
    script = SCRIPT.replace("raise KeyboardInterrupt", "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL")
    done = run_script(0, 0, script)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_program_whose_run_was_interrupted_has_its_signals_back() -> None:
    script = SCRIPT.replace("run_alone(work())", "run_blocking(work)").replace("runs.alone", "runs.generate")
    script = script.replace("run_alone", "run_blocking").split("except KeyboardInterrupt:")[0]
    script += """
except KeyboardInterrupt:
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    print("restored")
"""
    done = run_script(1, 1, script)
    assert done.stdout.splitlines()[-1:] == ["restored"], done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_not_even_the_interpreter_s_own_end_is_broken_into() -> None:
    late = "import atexit\nclass Last:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGTERM)\n"
    done = run_script(1, 0, f"{SCRIPT}\n{late}\nkept = Last()\nkept.self = kept\n")
    assert (done.returncode, done.stderr) == (0, "")


EARLY = """
import os, signal, sys
class Strike:
    def find_spec(self, name, path=None, target=None):
        if name == "culturepark.cli":
            os.kill(os.getpid(), signal.SIGINT)
class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Strike())
kept = Last()
kept.self = kept
from culturepark.__main__ import run
sys.exit(run())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_command_interrupted_while_it_is_loaded_says_so_in_one_line() -> None:
    done = run_script(0, 0, EARLY)
    assert (done.returncode, done.stderr) == (130, "culturepark: interrupted\n")
