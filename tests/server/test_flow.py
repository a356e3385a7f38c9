"""Window and pool against real servers on this machine: refusals, headers, and servers that die under load."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from culturepark.errors import CultureParkError, EndpointError
from culturepark.llm.base import Request
from culturepark.llm.http import HttpClient
from culturepark.llm.limits import RetryingClient
from culturepark.llm.pool import Member, PoolClient
from culturepark.llm.window import WindowClient
from tests.fakeserver import Answer, FakeServer, make_completion
from tests.stubs import make_request
from tests.virtual import hold_talks, rank_by_number


def open_pool(servers: list[FakeServer], limit: int = 16, key: str = "", **settings: Any) -> PoolClient:
    members = []
    for server in servers:
        http = HttpClient(server.base_url, key)
        members.append(Member(http.url, http, http.models))
    pool = PoolClient(members, limit, rank_of=rank_by_number, **settings)
    for member in members:
        member.client.on_headers = pool.note_headers  # type: ignore[attr-defined]
    return pool


async def test_window_holds_against_a_real_server() -> None:
    async with FakeServer(latency_s=0.01) as server:
        client = WindowClient(HttpClient(server.base_url), 5)
        await asyncio.gather(*(client.reply(make_request(i)) for i in range(40)))
        await client.close()
    assert server.peak == 5


async def test_the_window_settles_below_what_a_real_server_refuses() -> None:
    async with FakeServer(latency_s=0.02, capacity=10, retry_after="", models="m") as server:
        window = WindowClient(HttpClient(server.base_url), 64)
        client = RetryingClient(window, base_wait_s=0.01)
        await hold_talks(client, 100)
        over, served = server.counts["over"], server.counts["served"]
        assert served == 600 and over < 60
        assert 4 <= window.snapshot()["limit"] <= 12
        await client.close()


async def test_headers_of_a_real_server_are_honoured() -> None:
    allowed, asked = 6, 0

    def hook(body: dict[str, Any]) -> Answer:
        nonlocal asked
        asked += 1
        left = max(0, allowed - asked)
        headers = {"x-ratelimit-remaining-requests": str(left), "x-ratelimit-reset-requests": "1m0s"}
        return 200, json.dumps(make_completion(body, str(asked))), headers

    events: list[tuple[str, Mapping[str, Any]]] = []
    async with FakeServer(hook=hook) as server:
        http = HttpClient(server.base_url)
        window = WindowClient(http, 1, on_event=lambda kind, _, model, details: events.append((kind, details)))
        http.on_headers = window.note_headers
        for number in range(6):
            await window.reply(make_request(number))
        waiting = [asyncio.create_task(window.reply(make_request(9 + i))) for i in range(3)]
        await asyncio.sleep(0)
        snapshot = window.snapshot()
        assert snapshot["waiting"] == 3 and 50 < snapshot["paused_s"] <= 60 and asked == 6
        for call in waiting:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await window.close()
    assert [kind for kind, _ in events] == ["pause"]


async def test_one_of_two_real_servers_dies_under_load_and_comes_back() -> None:
    dying = FakeServer(latency_s=0.01, die_after=100, models="m")
    async with dying, FakeServer(latency_s=0.01, models="m") as other:
        events: list[str] = []
        returned = asyncio.Event()

        def note(kind: str, server: str, model: str, details: Mapping[str, Any]) -> None:
            events.append(kind)
            if kind == "back":
                returned.set()

        pool = open_pool([dying, other], on_event=note, sleep=lambda _: asyncio.sleep(0.01))
        client = RetryingClient(pool, base_wait_s=0.01)
        order = await hold_talks(client, 60, open_at_once=20)
        assert len(order) == 360
        assert dying.counts["served"] + other.counts["served"] >= 360 and "aside" in events
        before = dying.counts["requests"]
        dying.die_after = 0
        await dying.start()
        await asyncio.wait_for(returned.wait(), 30)
        await hold_talks(client, 20)
        assert dying.counts["requests"] > before
        await client.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"require_key": "sk-right-key"}, "refuses the API key"), ({"models": "other"}, "has no model 'm'")],
)
async def test_one_real_server_that_refuses_ends_the_run_with_its_address(settings: dict[str, Any], words: str) -> None:
    async with FakeServer(models="m") as good, FakeServer(**settings) as bad:
        pool = open_pool([good, bad], key="sk-wrong-key")
        client = RetryingClient(pool)
        with pytest.raises(EndpointError) as caught:
            for number in range(50):
                await client.reply(Request(f"d{number}/0", "turn", "m", ({"role": "user", "content": "x"},)))
        assert words in str(caught.value) and bad.base_url in str(caught.value) and "sk-" not in str(caught.value)
        await client.close()


async def test_a_key_revoked_in_the_middle_ends_the_run_with_one_line() -> None:
    async with FakeServer(require_key="sk-some-key", models="m", latency_s=0.005) as server:
        http = HttpClient(server.base_url, "sk-some-key")
        client = RetryingClient(WindowClient(http, 8))
        await hold_talks(client, 5)
        server.require_key = "sk-new-key"
        with pytest.raises(CultureParkError, match=r"refuses the API key \(401\)") as caught:
            await client.reply(make_request())
        assert "some-key" not in str(caught.value)
        await client.close()
