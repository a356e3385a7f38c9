"""One mock run and one tiny model for all tests of training; foreign packages' own warnings are not ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from culturepark.runs.folder import Run
from tests.training.tiny import make_model


@pytest.fixture(scope="session")
def run(run_once: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Eighty samples of two cultures, pairs among them."""
    folder = tmp_path_factory.mktemp("training") / "run"
    made: Run = run_once(folder, n=80, sample_types=["single", "preference"], topics=["family", "work", "safety"])
    return made


@pytest.fixture(scope="session")
def tiny(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny base model. Skips without torch and its company."""
    for package in ("torch", "transformers", "trl", "peft"):
        pytest.importorskip(package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        texts = [m["content"] for sample in run.samples() for m in sample.messages]
        return str(make_model(tmp_path_factory.mktemp("tiny") / "tiny-base", texts))


@pytest.fixture
def lines() -> list[str]:
    """What a hook says."""
    return []
