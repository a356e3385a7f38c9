"""Loss on the assistant's words alone, over chat templates of all sorts."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import DataError
from culturepark.training.masking import IGNORED, ChatForm, find_answers, label_chat, prepare_form
from tests.training.tiny import CHATML, GEMMA, PHI, THINKING, make_tokenizer

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

TALK = [
    {"role": "system", "content": "You live in Sfax."},
    {"role": "user", "content": "Yes or no?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Yes."},  # the same words as the answer before
    {"role": "assistant", "content": " Yes. It is so.\n"},
]


def learnt(form: ChatForm, talk: list[dict[str, str]], longest: int = 999) -> list[str]:
    """The stretches of text that the loss is on."""
    made = label_chat(form, talk, longest)
    stretches: list[list[int]] = [[]]
    for token, label in zip(made["input_ids"], made["labels"], strict=True):
        if label == IGNORED:
            stretches.append([])
        else:
            assert label == token
            stretches[-1].append(token)
    return [form.tokenizer.decode(s) for s in stretches if s]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, ["Yes.<|im_end|>", "Yes. It is so.<|im_end|>"]),
        (PHI, ["Yes.<|end|>", "Yes. It is so.<|end|>\n<|im_end|>"]),
        (GEMMA, ["Yes.<end_of_turn>", "Yes. It is so.<end_of_turn>"]),
        (THINKING, ["Yes.<|im_end|>", "<think>\n\n</think>\n\nYes. It is so.<|im_end|>"]),
    ],
    ids=["chatml", "phi", "gemma", "thinking"],
)
def test_answers_and_their_end_tokens_are_learnt_and_nothing_else(template: str, expected: list[str]) -> None:
    form = prepare_form(make_tokenizer(template=template), lambda _: None)
    assert learnt(form, TALK) == expected


def test_a_system_message_that_the_template_refuses_opens_the_question() -> None:
    told: list[str] = []
    form = prepare_form(make_tokenizer(template=GEMMA), told.append)
    assert "takes no system message" in told[0]
    text, _ = find_answers(form, TALK)
    assert text.startswith("<start_of_turn>user\nYou live in Sfax.\n\nYes or no?<end_of_turn>")


def test_a_model_without_a_template_gets_a_plain_one_that_is_kept(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    told: list[str] = []
    form = prepare_form(make_tokenizer(template=None), told.append)
    assert "no chat template" in told[0]
    assert learnt(form, TALK) == [" Yes.<|im_end|>", " Yes. It is so.<|im_end|>"]
    form.tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    marked = again.apply_chat_template(TALK, return_dict=True, return_assistant_tokens_mask=True)
    assert sum(marked["assistant_masks"]) > 4  # it carries generation marks for whoever trains further


def test_a_long_chat_is_cut_and_may_lose_its_answer() -> None:
    form = prepare_form(make_tokenizer(), lambda _: None)
    assert learnt(form, TALK, 20) == []
    assert len(label_chat(form, TALK, 20)["input_ids"]) == 20


@pytest.mark.parametrize("template", ["{{ messages[0]['content'] }}", "{{ raise_exception('no') }}", "{{ 1 / 0 }}"])
def test_a_template_that_loses_words_or_breaks_is_one_line(template: str) -> None:
    with pytest.raises(DataError, match="chat template"):
        label_chat(prepare_form(make_tokenizer(template=template), lambda _: None), TALK, 99)


def templates_of_trl() -> list[str]:
    spec = find_spec("trl")
    folder = Path(spec.submodule_search_locations[0]) / "chat_templates" if spec else Path("none")  # type: ignore[index]
    names = ("llama3", "qwen2_5", "qwen3_instruct_2507", "gemma", "gemma3", "cohere", "lfm2")
    return [str(p) for name in names if (p := folder / f"{name}_training.jinja").exists()]


@pytest.mark.parametrize("marked", templates_of_trl(), ids=lambda p: Path(p).stem)
def test_real_templates_are_masked_as_trl_marks_them(marked: str) -> None:
    """TRL's own copies with generation marks against ours without; an answer's last line feed may differ."""
    plain = Path(marked.replace("_training", "")).read_text(encoding="utf-8")
    form = prepare_form(make_tokenizer(template=plain), lambda _: None)
    talk = form.arrange([*TALK[:3], {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "It is so."}])
    ours = "".join("".join(learnt(form, talk)).split())
    tokenizer: Any = make_tokenizer(template=Path(marked).read_text(encoding="utf-8"))
    made = tokenizer.apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True)
    theirs = tokenizer.decode([t for t, m in zip(made["input_ids"], made["assistant_masks"], strict=True) if m])
    assert ours and ours == "".join(theirs.split())
