"""What a training is asked for: one flat set of keys, the same on the command line and in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from culturepark.errors import ConfigError
from culturepark.files import describe_invalid, nearest

Method = Literal["sft", "dpo", "sft+dpo"]
# Keys that do not change what is learnt: a training goes on although they differ.
HOW_KEYS = frozenset(
    ("output_dir", "save_steps", "log_steps", "eval_steps", "keep_checkpoints", "merge", "restart", "threads")
)
_FLAGS = {"argv": "command", "poll_s": "poll", "held_out": "hold-out"}
HOW_KEYS |= {"answers", "answer_tokens", "probes", "api_key_env", "base_url", "poll_s", "suffix"}
# Which rows stand where decides, and they are part of a training's identity themselves.
HOW_KEYS |= {"by", "split_seed", "validation", "test", "held_out", "split_like"}


class TrainSettings(BaseModel):
    """All settings of a training. See ``culturepark train --help`` for what each one means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # What is learnt, and from what.
    hook: str = "trl"
    culture: str = "all"
    adapters: Literal["each", "shared"] = "each"
    base_model: str = ""
    output_dir: str = ""
    method: Method = "sft"
    seed: int = Field(default=0, ge=0, lt=2**32)
    by: Literal["auto", "topic", "dialogue", "country"] | None = None
    split_seed: int | None = None
    validation: float | None = None
    test: float | None = None
    held_out: tuple[str, ...] = ()
    split_like: str = ""
    mix: str = ""
    mix_share: float = Field(default=0.2, gt=0, lt=1)

    # The built-in trainer.
    epochs: float = Field(default=3.0, gt=0)
    max_steps: int = Field(default=0, ge=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    batch_size: int = Field(default=4, ge=1)
    accumulate: int = Field(default=1, ge=1)
    max_length: int = Field(default=1024, ge=16)
    lora_r: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    qlora: Literal["auto", "on", "off"] = "auto"
    packing: bool = False
    dpo_beta: float = Field(default=0.1, gt=0)
    dpo_learning_rate: float = Field(default=2e-5, gt=0)
    save_steps: int = Field(default=0, ge=0)
    log_steps: int = Field(default=0, ge=0)
    eval_steps: int = Field(default=0, ge=0)
    keep_checkpoints: bool = False
    merge: bool = False
    restart: bool = False
    threads: int = Field(default=0, ge=0)
    answers: int = Field(default=4, ge=0)
    answer_tokens: int = Field(default=80, ge=1)
    probes: int = Field(default=12, ge=0)

    # Other hooks.
    argv: str = ""
    project: Literal["llamafactory", "axolotl"] = "llamafactory"
    base_url: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    suffix: str = Field(default="", max_length=40)
    poll_s: float = Field(default=15.0, gt=0)

    @field_validator("held_out", mode="before")
    @classmethod
    def _read_list(cls, given: Any) -> Any:
        return tuple(word.strip() for word in given.split(",") if word.strip()) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _parts_fit_together(self) -> TrainSettings:
        if not self.output_dir:
            raise ValueError("say where the result goes, with -o DIR")
        if self.hook == "command" and not self.argv.strip():
            raise ValueError('--hook command needs the command, as in --command "python train.py --data {train}"')
        if self.argv and self.hook != "command":
            raise ValueError("--command needs --hook command")
        if self.hook in ("trl", "openai", "files") and not self.base_model:
            raise ValueError(
                "say which model is trained, with --base-model (a folder, a hub id, or 'embedded' to try it out)"
            )
        return self

    @property
    def wants_sft(self) -> bool:
        """Does it learn from samples?"""
        return "sft" in self.method

    @property
    def wants_dpo(self) -> bool:
        """Does it learn from preference pairs?"""
        return "dpo" in self.method

    @property
    def split(self) -> dict[str, Any]:
        """What was asked of the splits, as ``sft_dataset`` and ``preference_dataset`` take it."""
        shares = {"by": self.by, "seed": self.split_seed, "validation": self.validation, "test": self.test}
        return {**shares, "held_out": self.held_out or None, "like": self.split_like or None}

    def identity(self) -> dict[str, Any]:
        """What decides the result: a training under way may only be continued with the same."""
        return {k: v for k, v in self.model_dump(mode="json").items() if k not in HOW_KEYS}


def build_settings(given: Mapping[str, Any]) -> TrainSettings:
    """Settings from keys and values. Raises ``ConfigError`` in one line."""
    unknown = [key for key in given if key not in TrainSettings.model_fields]
    if unknown:
        raise ConfigError(f"train has no setting {unknown[0]!r}{nearest(unknown[0], TrainSettings.model_fields)}")
    try:
        return TrainSettings.model_validate(dict(given))
    except ValidationError as error:
        what = describe_invalid(error)
        key = what.split(":")[0]
        flag = _FLAGS.get(key, key.replace("_", "-"))
        shown = f"--{flag}{what[len(key) :]}" if key in TrainSettings.model_fields else what
        raise ConfigError(f"train: {shown}") from error
