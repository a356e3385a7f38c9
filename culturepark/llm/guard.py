"""Keep a child process from outliving its parent, even one that was killed with SIGKILL.

``die_with_parent`` is for a child of our own. ``python -m culturepark.llm.guard COMMAND ...`` runs a
foreign command, and ends its whole process group when the parent goes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

STOP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


def signal_on_parent_death(number: int) -> None:
    """Ask Linux to send this process a signal when its parent dies; does nothing elsewhere."""
    if sys.platform != "linux":
        return
    import ctypes

    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    except (OSError, AttributeError):  # a C library without prctl: the pipe is watched all the same
        return


def watch_stdin(on_close: Callable[[], object]) -> None:
    """Call ``on_close`` from a thread when standard input ends: the parent held its other end."""

    def wait() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        on_close()

    threading.Thread(target=wait, name="watch-parent", daemon=True).start()


def die_with_parent() -> None:
    """End this process at once when its parent is gone."""
    if sys.platform != "win32":
        signal_on_parent_death(signal.SIGKILL)
    watch_stdin(lambda: os._exit(0))


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Ask the child and all it started to end, wait a little, then kill the whole process group."""
    if sys.platform == "win32":
        child.kill()
        child.wait()
        return
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)  # this process is one of the group: nothing comes after


def run_guarded(command: list[str]) -> int:
    """Run a command until it ends, standard input closes or SIGTERM comes; returns a shell's exit code."""
    ending: list[bool] = []  # no Event: its lock is not to be taken in a signal handler (it may be held already)

    def note_end(*_: Any) -> None:
        ending.append(True)

    signal.signal(signal.SIGTERM, note_end)
    if sys.platform != "win32":
        signal_on_parent_death(signal.SIGTERM)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{command[0]}: cannot be started ({error.strerror})", file=sys.stderr, flush=True)
        return 127
    watch_stdin(note_end)
    while (code := child.poll()) is None:
        if ending:
            end_group(child)
        time.sleep(0.05)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(run_guarded(sys.argv[1:]))
