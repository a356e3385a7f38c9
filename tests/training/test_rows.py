"""What is trained on: whose samples, which splits, general data mixed in, and what is too little."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import culturepark
from culturepark.config import RunConfig
from culturepark.errors import ConfigError, DataError
from culturepark.runs.folder import Run
from culturepark.runs.sources import load_sources
from culturepark.training.rows import choose_cultures, read_mix, read_rows
from culturepark.training.settings import TrainSettings, build_settings


def settings(**given: Any) -> TrainSettings:
    return build_settings({"output_dir": "out", "base_model": "embedded", **given})


@pytest.fixture(scope="module")
def sources() -> Any:
    return load_sources(RunConfig())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"culture": "arab"}, ["arab"]),
        ({"culture": "KOR"}, ["korean"]),
        ({"culture": "all"}, ["arab", "korean"]),
        ({"culture": "all", "adapters": "shared"}, [None]),
    ],
)
def test_whose_samples(run: Run, sources: Any, given: dict[str, Any], expected: list[str | None]) -> None:
    assert choose_cultures(run, settings(**given), sources) == expected


@pytest.mark.parametrize(
    ("culture", "words"),
    [
        ("german", "no samples of 'german'; it has: arab, korean"),
        ("arba", "unknown culture 'arba' .did you mean 'arab'"),
    ],
)
def test_a_culture_the_run_has_not(run: Run, sources: Any, culture: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        choose_cultures(run, settings(culture=culture), sources)


def test_no_sample_is_on_two_sides_and_both_kinds_are_read(run: Run) -> None:
    rows = read_rows(run, "arab", settings(method="sft+dpo"))
    ids = [set(data["id"]) for data in rows.chats.values()]
    assert len(ids) == 3 and not ids[0] & ids[1] and not ids[0] & ids[2] and not ids[1] & ids[2]
    assert set(rows.pairs["train"]["id"]) <= ids[0]
    assert rows.count()["chats"]["train"] == len(ids[0])
    assert rows.topics("train") and set(rows.chats["train"]["culture"]) == {"arab"}
    assert not read_rows(run, "arab", settings()).pairs
    assert not read_rows(run, "arab", settings(method="dpo")).chats


def test_a_training_learns_what_the_export_is_for_training(run: Run, tmp_path: Path) -> None:
    """By default and after a push alike: no held-out row of the data set is trained on."""
    shutil.copytree(run.path, tmp_path / "run")
    own = Run(tmp_path / "run")
    usual = set(read_rows(own, None, settings()).chats["train"]["id"])
    culturepark.export_run(own, ["messages", "preference"], by="dialogue", seed=5, test=0.3)
    lines: list[str] = []
    rows = read_rows(own, None, settings(method="sft+dpo"), lines.append)
    for kind, part in (("messages", rows.chats), ("preference", rows.pairs)):
        files = {split: str(own.path / "data" / kind / "*" / f"{split}-*.parquet") for split in part}
        exported = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
        assert {s: set(exported[s]["id"]) for s in part} == {s: set(d["id"]) for s, d in part.items()}
    assert lines == [] and rows.split == "held out: dialogues (seed 5)"
    assert set(rows.chats["train"]["id"]) != usual
    assert set(read_rows(run, None, settings(split_like=str(own.path))).chats["train"]["id"]) == set(
        rows.chats["train"]["id"]
    )


def test_splits_unlike_those_of_the_export_are_told(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    own = Run(tmp_path / "run")
    export = culturepark.export_run(own, by="dialogue", seed=5)
    lines: list[str] = []
    assert read_rows(own, None, settings(by="dialogue", split_seed=6), lines.append).split.endswith("(seed 6)")
    assert len(lines) == 1 and "split otherwise than the run's export" in lines[0]
    read_rows(own, None, settings(by="dialogue", split_seed=5), lines.append)  # the same, though asked for
    assert len(lines) == 1
    older = export.model_copy(update={"samples": export.samples - 1})
    (own.path / "export.json").write_text(older.model_dump_json())
    read_rows(own, None, settings(), lines.append)
    assert len(lines) == 2 and "had 79 when it was exported" in lines[1] and "export again" in lines[1]


def test_a_country_is_held_out_of_a_training(run: Run) -> None:
    countries = Counter(s.country for s in run.samples() if s.culture == "arab")
    rare = min(countries, key=lambda c: countries[c])
    rows = read_rows(run, "arab", settings(held_out=f" {rare.lower()},"))
    assert set(rows.chats["test"]["country"]) == {rare} and rare not in rows.chats["train"]["country"]
    assert rows.split == f"held out: countries {rare} (seed 0)"


def test_too_few_samples_and_no_pairs_are_one_line(run_once: Callable[..., Any], tmp_path: Path, sources: Any) -> None:
    small = run_once(tmp_path / "small", n=1, cultures=["arab"])
    with pytest.raises(DataError, match="too small to train on: 1 samples of 'arab'"):
        read_rows(small, "arab", settings())
    with pytest.raises((DataError, ConfigError), match="no preference pairs"):
        read_rows(small, "arab", settings(method="dpo"))


def test_a_run_without_samples(run_once: Callable[..., Any], tmp_path: Path, sources: Any) -> None:
    from culturepark.errors import ShortfallError

    with pytest.raises(ShortfallError):
        run_once(tmp_path / "none", n=2, min_words=150, max_words=160, max_candidates=2)
    with pytest.raises(DataError, match="has no samples to train on"):
        choose_cultures(Run(tmp_path / "none"), settings(), sources)


def write_mix(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_general_data_makes_up_its_share_of_the_training_rows_alone(run: Run, tmp_path: Path) -> None:
    mix = write_mix(tmp_path / "mix.jsonl", [{"prompt": f"Say {k}.", "completion": str(k)} for k in range(500)])
    plain, mixed = read_rows(run, "arab", settings()), read_rows(run, "arab", settings(mix=mix, mix_share=0.5))
    own = len(plain.chats["train"])
    assert mixed.mixed == own and len(mixed.chats["train"]) == 2 * own
    assert len(mixed.chats["test"]) == len(plain.chats["test"])
    words = [m[0]["content"] for m in mixed.chats["train"]["messages"]]
    drawn = [w for w in words if w.startswith("Say ")]
    assert len(set(drawn)) == own and drawn != [f"Say {k}." for k in range(own)]
    assert mixed.topics("train") == plain.topics("train") and mixed.cultures() == {"arab"}
    again = read_rows(run, "arab", settings(mix=mix, mix_share=0.5))
    assert [m[0]["content"] for m in again.chats["train"]["messages"]] == words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "x"}, "row 1: needs messages"),
        ({"messages": [{"role": "user", "content": "x"}]}, "row 1: needs messages"),
        ({"messages": [{"role": "tool", "content": "x"}, {"role": "assistant", "content": "y"}]}, "row 1"),
        ({"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "y"}]}, "row 1"),
        ({"messages": "x"}, "row 1"),
        ({"prompt": "x", "completion": 3}, "row 1"),
        ([1], "line 1: is not a JSON object"),
    ],
)
def test_a_wrong_row_of_general_data_is_named(tmp_path: Path, row: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(read_mix(Path(write_mix(tmp_path / "mix.jsonl", [row]))))


def test_an_empty_or_missing_file_of_general_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        list(read_mix(Path(write_mix(tmp_path / "mix.jsonl", []))))
    with pytest.raises(ConfigError, match="--mix .*cannot be read"):
        list(read_mix(tmp_path / "none.jsonl"))
