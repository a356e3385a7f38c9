"""Refinement done again on a run's talks, with other settings: no talk is held anew, no known reply is paid again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from culturepark.config import REFINE_KEYS, RUN_KEYS, RunConfig, build_config
from culturepark.errors import ConfigError
from culturepark.files import nearest
from culturepark.runs.folder import Run
from culturepark.runs.generate import check_folder, open_folder, prepare, run_blocking
from culturepark.runs.order import SHARD
from culturepark.runs.progress import Display, open_display
from culturepark.runs.sitting import Sitting
from culturepark.runs.stored import StoredTalks


def refine_run(run: str | Path | Run, **settings: Any) -> Run:
    """Refine the dialogues of ``run`` again and return the new run, in a folder of its own (``output_dir``).

    ``settings`` are the refinement keys of ``RunConfig`` (``judges``, ``min_fit``, ``sample_types``, ...) and those
    that say how to work. Replies are shared with ``run``: only what is new is asked. With no settings the samples are
    those of ``run``, byte for byte. Raises what ``generate`` raises; fewer than n samples is no error.
    """
    path = run.path if isinstance(run, Run) else Path(run)
    settings.setdefault("progress", "none")
    config = build_refine_config(Run(path), settings)
    made: Run = run_blocking(lambda: execute_refine(path, config, open_display(config)))
    return made


def build_refine_config(run: Run, given: Mapping[str, Any]) -> RunConfig:
    """The run's configuration with what may change for its talks. Raises ``ConfigError`` for any other key."""
    for key in given:
        if key not in REFINE_KEYS | RUN_KEYS:
            hint = nearest(key, REFINE_KEYS)
            raise ConfigError(f"refine: {key!r} decides about the talks, which are there already{hint}")
    kept = {k: v for k, v in run.manifest["config"].items() if k not in ("output_dir", "resume", "progress")}
    known = {k: v for k, v in kept.items() if k in RunConfig.model_fields}
    return build_config({**known, **given})


def find_talks(path: Path) -> Path:
    """The run that held the talks of ``path``: of a refined run the one it was made from, where that is still there."""
    origin = Run(path).manifest.get("refined_from")
    found = path / origin if isinstance(origin, str) else path
    return Path(os.path.normpath(found)) if (found / "manifest.json").is_file() else path


async def execute_refine(path: Path, config: RunConfig, display: Display) -> Run:
    """Refine to the end, or to where it must stop; a stopped refinement is taken up again by the same call."""
    try:
        path = find_talks(path)
        run = Run(path)
        stored = StoredTalks(path, SHARD)
        try:
            prepared = await prepare(config, stored)
            for kind in ("personas", "scenarios"):
                if run.manifest["files"].get(kind) != prepared.sources.hashes[kind]:
                    raise ConfigError(
                        f"{path}: the {kind} files have changed since these talks were held; give the folder they "
                        f"were held with by --{kind}"
                    )
            fresh = check_folder(prepared)
            folder = open_folder(prepared, display.say)
            try:
                return await Sitting(prepared, folder, display, fresh, stored).hold()
            finally:
                folder.close()
        finally:
            stored.close()
    finally:
        display.close()
