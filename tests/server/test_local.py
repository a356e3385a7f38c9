"""The real embedded model: started, asked in parallel, killed. Needs ``culturepark setup local``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from culturepark.cli import setup
from culturepark.llm import servers

_LACK = servers.embedded_missing()
pytestmark = [pytest.mark.local, pytest.mark.skipif(_LACK is not None, reason=_LACK or "installed")]

SAMPLING = {"temperature": 0.7, "top_p": 0.9, "min_p": 0.08, "repeat_penalty": 1.1, "repeat_last_n": 128}
OPENING = "In my family in Cairo,"


def post(base_url: str, **body: Any) -> dict[str, Any]:
    """Ask the server; an error's body is returned as it is."""
    content = json.dumps({"model": servers.EMBEDDED_MODEL, **SAMPLING, **body}).encode()
    request = urllib.request.Request(f"{base_url}/chat/completions", content, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return dict(json.load(reply))
    except urllib.error.HTTPError as error:
        return dict(json.loads(error.read()))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for the whole file, on a loop of its own."""
    server = servers.local_server(tmp_path_factory.mktemp("local") / "server.log")
    with asyncio.Runner() as runner:
        yield runner.run(server.start())
        runner.run(server.stop())


def test_eight_requests_at_once_are_answered(base_url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(number: int) -> dict[str, Any]:
        return post(base_url, messages=[user(f"Tell me about meal {number}.")], max_tokens=64, ignore_eos=True)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, range(8)))
    assert [reply["usage"]["completion_tokens"] for reply in replies] == [64] * 8
    assert {reply["model"] for reply in replies} == {servers.EMBEDDED_MODEL}


def test_a_schema_is_kept(base_url: str) -> None:
    schema = {
        "type": "object",
        "properties": {"agree": {"type": "boolean"}, "degree": {"enum": ["low", "high"]}},
        "required": ["agree", "degree"],
        "additionalProperties": False,
    }
    reply = post(
        base_url,
        messages=[user("Do you like tea? Answer in JSON.")],
        max_tokens=100,
        response_format={"type": "json_schema", "json_schema": {"name": "view", "schema": schema}},
    )
    answer = json.loads(reply["choices"][0]["message"]["content"])
    assert set(answer) == {"agree", "degree"} and answer["degree"] in ("low", "high")


def test_a_prefill_is_gone_on_from(base_url: str) -> None:
    messages = [user("Tell me about your family."), {"role": "assistant", "content": OPENING}]
    text = post(base_url, messages=messages, max_tokens=24, seed=1)["choices"][0]["message"]["content"]
    assert text.startswith(OPENING)
    assert len(text) > len(OPENING) + 5


def test_a_prompt_over_the_slots_share_is_a_named_error(base_url: str) -> None:
    error = post(base_url, messages=[user("tea and coffee " * 1500)], max_tokens=8)["error"]
    assert error["type"] == "exceed_context_size_error"
    assert error["n_ctx"] == 2048 and error["n_prompt_tokens"] > 2048


def test_a_prompt_of_1500_tokens_fits(base_url: str) -> None:
    usage = post(base_url, messages=[user("tea " * 1500)], max_tokens=8)["usage"]
    assert 1500 <= usage["prompt_tokens"] < 1800


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_dies_with_a_parent_killed_by_sigkill(tmp_path: Path) -> None:
    code = (
        "import asyncio, time; from pathlib import Path; from culturepark.llm import servers\n"
        f"server = servers.local_server(Path({str(tmp_path / 'log')!r}), slots=1)\n"
        "asyncio.run(server.start()); print(server._process.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(servers.__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}").exists()


def test_setup_tries_the_model_and_says_what_it_is_for() -> None:
    said: list[str] = []
    assert setup.run_setup("local", said.append) == 0
    assert "not data to train on" in said[-2]
    assert said[-1].startswith("The embedded model is ready (SmolLM2-135M, ")
    assert not any("Installing" in line for line in said)
