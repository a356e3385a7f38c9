"""The main job: plan, open the engine, run, report. The command and the library both come through here."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from culturepark.config import RUN_KEYS, RunConfig, build_config, fingerprint
from culturepark.errors import ConfigError, ShortfallError
from culturepark.language import load_language
from culturepark.prompts import Prompts
from culturepark.runs.engines import Engine, choose_engine, open_engine, settle_model
from culturepark.runs.folder import Run
from culturepark.runs.journal import RunFolder, read_manifest
from culturepark.runs.manifest import Reporter
from culturepark.runs.plan import Plan
from culturepark.runs.progress import Display, choose_display, watch
from culturepark.runs.runner import Runner
from culturepark.runs.sieve import Sieve, read_screened
from culturepark.runs.sources import Sources, load_sources, plan_run
from culturepark.runs.stored import StoredTalks
from culturepark.runs.tools import Toolbox
from culturepark.runs.work import Workshop


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start: everything settled that needs no model."""

    config: RunConfig
    sources: Sources
    plan: Plan
    prompts: Prompts
    path: Path
    fingerprint: str
    max_candidates: int
    remark: str
    tools: Toolbox
    origin: Path | None = None


def generate(**settings: Any) -> Run:
    """Make ``n`` accepted samples and return the run.

    Takes the keys of ``RunConfig`` (``cultures``, ``n``, ``model``, ...) and ``config``, the path of a
    YAML file. An unfinished run in the same folder is resumed. Raises ``ConfigError``, ``DataError``,
    ``EndpointError``, ``MissingPartError``, or ``ShortfallError`` when a ceiling ends the run before n.

    >>> run = generate(cultures=["arab", "korean"], n=20, engine="mock", output_dir="outputs/try")
    """
    settings.setdefault("progress", "none")
    config = build_config({k: v for k, v in settings.items() if k != "config"}, settings.get("config"))
    run: Run = run_blocking(lambda: execute(config, choose_display(config.progress)))
    return run


def run_blocking(make: Callable[[], Any]) -> Any:
    """Run a coroutine to its end, also from inside a notebook's running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    box: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            box.append(asyncio.run(make()))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return box[0]


async def prepare(config: RunConfig, stored: StoredTalks | None = None) -> Prepared:
    """Settle engine, model, plan and folder. The only call it may make asks a server for its models."""
    sources = load_sources(config)
    plan = plan_run(config, sources)
    config, remark = choose_engine(config)
    config = await settle_model(config)
    return _put_together(config, sources, plan, remark, stored)


def prepare_offline(config: RunConfig) -> Prepared:
    """Like ``prepare`` without any call: the model may stay unnamed. For dry runs and validation."""
    sources = load_sources(config)
    plan = plan_run(config, sources)
    return _put_together(config, sources, plan, "")


def _put_together(
    config: RunConfig, sources: Sources, plan: Plan, remark: str, stored: StoredTalks | None = None
) -> Prepared:
    prompts = Prompts(config.settle_prompt_size(), Path(config.prompts) if config.prompts else None)
    load_language(config.language)
    talks = {"talks": stored.mark} if stored else {}
    mark = fingerprint(config.data_part(), {**sources.hashes, **prompts.hashes, **talks})
    ceiling = config.max_candidates or 5 * config.n + 50
    if ceiling < config.n:
        raise ConfigError(f"max_candidates ({ceiling}) is below n ({config.n}); raise it or leave it out")
    default = stored.path.with_name(f"{stored.path.name}-refined-{mark[:8]}") if stored else None
    path = Path(config.output_dir) if config.output_dir else default or Path("outputs") / _name_run(config, mark)
    tools = Toolbox(config, sources.profiles)
    return Prepared(config, sources, plan, prompts, path, mark, ceiling, remark, tools, stored.path if stored else None)


def _name_run(config: RunConfig, mark: str) -> str:
    cultures = "-".join("".join(c for c in word.lower() if c.isalnum()) for word in config.cultures[:4])
    return f"{cultures}-{config.n}-{mark[:8]}"


async def execute(config: RunConfig, display: Display) -> Run:
    """Run to the end, or to where it must stop; whatever happens, the folder is left in order."""
    try:
        prepared = await prepare(config)
        if prepared.remark:
            display.say(prepared.remark)
        fresh = check_folder(prepared)
        folder = RunFolder(prepared.path, durable=config.durability == "power")
        try:
            return await execute_in(prepared, folder, display, fresh)
        finally:
            folder.close()
    finally:
        display.close()


def check_folder(prepared: Prepared) -> bool:
    """May this run work in its folder? Returns whether it begins; refuses to mix two runs."""
    config, path = prepared.config, prepared.path
    if not (path / "manifest.json").exists():
        if config.resume == "always":
            raise ConfigError(f"{path}: there is no run to resume; leave out --resume always to start one")
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path}: is a file; choose another --output-dir")
        leftovers = [p.name for p in path.iterdir() if not p.name.startswith(".")] if path.is_dir() else []
        if leftovers and leftovers != ["server.log"]:
            raise ConfigError(f"{path}: holds other files ({leftovers[0]}); choose an empty or new --output-dir")
        return True
    manifest = read_manifest(path)
    if config.resume == "never":
        raise ConfigError(f"{path}: holds a run already; choose another --output-dir or use --resume auto")
    if manifest["fingerprint"] != prepared.fingerprint:
        raise ConfigError(f"{path}: holds another run ({_describe_difference(manifest, prepared)}); choose another -o")
    return False


def _describe_difference(manifest: Mapping[str, Any], prepared: Prepared) -> str:
    old, new = manifest["config"], prepared.config.model_dump(mode="json")
    parts = [f"{k}: {old.get(k)} there, {v} now" for k, v in new.items() if k not in RUN_KEYS and old.get(k) != v]
    files = {**prepared.sources.hashes, **prepared.prompts.hashes}
    parts += [f"changed files: {k}" for k, v in files.items() if manifest["files"].get(k) != v]
    return "; ".join(parts[:4]) or "made by another version"


async def execute_in(
    prepared: Prepared, folder: RunFolder, display: Display, fresh: bool, stored: StoredTalks | None = None
) -> Run:
    """Do the work in an open folder; with ``stored`` no talk is held anew and a short run is no error."""
    runner = Runner(
        prepared.plan, folder, prepared.config.n, prepared.max_candidates, stored.has if stored else lambda slot: True
    )
    writer = Reporter(prepared, folder, runner, {} if fresh else read_manifest(prepared.path))
    if runner.state != "stopped":
        display.say(f"Nothing to do: {prepared.path} is {runner.state} with {runner.counts.accepted} samples.")
        writer.finish(runner.state)
        return _deliver(prepared, runner, stored)
    for remark in prepared.plan.remarks if fresh else ():
        display.say(f"Plan: {remark}.")
    if not fresh:
        done = runner.counts
        display.say(f"Resuming {prepared.path}: {done.accepted} of {prepared.config.n} samples are there.")
    writer.write("running")
    state = "stopped"
    try:
        shard_of = stored.shard_of if stored else runner.shard_of
        replies = stored.replies if stored else None
        async with open_engine(prepared.config, prepared.path, shard_of, display.say, replies=replies) as engine:
            workshop = Workshop(
                prepared.config,
                prepared.sources,
                engine.setup,
                engine.client,
                prepared.prompts,
                prepared.tools,
                stored.find if stored else None,
            )
            sieve = Sieve(prepared.tools, workshop)
            sieve.restore(*read_screened(Run(prepared.path)))
            writer.engine = engine
            state = await run_watched(prepared, runner, workshop, sieve, engine, display, writer)
    finally:
        writer.finish(state)
    if state == "stopped":
        raise KeyboardInterrupt
    return _deliver(prepared, runner, stored)


async def run_watched(
    prepared: Prepared,
    runner: Runner,
    workshop: Workshop,
    sieve: Sieve,
    engine: Engine,
    display: Display,
    writer: Reporter,
) -> str:
    """Let the runner work while the screen and the manifest are kept fresh; Ctrl-C drains, the second one stops."""
    totals: Callable[[], dict[str, Any]] = lambda: engine.counting.snapshot()["all"]  # noqa: E731
    watcher = asyncio.create_task(watch(display, runner.progress, totals, writer.beat))
    # Somewhat more talks open than slots, so that a slot never waits for a talk to begin.
    open_talks = engine.in_flight + max(2, engine.in_flight // 4)
    work = asyncio.ensure_future(runner.run(workshop, sieve, engine.gate, engine.log, open_talks))
    try:
        with _on_interrupt(lambda: _drain(runner, display, prepared.path), work.cancel):
            return await work
    except asyncio.CancelledError:
        if runner.stopping:  # the second Ctrl-C
            return "stopped"
        raise
    finally:
        watcher.cancel()


def _drain(runner: Runner, display: Display, path: Path) -> None:
    runner.request_stop()
    display.say("Stopping: calls under way are finished and saved. Press Ctrl-C again to stop at once.")


@contextlib.contextmanager
def _on_interrupt(first: Callable[[], None], second: Callable[[], Any]) -> Iterator[None]:
    """The first SIGINT or SIGTERM calls ``first``, the next one ``second``. Only in the main thread."""
    loop = asyncio.get_running_loop()
    seen = [0]

    def handle() -> None:
        seen[0] += 1
        if seen[0] == 1:
            first()
        else:
            second()

    handled = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows loops have no signal handlers
                loop.add_signal_handler(number, handle)
                handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _deliver(prepared: Prepared, runner: Runner, stored: StoredTalks | None) -> Run:
    if runner.state == "short" and stored is None:
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
