"""What a run of very many samples takes: memory, the time until it goes on after a stop, and until it is counted.

    python -m bench.scale --n 100000 1000000

The talks of a small mock run are written again and again for a long run's plan, with other ids and words, by the real
journal writer; all but the last talks. That run is then taken up by ``generate`` in a process of its own. The first
call's time counts from the start of the process, and so does its CPU; memory is the most the process ever had.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from culturepark.records import Claim, Dialogue, Rejected

if TYPE_CHECKING:
    from culturepark.llm.base import Reply, Request
    from culturepark.runs.folder import Run
    from culturepark.runs.generate import Prepared
    from culturepark.runs.journal import Commit
    from culturepark.runs.plan import Slot

CULTURES = ("arab", "korean", "spanish", "german")
WORDS = [
    a + b + c for a in "ba ko mi ru te lo sha ven".split() for b in "na ri lo du".split() for c in "n s r t".split()
]


def main() -> int:
    """One row a run length."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[20_000])
    parser.add_argument("--left", type=int, default=300, help="talks that are left to hold")
    parser.add_argument("--calls", type=int, default=600, help="calls after which the run is stopped again; 0: never")
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--lost", action="store_true", help="also resume without recall.bin")
    parser.add_argument("--folder", type=Path, help="keep the runs here, and use those that are there")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--resume", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_run(int(options.make[0]), Path(options.make[1]), options.left, options.encoder)
        return 0
    if options.resume:
        print(json.dumps(resume_run(int(options.resume[0]), Path(options.resume[1]), options.calls, options.encoder)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{'n':>9} {'run':<12} {'first call s':>12} {'CPU s':>6} {'peak MB':>8} {'status s':>9} {'CPU s':>6}")
        for n in options.n:
            path = folder / f"run-{n}"
            if not path.exists():
                call("--make", str(n), str(path), "--left", str(options.left), "--encoder", options.encoder)
            for name in ("kept", "lost") if options.lost else ("kept",):
                if name == "lost":
                    (path / "recall.bin").unlink()
                report(n, path, name, options)
    return 0


def report(n: int, path: Path, name: str, options: argparse.Namespace) -> None:
    """Resume, ask for the status, print the row."""
    told = call("--resume", str(n), str(path), "--calls", str(options.calls), "--encoder", options.encoder)
    found = json.loads(told.splitlines()[-1])
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-m", "culturepark", "status", str(path)], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{n:>9} {name:<12} {found['wall_s']:>12.1f} {found['cpu_s']:>6.1f} {found['peak_mb']:>8.0f} {wall:>9.2f} "
        f"{cpu:>6.2f}",
        flush=True,
    )


def call(*given: str) -> str:
    """This script in a process of its own; returns what it says."""
    environment = {**os.environ, "BENCH_BEGAN": str(time.time()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", *given], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def list_settings(n: int, path: Path, encoder: str) -> dict[str, Any]:
    """The run's configuration."""
    return {"engine": "mock", "n": n, "cultures": list(CULTURES), "encoder": encoder, "output_dir": str(path)}


def make_run(n: int, path: Path, left: int, encoder: str) -> None:
    """Write a run of n samples that lacks its last talks."""
    from culturepark import generate
    from culturepark.runs.journal import RunFolder
    from culturepark.runs.memory import Memory
    from culturepark.runs.reread import answer_of

    prepared = asyncio.run(prepare_long(n, path, encoder))
    with tempfile.TemporaryDirectory() as small:
        made = Stock(generate(**list_settings(120, Path(small) / "run", "none")))
    memory, folder = Memory(prepared.tools), RunFolder(path, fingerprint=prepared.fingerprint)
    memory.restore(folder)
    with folder.group():
        for position, slot in enumerate(prepared.plan.slots[:-left]):
            commit, screened = made.copy(position, slot)
            for name, text in screened:
                memory.add(slot.id, name, text, commit.dialogue.language)
            for sample in commit.samples:
                memory.remember(sample, answer_of(sample))
            memory.commit(slot.id)
            folder.write(commit)
    folder.close()


async def prepare_long(n: int, path: Path, encoder: str) -> Prepared:
    """The run as ``generate`` would set it up."""
    from culturepark.config import build_config
    from culturepark.runs.generate import prepare

    return await prepare(build_config(list_settings(n, path, encoder)))


class Stock:
    """Records of a small run, from which those of a long one are made."""

    def __init__(self, run: Run) -> None:
        self._talks = [d for d in run.dialogues() if d.status == "finished" and d.spare]
        self._samples, self._rejected = list(run.samples()), [r for r in run.rejected() if r.claim]
        self._chance = random.Random(1)

    def copy(self, position: int, slot: Slot) -> tuple[Commit, list[tuple[str, str]]]:
        """A talk that filled its slot, and (id, text) of what copies are told by. Every text is another."""
        from culturepark.runs.journal import Commit

        samples, screened = [], []
        for place, seat in zip("abcd", slot.seats, strict=False):
            for number in range(1, seat.wanted + 1):
                sample = self._samples[(position + number) % len(self._samples)]
                name, words = f"{slot.id}-{place}{number}", self._make_words(30)
                lineage = {**sample.lineage, "dialogue": slot.id, "speaker": place}
                claim = _say(Claim.model_validate(lineage["claim"]), name, place, words)
                lineage["claim"] = claim.model_dump(mode="json")
                told = ({"role": "user", "content": "What of it?"}, {"role": "assistant", "content": words})
                cell = {"culture": seat.culture, "country": seat.country, "topic": slot.topic, "answer": seat.code}
                fresh = {"id": name, "messages": told, "lineage": lineage, "language": "en"}
                samples.append(sample.model_copy(update={**fresh, **cell}))
                screened.append((name, words))
        talk, spare, lost = self._copy_rest(position, slot)
        if any(v.stage == "near_copies" and v.kept for v in lost.verdicts) and lost.claim is not None:
            screened.append((lost.id, lost.claim.quotes[0].texts[0]))
        screened.append((spare.id, spare.quotes[0].texts[0]))
        screened.sort(key=lambda row: (row[0].rpartition("-")[2][0], len(row[0]), row[0]))
        commit = Commit(position, talk, samples, (lost,), (0,) * len(slot.seats), (spare.id,))
        return commit, screened

    def _copy_rest(self, position: int, slot: Slot) -> tuple[Dialogue, Claim, Rejected]:
        """The talk itself, and of its first speaker a spare claim and a rejected one."""
        seat, talk = slot.seats[0], self._talks[position % len(self._talks)]
        spare = _say(talk.spare[0], f"{slot.id}-a{seat.wanted + 1}", "a", self._make_words(30))
        fresh = {"id": slot.id, "slot": slot.number, "style": slot.style, "topic": slot.topic, "scene": slot.scene}
        talk = talk.model_copy(update={**fresh, "spare": (spare,), "language": "en"})
        lost = self._rejected[position % len(self._rejected)]
        name = f"{slot.id}-a{seat.wanted + 2}"
        claim = _say(lost.claim, name, "a", self._make_words(12)) if lost.claim else None
        cell = {"culture": seat.culture, "country": seat.country, "topic": slot.topic, "answer": seat.code}
        update = {"id": name, "dialogue": slot.id, "claim": claim, "speaker": "a", **cell}
        return talk, spare, lost.model_copy(update=update)

    def _make_words(self, count: int) -> str:
        return " ".join(self._chance.choice(WORDS) for _ in range(count))


def _say(claim: Claim, name: str, speaker: str, words: str) -> Claim:
    quote = claim.quotes[0].model_copy(update={"texts": (words,), "sentences": claim.quotes[0].sentences[:1]})
    return claim.model_copy(update={"id": name, "speaker": speaker, "quotes": (quote,)})


def resume_run(n: int, path: Path, calls: int, encoder: str) -> dict[str, float]:
    """Take the run up until so many calls are made; when the first one was, and the most memory."""
    from culturepark import generate
    from culturepark.llm.scripted import ScriptedClient

    first: list[float] = []
    real, count = ScriptedClient.reply, [0]

    async def reply(self: ScriptedClient, request: Request) -> Reply:
        if not first:
            first.extend((time.time() - float(os.environ["BENCH_BEGAN"]), time.process_time()))
        count[0] += 1
        if count[0] == calls:
            os.kill(os.getpid(), signal.SIGINT)
        return await real(self, request)

    setattr(ScriptedClient, "reply", reply)  # noqa: B010
    with contextlib.suppress(KeyboardInterrupt):
        generate(**list_settings(n, path, encoder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall_s": first[0], "cpu_s": first[1], "peak_mb": peak}


if __name__ == "__main__":
    sys.exit(main())
