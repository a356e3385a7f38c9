"""From an engine's name to a working client: which engine, which model, which wrappers around it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from culturepark.config import RunConfig, split_judge
from culturepark.errors import CallError, ConfigError, EndpointError
from culturepark.llm.base import ChatClient
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.http import HttpClient
from culturepark.llm.limits import CountingClient, RetryEvent, RetryingClient, WindowClient
from culturepark.llm.replay import ReplayClient, ReplyLog
from culturepark.refine.judges import Judge
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


@dataclass
class Engine:
    """A stack of clients ready for work, and the parts a run needs to reach."""

    client: ChatClient
    setup: ModelSetup
    gate: Gate
    counting: CountingClient
    log: ReplyLog
    in_flight: int


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
    names = {"local": "smollm2-135m-instruct", "mock": "mock"}
    return config.model_copy(update={"engine": engine, "model": config.model or names.get(engine)}), remark


async def settle_model(config: RunConfig) -> RunConfig:
    """Ask the server for its model when the user named none and it serves exactly one."""
    if config.model:
        return config
    client = _http_client(config, config.base_url or OPENAI_URL)
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


@asynccontextmanager
async def open_engine(
    config: RunConfig,
    folder: Path,
    shard_of: Callable[[str], int],
    say: Say = lambda text: None,
    on_retry: Callable[[RetryEvent], None] = lambda event: None,
    replies: Path | None = None,
) -> AsyncIterator[Engine]:
    """Start what must be started and stack the wrappers; everything is stopped again on leaving.

    ``shard_of`` tells which file of the reply log holds a call; the log lies in ``replies`` (default: in the run).
    """
    async with AsyncExitStack() as stack:
        transport, setup, slots = await _open_transport(config, folder, say, stack)
        log = ReplyLog(replies or folder / "replies", shard_of=shard_of, durable=config.durability == "power")
        stack.callback(log.close)
        gate = Gate(transport)
        counting: CountingClient

        def note(event: RetryEvent) -> None:
            counting.note_retry(event)
            on_retry(event)

        async def sleep(seconds: float) -> None:
            end = asyncio.get_running_loop().time() + seconds
            while (left := end - asyncio.get_running_loop().time()) > 0:
                if gate.closed:
                    raise Draining
                await asyncio.sleep(min(left, 0.25))

        def wrap(inner: ChatClient) -> ReplayClient:
            window = WindowClient(inner, slots)
            retrying = RetryingClient(
                window, tries=config.tries, on_event=note, outage_s=config.outage_patience, sleep=sleep
            )
            return ReplayClient(retrying, log)

        counting = CountingClient(wrap(gate))
        stack.push_async_callback(counting.close)
        panel = []
        for judge in config.judges:
            name, url, variable = split_judge(judge)
            client: ChatClient = counting
            if url is not None or config.engine in ("langchain", "mock", "local", "vllm"):
                own = _open_judge(config, name, url, variable)
                if own is not None:
                    client = counting.beside(wrap(Gate(own, gate)))
                    stack.push_async_callback(own.close)
            panel.append(Judge(name, client, name))
        if not panel and config.engine == "local":
            say(UNJUDGED_REMARK)
        elif not panel:
            panel = [Judge(setup.refine_model, counting, setup.refine_model)]
        yield Engine(counting, replace(setup, panel=tuple(panel)), gate, counting, log, slots)


def _open_judge(config: RunConfig, name: str, url: str | None, variable: str | None) -> ChatClient | None:
    """A judge's own client, with no key but the one named for it; ``None`` when the run's client serves it."""
    if url is not None:
        return HttpClient(url, os.environ.get(variable or "") or None, timeout_s=config.timeout)
    if config.engine == "langchain":
        from culturepark.llm.langchain import open_langchain

        return open_langchain(name)
    if config.engine == "mock":
        return None
    raise ConfigError(f"judge {name!r}: --engine {config.engine} serves one model; say where it is: {name}@URL")


async def _open_transport(
    config: RunConfig, folder: Path, say: Say, stack: AsyncExitStack
) -> tuple[ChatClient, ModelSetup, int]:
    model = config.model or ""
    refine = config.refine_model or model
    size = config.settle_prompt_size()
    if config.engine == "mock":
        from culturepark.llm.scripted import ScriptedClient

        return ScriptedClient(), ModelSetup(model, refine, size), config.concurrency
    if config.engine == "langchain":
        from culturepark.llm.langchain import open_langchain

        given = {"base_url": config.base_url, "api_key": os.environ.get(config.api_key_env)}
        settings = {k: v for k, v in given.items() if v} if model.startswith("openai:") else {}
        return open_langchain(model, **settings), ModelSetup(model, refine, size), config.concurrency
    if config.engine == "local":
        return await _open_local(config, folder, say, stack)
    if config.engine == "vllm":
        from culturepark.llm.servers import vllm_server

        server = vllm_server(model, folder / "vllm.log", list(config.vllm_args), on_wait=_tell_wait(say))
        url = await stack.enter_async_context(server)
        # vLLM's CPU build dies on seeded requests, and the reply log makes seeds needless.
        client = HttpClient(url, None, timeout_s=config.timeout)
        return client, ModelSetup(model, refine, size, send_seeds=False, probabilities=True), config.concurrency
    setup = ModelSetup(model, refine, size, probabilities=True)
    return _http_client(config, config.base_url or OPENAI_URL), setup, config.concurrency


async def _open_local(
    config: RunConfig, folder: Path, say: Say, stack: AsyncExitStack
) -> tuple[ChatClient, ModelSetup, int]:
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
    )
    return HttpClient(url, None, timeout_s=config.timeout, prefill=True), setup, slots


def _http_client(config: RunConfig, url: str) -> HttpClient:
    return HttpClient(url, os.environ.get(config.api_key_env) or None, timeout_s=config.timeout)


def _tell_wait(say: Say) -> Callable[[float, str], None]:
    told = [0.0]

    def tell(seconds: float, line: str) -> None:
        if seconds - told[0] >= 5:
            told[0] = seconds
            say(f"Waiting for the model server ({seconds:.0f} s): {line[:100]}")

    return tell
