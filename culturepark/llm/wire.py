"""OpenAI's chat API on the wire: a request as a body, an answer as a reply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from culturepark.files import decode_json
from culturepark.llm.base import Finish, Reply, Request, Usage
from culturepark.llm.digits import read_digits

_FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "filter"}
_THINKING = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)


def make_body(request: Request, prefill: bool) -> dict[str, Any]:
    """The request as OpenAI's chat API takes it; ``prefill``: with its prefill as a last assistant message."""
    messages = [dict(message) for message in request.messages]
    if prefill and request.prefill:
        messages.append({"role": "assistant", "content": request.prefill})
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "response_format": response_format(request),
    }
    return {name: value for name, value in body.items() if value is not None} | dict(sampling.extra)


def response_format(request: Request) -> dict[str, Any] | None:
    """The request's schema in OpenAI's form."""
    if request.schema is None:
        return None
    schema = {"name": request.schema.name, "strict": True, "schema": dict(request.schema.body)}
    return {"type": "json_schema", "json_schema": schema}


def read_reply(answer: Mapping[str, Any], prefill: str = "") -> Reply:
    """The first choice of a server's answer, without a leading block of thoughts and without the prefill."""
    choice = answer["choices"][0]
    message = choice["message"]
    text = join_text(message.get("content"))
    if thoughts := _THINKING.match(text):
        text = text[thoughts.end() :]
    usage = _mapping(answer.get("usage"))
    text = text.removeprefix(prefill) if prefill else text
    return Reply(
        text=text,
        finish=_FINISHES.get(str(choice.get("finish_reason")), "other"),
        usage=Usage(
            input=_count(usage.get("prompt_tokens")),
            cached=_count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
            output=_count(usage.get("completion_tokens")),
        ),
        model=str(answer.get("model") or ""),
        refusal=str(message.get("refusal") or ""),
        digits=read_digits(choice, text),
    )


def join_text(content: Any) -> str:
    """The text of a message's content, which may be null, a string or a list of parts."""
    if isinstance(content, list):
        texts = (part if isinstance(part, str) else _mapping(part).get("text") for part in content)
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def has_choice(answer: Any) -> bool:
    """Does a server's answer hold at least one choice with a message?"""
    choices = _mapping(answer).get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(_mapping(first).get("message"), dict)


def parse_answer(raw: bytes) -> Any:
    """What a server answered, or ``None`` where it is no JSON."""
    try:
        return decode_json(raw)
    except (ValueError, RecursionError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return max(0, int(value)) if isinstance(value, (int, float)) else 0
