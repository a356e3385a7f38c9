"""Screening of texts from elsewhere: which stages they meet, what is read from a row, and what is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import culturepark.runs.screen
import culturepark.runs.tools
from culturepark.config import RunConfig
from culturepark.culture.profiles import load_profiles
from culturepark.errors import ConfigError, DataError
from culturepark.refine.encoder import Encoder, Engine
from culturepark.refine.stages import STAGES
from culturepark.runs.screen import list_offline_stages, read_row, screen_file, screen_row, screen_rows
from culturepark.runs.tools import Toolbox

WASH = "I wash my mother's hair every Friday, because she did it for me when I was small."
NURSE = "We paid a nurse for my father at the end, since none of us could lift him alone."
SWAP = WASH.replace("hair", "feet")  # a near copy
FOREIGN = "Ich wasche meiner Mutter jeden Freitag die Haare, weil sie es früher auch für mich getan hat."
KOREAN = "어머니가 어릴 때 제 머리를 감겨 주셨기 때문에 저는 금요일마다 어머니 머리를 감겨 드립니다."


PROFILES = load_profiles()


@pytest.fixture(autouse=True)
def _load_profiles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(culturepark.runs.screen, "load_profiles", lambda folder=None: PROFILES)


def settle(**settings: Any) -> RunConfig:
    return RunConfig(**{"encoder": "none", **settings})


def screen(
    *rows: str | Mapping[str, Any], config: RunConfig | None = None, language: str = "en"
) -> list[dict[str, Any]]:
    given = [{"text": row} if isinstance(row, str) else row for row in rows]
    return list(screen_rows(given, config or settle(), language))


def why(*rows: str | Mapping[str, Any], **more: Any) -> list[str]:
    return [found["reason"] for found in screen(*rows, **more)]


# --- Rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "question", "text"),
    [
        ({"text": "T"}, "", "T"),
        ({"prompt": "P", "completion": "C"}, "P", "C"),
        ({"question": "Q", "answer": "A"}, "Q", "A"),
        ({"instruction": "I", "output": "O"}, "I", "O"),
        ({"completion": "C"}, "", "C"),
        ({"text": "T", "prompt": "P", "completion": "C"}, "P", "C"),
        ({"messages": [{"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}]}, "U", "A"),
        (
            {
                "messages": [
                    {"role": "system", "content": "S"},
                    {"role": "user", "content": "U1"},
                    {"role": "assistant", "content": "A1"},
                    {"role": "user", "content": "U2"},
                    {"role": "assistant", "content": "A2"},
                ],
                "text": "T",
            },
            "U2",
            "A2",
        ),
        ({"messages": [{"role": "assistant", "content": "A"}]}, "", "A"),
        ({"messages": [None, {"role": "assistant", "content": None}, {"role": "user"}], "text": "T"}, "", "T"),
        ({"messages": [], "text": "T"}, "", "T"),
        ({"messages": "no list", "text": "T"}, "", "T"),
        ({"messages": 5, "text": "T"}, "", "T"),
        ({"prompt": 7, "completion": "C"}, "7", "C"),
    ],
)
def test_question_and_text_of_a_row(row: dict[str, Any], question: str, text: str) -> None:
    assert read_row(row, 1) == (question, text)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": None},
        {"text": 3},
        {"prompt": "P"},
        {"messages": [{"role": "user", "content": "U"}]},
        {"messages": [3]},
    ],
)
def test_a_row_without_text_is_refused_with_its_number(row: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"^row 2: has no text"):
        screen(WASH, row)


def test_each_row_comes_back_with_its_verdict() -> None:
    rows = [{"id": "x", "text": WASH, "more": [1]}, {"text": "As an AI I cannot say how I would care for her."}]
    first, second = screen(*rows)
    assert first == {"id": "x", "kept": True, "stage": "", "reason": "", "evidence": "", "tags": [], "row": rows[0]}
    assert (second["id"], second["kept"], second["stage"], second["reason"]) == ("row-2", False, "refusal", "as_an_ai")
    assert "as an ai" in second["evidence"].lower() and second["row"] == rows[1]


@pytest.mark.parametrize(("given", "shown"), [(0, "0"), ("", "row-1"), (None, "row-1"), (7, "7"), ("a b", "a b")])
def test_ids_are_taken_where_they_are_given(given: Any, shown: str) -> None:
    assert screen({"id": given, "text": WASH})[0]["id"] == shown


# --- Stages ------------------------------------------------------------------------------------------------


def test_the_stages_are_those_that_need_neither_model_nor_talk() -> None:
    found = list_offline_stages()
    assert found == [n for n in STAGES if n in found]
    assert {"form", "language", "personal_data", "near_copies", "semantic_copies", "benchmarks"} <= set(found)
    assert not {"moved", "first_person", "standing_alone", "length", "stance", "claims", "harm", "fit"} & set(found)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (WASH, ""),
        ("He said so.", ""),  # short, of others, leaning on what was said before: all fine here
        ("Would you do that?", ""),
        (f"{WASH} " * 40, ""),
        ("", "empty"),
        ("12 345 !", "empty"),
        ("<b>I wash</b> my mother's hair.", "markup"),
        ("I wash my mother\u202es hair.", "bad_unicode"),
        ("I wash \ud800 her hair.", "bad_unicode"),
        (FOREIGN, "wrong_language"),
        ("All Germans are cold to their parents.", "essentialism"),
        ("Write to me at ann.lee@example.org about your mother.", "personal_data"),
        ("My persona would wash her hair on Fridays.", "role_leak"),
    ],
)
def test_what_is_dropped_and_why(text: str, reason: str) -> None:
    assert why(text) == [reason]


def test_stages_for_claims_run_where_they_are_asked_for() -> None:
    order = ("essentialism", "personal_data", "real_people", "length", "harm")
    assert why("He said so.", config=settle(stages=order)) == ["too_short"]
    assert why("He said so.", config=settle(stages=("essentialism", "personal_data", "real_people", "harm"))) == [""]


def test_stages_can_be_left_out_but_those_that_protect_people() -> None:
    assert why(FOREIGN, config=settle(skip=("language",))) == [""]
    with pytest.raises(ConfigError, match="protects people"):
        screen(WASH, config=settle(skip=("personal_data",)))


def test_each_row_is_read_in_its_own_language() -> None:
    rows = [{"text": FOREIGN, "language": "de-AT"}, {"text": WASH}, {"text": KOREAN, "language": "ko"}]
    assert why(*rows) == ["", "", ""]
    assert why({"text": FOREIGN}, language="de") == [""]
    assert why({"text": WASH, "language": "ko"}) == ["wrong_language"]


@pytest.mark.parametrize("tag", ["xx", "klingon"])
def test_a_language_without_a_pack_is_refused(tag: str) -> None:
    with pytest.raises(DataError, match=rf"row 1: no language pack for '{tag}'; see --language"):
        screen({"text": WASH, "language": tag})
    with pytest.raises(DataError, match="row 1"):
        screen(WASH, language=tag)


# --- Copies ------------------------------------------------------------------------------------------------


def test_copies_of_what_was_kept_are_dropped() -> None:
    rows = [{"id": "x", "text": WASH}, {"id": "y", "text": SWAP, "culture": "korean", "topic": "other"}, WASH.upper()]
    _, near, same = screen(*rows)
    assert (near["stage"], near["reason"], same["reason"]) == ("near_copies", "near_copy", "duplicate")
    assert near["evidence"].startswith("like x (row 1), 0.") and same["evidence"] == "like x (row 1), the same words"


def test_rows_of_the_same_id_are_compared_too() -> None:
    assert why(*[{"id": 1, "text": text} for text in (WASH, WASH, SWAP, NURSE)]) == ["", "duplicate", "near_copy", ""]
    assert why({"id": "row-2", "text": WASH}, WASH) == ["", "duplicate"]


def test_what_was_dropped_is_no_source_of_copies() -> None:
    bad = f"{WASH} Write to ann.lee@example.org."
    assert why(bad, WASH, SWAP) == ["personal_data", "", "near_copy"]


def test_what_is_no_copy_by_the_settings_is_kept() -> None:
    assert why(WASH, SWAP, config=settle(near_copy=1.0)) == ["", ""]
    assert why(WASH, SWAP, WASH, config=settle(skip=("near_copies",))) == ["", "", ""]


def test_each_screening_begins_anew() -> None:
    assert why(WASH) == why(WASH) == [""]


def test_the_same_meaning_is_dropped_within_culture_and_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    def embed(texts: Sequence[str]) -> Any:
        return np.array([[1.0, float("nurse" in t)] for t in texts], dtype=np.float32)

    encoder = Encoder((Engine("toy", frozenset(("en", "ko")), 0.99, 0.99, embed),))
    monkeypatch.setattr(culturepark.runs.tools, "open_encoder", lambda name: encoder)
    other = "On Fridays I do my mum's washing, just as she once did mine."
    rows: list[dict[str, Any]] = [
        {"id": "x", "text": WASH, "culture": "arab", "topic": "care"},
        {"text": other, "culture": "korean", "topic": "care"},
        {"text": other.replace("Fridays", "Sundays"), "culture": "arab", "topic": "care"},
        {"text": KOREAN, "language": "ko", "culture": "arab", "topic": "care"},
        {"text": NURSE, "culture": "arab", "topic": "care"},
        {"text": other.replace("Fridays", "Mondays"), "culture": "arab", "topic": "pride"},
    ]
    found = screen(*rows, config=settle(encoder="auto", semantic_copy=0.9, near_copy=1.0))
    assert [f["reason"] for f in found] == ["", "", "paraphrase", "", "", ""]
    assert found[2]["evidence"].startswith("like x (row 1), cosine") and found[2]["stage"] == "semantic_copies"
    assert found[3]["tags"] == ["translation_of:x (row 1)"] and found[4]["tags"] == []


# --- Benchmarks --------------------------------------------------------------------------------------------


def test_items_of_benchmarks_are_found_in_question_and_text(tmp_path: Path) -> None:
    item = "Which of these five duties toward ageing parents matters most to people in your street today?"
    (tmp_path / "items.jsonl").write_text(json.dumps({"question": item}) + "\n")
    config = settle(decontaminate=(str(tmp_path / "items.jsonl"),))
    rows = [{"prompt": item, "completion": WASH}, {"text": f"They asked me: {item} I said all."}, WASH]
    assert why(*rows, config=config) == ["benchmark", "benchmark", ""]


# --- Files -------------------------------------------------------------------------------------------------


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes(("\n".join(lines) + end).encode())
    return path


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_file_becomes_two_and_a_count(tmp_path: Path) -> None:
    rows = [{"text": WASH, "x": "é"}, {"id": 9, "text": SWAP}, {"text": "All Germans are cold."}, {"text": NURSE}]
    path = write(tmp_path / "in.jsonl", *(json.dumps(row) for row in rows))
    found = screen_file(path, tmp_path / "new" / "out", settle(), "en")
    assert (found.kept, found.dropped) == (2, 2)
    assert found.reasons == {"near_copy": 1, "essentialism": 1} and found.stages == {
        "near_copies": 1,
        "essentialism": 1,
    }
    assert read(tmp_path / "new" / "out" / "kept.jsonl") == [rows[0], rows[3]]
    dropped = read(tmp_path / "new" / "out" / "rejected.jsonl")
    assert [(d["id"], d["reason"], d["row"]) for d in dropped] == [("9", "near_copy", rows[1]), ("row-3", "essentialism", rows[2])]  # fmt: skip
    again = screen_file(write(path, json.dumps({"text": NURSE})), tmp_path / "new" / "out", settle(), "en")
    assert (again.kept, again.dropped) == (1, 0)
    assert read(tmp_path / "new" / "out" / "kept.jsonl") == [{"text": NURSE}]  # written anew
    assert read(tmp_path / "new" / "out" / "rejected.jsonl") == []


@pytest.mark.parametrize("end", ["", "\n", "\n\n \n", "\r\n"])
def test_the_last_row_counts_whatever_ends_it(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "in.jsonl", json.dumps({"text": WASH}), "", json.dumps({"text": NURSE}), end=end)
    assert screen_file(path, tmp_path / "out", settle(), "en").kept == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'text': 1}", "line 3: is not JSON"),
        ("[1]", "line 3: is not a JSON object"),
        ('"text"', "line 3: is not a JSON object"),
        ('{"text": "a', "line 3: is not JSON"),
        ("[" * 100_000, "line 3: is not JSON"),
        ('{"no": "text"}', "row 2: has no text"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "in.jsonl", json.dumps({"text": WASH}), "", line)
    with pytest.raises(DataError, match=message) as caught:
        screen_file(path, tmp_path / "out", settle(), "en")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
    with pytest.raises(DataError, match="line 1: is not JSON"):
        screen_file(tmp_path / "in.jsonl", tmp_path / "out", settle(), "en")


def test_a_missing_file_and_one_that_would_be_overwritten_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(DataError, match="is no file"):
            screen_file(path, tmp_path / "out", settle(), "en")
    for name in ("kept.jsonl", "rejected.jsonl"):
        path = write(tmp_path / name, json.dumps({"text": WASH}))
        (tmp_path / "link").symlink_to(path)
        for given in (path, tmp_path / "link"):
            with pytest.raises(DataError, match="would be overwritten"):
                screen_file(given, tmp_path, settle(), "en")
        (tmp_path / "link").unlink()
        assert read(path) == [{"text": WASH}]


def test_rows_are_read_as_they_are_needed() -> None:
    def endless() -> Any:
        yield {"text": WASH}
        raise AssertionError("read too far")

    assert next(screen_rows(endless(), settle()))["kept"]


def test_names_of_the_profiles_are_no_real_people() -> None:
    text = "President Hassan said that mothers need care."
    assert why(text) == [""]
    nameless = Toolbox(settle(skip=("moved", "first_person", "standing_alone", "length")), {})
    assert screen_row({"text": text}, 1, nameless, "en")["reason"] == "real_person"
