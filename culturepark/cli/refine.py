"""``refine`` and ``screen``: the stages again, over stored talks or over texts from elsewhere."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from culturepark.cli.flags import given_flags
from culturepark.cli.generate import print_result
from culturepark.config import build_config
from culturepark.errors import ConfigError, DataError
from culturepark.files import read_yaml
from culturepark.runs.alone import run_alone
from culturepark.runs.folder import Run
from culturepark.runs.progress import open_display


def run_refine(options: argparse.Namespace) -> int:
    """Refine the talks of a run again, with other settings."""
    from culturepark.runs.refine import build_refine_config, execute_refine

    source = Run(options.run)
    config = build_refine_config(source, {**_read_settings(options.config), **given_flags(options)})
    try:
        run = run_alone(execute_refine(Path(options.run), config, open_display(config)))
    except KeyboardInterrupt:
        print(f"culturepark: stopped; to go on: {shlex.join(['culturepark', *sys.argv[1:]])}", file=sys.stderr)
        return 130
    before, after = source.counts(), run.counts()
    print_result(run)
    asked = run.manifest.get("calls_this_sitting", {}).get("all", {})
    print(
        f"{before.accepted} samples before, {after.accepted} now; {asked.get('calls', 0)} new calls, "
        f"{asked.get('replayed', 0)} replies were there already"
    )
    if after.accepted < config.n:
        print(
            f"{config.n - after.accepted} of {config.n} are missing: no talk was held anew (culturepark generate does)"
        )
    return 0


def _read_settings(file: str | None) -> dict[str, Any]:
    """The keys of a YAML file. Raises ``ConfigError``."""
    if file is None:
        return {}
    try:
        content = read_yaml(Path(file))
    except DataError as error:
        raise ConfigError(str(error)) from error
    if not isinstance(content, (dict, type(None))):
        raise ConfigError(f"{file}: must hold keys and values, such as 'min_fit: 4'")
    return {str(k).replace("-", "_"): v for k, v in (content or {}).items()}


def run_screen(options: argparse.Namespace) -> int:
    """Run the stages that need no model over a JSONL file."""
    from culturepark.runs.screen import screen_file

    given = {k: v for k, v in given_flags(options).items() if k not in ("output_dir", "language")}
    config = build_config(given, options.config)
    folder = Path(options.output_dir)
    found = screen_file(Path(options.file), folder, config, options.tag)
    print(f"{found.kept + found.dropped} rows: {found.kept} kept, {found.dropped} dropped, in {folder}")
    for reason, number in found.reasons.most_common():
        print(f"  {reason}: {number}")
    return 0
