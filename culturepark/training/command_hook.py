"""The hook ``command``: any training script, given files and settings by placeholders, without a shell.

Placeholders: {train}, {validation}, {test}, {pairs_train}, {pairs_validation}, {pairs_test} (JSONL; an empty word
where a split has no rows), {out}, {run}, {culture}, {base_model}, {seed}. Other braces stay as they are.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

from culturepark.errors import ConfigError
from culturepark.export.records import SPLITS
from culturepark.files import nearest
from culturepark.runs.folder import Run
from culturepark.training.handover import write_files
from culturepark.training.hooks import Say, TrainResult
from culturepark.training.rows import read_rows
from culturepark.training.settings import TrainSettings
from culturepark.training.trl_hook import place_result

FILES = (*SPLITS, *(f"pairs_{split}" for split in SPLITS))
PLACEHOLDERS = (*FILES, "out", "run", "culture", "base_model", "seed")
_HOLE = re.compile(r"\{([a-z_]+)\}")


class CommandHook:
    """Runs a command of the user's."""

    def __init__(self, settings: TrainSettings, say: Say) -> None:
        """Take the command apart. Raises ``ConfigError`` for an unknown placeholder or program."""
        try:
            self._words = shlex.split(settings.argv)
        except ValueError as error:
            raise ConfigError(f"--command: cannot be read as words ({error})") from error
        for name in (name for word in self._words for name in _HOLE.findall(word)):
            if name not in PLACEHOLDERS:
                hint = nearest(name, PLACEHOLDERS) or f"; there are: {', '.join(PLACEHOLDERS)}"
                raise ConfigError(f"--command: unknown placeholder {{{name}}}{hint}")
        if not self._words or shutil.which(self._words[0]) is None:
            raise ConfigError(f"--command: there is no program {self._words[0] if self._words else ''!r} to run")
        self._settings, self._say = settings, say

    def on_dataset(self, run: Run, culture: str | None) -> TrainResult:
        """Write the files, run the command, and look how it ended. Raises ``ConfigError`` when it failed."""
        folder = place_result(self._settings, culture)
        files = write_files(read_rows(run, culture, self._settings, self._say), folder / "data")
        values = {
            **dict.fromkeys(FILES, ""),
            **{name: str(path.resolve()) for name, path in files.items()},
            "out": str(folder.resolve()),
            "run": str(run.path.resolve()),
            "culture": culture or "all",
            "base_model": self._settings.base_model,
            "seed": str(self._settings.seed),
        }
        words = fill_words(self._words, values)
        self._say(f"{culture or 'all'}: running {shlex.join(words)}")
        try:
            code = subprocess.run(words, stdin=subprocess.DEVNULL).returncode
        except OSError as error:
            raise ConfigError(f"--command: {words[0]} cannot be run ({error.strerror})") from error
        if code:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            raise ConfigError(f"--command: {Path(words[0]).name} {how}; its own words are above")
        return TrainResult(culture, folder, {"command": words, "files": {k: str(v) for k, v in files.items()}})


def fill_words(words: list[str], values: dict[str, str]) -> list[str]:
    """The command's words with their placeholders filled; a word stays one word whatever is put into it."""
    return [_HOLE.sub(lambda hole: values[hole[1]], word) for word in words]
