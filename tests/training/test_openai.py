"""The hook ``openai`` against a stand-in of the service, through the real SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import ConfigError, DataError, EndpointError
from culturepark.runs.folder import Run
from culturepark.training import openai_hook
from culturepark.training.train import train
from tests.training.finetuning import Service

KEY = "sk-test-0123456789abcdefSECRET"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_, **__: 0.01)


def tune(run: Run, service: Service, out: Path, lines: list[str] | None = None, **more: Any) -> Any:
    given = {"hook": "openai", "culture": "arab", "base_model": "small-1", "base_url": service.url, "poll_s": 0.01}
    say = (lines if lines is not None else []).append
    return train(run, say=say, output_dir=str(out), **{**given, **more})[0]


def test_uploads_starts_and_follows_to_the_end(run: Run, tmp_path: Path, lines: list[str]) -> None:
    with Service() as service:
        result = tune(run, service, tmp_path / "out", lines, suffix="park", epochs=2, seed=9)
    assert result.facts["model"] == "ft:small-1:x" and result.facts["status"] == "succeeded"
    (job,) = service.jobs.values()
    assert job["suffix"] == "park" and job["seed"] == 9
    assert job["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    rows = [json.loads(line) for line in service.contents[job["training_file"]].decode().splitlines()]
    assert len(rows) > 10 and all(set(row) == {"messages"} for row in rows)
    assert job["validation_file"] in service.files and job["validation_file"] != job["training_file"]
    assert [line for line in lines if "step" in line] == [f"arab: step {k}" for k in range(3)]
    assert service.keys == {f"Bearer {KEY}"}
    assert KEY not in "".join(p.read_text() for p in (tmp_path / "out").rglob("*") if p.is_file()) + "".join(lines)


def test_a_restart_follows_the_same_job(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Service(steps=4) as service:
        with monkeypatch.context() as patch:

            def stop(_: float) -> None:
                raise KeyboardInterrupt

            patch.setattr(openai_hook.time, "sleep", stop)
            with pytest.raises(KeyboardInterrupt):
                tune(run, service, tmp_path / "out")
        result = tune(run, service, tmp_path / "out")
        assert result.facts["model"] and len(service.jobs) == 1 and len(service.files) == 2
        tune(run, service, tmp_path / "out")  # done already: it looks once and starts nothing
        assert len(service.jobs) == 1 and len(service.files) == 2


@pytest.mark.parametrize("lost", [("POST", "/files"), ("POST", "/jobs"), ("GET", "/events"), ("GET", "/jobs")])
def test_a_lost_answer_never_pays_twice(run: Run, tmp_path: Path, lost: tuple[str, str]) -> None:
    with Service() as service:
        service.lose.append(lost)
        try:
            tune(run, service, tmp_path / "out")
        except EndpointError as error:
            assert "the same command goes on" in str(error)
        assert not service.lose
        assert tune(run, service, tmp_path / "out").facts["status"] == "succeeded"
        assert len(service.jobs) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "refuses the key in OPENAI_API_KEY"), (403, "refuses the key"), (400, "HTTP 400"), (404, "does not know")],
)
def test_a_refusal_is_one_line_without_the_key(run: Run, tmp_path: Path, status: int, words: str) -> None:
    with Service() as service:
        service.refuse.append((status, "no way"))
        with pytest.raises(EndpointError, match=words) as caught:
            tune(run, service, tmp_path / "out")
    assert KEY not in str(caught.value) and "\n" not in str(caught.value)


def test_short_trouble_is_waited_out(run: Run, tmp_path: Path) -> None:
    with Service() as service:
        service.refuse += [(500, "oops"), (429, "slow down")]
        assert tune(run, service, tmp_path / "out").facts["status"] == "succeeded"
        assert len(service.jobs) == 1


def test_a_failed_job_is_told_and_restart_begins_anew(run: Run, tmp_path: Path) -> None:
    with Service(fate="failed") as service:
        with pytest.raises(EndpointError, match="ended as failed: row 3 is bad; --restart"):
            tune(run, service, tmp_path / "out")
        service.fate = "succeeded"
        tune(run, service, tmp_path / "out", restart=True)
        assert len(service.jobs) == 2


def test_what_cannot_be_is_said_before_anything_is_sent(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Service() as service:
        tune(run, service, tmp_path / "out")
        sent = len(service.calls)
        with pytest.raises(ConfigError, match="other settings or data"):
            tune(run, service, tmp_path / "out", seed=1)
        with pytest.raises(ConfigError, match="learns from samples only"):
            tune(run, service, tmp_path / "dpo", method="dpo")
        monkeypatch.setattr(openai_hook, "FEWEST", 1000)
        with pytest.raises(DataError, match="the service asks for 1000"):
            tune(run, service, tmp_path / "few")
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(ConfigError, match="key in the environment variable OPENAI_API_KEY"):
            tune(run, service, tmp_path / "out")
        assert len(service.calls) == sent
