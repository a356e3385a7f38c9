"""Model servers for the benches: a fake one in a process of its own, and what a real one tells of itself.

The fake one is the fast one beside the project, where it is there, else the project's own (``bench/engine.py``).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FAST = ROOT.parent / "shared" / "mockllm" / "mockllm.mjs"
MODEL = "mock-llm"
_HITS = re.compile(r"^vllm:prefix_cache_(hits|queries)(?:_total)?(?:\{.*\})? (\S+)$", re.MULTILINE)


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
def serve(load: Load) -> Iterator[Stand]:
    """Start a server on a free port; it is ended on leaving."""
    with tempfile.TemporaryDirectory(prefix="culturepark-bench-") as folder:
        port_file = Path(folder) / "port"
        fast = has_fast_server()
        name = "mockllm" if fast else "bench/engine.py"
        command = ["node", str(FAST), "--port", "0", "--quiet"] if fast else [sys.executable, "-m", "bench.engine"]
        flags = {"latency-ms": load.latency_ms, "slots": load.slots, "ttft-ms": load.ttft_ms}
        flags |= {"tpot-ms": load.tpot_ms, "tokens": load.tokens, "prefix-cache": load.prefix_cache}
        flags["tokens-spread" if fast else "spread"] = load.spread
        command += [part for key, value in flags.items() if value for part in (f"--{key}", f"{value:g}")]
        command += ["--port-file", str(port_file)] + ([] if fast else ["--models", MODEL])
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
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


def read_hits(url: str) -> Counter[str]:
    """Tokens looked up (``queries``) and found (``hits``) in vLLM's prefix cache so far; empty at other servers."""
    found: Counter[str] = Counter()
    with contextlib.suppress(OSError), urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=20) as page:
        for name, value in _HITS.findall(page.read().decode("utf-8", "replace")):
            found[name] += round(float(value))
    return found


def measure_servers() -> float:
    """CPU seconds so far of the sessions that children of this process lead, which is how servers are started.

    Read from Linux's process table; 0 elsewhere.
    """
    found: list[tuple[int, int, int, float]] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parts = file.read_text().rpartition(")")[2].split()
            ticks = sum(int(part) for part in parts[11:15])  # own and ended children's, user and system
            found.append((int(file.parent.name), int(parts[1]), int(parts[3]), ticks / os.sysconf("SC_CLK_TCK")))
    leaders = {pid for pid, parent, session, _ in found if parent == os.getpid() and session == pid}
    return sum(seconds for _, _, session, seconds in found if session in leaders)


@dataclass
class Figures:
    """What a job's calls took. ``busy_s`` adds up their seconds; ``cpu_s`` is the server's, 0 where it is not ours."""

    calls: int = 0
    failed: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    busy_s: float = 0.0
    span_s: float = 0.0
    cpu_s: float = 0.0
    steps: dict[str, list[int]] = field(default_factory=dict)  # calls, input and cached tokens by kind of call


class Watch:
    """Adds up calls as they are answered, and what the server at ``url`` used meanwhile."""

    def __init__(self, url: str) -> None:
        self.url, self.took = url, Figures()
        self._first = self._last = 0.0
        self._cpu, self._hits = measure_servers(), read_hits(url)

    def note(self, key: str, began: float, answer: dict[str, Any] | None) -> None:
        """A call of this key, begun then, was answered now; ``None``: it failed."""
        took = self.took
        self._first, self._last = min(self._first or began, began), time.monotonic()
        took.busy_s += self._last - began
        if answer is None:
            took.failed += 1
            return
        usage = answer.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        counts = (1, usage.get("prompt_tokens") or 0, details.get("cached_tokens") or 0)
        step = re.split(r"[-/]", key.partition("/")[2])[0]
        took.steps[step] = [old + new for old, new in zip(took.steps.get(step, (0, 0, 0)), counts, strict=True)]
        took.calls, took.input, took.cached = (sum(row[k] for row in took.steps.values()) for k in range(3))
        took.output += usage.get("completion_tokens") or 0

    def finish(self) -> Figures:
        """The figures, with the server's own count of cache hits where it keeps one; it must still be up."""
        took, hits = self.took, read_hits(self.url)
        took.span_s, took.cpu_s = self._last - self._first, measure_servers() - self._cpu
        if hits["queries"] > self._hits["queries"]:
            took.input, took.cached = (hits[name] - self._hits[name] for name in ("queries", "hits"))
        return took
