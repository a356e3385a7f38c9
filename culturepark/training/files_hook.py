"""The hook ``files``: a ready LLaMA-Factory or Axolotl project, to be started by its own command.

Keys after the sources of LLaMA-Factory 0.9 (``hparams``, ``data/parser.py``) and Axolotl 0.9 to 0.12 (its schemas,
``prompt_strategies/dpo/chat_template.py``); neither program has been run. Warm-up is told in steps, which every
version takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from culturepark.errors import DataError
from culturepark.files import describe_fault, replace_file
from culturepark.runs.folder import Run
from culturepark.training.handover import write_rows
from culturepark.training.hooks import Say, TrainResult
from culturepark.training.lora import plan_steps
from culturepark.training.rows import Rows, read_rows
from culturepark.training.settings import TrainSettings
from culturepark.training.trl_hook import place_result

_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


_CHECK = "check `template`: it must be LLaMA-Factory's name for the base model; bf16 needs a GPU that has it"


class FilesHook:
    """Writes a project folder for another trainer."""

    def __init__(self, settings: TrainSettings, say: Say) -> None:
        """Keep what to write."""
        self._settings, self._say = settings, say

    def on_dataset(self, run: Run, culture: str | None) -> TrainResult:
        """Write data and configuration; nothing is trained."""
        folder = place_result(self._settings, culture)
        rows = read_rows(run, culture, self._settings, self._say)
        name = f"culturepark_{culture or 'all'}"
        write = write_llamafactory if self._settings.project == "llamafactory" else write_axolotl
        try:
            folder.mkdir(parents=True, exist_ok=True)
            commands = write(folder, name, rows, self._settings)
        except OSError as error:
            raise DataError(f"{folder}: {describe_fault(error)}") from error
        self._say(f"{culture or 'all'}: written to {folder}; there, run: {' && '.join(commands)}")
        return TrainResult(culture, folder, {"project": self._settings.project, "commands": commands})


def write_llamafactory(folder: Path, name: str, rows: Rows, settings: TrainSettings) -> list[str]:
    """``data/`` with ``dataset_info.json``, and one YAML for each stage; returns the commands that train."""
    table: dict[str, Any] = {}
    for split, data in rows.chats.items():
        write_rows(folder / "data" / f"{split}.jsonl", ({"messages": row["messages"]} for row in data))
        columns = {"messages": "messages"}
        table[f"{name}_{split}"] = _describe(f"{split}.jsonl", columns)
    for split, data in rows.pairs.items():
        pairs = (
            {"messages": row["prompt"], "chosen": row["chosen"][0], "rejected": row["rejected"][0]} for row in data
        )
        write_rows(folder / "data" / f"pairs_{split}.jsonl", pairs)
        columns = {"messages": "messages", "chosen": "chosen", "rejected": "rejected"}
        table[f"{name}_pairs_{split}"] = {**_describe(f"pairs_{split}.jsonl", columns), "ranking": True}
    replace_file(folder / "data" / "dataset_info.json", json.dumps(table, indent=2) + "\n")
    commands = []
    for stage, part in (("sft", rows.chats), ("dpo", rows.pairs)):
        if not part:
            continue
        lead = f"{name}_pairs" if stage == "dpo" else name
        config: dict[str, Any] = {
            "model_name_or_path": settings.base_model,
            "stage": stage,
            "do_train": True,
            "finetuning_type": "lora",
            "lora_rank": settings.lora_r,
            "lora_alpha": settings.lora_alpha,
            "lora_dropout": settings.lora_dropout,
            "lora_target": "all",
            "dataset_dir": "data",
            "dataset": f"{lead}_train",
            # Which of LLaMA-Factory's own templates fits the base model only its user knows: qwen, llama3, gemma, ...
            "template": "default",
            "cutoff_len": settings.max_length,
            "packing": settings.packing,
            "output_dir": f"output/{stage}",
            "per_device_train_batch_size": settings.batch_size,
            "gradient_accumulation_steps": settings.accumulate,
            "learning_rate": settings.learning_rate if stage == "sft" else settings.dpo_learning_rate,
            "num_train_epochs": settings.epochs,
            "lr_scheduler_type": "cosine",
            "warmup_steps": max(1, plan_steps(len(part["train"]), settings) // 20),
            "bf16": True,
            "seed": settings.seed,
            "logging_steps": 10,
            "report_to": "none",
        }
        if settings.max_steps:
            config["max_steps"] = settings.max_steps
        if "test" in part:
            config |= {"eval_dataset": f"{lead}_test", "eval_strategy": "steps", "eval_steps": 50}
        if stage == "dpo":
            config |= {"pref_beta": settings.dpo_beta, "pref_loss": "sigmoid"}
            if rows.chats:
                config["adapter_name_or_path"] = "output/sft"
        _write_yaml(
            folder / f"{stage}.yaml",
            config,
            _CHECK,
        )
        commands.append(f"llamafactory-cli train {stage}.yaml")
    return commands


def _describe(file: str, columns: dict[str, str]) -> dict[str, Any]:
    return {"file_name": file, "formatting": "sharegpt", "columns": columns, "tags": _TAGS}


def write_axolotl(folder: Path, name: str, rows: Rows, settings: TrainSettings) -> list[str]:
    """JSONL data and one YAML for each stage; returns the commands that train."""
    commands = []
    for split, data in rows.chats.items():
        write_rows(folder / "data" / f"{split}.jsonl", ({"messages": row["messages"]} for row in data))
    for split, data in rows.pairs.items():
        pairs = (
            {"messages": row["prompt"], "chosen": row["chosen"][0], "rejected": row["rejected"][0]} for row in data
        )
        write_rows(folder / "data" / f"pairs_{split}.jsonl", pairs)
    for stage, part in (("sft", rows.chats), ("dpo", rows.pairs)):
        if not part:
            continue
        config: dict[str, Any] = {
            "base_model": settings.base_model,
            "adapter": "qlora" if settings.qlora == "on" else "lora",
            "load_in_4bit": settings.qlora == "on",
            "lora_r": settings.lora_r,
            "lora_alpha": settings.lora_alpha,
            "lora_dropout": settings.lora_dropout,
            "lora_target_linear": True,
            "chat_template": "tokenizer_default",
            "datasets": [_point("train", stage)],
            "sequence_len": settings.max_length,
            "sample_packing": settings.packing,
            "train_on_inputs": False,
            "output_dir": f"output/{stage}",
            "micro_batch_size": settings.batch_size,
            "gradient_accumulation_steps": settings.accumulate,
            "learning_rate": settings.learning_rate if stage == "sft" else settings.dpo_learning_rate,
            "num_epochs": settings.epochs,
            "lr_scheduler": "cosine",
            "warmup_steps": max(1, plan_steps(len(part["train"]), settings) // 20),
            "optimizer": "adamw_torch",
            "bf16": "auto",
            "seed": settings.seed,
            "logging_steps": 10,
        }
        if settings.max_steps:
            config["max_steps"] = settings.max_steps
        if "test" in part:
            config |= {"test_datasets": [_point("test", stage)], "evals_per_epoch": 2}
        if stage == "dpo":
            config |= {"rl": "dpo", "rl_beta": settings.dpo_beta}
            if rows.chats:
                config["lora_model_dir"] = "output/sft"
        _write_yaml(folder / f"{stage}.yaml", config, f"data set {name}, written by CulturePark")
        commands.append(f"axolotl train {stage}.yaml")
    return commands


def _point(split: str, stage: str) -> dict[str, Any]:
    if stage == "dpo":
        return {
            "path": f"data/pairs_{split}.jsonl",
            "ds_type": "json",
            "split": "train",
            "type": "chat_template.default",
            "field_messages": "messages",
            "field_chosen": "chosen",
            "field_rejected": "rejected",
            "message_property_mappings": {"role": "role", "content": "content"},
        }
    return {
        "path": f"data/{split}.jsonl",
        "ds_type": "json",
        "split": "train",
        "type": "chat_template",
        "field_messages": "messages",
        "message_property_mappings": {"role": "role", "content": "content"},
        "roles_to_train": ["assistant"],
        "train_on_eos": "turn",
    }


def _write_yaml(path: Path, config: dict[str, Any], remark: str) -> None:
    replace_file(path, f"# {remark}\n" + yaml.safe_dump(config, sort_keys=False))
