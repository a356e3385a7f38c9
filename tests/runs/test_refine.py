"""Refinement again over stored talks: the same bytes, no reply paid twice, and nothing that the talks did not give."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import culturepark
from culturepark.errors import ConfigError, DataError
from culturepark.language import words
from culturepark.llm.base import Request
from culturepark.runs.folder import Run, load_run
from culturepark.runs.journal import RunFolder, take_lock
from culturepark.runs.refine import refine_run
from tests.books import check_books, read_data
from tests.fakeserver import FakeServer
from tests.judging import answer_all, is_about, read_task, twist_mock

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[..., Run]
ALL_FORMS = ["single", "multi", "reasoning", "preference"]
OTHER = {"min_fit": 5.0, "min_words": 14, "sample_types": ALL_FORMS, "audience": "grandparents in small towns"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, run_once: Make) -> Path:
    """A finished run of 30 samples; to be copied, since refining adds replies to it."""
    return run_once(tmp_path_factory.mktemp("refine") / "source", n=30, topics=["family"], turns=4).path


@pytest.fixture
def talked(tmp_path: Path, source: Path) -> Run:
    shutil.copytree(source, tmp_path / "talked")
    return load_run(tmp_path / "talked")


def calls_of(run: Run) -> tuple[int, int]:
    """New calls and replayed ones of the last sitting."""
    asked = run.manifest["calls_this_sitting"].get("all", {})
    return asked.get("calls", 0), asked.get("replayed", 0)


def test_unchanged_settings_give_the_samples_of_the_run_and_ask_nothing(talked: Run) -> None:
    before = {p.name: p.read_bytes() for p in talked.path.iterdir() if p.is_file()}
    replies = {p.name: p.read_bytes() for p in (talked.path / "replies").iterdir()}
    again = culturepark.refine_run(talked)
    assert read_data(again) == read_data(talked)
    assert calls_of(again)[0] == 0 < calls_of(again)[1]
    assert again.state == "complete" and again.path.parent == talked.path.parent
    assert again.path.name.startswith(f"{talked.path.name}-refined-")
    assert {p.name: p.read_bytes() for p in talked.path.iterdir() if p.is_file()} == before
    assert {p.name: p.read_bytes() for p in (talked.path / "replies").iterdir()} == replies
    check_books(again)


def test_refined_twice_with_other_settings_gives_the_same_bytes_and_pays_once(tmp_path: Path, talked: Run) -> None:
    first = refine_run(talked.path, output_dir=str(tmp_path / "first"), **OTHER)
    second = refine_run(talked.path, output_dir=str(tmp_path / "second"), concurrency=1, **OTHER)
    assert read_data(first) == read_data(second) != read_data(talked)
    paid, there = calls_of(first)
    assert paid > 0 and calls_of(second) == (0, paid + there)
    check_books(first)


def test_the_same_folder_again_does_nothing(talked: Run) -> None:
    first = refine_run(talked, min_fit=4.5)
    before = read_data(first)
    assert refine_run(talked, min_fit=4.5).path == first.path
    assert read_data(first) == before and calls_of(load_run(first.path)) == (0, 0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"min_fit": 5.0}, "poor_fit"),
        ({"max_harm": 1.0}, "harm"),
        ({"min_quality": 16.0}, "low_quality"),
        ({"unknown_claims": "drop"}, "fact_unknown"),
        ({"silent_claims": "keep"}, "off_stance"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_other_thresholds_ask_for_nothing_that_is_known(
    monkeypatch: pytest.MonkeyPatch, talked: Run, settings: dict[str, Any], reason: str
) -> None:
    """What was said of a talk is stored: only replacements for other seats than before are read anew."""
    asked = twist_mock(monkeypatch, lambda request: None)
    again = refine_run(talked, **settings)
    new = [request for request in asked if request.key.partition("/")[0].count("-") == 0]
    if reason in ("poor_fit", "harm"):
        assert not new
    assert not [request for request in new if request.purpose not in ("harm", "fit")]
    assert again.counts().reasons[reason] != talked.counts().reasons[reason]
    for sample in again.samples():
        marks = {axis: [s.value or 0 for s in sample.findings.scores if s.axis == axis] for axis in ("harm", "fit")}
        assert min(marks["fit"]) >= settings.get("min_fit", 3) and max(marks["harm"]) <= settings.get("max_harm", 2)
        grades = (sample.findings.complexity or 0) * (sample.findings.quality or 0)
        assert grades >= settings.get("min_quality", 0)
        if "unknown_claims" in settings:
            assert not [s for s in sample.findings.statements if (s.kind, s.verdict) == ("factual", "unknown")]
        if "silent_claims" not in settings and sample.kind != "custom":
            assert sample.findings.stance == "follows"
    check_books(again)


@pytest.mark.parametrize(
    "settings",
    [
        {"n": 5},
        {"seed": 1},
        {"model": "other"},
        {"cultures": ["korean"]},
        {"turns": 4},
        {"preset": "classic"},
        {"temperature": 0.1},
        {"claims_per_speaker": 1},
        {"min_fits": 4},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_decides_about_the_talks_is_refused(tmp_path: Path, talked: Run, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        refine_run(talked, output_dir=str(tmp_path / "new"), **settings)
    assert repr(next(iter(settings))) in str(caught.value) and "\n" not in str(caught.value)
    assert ("did you mean 'min_fit'" in str(caught.value)) == ("min_fits" in settings)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["personas", "scenarios"])
def test_changed_files_are_refused(tmp_path: Path, run_once: Make, kind: str) -> None:
    """The talks were held by people of those files: with others the plan would be another one."""
    shutil.copytree(ROOT / kind, tmp_path / kind)
    run = run_once(tmp_path / "run", n=2, **{kind: str(tmp_path / kind)})
    part = tmp_path / kind / ("korean.yaml" if kind == "personas" else "topics/parents_pride.yaml")
    whole = part.read_text(encoding="utf-8")
    part.write_text(whole.replace(" the ", " the very ", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"the {kind} files have changed") as caught:
        refine_run(run, output_dir=str(tmp_path / "new"))
    assert "\n" not in str(caught.value) and not (tmp_path / "new").exists()
    part.write_text(whole, encoding="utf-8")
    assert read_data(refine_run(run, output_dir=str(tmp_path / "new"))) == read_data(run)


def stop_after(monkeypatch: pytest.MonkeyPatch, commits: int) -> pytest.MonkeyPatch:
    """Let the disk fail once so many talks are committed."""
    left, write = [commits], RunFolder.write

    def fail(self: RunFolder, commit: Any) -> dict[str, Any]:
        left[0] -= 1
        if left[0] < 0:
            raise DataError("the disk is full")
        return write(self, commit)

    monkeypatch.setattr(RunFolder, "write", fail)
    return monkeypatch


def test_a_stopped_refinement_is_taken_up_again(tmp_path: Path, talked: Run) -> None:
    calm = refine_run(talked, output_dir=str(tmp_path / "calm"), **OTHER)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError, match="disk is full"):
        stop_after(patch, 5)
        refine_run(talked, output_dir=str(tmp_path / "stopped"), **OTHER)
    stopped = load_run(tmp_path / "stopped")
    assert (stopped.state, stopped.counts().dialogues) == ("stopped", 5)
    again = refine_run(talked, output_dir=str(tmp_path / "stopped"), **OTHER)
    assert read_data(again) == read_data(calm)
    check_books(again)


def test_an_unfinished_run_is_refined_as_far_as_it_is(tmp_path: Path, source: Path, run_once: Make) -> None:
    """Only talks that are there are used, and the run itself can be finished afterwards as if nothing had been."""
    settings = {"n": 30, "topics": ["family"], "turns": 4}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError):
        stop_after(patch, 4)
        run_once(tmp_path / "half", **settings)
    half = load_run(tmp_path / "half")
    again = refine_run(half)
    assert read_data(again) == read_data(half) and again.state == "short"
    other = refine_run(half, **OTHER)
    assert {d.id for d in other.dialogues()} <= {d.id for d in half.dialogues()}
    check_books(other)
    assert read_data(run_once(tmp_path / "half", **settings)) == read_data(load_run(source))
    longer = refine_run(half.path, **OTHER)
    assert longer.path != other.path and longer.counts().dialogues > other.counts().dialogues


def test_a_short_refinement_is_no_error(talked: Run) -> None:
    again = refine_run(talked, min_words=120)
    counts = again.counts()
    assert again.state == "short" and counts.accepted < 30 and counts.reasons["too_short"] > 0
    assert sum(row[-1] for row in again.manifest["plan"]["short_cells"]) == 30 - counts.accepted
    check_books(again)


def test_a_run_at_work_is_left_alone(tmp_path: Path, talked: Run) -> None:
    with take_lock(talked.path / ".lock"), pytest.raises(ConfigError, match="another process is working") as caught:
        refine_run(talked, output_dir=str(tmp_path / "new"))
    assert "\n" not in str(caught.value) and not (tmp_path / "new").exists()
    assert len(refine_run(talked, output_dir=str(tmp_path / "new"))) == 30


def test_another_folder_is_not_mixed_with(tmp_path: Path, talked: Run, run_once: Make) -> None:
    with pytest.raises(ConfigError, match="holds another run"):
        refine_run(talked, output_dir=str(talked.path), min_fit=4)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds other files"):
        refine_run(talked, output_dir=str(tmp_path / "thesis"))
    with pytest.raises(DataError, match="not a run folder"):
        refine_run(tmp_path / "thesis")


@pytest.mark.parametrize("forms", [["reasoning"], ["preference"], ["multi"], ALL_FORMS], ids="+".join)
def test_n_counts_samples_of_the_forms_asked_for(tmp_path: Path, run_once: Make, forms: list[str]) -> None:
    settings = {"n": 24, "topics": ["family"], "max_candidates": 800}  # most claims have no rival of like length
    run = run_once(tmp_path / "run", sample_types=forms, multi_turn_share=0.25, **settings)
    found = Counter(s.form for s in run.samples())
    assert set(found) == set(forms) and found.total() == 24 == len(run)
    assert Counter(s.culture for s in run.samples()) == {"arab": 12, "korean": 12}
    check_books(run)
    for sample in run.samples():
        check_form(sample)


def check_form(sample: culturepark.Sample) -> None:
    roles = [m["role"] for m in sample.messages]
    expected = {
        "single": ["user", "assistant"],
        "reasoning": ["user", "assistant"],
        "preference": ["system", "user", "assistant"],
        "multi": ["system", "user", "assistant", "user", "assistant"],
    }
    assert roles == expected[sample.form]
    answer = sample.messages[-1]["content"]
    assert (sample.form == "reasoning") == ("\n\n" in answer)
    if sample.form != "preference":
        assert (sample.rejected, sample.origin) == ((), "")
        return
    (other,) = sample.rejected
    mine, theirs = len(words(answer)), len(words(other["content"]))
    assert other["role"] == "assistant" and words(other["content"]) != words(answer)
    assert abs(mine - theirs) <= 0.2 * max(mine, theirs)
    assert sample.origin in ("culture", "verification", "repair") and sample.lineage["rival"]


def test_every_origin_of_a_pair_tells_the_truth(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contradict_now_and_then(request: Request) -> str | None:
        """One claim of each talk contradicts; its rewrite, a little longer, keeps the meaning in every other talk."""
        if is_about(request, "rewrite"):
            said = re.findall(r'^(\d+)\. .* Said: "(.*)"$', request.messages[-1]["content"], re.MULTILINE)
            return json.dumps({number: {"rewrite": f"{text} I stand by it."} for number, text in said})
        if is_about(request, "verify"):
            answer = json.loads(answer_all(request))
            answer["1"]["stance"] = "contradicts"
            return json.dumps(answer)
        even = int(request.key[1:7]) % 2 == 0
        return answer_all(request, keeps_meaning=even) if is_about(request, "verify_again") else None

    twist_mock(monkeypatch, contradict_now_and_then)
    run = run_once(tmp_path / "run", n=96, topics=["family"], sample_types=["single", "preference"])
    dropped = {r.id: r.reason for r in run.rejected()}
    spare = {claim.id for d in run.dialogues() for claim in d.spare}
    cultures = {f"{d.id}-{seat}": p.culture for d in run.dialogues() for seat, p in d.personas.items()}
    pairs = [s for s in run.samples() if s.form == "preference"]
    assert {s.origin for s in pairs} == {"repair", "verification", "culture"}
    for sample in pairs:
        check_form(sample)
        source, text = sample.lineage["rival"], sample.rejected[0]["content"]
        assert source.rpartition("-")[0] == sample.lineage["dialogue"]
        assert (source == sample.id) == (sample.origin == "repair")
        if sample.origin == "repair":
            (rewrite,) = sample.findings.rewrites
            assert rewrite.kept and (rewrite.original, rewrite.text) == (text, sample.messages[-1]["content"])
        elif sample.origin == "verification":
            assert dropped.get(source) == "contradicts_stance" or source in spare
            assert cultures[source.rstrip("0123456789")] == sample.culture
        else:
            assert source not in dropped and cultures[source.rstrip("0123456789")] != sample.culture


@pytest.mark.parametrize("forms", [["single"], ["multi"], ["reasoning"], ["preference"]], ids="+".join)
def test_a_repaired_claim_keeps_to_the_forms_asked_for(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch, forms: list[str]
) -> None:
    """All claims contradict and are mended: a stretch of talk holds the old words and cannot be used."""
    twist_mock(
        monkeypatch,
        lambda r: (
            answer_all(r, stance="contradicts")
            if is_about(r, "verify")
            else answer_all(r)
            if is_about(r, "verify_again")
            else None
        ),
    )
    try:
        run = run_once(tmp_path / "run", n=6, topics=["family"], sample_types=forms, max_candidates=120)
    except culturepark.ShortfallError:
        run = load_run(tmp_path / "run")
    assert (len(run) == 0) == (forms == ["multi"])
    for sample in run.samples():
        check_form(sample)
        (rewrite,) = sample.findings.rewrites
        assert [sample.form] == forms and "repaired" in sample.tags
        assert sample.messages[-1]["content"].endswith(rewrite.text)
        assert rewrite.original not in sample.messages[-1]["content"]
    if forms == ["multi"]:
        assert run.counts().reasons["no_form"] > 0
    check_books(run)


async def test_a_new_judge_alone_is_asked(tmp_path: Path) -> None:
    """Of a panel of two, the one that has given its marks is not asked again; then nobody is, server or none."""
    settings = {"cultures": ["arab", "korean"], "n": 8, "topics": ["family"], "turns": 4, "encoder": "none"}
    async with FakeServer(models="fake,other") as server:
        url = server.base_url
        run = await asyncio.to_thread(
            lambda: culturepark.generate(output_dir=str(tmp_path / "run"), base_url=url, model="fake", **settings)
        )
        assert server.counts["requests"] == run.counts().calls
        server.seen.clear()
        both = await asyncio.to_thread(
            lambda: refine_run(run, judges=["fake", "other"], output_dir=str(tmp_path / "both"))
        )
        assert {body["model"] for body in server.seen} == {"other"}
        tasks = Counter(read_task(body) for body in server.seen)
        assert set(tasks) == {"harm", "fit"} and tasks["harm"] == tasks["fit"] == calls_of(both)[0] / 2
        assert tasks["harm"] <= both.counts().dialogues
    again = await asyncio.to_thread(lambda: refine_run(run, output_dir=str(tmp_path / "again")))
    assert read_data(again) == read_data(run)
    twice = await asyncio.to_thread(
        lambda: refine_run(run, judges=["fake", "other"], output_dir=str(tmp_path / "twice"))
    )
    assert read_data(twice) == read_data(both)
    for sample in both.samples():
        assert {(s.judge, s.axis) for s in sample.findings.scores} == {
            (judge, axis) for judge in ("fake", "other") for axis in ("harm", "fit")
        }


def test_a_damaged_talk_is_named(talked: Run) -> None:
    path = talked.path / "dialogues.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    record: Mapping[str, Any] = json.loads(lines[1])
    lines[1] = b"#" * (len(lines[1]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=rf"dialogues\.jsonl: the record of {record['id']} is damaged"):
        refine_run(talked)
