"""One sitting of a run: the work in an open folder, from where it was left to its end or to where it must stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from culturepark.config import split_servers
from culturepark.errors import CultureParkError, ShortfallError
from culturepark.llm.faults import show_url
from culturepark.runs.events import EventLog, echo_json
from culturepark.runs.folder import Run
from culturepark.runs.identity import find_earlier
from culturepark.runs.interrupts import answer_interrupts
from culturepark.runs.journal import RunFolder
from culturepark.runs.makers import is_alone, open_maker
from culturepark.runs.manifest import Reporter
from culturepark.runs.metrics import open_gauges
from culturepark.runs.money import snapshot_spend
from culturepark.runs.progress import Display, watch
from culturepark.runs.runner import Maker, Runner
from culturepark.runs.sieve import Sieve
from culturepark.runs.stack import Engine, Hooks, open_engine
from culturepark.runs.station import Place
from culturepark.runs.stored import StoredTalks
from culturepark.runs.work import Workshop
from culturepark.version import __version__

if TYPE_CHECKING:
    from culturepark.runs.generate import Prepared


class Sitting:
    """The parts of one sitting, put together; with ``stored`` no talk is held anew and a short run is no error."""

    def __init__(
        self, prepared: Prepared, folder: RunFolder, display: Display, fresh: bool, stored: StoredTalks | None = None
    ) -> None:
        config = prepared.config
        self._prepared, self._display, self._fresh, self._stored = prepared, display, fresh, stored
        self._folder = folder
        self._events = EventLog(prepared.path, echo=echo_json() if config.log_format == "json" else None)
        self._runner = Runner(
            prepared.plan,
            folder,
            config.n,
            prepared.max_candidates,
            stored.has if stored else lambda slot: True,
            config.on_error,
            lambda dialogue, told: self._events.note("failed", dialogue=dialogue, what=told),
        )
        self._writer = Reporter(prepared, folder, self._runner, {} if fresh else find_earlier(prepared.path))
        self._snapshot: Callable[[], dict[str, dict[str, Any]]] = dict
        self._shortfall = ""  # why the purse let no more calls through

    async def hold(self) -> Run:
        """Work until the run is complete or must stop. Raises ``KeyboardInterrupt`` when it was asked to stop."""
        prepared, runner = self._prepared, self._runner
        if runner.state != "stopped":
            self._display.say(
                f"Nothing to do: {prepared.path} is {runner.state} with {runner.counts.accepted} samples."
            )
            self._writer.finish(runner.state)
            return self._deliver()
        self._begin()
        state, began = "stopped", time.monotonic()
        why = ""
        try:
            state = await self._work()
        except CultureParkError as error:
            why = str(error)
            raise
        finally:
            done = runner.counts
            seconds = round(time.monotonic() - began, 1)
            told = {"why": why} if why else {}
            calls = self._snapshot().get("all", {}).get("calls", 0)
            self._events.note("end", state=state, accepted=done.accepted, calls=calls, seconds=seconds, **told)
            self._events.close()
            self._writer.finish(state)
        if state == "stopped":
            if self._shortfall:
                raise ShortfallError(self._shortfall)
            raise KeyboardInterrupt
        return self._deliver()

    def _begin(self) -> None:
        prepared, config, done = self._prepared, self._prepared.config, self._runner.counts
        for remark in prepared.plan.remarks if self._fresh else ():
            self._display.say(f"Plan: {remark}.")
        if not self._fresh:
            self._display.say(f"Resuming {prepared.path}: {done.accepted} of {config.n} samples are there.")
        servers = [show_url(server.url) for server in split_servers(config.base_url or "")]
        self._events.note(
            "start",
            software=__version__,
            resumed=not self._fresh,
            accepted=done.accepted,
            wanted=config.n,
            engine=config.engine,
            model=config.model,
            concurrency=config.concurrency,
            workers=config.workers,
            servers=servers,
        )
        for text in self._folder.told:
            self._events.note_shown(text)
        self._writer.write("running")

    async def _work(self) -> str:
        prepared, runner, stored, config = self._prepared, self._runner, self._stored, self._prepared.config
        hooks = Hooks(
            stored.shard_of if stored else runner.order.shard_of,
            runner.order.rank_of,
            self._events.note_retry,
            self._events.note_flow,
            say=self._say,
        )
        replies = stored.replies if stored else prepared.path / "replies"
        async with open_engine(config, prepared.path, hooks, replies) as engine:
            find = stored.find if stored else None
            workshop = Workshop(
                config, prepared.sources, engine.setup, engine.client, prepared.prompts, prepared.tools, find
            )
            sieve = Sieve(prepared.tools, workshop)
            sieve.restore(self._folder)
            money = engine.money
            money.purse.on_exhausted = lambda why: self._end_short(why.what)
            self._writer.spend = money.snapshot if is_alone(config) else lambda: snapshot_spend(prepared.path)
            place = Place(prepared.path, replies, stored.path if stored else None)
            async with open_maker(workshop, engine, place, runner.order, self._say) as maker:
                self._snapshot = self._writer.snapshot = maker.snapshot
                try:
                    state = await self._watch(maker, sieve, engine)
                finally:
                    sieve.settle()
                if money.purse.exhausted and state == "stopped":
                    self._shortfall = money.describe_end(runner.counts.accepted, runner.counts.calls)
                return state

    async def _watch(self, maker: Maker, sieve: Sieve, engine: Engine) -> str:
        """Let the runner work while the screen and the manifest are kept fresh; Ctrl-C drains, the second one stops."""
        runner = self._runner
        gauges = open_gauges(self._prepared.config.metrics, self._read_metrics)

        def beat() -> None:
            self._writer.beat()
            gauges.beat()

        def funds() -> str:
            return engine.money.describe(runner.counts.accepted, runner.counts.calls)

        calls = lambda: maker.snapshot()["all"]  # noqa: E731
        watcher = asyncio.create_task(watch(self._display, runner.progress, calls, beat, funds=funds))
        work = asyncio.ensure_future(runner.run(maker, sieve, engine.in_flight))
        try:
            with answer_interrupts(self._drain, work.cancel):
                return await work
        except asyncio.CancelledError:
            if runner.stopping:  # the second Ctrl-C
                return "stopped"
            raise
        finally:
            watcher.cancel()
            gauges.close()

    def _drain(self) -> None:
        self._events.note("drain")
        self._runner.request_stop()
        self._display.say("Stopping: calls under way are finished and saved. Press Ctrl-C again to stop at once.")

    def _end_short(self, what: str) -> None:
        """A ceiling is reached: calls under way are finished, nothing new begins."""
        self._events.note("ceiling", what=what)
        self._runner.request_stop()
        self._display.say(f"The ceiling in {what} is reached: calls under way are finished and saved.")

    def _say(self, text: str) -> None:
        if self._prepared.config.progress == "none":  # then only a JSON log may tell it
            self._events.note("remark", text=text)
        else:
            self._events.note_shown(text)
            self._display.say(text)

    def _read_metrics(self) -> dict[str, float]:
        counts, calls = self._runner.counts, self._snapshot().get("all", {})
        return {
            "samples_accepted": counts.accepted,
            "samples_wanted": self._prepared.config.n,
            "candidates_rejected": counts.rejected,
            "candidates_failed": counts.failed,
            "dialogues_done": counts.dialogues,
            "dialogues_open": self._runner.progress.open,
            "calls": calls.get("calls", 0),
            "calls_replayed": calls.get("replayed", 0),
            "retries": calls.get("retries", 0),
            "input_tokens": calls.get("input", 0),
            "cached_tokens": calls.get("cached", 0),
            "output_tokens": calls.get("output", 0),
        }

    def _deliver(self) -> Run:
        prepared, runner = self._prepared, self._runner
        if runner.state == "short" and self._stored is None:
            cells = runner.progress.short_cells
            worst = sorted(cells.items(), key=lambda cell: (-cell[1], cell[0]))[:3]
            shown = ", ".join(f"{c} {t} answer {a} lacks {k}" for (c, t, a), k in worst)
            reasons = ", ".join(f"{r} {k}" for r, k in runner.counts.reasons.most_common(3))
            raise ShortfallError(
                f"{runner.counts.accepted} of {prepared.config.n} samples: the ceiling of {prepared.max_candidates} "
                f"candidates is reached. Short: {len(cells)} cells ({shown}). Most rejected for: {reasons}. "
                f"See 'culturepark status {prepared.path}', or run again with a higher --max-candidates"
            )
        return Run(prepared.path)
