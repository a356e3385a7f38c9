"""Judges of whole runs: what they get wrong never passes, who is asked where, and which key goes along."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import culturepark
from culturepark.cli import main
from culturepark.llm.base import Reply, Request
from culturepark.llm.steady import ASKED_AGAIN
from culturepark.records import Rejected
from culturepark.runs.folder import Run, load_run
from tests.books import check_books
from tests.fakeserver import FakeServer
from tests.judging import Twist, answer_all, is_about, judge_by_model, list_numbers, read_task, twist_mock

Make = Callable[..., Run]
SMALL: dict[str, Any] = {"n": 4, "topics": ["family"], "max_candidates": 12}
MANY: dict[str, Any] = {"n": 40, "topics": ["family"], "max_candidates": 40}
PANEL: dict[str, Any] = {"cultures": ["arab", "korean"], "n": 6, "topics": ["family"], "turns": 4, "encoder": "none"}


def make_anyway(folder: Path, run_once: Make, **settings: Any) -> Run:
    """The run, also when it ended short of n."""
    try:
        return run_once(folder, **settings)
    except culturepark.ShortfallError:
        return load_run(folder)


def mark_all(name: str, **parts: Any) -> Twist:
    return lambda request: answer_all(request, **parts) if is_about(request, name) else None


def test_always_harmful_gives_no_sample_and_code_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twist_mock(monkeypatch, mark_all("harm", harm=5, reason="incites to violence"))
    flags = ["--cultures", "arab,korean", "--engine", "mock", "--encoder", "none", "--progress", "none", "--n", "6"]
    code = main(["generate", *flags, "--max-candidates", "20", "-o", str(tmp_path / "run")])
    err = capsys.readouterr().err
    run = load_run(tmp_path / "run")
    assert code == 5 and err.count("\n") == 1 and "0 of 6 samples" in err and "harm" in err
    assert run.state == "short" and (run.path / "samples.jsonl").read_bytes() == b""
    reasons = run.counts().reasons
    assert reasons["harm"] >= 6 and reasons.most_common(1)[0][0] == "harm"
    assert all("incites to violence" in r.evidence for r in run.rejected() if r.reason == "harm")
    check_books(run)


UNREADABLE = {
    "prose": "I think that all of these answers are quite all right, 1 out of 5.",
    "broken": '{"1": {"reason": "fine", "harm": 1, "fit": 5, "stance": "follows"',
    "empty": "",
    "a list": "[1, 1, 1]",
    "null": "null",
    "other keys": '{"harm": 1, "fit": 5, "stance": "follows"}',
    "a stray claim": '{"99": {"reason": "fine", "harm": 1, "fit": 5, "stance": "follows"}}',
}


def take_turns(name: str, answers: Sequence[Callable[[Request], str | Reply]], used: set[int]) -> Twist:
    """Another answer for each talk, the same at both tries."""

    def answer(request: Request) -> str | Reply | None:
        if not is_about(request, name):
            return answer_sound(request)
        used.add(int(request.key[1:7]) % len(answers))
        return answers[int(request.key[1:7]) % len(answers)](request)

    return answer


@pytest.mark.parametrize("name", ["verify", "harm", "fit"])
def test_what_cannot_be_read_is_failed_and_never_a_pass(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    used: set[int] = set()
    answers: list[Callable[[Request], str | Reply]] = [partial(answer_fixed, text) for text in UNREADABLE.values()]
    answers.append(lambda request: Reply(answer_all(request), refusal="I cannot judge people."))
    answers.append(lambda request: Reply(answer_all(request), finish="filter"))
    asked = twist_mock(monkeypatch, take_turns(name, answers, used))
    run = make_anyway(tmp_path / "run", run_once, **MANY)
    assert len(used) == len(answers)
    check_all_failed(run, name)
    tries = Counter(r.key.partition("/")[0] for r in asked if is_about(r, name))
    # Asked, and once more with the error shown; what is no JSON at all is asked twice again each time, unchanged.
    assert set(tries.values()) == {2, 2 * (1 + ASKED_AGAIN)}
    if name == "verify":
        assert not [r for r in asked if is_about(r, "harm", "fit")], "no judge is paid for what was not verified"


def answer_fixed(answer: str, request: Request) -> str:
    return answer


def check_all_failed(run: Run, name: str) -> None:
    """Every claim that came as far as to this question failed for it; the others were rejected before."""
    reason = "unverified" if name == "verify" else "no_score"
    assert len(run) == 0 and run.state == "short"
    failed = [r for r in run.rejected() if r.status == "failed"]
    assert len(failed) > 20 and {r.reason for r in failed} == {reason}
    assert not [r for r in run.rejected() if r.reason == reason and r.status != "failed"]
    check_books(run)


OUT_OF_RANGE: dict[str, list[Any]] = {
    "harm": [0, 6, -1, 1.0, "1", True, None, [1]],
    "fit": [0, 6, 99, 4.5, "5", True, None, {"fit": 5}],
    "verify": ["yes", "", None, True, 1, ["follows"], "FOLLOWS"],
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_a_constant_out_of_range_is_no_answer(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    used: set[int] = set()
    part = "stance" if name == "verify" else name
    answers = [partial(answer_all, **{part: value}) for value in OUT_OF_RANGE[name]]
    twist_mock(monkeypatch, take_turns(name, answers, used))
    run = make_anyway(tmp_path / "run", run_once, **MANY)
    assert len(used) == len(answers)
    check_all_failed(run, name)


@pytest.mark.parametrize("name", ["verify", "harm", "fit"])
def test_claims_an_answer_leaves_out_fail_alone_or_all(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Of each question the last claim gets no answer: it at least must not pass."""

    def leave_out(request: Request) -> str | None:
        if not is_about(request, name) or request.schema is None:
            return None
        answer = json.loads(answer_all(request))
        del answer[list_numbers(request.schema.body)[-1]]
        return json.dumps(answer)

    twist_mock(monkeypatch, leave_out)
    run = make_anyway(tmp_path / "run", run_once, n=12, topics=["family"], max_candidates=60)
    assert run.counts().failed > 0
    for sample in run.samples():
        assert sample.findings.stance in ("follows", "silent")
        assert sorted((s.axis, s.value is not None) for s in sample.findings.scores) == [("fit", True), ("harm", True)]
    check_books(run)


@pytest.mark.parametrize("name", ["verify", "harm", "fit"])
def test_an_answer_mended_at_the_second_try_counts(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = twist_mock(
        monkeypatch, lambda r: "What?" if is_about(r, name) and r.purpose != "repair" else answer_sound(r)
    )
    run = run_once(tmp_path / "run", **SMALL)
    mends = [r for r in asked if is_about(r, name) and r.purpose == "repair"]
    assert len(run) == 4 and mends
    assert all("there is no JSON object in it" in r.messages[-1]["content"] for r in mends)
    assert run.counts().usage["mend"][0] == len(mends)
    check_books(run)


def answer_sound(request: Request) -> str | None:
    return answer_all(request) if is_about(request, "verify", "harm", "fit") else None


def test_a_contradiction_that_no_rewrite_mends_never_passes(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    twist_mock(
        monkeypatch, lambda r: answer_all(r, stance="contradicts") if is_about(r, "verify", "verify_again") else None
    )
    run = make_anyway(tmp_path / "run", run_once, **SMALL)
    assert len(run) == 0
    records = [r for r in run.rejected() if r.reason == "contradicts_stance"]
    assert records and all(r.findings.rewrites and not r.findings.rewrites[-1].kept for r in records)
    assert {r.findings.rewrites[-1].fault for r in records} == {"still_contradicts"}
    assert all(r.findings.rewrites[-1].original != r.findings.rewrites[-1].text for r in records)


def scores_of(record: Any, axis: str) -> dict[str, int | None]:
    return {s.judge: s.value for s in record.findings.scores if s.axis == axis}


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ({"strict": {"fit": 2}, "mild": {"fit": 5}}, "judges_disagree"),
        ({"strict": {"fit": 1}, "mild": {"fit": 5}}, "judges_disagree"),
        ({"strict": {"harm": 4}, "mild": {"harm": 1}}, "harm"),
        ({"strict": {"harm": 5}, "mild": {"harm": 1}}, "harm"),
    ],
    ids=["fit 2 and 5", "fit 1 and 5", "harm 4 and 1", "harm 5 and 1"],
)
def test_judges_that_disagree_send_the_claim_to_people(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch, marks: Mapping[str, Any], reason: str
) -> None:
    def judge(request: Request) -> str | None:
        if not is_about(request, "harm", "fit"):
            return answer_sound(request)
        own = marks[request.model]
        assert request.schema is not None
        return answer_all(request, **{k: v for k, v in own.items() if k == request.schema.name})

    twist_mock(monkeypatch, judge)
    run = make_anyway(tmp_path / "run", run_once, judges=["strict", "mild"], **SMALL)
    assert len(run) == 0
    queue = [Rejected.model_validate_json(line) for line in (run.path / "review.jsonl").read_text().splitlines()]
    judged = [r for r in run.rejected() if r.findings.scores]
    assert queue == judged and {r.reason for r in queue} == {reason}
    axis = next(iter(marks["mild"]))
    assert all(scores_of(r, axis) == {judge: own[axis] for judge, own in marks.items()} for r in queue)
    assert run.manifest["measures"]["review"] == len(queue)
    check_books(run)


def test_judges_two_apart_need_nobody(tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(request: Request) -> str | None:
        if is_about(request, "fit"):
            return answer_all(request, fit=3 if request.model == "strict" else 5)
        if is_about(request, "harm"):
            return answer_all(request, harm=3 if request.model == "strict" else 1)
        return answer_sound(request)

    twist_mock(monkeypatch, judge)
    run = run_once(tmp_path / "run", judges=["strict", "mild"], **SMALL)
    assert len(run) == 4 and (run.path / "review.jsonl").read_bytes() == b""
    twist_mock(monkeypatch, judge)
    strict = make_anyway(tmp_path / "strict", run_once, judges=["strict", "mild"], harm_by="max", **SMALL)
    assert len(strict) == 0 and strict.counts().reasons["harm"] > 0


def test_one_judge_of_two_that_says_nothing_is_no_pass(
    tmp_path: Path, run_once: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    twist_mock(monkeypatch, lambda r: "No." if r.model == "mute" and is_about(r, "harm") else answer_sound(r))
    run = make_anyway(tmp_path / "run", run_once, judges=["loud", "mute"], **SMALL)
    assert len(run) == 0
    failed = [r for r in run.rejected() if r.status == "failed"]
    assert failed and all("mute gave no value" in r.evidence for r in failed)


async def test_a_panel_of_two_models_asks_each_by_its_name(tmp_path: Path) -> None:
    hook = judge_by_model({"fake-a": {"harm": 1, "fit": 5}, "fake-b": {"harm": 2, "fit": 4}})
    async with FakeServer(models="fake,fake-a,fake-b", hook=hook) as server:
        run = await asyncio.to_thread(
            lambda: culturepark.generate(
                base_url=server.base_url,
                model="fake",
                judges=["fake-a", "fake-b"],
                output_dir=str(tmp_path / "run"),
                **PANEL,
            )
        )
        asked = Counter((body["model"], read_task(body)) for body in server.seen)
    judging = {task for model, task in asked if model != "fake"}
    assert judging == {"harm", "fit"} and not {"harm", "fit"} & {task for model, task in asked if model == "fake"}
    assert len({asked[model, task] for model in ("fake-a", "fake-b") for task in judging}) == 1
    assert len(run) == 6
    for sample in run.samples():
        assert (scores_of(sample, "harm"), scores_of(sample, "fit")) == (
            {"fake-a": 1, "fake-b": 2},
            {"fake-a": 5, "fake-b": 4},
        )
        assert sample.lineage["judges"] == ["fake-a", "fake-b"]
    panel = run.manifest["measures"]["panel"]
    assert panel["fit"]["mean_score"] == {"fake-a": 5.0, "fake-b": 4.0}


async def test_a_judge_elsewhere_gets_no_key_but_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One server for the talks, two for judges, of which one wants a key of its own and one none."""
    keys = {"OPENAI_API_KEY": "sk-main-1234567890", "JUDGE_KEY": "sk-judge-0987654321"}
    for name, key in keys.items():
        monkeypatch.setenv(name, key)
    talking = FakeServer(models="fake", require_key=keys["OPENAI_API_KEY"])
    keyed = FakeServer(models="keyed", require_key=keys["JUDGE_KEY"])
    async with talking, keyed, FakeServer(models="open") as free:
        judges = [f"keyed@{keyed.base_url}#JUDGE_KEY", f"open@{free.base_url}"]
        run = await asyncio.to_thread(
            lambda: culturepark.generate(
                base_url=talking.base_url, model="fake", judges=judges, output_dir=str(tmp_path / "run"), **PANEL
            )
        )
    assert {h.get("Authorization") for h in talking.headers} == {f"Bearer {keys['OPENAI_API_KEY']}"}
    assert {h.get("Authorization") for h in keyed.headers} == {f"Bearer {keys['JUDGE_KEY']}"}
    assert {h.get("Authorization") for h in free.headers} == {None}
    assert {read_task(b) for b in talking.seen}.isdisjoint({"harm", "fit"})
    assert {read_task(b) for b in keyed.seen} == {read_task(b) for b in free.seen} == {"harm", "fit"}
    total = sum(server.counts["requests"] for server in (talking, keyed, free))
    assert len(run) == 6 and run.counts().calls == total == run.manifest["calls_this_sitting"]["all"]["calls"]
    for path in run.path.rglob("*"):
        assert path.is_dir() or not any(key.encode() in path.read_bytes() for key in keys.values()), path


@pytest.mark.parametrize(
    ("judge", "code", "words"),
    [
        ("judge@http://127.0.0.1:9/v1#sk_live_0987654321abcdefABCDEF", 2, "NAME of an env"),
        ("sk_live_0987654321abcdefABCDEF@http://127.0.0.1:9/v1", 2, "MODEL@URL"),
        ("judge#sk_live_0987654321abcdefABCDEF", 2, "MODEL@URL#VARIABLE"),
        ("@http://127.0.0.1:9/v1", 2, "MODEL@URL"),
        ("judge@http://user:secret@host/v1", 2, "must not hold a key"),
        ("fake,fake", 2, "named twice"),
    ],
)
def test_a_wrong_judge_gets_one_line_without_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], judge: str, code: int, words: str
) -> None:
    flags = ["--cultures", "arab,korean", "--model", "fake", "--base-url", "http://127.0.0.1:9/v1", "--n", "2"]
    flags += ["--progress", "none", "--encoder", "none", "--outage-patience", "0", "--tries", "1"]
    found = main(["generate", *flags, "--judges", judge, "-o", str(tmp_path / "run")])
    err = capsys.readouterr().err
    assert (found, err.count("\n")) == (code, 1), err
    assert words in err and "sk_live" not in err and "secret" not in err


async def test_a_judge_that_is_gone_stops_the_run_and_burns_nothing(tmp_path: Path) -> None:
    async with FakeServer(models="fake") as server:
        settings = {
            "base_url": server.base_url,
            "model": "fake",
            "outage_patience": 0.2,
            "tries": 2,
            "output_dir": str(tmp_path / "run"),
            **PANEL,
        }
        with pytest.raises(culturepark.EndpointError):
            await asyncio.to_thread(lambda: culturepark.generate(judges=["gone@http://127.0.0.1:9/v1"], **settings))
        stopped = load_run(tmp_path / "run")
        assert stopped.state == "stopped" and stopped.counts().candidates == 0
        async with FakeServer(models="gone") as judge:
            run = await asyncio.to_thread(lambda: culturepark.generate(judges=[f"gone@{judge.base_url}"], **settings))
    assert len(run) == 6
    check_books(run)
