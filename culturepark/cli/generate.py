"""``generate``, ``preview`` and ``validate``."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import tempfile
from pathlib import Path

from culturepark.cli.conversation import print_dialogue, print_sample
from culturepark.cli.flags import given_flags
from culturepark.config import RunConfig, build_config
from culturepark.errors import ConfigError
from culturepark.runs.alone import run_alone
from culturepark.runs.estimate import describe_forecast
from culturepark.runs.folder import Run
from culturepark.runs.generate import Prepared, execute, prepare_offline
from culturepark.runs.pilot import estimate_offline, hold_pilot
from culturepark.runs.progress import open_display


def run_generate(options: argparse.Namespace) -> int:
    """Make n accepted samples."""
    config = build_config(given_flags(options), options.config)
    if options.push_to_hub:
        from culturepark.cli.push import check_push, push_finished

        check_push(options, config)
    trainings = []
    if options.then:
        from culturepark.cli.train import check_then, train_after

        trainings = check_then(options.then, config)
    if options.dry_run:
        prepared = prepare_offline(config)
        print_plan(prepared)
        print("\n".join(describe_forecast(asyncio.run(estimate_offline(prepared)))))
        return 0
    try:
        run = run_alone(execute(config, open_display(config)))
    except KeyboardInterrupt:
        print(f"culturepark: stopped; to go on: {_same_command()}", file=sys.stderr)
        return 130
    print_result(run)
    if options.push_to_hub:
        push_finished(run, options)
    if trainings:
        try:
            train_after(run, trainings)
        except KeyboardInterrupt:
            print(f"culturepark: stopped; to go on: {_same_command()}", file=sys.stderr)
            return 130
    return 0


def _same_command() -> str:
    return shlex.join(["culturepark", *sys.argv[1:]])


def print_result(run: Run) -> None:
    """What a run made, for people."""
    counts = run.counts()
    print(f"{counts.accepted} samples in {run.path}")
    print(
        f"{counts.candidates} candidates = {counts.accepted} accepted + {counts.rejected} rejected + "
        f"{counts.failed} failed; {counts.dialogues} dialogues, {counts.calls} calls "
        f"({counts.calls / max(1, counts.accepted):.2f} per sample)"
    )
    for culture, facts in run.manifest["fidelity"].items():
        if facts["js_mean"] is not None:
            exact = (
                "answers exactly as planned" if not facts["off_plan"] else f"{facts['off_plan']} samples off the plan"
            )
            print(
                f"{culture}: {counts.cultures[culture]} samples on {facts['topics']} topics, {exact}; mean distance to "
                f"the survey {facts['js_mean']:.3f} (whole numbers alone make {facts['js_floor']:.3f} at this size)"
            )
    for alarm in run.manifest.get("alarms", ()):
        print(f"Alarm: {alarm}.")
    where = shlex.quote(str(run.path))
    print(f"Read one:  culturepark show {where}")
    print(f"Figures:   {run.path / 'report.md'}    What was dropped:  culturepark rejected {where}")


def print_plan(prepared: Prepared) -> None:
    """What a run would do, without a call."""
    config, plan = prepared.config, prepared.plan
    styles: dict[str, int] = {}
    for slot in plan.slots:
        styles[slot.style] = styles.get(slot.style, 0) + 1
    talks = ", ".join(f"{k} {style}" for style, k in sorted(styles.items()))
    calls = sum(_calls_of(slot.style, len(slot.seats), config) for slot in plan.slots)
    if config.engine != "local" or config.judges:
        calls += len(plan.slots) * (1 + 2 * max(1, len(config.judges)))  # verification, and each judge on two axes
    print(f"Plan: {config.n} samples from {len(plan.slots)} dialogues ({talks})")
    cultures = sorted({cell[0] for cell in plan.quotas})
    for culture in cultures:
        cells = {cell: k for cell, k in plan.quotas.items() if cell[0] == culture}
        topics = len({topic for _, topic, _ in cells})
        print(f"  {culture}: {sum(cells.values())} samples, {topics} topics, {len(cells)} topic x answer cells")
    for remark in plan.remarks:
        print(f"  {remark}")
    print(f"Calls: about {calls} if nothing is rejected ({calls / config.n:.2f} per sample)")
    print(f"Ceiling: {prepared.max_candidates} candidates")
    print(f"Folder: {prepared.path if config.output_dir or config.model else 'outputs/...'}")


def _calls_of(style: str, people: int, config: RunConfig) -> int:
    notes = 0 if style == "classic" else people
    moderated = -(-config.turns // people) if style == "panel" else 0
    return notes + config.turns + moderated + 1


def run_preview(options: argparse.Namespace) -> int:
    """Print a few real dialogues; they are kept only with -o."""
    given = given_flags(options)
    if options.estimate:
        return print_estimate(build_config(given, options.config), options.pilot)
    if options.dialogues < 1:
        raise ConfigError("--dialogues must be at least 1")
    kept = given.get("output_dir")
    with tempfile.TemporaryDirectory(prefix="culturepark-preview-") as scratch:
        given["output_dir"] = kept or str(Path(scratch) / "run")
        given.setdefault("n", options.dialogues * 2)
        config = build_config(given, options.config)
        run = run_alone(execute(config, open_display(config)))
        for number, dialogue in enumerate(run.dialogues()):
            if number == options.dialogues:
                break
            print_dialogue(dialogue)
            for sample in run.samples():
                if sample.lineage["dialogue"] == dialogue.id:
                    print_sample(sample)
    print(f"Kept in {kept}" if kept else "Nothing was kept; add -o DIR to keep it.")
    return 0


def print_estimate(config: RunConfig, talks: int) -> int:
    """Hold a small pilot and print what the whole run will take; the pilot's talks are not kept."""
    if talks < 1:
        raise ConfigError("--pilot must be at least 1")
    with tempfile.TemporaryDirectory(prefix="culturepark-pilot-") as scratch:
        pilot = run_alone(hold_pilot(config, talks, Path(scratch) / "run", open_display(config)))
    paid = "" if pilot.usd is None else f", ${pilot.usd:.6f} spent"
    accepted, calls = (sum(getattr(talk, name) for talk in pilot.talks) for name in ("accepted", "calls"))
    print(f"Pilot: {len(pilot.talks)} dialogues, {accepted} samples, {calls} calls{paid}")
    print("\n".join(describe_forecast(pilot.forecast)))
    return 0


def run_validate(options: argparse.Namespace) -> int:
    """Check configuration, personas and scenarios without a call."""
    config = build_config(given_flags(options), options.config)
    prepared = prepare_offline(config)
    sources = prepared.sources
    print(
        f"Good: {len(sources.profiles)} cultures, {len(sources.topics)} topics, {len(sources.scenes)} scenes, "
        f"{len(sources.surveys)} survey, {len(prepared.prompts.hashes)} prompts"
    )
    print_plan(prepared)
    return 0
