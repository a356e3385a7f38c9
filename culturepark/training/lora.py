"""Fitting a LoRA adapter: TRL's trainers over prepared rows, with checkpoints that a killed training goes on from.

The door to trl and peft, and to what they bring along.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from culturepark.errors import DataError, MissingPartError
from culturepark.training.hooks import Say
from culturepark.training.masking import ChatForm, label_dataset
from culturepark.training.model import EXTRA, Base, has_gpu
from culturepark.training.rows import FEWEST, Rows, quieten_datasets
from culturepark.training.settings import TrainSettings

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
Log = list[dict[str, Any]]


@dataclass
class Fitted:
    """A model with its adapter, what was logged on the way, and remarks for the reader."""

    model: Any
    log: Log
    steps: int


def check_parts() -> None:
    """Raise ``MissingPartError`` where a package of the extra is missing; turn the packages' telemetry off."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # TRL tells its makers of every training otherwise
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import huggingface_hub.constants
        import peft  # noqa: F401
        import trl  # noqa: F401
    except ImportError as error:
        raise MissingPartError(EXTRA) from error
    quieten_datasets()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True  # where the variable was read before we set it


def find_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint. ``trainer_state.json`` is written last, so one without it is torn."""
    found = [(int(m[1]), p) for p in folder.glob("checkpoint-*") if (m := _CHECKPOINT.fullmatch(p.name))]
    for _, path in sorted(found, reverse=True):
        try:
            json.loads((path / "trainer_state.json").read_bytes())
            return path
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    return None


def plan_steps(rows: int, settings: TrainSettings) -> int:
    """How many optimiser steps a training takes."""
    if settings.max_steps:
        return settings.max_steps
    return max(1, math.ceil(math.ceil(rows / (settings.batch_size * settings.accumulate)) * settings.epochs))


def fit_chats(
    base: Base, rows: Rows, settings: TrainSettings, work: Path, callbacks: Sequence[Any], say: Say
) -> Fitted:
    """Learn the answers of the chats. Loss is on the assistant's words alone."""
    import trl

    data = {split: _label(split, part, base.form, settings, say) for split, part in rows.chats.items()}
    if len(data["train"]) < FEWEST:
        raise DataError(f"no answer of the training rows fits into {settings.max_length} tokens; raise --max-length")
    shared = _arguments(len(data["train"]), settings, settings.learning_rate, work, has_tests=len(data) > 1)
    arguments = trl.SFTConfig(
        **shared,
        packing=settings.packing,
        eval_packing=False,
        max_length=settings.max_length if settings.packing else None,
        dataset_kwargs=None if settings.packing else {"skip_prepare_dataset": True},
    )
    trainer = trl.SFTTrainer(
        model=base.model,
        args=arguments,
        train_dataset=data["train"],
        eval_dataset={split: part for split, part in data.items() if split != "train"} or None,
        processing_class=base.form.tokenizer,
        peft_config=_adapter(settings),
        callbacks=list(callbacks),
    )
    return _run(trainer, work)


def fit_pairs(
    base: Base, rows: Rows, settings: TrainSettings, work: Path, callbacks: Sequence[Any], say: Say
) -> Fitted:
    """Learn to prefer the chosen answers (DPO); an adapter that ``base`` carries already is the starting point."""
    import peft
    import trl

    def arrange(row: dict[str, Any]) -> dict[str, Any]:
        return {"prompt": base.form.arrange(row["prompt"])}

    columns = ["prompt", "chosen", "rejected"]
    data = {split: part.select_columns(columns).map(arrange) for split, part in rows.pairs.items()}
    shared = _arguments(len(data["train"]), settings, settings.dpo_learning_rate, work, has_tests=len(data) > 1)
    carries = isinstance(base.model, peft.PeftModel)
    trainer = trl.DPOTrainer(
        model=base.model,
        args=trl.DPOConfig(**shared, beta=settings.dpo_beta, max_length=settings.max_length),
        train_dataset=data["train"],
        eval_dataset={split: part for split, part in data.items() if split != "train"} or None,
        processing_class=base.form.tokenizer,
        peft_config=None if carries else _adapter(settings),
        callbacks=list(callbacks),
    )
    _drop_empty(trainer, data, settings, say)
    return _run(trainer, work)


def _drop_empty(trainer: Any, given: Mapping[str, Any], settings: TrainSettings, say: Say) -> None:
    """TRL leaves out pairs whose answers begin after the longest length: tell it, and take empty splits away."""
    left = {"train": trainer.train_dataset, **(trainer.eval_dataset or {})}
    lost = sum(len(given[split]) - len(part) for split, part in left.items())
    if len(left["train"]) < FEWEST:
        raise DataError(f"no pair of the training rows fits into {settings.max_length} tokens; raise --max-length")
    if lost:
        say(f"{lost} pairs are left out, whose answers begin only after {settings.max_length} tokens")
    trainer.eval_dataset = {split: part for split, part in left.items() if split != "train" and len(part)} or None
    if trainer.eval_dataset is None:
        trainer.args.eval_strategy, trainer.args.eval_on_start = "no", False


def _label(split: str, data: Any, form: ChatForm, settings: TrainSettings, say: Say) -> Any:
    made, cut, left_out = label_dataset(data, form, settings.max_length)
    if cut or left_out:
        say(
            f"{split}: {cut} chats are cut at {settings.max_length} tokens, and {left_out} left out, "
            "whose answer begins only after that; see --max-length"
        )
    return made


def _adapter(settings: TrainSettings) -> Any:
    import peft

    return peft.LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _arguments(rows: int, settings: TrainSettings, rate: float, work: Path, has_tests: bool) -> dict[str, Any]:
    """What the configurations of both trainers share."""
    steps, gpu = plan_steps(rows, settings), has_gpu()
    return {
        "output_dir": str(work),
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulate,
        "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps or -1,
        "learning_rate": rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, steps // 20),
        "seed": settings.seed,
        "data_seed": settings.seed,
        "logging_steps": settings.log_steps or max(1, steps // 20),
        "logging_first_step": True,
        "save_steps": settings.save_steps or max(1, steps // 5),
        "save_total_limit": 2,
        "eval_strategy": "steps" if has_tests else "no",
        "eval_steps": settings.eval_steps or max(1, steps // 4),
        "eval_on_start": has_tests,
        "report_to": "none",
        "use_cpu": not gpu,
        "bf16": gpu,
        "gradient_checkpointing": gpu,
        "dataloader_pin_memory": gpu,
        "disable_tqdm": True,
        "log_level": "error",
        "push_to_hub": False,
    }


def _run(trainer: Any, work: Path) -> Fitted:
    trainer.callback_handler.callbacks = [
        c for c in trainer.callback_handler.callbacks if "Printer" not in type(c).__name__
    ]
    checkpoint = find_checkpoint(work)
    if checkpoint is not None:
        trainer.args.eval_on_start = False
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.eval_dataset and not _was_evaluated(trainer):
        trainer.evaluate()
    return Fitted(trainer.accelerator.unwrap_model(trainer.model), trainer.state.log_history, trainer.state.global_step)


def _was_evaluated(trainer: Any) -> bool:
    step = trainer.state.global_step
    return any(
        row["step"] == step and any(k.endswith("_loss") for k in row if k.startswith("eval_"))
        for row in trainer.state.log_history
    )


def save_adapter(model: Any, tokenizer: Any, folder: Path) -> None:
    """The adapter and the tokenizer with its chat template, as plain PEFT and transformers open them."""
    model.save_pretrained(str(folder), selected_adapters=["default"])
    tokenizer.save_pretrained(str(folder))


def load_adapter(base: Base, folder: Path) -> None:
    """Put a saved adapter onto the base model, to be trained further."""
    import peft

    base.model = peft.PeftModel.from_pretrained(base.model, str(folder), is_trainable=True)


def save_merged(model: Any, tokenizer: Any, folder: Path) -> None:
    """The base model with the adapter's changes in its weights. The model in hand is merged, too."""
    model.merge_and_unload().save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
