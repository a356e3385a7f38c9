"""Settings, the table of hooks, hooks by entry point, and the hooks that hand files over."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml

from culturepark.errors import ConfigError, DataError, MissingPartError
from culturepark.runs.folder import Run
from culturepark.training import hooks
from culturepark.training.command_hook import fill_words
from culturepark.training.hooks import TrainResult, find_hook, list_hooks
from culturepark.training.settings import build_settings
from culturepark.training.train import train


class Counting:
    """A third party's hook."""

    def __init__(self, settings: Any, say: Any) -> None:
        self.folder, self.say = Path(settings.output_dir), say

    def on_dataset(self, run: Run, culture: str | None) -> TrainResult:
        count = sum(sample.culture == culture for sample in run.samples())
        self.say(f"{culture}: {count}")
        return TrainResult(culture, self.folder, {"count": count})


def register(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    made = [EntryPoint(name, value, hooks.GROUP) for name, value in entries]
    monkeypatch.setattr(hooks, "entry_points", lambda group: made if group == "culturepark.trainers" else [])


def test_a_registered_hook_is_listed_and_called_for_each_culture(
    run: Run, tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "third_party", sys.modules[__name__])
    register(monkeypatch, ("counting", "third_party:Counting"), ("trl", "third_party:Counting"))
    assert list_hooks()["counting"] == "from third_party:Counting"
    assert find_hook("trl") is not Counting  # a built-in name cannot be taken over
    results = train(run, say=lines.append, hook="counting", output_dir=str(tmp_path / "out"))
    assert [r.culture for r in results] == ["arab", "korean"] and sum(r.facts["count"] for r in results) == len(run)
    assert len(lines) == 2


def test_unknown_and_broken_hooks_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, ("broken", "no_such_module:Hook"))
    with pytest.raises(MissingPartError, match="'broken' .no_such_module:Hook.: cannot be loaded"):
        find_hook("broken")
    with pytest.raises(ConfigError, match="unknown hook 'comand' .did you mean 'command'"):
        find_hook("comand")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"output_dir": ""}, "-o DIR"),
        ({"base_model": ""}, "--base-model"),
        ({"epochs": 0}, "--epochs: "),
        ({"epoch": 3}, "no setting 'epoch' .did you mean 'epochs'"),
        ({"hook": "command"}, "--command"),
        ({"argv": "ls"}, "--command needs --hook command"),
        ({"mix_share": 1.0}, "--mix-share: "),
        ({"method": "rlhf"}, "--method: "),
    ],
)
def test_a_wrong_setting_is_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        build_settings({"output_dir": "out", "base_model": "embedded", **given})
    assert "\n" not in str(caught.value)


def test_the_run_folder_and_a_file_are_no_places_for_a_model(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is the run's own folder"):
        train(run, hook="files", base_model="x/y", output_dir=str(run.path))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file: is a file; give a folder"):
        train(run, hook="files", base_model="x/y", output_dir=str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be written"):
        train(run, hook="files", base_model="x/y", output_dir=str(tmp_path / "file" / "in"))


def test_a_training_that_fails_takes_its_empty_folder_along(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no samples from the country"):
        train(run, hook="files", base_model="x/y", output_dir=str(tmp_path / "a" / "b"), held_out="JPN")
    assert not (tmp_path / "a").exists()


COUNT = "import json,sys; print(json.dumps(sys.argv[1:])); open(sys.argv[-1] + '/seen', 'w').write(sys.argv[1])"


def test_a_command_gets_files_and_words_without_a_shell(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "with space; touch bad"
    command = f'{sys.executable} -c "{COUNT}" {{train}} "{{culture}} {{seed}} {{base_model}}" {{validation}} {{pairs_train}} {{out}}'
    (result,) = train(
        run,
        say=lambda _: None,
        hook="command",
        argv=command,
        culture="arab",
        seed=3,
        base_model="$(id) `id`",
        output_dir=str(out),
        method="sft+dpo",
    )
    seen = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert seen[1] == "arab 3 $(id) `id`" and seen[-1] == str(out)
    rows = [json.loads(line) for line in Path(seen[0]).read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 10 and all(row["messages"][-1]["role"] == "assistant" for row in rows)
    pairs = [json.loads(line) for line in Path(seen[3]).read_text(encoding="utf-8").splitlines()]
    assert set(pairs[0]) == {"prompt", "chosen", "rejected"}
    assert result.folder == out and (out / "seen").exists() and not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"{sys.executable} -c 'raise SystemExit(7)' {{train}}", "ended with 7"),
        (f"{sys.executable} -c 'import os; os.kill(os.getpid(), 9)'", "ended by signal 9"),
        ("no-such-program {train}", "no program 'no-such-program'"),
        ("python '{train}", "cannot be read as words"),
        ("python {trian}", "unknown placeholder {trian} .did you mean 'train'"),
    ],
)
def test_a_command_that_fails_is_one_line(run: Run, tmp_path: Path, command: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        train(run, say=lambda _: None, hook="command", argv=command, culture="arab", output_dir=str(tmp_path / "out"))


def test_a_filled_word_stays_one_word_and_other_braces_stay() -> None:
    assert fill_words(["a {x}", "{X}{}", '{"k": 1}'], {"x": "{y} z"}) == ["a {y} z", "{X}{}", '{"k": 1}']


def test_a_llamafactory_project_points_at_its_files(run: Run, tmp_path: Path, lines: list[str]) -> None:
    train(
        run, say=lines.append, hook="files", base_model="some/model", output_dir=str(tmp_path), method="sft+dpo", seed=5
    )
    for culture in ("arab", "korean"):
        folder = tmp_path / culture
        table = json.loads((folder / "data" / "dataset_info.json").read_text())
        for name, entry in table.items():
            row = json.loads((folder / "data" / entry["file_name"]).read_text(encoding="utf-8").splitlines()[0])
            assert {row[c] is not None for c in entry["columns"].values()} == {True}, name
            assert entry.get("ranking", False) == ("pairs" in name)
            assert {m["role"] for m in row["messages"]} <= {entry["tags"][t] for t in entry["tags"]}
        for stage in ("sft", "dpo"):
            config = yaml.safe_load((folder / f"{stage}.yaml").read_text())
            assert config["stage"] == stage and config["dataset"] in table
            assert config.get("eval_dataset", "none") in ({*table, "none"} if stage == "dpo" else table)
            assert config["model_name_or_path"] == "some/model" and config["seed"] == 5
            assert config["warmup_steps"] >= 1 and "warmup_ratio" not in config  # which transformers 5 gives up
    assert "llamafactory-cli train sft.yaml && llamafactory-cli train dpo.yaml" in lines[0]


def test_an_axolotl_project_points_at_its_files(run: Run, tmp_path: Path) -> None:
    train(
        run,
        say=lambda _: None,
        hook="files",
        project="axolotl",
        culture="korean",
        base_model="some/model",
        output_dir=str(tmp_path / "out"),
        max_steps=9,
    )
    config = yaml.safe_load((tmp_path / "out" / "sft.yaml").read_text())
    for entry in (*config["datasets"], *config["test_datasets"]):
        row = json.loads((tmp_path / "out" / entry["path"]).read_text(encoding="utf-8").splitlines()[0])
        assert set(row[entry["field_messages"]][0]) == {"role", "content"}
        assert entry["roles_to_train"] == ["assistant"]
    assert config["base_model"] == "some/model" and config["max_steps"] == 9 and config["sample_packing"] is False
    assert not (tmp_path / "out" / "dpo.yaml").exists()
