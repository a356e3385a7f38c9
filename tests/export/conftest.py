"""One small run for all tests of exports: several topics, every form of sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
