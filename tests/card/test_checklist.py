"""The checklist of 30 rows: our own card holds, each row notices what it is there for, and any README can be checked."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from culturepark.card.check import CHECKLIST, Finding, check_card
from culturepark.card.write import write_card
from culturepark.errors import DataError
from culturepark.export.records import read_export
from culturepark.runs.folder import Run
from tests.card.conftest import TERMS

IDS = "L1 L2 L3 L4 D1 D2 D3 D4 D5 D6 D7 N1 N2 N3 R1 R2 P1 P2 S1 S2 C1 C2 C3 C4 C5 Q1 Q2 Q3 Q4 Q5".split()
FAILING = {"L1", "L2", "L3", "D1", "D2", "D3", "D4", "D5", "D6", "N1", "R1", "C3", "Q1", "Q2", "Q3"}


def check(folder: Path) -> dict[str, Finding]:
    return {finding.id: finding for finding in check_card(folder)}


@pytest.fixture(scope="session")
def carded(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Run(shutil.copytree(made / "judged", tmp_path_factory.mktemp("carded") / "run"))
    write_card(run.path, run, read_export(run.path), **TERMS)
    return run.path


@pytest.fixture
def folder(carded: Path, tmp_path: Path) -> Path:
    left_out = shutil.ignore_patterns("replies", "spend", "dialogues.jsonl", "rejected.jsonl")
    return Path(shutil.copytree(carded, tmp_path / "folder", ignore=left_out))


def change(folder: Path, pattern: str, new: str = "", flags: re.RegexFlag = re.NOFLAG) -> None:
    path = folder / "README.md"
    text, number = re.subn(pattern, new, path.read_text(encoding="utf-8"), flags=flags)
    assert number, f"nothing matches {pattern!r}"
    path.write_text(text, encoding="utf-8")


def test_the_table_is_that_of_the_reference() -> None:
    assert [row.id for row in CHECKLIST] == IDS
    assert {row.id for row in CHECKLIST if row.level == "fail"} == FAILING


def test_our_own_card_has_no_failure(folder: Path) -> None:
    found = check(folder)
    assert [f.row for f in found.values()] == list(range(1, 31))
    assert not [f for f in found.values() if f.level == "fail"]
    told = {f.id for f in found.values() if f.level == "warn"}
    assert told <= {"L3", "N3", "P2", "S1", "S2", "C1", "C2", "C4"}  # what was not done, and says so


def test_cards_of_other_runs_have_no_failure(classic: Run, refined: Run) -> None:
    for run in (classic, refined):
        write_card(run.path, run, read_export(run.path), **TERMS)
        assert not [f for f in check_card(run.path) if f.level == "fail"]
    assert check(classic.path)["N1"].level == "warn"  # one judge


def test_without_licence_and_contact_it_fails(judged: Run) -> None:
    write_card(judged.path, judged, read_export(judged.path))
    found = check(judged.path)
    assert {f.id for f in found.values() if f.level == "fail"} == {"L1", "L2", "R1", "D7"} - {"D7"}
    assert found["L4"].level == "warn" and "--contact" in found["L4"].what and "--license" in found["L1"].what


def cut(heading: str) -> Callable[[Path], None]:
    """Take a section out."""
    return lambda folder: change(folder, rf"(?ms)^## {heading}.*?(?=^## |\Z)")


def swap(pattern: str, new: str = "") -> Callable[[Path], None]:
    return lambda folder: change(folder, pattern, new)


def spoil_croissant(folder: Path) -> None:
    (folder / "croissant.json").write_text(json.dumps({"@type": "sc:Dataset"}))


def drop_field(folder: Path) -> None:
    change(folder, r"(?m)^\| `theme` \|.*\n")


def harm(folder: Path) -> None:
    change(folder, r"Mean harm score by judge[^.]*\.", "Harm was not judged.")


def break_block(folder: Path) -> None:
    change(folder, r"\A---\n", "---\na: [\n")


FAULTS: list[tuple[str, str, Callable[[Path], None]]] = [
    ("L1", "no licence", swap(r"(?m)^license: .*\n")),
    ("L1", "no licence id", swap(r"(?m)^license: .*$", "license: my-own")),
    ("L1", "code", swap(r"\| code that made it .*\n")),
    ("L1", "license_name", swap(r"(?m)^license: .*$", "license: other")),
    ("L2", "no section", cut("Sources")),
    ("L2", "redistributed", swap(r"(?i)redistribut\w*", "sharing")),
    ("L2", "non-profit", swap(r"(?m)^license: .*$", "license: mit")),
    ("L3", "own family", swap(r"\| `mock` \|", "| `Llama-2-7b` |")),
    ("L4", "no contact", cut("Contact and removal")),
    ("L4", "no contact", swap(r"data@cultures\.org", "you@example.com")),
    ("L4", "removal", swap(r"To ask that a sample.*\n", "\n")),
    ("D1", "not-for", cut("Not for")),
    ("D1", "known gaps", swap(r"(?ms)(?<=^## Known gaps\n).*?(?=^## )", "\nTODO\n\n")),
    ("D1", "splits", cut("Splits")),
    ("D1", "cannot be read", break_block),
    ("D1", "size_categories", swap(r"- n<1K", "- small")),
    ("D2", "theme", drop_field),
    ("D3", "seed", swap(r"(?i)\bseed\b", "sid")),
    ("D3", "decoding", swap(r"(?i)temperature|decoding|top\\_p", "x")),
    ("D4", "not in the YAML", swap(r"(?m)^language:\n- en\n")),
    ("D4", "no language code", swap(r"(?m)^language:\n- en\n", "language:\n- english\n")),
    ("D4", "the data holds en", swap(r"(?m)^language:\n- en\n", "language:\n- de\n")),
    ("D4", "Arabic", swap(r"(?m)^language:\n- en\n", "language:\n- ar\n- en\n")),
    ("D5", "translated", swap(r"(?i)translated|human-written", "x")),
    ("D6", "no table", swap(r"\| culture \| topic \|", "| a | b |")),
    ("D6", "rows of korean", swap(r"(?m)^\| korean \|.*\n|^\| \w+ \| korean \|.*\n")),
    ("D7", "missing", spoil_croissant),
    ("D7", "no croissant.json", lambda folder: (folder / "croissant.json").unlink()),
    ("N1", "nothing is said", cut("Annotation and judges")),
    ("N1", "agreement", swap(r"kappa -?\d.*?(?= \|)", "good")),
    ("N2", "not told", swap(r"no row is known .*?person\)\.", ".")),
    ("N3", "put together", swap(r"(mean|min) at (most|least)|kept if|(?i:mean score)", "x")),
    ("R1", "next review", swap(r"\| next review .*\n")),
    ("R1", "maintainer", swap(r"\| maintainer .*\n|and maintainer")),
    ("R1", "placeholder", swap(r"data@cultures\.org", "you@example.com")),
    ("R1", "changes", cut("Changes")),
    ("R2", "no years", swap(r"\b20\d\d\b", "then")),
    ("P1", "citation file", lambda folder: [cut("Citation")(folder), (folder / "CITATION.cff").unlink()][-1]),
    ("P1", "loads it", swap(r"load_dataset\(", "open(")),
    ("P1", "files for", swap(r"data/messages/\*/train-", "data/messages/*/gone-")),
    ("P2", "no quick start", cut("Quick start")),
    ("C3", "refusals", swap(r"(?i)refus\w*", "x")),
    ("C5", "above 5", lambda folder: [p.unlink() for p in folder.glob("data/messages/korean/t*")][-1]),
    ("Q1", "exact", swap(r"Exact duplicates", "Twins")),
    ("Q1", "below 95", swap(r"Language-id agreement: 100\.0 %", "Language-id agreement: 94.9 %")),
    ("Q2", "nothing is said", cut("Decontamination")),
    ("Q2", "CulturalBench", swap(r"## Purpose\n", "## Purpose\nScores on CulturalBench rise.\n")),
    ("Q3", "personal data", swap(r"(?i)personal.data|e-mail", "x")),
    ("Q3", "not judged", harm),
    ("Q4", "essentialism", swap(r"(?i)essentialis\w*|whole people", "x")),
    ("Q5", "not told", swap(r"(?i)within-culture disagreement\.|one voice", "x")),
]


@pytest.mark.parametrize(("row", "words", "spoil"), FAULTS, ids=[f"{r}-{w}" for r, w, _ in FAULTS])
def test_each_row_notices_its_fault(folder: Path, row: str, words: str, spoil: Callable[[Path], object]) -> None:
    before = check(folder)[row]
    spoil(folder)
    found = check(folder)[row]
    level = "fail" if row in FAILING else "warn"
    assert found.level == level and words in found.what, found
    if before.level == "ok":
        assert found != before


MENDED: list[tuple[str, str, str]] = [
    ("P2", "baseline", "Baseline: SmolLM2-135M, LoRA; held-out loss 3.10, untrained 3.42."),
    ("S1", "comparison", "Compared with CulturePark's own set on the same held-out items: 0.21 against 0.27."),
    ("S2", "comparison", "Ablation: without single stages the distance rises by 0.02 (stance) and 0.01 (claims)."),
    ("N3", "annotation", "Judges agree with people at kappa 0.61 on 120 rows (mean of both)."),
    ("C4", "gaps", "Variants: a paraphrased slice of 50 samples; paraphrase variants: 50, typo variants: 50."),
]


@pytest.mark.parametrize(("row", "note", "words"), MENDED, ids=[row for row, _, _ in MENDED])
def test_the_owners_words_can_mend_a_row(judged: Run, row: str, note: str, words: str) -> None:
    path = write_card(judged.path, judged, None, **TERMS)
    assert check(judged.path)[row].level == "warn"
    mark = f"<!-- yours: {note} -->\n"
    path.write_text(path.read_text().replace(mark, f"{mark}{words}\n"))
    write_card(judged.path, judged, None)
    assert check(judged.path)[row].level == "ok", check(judged.path)[row]


def test_a_stranger_s_readme(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Data\n\nSome data.\n")
    found = check(tmp_path)
    assert {f.id for f in found.values() if f.level == "fail"} >= {"L1", "L2", "D1", "D2", "D4", "D6", "R1", "Q1", "Q3"}
    assert not any(f.level == "ok" for f in found.values())


def test_copies_and_unreadable_rows_in_a_stranger_s_data(tmp_path: Path) -> None:
    card = "# D\n\nExact duplicates: 0. Near duplicates: 0. Language-id agreement: 99 %.\n\n"
    card += "| field | type | meaning | example |\n|---|---|---|---|\n| text | text | words | a |\n"
    (tmp_path / "README.md").write_text(card)
    rows = tmp_path / "train.jsonl"
    rows.write_text('{"text": "a"}\n' * 5 + '{"text": "b"}\n')
    assert "4 of 6 rows are exact copies" in check(tmp_path)["Q1"].what
    assert check(tmp_path)["D2"].level == "ok"
    rows.write_text('{"text": "a"}\n{"text": "b", "other": 1}\n')
    assert "other" in check(tmp_path)["D2"].what
    rows.write_text('{"text": "a"}\n[1]\n')
    assert "line 2 is no object" in check(tmp_path)["D2"].what


def test_patterns_never_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text('{"culture": "hidden"}\n')
    inside = tmp_path / "data"
    inside.mkdir()
    for pattern in ("../secret.jsonl", str(tmp_path / "secret.jsonl"), "~/x.jsonl", "http://host/x.jsonl"):
        (inside / "README.md").write_text(f"---\nconfigs:\n- config_name: a\n  data_files: {pattern}\n---\n# D\n")
        assert "hidden" not in json.dumps([f.what for f in check_card(inside)])


@pytest.mark.parametrize("text", ["", "  \n"])
def test_no_card_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="there is no card"):
        check_card(tmp_path)
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(DataError, match="there is no card"):
        check_card(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        check_card(tmp_path / "gone")


@pytest.mark.parametrize(
    "text",
    [
        "---\n- a\n- b\n---\n# D\n",
        "---\nlicense: &a [x, x]\nb: [*a, *a]\n---\n# D\n",
        "---\nlicense: {a: 1}\nlanguage: 7\nconfigs: x\ntags: 3\n---\n",
        "\ufeff---\nlicense: mit\n---\n| a |\n|---|\n",
        "# D\n```\n# no heading\n",
        "| a | b |\n| --- | --- |\n|\n" * 3,
    ],
)
def test_odd_cards_end_in_findings(tmp_path: Path, text: str) -> None:
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    assert len(check_card(tmp_path)) == 30
