"""A model server as a child process that lives as long as a run, on 127.0.0.1 and with its own log file.

Keys for other services are not handed down to it. Which servers there are: ``servers``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from culturepark.errors import EndpointError
from culturepark.llm import guard

OnWait = Callable[[float, str], None]  # seconds waited, last line of the log
Faults = Sequence[tuple[str, str]]  # a pattern in the log, and what to say about it

_LOG_PREFIX = re.compile(r"^(?:\(\w+ pid=\d+\) )?(?:(?:INFO|WARNING|ERROR) [\d: -]+ \[[^\]]*\] ?)?")


class ManagedServer:
    """A model server as a child process: ``async with server as base_url`` starts and stops it.

    ``port`` is known before, or read from ``port_file``, which the child writes when it is ready.
    The child ends with this process, however that ends.
    """

    def __init__(
        self,
        name: str,
        model: str,
        command: Sequence[str],
        log: Path,
        *,
        port: int = 0,
        port_file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        deadline: float = 60.0,
        poll_every: float = 0.1,
        faults: Faults = (),
        on_wait: OnWait | None = None,
    ) -> None:
        self.name = name
        self.model = model
        self.log = log
        self.base_url = ""
        self.started_in = 0.0
        self._command = list(command)
        self._port = port
        self._port_file = port_file
        self._environment = {**child_environment(os.environ), **(environment or {})}
        self._deadline = deadline
        self._poll_every = poll_every
        self._faults = faults
        self._on_wait = on_wait
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    async def __aenter__(self) -> str:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> str:
        """Start the server and wait until it answers; returns its base URL. Raises ``EndpointError``."""
        begun = time.monotonic()
        try:
            self._process = self._launch()
            port = await self._wait_ready(self._process, begun)
        except BaseException:
            await self.stop()
            raise
        finally:
            self._forget_port_file()
        self.started_in = time.monotonic() - begun
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self.base_url

    async def stop(self) -> None:
        """End the server: SIGTERM, five seconds, then SIGKILL to all it started. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.terminate()
            deadline = time.monotonic() + guard.STOP_SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        finally:
            kill_group(process)

    def failure(self) -> str | None:
        """One line on why the server ended by itself, or None while it runs."""
        code = self._process.poll() if self._process else None
        return None if code is None else self._explain(describe_exit(code))

    def _launch(self) -> subprocess.Popen[bytes]:
        self._forget_port_file()
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                return subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,  # closes when this process dies: the child watches it
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise EndpointError(f"{self.name} cannot be started: {error.filename}: {error.strerror}") from error

    async def _wait_ready(self, process: subprocess.Popen[bytes], begun: float) -> int:
        while True:
            code = process.poll()
            if code is not None:
                raise EndpointError(self._explain(describe_exit(code)))
            port = self._port or self._read_port()
            if port and await asyncio.to_thread(serves_model, port, self.model):
                return port
            waited = time.monotonic() - begun
            if waited > self._deadline:
                raise EndpointError(self._explain(f"was not ready after {self._deadline:.0f} s"))
            if self._on_wait:
                self._on_wait(waited, (useful_lines(self._read_log(4096)) or [""])[-1])
            await asyncio.sleep(self._poll_every)

    def _read_port(self) -> int:
        try:
            return int(self._port_file.read_text(encoding="utf-8")) if self._port_file else 0
        except OSError:
            return 0

    def _forget_port_file(self) -> None:
        if self._port_file:
            self._port_file.unlink(missing_ok=True)

    def _read_log(self, limit: int = 400_000) -> str:
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, end - limit))
            return file.read().decode("utf-8", "replace")

    def _explain(self, what: str) -> str:
        text = self._read_log()
        for pattern, meaning in self._faults:
            found = re.search(pattern, text, re.DOTALL)
            if found:
                said = meaning.format(*(group.strip() for group in found.groups()))
                return f"{self.name} cannot serve {self.model}: {said}. Its log: {self.log}"
        said = " | ".join(useful_lines(text)[-3:]) or "it wrote nothing"
        return f"{self.name} for {self.model} {what}: {said}. Its log: {self.log}"


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child and of all it started, and collect its exit code."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS refuses to signal a group of zombies
        pass
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:  # held by a driver: it dies when that lets go
        pass


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without keys of services, which a local server has no use for."""
    return {name: value for name, value in environment.items() if not name.upper().endswith("API_KEY")}


def describe_exit(code: int) -> str:
    """What a process's exit code says."""
    number = -code if code < 0 else code - 128
    if number == 9:
        return "was killed, most often because memory ran out"
    if number == 4:
        return "used an instruction this processor has not"
    return f"was ended by signal {number}" if 0 < number < 65 else f"ended with code {code}"


def useful_lines(text: str) -> list[str]:
    """Lines of a log that tell something: no traceback frames, no prefixes, cut at 200 characters."""
    lines = [_LOG_PREFIX.sub("", line).rstrip() for line in text.splitlines()]
    return [line[:200] for line in lines if re.match(r"(?!Traceback \(most)[^\s^~]", line)]


def serves_model(port: int, model: str) -> bool:
    """Whether the server on this port of this machine lists the model."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/v1/models", timeout=5) as reply:
            listed = json.load(reply).get("data", [])
            return any(entry.get("id") == model for entry in listed)
    except (OSError, ValueError, AttributeError):
        return False


def pick_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
