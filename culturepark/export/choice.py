"""Which splits hold for a run: those asked for, else those of its export, so that trainers hold out what it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from culturepark.errors import ConfigError
from culturepark.export.records import Export, read_export
from culturepark.export.splits import By, SplitSettings, sort_countries
from culturepark.runs.folder import Run


def choose_settings(
    run: Run,
    *,
    by: By | None = None,
    seed: int | None = None,
    validation: float | None = None,
    test: float | None = None,
    held_out: Sequence[str] | None = None,
    like: str | Path | None = None,
) -> SplitSettings:
    """The settings of the export in ``like`` (a folder), or in the run's own folder where nothing is asked for.

    A run without an export is split as one with its default settings is. Raises ``ConfigError`` where ``like`` holds
    no export of this run or other settings stand beside it.
    """
    given = {"by": by, "seed": seed, "validation": validation, "test": test, "held_out": held_out}
    asked = {name: value for name, value in given.items() if value is not None}
    if like:
        if asked:
            raise ConfigError(
                f"splits like those of {like} leave no room for {', '.join(asked)}; give one or the other"
            )
        export = read_export(Path(like))
        if export is None:
            raise ConfigError(f"{like}: holds no export whose splits could be taken; name the folder of one")
        if not is_of(export, run):
            raise ConfigError(f"{like}: is the export of another run than {run.path}; its splits do not fit")
        return read_settings(export)
    own = None if asked else find_own(run)
    if own is not None:
        return read_settings(own)
    if "held_out" in asked:
        asked["held_out"] = sort_countries(held_out or ())
    return SplitSettings(**asked)  # type: ignore[arg-type]


def find_own(run: Run) -> Export | None:
    """The export in the run's own folder, if it is one of this run."""
    export = read_export(run.path)
    return export if export is not None and is_of(export, run) else None


def is_of(export: Export, run: Run) -> bool:
    """Was it made from this run?"""
    return export.run_id == str(run.manifest.get("fingerprint", ""))


def read_settings(export: Export) -> SplitSettings:
    """The settings that give an export's splits again."""
    if export.by == "none":  # too small to split, whatever was asked for: all of it is for training
        return SplitSettings("auto", export.seed, 0.0, 0.0)
    validation, test = (export.shares.get(name, 0.0) for name in ("validation", "test"))
    return SplitSettings(export.by, export.seed, validation, test, export.held_out)  # type: ignore[arg-type]


def is_outgrown(export: Export, run: Run) -> bool:
    """Has the run more samples than when it was exported? Its splits are then others."""
    return bool(export.samples) and len(run) != export.samples


def describe_settings(settings: SplitSettings, by: str) -> str:
    """The splits in a few words; ``by`` is what was held out in the end."""
    if by == "none" or not (settings.validation or settings.test or settings.held_out):
        return "nothing is held out"
    what = f"countries {', '.join(settings.held_out)}" if settings.held_out else f"{by}s"
    return f"held out: {what} (seed {settings.seed})"
