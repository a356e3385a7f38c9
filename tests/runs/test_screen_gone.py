"""A screen that goes away, is closed or full: the run goes on, is saved, and ends with its own exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from culturepark.cli import main
from culturepark.runs.events import echo_json
from culturepark.runs.folder import load_run
from culturepark.runs.outlet import open_outlet
from culturepark.runs.progress import choose_display

RUN = ["generate", "--engine", "mock", "--cultures", "arab", "--n", "4", "--encoder", "none"]
SHOWN = (["--progress", "plain"], ["--progress", "rich"], ["--log-format", "json"], [])
GONE = ("full", "closed", "none", "pipe")


@pytest.fixture
def gone(request: pytest.FixtureRequest) -> Iterator[TextIO | None]:
    """A stream to which nothing can be written any more."""
    if request.param == "none":
        yield None
        return
    if request.param == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
        stream = os.fdopen(writer, "w", buffering=1)
    else:
        stream = open("/dev/full" if request.param == "full" else os.devnull, "w", buffering=1)
    if request.param == "closed":
        stream.close()
    yield stream
    try:
        stream.close()
    except OSError:
        return


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("gone", GONE, indirect=True)
@pytest.mark.parametrize("shown", SHOWN, ids=" ".join)
def test_a_run_outlives_its_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: TextIO | None, shown: list[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", gone)
    assert main([*RUN, *shown, "-o", str(tmp_path / "run")]) == 0
    assert sys.stderr is gone
    run = load_run(tmp_path / "run")
    assert run.state == "complete" and len(run) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("gone", GONE, indirect=True)
def test_a_fault_keeps_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: TextIO | None) -> None:
    monkeypatch.setattr(sys, "stderr", gone)
    assert main(["status", str(tmp_path / "nowhere")]) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("gone", GONE, indirect=True)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_display_of_a_program_outlives_its_screen(
    monkeypatch: pytest.MonkeyPatch, gone: TextIO | None, log_format: str
) -> None:
    monkeypatch.setattr(sys, "stderr", gone)
    choose_display("auto", log_format=log_format).say("a remark")
    echo_json()({"kind": "start"})


def test_an_outlet_passes_on_what_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    outlet = open_outlet(sys.stdout)
    print("here", file=outlet, flush=True)
    assert capsys.readouterr().out == "here\n" and open_outlet(outlet) is outlet
    assert outlet.encoding == sys.stdout.encoding and not outlet.isatty()
