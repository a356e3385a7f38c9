"""``culturepark export`` as a user types it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from culturepark.cli import main
from culturepark.export.formats import FORMATS
from culturepark.export.records import read_export
from culturepark.runs.folder import load_run

Capture = pytest.CaptureFixture[str]


def call(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = main(["export", *arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_the_formats_are_listed(capsys: Capture) -> None:
    code, out, _ = call(capsys, "--list-formats")
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == list(FORMATS)


def test_an_export_is_told_in_numbers(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    out_folder = tmp_path / "out"
    arguments = (str(finished), "-f", "openai", "-f", "messages", "-o", str(out_folder), "--no-card")
    code, out, err = call(capsys, *arguments)
    export = read_export(out_folder)
    assert code == 0 and err == "" and export is not None
    assert export.primary == "messages"
    for part in export.parts:
        assert f"{part.split} {part.rows}" in next(
            line for line in out.splitlines() if line.startswith(f"  {part.format}, {part.culture}:")
        )
    assert "topics are held out whole" in out
    assert "samples are preference pairs" in out.replace("\n", " ")
    code, out, _ = call(capsys, *arguments, "--json")
    assert code == 0 and json.loads(out)["run_id"] == export.run_id


def test_a_country_is_held_out(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    rare = Counter(s.country for s in load_run(finished).samples() if s.culture == "arab").most_common()[-1][0]
    code, out, _ = call(capsys, str(finished), "--hold-out", rare.lower(), "-o", str(tmp_path / "out"), "--no-card")
    export = read_export(tmp_path / "out")
    assert code == 0 and export is not None
    assert (export.by, export.held_out) == ("country", (rare,))
    assert {p.culture for p in export.parts if p.split == "test"} == {"arab"}
    assert f"held out: {rare}" in out and "talk_with_held_out_country" in out
    code, _, err = call(capsys, str(finished), "--hold-out", "KOR", "-o", str(tmp_path / "none"))
    assert code == 2 and "nothing is left to train on without KOR" in err


def test_a_card_is_written_unless_it_is_not_wanted(
    finished: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr("culturepark.cli.export.write_card_if_there", lambda folder, run, export: asked.append(folder))
    call(capsys, str(finished), "-o", str(tmp_path / "a"))
    call(capsys, str(finished), "-o", str(tmp_path / "b"), "--no-card")
    assert asked == [tmp_path / "a"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "name the run folder"),
        (("RUN", "-f", "mesages"), 2, "did you mean 'messages'"),
        (("RUN", "--culture", "arab,japan"), 2, "no samples of the culture 'japan'"),
        (("RUN", "--hold-out", "JPN"), 2, "no samples from the country 'JPN'"),
        (("RUN", "--by", "country"), 2, "give both or none"),
        (("RUN", "--test", "0.7"), 2, "more than half"),
        (("nowhere",), 3, "is not a run folder"),
    ],
)
def test_bad_input_is_one_line(
    finished: Path, tmp_path: Path, capsys: Capture, arguments: tuple[str, ...], code: int, told: str
) -> None:
    given = [str(finished) if a == "RUN" else a for a in arguments]
    ended, out, err = call(capsys, *given, *(["-o", str(tmp_path / "out")] if given else []))
    assert (ended, out) == (code, "")
    assert told in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_finished_run_asked_for_again_leaves_the_card(tmp_path: Path, run_once: Callable[..., Any]) -> None:
    folder = tmp_path / "run"
    run_once(folder, n=8)
    before = (folder / "README.md").read_bytes()
    assert main(["export", str(folder)]) == 0
    card = (folder / "README.md").read_bytes()
    assert card != before
    run_once(folder, n=8)
    assert (folder / "README.md").read_bytes() == card
