"""Files for LLaMA-Factory and Axolotl, read as those programs read them by their entries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import yaml

from culturepark.runs.folder import load_run
from tests.export.reading import record_of


def read_as_factory(entry: dict[str, Any], row: dict[str, Any]) -> list[tuple[str, str]]:
    """A row as LLaMA-Factory's converters understand it by its entry: (role, text)."""
    columns, tags = entry["columns"], entry.get("tags", {})
    if entry["formatting"] == "alpaca":
        prompt = "\n".join(row[columns[k]] for k in ("prompt", "query") if row[columns[k]])
        return [("system", row[columns["system"]]), ("user", prompt), ("assistant", row[columns["response"]])]
    said = [(m[tags["role_tag"]], m[tags["content_tag"]]) for m in row[columns["messages"]]]
    system = [("system", text) for role, text in said[:1] if role == tags["system_tag"]]
    talk = said[len(system) :]
    assert len(talk) % 2 == 0
    for place, (role, _) in enumerate(talk):
        assert role == (tags["user_tag"], tags["assistant_tag"])[place % 2]
    return [*system, *((("user", "assistant")[k % 2], text) for k, (_, text) in enumerate(talk))]


@pytest.mark.parametrize("name", ["messages", "openai", "sharegpt", "alpaca"])
def test_llama_factory_finds_the_files_and_reads_the_same_chats(exported: Path, name: str) -> None:
    folder = exported / "data" / name
    info = json.loads((folder / "dataset_info.json").read_text())
    assert {f"culturepark_{c}_{s}" for c in ("arab", "korean") for s in ("train", "validation", "test")} == set(info)
    chats = []
    for entry in info.values():
        file = folder / entry["file_name"]
        rows = (
            pq.read_table(file).to_pylist()
            if file.suffix == ".parquet"
            else [json.loads(line) for line in file.read_text().splitlines()]
        )
        chats += [read_as_factory(entry, row) for row in rows]
    samples = list(load_run(exported).samples())
    assert len(chats) == len(samples)
    wanted = {s.messages[-1]["content"] for s in samples}
    assert {chat[-1][1] for chat in chats} == wanted and {chat[-1][0] for chat in chats} == {"assistant"}
    if name != "alpaca":
        assert {tuple(chat) for chat in chats} == {
            tuple((m["role"], m["content"]) for m in s.messages) for s in samples
        }


@pytest.mark.parametrize("name", ["messages", "openai", "sharegpt", "alpaca", "preference"])
def test_axolotl_finds_the_files_with_the_fields_they_have(
    exported: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = yaml.safe_load((exported / "data" / name / "axolotl.yaml").read_text())
    assert (content.get("rl") == "dpo") == (name == "preference")
    monkeypatch.chdir(exported)
    export = record_of(exported)
    for key, split in (("datasets", "train"), ("test_datasets", "validation")):
        rows = 0
        for entry in content[key]:
            data = datasets.load_dataset(
                entry["ds_type"], data_files=entry["path"], split=entry["split"], cache_dir=str(tmp_path)
            )
            rows += len(data)
            fields = {v for k, v in entry.items() if k.startswith("field_")}
            assert fields <= set(data.column_names)
        assert rows == export.count_rows(split, name)
