"""The whole way with a real model: the embedded SmolLM2-135M from its packaged weights, LoRA on a few dozen samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from culturepark.llm.servers import find_embedded_model
from culturepark.training.embedded import open_embedded
from culturepark.training.train import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.local,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(1200),
    pytest.mark.skipif(find_embedded_model() is None, reason="needs the embedded model: culturepark setup local"),
]


def test_the_embedded_model_learns_and_the_adapter_opens_in_plain_peft(
    run_once: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "transformers", "trl"):
        pytest.importorskip(package)
    peft: Any = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = run_once(tmp_path / "run", n=36, cultures=["arab"], sample_types=["single"])
    lines: list[str] = []
    (result,) = train(
        run,
        say=lines.append,
        culture="arab",
        base_model="embedded",
        output_dir=str(tmp_path / "arab"),
        max_steps=10,
        batch_size=2,
        max_length=128,
        eval_steps=10,
        learning_rate=2e-3,
        lora_r=8,
        lora_alpha=16,
        threads=1,
        answers=1,
        answer_tokens=16,
        probes=2,
    )
    losses = {name: (first, last) for name, first, last in result.facts["losses"]}
    assert losses["training"][1] < 0.85 * losses["training"][0]
    assert losses["test"][1] < losses["test"][0]
    probed = [json.loads(line) for line in (tmp_path / "arab" / "survey_fit.jsonl").read_text().splitlines()]
    assert len(probed) == 2 and all(row["before"] != row["after"] for row in probed)

    card = (tmp_path / "arab" / "README.md").read_text()
    assert "SmolLM2-135M-Instruct" in card and "license: apache-2.0" in card

    base = AutoModelForCausalLM.from_pretrained(open_embedded())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "arab")
    asked = [{"role": "user", "content": "How do you think about helping your parents when they are old?"}]
    given = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)

    def answer(model: Any) -> str:
        made = model.generate(**given, max_new_tokens=16, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        return str(tokenizer.decode(made[0, given["input_ids"].shape[1] :], skip_special_tokens=True)).strip()

    before = answer(base)
    after = answer(peft.PeftModel.from_pretrained(base, tmp_path / "arab").eval())
    assert before and after and before != after
    side_by_side = (tmp_path / "arab" / "answers.md").read_text().splitlines()[2].split(" | ")
    assert side_by_side[2] != side_by_side[3]
    assert json.loads((tmp_path / "arab" / "training.json").read_text())["state"] == "finished"
    print("\n".join([*lines, f"before: {before}", f"after: {after}"]))
