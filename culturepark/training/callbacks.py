"""Callbacks for transformers' trainers: live progress, and how near the model stands to the survey at each evaluation.

``SurveyFitCallback`` is made at first use, so that importing this file needs no transformers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from culturepark.config import RunConfig
from culturepark.culture.profiles import find_profiles
from culturepark.errors import ConfigError, MissingPartError
from culturepark.runs.folder import Run
from culturepark.runs.sources import load_sources
from culturepark.training.hooks import Say
from culturepark.training.masking import prepare_form
from culturepark.training.model import EXTRA, Speaker
from culturepark.training.survey_fit import Probe, choose_probes, measure_fit, summarise_fit

if TYPE_CHECKING:
    SurveyFitCallback: Any


def __getattr__(name: str) -> Any:
    if name == "SurveyFitCallback":
        return _make_fit_callback()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def make_progress(say: Say, label: str) -> Any:
    """A callback that shows a line at each log and each evaluation."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._start, self._first = 0.0, state.global_step
            if state.global_step:
                say(f"{label}: goes on after step {state.global_step} of {state.max_steps}")

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._start = self._start or time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            logs = logs or {}
            held_out = {k: v for k, v in logs.items() if k.startswith("eval_") and k.endswith("_loss")}
            for key, loss in held_out.items():
                name = key.removeprefix("eval_").removesuffix("_loss")
                say(f"{label}: step {state.global_step}, {name} loss {loss:.3f}")
            if "loss" in logs:
                done = state.global_step - self._first
                pace = (time.monotonic() - self._start) / max(1, done)
                left = pace * (state.max_steps - state.global_step)
                say(
                    f"{label}: step {state.global_step} of {state.max_steps}, loss {logs['loss']:.3f}, "
                    f"{pace:.1f} s a step, about {_say_time(left)} left"
                )

    return Progress()


def _say_time(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


@cache
def _make_fit_callback() -> Any:
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        raise MissingPartError(EXTRA) from error

    class SurveyFitCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """Measures how near the model's answers stand to the survey at each evaluation of any transformers trainer.

        ``history`` holds ``step``, ``distance`` (Jensen-Shannon, 0 to 1) and ``gap`` (of expected answers, as a share
        of the scale); the same goes into the trainer's log as ``eval_survey_distance`` and ``eval_survey_gap``.
        With a run, topics its training split is about are left out; ``split`` are settings as ``sft_dataset`` takes
        them, where it was given any.
        """

        def __init__(
            self,
            culture: str,
            run: Run | None = None,
            probes: int = 12,
            seed: int = 0,
            say: Say | None = print,
            split: Mapping[str, Any] | None = None,
        ) -> None:
            config = RunConfig.model_validate(run.manifest["config"]) if run else RunConfig()
            sources = load_sources(config)
            self.culture = find_profiles([culture], dict(sources.profiles))[0]
            if sources.profiles[self.culture].role != "culture":
                raise ConfigError(f"culture {self.culture!r} has no survey figures")
            self.topics = sources.topics
            trained, held_out = _read_topics(run, self.culture, split or {}) if run else (set(), set())
            self.probes: list[Probe] = choose_probes(
                [self.culture], sources, config.weighting, trained, held_out, probes, seed
            )
            self.history: list[dict[str, float]] = []
            self._say = say

        def on_evaluate(
            self, args: Any, state: Any, control: Any, model: Any = None, processing_class: Any = None, **rest: Any
        ) -> None:
            if not state.is_world_process_zero:
                return
            if any(entry["step"] == state.global_step for entry in self.history):
                return  # one evaluation over several datasets comes in several calls
            form = prepare_form(processing_class, lambda _: None)
            figures = summarise_fit(measure_fit(Speaker(model, form), self.probes), self.topics)
            self.history.append({"step": state.global_step, **figures})
            logged = {f"eval_survey_{key}": value for key, value in figures.items()}
            state.log_history.append({"step": state.global_step, "epoch": state.epoch, **logged})
            rest.get("metrics", {}).update(logged)
            if self._say:
                shown = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
                self._say(f"survey ({self.culture}): step {state.global_step}, {shown}")

    return SurveyFitCallback


def _read_topics(run: Run, culture: str, how: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    from culturepark.export.dataset import sft_dataset

    train, test = (set(sft_dataset(run, culture, name, **how).unique("topic")) for name in ("train", "test"))
    return train, test
