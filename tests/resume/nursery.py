"""Starts ``culturepark`` processes that have their modules loaded already, so that a test can afford many of them.

It forks; each child is a process of its own that runs the real command, and may be stopped by any signal. It reads one
JSON line a child, ``{"arguments": [...], "out": path, "err": path}``, answers its process id, and when the child is
over its exit code (negative: the signal).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """One process of the nursery, with the part of ``Popen`` that the tests use."""

    def __init__(self, nursery: Nursery, pid: int, out: Path, err: Path) -> None:
        self._nursery, self.pid, self._out, self._err = nursery, pid, out, err
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.read_code(wait=False)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it is over."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; what it wrote."""
        if self.returncode is None:
            self.returncode = self._nursery.read_code(wait=True, timeout=timeout)
        return self._out.read_text(), self._err.read_text()


class Nursery:
    """Has at most one child at a time."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._lines: list[str] = []
        self._ended = False
        self._arrived = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, *arguments: str) -> Child:
        """A child at work on one command."""
        self._count += 1
        out, err = (self._folder / f"child-{self._count}.{kind}" for kind in ("out", "err"))
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"arguments": arguments, "out": str(out), "err": str(err)}) + "\n")
        self._process.stdin.flush()
        pid = self.read_code(wait=True, timeout=60)
        assert pid is not None
        return Child(self, pid, out, err)

    def read_code(self, wait: bool, timeout: float | None = None) -> int | None:
        """The next number it says."""
        with self._arrived:
            if wait and not self._arrived.wait_for(lambda: self._lines or self._ended, timeout):
                raise subprocess.TimeoutExpired("a child of the nursery", timeout or 0)
            assert self._lines or not self._ended, "the nursery ended by itself"
            return int(self._lines.pop(0)) if self._lines else None

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._arrived:
                self._lines.append(line)
                self._arrived.notify_all()
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()


def _load_modules() -> None:
    """Everything a run imports on its way, by way of a small run."""
    import tempfile

    import aiohttp  # noqa: F401
    from tqdm import tqdm

    import culturepark
    import culturepark.cli.generate
    import culturepark.llm.http  # noqa: F401

    tqdm.monitor_interval = 0  # it would start a thread
    with tempfile.TemporaryDirectory() as folder:
        culturepark.generate(
            cultures=["arab", "korean"], n=4, engine="mock", encoder="none", output_dir=f"{folder}/run"
        )


def _serve() -> None:
    """The nursery itself; ends when nobody writes to it any more."""
    _load_modules()
    assert threading.active_count() == 1, "a process with threads must not fork"
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order["arguments"], order["out"], order["err"])
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(arguments: list[str], out: str, err: str) -> None:
    from culturepark.cli import main

    for path, number in ((os.devnull, 0), (out, 1), (err, 2)):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(handle, number)
        os.close(handle)
    code = 1
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
