"""A whole run to the Hub and back: export, card and data in one commit, and ``datasets`` loads what was exported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from culturepark.export.records import read_export
from culturepark.export.write import export_run
from culturepark.hub.publish import push_run
from tests.hub.pushing import LICENCE, Capture, call, load, pushed_files
from tests.hub.repos import Fault
from tests.hub.standin import TOKEN, HubStandin


def read_front(hub: HubStandin) -> dict[str, Any]:
    found = yaml.safe_load(hub.files()["README.md"].decode().split("---\n")[1])
    assert isinstance(found, dict)
    return found


def test_what_is_loaded_from_the_hub_is_what_was_exported(hub: HubStandin, ready: Path, tmp_path: Path) -> None:
    hub.faults += [Fault("put", status=500), Fault("commit", cut="after"), Fault("create", cut="after")]
    pushed = push_run(ready, "org/name", license="cc-by-nc-4.0")
    assert pushed is not None and len(hub.pushes()) == 1
    names = ("", "arab", "korean", "preference", "preference-arab")
    there = load("org/name", tmp_path, *names, hub=hub)
    assert there == load(str(ready), tmp_path, *names)
    rows = [row for split in there[""].values() for row in split]
    export = read_export(ready)
    assert export is not None
    assert len(rows) == sum(part.rows for part in export.parts if part.format == "messages") > 20
    front = read_front(hub)
    assert front["license"] == "cc-by-nc-4.0"
    assert {c["config_name"] for c in front["configs"]}.isdisjoint({"samples", "dialogues", "rejected"})


def test_the_example_pushes_and_loads_back(hub: HubStandin, ready: Path, tmp_path: Path) -> None:
    script = Path(__file__).resolve().parents[2] / "examples" / "push.py"
    env = {**os.environ, "HF_HOME": str(tmp_path / "elsewhere"), "HF_HUB_OFFLINE": "0"}
    env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "PYTHONPATH": str(script.parents[1])}
    command = [sys.executable, str(script), str(ready), "org/name", "cc-by-nc-4.0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Nothing was sent." in done.stdout and "train: Dataset" in done.stdout
    assert len(hub.pushes()) == 1 and TOKEN not in done.stdout + done.stderr


def test_the_repository_holds_data_card_and_record_and_nothing_else_of_the_run(hub: HubStandin, ready: Path) -> None:
    push_run(ready, "org/name", license="cc-by-nc-4.0")
    there = hub.files()
    assert set(there) - {".gitattributes", "README.md"} == set(pushed_files(ready))
    assert {k: v for k, v in there.items() if k in pushed_files(ready)} == pushed_files(ready)
    tags = hub.repos["org/name"].tags
    export = read_export(ready)
    assert export is not None and list(tags) == [f"run-{export.run_id[:12]}"]


def test_a_second_push_of_the_same_run_says_that_nothing_is_new(hub: HubStandin, ready: Path, capsys: Capture) -> None:
    code, out, _ = call(capsys, "push", str(ready), "--repo-id", "org/name", *LICENCE)
    assert code == 0 and "Pushed" in out and "private" in out and f"{hub.url}/datasets/org/name" in out
    code, out, _ = call(capsys, "push", str(ready), "--repo-id", "org/name")
    assert code == 0 and "Nothing new" in out and len(hub.pushes()) == 1


def test_a_dry_run_lists_and_neither_sends_nor_writes(
    hub: HubStandin, ready: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    before = {p: p.read_bytes() for p in sorted(ready.rglob("*")) if p.is_file()}
    code, out, _ = call(capsys, "push", str(ready), "--repo-id", "org/name", "--dry-run", *LICENCE)
    assert code == 0 and "Nothing was sent." in out
    for name in pushed_files(ready) if (ready / "croissant.json").exists() else ["README.md", "export.json"]:
        assert name in out
    assert "kB  data/messages/arab/train-00000" in out and "files" in out
    assert {p: p.read_bytes() for p in sorted(ready.rglob("*")) if p.is_file()} == before
    assert not hub.calls


def test_a_dry_run_of_a_run_without_export_leaves_it_as_it_is(hub: HubStandin, folder: Path) -> None:
    said: list[str] = []
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    assert push_run(folder, "org/name", license="cc-by-nc-4.0", dry_run=True, say=said.append) is None
    assert any("data/messages/arab/train" in line for line in said)
    assert {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before
    assert not hub.calls


def test_a_run_without_export_is_exported_first(hub: HubStandin, folder: Path) -> None:
    said: list[str] = []
    push_run(folder, "org/name", license="cc-by-nc-4.0", say=said.append)
    assert "There was no export; made one: messages." in said
    assert pushed_files(folder).items() <= hub.files().items()


def test_a_public_push_says_what_becomes_public(hub: HubStandin, ready: Path, capsys: Capture) -> None:
    code, out, _ = call(capsys, "push", str(ready), "--repo-id", "org/name", "--public", *LICENCE)
    assert code == 0 and "everybody can read it" in out and "data/messages/arab/train" in out
    assert not hub.repos["org/name"].private


def test_a_clash_of_licences_refuses_until_one_is_stated(hub: HubStandin, ready: Path, capsys: Capture) -> None:
    code, _, err = call(capsys, "push", str(ready), "--repo-id", "org/name")
    assert code == 2 and "no licence is stated" in err and "World Values Survey" in err and err.count("\n") == 1
    code, _, err = call(capsys, "push", str(ready), "--repo-id", "org/name", "--license", "mit")
    assert code == 2 and "mit" in err and err.count("\n") == 1
    assert not hub.calls
    assert call(capsys, "push", str(ready), "--repo-id", "org/name", *LICENCE)[0] == 0
    assert call(capsys, "push", str(ready), "--repo-id", "org/name")[0] == 0, "the card keeps the licence"


def test_rejected_candidates_go_along_only_when_asked(hub: HubStandin, ready: Path, tmp_path: Path) -> None:
    push_run(ready, "org/name", license="cc-by-nc-4.0")
    assert not [path for path in hub.files() if "rejected" in path]
    push_run(ready, "org/name", include_rejected=True)
    assert len(hub.pushes()) == 2
    from culturepark.runs.folder import Run

    records = list(Run(ready).rejected())
    loaded = load("org/name", tmp_path, "rejected", "", hub=hub)
    rows = loaded["rejected"]["rejected"]
    assert [row["id"] for row in rows] == [record.id for record in records] and rows
    push_run(ready, "org/name")
    assert not [path for path in hub.files() if "rejected" in path]
    assert len(hub.pushes()) == 3


def test_an_export_elsewhere(hub: HubStandin, folder: Path, tmp_path: Path, capsys: Capture) -> None:
    export_run(folder, ["messages", "sharegpt"], tmp_path / "out")
    where = ["--folder", str(tmp_path / "out")]
    code, _, err = call(capsys, "push", str(folder), "--repo-id", "org/name", *where, *LICENCE, "--tag", "v1")
    assert code == 0, err
    assert pushed_files(tmp_path / "out").items() <= hub.files().items()
    assert "data/sharegpt/arab/train.jsonl" in hub.files()
    assert list(hub.repos["org/name"].tags) == ["v1"]


@pytest.fixture
def process(hub: HubStandin, tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for child in started:
        child.kill()
        child.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("come", [0, 2])
def test_killed_in_the_middle_of_an_upload_and_run_again(
    hub: HubStandin, ready: Path, tmp_path: Path, process: list[subprocess.Popen[str]], come: int
) -> None:
    hub.hold_after = come
    command = [sys.executable, "-m", "culturepark", "push", str(ready), "--repo-id", "org/name", *LICENCE]
    env = {**os.environ, "HF_HUB_OFFLINE": "0", "TMPDIR": str(tmp_path)}
    process.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    assert hub.held.wait(120)
    process[0].send_signal(signal.SIGKILL)
    assert process[0].wait(60) == -signal.SIGKILL
    hub.hold_after = -1
    stored, before = set(hub.stored), dict(hub.uploads)
    assert len(stored) == come and hub.pushes() == []
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert len(hub.pushes()) == 1
    assert pushed_files(ready).items() <= hub.files().items()
    assert all(hub.uploads[oid] == before[oid] == len(hub.stored[oid]) for oid in stored)
    assert load("org/name", tmp_path, hub=hub) == load(str(ready), tmp_path)
