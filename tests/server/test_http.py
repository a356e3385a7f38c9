"""The HTTP client against a real local server: what it sends, what it reads, and every error it raises."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from culturepark.errors import CallError, ConfigError, CultureParkError, EndpointError
from culturepark.llm.base import Reply, Request, Sampling, Schema, Usage
from culturepark.llm.faults import UnreachableError, clean_message, read_retry_after, show_url
from culturepark.llm.http import HttpClient
from culturepark.llm.probe import probe_endpoint
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
async def serving(
    api_key: str | None = None, timeout_s: float = 10.0, prefill: bool = False, **settings: Any
) -> AsyncIterator[tuple[FakeServer, HttpClient]]:
    async with FakeServer(**settings) as server:
        client = HttpClient(server.base_url, api_key, timeout_s=timeout_s, prefill=prefill)
        try:
            yield server, client
        finally:
            await client.close()


def always(status: int, body: Any, headers: dict[str, str] | None = None) -> Callable[[Any], Answer]:
    return lambda _: (status, body, headers or {})


def error_body(message: str, code: str = "", kind: str = "", param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code, "param": param}}


def completion(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop", **more}]}


async def fail(client: HttpClient, request: Request | None = None) -> CultureParkError:
    with pytest.raises(CultureParkError) as caught:
        await client.reply(request or make_request())
    return caught.value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# What is sent


async def test_sends_every_setting_and_the_key() -> None:
    sampling = Sampling(0.5, 0.9, 40, 7, ("END",), {"top_k": 5})
    async with serving(KEY, require_key=KEY) as (server, client):
        await client.reply(make_request(sampling=sampling, schema=SCHEMA))
    assert server.seen[0] == {
        "model": "fake-model",
        "messages": [{"role": "system", "content": "You are Aya."}, {"role": "user", "content": "Hello"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 40,
        "seed": 7,
        "stop": ["END"],
        "top_k": 5,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "colour", "strict": True, "schema": SCHEMA.body},
        },
    }
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_leaves_out_what_is_not_set() -> None:
    async with serving() as (server, client):
        await client.reply(make_request())
    assert server.seen[0].keys() == {"model", "messages"}
    assert "Authorization" not in server.headers[0]


async def test_text_beyond_ascii_and_lone_surrogates_arrive() -> None:
    async with serving() as (server, client):
        await client.reply(make_request(messages=({"role": "user", "content": "سلام 안녕 \ud800"},)))
    assert server.seen[0]["messages"][0]["content"] == "سلام 안녕 ?"


async def test_schema_reply_fits() -> None:
    async with serving() as (_, client):
        reply = await client.reply(make_request(schema=SCHEMA))
    assert json.loads(reply.text)["c"] in ("red", "blue")


async def test_prefill_is_sent_and_taken_off_the_reply() -> None:
    async with serving(prefill=True) as (server, client):
        reply = await client.reply(make_request(prefill="Aya: "))
        plain = await client.reply(make_request())
    assert server.seen[0]["messages"][-1] == {"role": "assistant", "content": "Aya: "}
    assert reply.text and not reply.text.startswith("Aya: ")
    assert len(server.seen[1]["messages"]) == 2 and plain.text


async def test_prefill_is_ignored_unless_the_server_can() -> None:
    async with serving() as (server, client):
        await client.reply(make_request(prefill="Aya: "))
    assert len(server.seen[0]["messages"]) == 2
    async with serving(hook=always(200, completion({"content": "Aya: hi"}))) as (_, client):
        assert (await client.reply(make_request(prefill="Aya: "))).text == "Aya: hi"


async def test_reply_without_the_prefill_stays_whole() -> None:
    hook = always(200, completion({"content": "Salam!"}))
    async with serving(prefill=True, hook=hook) as (_, client):
        assert (await client.reply(make_request(prefill="Aya: "))).text == "Salam!"


async def test_base_url_keeps_its_query_and_hides_it() -> None:
    async with FakeServer(require_key=KEY) as server:
        client = HttpClient(server.base_url + "/?api-version=secret-2024", KEY)
        assert await client.models() == ["fake-model"]
        assert client.url_of("/models").endswith("/v1/models?api-version=secret-2024")
        assert "secret-2024" not in repr(client) + client.where
        await client.close()


async def test_user_and_password_in_the_url_become_basic_auth() -> None:
    async with FakeServer() as server:
        client = HttpClient(f"http://me:p%40ss-word@127.0.0.1:{server.port}/v1")
        await client.reply(make_request())
        await client.close()
    assert server.headers[0]["Authorization"] == "Basic bWU6cEBzcy13b3Jk"
    assert "word" not in repr(client) + client.where + client.url


async def test_one_session_serves_many_calls_at_once() -> None:
    async with serving(latency_s=0.3) as (server, client):
        await asyncio.gather(*(client.reply(make_request(key=f"d{i}/0")) for i in range(200)))
    assert server.peak > 150


async def test_a_closed_client_opens_again() -> None:
    async with serving() as (_, client):
        await client.reply(make_request())
        await client.close()
        assert (await client.reply(make_request())).text


# What is read


async def test_reads_usage_model_and_finish() -> None:
    body = {
        "model": "fake-model-0001",
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}},
    }
    async with serving(hook=always(200, body)) as (_, client):
        assert await client.reply(make_request()) == Reply("Hi", "length", Usage(9, 5, 2), "fake-model-0001")


@pytest.mark.parametrize(
    ("given", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "filter"),
        ("tool_calls", "other"),
        (None, "other"),
    ],
)
async def test_finish_reasons(given: str | None, finish: str) -> None:
    body = completion({"content": "x"}, finish_reason=given)
    async with serving(hook=always(200, body)) as (_, client):
        assert (await client.reply(make_request())).finish == finish


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("plain", "plain"),
        (
            [{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}, {"type": "image"}],
            "two parts",
        ),
        ("<think>\nhm, <b>\n</think>\n\nYes.", "Yes."),
        ("Yes. <think>no</think>", "Yes. <think>no</think>"),
        ("<think>never ends", "<think>never ends"),
    ],
)
async def test_content_shapes(content: Any, text: str) -> None:
    async with serving(hook=always(200, completion({"content": content}))) as (_, client):
        assert (await client.reply(make_request())).text == text


async def test_refusal_is_its_own_field() -> None:
    async with serving(p_refusal=1.0) as (_, client):
        reply = await client.reply(make_request())
    assert (reply.text, reply.refusal) == ("", "I cannot help with that.")


async def test_broken_usage_counts_as_nothing() -> None:
    body = completion({"content": "x"}) | {"usage": {"prompt_tokens": None, "prompt_tokens_details": None}}
    async with serving(hook=always(200, body)) as (_, client):
        assert (await client.reply(make_request())).usage == Usage()


# Errors of one call


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, error_body("slow down", "rate_limit_exceeded"), "rate"),
        (500, error_body("oops"), "server"),
        (502, "<html>bad gateway</html>", "server"),
        (503, error_body("Loading model"), "server"),
        (529, error_body("overloaded"), "server"),
        (408, "", "server"),
        (409, "", "server"),
        (400, error_body("messages must not be empty"), "request"),
        (413, "", "request"),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "Input should be 1"}]}, "request"),
        (400, error_body("too long", "context_length_exceeded"), "context"),
        (400, error_body("request (900 tokens) exceeds", kind="exceed_context_size_error"), "context"),
        (
            400,
            {"message": "This model's maximum context length is 4096 tokens, max_tokens is too big"},
            "context",
        ),
        (200, "not json {", "server"),
        (200, {"choices": []}, "server"),
        (200, {"choices": [{"text": "old form"}]}, "server"),
        (200, [], "server"),
        (200, error_body("upstream is down", code=502), "server"),  # type: ignore[arg-type]
        (200, error_body("upstream is busy", code=429), "rate"),  # type: ignore[arg-type]
        (418, "", "request"),
    ],
)
async def test_call_errors(status: int, body: Any, kind: str) -> None:
    async with serving(hook=always(status, body)) as (server, client):
        error = await fail(client)
    assert isinstance(error, CallError) and error.kind == kind
    assert f"127.0.0.1:{server.port}" in str(error) and "\n" not in str(error)


async def test_the_message_of_the_server_is_told_but_never_its_raw_body() -> None:
    async with serving(hook=always(500, error_body("disk is full"))) as (_, client):
        assert "disk is full" in str(await fail(client))
    async with serving(hook=always(502, "<html>internal host 10.1.2.3</html>")) as (_, client):
        assert "10.1.2.3" not in str(await fail(client))


async def test_reset_and_short_body_are_network_errors() -> None:
    faults: list[dict[str, Any]] = [{"p_reset": 1.0}, {"p_cut": 1.0}]
    for fault in faults:
        async with serving(**fault) as (_, client):
            error = await fail(client)
        assert isinstance(error, CallError) and error.kind == "network", fault
        assert not isinstance(error, UnreachableError)


async def test_stall_is_a_timeout() -> None:
    async with serving(timeout_s=0.1, p_stall=1.0) as (_, client):
        error = await fail(client)
    assert isinstance(error, CallError) and error.kind == "timeout" and "0.1 s" in str(error)


async def test_nobody_listens() -> None:
    port = free_port()
    client = HttpClient(f"http://127.0.0.1:{port}/v1")
    error = await fail(client)
    await client.close()
    assert isinstance(error, UnreachableError) and error.kind == "network"
    assert str(error) == f"cannot connect to http://127.0.0.1:{port}/v1: Connection refused"


async def test_server_that_dies_is_unreachable_afterwards() -> None:
    async with serving(die_after=2) as (server, client):
        await client.reply(make_request())
        await client.reply(make_request(key="d2/0"))
        assert isinstance(await fail(client), CallError)
        assert isinstance(await fail(client), UnreachableError)
        await server.start()
        assert (await client.reply(make_request())).text


# Errors that end the run


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            401,
            error_body("Incorrect API key"),
            "refuses the API key (401): set it in the variable named by --api-key-env",
        ),
        (403, error_body("no access to this region"), "no access to this region"),
        (402, error_body("Insufficient Balance"), "quota is used up (402)"),
        (429, error_body("You exceeded your current quota", "insufficient_quota"), "quota is used up (429)"),
        (301, "", "another address (301)"),
        (307, "", "another address (307)"),
    ],
)
async def test_endpoint_errors(status: int, body: Any, words: str) -> None:
    async with serving(hook=always(status, body)) as (_, client):
        error = await fail(client)
    assert isinstance(error, EndpointError) and words in str(error)


async def test_a_redirect_is_told_and_not_followed() -> None:
    async with serving(hook=always(301, "", {"Location": "/v1/models"})) as (_, client):
        error = await fail(client)
    assert isinstance(error, EndpointError) and "another address (301)" in str(error)


async def test_unknown_model_lists_at_most_five_served_ones() -> None:
    async with serving(models="m1,m2,m3,m4,m5,m6,m7") as (_, client):
        error = await fail(client, make_request(model="gone"))
    assert isinstance(error, EndpointError)
    assert str(error).endswith("has no model 'gone'; it serves: m1, m2, m3, m4, m5 and 2 more")


async def test_unknown_model_in_a_400() -> None:
    hook = always(400, error_body("gone is not a valid model ID"))
    async with serving(hook=hook) as (_, client):
        error = await fail(client, make_request(model="gone"))
    assert isinstance(error, EndpointError) and "it serves: fake-model" in str(error)


async def test_wrong_base_url() -> None:
    async with FakeServer() as server:
        client = HttpClient(f"http://127.0.0.1:{server.port}/api")
        error = await fail(client)
        await client.close()
    assert isinstance(error, EndpointError) and "check --base-url" in str(error)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "", "ftp://host/v1", "http://", "http://u:12/3@host/v1"])
def test_bad_base_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="must look like") as caught:
        HttpClient(url)
    assert "12/3" not in str(caught.value)


def test_key_and_user_together_or_a_key_with_a_line_feed_inside_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave one"):
        HttpClient("http://u:pw@127.0.0.1/v1", KEY)
    with pytest.raises(ConfigError, match="characters") as caught:
        HttpClient("http://127.0.0.1/v1", "sk-one\nsk-two")
    assert "sk-" not in str(caught.value)


# Servers that refuse a parameter


def refusing(**rules: tuple[str, str]) -> Callable[[dict[str, Any]], Answer | None]:
    """A hook that answers 400 while a named parameter is in the request."""

    def hook(body: dict[str, Any]) -> Answer | None:
        for name, (message, param) in rules.items():
            if name in body:
                return 400, error_body(message, "unsupported_parameter", param=param), {}
        return None

    return hook


TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
    "max_tokens",
)


async def test_switches_to_max_completion_tokens_once() -> None:
    async with serving(hook=refusing(max_tokens=TOKENS)) as (server, client):
        for _ in range(3):
            await client.reply(make_request(sampling=Sampling(max_tokens=50)))
        assert client.adaptations("fake-model") == ("max_tokens is sent as max_completion_tokens",)
    assert [("max_tokens" in body, body.get("max_completion_tokens")) for body in server.seen] == [
        (True, None),
        (False, 50),
        (False, 50),
        (False, 50),
    ]


async def test_many_refused_at_once_all_get_their_reply() -> None:
    hook = refusing(max_tokens=TOKENS, temperature=("Unsupported value: 'temperature' must be 1", "temperature"))
    async with serving(hook=hook, latency_s=0.02) as (server, client):
        sampling = Sampling(0.7, max_tokens=50)
        calls = (client.reply(make_request(key=f"{i}/0", sampling=sampling)) for i in range(20))
        assert all(reply.text for reply in await asyncio.gather(*calls))
        before = len(server.seen)
        await client.reply(make_request(sampling=sampling))
    assert len(server.seen) == before + 1


@pytest.mark.parametrize(
    ("name", "message", "param"),
    [
        (
            "temperature",
            "Unsupported value: 'temperature' does not support 0.7 with this model.",
            "temperature",
        ),
        ("seed", 'Invalid JSON payload received. Unknown name "seed": Cannot find field.', ""),
        ("top_p", "`temperature` and `top_p` cannot both be specified for this model.", ""),
        ("stop", "Unsupported parameter: 'stop' is not supported with this model.", "stop"),
    ],
)
async def test_drops_one_refused_parameter_and_remembers(name: str, message: str, param: str) -> None:
    everything = Sampling(0.7, 0.9, 50, 3, ("END",))
    async with serving(hook=refusing(**{name: (message, param)})) as (server, client):
        await client.reply(make_request(sampling=everything))
        await client.reply(make_request(sampling=everything))
    kept = {"temperature", "top_p", "max_tokens", "seed", "stop"} - {name}
    assert [set(body) - {"model", "messages"} for body in server.seen] == [kept | {name}, kept, kept]


async def test_mistral_form_of_a_refusal_names_the_parameter_by_its_place() -> None:
    body = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}
    async with serving(hook=lambda sent: (422, body, {}) if "seed" in sent else None) as (_, client):
        assert (await client.reply(make_request(sampling=Sampling(seed=3)))).text


async def test_a_value_out_of_range_is_not_taken_for_an_unknown_parameter() -> None:
    hook = always(400, error_body("temperature must be between 0 and 2", param="temperature"))
    async with serving(hook=hook) as (server, client):
        error = await fail(client, make_request(sampling=Sampling(9.0)))
    assert isinstance(error, CallError) and error.kind == "request" and len(server.seen) == 1


async def test_a_full_context_is_not_taken_for_a_refused_parameter() -> None:
    told = "max_tokens or max_completion_tokens is too large: the maximum context length is 4096"
    async with serving(hook=always(400, error_body(told))) as (server, client):
        error = await fail(client, make_request(sampling=Sampling(max_tokens=9000)))
        assert client.adaptations("fake-model") == () and len(server.seen) == 1
    assert isinstance(error, CallError) and error.kind == "context"


async def test_falls_back_from_json_schema_to_json_object_to_none_per_model() -> None:
    def hook(body: dict[str, Any]) -> Answer | None:
        kind = body.get("response_format", {}).get("type")
        if body["model"] == "other" or kind is None:
            return 200, completion({"content": "{}"}), {}
        return 400, error_body(f"'response_format' of type '{kind}' is not supported with this model."), {}

    async with serving(hook=hook) as (server, client):
        for model in ("fake-model", "fake-model", "other"):
            await client.reply(make_request(model=model, schema=SCHEMA))
        assert client.adaptations("fake-model") == ("response_format is none instead of json_schema",)
        assert client.adaptations("other") == ()
    kinds = [body.get("response_format", {}).get("type") for body in server.seen]
    assert kinds == ["json_schema", "json_object", None, None, "json_schema"]


async def test_a_server_that_refuses_the_same_for_ever_ends() -> None:
    hook = always(400, error_body("Unsupported parameter: 'response_format', 'seed', 'temperature'"))
    async with serving(hook=hook) as (server, client):
        error = await fail(client, make_request(sampling=Sampling(0.5, seed=1), schema=SCHEMA))
    assert isinstance(error, CallError) and error.kind == "request" and len(server.seen) == 5


# Retry-After


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "9", "retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "86400"}, 120.0),
        ({"Retry-After": "inf"}, 120.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Fri, 21 Nov 2025 10:00:30 GMT", "Date": "Fri, 21 Nov 2025 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "Fri, 21 Nov 2025 09:00:00 GMT", "Date": "Fri, 21 Nov 2025 10:00:00 GMT"}, 0.0),
        ({"Retry-After": "Fri, 21 Nov 2098 09:00:00 GMT"}, 120.0),
        ({"Retry-After": "Fri, 21 Nov 2003 09:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == seconds


def test_retry_after_date_without_a_server_clock() -> None:
    soon = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert read_retry_after({"Retry-After": soon}) == pytest.approx(60, abs=3)


async def test_rate_error_carries_retry_after() -> None:
    async with serving(p_429=1.0, retry_after="11") as (_, client):
        error = await fail(client)
    assert isinstance(error, CallError) and error.retry_after == 11.0


# Secrets


def everything_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 402, 403, 404, 413, 429, 500])
async def test_an_echoed_key_is_never_told(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = error_body(f"Bearer {KEY} is bad, sk-proj-another0key too; seed is unknown", code=f"key {KEY}", param=KEY)
    async with serving(KEY, hook=always(status, echo, {"X-Key": KEY})) as (_, client):
        error = await fail(client, make_request(sampling=Sampling(seed=1)))
        told = everything_said(error) + repr(client) + caplog.text
    assert KEY not in told and "another0key" not in told and KEY[:12] not in told


async def test_a_key_unlike_any_known_form_is_masked_too() -> None:
    key = "aLong-Odd.Key"
    async with serving(key, require_key="another") as (_, client):
        assert key not in everything_said(await fail(client))
        assert key not in repr(client)
    async with serving(key, hook=always(500, error_body("x" * 190 + key))) as (_, client):
        assert key[:6] not in everything_said(await fail(client))


async def test_an_echoed_basic_login_is_masked() -> None:
    hook = always(500, error_body("header Basic bWU6cEBzcy13b3Jk, password p@ss-word, version ver-2024"))
    async with FakeServer(hook=hook) as server:
        client = HttpClient(f"http://me:p%40ss-word@127.0.0.1:{server.port}/v1?v=ver-2024")
        said = everything_said(await fail(client))
        await client.close()
    assert not any(secret in said for secret in ("bWU6", "ss-word", "ver-2024"))


async def test_network_errors_tell_no_secret() -> None:
    client = HttpClient(f"http://user:pass-word@127.0.0.1:{free_port()}/v1?token=tok-secret")
    said = everything_said(await fail(client))
    await client.close()
    assert "pass-word" not in said and "tok-secret" not in said


def test_messages_are_masked_before_they_are_cut() -> None:
    cut = clean_message("a" * 190 + " " + KEY, [KEY])
    assert len(cut) <= 200 and "sk-" not in cut
    assert clean_message("one\ntwo  three") == "one two three"
    assert clean_message("risk-averse task-oriented ask-me-anything") == "risk-averse task-oriented ask-me-anything"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@host:8000/v1?key=1#f", "http://host:8000/v1"),
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("http://u:p/a@host/v1", "(unreadable URL)"),
        ("http://u:12/a@host/v1", "(unreadable URL)"),
        ("nonsense", "(unreadable URL)"),
    ],
)
def test_show_url(url: str, shown: str) -> None:
    assert show_url(url) == shown


# The probe


async def test_probe_of_a_full_server() -> None:
    properties = {"default_generation_settings": {"n_ctx": 1024}}
    async with serving(extra_routes={"/props": properties}) as (_, client):
        probe = await probe_endpoint(client, "fake-model")
    assert probe.reachable.ok and probe.serves_model.ok and probe.json_schema.ok and probe.logprobs.ok
    assert probe.models == ("fake-model",) and probe.context == 1024 and "/props" in probe.context_detail


async def test_probe_of_a_poor_server() -> None:
    def hook(body: dict[str, Any]) -> Answer:
        if "response_format" in body:
            return 400, error_body("response_format is not supported"), {}
        return 200, completion({"content": "Blue, one."}), {}

    async with serving(hook=hook) as (_, client):
        probe = await probe_endpoint(client, "fake-model")
    assert probe.serves_model.ok and probe.json_schema.ok is False and probe.logprobs.ok is False
    assert "refuses json_schema" in probe.json_schema.detail and probe.context is None


async def test_probe_sees_a_schema_that_is_taken_but_not_kept() -> None:
    async with serving(hook=always(200, completion({"content": '{"colour": "blue", "count": true}'}))) as (
        _,
        client,
    ):
        probe = await probe_endpoint(client, "fake-model")
    assert probe.json_schema.ok is False and "does not fit" in probe.json_schema.detail


async def test_probe_of_an_unknown_model_a_bad_key_and_nobody() -> None:
    async with serving() as (_, client):
        probe = await probe_endpoint(client, "gone")
    assert probe.reachable.ok and probe.serves_model.ok is False and probe.json_schema.ok is None
    async with serving("wrong-key", require_key=KEY) as (_, client):
        probe = await probe_endpoint(client, "fake-model")
    assert probe.serves_model.ok is False and "refuses the API key" in probe.serves_model.detail
    client = HttpClient(f"http://127.0.0.1:{free_port()}/v1")
    probe = await probe_endpoint(client, "fake-model")
    await client.close()
    assert probe.reachable.ok is False and "cannot connect" in probe.reachable.detail


async def test_probe_tells_an_alias_and_the_context_of_the_list() -> None:
    def hook(body: dict[str, Any]) -> Answer:
        return 200, completion({"content": "x"}) | {"model": "real-name"}, {}

    async with serving(hook=hook) as (_, client):
        probe = await probe_endpoint(client, "alias")
    assert "not listed" in probe.serves_model.detail and "real-name" in probe.serves_model.detail
