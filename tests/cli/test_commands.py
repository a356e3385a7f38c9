"""Commands as a user types them: what they print, what they leave, how they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from culturepark.cli import main
from culturepark.runs.folder import load_run
from tests.fakeserver import FakeServer

Capture = pytest.CaptureFixture[str]
MOCK = ["--cultures", "arab,korean", "--engine", "mock", "--encoder", "none", "--progress", "none"]


def call(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_generate_makes_exactly_n(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "run"
    code, out, _ = call(capsys, "generate", *MOCK, "--n", "24", "-o", str(folder))
    assert code == 0
    assert f"24 samples in {folder}" in out
    run = load_run(folder)
    samples = list(run.samples())
    assert len(samples) == len({s.id for s in samples}) == 24
    assert {c: sum(s.culture == c for s in samples) for c in ("arab", "korean")} == {"arab": 12, "korean": 12}
    counts = run.counts()
    assert counts.candidates == counts.accepted + counts.rejected + counts.failed
    assert counts.rejected + counts.failed == len(list(run.rejected()))
    assert len(list(run.dialogues())) == counts.dialogues
    assert (folder / "README.md").read_text().startswith("---\nconfigs:")


def test_the_same_command_twice_does_nothing_more(tmp_path: Path, capsys: Capture) -> None:
    arguments = ("generate", *MOCK[:-1], "plain", "--n", "6", "-o", str(tmp_path / "run"))
    call(capsys, *arguments)
    before = (tmp_path / "run" / "samples.jsonl").read_bytes()
    code, out, err = call(capsys, *arguments)
    assert code == 0 and "Nothing to do" in err
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == before


def test_another_configuration_refuses_the_folder_and_names_the_difference(tmp_path: Path, capsys: Capture) -> None:
    call(capsys, "generate", *MOCK, "--n", "6", "-o", str(tmp_path / "run"))
    code, _, err = call(capsys, "generate", *MOCK, "--n", "6", "--seed", "5", "-o", str(tmp_path / "run"))
    assert code == 2
    assert "seed: 0 there, 5 now" in err


def test_run_settings_may_change(tmp_path: Path, capsys: Capture) -> None:
    call(capsys, "generate", *MOCK, "--n", "6", "-o", str(tmp_path / "run"))
    code, _, _ = call(capsys, "generate", *MOCK, "--n", "6", "--concurrency", "3", "-o", str(tmp_path / "run"))
    assert code == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--resume", "never"], "holds a run already"),
        (["--resume", "always", "-o", "elsewhere"], "no run to resume"),
    ],
)
def test_resume_words(tmp_path: Path, capsys: Capture, flags: list[str], words: str) -> None:
    call(capsys, "generate", *MOCK, "--n", "4", "-o", str(tmp_path / "run"))
    flags = [str(tmp_path / f) if f == "elsewhere" else f for f in flags]
    code, _, err = call(capsys, "generate", *MOCK, "--n", "4", "-o", str(tmp_path / "run"), *flags)
    assert code == 2 and words in err


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--cultures", "koraen"], 2, "did you mean 'korean'"),
        (["--topics", "parents_prid"], 2, "did you mean 'parents_pride'"),
        (["--style", "cross", "--cultures", "korean"], 2, "at least two cultures"),
        (["--cultures", "english"], 2, "main contact"),
        (["--n", "0"], 2, "n:"),
        (["--max-candidates", "2"], 2, "below n"),
        (["--cultures", "chinese", "--topics", "elections"], 2, "no measured stance"),
        (["--config", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["--personas", "nowhere"], 3, "nowhere"),
        (["--prompts", "nowhere"], 3, "nowhere"),
        (["--api-key-env", "sk-abc123"], 2, "NAME of an environment variable"),
        (["--base-url", "ftp://x"], 2, "http"),
        (["--base-url", "http://user:secret@host/v1"], 2, "must not hold a key"),
        (["--base-url", "http://user:sec/secret@host/v1"], 2, "must not hold a key"),
        (["--base-url", "http://host/sk-abc123/v1"], 2, "must not hold a key"),
        (["--extra-body", '{"user": {"api_key": "secret"}}'], 2, "extra_body: must not hold a key"),
        (["--extra-body", '{"token": "secret"}'], 2, "extra_body: must not hold a key"),
        (["--extra-body", '{"stop": ["sk-abc123sk-abc123sk-abc123"]}'], 2, "extra_body: must not hold a key"),
        (["--vllm-args=--hf-token=secret"], 2, "vllm_args: must not hold a key"),
        (["--vllm-args=--hf_token,secret"], 2, "vllm_args: must not hold a key"),
        (["--model", "sk-abc123sk-abc123sk-abc123"], 2, "model: must be the name"),
    ],
)
def test_wrong_input_gets_one_line(tmp_path: Path, capsys: Capture, flags: list[str], code: int, words: str) -> None:
    arguments = ["generate", "--n", "4", *MOCK, "-o", str(tmp_path / "run"), *flags]
    found, _, err = call(capsys, *arguments)
    assert found == code
    assert words in err and err.count("\n") == 1
    assert "sk-abc123" not in err and "secret" not in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flags", [["--api-key", "secret"], ["--api_key=secret"], ["secret", "--api-key"]])
def test_what_follows_an_unknown_flag_is_not_repeated(capsys: Capture, flags: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call(capsys, "generate", *flags)
    err = capsys.readouterr().err
    assert ended.value.code == 2 and "did you mean '--api-key-env'?" in err and err.count("\n") == 1
    assert "secret" not in err


def test_used_up_memory_is_one_line(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(options: object) -> int:
        raise MemoryError

    monkeypatch.setattr("culturepark.cli.browse.run_cultures", fail)
    code, _, err = call(capsys, "cultures")
    assert code == 1 and "memory is used up" in err and err.count("\n") == 1


def test_no_model_at_all_says_what_to_set(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("culturepark.llm.servers.embedded_missing", lambda: "not there")
    code, _, err = call(capsys, "generate", "--n", "2", "-o", str(tmp_path / "run"))
    assert code == 2
    assert "OPENAI_API_KEY" in err and "culturepark setup local" in err and "--base-url" in err


def test_config_file_and_flags(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("n: 50\ncultures: [korean, turkish]\nengine: mock\nprogress: none\n")
    code, out, _ = call(capsys, "generate", "-c", str(file), "--n", "8", "-o", str(tmp_path / "run"))
    assert code == 0 and "8 samples" in out
    file.write_text("culture: [korean]\n")
    code, _, err = call(capsys, "generate", "-c", str(file))
    assert code == 2 and "did you mean 'cultures'" in err


def test_dry_run_makes_no_call_and_no_folder(tmp_path: Path, capsys: Capture) -> None:
    code, out, _ = call(capsys, "generate", *MOCK, "--n", "5000", "--dry-run", "-o", str(tmp_path / "run"))
    assert code == 0
    assert "5000 samples" in out and "Calls:" in out
    assert not (tmp_path / "run").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    code, _, err = call(capsys, "generate", *MOCK, "--n", "4", "-o", str(tmp_path))
    assert code == 2 and "thesis.txt" in err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_preview_keeps_nothing(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = call(capsys, "preview", *MOCK)
    assert code == 0 and "Nothing was kept" in out and "thinks:" in out
    assert list(tmp_path.iterdir()) == []


def test_validate_and_doctor_need_no_model(capsys: Capture) -> None:
    code, out, _ = call(capsys, "validate", "--cultures", "all", "--n", "800", "--topic-size", "1")
    assert code == 0 and "50 topics" in out and "not asked" in out
    code, out, _ = call(capsys, "doctor")
    assert code == 0 and "langgraph" in out


def test_status_and_show(tmp_path: Path, capsys: Capture) -> None:
    call(capsys, "generate", *MOCK, "--n", "12", "-o", str(tmp_path / "run"))
    code, out, _ = call(capsys, "status", str(tmp_path / "run"), "--json")
    figures = json.loads(out)
    assert code == 0 and figures["accepted"] == 12 and figures["left"] == 0 and figures["state"] == "complete"
    assert figures["candidates"] == figures["accepted"] + figures["rejected"] + figures["failed"]
    sample = next(load_run(tmp_path / "run").samples())
    code, out, _ = call(capsys, "show", str(tmp_path / "run"), sample.id)
    flat = " ".join(out.split())
    assert code == 0
    for part in (sample.id, sample.lineage["survey"]["item"], "drawn from", "verdicts", "prompts"):
        assert part in flat
    assert " ".join(sample.messages[-1]["content"].split())[:60] in flat
    code, _, err = call(capsys, "show", str(tmp_path / "run"), "d999999")
    assert code == 3 and "d999999" in err
    code, _, err = call(capsys, "status", str(tmp_path))
    assert code == 3 and "not a run folder" in err


def test_cultures_and_topics(capsys: Capture) -> None:
    code, out, _ = call(capsys, "cultures")
    assert code == 0 and all(name in out for name in ("arab", "bengali", "turkish"))
    code, out, _ = call(capsys, "cultures", "ko")
    assert code == 0 and "not covered" in out and "disagree" in out
    code, out, _ = call(capsys, "topics", "Q27")
    assert code == 0 and "parents_pride" in out and "unweighted" in out
    code, out, _ = call(capsys, "topics")
    assert code == 0 and "chinese" in out  # was not asked the election items


def test_model_text_cannot_steer_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    from culturepark.cli.conversation import plain

    assert plain("red \x1b[31m [bold]x[/bold] \u202e") == "red [31m [bold]x[/bold] "


async def serve(server: FakeServer, work: Callable[[str], Any]) -> Any:
    async with server as running:
        return await asyncio.to_thread(work, running.base_url)


SERVED = ["--cultures", "arab,korean", "--n", "6", "--model", "fake", "--progress", "none", "--turns", "4"]
SERVED += ["--encoder", "none"]


async def test_a_plain_server_works(tmp_path: Path, capsys: Capture) -> None:
    def work(url: str) -> tuple[int, str, str]:
        return call(capsys, "generate", *SERVED, "--base-url", url, "-o", str(tmp_path / "run"))

    code, out, err = await serve(FakeServer(models="fake"), work)
    assert code == 0, err
    assert load_run(tmp_path / "run").counts().accepted == 6


async def test_half_of_the_json_broken_loses_nothing(tmp_path: Path, capsys: Capture) -> None:
    def work(url: str) -> tuple[int, str, str]:
        return call(capsys, "generate", *SERVED, "--base-url", url, "-o", str(tmp_path / "run"))

    code, _, err = await serve(FakeServer(models="fake", p_badjson=0.5, p_500=0.1), work)
    run = load_run(tmp_path / "run")
    counts = run.counts()
    assert code == 0, err
    assert counts.accepted == 6
    assert counts.candidates == 6 + counts.rejected + counts.failed
    assert counts.rejected + counts.failed == len(list(run.rejected()))


@pytest.mark.parametrize(
    ("server", "flags", "words"),
    [
        (FakeServer(models="fake", require_key="right-key"), [], "key"),
        (FakeServer(models="other"), ["--model", "fake"], "fake"),
    ],
    ids=["wrong key", "unknown model"],
)
async def test_a_refusing_server_stops_at_once(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, server: FakeServer, flags: list[str], words: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key-1234567890")

    def work(url: str) -> tuple[int, str, str]:
        return call(capsys, "generate", *SERVED, *flags, "--base-url", url, "-o", str(tmp_path / "run"))

    code, _, err = await serve(server, work)
    assert code == 4
    assert words in err and err.count("\n") == 1
    assert load_run(tmp_path / "run").counts().candidates == 0
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"sk-wrong-key-1234567890" not in path.read_bytes()


async def test_the_only_model_of_a_server_is_taken(tmp_path: Path, capsys: Capture) -> None:
    flags = ["generate", "--n", "2", "--cultures", "korean", "--progress", "none", "-o", str(tmp_path / "run")]

    def work(url: str) -> tuple[int, str, str]:
        return call(capsys, *flags, "--base-url", url)

    code, _, err = await serve(FakeServer(models="only-one"), work)
    assert code == 0, err
    assert load_run(tmp_path / "run").manifest["config"]["model"] == "only-one"
    code, _, err = await serve(FakeServer(models="one,two"), work)
    assert code == 2 and "--model" in err and "one, two" in err


async def test_a_langchain_model_does_the_same_work(tmp_path: Path, capsys: Capture) -> None:
    flags = ["generate", "--n", "2", "--cultures", "korean", "--progress", "none", "--engine", "langchain"]

    def work(url: str) -> tuple[int, str, str]:
        model = ["--model", "openai:fake", "--base-url", url, "-o", str(tmp_path / "run")]
        return call(capsys, *flags, *model)

    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sk-planted-0987654321")
        code, _, err = await serve(FakeServer(models="fake", require_key="sk-planted-0987654321"), work)
    assert code == 0, err
    assert load_run(tmp_path / "run").counts().accepted == 2
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"sk-planted" not in path.read_bytes()


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--engine", "vllm", "--model", "some/model"], 6, "pip install"),
        (["--engine", "vllm"], 2, "needs --model"),
        (["--engine", "langchain", "--model", "nocolon"], 2, "provider:model"),
        (["--base-url", "http://127.0.0.1:9/v1"], 4, "connect"),
        (["--engine", "openai", "--model", "gpt-4o-mini"], 2, "OPENAI_API_KEY"),
    ],
)
def test_engines_that_cannot_start(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, flags: list[str], code: int, words: str
) -> None:
    monkeypatch.setattr("culturepark.llm.servers.find_vllm", lambda: None)
    arguments = ["generate", "--cultures", "korean", "--n", "2", "--progress", "none", "-o", str(tmp_path / "run")]
    found, _, err = call(capsys, *arguments, *flags)
    assert (found, err.count("\n")) == (code, 1), err
    assert words in err


async def test_doctor_tells_what_a_server_can_do(capsys: Capture) -> None:
    def work(url: str) -> tuple[int, str, str]:
        return call(capsys, "doctor", "--base-url", url)

    code, out, err = await serve(FakeServer(models="fake"), work)
    assert code == 0, err
    for line in ("reachable", "serves the first model", "JSON schema output", "log-probabilities", "context length"):
        assert line in out
    gone = ("doctor", "--base-url", "http://127.0.0.1:9/v1", "--model", "x")
    code, out, err = await asyncio.to_thread(call, capsys, *gone)
    assert code == 4 and "reachable" in out and "not ready" in err


@pytest.mark.local
def test_the_embedded_model_runs_the_main_job(tmp_path: Path, capsys: Capture) -> None:
    """The real small model, from survey figures to samples on disk."""
    from culturepark.llm.servers import embedded_missing

    if embedded_missing():
        pytest.skip(f"{embedded_missing()}")
    flags = ["--cultures", "arab,korean", "--n", "2", "--topics", "parents_pride", "--turns", "4"]
    code, out, err = call(capsys, "generate", *flags, "--progress", "none", "-o", str(tmp_path / "run"))
    assert code == 0, err
    run = load_run(tmp_path / "run")
    assert run.manifest["config"]["engine"] == "local" and len(run) == 2
    assert all(t.model == "smollm2-135m-instruct" for d in run.dialogues() for t in d.turns)
    code, out, _ = call(capsys, "show", str(tmp_path / "run"))
    assert code == 0 and "wvs7 Q27" in out
