"""LangChain models as clients: a real ChatOpenAI against the local server, and models that need none."""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from culturepark.errors import CallError, ConfigError, CultureParkError, EndpointError, MissingPartError
from culturepark.llm.base import Reply, Request, Sampling, Schema, Usage
from culturepark.llm.faults import UnreachableError
from culturepark.llm.langchain import LangChainClient, open_langchain, turn_tracing_off
from tests.fakeserver import Answer, FakeServer

KEY = "sk-test-0123456789abcdef"
SCHEMA = Schema("colour", {"type": "object", "properties": {"c": {"enum": ["red", "blue"]}}, "required": ["c"]})


def make_request(**changes: Any) -> Request:
    given: dict[str, Any] = {
        "key": "d1/0",
        "purpose": "turn",
        "model": "fake-model",
        "messages": ({"role": "system", "content": "You are Aya."}, {"role": "user", "content": "Hello"}),
    }
    return Request(**{**given, **changes})


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[FakeServer, LangChainClient]]:
    async with FakeServer(**settings) as server:
        client = open_langchain("openai:fake-model", base_url=server.base_url, api_key=KEY, timeout=5.0)
        try:
            yield server, client
        finally:
            await client.close()


def always(status: int, body: Any, headers: dict[str, str] | None = None) -> Callable[[Any], Answer]:
    return lambda _: (status, body, headers or {})


def error_body(message: str, code: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "type": "", "code": code, "param": None}}


async def fail(client: LangChainClient) -> CultureParkError:
    with pytest.raises(CultureParkError) as caught:
        await client.reply(make_request())
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(client)
    assert KEY not in said and "\n" not in str(caught.value)
    return caught.value


# ChatOpenAI against the server


async def test_openai_sends_and_reads_everything() -> None:
    sampling = Sampling(0.5, 0.9, 400, 7, ("END",), {"top_k": 5})
    async with serving(require_key=KEY) as (server, client):
        reply = await client.reply(make_request(sampling=sampling))
    sent = server.seen[0]
    assert sent["messages"] == [
        {"role": "system", "content": "You are Aya."},
        {"role": "user", "content": "Hello"},
    ]
    assert [sent[name] for name in ("temperature", "top_p", "seed", "stop", "top_k")] == [
        0.5,
        0.9,
        7,
        ["END"],
        5,
    ]
    assert sent["max_completion_tokens"] == 400
    assert reply.text and reply.finish == "stop" and reply.model == "fake-model"
    assert reply.usage.input > 0 and reply.usage.output > 0


async def test_openai_leaves_out_what_is_not_set() -> None:
    async with serving() as (server, client):
        await client.reply(make_request())
    assert server.seen[0].keys() - {"stream"} == {"model", "messages"}


async def test_openai_counts_cached_tokens_and_tells_a_cut_reply() -> None:
    messages = tuple({"role": role, "content": "word " * 40} for role in ("system", "user", "assistant", "user"))
    async with serving() as (_, client):
        reply = await client.reply(make_request(messages=messages, sampling=Sampling(max_tokens=5)))
    assert reply.finish == "length" and 0 < reply.usage.cached < reply.usage.input


async def test_openai_asks_with_the_schema() -> None:
    async with serving() as (server, client):
        reply = await client.reply(make_request(schema=SCHEMA))
    assert json.loads(reply.text)["c"] in ("red", "blue")
    assert server.seen[0]["response_format"]["json_schema"]["strict"] is True


async def test_openai_schema_reply_cut_by_length_is_a_reply_not_an_error() -> None:
    async with serving() as (_, client):
        reply = await client.reply(make_request(schema=SCHEMA, sampling=Sampling(max_tokens=1)))
    assert reply.finish == "length" and reply.text == '{"c"' and reply.usage.output > 0


async def test_openai_refusal() -> None:
    async with serving(p_refusal=1.0) as (_, client):
        reply = await client.reply(make_request())
    assert reply.text == "" and reply.refusal == "I cannot help with that."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, error_body("slow down"), "rate"),
        (500, error_body("oops"), "server"),
        (503, "", "server"),
        (400, error_body("messages must not be empty"), "request"),
        (400, error_body("too long", "context_length_exceeded"), "context"),
        (422, error_body("no"), "request"),
        (200, "not json {", "server"),
        (200, {"choices": None}, "server"),
    ],
)
async def test_openai_call_errors(status: int, body: Any, kind: str) -> None:
    async with serving(hook=always(status, body)) as (server, client):
        error = await fail(client)
    assert isinstance(error, CallError) and error.kind == kind, error
    assert len(server.seen) == 1  # no hidden retries under ours


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "invalid_api_key", "--api-key-env"),
        (403, "", "--api-key-env"),
        (402, "", "quota"),
        (429, "insufficient_quota", "quota"),
        (404, "model_not_found", "check --model"),
    ],
)
async def test_openai_endpoint_errors(status: int, code: str, words: str) -> None:
    async with serving(hook=always(status, error_body(f"bad key {KEY}", code))) as (_, client):
        error = await fail(client)
    assert isinstance(error, EndpointError) and words in str(error)


async def test_a_key_unlike_any_known_form_is_masked_too() -> None:
    async with FakeServer(hook=always(500, error_body("key aLong-Odd.Key is bad"))) as server:
        client = open_langchain("openai:fake-model", base_url=server.base_url, api_key="aLong-Odd.Key")
        error = await fail(client)
        await client.close()
    assert "aLong" not in str(error) and "is bad" in str(error)


async def test_openai_retry_after() -> None:
    async with serving(p_429=1.0, retry_after="11") as (_, client):
        error = await fail(client)
    assert isinstance(error, CallError) and error.retry_after == 11.0


async def test_openai_network_faults() -> None:
    async with serving(p_reset=1.0) as (_, client):
        error = await fail(client)
    assert isinstance(error, CallError) and error.kind == "network" and not isinstance(error, UnreachableError)
    async with FakeServer(p_stall=1.0) as server:
        client = open_langchain("openai:fake-model", base_url=server.base_url, api_key=KEY, timeout=0.2)
        error = await fail(client)
        await client.close()
    assert isinstance(error, CallError) and error.kind == "timeout"


async def test_openai_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = open_langchain("openai:fake-model", base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY)
    assert isinstance(await fail(client), UnreachableError)
    await client.close()


# Other models


async def test_a_model_without_any_setting() -> None:
    client = LangChainClient(FakeListChatModel(responses=["Salam", "Annyeong"]))
    asked = make_request(sampling=Sampling(0.5, 0.9, 40, 7, ("END",), {"top_k": 5}), schema=SCHEMA)
    assert await client.reply(asked) == Reply("Salam", "stop")
    assert (await client.reply(asked)).text == "Annyeong"
    await client.close()


class TellingModel(BaseChatModel):
    """A model with fields of its own that answers with what it was told, or raises."""

    temperature: float | None = 0.1
    max_output_tokens: int | None = None
    heard: list[dict[str, Any]] = []
    answer: Any = "x"
    metadata_out: dict[str, Any] = {}
    error: Any = None

    @property
    def _llm_type(self) -> str:
        return "telling"

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        self.heard.append({"temperature": self.temperature, "tokens": self.max_output_tokens, "stop": stop, **kwargs})
        if self.error is not None:
            raise self.error
        usage = {
            "input_tokens": 9,
            "output_tokens": 2,
            "total_tokens": 11,
            "input_token_details": {"cache_read": 5},
        }
        message = AIMessage(self.answer, response_metadata=self.metadata_out, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


async def test_settings_reach_the_fields_a_model_has_and_leave_the_model_alone() -> None:
    model = TellingModel(heard=[])
    client = LangChainClient(model)
    reply = await client.reply(make_request(sampling=Sampling(0.9, 0.5, 64, 3, ("END",))))
    await client.reply(make_request())
    assert model.heard == [
        {"temperature": 0.9, "tokens": 64, "stop": ["END"]},
        {"temperature": 0.1, "tokens": None, "stop": None},
    ]
    assert reply.usage == Usage(9, 5, 2)


@pytest.mark.parametrize(
    ("metadata", "finish"),
    [
        ({"stop_reason": "end_turn", "model_name": "m"}, "stop"),
        ({"stop_reason": "max_tokens", "model": "m"}, "length"),
        ({"stop_reason": "refusal", "model": "m"}, "filter"),
        ({"finish_reason": "SAFETY", "model": "m"}, "filter"),
        ({"finish_reason": "MAX_TOKENS", "model": "m"}, "length"),
        ({"done_reason": "stop", "model": "m"}, "stop"),
        ({"finish_reason": "tool_calls", "model": "m"}, "other"),
    ],
)
async def test_finish_words_of_other_makers(metadata: dict[str, Any], finish: str) -> None:
    reply = await LangChainClient(TellingModel(metadata_out=metadata)).reply(make_request())
    assert (reply.finish, reply.model) == (finish, "m")


async def test_content_of_several_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "two "}, "parts", {"type": "thinking", "thinking": "hm"}]
    assert (await LangChainClient(TellingModel(answer=parts)).reply(make_request())).text == "two parts"


class MakerError(Exception):
    """An error as a maker's package raises it."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


@pytest.mark.parametrize(
    ("error", "expected", "kind"),
    [
        (MakerError("busy\nmore", 429), CallError, "rate"),
        (MakerError("no such key", 401), EndpointError, ""),
        (TimeoutError("slow"), CallError, "timeout"),
        (ConnectionResetError("gone"), CallError, "network"),
        (ConnectionRefusedError("nobody"), UnreachableError, "network"),
        (ValueError("bad\nthing"), CallError, "request"),
    ],
)
async def test_errors_of_other_makers(error: Exception, expected: type[Exception], kind: str) -> None:
    raised = await fail(LangChainClient(TellingModel(error=error)))
    assert isinstance(raised, expected) and getattr(raised, "kind", "") == kind


# Opening and tracing


@pytest.mark.parametrize("spec", ["openai", "openai:", ":gpt", ""])
def test_a_spec_without_provider_and_model(spec: str) -> None:
    with pytest.raises(ConfigError, match="provider:model"):
        open_langchain(spec)


def test_missing_key_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="openai:gpt-4o-mini cannot be opened") as caught:
        open_langchain("openai:gpt-4o-mini")
    assert "\n" not in str(caught.value)


def test_a_bad_setting_does_not_tell_the_key() -> None:
    with pytest.raises(ConfigError) as caught:
        open_langchain("openai:gpt-4o-mini", api_key=KEY, timeout={"a": KEY}, temperature="hot")
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("missing", "spec", "words"), [
    ("langchain", "anthropic:claude", r"pip install langchain langchain-anthropic$"),
    ("langchain", "google_genai:gemini", r"pip install langchain langchain-google-genai$"),
    ("langchain_openai", "openai:gpt", r"pip install langchain-openai$"),
])  # fmt: skip
def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, missing: str, spec: str, words: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingPartError, match=words):
        open_langchain(spec, api_key=KEY)


def test_tracing_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from langsmith import utils as settings

    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    settings.get_env_var.cache_clear()  # type: ignore[attr-defined]
    assert settings.tracing_is_enabled()
    LangChainClient(FakeListChatModel(responses=["x"]))
    assert not settings.tracing_is_enabled() and os.environ["LANGSMITH_TRACING"] == "false"
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
    monkeypatch.setenv("CULTUREPARK_TRACING", "1")
    turn_tracing_off()
    assert os.environ["LANGCHAIN_TRACING_V2"] == "true"
    settings.get_env_var.cache_clear()  # type: ignore[attr-defined]
