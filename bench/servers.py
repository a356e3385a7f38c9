"""A fake model server in a process of its own: the fast one beside the project, where it is there, else the tests'."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FAST = ROOT.parent / "shared" / "mockllm" / "mockllm.mjs"


@dataclass(frozen=True)
class Load:
    """How a server behaves: seconds a call, or an engine with slots, time to the first token and time a token."""

    latency_ms: float = 0.0
    slots: int = 0
    ttft_ms: float = 0.0
    tpot_ms: float = 0.0
    tokens: int = 120
    spread: float = 0.0
    prefix_cache: int = 0


@dataclass(frozen=True)
class Stand:
    """A server that is up."""

    name: str
    url: str

    def stats(self) -> dict[str, Any]:
        """What it counted."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats", timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def has_fast_server() -> bool:
    """Is the fast server there, and something to run it with?"""
    return FAST.exists() and shutil.which("node") is not None


@contextmanager
def serve(load: Load, *more: str, own: bool = False) -> Iterator[Stand]:
    """Start a server on a free port; it is ended on leaving. ``own``: the tests' one, which judges sensibly."""
    with tempfile.TemporaryDirectory(prefix="culturepark-bench-") as folder:
        port_file = Path(folder) / "port"
        if has_fast_server() and not own:
            name = "mockllm"
            command = ["node", str(FAST), "--port", "0", "--port-file", str(port_file), "--quiet"]
            flags = {"latency-ms": load.latency_ms, "slots": load.slots, "ttft-ms": load.ttft_ms}
            flags |= {"tpot-ms": load.tpot_ms, "tokens": load.tokens, "tokens-spread": load.spread}
            flags |= {"prefix-cache": load.prefix_cache}
            command += [part for key, value in flags.items() if value for part in (f"--{key}", f"{value:g}")]
        else:
            name = "tests/fakeserver.py"
            command = [sys.executable, str(ROOT / "tests" / "fakeserver.py"), "--port-file", str(port_file)]
            seconds = (load.latency_ms + load.ttft_ms + load.tpot_ms * load.tokens) / 1000
            command += ["--latency-s", f"{seconds:g}"]
        process = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while not (stand := _look(name, port_file)):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{name} did not start")
                time.sleep(0.02)
            yield stand
        finally:
            process.terminate()
            process.wait()


def _look(name: str, port_file: Path) -> Stand | None:
    """The server, once it answers at the port it wrote; a port that is half written answers nobody."""
    try:
        port = int(port_file.read_text())
        stand = Stand(name, f"http://127.0.0.1:{port}/v1")
        stand.stats()
    except (OSError, ValueError):
        return None
    return stand
