"""The files for machines: YAML block, citation file, Croissant; and that the data loads by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from culturepark.card.croissant_rules import find_croissant_fault
from culturepark.card.hub_rules import find_hub_fault
from culturepark.card.metadata import size_category
from culturepark.card.settings import split_card
from culturepark.card.write import write_card
from culturepark.export.records import read_export
from culturepark.runs.folder import Run
from tests.card.conftest import TERMS


def write(run: Run, **terms: Any) -> tuple[dict[str, Any], str]:
    path = write_card(run.path, run, read_export(run.path), **{**TERMS, **terms})
    return split_card(path.read_text(encoding="utf-8"))


def test_the_hub_client_reads_the_block(judged: Run) -> None:
    from huggingface_hub import DatasetCard

    write(judged, title="Views: of <people> & 'others' #1")
    card = DatasetCard.load(judged.path / "README.md")
    data = card.data.to_dict()
    assert data["license"] == "cc-by-nc-4.0" and data["language"] == ["en"] and data["size_categories"] == ["n<1K"]
    assert data["pretty_name"] == "Views: of <people> & 'others' #1"
    assert find_hub_fault(data) == ""
    assert {"culture", "synthetic", "dpo", "arab", "korean"} <= set(data["tags"])


def test_every_configuration_loads(judged: Run, tmp_path: Path) -> None:
    import datasets

    head, _ = write(judged)
    names = [c["config_name"] for c in head["configs"]]
    assert {"all", "arab", "korean", "preference-arab"} <= set(names)
    assert "alpaca" not in names  # another kind of file than the primary format's
    assert [c["config_name"] for c in head["configs"] if c.get("default")] == ["all"]
    export = read_export(judged.path)
    assert export is not None
    loaded = datasets.load_dataset(str(judged.path), cache_dir=str(tmp_path / "cache"))
    assert sum(len(part) for part in loaded.values()) == len(judged)
    korean = datasets.load_dataset(str(judged.path), "korean", split="train", cache_dir=str(tmp_path / "cache"))
    assert set(korean["culture"]) == {"korean"}


def test_the_owners_keys_and_tags_stay(judged: Run) -> None:
    path = write_card(judged.path, judged, None, **TERMS)
    head, body = split_card(path.read_text())
    head |= {"viewer": False, "tags": [*head["tags"], "my-tag"], "size_categories": ["n>1T"]}
    path.write_text(f"---\n{yaml.safe_dump(head)}---\n{body}")
    found, _ = write(judged)
    assert found["viewer"] is False and "my-tag" in found["tags"] and found["size_categories"] == ["n<1K"]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (999_999, "100K<n<1M"),
        (1_000_000, "1M<n<10M"),
        (10**10, "1B<n<10B"),
    ],
)
def test_size_classes(rows: int, name: str) -> None:
    assert size_category(rows) == name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size_categories": ["small"]}, "size_categories"),
        ({"task_categories": ["talking"]}, "task_categories"),
        ({"tags": ["a", False]}, "quotes"),
        ({"pretty_name": 7}, "pretty_name"),
        ({"configs": {"config_name": "a"}}, "must be a list"),
        ({"configs": [{"config_name": "a"}, {"config_name": "a"}]}, "two have the same"),
        ({"configs": [{"config_name": "a", "default": True}, {"config_name": "default"}]}, "more than one"),
        ({"configs": [{"config_name": "a", "data_files": [{"split": "a-b", "path": "x"}]}]}, "data_files"),
        ({"configs": [{"config_name": "a/b"}]}, "no config_name"),
    ],
)
def test_what_the_hub_refuses(change: dict[str, Any], words: str) -> None:
    good = {"license": "mit", "configs": [{"config_name": "a", "data_files": [{"split": "train", "path": ["x", "y"]}]}]}
    assert find_hub_fault(good) == ""
    assert words in find_hub_fault({**good, **change})


def test_citation_file(judged: Run) -> None:
    write(judged, authors=["Ann Lee", "Värld: “Org”"])
    path = judged.path / "CITATION.cff"
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert found["cff-version"] == "1.2.0" and found["type"] == "dataset" and found["license"] == "CC-BY-NC-4.0"
    assert [a["name"] for a in found["authors"]] == ["Ann Lee", "Värld: “Org”"]
    assert found["contact"][0]["email"] == "data@cultures.org"
    assert found["version"] == judged.manifest["fingerprint"]
    assert found["references"][0]["doi"] == "10.14281/18241.24"
    path.write_text(
        yaml.safe_dump(
            {**found, "doi": "10.5/x", "identifiers": [*found["identifiers"], {"type": "doi", "value": "10.5/x"}]}
        )
    )
    write_card(judged.path, judged, None)
    again = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert again["doi"] == "10.5/x" and len(again["identifiers"]) == 2 and again["authors"] == found["authors"]


def test_croissant_names_every_column_and_file(judged: Run) -> None:
    write(judged)
    found = json.loads((judged.path / "croissant.json").read_text(encoding="utf-8"))
    assert find_croissant_fault(found) == ""
    for part in found["distribution"]:
        assert list(judged.path.glob(part["includes"])), part
    import pyarrow.parquet

    for record in found["recordSet"]:
        files = sorted(judged.path.glob(f"data/{record['name']}/*/*.parquet"))
        if files:
            columns = set(pyarrow.parquet.read_schema(files[0]).names)
            assert {f["@id"].split("/")[1] for f in record["field"]} == columns | {"split"}
    assert found["license"] == "https://spdx.org/licenses/CC-BY-NC-4.0.html"


def test_croissant_of_a_bare_run(classic: Run) -> None:
    write_card(classic.path, classic, None, **TERMS)
    found = json.loads((classic.path / "croissant.json").read_text(encoding="utf-8"))
    assert find_croissant_fault(found) == "" and found["distribution"][0]["includes"] == "samples.jsonl"


@pytest.mark.filterwarnings("ignore")  # of the libraries it brings
def test_croissant_validates_with_its_own_library(judged: Run) -> None:
    library = pytest.importorskip("mlcroissant")
    write(judged)
    dataset = library.Dataset(jsonld=str(judged.path / "croissant.json"))
    rows = list(dataset.records("messages"))
    assert len(rows) == len(judged)


@pytest.mark.parametrize("key", ["name", "distribution", "recordSet", "license", "conformsTo"])
def test_croissant_rules_miss_nothing_that_is_gone(judged: Run, key: str) -> None:
    write_card(judged.path, judged, None, **TERMS)
    found = json.loads((judged.path / "croissant.json").read_text(encoding="utf-8"))
    del found[key]
    assert key in find_croissant_fault(found)


def test_croissant_rules_follow_sources(judged: Run) -> None:
    write_card(judged.path, judged, None, **TERMS)
    found = json.loads((judged.path / "croissant.json").read_text(encoding="utf-8"))
    found["recordSet"][0]["field"][0]["source"]["fileSet"]["@id"] = "elsewhere"
    assert "not in distribution" in find_croissant_fault(found)
    for odd in ([], "x", None, {"a": 1}, {"@type": "Dataset"}):
        assert find_croissant_fault(odd)
