"""A Hub on loopback for each test, the real client pointed at it, and no waiting between tries."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from culturepark.export.write import export_run
from tests.hub.standin import TOKEN, HubStandin

_make_context = cache(ssl.create_default_context)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandin]:
    """The stand-in, with the environment of somebody who is logged in."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http, close_session

    monkeypatch.setattr(ssl, "create_default_context", _make_context)  # reading roots takes 0.1 s

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with HubStandin() as standin:
        monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=standin.waits.append))
        monkeypatch.setenv("HF_ENDPOINT", standin.url)
        yield standin
        close_session()


@pytest.fixture(scope="session")
def mock_run(tmp_path_factory: pytest.TempPathFactory, run_once: Callable[..., Any]) -> Path:
    """A small run, to copy."""
    folder = tmp_path_factory.mktemp("hub") / "run"
    run_once(folder, n=24, sample_types=["single", "multi", "preference"])
    return folder


@pytest.fixture
def folder(tmp_path: Path, mock_run: Path) -> Path:
    return Path(shutil.copytree(mock_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, mock_run: Path) -> Path:
    """A run with an export and no card, to copy."""
    copy = Path(shutil.copytree(mock_run, tmp_path_factory.mktemp("exported") / "run"))
    export_run(copy, ["messages", "preference"])
    return copy


@pytest.fixture
def ready(tmp_path: Path, exported: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "ready"))
