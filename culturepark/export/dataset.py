"""A run's samples as ``datasets.Dataset``, straight from its folder, split as an export splits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from culturepark.errors import ConfigError
from culturepark.export.choice import choose_settings
from culturepark.export.formats import FORMATS
from culturepark.export.parquet import gather_table
from culturepark.export.records import SPLITS, Split
from culturepark.export.splits import By, SplitSettings, assign_splits
from culturepark.export.write import check_pairs, choose_cultures, take_rows
from culturepark.files import nearest
from culturepark.runs.folder import Run, load_run

if TYPE_CHECKING:
    import datasets


def sft_dataset(
    run: Run | str | Path,
    culture: str | None = None,
    split: Split = "train",
    *,
    by: By | None = None,
    seed: int | None = None,
    validation: float | None = None,
    test: float | None = None,
    held_out: Sequence[str] | None = None,
    like: str | Path | None = None,
) -> datasets.Dataset:
    """Chats as TRL's ``SFTTrainer`` takes them (column ``messages``), of one culture or of all.

    Where no setting of the splits is given they are those of the export in the run's folder, if there is one; ``like``
    names the folder of another. Settings have the meaning and the defaults that ``export_run`` has. A run too small to
    split has everything in ``train``; other splits are then empty. Raises ``DataError`` without samples,
    ``ConfigError`` for what is not there.

    >>> data = sft_dataset("outputs/try", culture="arab")
    """
    run = run if isinstance(run, Run) else load_run(run)
    how = choose_settings(run, by=by, seed=seed, validation=validation, test=test, held_out=held_out, like=like)
    return gather_dataset(run, "messages", culture, split, how)


def preference_dataset(
    run: Run | str | Path,
    culture: str | None = None,
    split: Split = "train",
    *,
    by: By | None = None,
    seed: int | None = None,
    validation: float | None = None,
    test: float | None = None,
    held_out: Sequence[str] | None = None,
    like: str | Path | None = None,
) -> datasets.Dataset:
    """Pairs as TRL's ``DPOTrainer`` takes them (``prompt``, ``chosen``, ``rejected``); else like ``sft_dataset``.

    Raises ``ConfigError`` for a run that has no pairs.
    """
    run = run if isinstance(run, Run) else load_run(run)
    how = choose_settings(run, by=by, seed=seed, validation=validation, test=test, held_out=held_out, like=like)
    return gather_dataset(run, "preference", culture, split, how)


def gather_dataset(run: Run, name: str, culture: str | None, split: str, how: SplitSettings) -> datasets.Dataset:
    """The rows of one split in the format ``name``."""
    import datasets

    if split not in SPLITS:
        raise ConfigError(f"there is no split {split!r}{nearest(split, SPLITS)}; there are: {', '.join(SPLITS)}")
    splits = assign_splits(run, **asdict(how))
    cultures = choose_cultures(run, splits, [culture] if culture else None)
    if name == "preference":
        check_pairs(run, splits)
    format = FORMATS[name]
    return datasets.Dataset(gather_table(take_rows(run, format, splits, split, cultures), format.columns))
