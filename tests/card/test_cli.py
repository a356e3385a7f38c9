"""``culturepark card``: what it prints, what it writes, how wrong input ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from culturepark.cli import main
from culturepark.runs.folder import Run

Capture = pytest.CaptureFixture[str]
SAID = ["--license", "CC-BY-NC-4.0", "--contact", "data@cultures.org", "--authors", "Ann Lee; Bo Kim"]


def call(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of one command."""
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as error:  # of the parser
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, " ".join(out.split()), err


def test_write_then_check(judged: Run, capsys: Capture) -> None:
    code, out, _ = call(capsys, "card", judged.path, *SAID)
    assert code == 0 and "0 failures" in out and "CITATION.cff and croissant.json" in out
    assert "Ann Lee and Bo Kim" in (judged.path / "README.md").read_text()
    before = (judged.path / "README.md").read_bytes()
    code, out, _ = call(capsys, "card", judged.path, "--check")
    assert code == 0 and "30 rows:" in out and "warn L3" in out and (judged.path / "README.md").read_bytes() == before


def test_a_failing_card_ends_with_3(judged: Run, capsys: Capture) -> None:
    code, out, _ = call(capsys, "card", judged.path)
    assert code == 0 and "fail L1" in out  # written, and told
    code, out, _ = call(capsys, "card", judged.path, "--check", "--json")
    rows = [json.loads(line) for line in out.replace("} {", "}\n{").splitlines()]
    assert code == 3 and len(rows) == 30 and rows[0]["id"] == "L1" and rows[0]["level"] == "fail" and rows[0]["asks"]


def test_a_clash_is_named_in_the_card(judged: Run, capsys: Capture) -> None:
    code, out, _ = call(capsys, "card", judged.path, "--license", "mit", "--contact", "data@cultures.org")
    text = (judged.path / "README.md").read_text()
    assert code == 0 and "fail L2" in out and "**Clash:** mit lets others make money" in text
    assert "clashes with terms of the sources" in text


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--license", "cc-by-nd-nc-9"], 2, "no licence the Hub knows"),
        (["--check", "--license", "mit"], 2, "--check writes nothing"),
        (["--json"], 2, "goes with --check"),
        (["--contact", " "], 2, "--contact"),
        (["--title", "x" * 201], 2, "--title"),
        (["-o", "no-such-folder"], 2, "export into it first"),
        (["--licence", "mit"], 2, "--license"),
    ],
)
def test_wrong_flags_are_one_line(judged: Run, capsys: Capture, flags: list[str], code: int, words: str) -> None:
    found = call(capsys, "card", judged.path, *flags)
    assert (found[0], found[2].count("\n")) == (code, 1) and words in found[2], found


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: Capture) -> None:
    code, _, err = call(capsys, "card", tmp_path)
    assert code == 3 and "is not a run folder" in err and err.count("\n") == 1
    code, _, err = call(capsys, "card", tmp_path, "--check")
    assert code == 3 and "there is no card" in err
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    code, _, err = call(capsys, "card", tmp_path, "--check")
    assert code == 3 and "UTF-8" in err
