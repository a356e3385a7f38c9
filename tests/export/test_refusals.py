"""What cannot be exported is told in one line, and a good export stays as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import culturepark
from culturepark.errors import ConfigError, DataError
from culturepark.export.write import export_run
from culturepark.runs.folder import Run, load_run
from tests.export.made import MadeRun, make_many, make_pair
from tests.export.reading import read_all


def test_no_pairs_no_samples_no_such_culture(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "r", make_many())
    with pytest.raises(ConfigError, match="has no preference pairs"):
        export_run(run, ["preference"], tmp_path / "o")
    with pytest.raises(ConfigError, match="culture 'arap' .did you mean 'arab'.*; it has arab, korean"):
        export_run(run, cultures=["arap"], out=tmp_path / "o")
    with pytest.raises(DataError, match="has no samples"):
        export_run(MadeRun(tmp_path / "e", []), out=tmp_path / "o")
    pairs = MadeRun(tmp_path / "p", [*make_many(), make_pair("p", culture="korean")])
    with pytest.raises(DataError, match="no sample of arab can be written as preference"):
        export_run(pairs, ["preference"], tmp_path / "o", cultures=["arab"])
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("culture", ["../up", "all", "messages", "a b", "*", "", "x" * 81, "arab/x"])
def test_a_culture_that_is_no_name_for_a_folder_is_refused(tmp_path: Path, culture: str) -> None:
    run = MadeRun(tmp_path / "r", make_many(cultures=("arab", culture)))
    with pytest.raises(DataError, match="cannot be exported; give it another id"):
        export_run(run, out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_the_export_of_a_real_run_reads_a_damaged_one_as_such(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    culturepark.export_run(tmp_path / "run")
    good = read_all(tmp_path / "run" / "data")
    data = bytearray((tmp_path / "run" / "samples.jsonl").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "run" / "samples.jsonl").write_bytes(data)
    with pytest.raises(DataError, match="is damaged"):
        culturepark.export_run(tmp_path / "run", ["parquet"])
    assert read_all(tmp_path / "run" / "data") == good
    assert isinstance(load_run(tmp_path / "run"), Run)
