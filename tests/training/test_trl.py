"""The hook ``trl`` over a tiny random model: what it leaves, going on after a kill, pairs, bad ends."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import ConfigError, DataError
from culturepark.runs.folder import Run
from culturepark.runs.lock import take_lock
from culturepark.training import lora, place, trl_hook
from culturepark.training.callbacks import make_progress
from culturepark.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore")  # torch, transformers and trl warn of their own future

FAST: dict[str, Any] = {
    "culture": "arab",
    "batch_size": 2,
    "max_length": 96,
    "max_steps": 6,
    "lora_r": 4,
    "learning_rate": 5e-3,
    "answers": 2,
    "answer_tokens": 4,
    "probes": 3,
    "save_steps": 2,
}


def read_weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "adapter_model.safetensors"))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(bool((one[k] == other[k]).all()) for k in one)


@pytest.fixture(scope="module")
def trained(run: Run, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training, to look at."""
    out = tmp_path_factory.mktemp("trained") / "arab"
    train(run, say=lambda _: None, base_model=tiny, output_dir=str(out), merge=True, **FAST)
    return out


def test_what_is_left_opens_in_plain_peft_and_has_moved(trained: Path, tiny: str) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(trained)
    ids = tokenizer("hello there", return_tensors="pt")
    base = AutoModelForCausalLM.from_pretrained(tiny).eval()
    with torch.inference_mode():
        bare = base(**ids).logits
        tuned = PeftModel.from_pretrained(base, trained).eval()(**ids).logits
        merged = AutoModelForCausalLM.from_pretrained(trained / "merged").eval()(**ids).logits
    assert not torch.allclose(bare, tuned, atol=1e-3)
    assert torch.allclose(tuned, merged, atol=1e-4)
    assert tokenizer.chat_template
    assert not (trained / "work").exists()


def test_record_and_card_tell_the_story(trained: Path, tiny: str, run: Run) -> None:
    facts = json.loads((trained / "training.json").read_text())
    assert facts["state"] == "finished" and facts["steps"] == 6
    assert facts["data"]["run"] == run.manifest.get("run_id", run.path.name)
    assert facts["survey_fit"]["probes"] == 3
    assert facts["data"]["rows"]["chats"]["train"] > 10
    names = [name for name, *_ in facts["losses"]]
    assert names[0] == "training" and "test" in names
    first, last = facts["losses"][names.index("test")][1:]
    assert last < first
    card = (trained / "README.md").read_text()
    for word in ("tiny-base", "World Values Survey", "Not for", "held out: ", "curve.svg", "| before | after |"):
        assert word.casefold() in card.casefold(), word
    everything = card + json.dumps(facts) + (trained / "answers.md").read_text() + (trained / "log.jsonl").read_text()
    assert str(Path(tiny).parent) not in everything  # no path of this machine goes out with the adapter
    assert len((trained / "survey_fit.jsonl").read_text().splitlines()) == 3
    assert (trained / "curve.svg").read_text().count("<polyline") >= 2


def test_topics_asked_about_were_not_trained_on(trained: Path, run: Run) -> None:
    from culturepark.export.dataset import sft_dataset

    asked = {json.loads(line)["topic"] for line in (trained / "survey_fit.jsonl").read_text().splitlines()}
    assert asked and not asked & set(sft_dataset(run, "arab", "train").unique("topic"))


def test_the_same_again_is_not_trained_twice(
    trained: Path, run: Run, tiny: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("trained again")

    monkeypatch.setattr(trl_hook, "open_base", never)
    train(run, say=lines.append, base_model=tiny, output_dir=str(trained), merge=True, **FAST)
    assert "trained already" in lines[0]


def test_another_training_never_replaces_one_unasked(trained: Path, run: Run, tiny: str) -> None:
    before = (trained / "training.json").read_bytes()
    with pytest.raises(ConfigError, match="other settings or data.*--restart"):
        train(run, base_model=tiny, output_dir=str(trained), **{**FAST, "max_steps": 5})
    assert (trained / "training.json").read_bytes() == before


@pytest.mark.parametrize("restart", [False, True])
def test_two_processes_do_not_train_into_one_folder(run: Run, tiny: str, tmp_path: Path, restart: bool) -> None:
    work = tmp_path / "arab" / "work"
    (work / "sft").mkdir(parents=True)
    (work / "identity").write_text("of the other one")
    with take_lock(work / ".lock", "training"), pytest.raises(ConfigError, match="another process .* this training"):
        train(run, base_model=tiny, output_dir=str(tmp_path / "arab"), restart=restart, **FAST)
    assert sorted(p.name for p in work.iterdir()) == [".lock", "identity", "sft"]


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def die_at(step: int, monkeypatch: pytest.MonkeyPatch, stage: str = "arab") -> None:
    """Make the training end without a word at a step."""
    from transformers import TrainerCallback

    class Dying(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == step:
                raise Killed

    def make(say: Any, label: str) -> Any:
        return Dying() if label == stage else make_progress(say, label)

    monkeypatch.setattr("culturepark.training.callbacks.make_progress", make)


def test_a_killed_training_goes_on_and_ends_the_same(
    trained: Path, run: Run, tiny: str, tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "arab"
    with monkeypatch.context() as patch:
        die_at(5, patch)
        with pytest.raises(Killed):
            train(run, say=lines.append, base_model=tiny, output_dir=str(out), **FAST)
    assert json.loads((out / "training.json").read_text())["state"] == "running"
    checkpoints = sorted(p.name for p in (out / "work" / "sft").glob("checkpoint-*"))
    assert checkpoints == ["checkpoint-2", "checkpoint-4"]
    (out / "work" / "sft" / "checkpoint-5").mkdir()  # killed while saving
    train(run, say=lines.append, base_model=tiny, output_dir=str(out), **FAST)
    assert any("goes on after step 4 of 6" in line for line in lines)
    assert same(read_weights(out), read_weights(trained))


def test_a_kill_between_the_last_step_and_the_last_file_costs_no_step(
    trained: Path, run: Run, tiny: str, tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "arab"
    real, moved = place.os.replace, []

    def die_on_the_third(source: Any, target: Any) -> None:
        if Path(source).parent.name == "new":
            moved.append(target)
            if len(moved) == 3:
                raise Killed
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(place.os, "replace", die_on_the_third)
        with pytest.raises(Killed):
            train(run, say=lines.append, base_model=tiny, output_dir=str(out), **FAST)
    assert not (out / "training.json").exists()  # a half-moved result is never taken for a whole one
    lines.clear()
    train(run, say=lines.append, base_model=tiny, output_dir=str(out), **FAST)
    assert "arab: goes on after step 6 of 6" in lines
    assert same(read_weights(out), read_weights(trained))
    assert json.loads((out / "training.json").read_text())["state"] == "finished"


def test_a_killed_training_is_not_continued_with_other_settings(
    run: Run, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "arab"
    with monkeypatch.context() as patch:
        die_at(3, patch)
        with pytest.raises(Killed):
            train(run, say=lambda _: None, base_model=tiny, output_dir=str(out), **FAST)
    with pytest.raises(ConfigError, match="begun with other settings"):
        train(run, base_model=tiny, output_dir=str(out), **{**FAST, "learning_rate": 1e-4})


def test_pairs_after_samples_go_on_after_a_kill_in_either_stage(
    run: Run, tiny: str, tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**FAST, "max_steps": 4, "method": "sft+dpo", "max_length": 256}
    given |= {"dpo_learning_rate": 5e-3, "probes": 1, "answers": 0}
    train(run, say=lines.append, base_model=tiny, output_dir=str(tmp_path / "whole"), **given)
    facts = json.loads((tmp_path / "whole" / "training.json").read_text())
    assert facts["steps"] == 8 and facts["data"]["rows"]["pairs"]["train"] >= 2
    assert {"sft training", "dpo training"} <= {name for name, *_ in facts["losses"]}
    with monkeypatch.context() as patch:
        die_at(3, patch, "arab (pairs)")
        with pytest.raises(Killed):
            train(run, say=lines.append, base_model=tiny, output_dir=str(tmp_path / "cut"), **given)
    lines.clear()
    train(run, say=lines.append, base_model=tiny, output_dir=str(tmp_path / "cut"), **given)
    assert any("arab (pairs): goes on after step 2 of 4" in line for line in lines)
    assert not any(line.startswith("arab: step") for line in lines)  # the first stage was not trained again
    assert same(read_weights(tmp_path / "cut"), read_weights(tmp_path / "whole"))
    assert sorted(p.name for p in (tmp_path / "cut").iterdir()) == sorted(
        p.name for p in (tmp_path / "whole").iterdir()
    )


def test_pairs_alone(run: Run, tiny: str, tmp_path: Path) -> None:
    given = {**FAST, "max_steps": 2, "method": "dpo", "probes": 0, "max_length": 256}
    (result,) = train(run, say=lambda _: None, base_model=tiny, output_dir=str(tmp_path / "out"), **given)
    assert result.facts["survey_fit"] == {"probes": 0}
    assert "chats" not in result.facts["data"]["rows"]
    assert any(bool(w.abs().sum() > 0) for k, w in read_weights(tmp_path / "out").items() if "lora_B" in k)


def test_all_cultures_one_adapter_each_or_one_shared(run: Run, tiny: str, tmp_path: Path) -> None:
    given = {**FAST, "culture": "all", "max_steps": 1, "answers": 0}
    results = train(run, say=lambda _: None, base_model=tiny, output_dir=str(tmp_path / "each"), **given)
    assert [(r.culture, r.folder.name) for r in results] == [("arab", "arab"), ("korean", "korean")]
    assert all((r.folder / "adapter_model.safetensors").exists() for r in results)
    (tmp_path / "mix.jsonl").write_text('{"prompt": "Say one.", "completion": "one"}\n')
    given |= {"adapters": "shared", "mix": str(tmp_path / "mix.jsonl")}
    (shared,) = train(run, say=lambda _: None, base_model=tiny, output_dir=str(tmp_path / "one"), **given)
    assert shared.culture is None and shared.facts["data"]["culture"] == "all"
    rows = [r.facts["data"]["rows"]["chats"]["train"] for r in (*results, shared)]
    assert rows[2] == rows[0] + rows[1] + 1 and shared.facts["data"]["general_rows"] == 1
    asked = [json.loads(x)["culture"] for x in (tmp_path / "one" / "survey_fit.jsonl").read_text().splitlines()]
    assert set(asked) == {"arab", "korean"}


def test_a_full_disk_is_one_line_and_leaves_the_old_adapter(
    trained: Path, run: Run, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "arab"
    shutil.copytree(trained, out)
    before = read_weights(out)

    def fill(self: Any, folder: str, **_: Any) -> None:
        (Path(folder) / "adapter_model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("peft.PeftModel.save_pretrained", fill)
    with pytest.raises(DataError, match="the disk is full.*run the same command again") as caught:
        train(run, say=lambda _: None, base_model=tiny, output_dir=str(out), restart=True, **{**FAST, "max_steps": 1})
    assert "\n" not in str(caught.value)
    assert same(read_weights(out), before)


def test_a_failure_before_anything_is_learnt_leaves_nothing_in_the_way(
    run: Run, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong model or a batch too large: the mended command begins in the same folder."""
    out = tmp_path / "deep" / "arab"
    torn = tmp_path / "torn"
    shutil.copytree(tiny, torn)
    (torn / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        train(run, say=lambda _: None, base_model=str(torn), output_dir=str(out), **FAST)
    assert not (tmp_path / "deep").exists()
    with monkeypatch.context() as patch:
        patch.setattr(trl_hook, "fit_chats", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(ConfigError, match="out of memory"):
            train(run, say=lambda _: None, base_model=tiny, output_dir=str(out), **FAST)
    assert not (tmp_path / "deep").exists()
    given = {**FAST, "batch_size": 1, "max_steps": 1, "probes": 0, "answers": 0}
    train(run, say=lambda _: None, base_model=tiny, output_dir=str(out), **given)
    with pytest.raises(ConfigError, match="cannot be loaded"):  # a new try that fails leaves the good one
        train(run, say=lambda _: None, base_model=str(torn), output_dir=str(out), restart=True, **given)
    assert json.loads((out / "training.json").read_text())["state"] == "finished" and not (out / "work").exists()


def test_a_small_answer_beyond_the_length_is_left_out_and_told(
    run: Run, tiny: str, tmp_path: Path, lines: list[str]
) -> None:
    with pytest.raises(DataError, match="fits into 16 tokens; raise --max-length"):
        train(run, say=lines.append, base_model=tiny, output_dir=str(tmp_path / "out"), **{**FAST, "max_length": 16})
    given = {**FAST, "max_length": 16, "method": "dpo"}
    with pytest.raises(DataError, match="no pair .* fits into 16 tokens; raise --max-length"):
        train(run, say=lines.append, base_model=tiny, output_dir=str(tmp_path / "pairs"), **given)


def test_nothing_is_told_to_anybody(trained: Path) -> None:
    import huggingface_hub.constants

    assert trained.exists()
    assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY


def test_steps_are_planned_as_the_trainer_counts_them(trained: Path) -> None:
    from culturepark.training.settings import build_settings

    given = build_settings({"output_dir": "x", "base_model": "y", "epochs": 2, "batch_size": 4, "accumulate": 2})
    assert [lora.plan_steps(rows, given) for rows in (8, 9, 17)] == [2, 4, 6]
