"""Runs through the library: exact counts, lineage, determinism, reading back, the folder as a data set."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import culturepark
from culturepark.culture.surveys import apportion, load_surveys
from culturepark.errors import DataError
from culturepark.refine.stages import STAGES
from culturepark.runs.folder import Run, load_run
from culturepark.runs.journal import RunFolder, read_journal
from tests.books import check_books, read_data

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
Make = Callable[..., Run]
DATA = ("samples.jsonl", "dialogues.jsonl", "rejected.jsonl", "journal.jsonl")


@pytest.mark.parametrize(
    ("n", "cultures"), [(1, ["korean"]), (3, ["arab", "korean"]), (17, ["turkish", "chinese", "german"])]
)
def test_exactly_n_split_evenly(tmp_path: Path, run_once: Make, n: int, cultures: list[str]) -> None:
    run = run_once(tmp_path / "run", n=n, cultures=cultures)
    per_culture = Counter(s.culture for s in run.samples())
    assert sum(per_culture.values()) == n == len(run)
    assert [per_culture[c] for c in cultures] == apportion([1.0] * len(cultures), n)


@pytest.mark.parametrize("style", ["cross", "within", "panel", "classic"])
def test_every_style_delivers(tmp_path: Path, run_once: Make, style: str) -> None:
    settings: dict[str, Any] = {"preset": "classic"} if style == "classic" else {"style": style}
    run = run_once(tmp_path / "run", n=9, cultures=["arab", "korean", "german"], **settings)
    assert len(list(run.samples())) == 9
    dialogues = list(run.dialogues())
    assert {d.style for d in dialogues} == {style}
    for dialogue in dialogues:
        cultures = {p.culture for p in dialogue.personas.values()}
        assert len(cultures) == {"within": 1, "classic": 2, "cross": 2}.get(style, len(cultures))
        if style == "classic":
            assert dialogue.personas["b"].culture == "english" and "b" not in dialogue.seeds
            assert len(dialogue.turns) == 14 or dialogue.status == "rejected"
    assert not any(s.culture == "english" for s in run.samples())


def test_stances_follow_the_survey_exactly(tmp_path: Path, run_once: Make) -> None:
    """100 samples of one culture on one topic: the answers are the survey's shares in whole numbers."""
    run = run_once(tmp_path / "run", n=100, cultures=["korean"], topics=["parents_pride"])
    shares = load_surveys()["wvs7"].marginals["KOR"]["Q27"]
    wanted = dict(zip(shares.codes, apportion(list(shares.shares), 100), strict=True))
    assert Counter(s.answer for s in run.samples()) == Counter({c: k for c, k in wanted.items() if k})
    with (run.path / "stances.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {int(r["code"]): int(r["accepted"]) for r in rows} == wanted
    assert run.manifest["fidelity"]["korean"]["js_mean"] == run.manifest["fidelity"]["korean"]["js_floor"]


def test_every_sample_has_its_whole_story(tmp_path: Path, run_once: Make) -> None:
    run = run_once(tmp_path / "run", n=30)
    dialogues = {d.id: d for d in run.dialogues()}
    survey = load_surveys()["wvs7"]
    for sample in run.samples():
        story = sample.lineage
        dialogue = dialogues[story["dialogue"]]
        persona = dialogue.personas[story["speaker"]]
        assert (persona.culture, persona.country, persona.id) == (sample.culture, sample.country, story["persona"])
        figures = survey.shares(sample.country, story["survey"]["item"])
        assert figures and story["survey"]["share"] == pytest.approx(figures.share(sample.answer or 0), abs=1e-6)
        assert persona.answers[story["survey"]["item"]] == sample.answer == persona.stance.code
        texts = []
        for quote in story["claim"]["quotes"]:
            turn = dialogue.turns[quote["turn"]]
            assert turn.speaker == story["speaker"]
            assert all(text in turn.text for text in quote["texts"])
            assert turn.request in story["requests"]
            texts += quote["texts"]
        mended = [r for r in sample.findings.rewrites if r.kept]
        assert bool(mended) == ("repaired" in sample.tags)
        if sample.form == "single":
            assert sample.messages[-1]["content"] == (mended[-1].text if mended else " ".join(texts))
        assert set(story["prompts"]) == set(dialogue.prompts) and story["software"].startswith("culturepark ")
        idle = ("benchmarks", "ifd", "semantic_copies")  # no benchmark files, no model, no encoder in this run
        assert [v.stage for v in sample.verdicts] == [s for s in STAGES if s not in idle]
        assert all(v.kept for v in sample.verdicts)
        assert sample.findings.stance in ("follows", "silent") and story["judges"] == ["mock"]
        assert {(s.axis, s.judge) for s in sample.findings.scores} == {("harm", "mock"), ("fit", "mock")}


@pytest.mark.parametrize(
    "settings",
    [
        {"n": 24, "topics": ["parents_pride", "care_for_parents"], "encoder": "auto"},
        {"n": 60, "topics": ["family"], "near_copy": 0.3},
    ],
    ids=["meaning", "wording"],
)
def test_copies_are_known_after_a_stop_as_before_it(tmp_path: Path, run_once: Make, settings: dict[str, Any]) -> None:
    """Of meaning, with the encoder as by default, and of wording, with a threshold that finds many."""
    calm = run_once(tmp_path / "calm", **settings)
    write, left = RunFolder.write, [2]

    def fail(self: RunFolder, commit: Any) -> dict[str, Any]:
        left[0] -= 1
        if left[0] < 0:
            raise DataError("the disk is full")
        return write(self, commit)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError):
        patch.setattr(RunFolder, "write", fail)
        run_once(tmp_path / "stopped", **settings)
    assert load_run(tmp_path / "stopped").counts().accepted > 0
    again = run_once(tmp_path / "stopped", **settings)
    assert read_data(again) == read_data(calm)
    if "near_copy" in settings:
        assert calm.counts().reasons["near_copy"] > 5
    else:
        assert calm.manifest["measures"]["diversity"]["arab"]["semantic"]["dispersion"]["n"] == 12
    check_books(calm)


def test_concurrency_does_not_change_a_byte(tmp_path: Path, run_once: Make) -> None:
    for name, concurrency in (("one", 1), ("many", 32)):
        run_once(tmp_path / name, n=25, concurrency=concurrency)
    for name in DATA:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_another_seed_gives_other_people(tmp_path: Path, run_once: Make) -> None:
    texts = [{s.messages[-1]["content"] for s in run_once(tmp_path / str(k), n=10, seed=k).samples()} for k in (1, 2)]
    assert not texts[0] & texts[1]


def test_the_ceiling_ends_a_run_that_cannot_deliver(tmp_path: Path, run_once: Make) -> None:
    """A gate that nothing passes: the run stops at the ceiling and says which cells are short and why."""
    with pytest.raises(culturepark.ShortfallError, match=r"0 of 10 samples.*ceiling of 30.*too_short"):
        run_once(tmp_path / "run", n=10, min_words=900, max_words=900, max_candidates=30)
    run = load_run(tmp_path / "run")
    counts = run.counts()
    assert run.state == "short" and counts.accepted == 0
    assert 10 <= counts.candidates <= 30
    assert run.manifest["plan"]["short_cells"]
    assert len(list(run.rejected())) == counts.candidates


def test_a_raised_ceiling_goes_on(tmp_path: Path, run_once: Make) -> None:
    settings = {"n": 60, "min_words": 60}
    with pytest.raises(culturepark.ShortfallError):
        run_once(tmp_path / "run", max_candidates=61, **settings)
    before = (tmp_path / "run" / "samples.jsonl").read_bytes()
    run = run_once(tmp_path / "run", max_candidates=2000, **settings)
    assert len(run) == 60
    assert (tmp_path / "run" / "samples.jsonl").read_bytes().startswith(before)


def test_the_folder_opens_as_a_data_set(tmp_path: Path, run_once: Make) -> None:
    """In a process of its own, as in a training script: the library keeps threads and a cache."""
    run = run_once(tmp_path / "run", n=12)
    code = (
        "import datasets, culturepark, sys\n"
        "found = datasets.load_dataset(sys.argv[1])['train']\n"
        "own = culturepark.load_run(sys.argv[1]).to_dataset()\n"
        "assert found['messages'] == own['messages'], 'messages differ'\n"
        "assert datasets.load_dataset(sys.argv[1], 'dialogues')['train'].num_rows > 0\n"
        "print(found.num_rows, own.num_rows)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.split() == ["12", "12"]


async def test_generate_works_inside_a_running_loop(tmp_path: Path, run_once: Make) -> None:
    assert asyncio.get_running_loop()
    assert len(run_once(tmp_path / "run", n=2)) == 2


def test_damage_is_cut_and_done_again(tmp_path: Path, run_once: Make) -> None:
    """A torn journal line, half a sample and a flipped byte: each costs only what came after it."""
    run = run_once(tmp_path / "run", n=20)
    whole = {name: (run.path / name).read_bytes() for name in DATA}
    for name, damage in (
        ("journal.jsonl", lambda b: b[:-40]),
        ("samples.jsonl", lambda b: b[:-100]),
        ("journal.jsonl", lambda b: b[:300] + bytes([b[300] ^ 1]) + b[301:]),
        ("dialogues.jsonl", lambda b: b + b'{"half": '),
    ):
        (run.path / name).write_bytes(damage(whole[name]))
        run_once(tmp_path / "run", n=20)
        for other in DATA:
            assert (run.path / other).read_bytes() == whole[other], (name, other)


def test_a_damaged_reply_is_asked_again(tmp_path: Path, run_once: Make) -> None:
    run = run_once(tmp_path / "run", n=6)
    whole = (run.path / "samples.jsonl").read_bytes()
    log = run.path / "replies" / "00000.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"text":"', b'"text":"X', 1))
    (run.path / "journal.jsonl").write_bytes(b"")
    run_once(tmp_path / "run", n=6)
    assert (run.path / "samples.jsonl").read_bytes() == whole


def test_the_manifest_adds_up(tmp_path: Path, run_once: Make) -> None:
    run = run_once(tmp_path / "run", n=15)
    check_books(run)
    manifest = json.loads((run.path / "manifest.json").read_text())
    counts = manifest["counts"]
    assert counts["candidates"] == counts["accepted"] + counts["rejected"] + counts["failed"]
    assert sum(counts["reasons"].values()) == counts["rejected"] + counts["failed"]
    assert sum(counts["by_culture"].values()) == counts["accepted"] == 15
    assert sum(line["calls"] for line in read_journal(run.path)) == counts["calls"]
    assert manifest["versions"]["culturepark"] == culturepark.__version__
    assert manifest["config"]["model"] == "mock"


def test_a_culture_and_a_topic_are_one_file_each(tmp_path: Path, run_once: Make) -> None:
    """Somebody's own folders, with one more file in each, are enough."""
    shutil.copytree(ROOT / "personas", tmp_path / "personas")
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    korean = (ROOT / "personas" / "korean.yaml").read_text(encoding="utf-8")
    text = yaml.safe_load(korean.replace("KOR", "ARG"))
    text = yaml.safe_dump({**text, "id": "testish", "name": "Testish", "aliases": ["testish"]}, allow_unicode=True)
    for old in ("spanish", "korean"):
        (tmp_path / "personas" / f"{old}.yaml").unlink()
    (tmp_path / "personas" / "testish.yaml").write_text(text, encoding="utf-8")
    topic = (ROOT / "scenarios" / "topics" / "parents_pride.yaml").read_text(encoding="utf-8")
    (tmp_path / "scenarios" / "topics" / "parents_pride.yaml").unlink()
    (tmp_path / "scenarios" / "topics" / "making_parents_glad.yaml").write_text(
        topic.replace("id: parents_pride", "id: making_parents_glad"), encoding="utf-8"
    )
    run = run_once(
        tmp_path / "run",
        n=4,
        cultures=["testish"],
        topics=["making_parents_glad"],
        personas=str(tmp_path / "personas"),
        scenarios=str(tmp_path / "scenarios"),
    )
    assert {(s.culture, s.country, s.topic) for s in run.samples()} == {("testish", "ARG", "making_parents_glad")}


def test_the_example_runs(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "quick_tour.py"), str(tmp_path / "tour")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "20 accepted" in done.stdout and "num_rows: 20" in done.stdout


@pytest.mark.parametrize("concurrency", [1, 3, 200])
def test_how_many_calls_are_in_flight_changes_no_byte(tmp_path: Path, run_once: Make, concurrency: int) -> None:
    """Replacements may begin before the last planned talks; what comes of them does not depend on when."""
    usual = run_once(tmp_path / "usual", n=60, topics="family,work_as_duty")
    other = run_once(tmp_path / "other", n=60, topics="family,work_as_duty", concurrency=concurrency)
    assert usual.counts().rejected > 0, "there is nothing to replace"
    assert read_data(other) == read_data(usual)
