"""Instruction-following difficulty: the formula, and the stage that uses it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from culturepark.errors import ConfigError
from culturepark.refine.candidate import Candidate, Limits, StageContext
from culturepark.refine.stages.ifd import check
from tests.builders import ENGLISH

CANDIDATE = Candidate("x-a1", "I cook for her.", "What do you do?", "arab", "EGY", "care", 1, "opinion")


class Fixed:
    """A model whose score is given."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def score(self, question: str, answer: str) -> float | None:
        assert (question, answer) == (CANDIDATE.question, CANDIDATE.text)
        return self.value


@pytest.mark.parametrize(("value", "reason"), [(0.99, ""), (1.0, "high_ifd"), (3.0, "high_ifd"), (None, "")])
def test_answers_that_the_question_does_not_help_are_dropped(value: float | None, reason: str) -> None:
    context = StageContext(ENGLISH, tools={"ifd": Fixed(value)})
    assert check(CANDIDATE, context).reason == reason
    strict = replace(context, limits=Limits(max_ifd=0.5))
    assert check(CANDIDATE, strict).kept == (value is None)


def test_without_a_model_nothing_is_asked() -> None:
    assert check(CANDIDATE, StageContext(ENGLISH)).kept


def tokenize(text: str, add_special_tokens: bool) -> dict[str, list[int]]:
    assert not add_special_tokens
    return {"input_ids": [ord(c) % 7 for c in text]}


def test_the_score_is_the_ratio_of_perplexities() -> None:
    torch: Any = pytest.importorskip("torch")
    from culturepark.refine.difficulty import Difficulty

    table = torch.randn(7, 7, generator=torch.Generator().manual_seed(1))

    class Summing:
        """Logits of the next token hang on the sum of all before it."""

        def __call__(self, ids: Any) -> Any:
            return type("Out", (), {"logits": table[ids.cumsum(-1) % 7]})

    found = Difficulty(Summing(), tokenize).score("why", "because")
    said, asked = tokenize("because", False)["input_ids"], tokenize("why\n", False)["input_ids"]
    logs = torch.log_softmax(table, -1)

    def loss(tokens: list[int], first: int) -> float:
        steps = [-float(logs[sum(tokens[:k]) % 7, tokens[k]]) for k in range(first, len(tokens))]
        return sum(steps) / len(steps)

    # The first token of the answer has nothing before it when the answer stands alone: it counts in neither.
    expected = math.exp(loss([*asked, *said], len(asked) + 1) - loss(said, 1))
    assert found == pytest.approx(expected, rel=1e-5) and found != pytest.approx(1.0, rel=1e-3)
    assert Difficulty(Summing(), tokenize).score("why", "b") is None
    assert Difficulty(Summing(), tokenize).score("why", "") is None


def test_a_model_that_is_not_there_is_told_in_one_line() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from culturepark.refine.difficulty import open_difficulty

    with pytest.raises(ConfigError, match="--ifd-model nowhere/at-all: cannot be loaded"):
        open_difficulty("nowhere/at-all")
