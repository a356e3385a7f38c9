"""A script that knows only ``trl`` and ``datasets`` trains from what a push sends, without a mapping function."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import culturepark
from culturepark.hub.parcel import Terms, pack_run
from culturepark.runs.folder import load_run

# A model of a few thousand weights with a tokenizer of bytes: what is tried is the way of the rows, not learning.
SCRIPT = """
import sys
sys.modules["culturepark"] = None  # whoever imports it fails
import torch
torch.set_num_threads(1)
from datasets import load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
signs = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<pad>", "<eos>"]
inner = Tokenizer(models.BPE(vocab={c: k for k, c in enumerate(signs)}, merges=[]))
inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>")
tokenizer.chat_template = (
    "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}"
    "{% endgeneration %}{% else %}{{ m.content }}{% endif %}\\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
def make():
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(signs), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=2048, pad_token_id=256, eos_token_id=257, bos_token_id=None))
how = dict(output_dir=sys.argv[2], max_steps=2, per_device_train_batch_size=2, per_device_eval_batch_size=2,
           report_to=[], use_cpu=True, max_length=1024, save_strategy="no")
data = load_dataset(sys.argv[1])
trainer = SFTTrainer(make(), args=SFTConfig(assistant_only_loss=True, **how), train_dataset=data["train"],
                     eval_dataset=data["test"], processing_class=tokenizer)
print("sft", trainer.train().training_loss > 0, trainer.evaluate()["eval_loss"] > 0)
pairs = load_dataset(sys.argv[1], "preference")
trainer = DPOTrainer(make(), ref_model=make(), args=DPOConfig(**how), train_dataset=pairs["train"],
                     processing_class=tokenizer)
print("dpo", trainer.train().training_loss > 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("trl") is None, reason="trl is not installed")
def test_trl_trains_on_chats_and_pairs_as_they_lie(finished: Path, tmp_path: Path) -> None:
    run = load_run(finished)
    culturepark.export_run(run, ["messages", "preference", "sharegpt"], tmp_path / "out")
    (tmp_path / "scratch").mkdir()
    parcel = pack_run(run, tmp_path / "out", Terms("cc-by-nc-4.0"), tmp_path / "scratch", say=lambda _: None)
    for file in parcel.files:  # what a push sends, and nothing else
        place = tmp_path / "pushed" / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.source if isinstance(file.source, bytes) else file.source.read_bytes())
    command = [sys.executable, "-I", "-c", SCRIPT, str(tmp_path / "pushed"), str(tmp_path / "model")]
    given = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    said = [line for line in done.stdout.splitlines() if line.startswith(("sft", "dpo"))]
    assert said == ["sft True True", "dpo True"]
