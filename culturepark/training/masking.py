"""Loss on the assistant's words alone: a chat as tokens and labels, whatever the base model's chat template.

The template is rendered as it is, each answer is found in the text, and tokens outside answers get the label -100. So
no template needs generation marks. An answer runs from the end of the generation prompt to its end-of-turn token.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from culturepark.errors import DataError

IGNORED = -100
Message = dict[str, str]
Span = tuple[int, int]

# For a base model without a chat template: plain words and the model's own end token.
FALLBACK_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\\n' }}"
    "{% else %}Answer: {% generation %}{{ message['content'] + eos_token + '\\n' }}{% endgeneration %}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}"
)


@dataclass
class ChatForm:
    """How a base model wants its chats: renders them, and knows whether it takes a system message."""

    tokenizer: Any
    joins_system: bool = False

    def arrange(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as the template takes them: without a system role, its words open the first question."""
        given = [{"role": m["role"], "content": m["content"].strip()} for m in messages]
        if not self.joins_system or given[0]["role"] != "system":
            return given
        if len(given) < 2:
            return [{"role": "user", "content": given[0]["content"]}]
        first = {"role": given[1]["role"], "content": f"{given[0]['content']}\n\n{given[1]['content']}"}
        return [first, *given[2:]]

    def render(self, messages: Sequence[Message], ask: bool = False) -> str:
        """The chat as text; ``ask`` adds the prompt that an answer follows."""
        return str(
            self.tokenizer.apply_chat_template(self.arrange(messages), tokenize=False, add_generation_prompt=ask)
        )

    def tokenize(self, text: str) -> tuple[list[int], list[Span]]:
        """Token ids and where each token stands in the text."""
        made = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(made["input_ids"]), [tuple(pair) for pair in made["offset_mapping"]]


def prepare_form(tokenizer: Any, warn: Callable[[str], None]) -> ChatForm:
    """Find out what the base model's chat template can do; one that is missing is replaced, with a warning."""
    if not tokenizer.chat_template:
        tokenizer.chat_template = FALLBACK_TEMPLATE
        warn("the base model has no chat template: a plain one is used (Question: ... Answer: ...) and saved with it")
    if not getattr(tokenizer, "is_fast", False):
        raise DataError(
            "the base model's tokenizer cannot tell where its tokens stand; use a model with tokenizer.json"
        )
    form = ChatForm(tokenizer)
    probe = [{"role": r, "content": c} for r, c in (("system", "Be kind."), ("user", "Hi?"), ("assistant", "Yes."))]
    try:
        if "Be kind." in form.render(probe):
            return form
    except Exception as error:  # a template says no in its own words (TemplateError) or breaks in any way
        try:
            form.render(probe[1:])
        except Exception:
            raise DataError(f"the base model's chat template cannot be used ({error!r:.100})") from error
    warn("the base model's chat template takes no system message: its words are put before the first question")
    return ChatForm(tokenizer, joins_system=True)


def find_answers(form: ChatForm, messages: Sequence[Message]) -> tuple[str, list[Span]]:
    """The rendered chat and the spans of its answers. Raises ``DataError`` when the template changes their words."""
    chat = form.arrange(messages)
    text = form.render(chat)
    last = chat[-1]["content"]
    tail = text[text.rfind(last) + len(last) :].rstrip() if last in text else ""
    spans: list[Span] = []
    cursor = 0
    for number, message in enumerate(chat):
        words = message["content"]
        place = text.find(words, cursor)
        if place < 0:
            raise DataError("the base model's chat template does not keep the words of a message")
        end = place + len(words)
        if message["role"] == "assistant":
            if tail and text.startswith(tail, end):
                end += len(tail)
            spans.append((_find_start(form, chat[:number], text, cursor, place), end))
        cursor = end
    return text, spans


def _find_start(form: ChatForm, before: Sequence[Message], text: str, cursor: int, place: int) -> int:
    """Where the generation prompt ends, when the text begins with it; else where the words begin."""
    asked = form.render(before, ask=True) if before else ""
    return len(asked) if cursor <= len(asked) <= place and text.startswith(asked) else place


def label_chat(form: ChatForm, messages: Sequence[Message], longest: int) -> dict[str, list[int]]:
    """``input_ids`` and ``labels`` of a chat, cut to ``longest`` tokens."""
    text, spans = find_answers(form, messages)
    ids, places = form.tokenize(text)
    spans = [_add_stop(span, text, ids, places, form.tokenizer.added_tokens_decoder) for span in spans]
    labels = [token if _stands_in(place, spans) else IGNORED for token, place in zip(ids, places, strict=True)]
    return {"input_ids": ids[:longest], "labels": labels[:longest]}


def _add_stop(span: Span, text: str, ids: Sequence[int], places: Sequence[Span], special: Container[int]) -> Span:
    """The span with the special token that follows it, if one does: what the model must learn to stop with."""
    start, end = span
    last = bisect_left(places, end, key=lambda place: place[1])
    if last < len(ids) and ids[last] in special:  # the template ends every answer alike: it is in already
        return span
    at = len(text) - len(text[end:].lstrip())
    first = bisect_left(places, at, key=lambda place: place[0])
    return (start, places[first][1]) if first < len(ids) and ids[first] in special and places[first][0] == at else span


def _stands_in(place: Span, spans: Iterable[Span]) -> bool:
    return any(place[1] > start and place[0] < end and place[1] > place[0] for start, end in spans)


def label_dataset(data: Any, form: ChatForm, longest: int) -> tuple[Any, int, int]:
    """A dataset of chats as tokens and labels; also how many were cut, and how many left out for having no answer."""

    def label(row: dict[str, Any]) -> dict[str, Any]:
        made = label_chat(form, row["messages"], longest)
        return {**made, "cut": len(made["input_ids"]) == longest}

    made = data.map(label, remove_columns=data.column_names, keep_in_memory=len(data) < 20_000)
    good = made.filter(lambda row: any(k != IGNORED for k in row["labels"]), keep_in_memory=len(data) < 20_000)
    cut = sum(good["cut"]) if len(good) else 0
    return good.remove_columns("cut"), int(cut), len(made) - len(good)
