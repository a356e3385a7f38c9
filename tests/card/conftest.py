"""Runs with cards, made once: two cultures with judges and an export, one classic, one refined again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from culturepark.export.write import export_run
from culturepark.runs.folder import Run
from culturepark.runs.refine import refine_run

Make = Callable[..., Run]
TERMS: dict[str, Any] = {"license": "cc-by-nc-4.0", "contact": "data@cultures.org", "authors": ["Ann Lee"]}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, run_once: Make) -> Path:
    """The folder of all runs; read only."""
    folder = tmp_path_factory.mktemp("cards")
    forms = ["single", "multi", "preference"]
    judged = run_once(folder / "judged", n=40, turns=4, judges=["gpt-4o", "my-judge"], sample_types=forms)
    export_run(judged, ["messages", "preference", "parquet", "alpaca"])
    run_once(folder / "classic", n=12, cultures=["arab"], preset="classic")
    refine_run(judged, min_fit=5, encoder="none", output_dir=str(folder / "refined"))
    return folder


@pytest.fixture
def judged(made: Path, tmp_path: Path) -> Run:
    """Two cultures, two judges, an export in four formats; a copy to write in."""
    shutil.copytree(made / "judged", tmp_path / "judged")
    return Run(tmp_path / "judged")


@pytest.fixture
def classic(made: Path, tmp_path: Path) -> Run:
    """One culture, the classic preset, no judges named, no export."""
    shutil.copytree(made / "classic", tmp_path / "classic")
    return Run(tmp_path / "classic")


@pytest.fixture
def refined(made: Path, tmp_path: Path) -> Run:
    """The judged run refined again with a higher bar, its origin beside it."""
    for name in ("judged", "refined"):
        shutil.copytree(made / name, tmp_path / name)
    return Run(tmp_path / "refined")
