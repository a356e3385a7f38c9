"""A run's samples as ``datasets.Dataset``, straight from its folder, split as an export splits them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from culturepark.errors import ConfigError
from culturepark.export.formats import FORMATS
from culturepark.export.parquet import gather_table
from culturepark.export.records import SPLITS, Split
from culturepark.export.splits import By, Splits, assign_splits
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
    by: By = "auto",
    seed: int = 0,
    validation: float = 0.1,
    test: float = 0.1,
    held_out: tuple[str, ...] = (),
) -> datasets.Dataset:
    """Chats as TRL's ``SFTTrainer`` takes them (column ``messages``), of one culture or of all.

    The splits are those of ``export_run`` with the same settings. A run too small to split has everything in
    ``train``; other splits are then empty. Raises ``DataError`` without samples, ``ConfigError`` for what is not there.

    >>> data = sft_dataset("outputs/try", culture="arab")
    """
    run = run if isinstance(run, Run) else load_run(run)
    splits = assign_splits(run, by=by, seed=seed, validation=validation, test=test, held_out=held_out)
    return _gather(run, "messages", culture, split, splits)


def preference_dataset(
    run: Run | str | Path,
    culture: str | None = None,
    split: Split = "train",
    *,
    by: By = "auto",
    seed: int = 0,
    validation: float = 0.1,
    test: float = 0.1,
    held_out: tuple[str, ...] = (),
) -> datasets.Dataset:
    """Pairs as TRL's ``DPOTrainer`` takes them (``prompt``, ``chosen``, ``rejected``); else like ``sft_dataset``.

    Raises ``ConfigError`` for a run that has no pairs.
    """
    run = run if isinstance(run, Run) else load_run(run)
    splits = assign_splits(run, by=by, seed=seed, validation=validation, test=test, held_out=held_out)
    return _gather(run, "preference", culture, split, splits)


def _gather(run: Run, name: str, culture: str | None, split: str, splits: Splits) -> datasets.Dataset:
    import datasets

    if split not in SPLITS:
        raise ConfigError(f"there is no split {split!r}{nearest(split, SPLITS)}; there are: {', '.join(SPLITS)}")
    cultures = choose_cultures(run, splits, [culture] if culture else None)
    if name == "preference":
        check_pairs(run, splits)
    format = FORMATS[name]
    return datasets.Dataset(gather_table(take_rows(run, format, splits, split, cultures), format.columns))
