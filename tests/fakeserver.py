"""A small OpenAI-compatible server with faults on order, in this process or in one of its own.

Replies depend on the request alone; a fault depends on (seed, request, how often it was asked), so
that a retry of a faulty call may succeed and two runs meet the same faults.

    async with FakeServer(p_500=0.1, seed=3) as server:
        ... server.base_url ...
    python tests/fakeserver.py --port-file port.txt --p-reset 0.02 --latency-s 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from aiohttp import web

Answer = tuple[int, Any, Mapping[str, str]]  # status, body (a str or bytes goes out as it is), headers
_FAULTS = ("500", "429", "reset", "cut", "stall", "badjson", "empty", "refusal")

_OPENINGS = (
    "To be honest,",
    "In my family",
    "Where I grew up,",
    "I often notice that",
    "My neighbours say that",
    "As I see it,",
    "When I was young,",
    "Since I moved here,",
    "On market days",
    "At our table",
    "Among my colleagues",
    "Looking back,",
    "If you ask my aunt,",
    "During the holidays",
    "After a long week",
)
_SUBJECTS = (
    "the eldest son",
    "a good friend",
    "my grandmother",
    "our teacher",
    "the whole street",
    "every guest",
    "a young couple",
    "the village council",
    "my sister",
    "the shopkeeper",
    "an honest worker",
    "our priest",
    "the bus driver",
    "a careful parent",
    "my old classmate",
)
_VERBS = (
    "keeps",
    "questions",
    "respects",
    "remembers",
    "teaches",
    "bends",
    "defends",
    "shares",
    "postpones",
    "celebrates",
    "argues about",
    "carries on",
    "gives up",
    "looks after",
    "talks about",
)
_OBJECTS = (
    "the old customs",
    "a promise",
    "the evening meal",
    "the family savings",
    "the weekly visit",
    "a quiet Sunday",
    "the wedding plans",
    "the school rules",
    "the harvest songs",
    "a neighbour's trust",
    "the long winter",
    "the first harvest",
    "an open door",
    "the daily news",
    "the shared garden",
)
_ENDINGS = (
    "because nobody wants to lose face.",
    "and that is how it should stay.",
    "though the young see it otherwise.",
    "even when money is short.",
    "so that the children learn it too.",
    "and I would not change a thing.",
    "but I am not sure that it lasts.",
    "whatever the law may say.",
    "without asking for anything back.",
    "and everyone has a story about it.",
    "which is why I came to doubt it.",
    "as long as the guests are fed.",
)

# What it answers where a model judges: mostly good, now and then not. Other parts of a schema get any value.
_JUDGEMENTS: dict[str, tuple[Any, ...]] = {
    "stance": ("follows",) * 27 + ("silent", "contradicts", "contradicts"),
    "verdict": ("supported",) * 13 + ("unknown",) * 6 + ("contradicted",),
    "after": ("same",) * 18 + ("moved", "unclear"),
    "harm": (1,) * 16 + (2,) * 3 + (4,),
    "fit": (5,) * 10 + (4,) * 8 + (3, 2),
    "complexity": (2, 3, 4, 5),
    "quality": (3, 4, 5, 6),
    "keeps_meaning": (True,) * 9 + (False,),
}


@dataclass
class FakeServer:
    """Settings and state of one server. ``hook`` may answer a request's body itself, or return None.

    ``die_after``: after so many full replies the socket closes and every connection is dropped.
    ``capacity``: so many at once are served, the rest gets a 429 (with ``Retry-After`` where that is set).
    ``prefill``: a last assistant message is part of the reply, as with llama.cpp.
    """

    seed: int = 0
    p_500: float = 0.0
    p_429: float = 0.0
    p_reset: float = 0.0
    p_cut: float = 0.0
    p_stall: float = 0.0
    p_badjson: float = 0.0
    p_empty: float = 0.0
    p_refusal: float = 0.0
    retry_after: str = "0"
    stall_s: float = 3600.0
    latency_s: float = 0.0
    require_key: str = ""
    models: str = "fake-model"
    die_after: int = 0
    port: int = 0
    capacity: int = 0
    prefill: bool = True
    hook: Callable[[dict[str, Any]], Answer | None] | None = None
    extra_routes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seen: deque[dict[str, Any]] = deque(maxlen=1000)
        self.headers: deque[dict[str, str]] = deque(maxlen=1000)
        self.counts: Counter[str] = Counter()
        self.peak = self._in_flight = 0
        self._asked: Counter[str] = Counter()
        self._answered: set[str] = set()
        self._begun: set[str] = set()
        self._stalled = 0
        self._levels: deque[tuple[float, int]] = deque(maxlen=4096)  # when how many calls were at work
        self._runner: web.AppRunner | None = None
        self._ending: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> FakeServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()
        if self._ending is not None:
            await self._ending

    async def start(self) -> None:
        """Listen; a second start after ``die`` listens on the same port."""
        self._gone.clear()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._stats)
        for path, body in self.extra_routes.items():
            app.router.add_get(path, _constant(body))
        self.add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, backlog=4096)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    def add_routes(self, app: web.Application) -> None:
        """For servers that can do more."""

    async def die(self) -> None:
        """Close the socket and drop every connection."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._gone.set()  # stalled handlers end
        for site in list(runner.sites):
            await site.stop()
        for handler in list(runner.server.connections if runner.server else ()):
            if handler.transport is not None:
                handler.transport.abort()
        # Not awaited: a handler may have called for this end and must not wait for itself.
        self._ending = asyncio.get_running_loop().create_task(runner.cleanup())

    def stats(self) -> dict[str, Any]:
        """What happened so far; ``answered_again`` counts requests asked again after a full reply.

        ``asked_again`` counts those asked again after a try that had no fault, whether its reply went out or not;
        ``lately`` is the most calls, stalled ones left out, that were at work at once in the last quarter of a second.
        """
        names = ("requests", "served", "answered_again", "asked_again", *(f"fault_{name}" for name in _FAULTS))
        return {name: self.counts[name] for name in names} | {"peak": self.peak, "lately": self._read_level()}

    def _read_level(self) -> int:
        since = time.monotonic() - 0.25
        return max([self._in_flight - self._stalled, *(level for when, level in self._levels if when >= since)])

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _models(self, request: web.Request) -> web.Response:
        if refused := self._refuse_key(request):
            return refused
        entries = [{"id": name, "object": "model", "owned_by": "fake"} for name in self.models.split(",") if name]
        return web.json_response({"object": "list", "data": entries})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.counts["requests"] += 1
        self._in_flight += 1
        self.peak = max(self.peak, self._in_flight)
        self._levels.append((time.monotonic(), self._in_flight - self._stalled))
        try:
            return await self._answer(request)
        finally:
            self._levels.append((time.monotonic(), self._in_flight - self._stalled))
            self._in_flight -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refuse_key(request):
            return refused
        if self.capacity and self._in_flight > self.capacity:
            self.counts["over"] += 1
            headers = {"Retry-After": self.retry_after} if self.retry_after else None
            return _error(429, "Too many requests at once.", "rate_limit_exceeded", headers)
        body = await request.json()
        self.seen.append(body)
        self.headers.append(dict(request.headers))
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.hook is not None and (answer := self.hook(body)) is not None:
            return _respond(*answer)
        if self.models and body.get("model") not in self.models.split(","):
            return _error(404, f"The model `{body.get('model')}` does not exist.", "model_not_found")
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if digest in self._answered:
            self.counts["answered_again"] += 1
        self.counts["asked_again"] += digest in self._begun
        fault = self._draw_fault(digest)
        self._asked[digest] += 1
        if fault:
            self.counts[f"fault_{fault}"] += 1
        else:
            self._begun.add(digest)
        return await self._serve(request, body, digest, fault)

    async def _serve(self, request: web.Request, body: dict[str, Any], digest: str, fault: str) -> web.StreamResponse:
        if fault == "500":
            return _error(500, "The server had an error.", "server_error")
        if fault == "429":
            return _error(429, "Rate limit reached.", "rate_limit_exceeded", {"Retry-After": self.retry_after})
        if fault == "stall":
            self._stalled += 1
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._gone.wait(), self.stall_s)
            finally:
                self._stalled -= 1
        text = json.dumps(make_completion(body, digest, fault, prefill=self.prefill))
        if fault == "badjson":
            text = text[: len(text) // 2]
        if fault in ("reset", "cut"):
            return await _break_off(request, text if fault == "cut" else "")
        response = web.Response(text=text, content_type="application/json")
        await response.prepare(request)
        await response.write_eof()
        if fault != "badjson":
            self._answered.add(digest)
            self.counts["served"] += 1
        if self.die_after and self.counts["served"] >= self.die_after:
            await self.die()
        return response

    def _draw_fault(self, digest: str) -> str:
        draw = random.Random(f"{self.seed}:{digest}:{self._asked[digest]}").random()
        for name in _FAULTS:
            draw -= getattr(self, f"p_{name}")
            if draw < 0:
                return name
        return ""

    def _refuse_key(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if not self.require_key or given == f"Bearer {self.require_key}":
            return None
        # Real servers echo the key too, which is what makes raw error bodies dangerous.
        return _error(401, f"Incorrect API key provided: {given.removeprefix('Bearer ')}.", "invalid_api_key")


def make_completion(body: Mapping[str, Any], digest: str, fault: str = "", *, prefill: bool = True) -> dict[str, Any]:
    """The whole answer to one request, the same each time."""
    rng = random.Random(digest)
    messages = body["messages"]
    wanted = (body.get("response_format") or {}).get("json_schema")
    text = json.dumps(fill_schema(wanted["schema"], rng)) if wanted else make_prose(rng, body["messages"])
    room = 4 * int(body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000)
    cut = len(text) > room
    text = text[:room]
    if prefill and messages[-1]["role"] == "assistant":
        text = messages[-1]["content"] + text
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if fault == "empty":
        message["content"] = ""
    if fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    sizes = [len(str(m["content"])) // 4 + 1 for m in messages]
    output = len(text) // 4 + 1
    usage = {
        "prompt_tokens": sum(sizes),
        "completion_tokens": output,
        "total_tokens": sum(sizes) + output,
        "prompt_tokens_details": {"cached_tokens": sizes[0] if len(sizes) > 2 else 0},
    }
    choice = {"index": 0, "message": message, "finish_reason": "length" if cut else "stop"}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": [{"token": text[:4], "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
    return {
        "id": f"chatcmpl-{digest[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }


def make_prose(rng: random.Random, messages: Sequence[Mapping[str, str]] = ()) -> str:
    """Two to four sentences out of some 600,000 possible ones, and one with words of the first user message."""
    parts = (_OPENINGS, _SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)
    prose = " ".join(" ".join(rng.choice(words) for words in parts) for _ in range(rng.randint(2, 4)))
    asked = next((str(m["content"]) for m in messages if m["role"] == "user"), "")
    long_words = [w for w in asked.replace(".", " ").replace(",", " ").split() if len(w) > 5 and w.isalpha()]
    if len(long_words) < 8:
        return prose
    return f"{prose} I often think about {' and '.join(rng.sample(long_words, 3))} in my kitchen."


def fill_schema(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any] | None = None) -> Any:
    """A value that fits a JSON schema (the part of it that structured outputs use)."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return fill_schema(target, rng, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return fill_schema(rng.choice(schema[name]), rng, root)
    kind = schema.get("type", "object")
    return _FILLERS[rng.choice(kind) if isinstance(kind, list) else kind](schema, rng, root)


def _fill_object(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _fill_part(name, part, rng, root) for name, part in schema.get("properties", {}).items()}


def _fill_part(name: str, part: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> Any:
    choices = _JUDGEMENTS.get(name, ())
    if choices and (set(choices) <= set(part.get("enum", ())) or part.get("type") == "boolean"):
        return rng.choice(choices)
    if name == "statements":  # at most one, so that a claim of many is not lost to a single bad one
        part = {**part, "maxItems": 1}
    if "sentences" in part.get("items", {}).get("properties", {}) and rng.random() < 0.8:
        part = {**part, "minItems": min(2, part.get("maxItems", 2))}
    return fill_schema(part, rng, root)


def _fill_array(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> list[Any]:
    low = schema.get("minItems", 0)
    count = rng.randint(low, min(schema.get("maxItems", low + 2), low + 2))
    items: list[Any] = []
    for _ in range(20 * count):
        item = fill_schema(schema.get("items", {"type": "string"}), rng, root)
        if item not in items:
            items.append(item)
        if len(items) >= count:
            break
    items += items[:1] * (low - len(items))  # too few different values
    # Numbers mostly point at sentences, which a model names in their order.
    return sorted(items) if all(isinstance(item, int) for item in items) else items


def _fill_string(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> str:
    text = make_prose(rng)
    while len(text) < schema.get("minLength", 0):
        text += " " + make_prose(rng)
    return text[: schema.get("maxLength", len(text))]


def _fill_integer(schema: Mapping[str, Any], rng: random.Random, root: Mapping[str, Any]) -> int:
    low = int(schema.get("minimum", min(0, schema.get("maximum", 0))))
    return rng.randint(low, int(schema.get("maximum", low + 5)))


_FILLERS: dict[str, Callable[[Mapping[str, Any], random.Random, Mapping[str, Any]], Any]] = {
    "object": _fill_object,
    "array": _fill_array,
    "string": _fill_string,
    "integer": _fill_integer,
    "number": lambda schema, rng, root: float(_fill_integer(schema, rng, root)),
    "boolean": lambda schema, rng, root: rng.random() < 0.5,
    "null": lambda schema, rng, root: None,
}


def _constant(body: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


def _error(status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


def _respond(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return web.Response(status=status, body=raw, headers={"Content-Type": "application/json", **headers})


async def _break_off(request: web.Request, text: str) -> web.StreamResponse:
    """Drop the connection, for ``text`` after half of it."""
    response = web.Response(text=text, content_type="application/json")
    if request.transport is None:
        return response
    if text:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        request.transport.write((head + text[: len(text) // 2]).encode())
        request.transport.close()
    else:
        request.transport.abort()
    return response


def read_arguments(kind: type[FakeServer] = FakeServer) -> tuple[FakeServer, Path | None]:
    parser = argparse.ArgumentParser(description="A fake OpenAI-compatible server.")
    parser.add_argument("--port-file", type=Path, help="where the port is written once it listens")
    plain = [part for part in fields(kind) if part.name not in ("hook", "extra_routes", "prefill")]
    for part in plain:
        default: Any = part.default
        parser.add_argument(f"--{part.name.replace('_', '-')}", type=type(default), default=default)
    arguments = parser.parse_args()
    return kind(**{part.name: getattr(arguments, part.name) for part in plain}), arguments.port_file


async def serve(server: FakeServer, port_file: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        if port_file is not None:
            part = port_file.with_name(port_file.name + ".part")
            part.write_text(str(server.port))
            os.replace(part, port_file)
        print(server.base_url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(*read_arguments()))
