"""What goes along and what must not: files of the export, the card's configurations, words of rejected candidates."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from culturepark.errors import DataError
from culturepark.export.records import Export, Part
from culturepark.hub.card import tailor_card
from culturepark.hub.files import LocalFile, RemoteFile, find_changes, is_ours, list_files, show_size
from culturepark.hub.rejected import COLUMNS, make_row
from culturepark.records import Claim, Quote, Rejected, Verdict

TRAIN = "data/messages/arab/train-00000-of-00001.parquet"
PROTECTING = ("essentialism", "personal_data", "real_people")


def make_export(*files: str, size: int = 4, extras: tuple[str, ...] = ()) -> Export:
    part = Part(format="messages", culture="arab", split="train", files=files, rows=1, bytes=size)
    return Export(run_id="r", primary="messages", by="topic", seed=0, shares={}, parts=(part,), extras=extras)


def make_folder(folder: Path) -> Path:
    path = folder / TRAIN
    path.parent.mkdir(parents=True)
    path.write_bytes(b"data")
    for name in ("README.md", "export.json", "CITATION.cff", "samples.jsonl", "run.json", ".env"):
        (folder / name).write_text(name)
    return folder


def test_only_the_export_and_its_pages_go_along_card_first(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    (folder / "data/messages/axolotl.yaml").write_text("a: 1")
    (folder / "data/messages/secret.txt").write_text("no")
    found = list_files(folder, make_export(TRAIN, extras=("data/messages/axolotl.yaml",)))
    assert [f.path for f in found] == ["README.md", "CITATION.cff", "export.json", TRAIN, "data/messages/axolotl.yaml"]


@pytest.mark.parametrize("name", ["../run.json", "/etc/hostname", "data/../../x", "data\\x", "", "data/gone.parquet"])
def test_a_record_that_names_other_files_is_damaged(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="export again"):
        list_files(make_folder(tmp_path), make_export(TRAIN, name, size=4))


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "run")
    (tmp_path / "secret").write_text("data")
    (folder / TRAIN).unlink()
    (folder / TRAIN).symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="leads out of the folder"):
        list_files(folder, make_export(TRAIN))


def test_a_file_of_another_size_than_written_and_a_card_that_is_missing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with pytest.raises(DataError, match="has 4 bytes, the export wrote 5"):
        list_files(folder, make_export(TRAIN, size=5))
    (folder / "README.md").unlink()
    with pytest.raises(DataError, match="there is no card"):
        list_files(folder, make_export(TRAIN))


def test_hashes_are_those_of_git_and_of_large_files(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\r\nx\0" * 700_000)
    git = subprocess.run(["git", "hash-object", "--no-filters", str(path)], capture_output=True, text=True, check=True)
    for source in (path, path.read_bytes()):
        file = LocalFile("f", source)
        assert file.hashes == (hashlib.sha256(path.read_bytes()).hexdigest(), git.stdout.strip())
        assert file.is_same(RemoteFile(2_800_000, git.stdout.strip()))
        assert file.is_same(RemoteFile(2_800_000, "pointer", file.hashes[0]))
        assert not file.is_same(RemoteFile(2_800_000, git.stdout.strip(), "0" * 64))
        assert not file.is_same(RemoteFile(2_800_001, git.stdout.strip()))
        assert not file.is_same(None)


def test_only_files_an_export_writes_are_ours_to_remove() -> None:
    ours = [
        TRAIN,
        "data/openai/korean/test.jsonl",
        "data/messages/train-00001.parquet",
        "data/rejected/rejected-00000-of-00001.parquet",
        "data/rejected/rejected.jsonl",
        "data/sharegpt/dataset_info.json",
        "data/sharegpt/axolotl.yaml",
    ]
    theirs = [
        "README.md",
        "data/train-00000-of-00001.parquet",
        "data/messages/arab/more/train-00000-of-00001.parquet",
        "data/messages/arab/train-00000-of-00001.parquet.bak",
        "data/messages/arab/training-00000-of-00001.parquet",
        "data/messages/notes.json",
        "other/messages/arab/train.jsonl",
    ]
    assert [path for path in ours + theirs if is_ours(path)] == ours
    remote = {path: RemoteFile(1, "x") for path in ours + theirs}
    assert find_changes([LocalFile(TRAIN, b"new")], remote).delete == tuple(sorted(ours[1:]))
    assert not find_changes([], {path: RemoteFile(1, "x") for path in theirs})


def test_sizes_for_people() -> None:
    assert [show_size(n) for n in (0, 999, 1000, 1_250_000, 3_000_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "1.2 MB",
        "3.0 GB",
    ]


def test_the_card_names_only_what_goes_along() -> None:
    configs = [
        {"config_name": "all", "default": True, "data_files": [{"split": "train", "path": "data/messages/*/train-*"}]},
        {"config_name": "samples", "data_files": "samples.jsonl"},
        {"config_name": "rejected", "data_files": "rejected.jsonl"},
    ]
    head = {"license": "mit", "pretty_name": "Ä: b", "configs": configs}
    text = f"---\n{yaml.safe_dump(head, allow_unicode=True)}---\n# Card\n---\nmore\n"
    plain = tailor_card(text, [TRAIN])
    front, body = plain.removeprefix("---\n").split("---\n", 1)
    assert yaml.safe_load(front) == {**head, "configs": configs[:1]} and body == "# Card\n---\nmore\n"
    kept = yaml.safe_load(tailor_card(text, [TRAIN], "data/rejected/rejected.jsonl").split("---\n")[1])["configs"]
    place = [{"split": "rejected", "path": "data/rejected/rejected.jsonl"}]
    assert kept == [configs[0], {"config_name": "rejected", "data_files": place}]
    assert tailor_card(plain, [TRAIN]) == plain
    assert tailor_card("# no front", [TRAIN]) == "# no front"


def make_rejected(stage: str, *passed: str) -> Rejected:
    claim = Claim(
        speaker="a",
        kind="norm",
        quotes=(Quote(turn=1, sentences=(2,), texts=("Call Amal", "on 555-0100.")),),
        question="Who?",
    )
    verdicts = (*(Verdict(stage=s, kept=True) for s in passed), Verdict(stage=stage, kept=False, reason="why"))
    return Rejected(
        id="c1",
        status="rejected",
        stage=stage,
        reason="why",
        evidence="Amal",
        culture="arab",
        country="EGY",
        topic="care",
        answer=2,
        dialogue="d1",
        speaker="a",
        claim=claim,
        verdicts=verdicts,
    )


def test_words_of_a_rejected_candidate_are_shown_when_it_passed_what_protects_people() -> None:
    row = make_row(make_rejected("stance", "form", *PROTECTING))
    assert row["text"] == "Call Amal on 555-0100." and row["question"] == "Who?" and row["evidence"] == "Amal"
    assert row["withheld"] == "" and list(row) == list(COLUMNS)
    assert [v["stage"] for v in json.loads(row["verdicts"])] == ["form", *PROTECTING, "stance"]


@pytest.mark.parametrize("stage", [*PROTECTING, "harm"])
def test_words_that_were_dropped_to_protect_people_stay_at_home(stage: str) -> None:
    row = make_row(make_rejected(stage, *(s for s in PROTECTING if s != stage)))
    assert row["withheld"] == "the reason protects people"
    assert "Amal" not in json.dumps(row) and "555" not in json.dumps(row) and row["reason"] == "why"


@pytest.mark.parametrize("missing", PROTECTING)
def test_words_that_were_never_looked_at_stay_at_home(missing: str) -> None:
    row = make_row(make_rejected("length", *(s for s in PROTECTING if s != missing)))
    assert row["withheld"].startswith("not looked at") and "Amal" not in json.dumps(row)
