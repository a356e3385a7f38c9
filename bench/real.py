"""How near a run comes to a real engine: tokens per second against a bare loop, and how often prompts hit its cache.

    python -m bench.real --engine local
    python -m bench.real --engine vllm --model NAME_OR_FOLDER [--vllm-args=--dtype=float32,--enforce-eager]
    python -m bench.real --engine http://host:port/v1 [--model NAME]

Each round is a pair: planned talks held by our own program (no replacements), then the very same request bodies sent
by an aiohttp loop in talk order, as many in flight, each with a server of its own that was just started as
``--engine`` starts it (at a URL: one server, and a first word that parts the jobs' prefixes). Time runs from the first
request to the last answer. ``--flat`` adds a loop in which no call waits for those before it: what the server can do.
``--words scripted``: the server works on every call, but talks go on with the mock engine's words, since a very small
model falls out of its role and ends full-prompt talks early; calls are then cut at ``--most-tokens``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.servers import ROOT, Figures, Watch
from bench.speed import print_row
from culturepark.errors import CultureParkError

NAMES = {"ours": "culturepark", "bare": "bare loop, talk by talk", "flat": "bare loop, no call waits"}


@dataclass(frozen=True)
class Task:
    """One process's job: ours, bare (a talk's calls after one another) or flat (no call waits)."""

    kind: str
    folder: str
    bodies: str
    engine: str
    model: str | None
    talks: int
    turns: int
    concurrency: int
    prompt_size: str
    words: str
    most_tokens: int
    vllm_args: str

    @property
    def is_url(self) -> bool:
        """Is the server somebody else's?"""
        return "://" in self.engine


def configure(task: Task) -> Any:
    """The configuration of a run with about as many planned talks as the task wants, or more."""
    from culturepark.config import build_config

    given: dict[str, Any] = {"cultures": "arab,korean", "turns": task.turns, "n": task.talks * 8, "progress": "none"}
    given |= {"style": "cross", "encoder": "none", "concurrency": task.concurrency, "prompt_size": task.prompt_size}
    given |= {"output_dir": f"{task.folder}/run", "vllm_args": task.vllm_args, "timeout": 900}
    given |= {"base_url": task.engine} if task.is_url else {"engine": task.engine}
    return build_config(given | ({"model": task.model} if task.model else {}))


@asynccontextmanager
async def start_watched(task: Task, config: Any) -> AsyncIterator[tuple[Any, Watch]]:
    """Start the server as a run does and warm it up; yields what is up, and what watches its calls."""
    import aiohttp

    from culturepark.runs.engines import start_model

    folder = Path(task.folder) / "server"
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        served = await start_model(config, folder, lambda text: print(text, file=sys.stderr), stack)
        url = served.base_url or config.base_url
        body = {"model": config.model, "messages": [{"role": "user", "content": "Count to ten."}], "max_tokens": 16}
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.post(f"{url}/chat/completions", json=body) as reply:
                    await reply.read()
        yield served, Watch(url)


async def hold_talks(task: Task) -> Figures:
    """Hold planned talks with our own program, and note every request body."""
    from culturepark.runs import stack as clients
    from culturepark.runs.pilot import hold_pilot
    from culturepark.runs.progress import Silent

    found: list[Figures] = []

    async def start(config: Any, folder: Path, say: Any, stack: AsyncExitStack) -> Any:
        served, watch = await stack.enter_async_context(start_watched(task, config))
        _note_calls(task, watch)
        stack.callback(lambda: found.append(watch.finish()))
        return served

    clients.start_model = start  # type: ignore[attr-defined]
    await hold_pilot(configure(task), task.talks, Path(task.folder) / "run", Silent())
    return found[0]


def _note_calls(task: Task, watch: Watch) -> None:
    """Write down each call's body, and how many of its talk's calls were answered before it went out."""
    from culturepark.llm import http
    from culturepark.llm.scripted import ScriptedClient

    client, make_body, ask = http.HttpClient, http.make_body, http.HttpClient.ask
    script, answered = ScriptedClient(), Counter[str]()
    file = Path(task.bodies).open("w", encoding="utf-8")

    def make(request: Any, prefill: bool) -> dict[str, Any]:
        body = make_body(request, prefill)
        if task.words == "scripted":
            body["max_tokens"] = min(body.get("max_tokens") or task.most_tokens, task.most_tokens)
        row = {"key": request.key, "after": answered[_talk_of(request.key)], "body": body}
        print(json.dumps(row, ensure_ascii=False), file=file, flush=True)
        return part(task, body)

    async def ask_timed(self: Any, request: Any) -> dict[str, Any]:
        began, answer = time.monotonic(), None
        try:
            answer = await ask(self, request)
            return answer
        finally:
            watch.note(request.key, began, answer)
            answered[_talk_of(request.key)] += 1

    async def reply_scripted(self: Any, request: Any) -> Any:
        used = http.read_reply(await self.ask(request)).usage
        return replace(await script.reply(request), usage=used)

    changes = {"ask": ask_timed} | ({"reply": reply_scripted} if task.words == "scripted" else {})
    for name, function in changes.items():
        setattr(client, name, function)
    http.make_body = make


def part(task: Task, body: dict[str, Any]) -> dict[str, Any]:
    """A server that is not started anew must not find one job's prompts in its cache at the next."""
    if not task.is_url:
        return body
    first, *rest = body["messages"]
    return {**body, "messages": [{**first, "content": f"[{Path(task.folder).name}] {first['content']}"}, *rest]}


def _talk_of(key: str) -> str:
    return key.partition("/")[0]


async def replay(task: Task) -> Figures:
    """Send the noted bodies with nothing but aiohttp, the oldest talk's first, as many in flight as ours."""
    import aiohttp

    from culturepark.runs.generate import prepare

    config = (await prepare(configure(task))).config
    rows = [json.loads(line) for line in Path(task.bodies).read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["data"] = json.dumps(part(task, row.pop("body")), ensure_ascii=False).encode()
    async with start_watched(task, config) as (served, watch):
        headers = {"Content-Type": "application/json"}
        no_limit = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(headers=headers, timeout=no_limit) as session:

            async def send(row: dict[str, Any]) -> None:
                began = time.monotonic()
                async with session.post(f"{watch.url}/chat/completions", data=row["data"]) as reply:
                    answer = await reply.json(content_type=None)
                watch.note(row["key"], began, answer if reply.status == 200 else None)

            await send_all(list_talks(rows, is_flat=task.kind == "flat"), send, served.slots)
        return watch.finish()


def list_talks(rows: Iterable[dict[str, Any]], *, is_flat: bool) -> list[list[list[dict[str, Any]]]]:
    """Each talk's calls in steps: those of one step went out before any of them was answered. Flat: one step."""
    talks: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        talks.setdefault(_talk_of(row["key"]), []).append(row)
    if is_flat:
        return [[calls] for calls in talks.values()]
    return [[list(step) for _, step in itertools.groupby(calls, lambda row: row["after"])] for calls in talks.values()]


async def send_all(talks: Sequence[Sequence[Sequence[Any]]], send: Any, slots: int) -> None:
    """Call ``send`` with each row, at most so many at once, the first talks' first, a talk's steps one by one."""
    ready = [(place, 0, k) for place, steps in enumerate(talks) for k in range(len(steps[0]))]
    left = {place: len(steps[0]) for place, steps in enumerate(talks)}
    under_way: dict[asyncio.Task[None], tuple[int, int]] = {}
    while ready or under_way:
        ready.sort(reverse=True)
        while ready and len(under_way) < slots:
            place, step, k = ready.pop()
            under_way[asyncio.create_task(send(talks[place][step][k]))] = (place, step)
        done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
            place, step = under_way.pop(task)
            left[place] -= 1
            if not left[place] and step + 1 < len(talks[place]):
                left[place] = len(talks[place][step + 1])
                ready += [(place, step + 1, k) for k in range(left[place])]


def run_task(task: Task) -> Figures:
    """Do a task in a process of its own."""
    Path(task.folder).mkdir(parents=True)
    command = [sys.executable, "-m", "bench.real", "--task", json.dumps(asdict(task))]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the job {task.kind!r} failed")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def print_figures(name: str, took: Figures) -> None:
    """One job's row."""
    cpu = 1000 * took.cpu_s / took.output if took.cpu_s and took.output else "-"
    calls = f"{took.calls} + {took.failed} failed" if took.failed else took.calls
    speed, busy, hits = took.output / took.span_s, took.busy_s / took.span_s, took.cached / max(1, took.input)
    print_row(name, calls, took.input, took.output, took.span_s, speed, busy, hits, cpu)


def print_steps(took: Figures) -> None:
    """How often each kind of call found its prompt in the cache, as far as answers tell."""
    print("\n| culturepark's calls | how many | prompt tokens | of them cached |\n| --- | --- | --- | --- |")
    for step, (calls, given, cached) in took.steps.items():
        print_row(step, calls, given, cached / max(1, given))


def compare(task: Task, kinds: Sequence[str], rounds: int, folder: Path) -> None:
    """Rounds of ours and the loops; then what ours reaches of each loop, all rounds together."""
    counts = ("calls", "prompt tokens", "output tokens", "seconds", "tokens a second", "in flight", "prefix hits")
    print_row("job", *counts, "server CPU s per 1,000 tokens")
    print_row(*["---"] * 9)
    found: dict[str, list[Figures]] = {kind: [] for kind in kinds}
    for number, kind in itertools.product(range(rounds), kinds):
        here = replace(task, kind=kind, folder=str(folder / f"{number}-{kind}"), bodies=str(folder / f"{number}.jsonl"))
        found[kind].append(run_task(here))
        print_figures(f"{NAMES[kind]}, round {number + 1}", found[kind][-1])
    print()
    speeds = {kind: sum(f.output for f in rows) / sum(f.span_s for f in rows) for kind, rows in found.items()}
    for kind in kinds[1:]:
        print(f"tokens a second, culturepark against {NAMES[kind]}: {speeds['ours'] / speeds[kind]:.2f}")
    print_steps(found["ours"][-1])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="local", help="local, vllm or a server's URL")
    parser.add_argument("--model", help="its name, or for vLLM also a folder")
    parser.add_argument("--talks", type=int, default=12)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--prompt-size", default="auto", choices=("auto", "full", "compact"))
    parser.add_argument("--words", default="model", choices=("model", "scripted"))
    parser.add_argument("--most-tokens", type=int, default=48, help="of a reply, with --words scripted")
    parser.add_argument("--vllm-args", default="", help="flags for vllm serve, comma-separated")
    parser.add_argument("--flat", action="store_true", help="also the loop in which no call waits")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    if given["task"]:
        task = Task(**json.loads(given["task"]))
        try:
            print(json.dumps(asdict(asyncio.run((hold_talks if task.kind == "ours" else replay)(task)))))
        except CultureParkError as error:
            raise SystemExit(str(error)) from None
        return
    rounds, is_flat = given.pop("rounds"), given.pop("flat")
    kinds = ["ours", "bare", "flat"] if is_flat else ["ours", "bare"]
    del given["task"]
    with tempfile.TemporaryDirectory(prefix="culturepark-bench-") as folder:
        compare(Task("ours", "", "", **given), kinds, rounds, Path(folder))


if __name__ == "__main__":
    main()
