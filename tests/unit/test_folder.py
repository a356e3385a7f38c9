"""Reading a run: every byte is held against its checksum before it is used, also while the run is at work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from culturepark.errors import DataError
from culturepark.files import seal_line, unseal_line
from culturepark.runs.folder import Run
from culturepark.runs.identity import (
    Identity,
    dump_manifest,
    find_identity,
    find_manifest,
    make_head,
    read_manifest,
    write_identity,
)
from culturepark.runs.journal import Commit, RunFolder
from culturepark.runs.outcomes import walk_journal
from tests.builders import make_dialogue, make_turns

REPAIR = "run the command that made this run again"


def make_commit(position: int) -> Commit:
    talk = make_dialogue(make_turns("Hello there, my friend.", "And to you."))
    return Commit(position, talk.model_copy(update={"id": f"d{position:06d}"}), (), (), (0, 0), ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run of three dialogues."""
    folder = RunFolder(tmp_path / "run", fingerprint="abc")
    for position in range(3):
        folder.write(make_commit(position))
    folder.write_manifest({"schema_version": 2, "fingerprint": "abc", "state": "complete", "counts": {"dialogues": 3}})
    folder.close()
    return tmp_path / "run"


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


# --- Sealed lines ------------------------------------------------------------------------------------------------------


def test_a_sealed_line_is_json_with_its_proof_last() -> None:
    line = seal_line({"text": 'a "quoted", "len":4 ü', "n": 1})
    assert json.loads(line) == unseal_line(line)
    assert list(json.loads(line)) == ["text", "n", "len", "crc"]


def test_no_changed_byte_of_a_sealed_line_passes() -> None:
    line = seal_line({"text": 'a "quoted", "len":4', "n": 1})
    for place in range(len(line)):
        for bit in range(8):
            changed = line[:place] + bytes([line[place] ^ (1 << bit)]) + line[place + 1 :]
            assert unseal_line(changed) is None, changed
        assert unseal_line(line[:place] + line[place + 1 :]) is None
        assert unseal_line(line[:place] + b"x" + line[place:]) is None
        assert unseal_line(line[:place]) is None
    for other in (b"", b"\n", b"{}\n", b"null\n", line + line, line.replace(b"\n", b"\r\n")):
        assert unseal_line(other) is None


# --- Who the run is -----------------------------------------------------------------------------------------------------


def test_a_manifest_with_any_changed_byte_is_not_trusted(path: Path) -> None:
    right = read_manifest(path)
    whole = (path / "manifest.json").read_bytes()
    key = whole.index(b'"crc"')
    for place in range(len(whole)):
        flip(path / "manifest.json", place)
        if place not in range(key + 1, key + 4):  # a damaged name of the checksum leaves all else as it was
            assert find_manifest(path) == {}, place
            with pytest.raises(DataError, match=f"manifest.json: is damaged.*{REPAIR}"):
                read_manifest(path)
        else:
            assert find_manifest(path) in ({}, right)
        (path / "manifest.json").write_bytes(whole)


def test_a_manifest_reads_as_plain_json_and_comes_back(path: Path) -> None:
    manifest = {"fingerprint": "abc", "schema_version": 2, "text": 'ü "crc": "'}
    (path / "manifest.json").write_text(dump_manifest(manifest), encoding="utf-8")
    assert read_manifest(path) == manifest
    assert json.loads((path / "manifest.json").read_text(encoding="utf-8"))["text"] == 'ü "crc": "'


def test_a_folder_that_is_no_run_is_told_from_one_that_lost_its_manifest(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a run folder"):
        Run(tmp_path)
    (path / "manifest.json").unlink()
    with pytest.raises(DataError, match=f"manifest.json: is missing; {REPAIR}"):
        Run(path)


def test_identity_is_found_in_three_places(path: Path) -> None:
    found = find_identity(path)
    assert found is not None and found.fingerprint == "abc" and found.created.endswith("Z")
    flip(path / "run.json", 20)
    assert find_identity(path) == Identity("abc")
    flip(path / "journal.jsonl", 3)
    assert find_identity(path) == Identity("abc")
    flip(path / "manifest.json", 3)
    assert find_identity(path) is None


def test_run_json_is_written_once(path: Path) -> None:
    before = (path / "run.json").read_bytes()
    write_identity(path.parent, Identity("x", "then"))
    RunFolder(path, fingerprint="abc").close()
    assert (path / "run.json").read_bytes() == before


# --- Reading --------------------------------------------------------------------------------------------------------------


def test_records_before_the_damage_are_read_and_none_after_it(path: Path) -> None:
    flip(path / "dialogues.jsonl", (path / "dialogues.jsonl").stat().st_size // 2)
    read = []
    with pytest.raises(DataError, match=f"dialogues.jsonl: the part of d000001 is damaged; {REPAIR}"):
        for dialogue in Run(path).dialogues():
            read.append(dialogue.id)
    assert read == ["d000000"]


def test_a_journal_that_lost_whole_lines_is_noticed(path: Path) -> None:
    lines = (path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (path / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    for read in (Run(path).counts, lambda: list(Run(path).dialogues()), lambda: len(Run(path))):
        with pytest.raises(DataError, match=f"journal.jsonl: has 2 of 3 dialogues; {REPAIR}"):
            read()


def test_a_data_file_that_is_too_short_is_noticed_by_its_size(path: Path) -> None:
    data = (path / "dialogues.jsonl").read_bytes()
    (path / "dialogues.jsonl").write_bytes(data[:-1])
    with pytest.raises(DataError, match=f"dialogues.jsonl: has {len(data) - 1} of {len(data)} bytes; {REPAIR}"):
        Run(path).counts()


def test_a_run_at_work_can_be_read(path: Path) -> None:
    """Half a line in the journal, and data that no line vouches for yet."""
    folder = RunFolder(path, fingerprint="abc")
    folder.write(make_commit(3))
    line = (path / "journal.jsonl").read_bytes().splitlines(keepends=True)[-1]
    with (path / "journal.jsonl").open("ab") as file:
        file.write(line[:40])
    with (path / "dialogues.jsonl").open("ab") as file:
        file.write(b'{"half":')
    assert [d.id for d in Run(path).dialogues()] == [f"d{k:06d}" for k in range(4)]
    assert Run(path).counts().dialogues == 4
    folder.close()


def test_check_names_what_is_damaged_where_reading_it_is_cheap(path: Path) -> None:
    Run(path).check()
    flip(path / "dialogues.jsonl", 40)
    with pytest.raises(DataError, match=f"dialogues.jsonl: d000000, line 1, .*checksum.*; {REPAIR}"):
        Run(path).check()
    Run(path).check(limit=10)


def test_positions_must_follow_each_other(tmp_path: Path) -> None:
    rows = [{"position": p, "id": f"d{p}", "ends": [0, 0, 0]} for p in (0, 1, 3, 2)]
    (tmp_path / "journal.jsonl").write_bytes(make_head("x") + b"".join(seal_line(row) for row in rows))
    rows_read = [row for row in walk_journal(tmp_path / "journal.jsonl") if not row.is_head]
    found = [row.line["position"] if row.line else None for row in rows_read]
    assert found == [0, 1, None, 2]
    (tmp_path / "journal.jsonl").write_bytes(make_head("x") + seal_line(rows[1]))
    assert [row.line for row in walk_journal(tmp_path / "journal.jsonl")][1:] == [None]
