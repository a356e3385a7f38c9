"""The main job: plan, open the engine, run, report. The command and the library both come through here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from culturepark.config import RUN_KEYS, RunConfig, build_config, fingerprint
from culturepark.errors import ConfigError
from culturepark.language import load_language
from culturepark.prompts import Prompts
from culturepark.runs.engines import choose_engine, settle_model
from culturepark.runs.folder import Run
from culturepark.runs.identity import PARTS, find_identity, find_manifest, list_unreadable
from culturepark.runs.interrupts import restore_interrupts
from culturepark.runs.journal import RunFolder
from culturepark.runs.kinds import check_kinds
from culturepark.runs.order import SHARD
from culturepark.runs.plan import Plan
from culturepark.runs.progress import Display, open_display
from culturepark.runs.sitting import Sitting
from culturepark.runs.sources import Sources, load_sources, plan_run
from culturepark.runs.stored import StoredTalks
from culturepark.runs.tools import Toolbox


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
    run: Run = run_blocking(lambda: execute(config, open_display(config)))
    return run


def run_blocking(make: Callable[[], Any]) -> Any:
    """Run a coroutine to its end, also from inside a notebook's running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        try:
            return asyncio.run(make())
        finally:
            restore_interrupts()
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
        folder = open_folder(prepared, display.say)
        try:
            return await Sitting(prepared, folder, display, fresh).hold()
        finally:
            folder.close()
    finally:
        display.close()


def open_folder(prepared: Prepared, say: Callable[[str], None]) -> RunFolder:
    """Open the folder of a run for writing and tell the user what was damaged in it."""
    config, path = prepared.config, prepared.path
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        say(text)

    for name in list_unreadable(path):
        tell(f"Damaged: {path / name}: is not as it was written; it is made again.")
    folder = RunFolder(prepared.path, config.durability == "power", prepared.fingerprint, config.retry_failed)
    if folder.made_again:
        tell(f"Going back {folder.made_again} dialogues, to before the first failure; what was answered is replayed.")
    if folder.damage:
        tell(folder.describe_damage())
    if folder.torn:
        said = "its last line is" if not folder.torn[1:] else "their last lines are"
        tell(
            f"Torn: {path}/{', '.join(folder.torn)}: {said} unfinished, as a kill leaves it, and cut; nothing is lost."
        )
    if not prepared.origin and folder.counts.calls and not _has_replies(path, (folder.counts.dialogues - 1) // SHARD):
        tell(f"Damaged: {path / 'replies'}: replies to talks of this run are missing; they are asked for where needed.")
    folder.told = told
    return folder


def _has_replies(path: Path, shard: int) -> bool:
    """Is there a reply file of the shard to which the last talk belongs that is done?"""
    return any(p.is_dir() or p.stat().st_size for p in (path / "replies").glob(f"{shard:05d}*.jsonl"))


def check_folder(prepared: Prepared) -> bool:
    """May this run work in its folder? Returns whether it begins; refuses to mix two runs."""
    config, path = prepared.config, prepared.path
    check_kinds(path, writing=True)
    found = find_identity(path)
    if found is None:
        if config.resume == "always":
            raise ConfigError(f"{path}: there is no run to resume; leave out --resume always to start one")
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path}: is a file; choose another --output-dir")
        leftovers = [p.name for p in path.iterdir() if not p.name.startswith(".")] if path.is_dir() else []
        parts = sorted(PARTS.intersection(leftovers))
        if parts:
            raise ConfigError(
                f"{path}: holds parts of a run ({', '.join(parts[:3])}), but nothing whole says of which (run.json, "
                "journal.jsonl, manifest.json); move them away or choose another --output-dir"
            )
        if leftovers and leftovers not in (["server.log"], ["vllm.log"]):
            raise ConfigError(f"{path}: holds other files ({leftovers[0]}); choose an empty or new --output-dir")
        return True
    if config.resume == "never":
        raise ConfigError(f"{path}: holds a run already; choose another --output-dir or use --resume auto")
    if found.fingerprint != prepared.fingerprint:
        difference = _describe_difference(find_manifest(path), prepared)
        raise ConfigError(f"{path}: holds another run ({difference}); choose another -o")
    return False


def _describe_difference(manifest: Mapping[str, Any], prepared: Prepared) -> str:
    if "config" not in manifest:
        return "its manifest.json is gone, so what differs cannot be told"
    old, new = manifest["config"], prepared.config.model_dump(mode="json")
    parts = [f"{k}: {old.get(k)} there, {v} now" for k, v in new.items() if k not in RUN_KEYS and old.get(k) != v]
    files = {**prepared.sources.hashes, **prepared.prompts.hashes}
    parts += [f"changed files: {k}" for k, v in files.items() if manifest["files"].get(k) != v]
    return "; ".join(parts[:4]) or "made by another version"
