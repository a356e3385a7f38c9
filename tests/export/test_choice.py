"""Whose splits hold: those asked for, else those of the run's export, for data sets and trainings alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import culturepark
from culturepark.errors import ConfigError, DataError
from culturepark.export.choice import choose_settings, describe_settings, is_outgrown
from culturepark.export.records import EXPORT, Export
from culturepark.export.splits import SplitSettings, assign_splits
from culturepark.export.write import export_run
from culturepark.runs.folder import Run, load_run
from tests.export.made import MadeRun, make_many, make_sample, make_talk


def read_sides(run: Run, settings: SplitSettings) -> list[int]:
    return [int(side) for side in assign_splits(run, **asdict(settings)).sides]


EVERY_WAY: list[dict[str, Any]] = [
    {},
    {"seed": 4},
    {"by": "topic", "seed": 1},
    {"by": "dialogue", "test": 0.3, "validation": 0.0},
    {"held_out": ["EGY"], "validation": 0.2},
    {"by": "topic", "validation": 0.0, "test": 0.0},
]


@pytest.mark.parametrize("how", EVERY_WAY, ids=str)
def test_the_record_of_an_export_gives_its_splits_again(tmp_path: Path, how: dict[str, Any]) -> None:
    run = MadeRun(tmp_path / "run", make_many())
    run.talks.extend(make_talk(f"t{t}d{d}", "KOR", "KOR") for t in range(10) for d in range(4))
    whole = [make_sample(f"own{k}", culture="korean") for k in range(20)]
    run.made.extend(whole)
    if "held_out" in how:
        run.made[:] = [s for s in run.made if s.culture == "korean"] + [make_sample(f"e{k}") for k in range(5)]
    export_run(run, out=tmp_path / "run", **how)
    wanted = [int(side) for side in assign_splits(run, **{**how, "held_out": how.get("held_out", ())}).sides]
    assert read_sides(run, choose_settings(run)) == wanted
    assert read_sides(run, choose_settings(run, like=tmp_path / "run")) == wanted


def test_a_run_too_small_to_split_stays_whole_though_another_way_would_split_it(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "run", make_many(topics=2))
    assert export_run(run, out=tmp_path / "run", by="topic").by == "none"
    assert assign_splits(run).by == "dialogue"  # what the defaults would have held out
    assert set(read_sides(run, choose_settings(run))) == {0}


def test_what_is_asked_for_goes_before_the_export_and_nothing_asked_is_the_default(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "run", make_many())
    assert choose_settings(run) == SplitSettings()
    export_run(run, out=tmp_path / "run", seed=7)
    assert choose_settings(run).seed == 7
    assert choose_settings(run, test=0.2) == SplitSettings(test=0.2)
    assert choose_settings(run, held_out=["egy"]) == SplitSettings(held_out=("EGY",))


def test_the_export_of_another_run_or_none_is_not_taken(tmp_path: Path) -> None:
    run, other = MadeRun(tmp_path / "run", make_many()), MadeRun(tmp_path / "other", make_many())
    other.manifest["fingerprint"] = "f" * 16
    export_run(other, out=tmp_path / "other", seed=7)
    with pytest.raises(ConfigError, match="is the export of another run"):
        choose_settings(run, like=tmp_path / "other")
    shutil.copy(tmp_path / "other" / EXPORT, tmp_path / "run")
    assert choose_settings(run) == SplitSettings()
    with pytest.raises(ConfigError, match="holds no export"):
        choose_settings(run, like=tmp_path)
    with pytest.raises(ConfigError, match="leave no room for seed, test"):
        choose_settings(run, like=tmp_path / "other", seed=1, test=0.1)
    (tmp_path / "run" / EXPORT).write_text("{")
    with pytest.raises(DataError, match="export again"):
        choose_settings(run)


def test_a_data_set_holds_out_what_the_export_does(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    apart = set(culturepark.sft_dataset(tmp_path / "run", split="test")["id"])
    export = culturepark.export_run(tmp_path / "run", ["messages", "preference"], by="dialogue", seed=3, test=0.2)
    ids = {split: set(culturepark.sft_dataset(tmp_path / "run", split=split)["id"]) for split in ("train", "test")}
    assert ids["test"] != apart and len(ids["test"]) == export.count_rows("test")
    pairs = culturepark.preference_dataset(tmp_path / "run", split="test")
    assert set(pairs["id"]) <= ids["test"] and len(pairs) == export.count_rows("test", "preference")
    elsewhere = culturepark.sft_dataset(finished, split="test", like=tmp_path / "run")
    assert set(elsewhere["id"]) == ids["test"]


def test_an_export_knows_when_its_run_has_grown(tmp_path: Path, run_once: Callable[..., Any]) -> None:
    run_once(tmp_path / "run", n=8)
    export = culturepark.export_run(tmp_path / "run")
    assert export.samples == 8 and not is_outgrown(export, load_run(tmp_path / "run"))
    assert is_outgrown(export.model_copy(update={"samples": 7}), load_run(tmp_path / "run"))
    before = export.model_dump(exclude={"samples"})  # a record from before the number was written down
    assert not is_outgrown(Export.model_validate(before), load_run(tmp_path / "run"))


@pytest.mark.parametrize(
    ("settings", "by", "said"),
    [
        (SplitSettings(), "none", "nothing is held out"),
        (SplitSettings(validation=0, test=0), "topic", "nothing is held out"),
        (SplitSettings(seed=2), "dialogue", "held out: dialogues (seed 2)"),
        (SplitSettings(held_out=("EGY", "KOR")), "country", "held out: countries EGY, KOR (seed 0)"),
    ],
)
def test_splits_in_words(settings: SplitSettings, by: str, said: str) -> None:
    assert describe_settings(settings, by) == said
