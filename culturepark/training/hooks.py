"""Trainer hooks: what makes a model, or the files for one, of a run's samples; built in, or by entry point.

A third party registers one in the group ``culturepark.trainers``; the entry names a factory called with the settings
and a function that shows one line of progress.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from culturepark.errors import ConfigError, MissingPartError
from culturepark.files import nearest
from culturepark.runs.folder import Run
from culturepark.training.settings import TrainSettings

Say = Callable[[str], None]
GROUP = "culturepark.trainers"


@dataclass(frozen=True)
class TrainResult:
    """What a hook made for one culture (``None``: all of them together). ``folder`` holds it, ``facts`` tell of it."""

    culture: str | None
    folder: Path
    facts: Mapping[str, Any] = field(default_factory=dict)


class TrainerHook(Protocol):
    """Makes something of one culture's samples."""

    def on_dataset(self, run: Run, culture: str | None) -> TrainResult:
        """Train on the samples of ``culture``, or of all cultures together when it is ``None``."""
        ...


Factory = Callable[[TrainSettings, Say], TrainerHook]

# name -> (module, class, one-line help)
BUILT_IN = {
    "trl": ("culturepark.training.trl_hook", "TrlHook", "trains a LoRA adapter here, with TRL and PEFT"),
    "openai": ("culturepark.training.openai_hook", "OpenAiHook", "uploads, starts a fine-tuning job and follows it"),
    "command": ("culturepark.training.command_hook", "CommandHook", "runs your own training script on the files"),
    "files": ("culturepark.training.files_hook", "FilesHook", "writes a LLaMA-Factory or Axolotl project"),
}


def list_hooks() -> dict[str, str]:
    """Every hook there is with one line of help; a third party's shows where it comes from."""
    own = {name: row[2] for name, row in BUILT_IN.items()}
    return {entry.name: f"from {entry.value}" for entry in _find_entries()} | own


def find_hook(name: str) -> Factory:
    """The factory of a hook. Raises ``ConfigError`` for an unknown name, ``MissingPartError`` for a broken package."""
    if name in BUILT_IN:
        module, function, _ = BUILT_IN[name]
        return getattr(import_module(module), function)  # type: ignore[no-any-return]
    for entry in _find_entries():
        if entry.name == name:
            try:
                return entry.load()  # type: ignore[no-any-return]
            except Exception as error:  # a foreign package may fail in any way
                raise MissingPartError(f"hook {name!r} ({entry.value}): cannot be loaded ({error!r:.120})") from error
    known = list_hooks()
    raise ConfigError(f"unknown hook {name!r}{nearest(name, known)}; there are: {', '.join(sorted(known))}")


def _find_entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
