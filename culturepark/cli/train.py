"""``culturepark train``, and training at the end of ``generate``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from culturepark.cli.train_flags import add_train_flags
from culturepark.config import RunConfig
from culturepark.culture.profiles import find_profiles, load_profiles
from culturepark.errors import ConfigError
from culturepark.runs.folder import Run, load_run
from culturepark.training.hooks import find_hook
from culturepark.training.settings import TrainSettings, build_settings
from culturepark.training.train import train_run


def run_train(options: argparse.Namespace) -> int:
    """Train on a run's samples."""
    try:
        train_run(load_run(options.run), build_settings(given_train_flags(options)), say)
    except KeyboardInterrupt:
        again = shlex.join(["culturepark", *sys.argv[1:]])
        print(f"culturepark: stopped; to go on from the last checkpoint: {again}", file=sys.stderr)
        return 130
    return 0


def say(line: str) -> None:
    """One line of progress, at once."""
    print(line, flush=True)


def given_train_flags(options: argparse.Namespace) -> dict[str, Any]:
    """The settings the user gave on the command line."""
    return {k: v for k, v in vars(options).items() if k in TrainSettings.model_fields}


def check_then(commands: Sequence[str], config: RunConfig) -> list[TrainSettings]:
    """The trainings that are to follow a generation, checked as far as they can be before there is a sample.

    Raises ``ConfigError`` or ``MissingPartError``; a wrong flag ends the command with 2.
    """
    return [_check_one(command, config) for command in commands]


def _check_one(command: str, config: RunConfig) -> TrainSettings:
    from culturepark.cli import Parser

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--then: cannot be read as words ({error})") from error
    if not words or words[0] != "train":
        raise ConfigError('--then: only train can follow, as in --then "train --culture arab --base-model PATH -o DIR"')
    parser = Parser(prog="culturepark train", add_help=False)
    add_train_flags(parser, after=True)
    settings = build_settings(given_train_flags(parser.parse_args(words[1:])))
    if settings.culture.strip().casefold() != "all":
        profiles = load_profiles(Path(config.personas) if config.personas else None)
        wanted = find_profiles([settings.culture], profiles)[0]
        if wanted not in find_profiles(list(config.cultures), profiles):
            raise ConfigError(f"--then: trains on {wanted!r}, which is not among the cultures to generate")
    if settings.wants_dpo and "preference" not in config.sample_types:
        raise ConfigError("--then: learning from pairs needs --sample-types with preference, as in single,preference")
    find_hook(settings.hook)(settings, say)
    return settings


def train_after(run: Run, trainings: Sequence[TrainSettings]) -> None:
    """The trainings that follow a generation, one after the other."""
    for settings in trainings:
        train_run(run, settings, say)
