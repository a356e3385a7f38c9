"""Figures for Prometheus and OpenTelemetry: the real packages read real ports and files."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import ConfigError, MissingPartError
from culturepark.runs import metrics
from culturepark.runs.metrics import METRICS, open_gauges

VALUES: dict[str, float] = {"samples_accepted": 12, "calls": 40, "dialogues_open": 3}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_is_opened_unless_asked_for() -> None:
    gauges = open_gauges(None, lambda: pytest.fail("nobody asked"))  # type: ignore[arg-type,return-value]
    gauges.beat()
    gauges.close()


def test_prometheus_reads_a_port_of_this_machine() -> None:
    port, values = free_port(), dict(VALUES)
    gauges = open_gauges(str(port), lambda: values)
    try:
        values["samples_accepted"] = 13
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        gauges.close()
    assert "culturepark_samples_accepted_total 13.0" in text and "culturepark_dialogues_open 3.0" in text
    assert all(f"culturepark_{name}" in text for name, _, _ in METRICS)
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1)


def test_prometheus_reads_a_file(tmp_path: Path) -> None:
    values = dict(VALUES)
    gauges = open_gauges(str(tmp_path / "run.prom"), lambda: values)
    values["calls"] = 41
    gauges.close()
    assert "culturepark_calls_total 41.0" in (tmp_path / "run.prom").read_text()


def test_a_port_in_use_and_a_folder_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot be opened"):
            open_gauges(str(taken.getsockname()[1]), lambda: VALUES)
    with pytest.raises(ConfigError, match="is no folder"):
        open_gauges(str(tmp_path / "no" / "file"), lambda: VALUES)
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_gauges("99999", lambda: VALUES)


@pytest.mark.parametrize(("where", "package"), [("1234", "prometheus_client"), ("otel", "opentelemetry")])
def test_a_missing_package_is_named(where: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = __import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith(package):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.__import__", refuse)
    with pytest.raises(MissingPartError, match="pip install"):
        metrics.open_gauges(where, lambda: VALUES)
