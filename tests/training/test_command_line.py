"""``culturepark train`` and ``generate --then`` as a user types them."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from culturepark.cli import main
from culturepark.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore")

COUNT = f"{sys.executable} -c \"import sys; print('rows', len(open(sys.argv[1]).readlines()))\" {{train}}"


def test_train_with_a_tiny_model(run: Run, tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"--culture arab --base-model {tiny} --max-steps 2 --batch-size 2 --max-length 96 --answers 1 --probes 1"
    code = main(["train", str(run.path), *words.split(), "--answer-tokens", "2", "-o", str(tmp_path / "arab")])
    shown = capsys.readouterr().out
    assert code == 0
    assert "arab: step 2 of 2, loss " in shown and "left" in shown
    assert json.loads((tmp_path / "arab" / "training.json").read_text())["settings"]["max_steps"] == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--culture german --base-model embedded", 2, "no samples of 'german'"),
        ("--base-model no/such/folder", 2, "is no folder here"),
        ("--culture arab", 2, "--base-model"),
        ("--base-model embedded --epochs 0", 2, "--epochs"),
        ("--base-model embedded --hook tlr", 2, "unknown hook 'tlr'"),
        ("--base-model embedded --mix none.jsonl --culture arab", 2, "--mix none.jsonl: cannot be read"),
    ],
)
def test_bad_input_is_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, said: str
) -> None:
    pytest.importorskip("trl")
    assert main(["train", str(run.path), *words.split(), "-o", str(tmp_path / "out")]) == code
    error = capsys.readouterr().err
    assert error.startswith("culturepark: ") and error.count("\n") == 1 and said in error


def test_what_is_no_model_or_no_run_is_one_line(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trl")
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "config.json").write_text('{"model_type": "llama"')
    base = ["--culture", "arab", "--base-model", str(torn)]
    assert main(["train", str(run.path), *base, "-o", str(tmp_path / "out")]) == 2
    assert "cannot be loaded" in capsys.readouterr().err.splitlines()[-1]
    assert main(["train", str(tmp_path / "none"), *base, "-o", str(tmp_path / "out")]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    assert main(["train", str(run.path), "--base-model", "embedded", "-o", str(tmp_path / "out")]) == 6
    assert "pip install 'culturepark[train]'" in capsys.readouterr().err


def test_the_hooks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--list-hooks"])
    assert ended.value.code == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["trl", "openai", "command", "files"]


GENERATE = ["generate", "--cultures", "arab,korean", "--n", "30", "--engine", "mock", "--encoder", "none"]


def test_generate_then_train(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    thens = [
        shlex.join(["train", "--hook", "command", "--command", COUNT, "--culture", c, "-o", str(tmp_path / c)])
        for c in ("arab", "korean")
    ]
    given = [*GENERATE, "-o", str(tmp_path / "run"), "--progress", "none", "--then", thens[0], "--then", thens[1]]
    assert main(given) == 0
    counts = [int(line.split()[1]) for line in capfd.readouterr().out.splitlines() if line.startswith("rows ")]
    assert len(counts) == 2 and min(counts) > 5


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("train --culture german --base-model embedded -o out", "'german', which is not among the cultures"),
        ("train --culture arab --base-model embedded -o out --dpo", "needs --sample-types with preference"),
        ("train --culture arab --base-model no/such/folder -o out", "is no folder here"),
        ("train --culture arab -o out", "--base-model"),
        ("export", "only train can follow"),
        ("train 'x", "cannot be read as words"),
        ("train --hook command --command 'no-such-program' -o out", "no program 'no-such-program'"),
    ],
)
def test_a_wrong_training_is_refused_before_anything_is_generated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], then: str, said: str
) -> None:
    pytest.importorskip("trl")
    assert main([*GENERATE, "-o", str(tmp_path / "run"), "--then", then]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_wrong_flag_of_the_training_is_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*GENERATE, "-o", str(tmp_path / "run"), "--then", "train --cultures arab -o out"])
    assert ended.value.code == 2 and not (tmp_path / "run").exists()
    assert "--cultures" in capsys.readouterr().err
