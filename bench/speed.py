"""How near a run comes to the limit of its model server, and what a call costs this side in CPU.

    python -m bench.speed [--dialogues 600] [--only table1,engine,schedule,default]

The job is that of the peers' table: talks of six turns with the whole history in each call, two private notes before
them, one structured reading after them: nine calls a talk, through our real plan, graphs, client, reply log and commit.
The bare loop sends the very same request bodies with aiohttp and does nothing else. Server, bare loop and runs are
processes of their own; figures are ratios within one table. CPU is user and system time of the job without start-up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict

from bench.jobs import JOBS, Figures, Task
from bench.servers import ROOT, Load, has_fast_server, serve
from culturepark.runs.alone import run_alone

ROUNDS = 3
TABLES = ("table1", "engine", "schedule", "default")


def run_task(task: Task) -> Figures:
    """Do a task in a process of its own."""
    command = [sys.executable, "-m", "bench.speed", "--task", json.dumps(asdict(task))]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONHASHSEED": "0"}
    )
    if done.returncode:
        raise SystemExit(f"the task failed: {task}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def print_row(*cells: object) -> None:
    """One row of a table."""
    print(
        "| " + " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |", flush=True
    )


def compare_clients(dialogues: int, folder: str) -> None:
    """50 ms a call and 64 in flight: how much of the limit is reached, and CPU a call against the bare loop."""
    print("\n50 ms a call, 64 in flight: limit = calls x 0.05 s / 64")
    with serve(Load()) as stand:
        run_task(Task("ours", stand.url, folder, dialogues, record=True))
    print_row("job", "efficiency", "CPU ms a call", "calls a CPU second", "x bare", "peak MB")
    print_row("---", "---", "---", "---", "---", "---")
    tasks = (
        ("bare aiohttp loop", "bare", 1),
        ("culturepark, graphs and client stack alone", "stack", 1),
        ("culturepark", "ours", 1),
        ("culturepark --workers 2", "ours", 2),
    )
    # In turn, and the best of each: other work on the machine can only add.
    best: dict[str, tuple[float, float, int]] = {}
    with serve(Load(latency_ms=50)) as stand:
        for _ in range(ROUNDS):
            for name, kind, workers in tasks:
                took = run_task(Task(kind, stand.url, folder, dialogues, workers=workers))
                found = (took.calls * 0.05 / 64 / took.wall_s, took.cpu_s / took.calls, round(took.rss_mb))
                old = best.get(name, found)
                best[name] = (max(old[0], found[0]), min(old[1], found[1]), max(old[2], found[2]))
    bare = best[tasks[0][0]][1]
    for name, _, workers in tasks:
        efficiency, cost, peak = best[name]
        if workers > 1:  # the workers' own time is not seen from here
            print_row(name, efficiency, "-", "-", "-", peak)
        else:
            print_row(name, efficiency, cost * 1000, round(1 / cost), cost / bare, peak)


def compare_on_engine(dialogues: int, folder: str) -> None:
    """A server like a real engine: 64 slots, 100 ms to the first token, 5 ms a token, 48 to 192 tokens."""
    print("\nEngine: 64 slots, 100 ms to first token, 5 ms a token, 48-192 tokens; slot use over the whole run")
    print_row("job", "slot use", "calls", "CPU s", "seconds")
    print_row("---", "---", "---", "---", "---")
    load = Load(slots=64, ttft_ms=100, tpot_ms=5, tokens=120, spread=0.6)
    for name, kind in (("bare aiohttp loop", "bare"), ("culturepark", "ours")):
        with serve(load) as stand:
            took = run_task(Task(kind, stand.url, folder, dialogues))
            busy = stand.stats()["busy_slot_s"]
        print_row(name, busy / (64 * took.wall_s), took.calls, took.cpu_s, took.wall_s)


def compare_orders(dialogues: int, folder: str) -> None:
    """Ours against all talks at once and against as many talks as slots."""
    print("\nScheduling on the same engine, prefix cache of 4,096 entries")
    print_row("order", "slot use", "talks complete at half of the calls", "cached share of input tokens", "peak MB")
    print_row("---", "---", "---", "---", "---")
    load = Load(slots=64, ttft_ms=20, tpot_ms=1, tokens=120, spread=0.6, prefix_cache=4096)
    for name, order in (("ours", "plan"), ("all at once", "all"), ("64 at a time", "slots")):
        with serve(load) as stand:
            took = run_task(Task("ours", stand.url, folder, dialogues, order=order))
            stats = stand.stats()
        cached = stats.get("cached_tokens", 0) / max(1, stats.get("prompt_tokens", 1))
        busy = stats["busy_slot_s"]
        print_row(name, busy / (64 * took.wall_s), f"{took.half:.0%}", cached, round(took.rss_mb))


def measure_default(dialogues: int, folder: str) -> None:
    """All stages and judges as they are by default, against the mock engine inside the process."""
    print(
        "\nWhole runs with the default settings (mock engine in the same process, start-up and final figures included)"
    )
    print_row("samples", "calls", "CPU ms a call", "CPU ms a sample", "peak MB")
    print_row("---", "---", "---", "---", "---")
    for size in (dialogues // 4, dialogues):
        took = run_task(Task("default", "mock", folder, size))
        cost = 1000 * took.cpu_s
        print_row(took.accepted, took.calls, cost / took.calls, cost / took.accepted, round(took.rss_mb))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=600)
    parser.add_argument("--only", default=",".join(TABLES), help="tables to print")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        task = Task(**json.loads(options.task))
        run = asyncio.run if task.kind == "bare" else run_alone
        print(json.dumps(asdict(run(JOBS[task.kind](task)))))
        return
    if not has_fast_server():
        print("Beside bench/engine.py, which takes CPU itself: compare rows of a table, not tables of other machines.")
    wanted = options.only.split(",")
    makers = {"table1": compare_clients, "engine": compare_on_engine, "schedule": compare_orders}
    makers["default"] = measure_default
    with tempfile.TemporaryDirectory(prefix="culturepark-bench-") as folder:
        if "table1" not in wanted and "engine" in wanted:  # the bare loop needs the bodies
            with serve(Load()) as stand:
                run_task(Task("ours", stand.url, folder, options.dialogues, record=True))
        for name in wanted:
            makers[name](options.dialogues, folder)


if __name__ == "__main__":
    main()
