"""One small run for all tests of exports: several topics, every form of sample."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import culturepark
from culturepark.export.formats import FORMATS
from culturepark.runs.folder import Run, load_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, run_once: Callable[..., Any]) -> Path:
    """The folder of a finished run; nobody writes into it."""
    folder = tmp_path_factory.mktemp("export") / "run"
    run_once(folder, n=96, topic_size=4, sample_types=["single", "multi", "reasoning", "preference"])
    return folder


@pytest.fixture
def run(finished: Path) -> Run:
    return load_run(finished)


@pytest.fixture(scope="session")
def exported(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run with every format in its own folder; nobody writes into it."""
    folder = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(finished, folder)
    culturepark.export_run(folder, list(FORMATS))
    return folder
