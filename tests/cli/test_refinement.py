"""The commands about refinement: what they print, what they leave, how wrong input ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from culturepark.cli import COMMANDS, main
from culturepark.llm.base import Request
from culturepark.runs.folder import Run, load_run
from culturepark.runs.journal import take_lock
from tests.books import check_books, read_data
from tests.judging import answer_all, is_about, twist_mock

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]
Make = Callable[..., Run]
FLAGS = ["--progress", "none"]


def call(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of one command."""
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as error:  # of the parser
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def check_refused(found: tuple[int, str, str], code: int, *words: str) -> None:
    """The command ended with this code and one line that holds these words."""
    assert (found[0], found[2].count("\n")) == (code, 1), found[2]
    assert found[2].startswith("culturepark: ")
    for word in words:
        assert word in found[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, run_once: Make) -> Path:
    """A run of 60 samples with two judges; in every third talk a claim contradicts and cannot be mended."""

    def contradict(request: Request) -> str | None:
        if int(request.key[1:7]) % 3 == 0 and is_about(request, "verify"):
            answer = json.loads(answer_all(request))
            answer["1"]["stance"] = "contradicts"
            return json.dumps(answer)
        return answer_all(request, keeps_meaning=False) if is_about(request, "verify_again") else None

    with pytest.MonkeyPatch.context() as patch:
        twist_mock(patch, contradict)
        settings: dict[str, Any] = {"topics": ["family"], "turns": 4, "judges": ["mild", "strict"]}
        return run_once(tmp_path_factory.mktemp("commands") / "talked", n=60, **settings).path


@pytest.fixture
def talked(tmp_path: Path, source: Path) -> Path:
    shutil.copytree(source, tmp_path / "talked")
    return tmp_path / "talked"


def test_refine_says_what_changed_and_what_it_cost(tmp_path: Path, talked: Path, capsys: Capture) -> None:
    code, out, err = call(capsys, "refine", talked, *FLAGS, "--min-fit", "5", "-o", tmp_path / "strict")
    run = load_run(tmp_path / "strict")
    assert code == 0, err
    assert f"{len(run)} samples in {run.path}" in out
    asked = run.manifest["calls_this_sitting"]["all"]
    told = f"{asked['calls']} new calls, {asked['replayed']} replies were there already"
    assert f"60 samples before, {len(run)} now; {told}" in out
    assert (f"{60 - len(run)} of 60 are missing" in out) == (len(run) < 60)
    assert run.manifest["config"]["min_fit"] == 5.0
    check_books(run)


def test_refine_without_flags_gives_the_same_samples_beside_the_run(talked: Path, capsys: Capture) -> None:
    code, out, err = call(capsys, "refine", talked, *FLAGS)
    assert code == 0, err
    (folder,) = talked.parent.glob("talked-refined-*")
    assert read_data(load_run(folder)) == read_data(load_run(talked))
    assert "60 samples before, 60 now; 0 new calls, " in out and "missing" not in out
    assert f"culturepark show {folder}" in out and f"culturepark rejected {folder}" in out


def test_refine_takes_a_config_file_and_flags_win(tmp_path: Path, talked: Path, capsys: Capture) -> None:
    (tmp_path / "new.yaml").write_text("min-fit: 4\nsample_types: [single]\n")
    code, _, err = call(capsys, "refine", talked, *FLAGS, "-c", tmp_path / "new.yaml", "--min-fit", "2")
    (folder,) = talked.parent.glob("talked-refined-*")
    config = load_run(folder).manifest["config"]
    assert code == 0, err
    assert (config["min_fit"], config["sample_types"], config["n"]) == (2.0, ["single"], 60)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--skip", "harm"], "'harm' protects people"),
        (["--stages", "form,length"], "protects people"),
        (["--skip", "personal_data,near_copies"], "'personal_data' protects people"),
        (["--stages", "form,harn"], "did you mean 'harm'"),
        (["--stages", "harm,form"], ""),
        (["--skip", "qualitty"], "did you mean 'quality'"),
        (["--max-harm", "3"], "max_harm"),
        (["--min-fit", "6"], "min_fit"),
        (["--sample-types", "pairs"], "sample_types"),
        (["--passages", "nowhere"], "nowhere"),
        (["--decontaminate", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--n", "5"], "--n"),
        (["--seed", "5"], "--seed"),
        (["--min-fits", "5"], "did you mean '--min-fit'"),
        (["--max-h", "1"], "did you mean '--max-harm'"),
        (["-c", "nowhere.yaml"], "nowhere.yaml"),
        (["--encoder", "no/such-model-here"], "encoder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refine_with_wrong_settings_gets_one_line(
    tmp_path: Path, talked: Path, capsys: Capture, flags: list[str], words: str
) -> None:
    found = call(capsys, "refine", talked, *FLAGS, "-o", tmp_path / "new", *flags)
    assert found[0] in (2, 3, 6)
    check_refused(found, found[0], words)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", ["- min_fit", "n: 5", "min_fits: 4", "just words", "min_fit: [", "min_fit: much"])
def test_refine_with_a_wrong_config_file_gets_one_line(
    tmp_path: Path, talked: Path, capsys: Capture, content: str
) -> None:
    (tmp_path / "new.yaml").write_text(content)
    check_refused(call(capsys, "refine", talked, *FLAGS, "-c", tmp_path / "new.yaml", "-o", tmp_path / "new"), 2)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["refine", "rejected", "report", "compare"])
def test_a_missing_run_gets_one_line(tmp_path: Path, capsys: Capture, command: str) -> None:
    more = [tmp_path / "b"] if command == "compare" else FLAGS if command == "refine" else []
    check_refused(call(capsys, command, tmp_path / "nowhere", *more), 3, "nowhere", "not a run folder")
    assert not (tmp_path / "nowhere").exists()


def test_refine_of_a_run_at_work_waits_for_nobody(talked: Path, capsys: Capture) -> None:
    with take_lock(talked / ".lock"):
        check_refused(call(capsys, "refine", talked, *FLAGS), 2, "another process is working")


def test_rejected_tells_every_reason_with_examples(talked: Path, capsys: Capture) -> None:
    run = load_run(talked)
    code, out, _ = call(capsys, "rejected", talked)
    flat = " ".join(out.split())
    counts = run.counts()
    assert code == 0 and f"{counts.rejected + counts.failed} candidates not used" in flat
    for record in run.rejected():
        number = counts.reasons[record.reason]
        assert f"{record.status} {record.stage} {record.reason} {number} " in f"{flat} "
    shown = [r for r in run.rejected() if r.id in flat]
    assert {r.reason for r in shown} == set(counts.reasons)
    assert "rewritten (meaning_changed): " in flat


def test_rejected_of_one_reason_or_culture_and_as_json(talked: Path, capsys: Capture) -> None:
    run = load_run(talked)
    reason = run.counts().reasons.most_common(1)[0][0]
    code, out, _ = call(capsys, "rejected", talked, "--reason", reason, "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and records == [r.model_dump(mode="json") for r in run.rejected() if r.reason == reason]
    _, out, _ = call(capsys, "rejected", talked, "--culture", "korean", "--json")
    assert {json.loads(line)["culture"] for line in out.splitlines()} == {"korean"}
    _, out, _ = call(capsys, "rejected", talked, "--reason", reason, "--examples", "1")
    assert sum(r.id in out for r in run.rejected()) == 1
    check_refused(call(capsys, "rejected", talked, "--reason", reason + "s"), 2, f"did you mean {reason!r}")


def test_report_prints_and_writes_the_same(talked: Path, capsys: Capture) -> None:
    before = (talked / "report.md").read_text(encoding="utf-8")
    (talked / "report.md").unlink()
    code, out, _ = call(capsys, "report", talked)
    assert code == 0 and (talked / "report.md").read_text(encoding="utf-8") == before
    assert " ".join(before.split()) == " ".join(out.split())
    code, out, _ = call(capsys, "report", talked, "--json")
    assert code == 0 and json.loads(out) == load_run(talked).manifest["measures"]


def label(run: Run, scorers: dict[str, int]) -> list[dict[str, Any]]:
    """Human scores: what the first judge said, moved by so much for each scorer."""
    return [
        {"id": s.id, "axis": score.axis, "scorer": name, "score": min(5, max(1, (score.value or 1) + more))}
        for s in run.samples()
        for score in s.findings.scores
        if score.judge == "mild"
        for name, more in scorers.items()
    ]


def test_report_with_labels_sets_judges_against_people(tmp_path: Path, talked: Path, capsys: Capture) -> None:
    rows = label(load_run(talked), {"ana": 0, "ben": -1})
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [
        "id,axis,scorer,score",
        *(",".join(str(row[k]) for k in ("id", "axis", "scorer", "score")) for row in rows),
    ]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    told = []
    for name in ("labels.jsonl", "labels.csv"):
        code, out, err = call(capsys, "report", talked, "--labels", tmp_path / name, "--json")
        assert code == 0, err
        told.append(json.loads(out))
    assert told[0] == told[1]
    people = told[0]["panel"]["fit"]["people"]
    assert people["judges"]["mild"]["mae"]["value"] < people["judges"]["strict"]["mae"]["value"]
    assert "mild with people" in (talked / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "l.jsonl",
            '{"id": "a", "axis": "fit", "scorer": "x", "score": 3}\n{"id": "a",\n',
            ("l.jsonl, line 2", "not JSON"),
        ),
        ("l.jsonl", '{"id": "a", "axis": "fit", "score": 3}\n', ("row 1", "'scorer'")),
        ("l.jsonl", '{"id": "a", "axis": "fit", "scorer": "x", "score": 6}\n', ("row 1", "1 to 5")),
        ("l.jsonl", '{"id": "a", "axis": "style", "scorer": "x", "score": 3}\n', ("row 1", "harm or fit")),
        ("l.csv", "id,axis,scorer\nd1,fit,x\n", ("row 1", "'score'")),
        ("l.csv", "id,axis,scorer,score\nd1,fit,x,3\nd1,fit,x,great\n", ("row 2", "1 to 5")),
    ],
    ids=["broken line", "no scorer", "score 6", "other axis", "csv column", "csv score"],
)
def test_a_bad_label_file_gets_one_line(
    tmp_path: Path, talked: Path, capsys: Capture, name: str, content: str, words: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(content)
    before = (talked / "report.md").read_bytes()
    check_refused(call(capsys, "report", talked, "--labels", tmp_path / name), 3, name, *words)
    check_refused(call(capsys, "report", talked, "--labels", tmp_path / "gone.csv"), 3, "gone.csv")
    assert (talked / "report.md").read_bytes() == before


def test_compare_prints_the_default_beside_classic(tmp_path: Path, capsys: Capture) -> None:
    mock = ["--engine", "mock", "--cultures", "arab,korean", "--topics", "family", "--encoder", "none", "--n", "40"]
    for name, more in (("ours", []), ("paper", ["--preset", "classic"])):
        code, _, err = call(capsys, "generate", *mock, *FLAGS, *more, "-o", tmp_path / name)
        assert code == 0, err
    code, out, _ = call(capsys, "compare", tmp_path / "ours", tmp_path / "paper")
    flat = " ".join(out.split())
    assert code == 0 and "preset classic" in flat and "preset default" in flat and "Mind" not in flat
    for name in (
        "accepted",
        "arab: accepted samples",
        "drift",
        "template ratio",
        "self-BLEU-4",
        "kept of korean",
        "all",
    ):
        assert name in flat
    code, out, _ = call(capsys, "compare", tmp_path / "ours", tmp_path / "paper", "--json")
    rows = json.loads(out)
    values = {row["figure"]: (row[str(tmp_path / "ours")], row[str(tmp_path / "paper")]) for row in rows}
    runs = [load_run(tmp_path / name) for name in ("ours", "paper")]
    assert values["accepted"] == ("40", "40")
    assert values["all"] == tuple(f"{r.manifest['per_sample']['all']['calls']:.2f} calls" for r in runs)
    assert values["candidates"] == tuple(str(r.counts().candidates) for r in runs)
    assert all(len(row) == 4 for row in rows)


def test_compare_warns_of_what_is_not_alike(tmp_path: Path, talked: Path, run_once: Make, capsys: Capture) -> None:
    run_once(tmp_path / "other", n=4, seed=3)
    _, out, _ = call(capsys, "compare", talked, tmp_path / "other")
    for key in ("seed", "n", "topics"):
        assert f"the runs differ in {key}" in out
    assert "the runs differ in model" not in out
    check_refused(call(capsys, "compare", talked), 2, "at least two")


ROWS = [
    {"id": "good", "text": "I wash my mother's hands each evening, because she washed mine when I was small."},
    {"id": "mail", "text": "Write to me at kim.min@post-office.co.kr and I will tell you how we care for her."},
    {"id": "sweeping", "text": "All Koreans are polite and none of them would ever leave a mother alone at home."},
    {"id": "copy", "text": "I wash my mother's hands every evening, because she washed mine when I was small!"},
    {"id": "chat", "messages": [{"role": "user", "content": "And you?"}, {"role": "assistant", "content": "I'm sorry, but I can't help with that."}]},
    {"id": "pair", "prompt": "What do you owe them?", "completion": "I owe my father a visit each week, and I never skip it."},
]  # fmt: skip


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_screen_sorts_texts_of_any_origin(tmp_path: Path, capsys: Capture) -> None:
    file = write_rows(tmp_path / "texts.jsonl", ROWS)
    code, out, err = call(capsys, "screen", file, "-o", tmp_path / "out", "--encoder", "none")
    assert code == 0, err
    kept = [json.loads(line) for line in (tmp_path / "out" / "kept.jsonl").read_text().splitlines()]
    dropped = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert kept == [ROWS[0], ROWS[5]]
    assert {row["id"]: row["reason"] for row in dropped} == {
        "mail": "personal_data",
        "sweeping": "essentialism",
        "copy": "near_copy",
        "chat": "refusal",
    }
    assert all(row["row"] in ROWS and row["evidence"] and not row["kept"] for row in dropped)
    assert "6 rows: 2 kept, 4 dropped" in out
    again = call(capsys, "screen", tmp_path / "out" / "kept.jsonl", "-o", tmp_path / "again", "--encoder", "none")
    assert (
        again[0] == 0
        and (tmp_path / "again" / "kept.jsonl").read_bytes() == (tmp_path / "out" / "kept.jsonl").read_bytes()
    )


@pytest.mark.parametrize(
    ("lines", "flags", "code", "words"),
    [
        (['{"text": "fine by me"}', "", "", '{"text": '], [], 3, ("texts.jsonl, line 4", "not JSON")),
        (['{"text": "fine by me"}', "", "[1]"], [], 3, ("texts.jsonl, line 3", "not a JSON object")),
        (['{"id": "x"}'], [], 3, ("row 1", "has no text")),
        (['{"messages": [{"role": "user", "content": "hm"}]}'], [], 3, ("row 1", "has no text")),
        (['{"text": "fine by me", "language": "tlh"}'], [], 3, ("row 1", "'tlh'")),
        (['{"text": "fine by me"}'], ["--language", "klingon"], 3, ("'klingon'",)),
        (['{"text": "fine by me"}'], ["--stages", "form,nosuch"], 2, ("'nosuch'",)),
        (['{"text": "fine by me"}'], ["--skip", "harm"], 2, ("'harm' protects people",)),
        (['{"text": "fine by me"}'], ["--skip", "essentialism"], 2, ("'essentialism' protects people",)),
        (['{"text": "fine by me"}'], ["--max-harm", "3"], 2, ("max_harm",)),
    ],
    ids=["broken", "no object", "no text", "no answer", "row language", "language", "stage", "harm", "sweeping", "max harm"],
)  # fmt: skip
def test_screen_of_wrong_input_gets_one_line(
    tmp_path: Path, capsys: Capture, lines: list[str], flags: list[str], code: int, words: tuple[str, ...]
) -> None:
    (tmp_path / "texts.jsonl").write_text("\n".join(lines) + "\n")
    found = call(capsys, "screen", tmp_path / "texts.jsonl", "-o", tmp_path / "out", "--encoder", "none", *flags)
    check_refused(found, code, *words)


def test_screen_of_no_file_or_over_itself_gets_one_line(tmp_path: Path, capsys: Capture) -> None:
    check_refused(call(capsys, "screen", tmp_path / "gone.jsonl", "-o", tmp_path / "out"), 3, "gone.jsonl")
    file = write_rows(tmp_path / "kept.jsonl", ROWS)
    before = file.read_bytes()
    check_refused(call(capsys, "screen", file, "-o", tmp_path), 3, "would be overwritten")
    assert file.read_bytes() == before


def test_screen_reads_rows_of_other_languages(tmp_path: Path, capsys: Capture) -> None:
    rows = [
        {"id": "de", "text": "Ich wasche meiner Mutter jeden Abend die Hände, weil sie es früher für mich tat.", "language": "de"},
        {"id": "not de", "text": "I wash my mother's hands each evening, because she washed mine when I was small.", "language": "de"},
    ]  # fmt: skip
    code, _, err = call(
        capsys, "screen", write_rows(tmp_path / "t.jsonl", rows), "-o", tmp_path / "out", "--encoder", "none"
    )
    assert code == 0, err
    dropped = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert [(row["id"], row["reason"]) for row in dropped] == [("not de", "wrong_language")]


def test_every_command_is_in_the_readme() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| command | what it does |")
    table = "\n".join(line.split("|")[1] for line in lines[start + 2 : lines.index("", start)])
    named = {part.split()[0] for part in table.split("`")[1::2]}
    assert named == set(COMMANDS)
