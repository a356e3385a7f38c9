"""Instruction-following difficulty (IFD): how much a question helps a small model to foresee the answer.

IFD = exp(L(answer | question) - L(answer)), the ratio of perplexities (Li et al. 2024; Superfiltering). At 1 and above
the question does not help. Compare within one language only. The door to torch and transformers.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from culturepark.errors import ConfigError, MissingPartError

LONGEST = 512  # tokens of question and answer that are read


class Difficulty:
    """A causal language model that scores answers. One torch thread: more are slower on a busy machine."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer

    def score(self, question: str, answer: str) -> float | None:
        """IFD of one answer; ``None`` when either text has too few tokens to tell."""
        import torch

        asked = self._tokenizer(question + "\n", add_special_tokens=False)["input_ids"][-LONGEST:]
        said = self._tokenizer(answer, add_special_tokens=False)["input_ids"][:LONGEST]
        if not asked or len(said) < 2:
            return None
        with torch.inference_mode():
            alone = self._loss(said, 1)
            given = self._loss([*asked, *said], len(asked) + 1)  # over the same tokens as alone
        return math.exp(min(20.0, given - alone))

    def _loss(self, tokens: list[int], start: int) -> float:
        """Mean negative log-likelihood of ``tokens[start:]``."""
        import torch

        ids = torch.tensor([tokens])
        logits = self._model(ids).logits[0, start - 1 : -1].float()
        return float(torch.nn.functional.cross_entropy(logits, ids[0, start:]))


def open_difficulty(path: str) -> Difficulty:
    """Load a local model folder (or an id the user named). Raises ``MissingPartError`` or ``ConfigError``."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingPartError("--ifd-model needs torch and transformers: pip install 'culturepark[ifd]'") from error
    torch.set_num_threads(1)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        model = transformers.AutoModelForCausalLM.from_pretrained(path)
    except (OSError, ValueError) as error:
        here = "" if Path(path).is_dir() else " (it is no folder here)"
        raise ConfigError(f"--ifd-model {path}: cannot be loaded{here}: {str(error).splitlines()[0][:120]}") from error
    model.eval()
    return Difficulty(model, tokenizer)
