"""``train``: a run's samples handed to a trainer hook, culture by culture."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from culturepark.config import RunConfig
from culturepark.errors import ConfigError, DataError
from culturepark.files import describe_fault
from culturepark.runs.folder import Run, load_run
from culturepark.runs.sources import load_sources
from culturepark.training.hooks import Say, TrainResult, find_hook
from culturepark.training.rows import choose_cultures
from culturepark.training.settings import TrainSettings, build_settings


def train(run: Run | str | Path, *, say: Say = print, **settings: Any) -> list[TrainResult]:
    """Train on a run; the keys are those of ``TrainSettings``. One result for each culture, or one for all together.

    >>> train("outputs/try", culture="arab", base_model="embedded", output_dir="models/arab")
    """
    return train_run(run if isinstance(run, Run) else load_run(run), build_settings(settings), say)


def train_run(run: Run, settings: TrainSettings, say: Say) -> list[TrainResult]:
    """Call the hook for each culture asked for. Everything that can be checked is, before the first one."""
    factory = find_hook(settings.hook)
    cultures = choose_cultures(run, settings, load_sources(RunConfig.model_validate(run.manifest["config"])))
    folder = Path(settings.output_dir)
    if folder.resolve() == run.path.resolve():
        raise DataError(f"-o {folder}: is the run's own folder; give another")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"-o {folder}: is a file; give a folder")
    hook = factory(settings, say)
    made = [f for f in (folder, *folder.parents) if not f.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"-o {folder}: {describe_fault(error)}") from error
    try:
        return [hook.on_dataset(run, culture) for culture in cultures]
    finally:
        with contextlib.suppress(OSError):
            for empty in made:
                empty.rmdir()  # of a training that made nothing
