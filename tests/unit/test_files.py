"""Logs whose torn tail is cut, files replaced whole or not at all, YAML with its faults named."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from culturepark.errors import DataError
from culturepark.files import cut_torn_tail, dump_line, load_yaml_model, nearest, read_lines, read_yaml, replace_file

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Pet(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    legs: int


@given(records=st.lists(Json, max_size=6), cut=st.integers(0, 400))
def test_a_log_cut_anywhere_keeps_its_whole_lines(records: list[Any], cut: int) -> None:
    lines = [dump_line(record) for record in records]
    assert all(line.count(b"\n") == 1 for line in lines)
    whole = b"".join(lines)
    torn = whole[: max(0, len(whole) - cut)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(torn)
        before = list(read_lines(path))
        kept = torn[: torn.rfind(b"\n") + 1]
        assert cut_torn_tail(path) == len(torn) - len(kept)
        assert path.read_bytes() == kept
        assert cut_torn_tail(path) == 0
        assert list(read_lines(path)) == before
        assert b"".join(line for _, line in before) == kept
        assert all(kept[offset:].startswith(line) for offset, line in before)


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 200_000])
def test_a_long_torn_tail_is_cut_over_block_borders(tmp_path: Path, length: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n" + b"x" * length)
    assert cut_torn_tail(path) == length
    assert path.read_bytes() == b"one\n"
    path.write_bytes(b"y" * length)
    assert cut_torn_tail(path) == length
    assert path.read_bytes() == b""


def test_a_missing_log_is_an_empty_one(tmp_path: Path) -> None:
    assert cut_torn_tail(tmp_path / "none") == 0
    assert list(read_lines(tmp_path / "none")) == []
    assert not (tmp_path / "none").exists()


def test_half_a_character_does_not_stop_a_log() -> None:
    assert dump_line({"text": "a\ud800b"}) == b'{"text":"a?b"}\n'
    assert dump_line({"text": "한\n"}) == '{"text":"한\\n"}\n'.encode()


def test_replacing_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    replace_file(path, "old")
    replace_file(path, "new ü")
    assert path.read_text(encoding="utf-8") == "new ü"
    assert os.listdir(tmp_path) == ["manifest.json"]


def test_a_failed_replacement_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    replace_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "x" * 100_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["manifest.json"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        replace_file(tmp_path / "folder", "text")  # a folder is in the place
    assert sorted(os.listdir(tmp_path)) == ["folder", "manifest.json"]


def test_the_nearest_name() -> None:
    assert nearest("korena", ["arab", "korean"]) == " (did you mean 'korean'?)"
    assert nearest("zzz", ["arab", "korean"]) == ""
    assert nearest("korean", []) == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: Rex\nlegs: [4\n", r"line \d.*not valid YAML"),
        ("- Rex\n", "keys and values"),
        ("", "keys and values"),
        ("name: Rex\n", "legs: Field required"),
        ("name: Rex\nlegs: four\n", "legs: "),
        ("name: Rex\nlegs: 4\ntail: 1\n", "tail: is no known key$"),
        ("name: Rex\nlges: 4\n", r"lges: is no known key \(and 1 more\)"),
        ("name: Rex\nlegs: 4\nlegs: 3\n", r"line 3: .*the key 'legs' stands twice"),
        ("name: [Rex]\nlegs: four\n", r"name: .*and 1 more"),
        ("name: !!python/object/apply:os.getcwd []\nlegs: 4\n", "not valid YAML"),
    ],
)
def test_a_wrong_record_names_file_key_and_fault(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "pet.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=fault) as caught:
        load_yaml_model(path, Pet)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: Jürgen".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        read_yaml(tmp_path / "latin.yaml")
