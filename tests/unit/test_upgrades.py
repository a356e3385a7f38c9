"""Runs of other versions: an older one is read and taken up, a newer one is refused in one line.

``tests/data/run_v1`` is a real run as version 1 wrote it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import culturepark
from culturepark.config import build_config
from culturepark.errors import DataError
from culturepark.files import seal_line, unseal_line
from culturepark.llm.replay import ReplyLog
from culturepark.records import SCHEMA_VERSION
from culturepark.runs.folder import load_run
from culturepark.runs.generate import prepare
from culturepark.runs.journal import RunFolder
from culturepark.runs.stored import StoredTalks
from culturepark.runs.upgrades import STEPS, upgrade

OLD = Path(__file__).resolve().parents[1] / "data" / "run_v1"
SETTINGS: dict[str, Any] = {
    "cultures": ["arab"],
    "n": 3,
    "turns": 2,
    "topics": ["parents_pride"],
    "claims_per_speaker": 1,
    "engine": "mock",
    "encoder": "none",
}
DATA = ("dialogues.jsonl", "samples.jsonl", "rejected.jsonl")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the old run that says it is the run of ``SETTINGS`` as today's prompts and data make it."""
    path = Path(shutil.copytree(OLD, tmp_path / "old"))
    mark = asyncio.run(prepare(build_config({**SETTINGS, "output_dir": str(path)}, None))).fingerprint
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": mark}))
    return path


def test_the_old_run_is_old() -> None:
    assert json.loads((OLD / "manifest.json").read_text())["schema_version"] == 1
    assert unseal_line((OLD / "journal.jsonl").read_bytes().splitlines(keepends=True)[0]) is None


def test_every_reader_reads_an_older_run() -> None:
    run = load_run(OLD)
    assert len(run) == 3 and run.state == "complete" and run.manifest["schema_version"] == SCHEMA_VERSION
    samples, dialogues, rejected = list(run.samples()), list(run.dialogues()), list(run.rejected())
    assert (len(samples), len(dialogues), len(rejected)) == (3, 2, 1)
    assert {record.version for record in (*samples, *dialogues, *rejected)} == {SCHEMA_VERSION}
    assert samples[0].lineage["dialogue"] == dialogues[0].id
    assert run.find(rejected[0].id)[1] == rejected[0]
    assert run.find_damage() == []


def test_damage_is_found_in_an_older_run_too(old: Path) -> None:
    for name in ("journal.jsonl", "samples.jsonl"):
        path = Path(shutil.copytree(old, old.parent / name))
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(data)
        assert [d.file for d in load_run(path).find_damage()] == [name]
        with pytest.raises(DataError, match="run the command that made this run again"):
            list(load_run(path).samples())


def test_an_older_run_is_taken_up_and_its_journal_kept(old: Path) -> None:
    before = {name: (old / name).read_bytes() for name in (*DATA, "journal.jsonl")}
    run = culturepark.generate(output_dir=str(old), **SETTINGS)
    assert run.state == "complete" and len(list(run.samples())) == 3
    assert (old / "older" / "journal.jsonl").read_bytes() == before["journal.jsonl"]
    assert {name: (old / name).read_bytes() for name in DATA} == {name: before[name] for name in DATA}
    lines = [unseal_line(raw) for raw in (old / "journal.jsonl").read_bytes().splitlines(keepends=True)]
    assert lines[0] is not None and lines[0]["journal"] == SCHEMA_VERSION and len(lines) == 3 and all(lines)
    assert run.find_damage() == []


def test_an_older_run_goes_on_from_its_logged_replies(old: Path) -> None:
    """Stopped after its first dialogue: what was asked is not asked again, whatever version logged it."""
    lines = (old / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (old / "journal.jsonl").write_bytes(lines[0])
    folder = RunFolder(old)
    assert [line["id"] for line in folder.lines] == ["d000000"] and folder.counts.dialogues == 1
    folder.close()
    log = ReplyLog(old / "replies", lambda key: 0)
    raw = [json.loads(line) for line in (old / "replies" / "00000.jsonl").read_bytes().splitlines()]
    found = [log.find(record["key"], record["hash"]) for record in raw]
    assert [reply.text for reply in found if reply] == [record["reply"]["text"] for record in raw]
    assert log.damaged == 0 and log.stale == 0


def test_an_older_run_can_be_refined(old: Path) -> None:
    stored = StoredTalks(old, 500)
    assert stored.find("d000000").version == SCHEMA_VERSION
    stored.close()


# --- Newer ones ----------------------------------------------------------------------------------------------------------

NEWER = "made by a newer culturepark .schema version 3, this one knows 2.; update culturepark"


@pytest.mark.parametrize("name", ["manifest.json", "run.json", "journal.jsonl"])
def test_a_newer_run_is_refused_and_left_as_it_is(old: Path, name: str) -> None:
    culturepark.generate(output_dir=str(old), **SETTINGS)
    if name == "manifest.json":
        (old / "run.json").unlink()
        (old / "journal.jsonl").unlink()
        (old / name).write_text('{"schema_version": 3, "fingerprint": "x", "crc": "?"}'.replace(', "crc": "?"', ""))
    elif name == "run.json":
        (old / name).write_bytes(seal_line({"schema_version": 3, "fingerprint": "x"}))
    else:
        (old / "run.json").unlink()
        rest = (old / name).read_bytes().partition(b"\n")[2]
        (old / name).write_bytes(seal_line({"journal": 3, "fingerprint": "x"}) + rest)
    before = {p: p.read_bytes() for p in old.rglob("*") if p.is_file()}
    with pytest.raises(DataError, match=NEWER) as caught:
        culturepark.generate(output_dir=str(old), **SETTINGS)
    assert "\n" not in str(caught.value)
    assert {p: p.read_bytes() for p in old.rglob("*") if p.is_file()} == before
    if name != "run.json":
        with pytest.raises(DataError, match=NEWER):
            list(load_run(old).samples())


@pytest.mark.parametrize("kind", ["dialogue", "sample", "rejected"])
def test_a_newer_record_is_refused(kind: Any) -> None:
    with pytest.raises(DataError, match=f"here: {NEWER}"):
        upgrade(kind, {"version": 3, "id": "x"}, "here")
    with pytest.raises(DataError, match="'two' is no schema version"):
        upgrade(kind, {"version": "two"}, "here")


def test_each_kind_has_a_step_from_every_version() -> None:
    for kind, steps in STEPS.items():
        assert sorted(steps) == list(range(1, SCHEMA_VERSION)), kind
        assert upgrade(kind, {"a": 1}, "here", 1)["a"] == 1
