"""The jobs a bench measures, each in a process of its own: the bare loop, and our runs as a whole or in part."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.servers import MODEL


@dataclass(frozen=True)
class Task:
    """One process's job. ``order``: plan (ours), all (all talks at once), slots (as many talks as slots)."""

    kind: str  # bare, ours, stack (ours without the rules about what was said), default
    url: str
    folder: str
    dialogues: int
    in_flight: int = 64
    workers: int = 1
    order: str = "plan"
    record: bool = False


@dataclass(frozen=True)
class Figures:
    """What a job took. ``half`` is the share of talks that were complete when half of the calls were answered."""

    calls: int
    wall_s: float
    cpu_s: float
    rss_mb: float
    half: float = 0.0
    accepted: int = 0


def measure_cpu() -> float:
    """CPU seconds of this process and its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure_rss() -> float:
    """Peak resident memory of this process or of its largest child, in MB."""
    sizes = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(sizes) / 1024


async def replay_bare(task: Task) -> Figures:
    """Send the recorded bodies, each talk's in their order, with nothing but aiohttp."""
    import aiohttp

    talks: dict[str, list[bytes]] = defaultdict(list)
    for line in (Path(task.folder) / "bodies.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        talks[row["talk"]].append(json.dumps(row["body"], ensure_ascii=False).encode())
    gate = asyncio.Semaphore(task.in_flight)
    headers = {"Content-Type": "application/json"}
    cpu, began, calls = measure_cpu(), time.monotonic(), 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def ask(body: bytes) -> None:
            nonlocal calls
            async with gate, session.post(f"{task.url}/chat/completions", data=body) as answer:
                found = json.loads(await answer.read())
                assert found["choices"][0]["message"]
                calls += 1

        async def talk(bodies: list[bytes]) -> None:
            await asyncio.gather(*(ask(body) for body in bodies[:2]))
            for body in bodies[2:]:
                await ask(body)

        await asyncio.gather(*(talk(bodies) for bodies in talks.values()))
    return Figures(calls, time.monotonic() - began, measure_cpu() - cpu, measure_rss())


def configure(task: Task) -> Any:
    """The configuration of a run with about as many planned talks as the task wants."""
    from culturepark.config import build_config

    given = {"cultures": "arab,korean", "style": "cross", "turns": 6, "model": MODEL}
    given |= {"engine": "mock", "model": "mock"} if task.url == "mock" else {"base_url": task.url}
    given |= {"n": task.dialogues * 8, "concurrency": task.in_flight, "workers": task.workers, "encoder": "none"}
    given |= {"output_dir": str(Path(task.folder) / f"run-{time.monotonic_ns()}"), "progress": "none", "adapt": False}
    return build_config(given)


async def hold_talks(task: Task) -> Figures:
    """Hold the planned talks of a run and read them; nothing is judged and nothing replaced.

    A few other talks are held before, one for each country at least, so that what is loaded once does not count.
    """
    from culturepark.runs.generate import prepare

    prepared = await prepare(configure(task))
    slots = prepared.plan.slots
    once = {seat.country: slot for slot in slots[task.dialogues :] for seat in slot.seats}
    warm_up = sorted({*once.values(), *slots[-8:]}, key=slots.index)
    await _hold(replace(prepared, path=prepared.path.with_name("warm-up")), replace(task, workers=1), warm_up)
    if task.record:
        _record_bodies(Path(task.folder) / "bodies.jsonl")
    return await _hold(prepared, task, slots[: task.dialogues])


async def _hold(prepared: Any, task: Task, slots: Sequence[Any]) -> Figures:
    from culturepark.llm.replay import ReplyLog
    from culturepark.runs.engines import start_model
    from culturepark.runs.journal import RunFolder
    from culturepark.runs.makers import open_maker
    from culturepark.runs.money import Money
    from culturepark.runs.runner import Runner
    from culturepark.runs.sieve import Sieve
    from culturepark.runs.stack import Hooks, connect
    from culturepark.runs.station import Place
    from culturepark.runs.work import Workshop

    config = prepared.config.model_copy(update={"workers": task.workers})
    plan = replace(prepared.plan, slots=tuple(slots))
    async with AsyncExitStack() as stack:
        folder = RunFolder(prepared.path)
        stack.callback(folder.close)
        served = await start_model(config, prepared.path, print, stack)
        served = replace(served, setup=replace(served.setup, judged=False))
        runner = Runner(plan, folder, config.n, 10**9, lambda slot: slot.attempt == 1)
        _set_order(runner, task)
        hooks = Hooks(runner.order.shard_of, runner.order.rank_of)
        replies = prepared.path / "replies"
        money = Money(config, prepared.path)
        stack.callback(money.close)
        engine = await stack.enter_async_context(
            connect(config, served, ReplyLog(replies, hooks.shard_of), hooks, money, task.in_flight)
        )
        workshop = Workshop(config, prepared.sources, engine.setup, engine.client, prepared.prompts, prepared.tools)
        place = Place(prepared.path, replies)
        maker = await stack.enter_async_context(open_maker(workshop, engine, place, runner.order, print))
        sieve = Sieve(prepared.tools, workshop)
        cpu, began = measure_cpu(), time.monotonic()
        watcher = asyncio.create_task(_watch_half(runner, maker, 9 * len(plan.slots)))
        await runner.run(maker, sieve, task.in_flight)
        wall, spent = time.monotonic() - began, measure_cpu() - cpu
        half = await watcher
    return Figures(runner.counts.calls, wall, spent, measure_rss(), half / len(plan.slots), runner.counts.accepted)


async def _watch_half(runner: Any, maker: Any, calls: int) -> int:
    """How many talks are complete when half of the calls are answered."""
    while not runner.counts.dialogues >= len(runner._planned):
        if maker.snapshot()["all"]["calls"] >= calls / 2:
            return int(runner.counts.dialogues)
        await asyncio.sleep(0.01)
    return 0


def _set_order(runner: Any, task: Task) -> None:
    """Other ways to schedule, to compare ours with."""
    if task.order == "plan":
        return
    first_come = iter(range(10**9))
    runner.order.rank_of = lambda request: next(first_come)
    open_talks = task.dialogues if task.order == "all" else task.in_flight
    begin = runner._begin

    def begin_some() -> Any:
        runner._open_talks = runner._most_open = open_talks
        return begin()

    runner._begin = begin_some


def _record_bodies(path: Path) -> None:
    from culturepark.llm import http

    send = http.make_body
    file = path.open("w", encoding="utf-8")

    def note(request: Any, prefill: bool) -> dict[str, Any]:
        body = send(request, prefill)
        print(json.dumps({"talk": request.key.split("/")[0], "body": body}, ensure_ascii=False), file=file, flush=True)
        return body

    http.make_body = note


async def generate_default(task: Task) -> Figures:
    """A whole run with the default settings."""
    from culturepark.runs.generate import execute
    from culturepark.runs.progress import open_display

    config = configure(task).model_copy(update={"n": task.dialogues * 5, "encoder": "auto", "adapt": True})
    cpu, began = measure_cpu(), time.monotonic()
    run = await execute(config, open_display(config))
    counts = run.counts()
    return Figures(counts.calls, time.monotonic() - began, measure_cpu() - cpu, measure_rss(), accepted=counts.accepted)


async def hold_bare_talks(task: Task) -> Figures:
    """The same calls through plan, graphs, client stack, reply log and commit, but no rule looks at what was said."""
    from culturepark.dialogue import nodes
    from culturepark.dialogue.checks import Cleaned
    from culturepark.runs import work

    def stop_at_limit(turns: Any, limit: int, *rest: Any) -> str:
        return "turn_limit" if len(turns) >= limit else ""

    for module, name, made in (
        (nodes, "clean_turn", lambda text, *rest: Cleaned(text, ())),
        (nodes, "find_fault", lambda *rest: ""),
        (nodes, "find_stop", stop_at_limit),
        (work, "make_candidates", lambda *rest: {}),
    ):
        setattr(module, name, made)
    return await hold_talks(task)


JOBS = {"bare": replay_bare, "ours": hold_talks, "stack": hold_bare_talks, "default": generate_default}
