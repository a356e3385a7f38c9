"""OpenAI's chat API on the wire: a request as a body, an answer as a reply."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from culturepark.files import decode_json
from culturepark.llm.base import Finish, Reply, Request, Usage
from culturepark.llm.digits import read_digits

_FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "filter"}
_MOST_TOKENS = 100_000_000  # in one call; more is a server's mistake
_CHARS_OF_A_TOKEN, _LONGEST_REPLY = 32, 32_768
_NAME_CHARS = 200
# Control characters, and those that turn the direction of all that follows; the marks of single letters stay.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNSEEN_ESCAPED = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u(?:00(?:0[0-8bce-f]|1[0-9a-f]|7f|[89][0-9a-f])|202[a-e]|206[6-9])", re.IGNORECASE
)
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
    text = text.removeprefix(prefill) if prefill else text
    reply = Reply(
        text=text,
        finish=_FINISHES.get(str(choice.get("finish_reason")), "other"),
        usage=read_usage(answer.get("usage")),
        model=_drop_unseen(str(answer.get("model") or ""))[:_NAME_CHARS],
        refusal=_drop_unseen(str(message.get("refusal") or "")),
        digits=read_digits(choice, text),
    )
    seen = _drop_unseen(text)
    return reply if seen == text else replace(reply, text=seen, digits=())


def _drop_unseen(text: str) -> str:
    return text if text.isprintable() else _UNSEEN.sub("", text)


def keep_asked(reply: Reply, request: Request) -> Reply:
    """The reply without what was not asked for: text far beyond ``max_tokens``, escaped characters nobody sees."""
    most = _CHARS_OF_A_TOKEN * (request.sampling.max_tokens or _LONGEST_REPLY)
    if len(reply.text) > most:
        reply = replace(reply, text=reply.text[:most], finish="length", digits=())
    if request.schema is not None and "\\u" in reply.text and _UNSEEN_ESCAPED.search(reply.text):
        reply = replace(reply, text=_UNSEEN_ESCAPED.sub(r"\1", reply.text), digits=())
    return reply


def hide_secrets(reply: Reply, secrets: Iterable[str]) -> Reply:
    """The reply without secrets that a server repeats: replies are kept, and become data."""
    for secret in secrets:
        if secret in reply.text or secret in reply.refusal or secret in reply.model:
            text, refusal, model = (part.replace(secret, "***") for part in (reply.text, reply.refusal, reply.model))
            reply = replace(reply, text=text, refusal=refusal, model=model, digits=())
    return reply


def read_usage(given: Any) -> Usage:
    """What a server counted, or nothing where it is no count of tokens: then the call is billed at its estimate."""
    usage = _mapping(given)
    read, written = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if read is None or written is None:
        return Usage()
    cached = _count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0
    return Usage(read, min(cached, read), written)


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
    except UnicodeDecodeError:  # half a character amid whole ones: what can be read of it is paid for
        return _parse_broken(raw)
    except (ValueError, RecursionError):
        return None


def _parse_broken(raw: bytes) -> Any:
    try:
        return decode_json(raw.decode("utf-8", "replace").encode())
    except (ValueError, RecursionError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if plain and 0 <= value <= _MOST_TOKENS else None  # never for NaN
