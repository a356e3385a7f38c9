"""The hook ``trl``: trains a LoRA adapter in this process and tells what it changed.

A training that was killed goes on from its last whole checkpoint; the result replaces an earlier one only when whole.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from culturepark.config import RunConfig
from culturepark.culture.scenarios import Topic
from culturepark.files import dump_line, replace_file
from culturepark.runs.folder import Run
from culturepark.runs.sources import Sources, load_sources
from culturepark.training.curve import draw_curve, read_series
from culturepark.training.failures import explaining_failures
from culturepark.training.hooks import Say, TrainResult
from culturepark.training.lora import (
    Fitted,
    check_parts,
    fit_chats,
    fit_pairs,
    load_adapter,
    save_adapter,
    save_merged,
)
from culturepark.training.model import Base, Speaker, check_base, fix_seed, open_base, set_threads
from culturepark.training.place import Place
from culturepark.training.rows import Rows, read_rows
from culturepark.training.settings import TrainSettings
from culturepark.training.story import choose_questions, list_versions, trace_data, write_answers, write_model_card
from culturepark.training.survey_fit import Fit, Probe, choose_probes, compare_fits, measure_fit, tabulate_fits


class TrlHook:
    """Trains with TRL and PEFT."""

    def __init__(self, settings: TrainSettings, say: Say) -> None:
        """Check what can be checked before anything is loaded."""
        check_base(settings.base_model)
        check_parts()
        self._settings, self._say = settings, say

    def on_dataset(self, run: Run, culture: str | None) -> TrainResult:
        """Train one adapter into ``output_dir``, or a folder of its own there when each culture gets one."""
        return Training(run, culture, self._settings, self._say).make()


class Training:
    """One training: one culture or all of them, one folder."""

    def __init__(self, run: Run, culture: str | None, settings: TrainSettings, say: Say) -> None:
        self._run, self._culture, self._settings, self._say = run, culture, settings, say
        self._label = culture or "all"
        self._folder = place_result(settings, culture)
        self._remarks: list[str] = []
        self._config = RunConfig.model_validate(run.manifest["config"])
        self._sources: Sources = load_sources(self._config)

    def make(self) -> TrainResult:
        """Train, unless it is done already, and write everything down."""
        rows = read_rows(self._run, self._culture, self._settings, self._warn)
        place = Place(self._folder, self._identify(rows))
        try:
            done = place.read_record(self._settings.restart)
            if done:
                self._say(f"{self._label}: is trained already, in {self._folder}; --restart trains anew")
                return TrainResult(self._culture, self._folder, done)
            return self._train(rows, place)
        finally:
            place.close()

    def _train(self, rows: Rows, place: Place) -> TrainResult:
        try:
            with explaining_failures(self._folder), warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # what TRL still uses of transformers
                place.begin()
                set_threads(self._settings.threads)
                fix_seed(self._settings.seed)
                base = open_base(self._settings.base_model, self._settings.qlora, self._warn)
                stages = self._fit(base, rows, place.work)
                return self._finish(base, rows, stages, place)
        except Exception:
            place.give_up()
            raise

    def _warn(self, line: str) -> None:
        self._remarks.append(line)
        self._say(f"{self._label}: {line}")

    def _identify(self, rows: Rows) -> str:
        """What decides the result, as a short hash: settings, run, and which rows are trained on."""
        digest = hashlib.sha256(json.dumps(self._settings.identity(), sort_keys=True).encode())
        digest.update(f"{self._run.manifest.get('fingerprint')}/{self._culture}".encode())
        for part in (rows.chats, rows.pairs):
            for split, data in part.items():
                digest.update(f"{split}/{len(data)}".encode())
                for row in data.select_columns(
                    ["messages"] if part is rows.chats else ["prompt", "chosen", "rejected"]
                ):
                    digest.update(json.dumps(row, sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def _fit(self, base: Base, rows: Rows, work: Path) -> dict[str, Fitted]:
        from culturepark.training.callbacks import make_progress

        stages: dict[str, Fitted] = {}
        if rows.chats:
            finished = work / "sft-done"
            log = work / "sft-log.json"
            if log.exists() and rows.pairs:  # killed during the second stage
                load_adapter(base, finished)
                stages["sft"] = Fitted(base.model, *json.loads(log.read_bytes()))
            else:
                progress = make_progress(self._say, self._label)
                fitted = fit_chats(base, rows, self._settings, work / "sft", [progress], self._warn)
                stages["sft"] = fitted
                base.model = fitted.model
                if rows.pairs:
                    save_adapter(fitted.model, base.form.tokenizer, finished)
                    replace_file(log, json.dumps([fitted.log, fitted.steps]))
        if rows.pairs:
            progress = make_progress(self._say, f"{self._label} (pairs)")
            stages["dpo"] = fit_pairs(base, rows, self._settings, work / "dpo", [progress], self._warn)
            base.model = stages["dpo"].model
        return stages

    def _finish(self, base: Base, rows: Rows, stages: Mapping[str, Fitted], place: Place) -> TrainResult:
        """Measure what changed, then write all files aside and put them in place, the record last."""
        probes = self._choose_probes(rows)
        self._say(f"{self._label}: asking {len(probes)} survey questions and writing answers, before and after")
        (before, first), (after, then) = self._compare(base, probes)
        answers = [
            {"topic": topic, "question": question, "before": b, "after": a}
            for (topic, question), b, a in zip(self._questions(probes), first, then, strict=True)
        ]
        series = {
            name: line
            for stage, fitted in stages.items()
            for name, line in read_series(fitted.log, stage if len(stages) > 1 else "").items()
        }
        facts = {
            "state": "finished",
            "base_model": base.name,
            "base_model_given": self._settings.base_model
            if base.name != Path(self._settings.base_model).name
            else base.name,
            "method": self._settings.method,
            "quantised": base.quantised,
            "steps": sum(f.steps for f in stages.values()),
            "losses": [(name, line[0][1], line[-1][1]) for name, line in sorted(series.items(), key=_training_first)],
            "survey_fit": compare_fits(before, after, self._sources.topics),
            "data": {
                **trace_data(self._run, self._culture, rows.count(), rows.mixed),
                "split": rows.split,
                "held_out_topics": sorted(rows.topics("test") - rows.topics("train")),
            },
            "languages": sorted({t for part in (rows.chats, rows.pairs) for t in _languages(part)}) or ["en"],
            "settings": {k: v for k, v in self._settings.identity().items() if k not in ("base_model", "mix", "argv")},
            "versions": list_versions(),
            "remarks": self._remarks,
        }
        new = place.open_new()
        save_adapter(base.model, base.form.tokenizer, new)
        texts = {
            "README.md": write_model_card(facts, answers),
            "answers.md": write_answers(answers),
            "curve.svg": draw_curve(series, f"{base.name}, {self._label}: loss"),
            "survey_fit.jsonl": _lines(tabulate_fits(before, after)),
            "log.jsonl": _lines({"stage": stage, **row} for stage, fitted in stages.items() for row in fitted.log),
        }
        for name, text in texts.items():
            (new / name).write_text(text, encoding="utf-8")
        if self._settings.merge:
            save_merged(base.model, base.form.tokenizer, new / "merged")
        place.take_over(facts, self._settings.keep_checkpoints)
        self._say(describe_result(self._label, self._folder, facts))
        return TrainResult(self._culture, self._folder, facts)

    def _choose_probes(self, rows: Rows) -> list[Probe]:
        cultures = [self._culture] if self._culture else sorted(rows.cultures())
        each = max(1, self._settings.probes // len(cultures)) if self._settings.probes else 0
        return choose_probes(
            cultures,
            self._sources,
            self._config.weighting,
            rows.topics("train"),
            rows.topics("test"),
            each,
            self._settings.split_seed or 0,
            tell_country=self._culture is None,
        )

    def _questions(self, probes: Sequence[Probe]) -> list[tuple[str, str]]:
        topics: dict[str, Topic] = {p.topic.id: p.topic for p in probes}
        return choose_questions(list(topics.values()), self._settings.answers)

    def _compare(self, base: Base, probes: Sequence[Probe]) -> list[tuple[list[Fit], list[str]]]:
        """Fits and answers of the bare base model, then of the trained one."""
        speaker = Speaker(base.model, base.form)
        chats = [[{"role": "user", "content": question}] for _, question in self._questions(probes)]

        def look() -> tuple[list[Fit], list[str]]:
            return measure_fit(speaker, probes), speaker.reply(chats, self._settings.answer_tokens)

        with base.model.disable_adapter():
            bare = look()
        return [bare, look()]


def place_result(settings: TrainSettings, culture: str | None) -> Path:
    """The folder of a result: ``output_dir``, or its culture's own in there when every culture gets one."""
    folder = Path(settings.output_dir)
    many = settings.culture.strip().casefold() == "all" and settings.adapters == "each"
    return folder / culture if culture and many else folder


def describe_result(label: str, folder: Path, facts: Mapping[str, Any]) -> str:
    """One line on what came of it."""
    losses = "; ".join(f"{name} loss {first:.3f} -> {last:.3f}" for name, first, last in facts["losses"])
    fit = facts["survey_fit"]
    moved = ""
    if fit.get("probes"):
        before, after = (fit[side]["distance"] for side in ("before", "after"))
        moved = f"; distance to the survey {before:.3f} -> {after:.3f} on {fit['probes']} items not trained on"
    return f"{label}: {facts['steps']} steps in {folder}: {losses}{moved}"


def _training_first(entry: tuple[str, Any]) -> tuple[bool, str]:
    return "training" not in entry[0], entry[0]


def _languages(part: Mapping[str, Any]) -> set[str]:
    return {tag for data in part.values() if "language" in data.column_names for tag in data.unique("language") if tag}


def _lines(records: Any) -> str:
    return b"".join(dump_line(record) for record in records).decode("utf-8")
