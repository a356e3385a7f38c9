"""A whole export: what lies in the folder, that it loads, and that nothing bad ever takes a good one's place."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

import culturepark
from culturepark.export import shelf
from culturepark.export.formats import FORMATS
from culturepark.export.front import split_front
from culturepark.export.splits import assign_splits
from culturepark.export.write import export_run
from culturepark.runs.folder import load_run
from tests.export.made import MadeRun, make_many, make_pair, make_sample
from tests.export.reading import load, read_all, record_of

EVERY = tuple(FORMATS)


def test_the_run_folder_opens_as_it_lies(exported: Path, tmp_path: Path) -> None:
    """Without naming anything: all cultures, in the splits that the library gives too, nothing doubled."""
    data = datasets.load_dataset(str(exported), cache_dir=str(tmp_path))
    run = load_run(exported)
    splits = assign_splits(run)
    wanted = Counter((splits.of(s), s.id) for s in run.samples())
    assert Counter((split, id) for split in data for id in data[split]["id"]) == wanted
    said = {s.id: list(s.messages) for s in run.samples()}
    assert all(row["messages"] == said[row["id"]] for row in data["train"])


def test_every_configuration_loads_with_its_own_culture(exported: Path, tmp_path: Path) -> None:
    export = record_of(exported)
    names = datasets.get_dataset_config_names(str(exported))
    parquet = [f for f in export.formats if FORMATS[f].file == "parquet"]
    assert set(names) == {export.name_config(f, c) for f in parquet for c in (None, *export.cultures)}
    for format in parquet:
        for culture in (None, *export.cultures):
            data = load(exported, export.name_config(format, culture), tmp_path)
            rows = {
                split: sum(
                    p.rows
                    for p in export.parts
                    if (p.format, p.split) == (format, split) and culture in (None, p.culture)
                )
                for split in ("train", "validation", "test")
            }
            assert {split: len(data[split]) for split in data} == {s: n for s, n in rows.items() if n}
            assert {c for split in data for c in data[split]["culture"]} == (
                {culture} if culture else {"arab", "korean"}
            )


@pytest.mark.parametrize("name", [f for f in EVERY if FORMATS[f].file == "jsonl"])
def test_trainer_files_load_by_their_paths(exported: Path, tmp_path: Path, name: str) -> None:
    export = record_of(exported)
    files = [str(exported / f) for p in export.parts if p.format == name for f in p.files]
    data = datasets.load_dataset("json", data_files=files, split="train", cache_dir=str(tmp_path))
    assert len(data) == len(load_run(exported)) and set(data.column_names) == set(FORMATS[name].columns)


def test_trainer_files_alone_are_configurations_and_the_runs_own_stay(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    culturepark.export_run(tmp_path / "run", ["openai", "alpaca"])
    names = datasets.get_dataset_config_names(str(tmp_path / "run"))
    assert names[0] == "all" and {"arab", "alpaca", "alpaca-korean", "samples", "rejected"} <= set(names)
    data = datasets.load_dataset(str(tmp_path / "run"), cache_dir=str(tmp_path / "cache"))
    assert data["train"].column_names == ["messages"]


def test_the_record_says_what_is_there(exported: Path) -> None:
    export = record_of(exported)
    assert export.run_id == load_run(exported).manifest["fingerprint"]
    assert (export.primary, export.by, export.formats[0]) == ("messages", "topic", "messages")
    assert set(export.formats) == set(EVERY)
    listed = {f for part in export.parts for f in part.files} | set(export.extras)
    assert listed == {name for name in read_all(exported) if name.startswith("data/")}
    for part in export.parts:
        assert part.bytes == sum((exported / f).stat().st_size for f in part.files)
        rows = [line for f in part.files if f.endswith("l") for line in (exported / f).read_text().splitlines()]
        rows += [row for f in part.files if not f.endswith("l") for row in pq.read_table(exported / f).to_pylist()]
        assert part.rows == len(rows)
    assert export.count_rows("train") + export.count_rows("validation") + export.count_rows("test") == 96
    assert sum(export.dropped.values()) == 0


def test_the_same_export_twice_gives_the_same_bytes(exported: Path, finished: Path, tmp_path: Path) -> None:
    culturepark.export_run(finished, EVERY, tmp_path / "out")
    again = read_all(tmp_path / "out")
    assert {n: b for n, b in read_all(exported).items() if n.startswith("data/") or n == "export.json"} == {
        n: b for n, b in again.items() if n != "README.md"
    }
    assert not list((tmp_path / "out").glob(".export*"))


def test_the_readme_of_the_run_keeps_its_words(exported: Path, finished: Path) -> None:
    before, after = (finished / "README.md").read_text(), (exported / "README.md").read_text()
    assert split_front(after)[1] == split_front(before)[1]
    assert split_front(after)[0]["configs"][0] == {
        "config_name": "all",
        "default": True,
        "data_files": [{"split": s, "path": f"data/messages/*/{s}-*.parquet"} for s in ("train", "validation", "test")],
    }


def test_a_card_keeps_its_keys_and_words(tmp_path: Path) -> None:
    run, out = MadeRun(tmp_path / "run", make_many()), tmp_path / "out"
    export_run(run, out=out)
    (out / "README.md").write_text("---\nlicense: other\nconfigs: []\n---\n# My card\n\n---\nmore\n")
    export_run(run, ["parquet"], out=out)
    front, text = split_front((out / "README.md").read_text())
    assert text == "# My card\n\n---\nmore\n" and front["license"] == "other"
    assert [c["config_name"] for c in front["configs"]] == ["all", "arab", "korean"]


@pytest.mark.parametrize("text", ["no front", "---\n: [\n---\nx", "---\n- a\n---\nx", "---\nnever closed", ""])
def test_a_readme_without_a_readable_head_is_kept_whole(text: str) -> None:
    assert split_front(text) == ({}, text)


def test_only_some_cultures_in_the_same_splits(exported: Path, tmp_path: Path) -> None:
    export = culturepark.export_run(exported, out=tmp_path / "out", cultures=["korean"])
    assert export.cultures == ("korean",)
    whole = {p.split: p.rows for p in record_of(exported).parts if (p.format, p.culture) == ("messages", "korean")}
    assert {p.split: p.rows for p in export.parts} == whole


def test_a_new_export_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    run, out = MadeRun(tmp_path / "run", [*make_many(), *(make_pair(f"p{k}") for k in range(20))]), tmp_path / "out"
    export_run(run, ["messages", "preference", "openai"], out=out)
    assert {n.split("/")[1] for n in read_all(out) if n.startswith("data/")} == {"messages", "preference", "openai"}
    export = export_run(run, ["parquet"], out=out)
    assert {n.split("/")[1] for n in read_all(out) if n.startswith("data/")} == {"parquet"}
    assert record_of(out) == export


def test_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    empty = make_sample("bad", messages=({"role": "user", "content": "x"}, {"role": "assistant", "content": ""}))
    long = make_sample("long", text="word " * 60_000)
    export = export_run(MadeRun(tmp_path / "r", [*make_many(), empty, long]), ["messages", "openai"], tmp_path / "o")
    assert export.dropped == {"empty_message": 1, "openai:too_long": 1}
    assert sum(p.rows for p in export.parts if p.format == "messages") == 161
    assert sum(p.rows for p in export.parts if p.format == "openai") == 160


def test_too_small_to_split_is_all_training_data(tmp_path: Path) -> None:
    export = export_run(MadeRun(tmp_path / "r", [make_sample()]), ["messages"], tmp_path / "o")
    assert [p.split for p in export.parts] == ["train"] and export.by == "none"
    assert export.remarks == (
        "too small to split: 1 samples, too few dialogues that share no persona and no near copy; all are for "
        "training, nothing is held out",
    )
    assert set(datasets.load_dataset(str(tmp_path / "o"), cache_dir=str(tmp_path / "c"))) == {"train"}


def test_what_an_unfinished_run_has_is_exported_and_said(tmp_path: Path) -> None:
    export = export_run(MadeRun(tmp_path / "r", make_many(), n=500), ["messages"], tmp_path / "o")
    assert "the run has 160 of 500 samples so far; these are exported" in export.remarks


def test_samples_that_come_while_it_is_read_wait_for_the_next_export(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "r", make_many())
    fresh = make_sample("late")

    def grow(what: str, number: int) -> None:
        if what == "writing" and fresh not in run.made:
            run.made.append(fresh)

    out = export_run(run, ["messages"], tmp_path / "o", tell=grow)
    assert sum(p.rows for p in out.parts) == 160 and fresh in run.made


def test_large_files_go_on_in_another_and_rows_wait_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "GROUP_ROWS", 10)
    monkeypatch.setattr(shelf, "SHARD_BYTES", 4000)
    monkeypatch.setattr(shelf, "WAITING_BYTES", 5000)
    waited = []
    put = shelf.Shelf.put

    def watch(self: shelf.Shelf, *given: Any) -> None:
        put(self, *given)
        waited.append(sum(book.waiting for book in self._books.values()))
        assert waited[-1] == self._waiting

    monkeypatch.setattr(shelf.Shelf, "put", watch)
    export = export_run(MadeRun(tmp_path / "r", make_many(talks=10)), ["messages", "parquet"], tmp_path / "o")
    assert 2000 < max(waited) <= 5000
    train = next(p for p in export.parts if (p.format, p.culture, p.split) == ("messages", "arab", "train"))
    n = len(train.files)
    assert n > 2 and train.files[0] == f"data/messages/arab/train-00000-of-{n:05}.parquet"
    assert sum(pq.read_table(tmp_path / "o" / f).num_rows for f in train.files) == train.rows == 160
    data = datasets.load_dataset(str(tmp_path / "o"), cache_dir=str(tmp_path / "c"))
    assert {s: len(data[s]) for s in data} == {s: export.count_rows(s) for s in ("train", "validation", "test")}
