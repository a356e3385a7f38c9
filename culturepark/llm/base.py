"""The one way to ask a model: a ``Request`` goes in, a ``Reply`` comes out.

A ``ChatClient`` is a transport (``http``, ``langchain``, ``scripted``) or a wrapper of another
client (``limits``, ``replay``). Wrappers stack; everything above them sees the same protocol.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol

import orjson

Message = Mapping[str, str]  # {"role": "system" | "user" | "assistant", "content": "..."}
Purpose = Literal["note", "turn", "moderate", "repair", "extract", "verify", "rewrite", "harm", "fit", "probe"]
Finish = Literal["stop", "length", "filter", "other"]


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON schema the reply must fit; ``body`` is the schema itself."""

    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to decode. ``None`` leaves a value to the server. ``extra`` goes into the request body as it is."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> str:
        """Numbers, stops and extras as two JSON values, the same for equal settings in every process."""
        begin, end = _encode_numbers(self.temperature, self.top_p, self.max_tokens, tuple(self.stop))
        seed = str(self.seed) if type(self.seed) is int else _encode(self.seed)
        return f"{begin}{seed}{end},{_encode(dict(self.extra)) if self.extra else '{}'}"


@lru_cache(maxsize=64, typed=True)  # most calls of a run differ in the seed alone; 1 and 1.0 are written differently
def _encode_numbers(
    temperature: float | None, top_p: float | None, max_tokens: int | None, stop: tuple[str, ...]
) -> tuple[str, str]:
    numbers = ",".join(map(_encode, (temperature, top_p, max_tokens)))
    return f"[{numbers},", f",{_encode(list(stop))}]"


@dataclass(frozen=True, slots=True)
class Request:
    """One model call.

    ``key`` names the call inside the run (``<dialogue id>/<step>``) and is unique for it; it is not
    sent. ``prefill`` is text the reply must go on from; a client without that ability ignores it.
    """

    key: str
    purpose: Purpose
    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    schema: Schema | None = None
    prefill: str = ""
    _hash: str = field(default="", init=False, repr=False, compare=False)

    def hash(self) -> str:
        """SHA-256 (first 16 hex digits) over everything that decides the reply."""
        if not self._hash:
            object.__setattr__(self, "_hash", self._make_hash())
        return self._hash

    def _make_hash(self) -> str:
        # Model and messages by the fast encoder, the rest by the one that writes numbers as they always were.
        asked = [self.model, [[m["role"], m["content"]] for m in self.messages]]
        schema = _encode([self.schema.name, self.schema.body]) if self.schema else "null"
        rest = f",{self.sampling.encode()},{schema},{_encode(self.prefill)}]".encode("utf-8", "surrogatepass")
        try:
            begin = orjson.dumps(asked)
        except TypeError:  # half a character
            begin = _encode(asked).encode("utf-8", "surrogatepass")
        return hashlib.sha256(begin[:-1] + rest).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the server counted them; ``cached`` is part of ``input``."""

    input: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answered. ``text`` is without any prefill; ``refusal`` is the server's own refusal text.

    ``digits`` has, where log-probabilities were asked for and given, each token that is one digit: its place in
    ``text`` and the probabilities of the digits 0 to 9 there (0 for those the server did not list).
    """

    text: str
    finish: Finish = "stop"
    usage: Usage = Usage()
    model: str = ""
    refusal: str = ""
    replayed: bool = False
    digits: tuple[tuple[int, tuple[float, ...]], ...] = ()


class ChatClient(Protocol):
    """Anything that answers requests.

    ``reply`` raises ``CallError`` when this one call cannot be answered and ``EndpointError`` when
    no call can (bad key, unknown model, server gone).
    """

    async def reply(self, request: Request) -> Reply:
        """Answer one request."""
        ...

    async def close(self) -> None:
        """Release connections and files."""
        ...
