"""A base model: opening it, letting it answer, and how likely it finds each option of a question.

The door to torch and transformers in this room.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from culturepark.errors import ConfigError, MissingPartError
from culturepark.training.embedded import EMBEDDED, open_embedded
from culturepark.training.masking import ChatForm, Message, prepare_form

EXTRA = "training needs the extra: pip install 'culturepark[train]'"
Say = Callable[[str], None]


@dataclass
class Base:
    """An open base model. ``name`` is what a card may call it: an id, or the last part of a path."""

    model: Any
    form: ChatForm
    name: str
    quantised: bool


def check_base(name: str) -> None:
    """Raise ``ConfigError`` for a base model that cannot be there, before anything heavy is done."""
    if name == EMBEDDED or not _looks_like_path(name):
        return
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"--base-model {name}: is no folder here; give a model's folder, a hub id, or 'embedded'")
    if not (folder / "config.json").exists():
        raise ConfigError(f"--base-model {name}: holds no config.json, so it is no model in the transformers form")


def _looks_like_path(name: str) -> bool:
    return name.startswith(("/", ".", "~")) or name.count("/") != 1 or Path(name).exists()


def open_base(name: str, qlora: Literal["auto", "on", "off"], say: Say) -> Base:
    """Load model and tokenizer: float32 on a CPU, else bfloat16 (in 4 bit for QLoRA).

    Raises ``ConfigError`` when it cannot be had, ``MissingPartError`` without the extra.
    """
    check_base(name)
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingPartError(EXTRA) from error
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    place = str(open_embedded()) if name == EMBEDDED else str(Path(name).expanduser()) if _is_here(name) else name
    gpu = torch.cuda.is_available()
    settings: dict[str, Any] = {"dtype": torch.bfloat16 if gpu else torch.float32}
    quantised = _wants_four_bit(qlora, gpu)
    if quantised:
        settings["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(place)
        model = transformers.AutoModelForCausalLM.from_pretrained(place, **settings)
    except Exception as error:  # foreign files fail in many ways: missing, torn, unknown kind, no network
        here = "" if _is_here(name) or name == EMBEDDED else " (it is no folder here, and the hub did not give it)"
        raise ConfigError(f"--base-model {name}: cannot be loaded{here}: {_first_line(error)}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.eos_token is None:
        raise ConfigError(f"--base-model {name}: its tokenizer has no end token, so answers could not end")
    shown = name if not _looks_like_path(name) else Path(place).name if name != EMBEDDED else "SmolLM2-135M-Instruct"
    return Base(model, prepare_form(tokenizer, say), shown, quantised)


def _is_here(name: str) -> bool:
    return Path(name).expanduser().is_dir()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:160] if lines else type(error).__name__


def _wants_four_bit(qlora: str, gpu: bool) -> bool:
    present = importlib.util.find_spec("bitsandbytes") is not None
    if qlora == "on" and not present:
        raise MissingPartError("--qlora on needs bitsandbytes: pip install bitsandbytes")
    if qlora == "on" and not gpu:
        raise ConfigError("--qlora on needs a GPU, and none is here; leave it out to train a plain LoRA adapter")
    return present and gpu and qlora != "off"


def has_gpu() -> bool:
    """Is there an accelerator that torch can use?"""
    import torch

    return bool(torch.cuda.is_available())


def set_threads(count: int) -> None:
    """How many CPU threads torch uses; 0 leaves it as it is."""
    import torch

    if count:
        torch.set_num_threads(count)


def fix_seed(seed: int) -> None:
    """Seed Python's, numpy's and torch's draws."""
    import transformers

    transformers.set_seed(seed)


@dataclass
class Speaker:
    """A model that answers chats. Nothing is sampled: the same model gives the same answers."""

    model: Any
    form: ChatForm

    def reply(self, chats: Sequence[Sequence[Message]], tokens: int) -> list[str]:
        """The likeliest answers to several chats at once, each at most ``tokens`` long."""
        import torch

        if not chats:
            return []
        tokenizer = self.form.tokenizer
        side, tokenizer.padding_side = tokenizer.padding_side, "left"
        try:
            texts = [self.form.render(chat, ask=True) for chat in chats]
            given = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt").to(self.model.device)
        finally:
            tokenizer.padding_side = side
        with _quiet(self.model), torch.inference_mode():
            made = self.model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                max_new_tokens=tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=tokenizer.pad_token_id,
            )
        answers = tokenizer.batch_decode(made[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
        return [str(answer).strip() for answer in answers]

    def weigh(self, chat: Sequence[Message], options: Sequence[str]) -> list[float]:
        """The probability of each option as the beginning of the answer; they sum to 1."""
        import torch

        tokenizer = self.form.tokenizer
        asked = tokenizer(self.form.render(chat, ask=True), add_special_tokens=False)["input_ids"]
        lead = "" if self.form.render(chat, ask=True)[-1:].isspace() else " "
        ends = [tokenizer(lead + option, add_special_tokens=False)["input_ids"] for option in options]
        with _quiet(self.model), torch.inference_mode():
            if all(len(end) == 1 for end in ends):
                last = self.model(input_ids=self._tensor([asked])).logits[0, -1].float()
                scores = torch.log_softmax(last, -1)[[end[0] for end in ends]].tolist()
            else:
                scores = [self._likelihood(asked, end) for end in ends]
        top = max(scores)
        raw = [math.exp(score - top) for score in scores]
        return [value / sum(raw) for value in raw]

    def _likelihood(self, asked: list[int], end: list[int]) -> float:
        import torch

        ids = self._tensor([asked + end])
        logs = torch.log_softmax(self.model(input_ids=ids).logits[0, len(asked) - 1 : -1].float(), -1)
        return float(logs.gather(1, self._tensor([end])[0][:, None]).sum())

    def _tensor(self, ids: list[list[int]]) -> Any:
        import torch

        return torch.tensor(ids, device=self.model.device)


class _quiet:
    """A model in evaluation mode for a while: no dropout."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __enter__(self) -> None:
        self._was_training = self._model.training
        self._model.eval()

    def __exit__(self, *_: object) -> None:
        self._model.train(self._was_training)
