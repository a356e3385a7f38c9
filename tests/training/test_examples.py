"""The examples about training run as they stand, over the tiny model."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from culturepark.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generate_then_train(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("generate_then_train").main(str(tmp_path / "run"), str(tmp_path / "arab"), tiny, steps=2)
    assert "distance to the survey: 0." in capsys.readouterr().out
    assert (tmp_path / "arab" / "adapter_model.safetensors").exists()


def test_trl_script(run: Run, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("trl_script").main(str(run.path), "arab", tiny, str(tmp_path / "own"), steps=4)
    assert capsys.readouterr().out.count("survey (arab): step") >= 4
    assert (tmp_path / "own" / "adapter_model.safetensors").exists()


def test_custom_hook(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("custom_hook").main(str(run.path), str(tmp_path))
    assert "words" in capsys.readouterr().out and (tmp_path / "all.json").exists()
