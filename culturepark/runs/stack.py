"""The stack of clients over a model that is up: count, replay, retry, budget, window or pool, gate, booking, transport.

A replayed reply takes no slot and no money; a call that waits holds no slot.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from culturepark.config import RunConfig, split_judge, split_servers
from culturepark.errors import ConfigError
from culturepark.llm.base import ChatClient, Request
from culturepark.llm.batch_journal import list_open_batches
from culturepark.llm.counting import CountingClient
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.http import HttpClient
from culturepark.llm.lanes import OnFlow, ignore_flow
from culturepark.llm.limits import RetryEvent, RetryingClient
from culturepark.llm.pool import Member, PoolClient
from culturepark.llm.replay import ReplayClient, ReplyLog
from culturepark.llm.steady import SteadyClient
from culturepark.llm.window import WindowClient
from culturepark.refine.judges import Judge
from culturepark.runs.engines import OPENAI_URL, UNJUDGED_REMARK, Say, Served, http_client, start_model
from culturepark.runs.left_batches import refuse_left
from culturepark.runs.money import Money
from culturepark.runs.work import ModelSetup

if TYPE_CHECKING:
    from culturepark.llm.batch import BatchClient

BATCH_TALKS = 600  # talks open when calls wait for batches, towards the end three times as many: 0.25 MB each


@dataclass
class Engine:
    """A stack of clients ready for work, and the parts a run needs to reach."""

    client: ChatClient
    setup: ModelSetup
    gate: Gate
    counting: CountingClient
    log: ReplyLog
    in_flight: int
    served: Served
    money: Money
    flows: Sequence[WindowClient | PoolClient] = ()


@dataclass(frozen=True)
class Hooks:
    """What a stack of clients tells, and asks, the run it works for."""

    shard_of: Callable[[str], int]
    rank_of: Callable[[Request], int] = lambda request: 0
    on_retry: Callable[[RetryEvent], None] = lambda event: None
    on_flow: OnFlow = ignore_flow
    batches: Path | None = None  # the journal of the batch API, beside the reply log
    is_batched: list[Callable[[Request], bool]] = field(default_factory=list)
    say: Say = lambda text: None


class _Stack:
    """Puts clients on top of each other; one for each server that is asked."""

    def __init__(self, config: RunConfig, log: ReplyLog, hooks: Hooks, money: Money, slots: int) -> None:
        self._config, self._log, self._hooks, self._money, self._slots = config, log, hooks, money, slots
        self.gate: Gate | None = None
        self.counting: CountingClient | None = None
        self.flows: list[WindowClient | PoolClient] = []

    def over_run(self, served: Served) -> CountingClient:
        """The clients for the run's own model."""
        self.gate = Gate(_Nowhere())
        urls = split_servers(self._config.base_url or "") if self._config.engine == "openai" else ()
        flow, servers = self._open_pool() if len(urls) > 1 else self._open_single(served)
        batch = self._open_batches(flow, servers)
        inner = self._money.limit(batch or flow)
        self.counting = CountingClient(self._top(self._recover(inner, batch)))
        return self.counting

    def over_judge(self, transport: ChatClient) -> CountingClient:
        """The clients for a judge that has its own server; counted with the others, shut with them."""
        assert self.gate and self.counting
        booked = Gate(self._money.book(transport, elsewhere=True), self.gate)
        window = self._window(booked, getattr(transport, "url", ""), transport)
        return self.counting.beside(self._top(self._money.limit(window, elsewhere=True)))

    def _open_single(self, served: Served) -> tuple[ChatClient, list[HttpClient]]:
        transport = _open_transport(self._config, served)
        booked = Gate(self._money.book(transport), self.gate)
        window = self._window(booked, getattr(transport, "url", ""), transport)
        return window, [transport] if isinstance(transport, HttpClient) else []

    def _open_batches(self, live: ChatClient, servers: Sequence[HttpClient]) -> BatchClient | None:
        """The batch API in front of the window: a call in a batch takes no slot.

        Also without ``--batch``, while batches of an earlier sitting are open at one of these servers.
        """
        config, journal = self._config, self._hooks.batches
        if not servers or journal is None or not self.gate:
            return None
        left = list_open_batches(journal)
        if config.batch == "off" and not left:
            return None
        from culturepark.llm.batch import BatchClient

        batch = BatchClient(
            next((http for http in servers if http.url in left), servers[0]),
            live,
            journal,
            self.gate,
            mode=config.batch,
            every_s=config.batch_every,
            outage_s=config.outage_patience,
            say=self._hooks.say,
            booker=self._money.booker(),
        )
        self._hooks.is_batched.append(batch.is_batched)
        return batch

    def _recover(self, inner: ChatClient, batch: BatchClient | None) -> ChatClient:
        if batch is None:
            return inner
        from culturepark.llm.batch import RecoveringClient

        return RecoveringClient(inner, batch.was_booked, self._money.recover)

    def _open_pool(self) -> tuple[ChatClient, list[HttpClient]]:
        members = []
        for server in split_servers(self._config.base_url or ""):
            key = os.environ.get(server.variable or self._config.api_key_env) or None
            http = HttpClient(server.url, key, timeout_s=self._config.timeout)
            client = Gate(self._money.book(http), self.gate)
            members.append((http, Member(http.url, client, http.models, server.weight)))
        pool = PoolClient(
            [member for _, member in members],
            self._slots,
            adapt=self._config.adapt,
            rank_of=self._hooks.rank_of,
            on_event=self._hooks.on_flow,
            is_closed=self._is_closed,
        )
        for http, _ in members:
            http.on_headers = pool.note_headers
        self.flows.append(pool)
        return pool, [http for http, _ in members]

    def _window(self, inner: ChatClient, name: str, transport: ChatClient) -> WindowClient:
        window = WindowClient(
            inner,
            self._slots,
            adapt=self._config.adapt,
            rank_of=self._hooks.rank_of,
            server=name,
            on_event=self._hooks.on_flow,
            is_closed=self._is_closed,
        )
        if isinstance(transport, HttpClient):
            transport.on_headers = window.note_headers
        self.flows.append(window)
        return window

    def _top(self, inner: ChatClient) -> ReplayClient:
        retrying = RetryingClient(
            inner,
            tries=self._config.tries,
            on_event=self._note_retry,
            outage_s=self._config.outage_patience,
            sleep=self._sleep,
        )
        return ReplayClient(SteadyClient(retrying), self._log)

    def _is_closed(self) -> bool:
        return self.gate is not None and self.gate.closed

    def _note_retry(self, event: RetryEvent) -> None:
        if self.counting:
            self.counting.note_retry(event)
        self._hooks.on_retry(event)

    async def _sleep(self, seconds: float) -> None:
        """Wait for the next try, but not longer than the run goes on."""
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            if self._is_closed():
                raise Draining
            await asyncio.sleep(min(left, 0.25))


class _Nowhere:
    """Behind the gate that all others follow: nobody asks through it."""

    async def reply(self, request: Any) -> Any:
        """Never called."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def connect(
    config: RunConfig, served: Served, log: ReplyLog, hooks: Hooks, money: Money, slots: int | None = None
) -> AsyncIterator[Engine]:
    """The stack of clients over a model that is up, and one for each judge; all are closed on leaving."""
    slots = slots or served.slots
    stack_of = _Stack(config, log, hooks, money, slots)
    async with AsyncExitStack() as stack:
        stack.callback(log.close)
        counting = stack_of.over_run(served)
        stack.push_async_callback(counting.close)
        panel = []
        for judge in config.judges:
            name, url, variable = split_judge(judge)
            client: ChatClient = counting
            if url is not None or config.engine in ("langchain", "mock", "local", "vllm"):
                own = _open_judge(config, name, url, variable)
                if own is not None:
                    client = stack_of.over_judge(own)
                    stack.push_async_callback(own.close)
            panel.append(Judge(name, client, name))
        if not panel and served.setup.judged:
            panel = [Judge(served.setup.refine_model, counting, served.setup.refine_model)]
        setup = replace(served.setup, panel=tuple(panel))
        open_talks = slots if config.batch == "off" else max(slots, BATCH_TALKS)
        assert stack_of.gate
        yield Engine(counting, setup, stack_of.gate, counting, log, open_talks, served, money, stack_of.flows)


@asynccontextmanager
async def open_engine(
    config: RunConfig, folder: Path, hooks: Hooks, replies: Path | None = None
) -> AsyncIterator[Engine]:
    """Start the model and connect to it from this process; the reply log lies in ``replies`` (default: in the run)."""
    async with AsyncExitStack() as stack:
        replies = replies or folder / "replies"
        hooks = replace(hooks, batches=replies.parent / "batches.jsonl")
        refuse_left(replies.parent / "batches.jsonl", config, hooks.say)
        money = Money(
            config, folder, is_batched=lambda request: any(ask(request) for ask in hooks.is_batched), say=hooks.say
        )
        stack.callback(money.close)
        served = await start_model(config, folder, hooks.say, stack)
        if config.engine == "local" and not config.judges:
            hooks.say(UNJUDGED_REMARK)
        log = ReplyLog(replies, hooks.shard_of, durable=config.durability == "power", on_damage=hooks.say)
        yield await stack.enter_async_context(connect(config, served, log, hooks, money))


def _open_transport(config: RunConfig, served: Served) -> ChatClient:
    if config.engine == "mock":
        from culturepark.llm.scripted import ScriptedClient

        return ScriptedClient()
    if config.engine == "langchain":
        from culturepark.llm.langchain import open_langchain

        model = config.model or ""
        given = {"base_url": config.base_url, "api_key": os.environ.get(config.api_key_env)}
        settings = {k: v for k, v in given.items() if v} if model.startswith("openai:") else {}
        return open_langchain(model, **settings)
    if served.base_url is not None:
        return HttpClient(served.base_url, None, timeout_s=config.timeout, prefill=served.prefill)
    return http_client(config, config.base_url or OPENAI_URL)


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
