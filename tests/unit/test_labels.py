"""Scores by people: read from CSV or JSONL, and refused in one line with the place of the fault."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.cli.figures import read_labels
from culturepark.errors import DataError

HEAD = "id,axis,scorer,score"
ROWS = [
    {"id": "d1-a1", "axis": "harm", "scorer": "ann", "score": 2},
    {"id": "d1-a2", "axis": "harm", "scorer": "ann", "score": 5},
    {"id": "d1-a1", "axis": "harm", "scorer": "bob", "score": 1},
    {"id": "d1-a1", "axis": "fit", "scorer": "bob", "score": 4},
]
FOUND = {"harm": {"ann": {"d1-a1": 2, "d1-a2": 5}, "bob": {"d1-a1": 1}}, "fit": {"bob": {"d1-a1": 4}}}


def write_csv(folder: Path, *lines: str, head: str = HEAD, start: str = "") -> Path:
    path = folder / "labels.csv"
    path.write_bytes((start + "\n".join((head, *lines)) + "\n").encode())
    return path


def write_jsonl(folder: Path, *rows: Any, end: str = "\n") -> Path:
    path = folder / "labels.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + end, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_labels(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.removeprefix(str(path))


# --- What is read ------------------------------------------------------------------------------------------


def test_scores_are_ordered_by_axis_scorer_and_candidate(tmp_path: Path) -> None:
    lines = [",".join(str(v) for v in row.values()) for row in ROWS]
    assert read_labels(write_csv(tmp_path, *lines)) == FOUND
    assert read_labels(write_jsonl(tmp_path, *ROWS)) == FOUND
    assert read_labels(write_jsonl(tmp_path, *({**row, "score": str(row["score"])} for row in ROWS))) == FOUND


def test_columns_may_stand_in_any_order_and_beside_others(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "x,3,fit,ann,d1-a1", head="note,score,axis,scorer,id")
    assert read_labels(path) == {"fit": {"ann": {"d1-a1": 3}}}
    marked = write_csv(tmp_path, "d1-a1,fit,ann,3", start="\ufeff")  # as spreadsheets write it
    assert read_labels(marked) == {"fit": {"ann": {"d1-a1": 3}}}
    assert read_labels(write_jsonl(tmp_path, {**ROWS[0], "note": [1]})) == {"harm": {"ann": {"d1-a1": 2}}}


def test_an_axis_nobody_scored_is_left_out(tmp_path: Path) -> None:
    assert read_labels(write_csv(tmp_path, "d1-a1,fit,ann,3")).keys() == {"fit"}
    assert read_labels(write_csv(tmp_path)) == {} == read_labels(write_jsonl(tmp_path, end=""))


def test_names_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    assert read_labels(write_jsonl(tmp_path, {"id": 7, "axis": "fit", "scorer": 1, "score": 3})) == {
        "fit": {"1": {"7": 3}}
    }
    quoted = write_csv(tmp_path, '"a,b",harm,"ann ""the"" first",1')
    assert read_labels(quoted) == {"harm": {'ann "the" first': {"a,b": 1}}}


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["harm", "fit"]), st.text(min_size=1), st.text(min_size=1)), st.integers(1, 5)
    )
)
def test_what_a_csv_writer_wrote_is_read_back(scores: dict[tuple[str, str, str], int]) -> None:
    scores = {k: v for k, v in scores.items() if "\0" not in "".join(k) and not set("".join(k)) & set("\r\n")}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEAD.split(","))
    writer.writerows([name, axis, scorer, score] for (axis, scorer, name), score in scores.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        path.write_bytes(out.getvalue().encode("utf-8", "replace"))
        found = read_labels(path)
    flat = {(a, s, n): v for a, by in found.items() for s, marks in by.items() for n, v in marks.items()}
    assert flat == {tuple(p.encode("utf-8", "replace").decode() for p in k): v for k, v in scores.items()}


# --- What is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["id", "axis", "scorer", "score"])
@pytest.mark.parametrize("empty", [None, ""])
def test_what_is_missing_is_named_with_its_row(tmp_path: Path, column: str, empty: str | None) -> None:
    bad = {**ROWS[0], column: empty}
    message = f", row 2: has no '{column}'; columns are id, axis, scorer, score"
    assert refusal(write_jsonl(tmp_path, ROWS[0], bad)) == message
    cells = ",".join("" if v is None else str(v) for v in bad.values())
    assert refusal(write_csv(tmp_path, "d1,harm,ann,1", cells)) == message
    gone = {k: v for k, v in ROWS[0].items() if k != column}
    assert refusal(write_jsonl(tmp_path, gone)) == message.replace("2", "1")
    assert refusal(write_csv(tmp_path, ",".join(map(str, gone.values())), head=",".join(gone))) == message.replace(
        "2", "1"
    )


@pytest.mark.parametrize("score", [0, 6, -1, 2.5, "2.0", "two", "٣", " 3", True, [3], "3;4", 10**9])
def test_a_score_off_the_scale_is_refused(tmp_path: Path, score: Any) -> None:
    message = ", row 2: axis must be harm or fit, and score 1 to 5"
    assert refusal(write_jsonl(tmp_path, ROWS[0], {**ROWS[0], "score": score})) == message
    if isinstance(score, (int, str)):
        assert refusal(write_csv(tmp_path, "d1-a1,harm,ann,2", f"d1-a1,harm,ann,{score}")) == message


@pytest.mark.parametrize("axis", ["Harm", "quality", "harm,fit", 1])
def test_an_unknown_axis_is_refused(tmp_path: Path, axis: Any) -> None:
    assert "axis must be harm or fit" in refusal(write_jsonl(tmp_path, {**ROWS[0], "axis": axis}))


def test_a_short_line_lacks_its_score(tmp_path: Path) -> None:
    assert "row 1: has no 'score'" in refusal(write_csv(tmp_path, "d1-a1,harm,ann"))


def test_a_table_with_other_separators_is_refused(tmp_path: Path) -> None:
    assert "row 1: has no 'id'" in refusal(write_csv(tmp_path, "d1-a1;harm;ann;2", head=HEAD.replace(",", ";")))


@pytest.mark.parametrize("line", ["{'id': 1}", "d1-a1,harm,ann,2", '{"id": "d1-a1"'])
def test_a_line_that_is_no_json_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    assert ", line 2: is not JSON" in refusal(write_jsonl(tmp_path, ROWS[0], line))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.csv") and "cannot be read" in refusal(tmp_path)


def test_the_last_line_counts_without_a_line_feed(tmp_path: Path) -> None:
    assert read_labels(write_jsonl(tmp_path, *ROWS, end="")) == FOUND


def test_a_line_that_is_no_object_is_refused(tmp_path: Path) -> None:
    assert "line 2" in refusal(write_jsonl(tmp_path, ROWS[0], ["d1-a1", "harm", "ann", 2]))


def test_a_table_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(f"{HEAD}\nd1-a1,harm,Jos\xe9,2\n".encode("latin-1"))
    refusal(path)
