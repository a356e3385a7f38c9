"""From an engine's name to a working client: which engine, which model, which wrappers around it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from culturepark.config import RunConfig, split_servers
from culturepark.errors import CallError, ConfigError, EndpointError
from culturepark.llm.http import HttpClient
from culturepark.runs.work import ModelSetup

OPENAI_URL = "https://api.openai.com/v1"
LOCAL_SLOTS = 8
Say = Callable[[str], None]

LOCAL_REMARK = (
    "Using the embedded model (SmolLM2-135M): it is for trying things out, not for data to train on. "
    "For real data set --base-url and --model, or OPENAI_API_KEY."
)
UNJUDGED_REMARK = (
    "The embedded model is too small to verify or judge anything: only the rule stages check its samples, and each is "
    "tagged 'unjudged'. Name a capable judge with --judges MODEL@URL."
)


@dataclass(frozen=True, slots=True)
class Served:
    """A model that is up: how it is asked, calls it takes at once, and where it is when we started it."""

    setup: ModelSetup
    slots: int
    base_url: str | None = None
    prefill: bool = False


def choose_engine(config: RunConfig) -> tuple[RunConfig, str]:
    """Settle engine and model name as far as that needs no call; returns a remark for the user.

    Raises ``ConfigError`` or ``MissingPartError`` saying what to set or install.
    """
    from culturepark.llm.servers import embedded_missing

    engine, remark = config.engine, ""
    if engine is None:
        if config.base_url or config.model or os.environ.get(config.api_key_env):
            engine = "openai"
        elif embedded_missing() is None:
            engine, remark = "local", LOCAL_REMARK
        else:
            raise ConfigError(
                f"no model to talk to: set {config.api_key_env}, or --base-url and --model for a server of your own, "
                "or install the embedded model with: culturepark setup local (or try --engine mock, no model at all)"
            )
    if engine in ("vllm", "langchain") and not config.model:
        example = "anthropic:NAME" if engine == "langchain" else "Qwen/Qwen3-8B"
        raise ConfigError(f"--engine {engine} needs --model, for example --model {example}")
    if engine == "openai" and not config.base_url and not os.environ.get(config.api_key_env):
        raise ConfigError(
            f"no API key: set the variable {config.api_key_env} (or name another with --api-key-env), "
            "or give --base-url for a server that needs none"
        )
    if config.batch != "off":
        refuse_batches(config, engine)
    names = {"local": "smollm2-135m-instruct", "mock": "mock"}
    return config.model_copy(update={"engine": engine, "model": config.model or names.get(engine)}), remark


def refuse_batches(config: RunConfig, engine: str) -> None:
    """Raise ``ConfigError`` where the batch API cannot be had."""
    if engine != "openai":
        raise ConfigError(f"--batch needs an OpenAI-style server: it does not go with --engine {engine}")
    if config.base_url and len(split_servers(config.base_url)) > 1:
        raise ConfigError("--batch goes to one server: name only one in --base-url")
    if config.workers > 1 or config.executor != "local":
        raise ConfigError("--batch waits in one process: leave out --workers and --executor")


async def settle_model(config: RunConfig) -> RunConfig:
    """Ask the server for its model when the user named none and it serves exactly one."""
    if config.model:
        return config
    client = http_client(config, config.base_url or OPENAI_URL)
    try:
        names = await client.models()
    except CallError as error:
        raise EndpointError(f"{error}; is the server up? (culturepark doctor --base-url URL tells more)") from None
    finally:
        await client.close()
    if len(names) != 1:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise ConfigError(f"name a model with --model; the server offers: {shown or 'none'}")
    return config.model_copy(update={"model": names[0]})


async def start_model(config: RunConfig, folder: Path, say: Say, stack: AsyncExitStack) -> Served:
    """Start what must be started; ``stack`` stops it again."""
    model = config.model or ""
    refine = config.refine_model or model
    size = config.settle_prompt_size()
    if config.engine == "local":
        return await _start_local(config, folder, say, stack)
    if config.engine == "vllm":
        from culturepark.llm.servers import vllm_server

        server = vllm_server(model, folder / "vllm.log", list(config.vllm_args), on_wait=_tell_wait(say))
        url = await stack.enter_async_context(server)
        # vLLM's CPU build dies on seeded requests, and the reply log makes seeds needless.
        setup = ModelSetup(model, refine, size, send_seeds=False, probabilities=True)
        return Served(setup, config.concurrency, url)
    return Served(ModelSetup(model, refine, size, probabilities=config.engine == "openai"), config.concurrency)


async def _start_local(config: RunConfig, folder: Path, say: Say, stack: AsyncExitStack) -> Served:
    from culturepark.llm.servers import SMOLLM_EXTRA, local_server

    slots = min(config.concurrency, LOCAL_SLOTS)
    server = local_server(folder / "server.log", slots=slots, on_wait=_tell_wait(say))
    url = await stack.enter_async_context(server)
    setup = ModelSetup(
        config.model or "",
        config.refine_model or config.model or "",
        config.settle_prompt_size(),
        prefill=True,
        stop=("\n",),
        extra=SMOLLM_EXTRA,
        turn_tokens=min(config.reply_tokens, 64),
        judged=False,
    )
    return Served(setup, slots, url, prefill=True)


def http_client(config: RunConfig, url: str) -> HttpClient:
    """A client for a server that takes the run's key."""
    return HttpClient(url, os.environ.get(config.api_key_env) or None, timeout_s=config.timeout)


def _tell_wait(say: Say) -> Callable[[float, str], None]:
    told = [0.0]

    def tell(seconds: float, line: str) -> None:
        if seconds - told[0] >= 5:
            told[0] = seconds
            say(f"Waiting for the model server ({seconds:.0f} s): {line[:100]}")

    return tell
