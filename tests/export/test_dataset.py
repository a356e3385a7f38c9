"""``sft_dataset`` and ``preference_dataset``: what an export has, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

import culturepark
from culturepark.errors import ConfigError, DataError
from culturepark.runs.folder import load_run
from tests.export.made import MadeRun, make_many
from tests.export.reading import load


def test_the_dataset_functions_give_what_the_export_has(exported: Path, tmp_path: Path) -> None:
    for name, function in (("all", culturepark.sft_dataset), ("preference", culturepark.preference_dataset)):
        data = load(exported, name, tmp_path)
        for split in data:
            straight = function(exported, split=split)
            assert sorted(straight["id"]) == sorted(data[split]["id"])
            assert straight.features == data[split].features
    korean = culturepark.sft_dataset(load_run(exported), culture="korean", split="test")
    assert set(korean["culture"]) == {"korean"} and len(korean) == len(load(exported, "korean", tmp_path)["test"])


def test_the_dataset_functions_name_what_is_not_there(tmp_path: Path) -> None:
    run = MadeRun(tmp_path, make_many(topics=1, talks=1, each=1))
    with pytest.raises(ConfigError, match="culture 'korea' .did you mean 'korean'"):
        culturepark.sft_dataset(run, culture="korea")
    with pytest.raises(ConfigError, match="no split 'tests' .did you mean 'test'"):
        culturepark.sft_dataset(run, split="tests")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="has no preference pairs"):
        culturepark.preference_dataset(run)
    with pytest.raises(DataError, match="has no samples"):
        culturepark.sft_dataset(MadeRun(tmp_path / "empty", []))
    with pytest.raises(DataError, match="is not a run folder"):
        culturepark.sft_dataset(tmp_path / "nowhere")
    empty = culturepark.sft_dataset(run, split="test")
    assert len(empty) == 0 and "messages" in empty.column_names
