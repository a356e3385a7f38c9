"""Odd answers that are answers all the same: counts that are none, secrets repeated, far too much, unseen characters."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from culturepark.llm import http
from culturepark.llm.base import Reply, Sampling, Usage
from culturepark.llm.faults import clean_message
from culturepark.llm.http import HttpClient
from culturepark.llm.meter import Bill, Meter, bill_error
from tests.fakeserver import FakeServer
from tests.server.test_http import SCHEMA, always, completion, everything_said, fail, make_request, serving

KEY = "sk-odd-0123456789abcdef"


async def ask(usage: str) -> Reply:
    body = json.dumps(completion({"content": "x"}))[:-1] + f', "usage": {usage}}}'
    async with serving(hook=always(200, body)) as (_, client):
        return await client.reply(make_request())


@pytest.mark.parametrize(
    "usage",
    [
        '{"prompt_tokens": NaN, "completion_tokens": 5}',
        '{"prompt_tokens": Infinity, "completion_tokens": 5}',
        '{"prompt_tokens": 5, "completion_tokens": 1e999}',
        '{"prompt_tokens": -5, "completion_tokens": 5}',
        '{"prompt_tokens": 1000000000000000, "completion_tokens": 5}',
        '{"prompt_tokens": 10000000000000000000000000000000000000000, "completion_tokens": 5}',
        '{"prompt_tokens": "12", "completion_tokens": "7"}',
        '{"prompt_tokens": true, "completion_tokens": false}',
        '{"prompt_tokens": 12}',
        "[1, 2]",
    ],
)
async def test_what_is_no_count_of_tokens_is_billed_at_the_estimate(usage: str) -> None:
    reply = await ask(usage)
    assert (reply.text, reply.usage) == ("x", Usage())
    meter = Meter(lambda model: None)
    request = make_request()
    assert meter.bill(request, meter.estimate(request), reply).how == "estimated"


async def test_no_more_is_cached_than_was_read() -> None:
    usage = '{"prompt_tokens": 12.0, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 1000000}}'
    assert (await ask(usage)).usage == Usage(12, 12, 7)


def echo(secret: str) -> dict[str, Any]:
    """An answer with a secret wherever a reply may hold one."""
    answer = completion({"content": f"It is {secret}, 2024-10-21.", "refusal": f"no {secret}"})
    return answer | {"model": f"m {secret}"}


async def test_a_key_in_a_reply_is_not_kept() -> None:
    async with serving(KEY, hook=always(200, echo(f"Bearer {KEY}"))) as (_, client):
        reply = await client.reply(make_request())
    assert reply.text == "It is Bearer ***, 2024-10-21."
    assert KEY not in repr(reply)


@pytest.mark.parametrize("sent", ["p%40ss-word", "p@ss-word", "bWU6cEBzcy13b3Jk", "q+q%2Fquery", "q q/query"])
async def test_what_the_url_hides_is_not_kept_but_its_api_version_is(sent: str) -> None:
    async with FakeServer(hook=always(200, echo(sent))) as server:
        url = f"http://me:p%40ss-word@127.0.0.1:{server.port}/v1?api-version=2024-10-21&code=q+q%2Fquery"
        client = HttpClient(url)
        reply = await client.reply(make_request())
        await client.close()
    assert reply.text == "It is ***, 2024-10-21."
    assert sent not in repr(reply)


async def test_the_address_as_it_was_asked_is_masked_in_errors() -> None:
    async with FakeServer() as server:
        client = HttpClient(f"{server.base_url}?code=odd%2fKey%2Bvalue")
        server.hook = always(500, {"error": {"message": "in /v1/chat/completions?code=odd%2fKey%2Bvalue"}})
        said = everything_said(await fail(client))
        await client.close()
    assert "Key" not in said


@pytest.mark.parametrize("form", [quote("odd/key+9 x", safe=""), "odd%2Fkey%2B9+x", "b2RkL2tleSs5IHg"])
def test_other_forms_of_a_secret_are_masked(form: str) -> None:
    assert clean_message(f"at {form} here", ["odd/key+9 x"]) in ("at *** here", "at ***= here")


async def test_names_of_models_that_repeat_the_key_are_masked() -> None:
    async with serving(KEY, models=f"first,{KEY}") as (_, client):
        said = everything_said(await fail(client))
    assert "it serves: first" in said and KEY not in said


async def test_a_reply_far_beyond_what_was_asked_for_is_cut() -> None:
    async with serving(hook=always(200, completion({"content": "word " * 100_000}))) as (_, client):
        reply = await client.reply(make_request(sampling=Sampling(max_tokens=50)))
        assert (len(reply.text), reply.finish) == (1600, "length")
        assert len((await client.reply(make_request(sampling=Sampling(max_tokens=90_000)))).text) == 500_000


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_MOST_BYTES", 1 << 20)
    async with serving(hook=always(200, completion({"content": "x" * 900_000}))) as (server, client):
        assert (await client.reply(make_request())).text
        server.hook = always(200, completion({"content": "x" * 1_500_000}))
        error = await fail(client)
        assert "more than 1 MB" in str(error) and bill_error(Bill(5, 0, 5), error).how == "lost"
        status, _, raw = await client.exchange("POST", client.url_of("/chat/completions"), b"{}")
    assert status == 200 and len(raw) > 1_500_000, "files of batches may be longer"


async def test_control_characters_and_turned_text_do_not_become_data() -> None:
    shown = "a\x00b \x1b[31mred\x07 \u202eturned\u202c\x85 \t\n\u200e\u200d kept"
    message = {"content": shown, "refusal": "no\x1b[0m"}
    async with serving(hook=always(200, completion(message) | {"model": "m\n\x1b[31m" * 500})) as (_, client):
        reply = await client.reply(make_request())
    assert reply.text == "ab [31mred turned \t\n\u200e\u200d kept"
    assert reply.refusal == "no[0m" and len(reply.model) == 200 and "\x1b" not in reply.model


async def test_escaped_ones_in_a_form_neither() -> None:
    text = r'{"c": "r\u0000e\u001B[1md\u202e", "d": "\\u0000 \\\u0007 \n \u000a \u00e9 \u200d"}'
    async with serving(hook=always(200, completion({"content": text}))) as (_, client):
        reply = await client.reply(make_request(schema=SCHEMA))
    assert json.loads(reply.text) == {"c": "re[1md", "d": "\\u0000 \\ \n \n \xe9 \u200d"}


async def test_half_a_character_spoils_no_answer() -> None:
    raw = json.dumps(completion({"content": "half of it"})).encode().replace(b"of", b"\xff\xfe")
    async with serving(hook=always(200, raw)) as (_, client):
        assert (await client.reply(make_request())).text == "half \ufffd\ufffd it"
    async with serving(hook=always(200, b"\xff{")) as (_, client):
        assert "without a usable reply" in str(await fail(client))
