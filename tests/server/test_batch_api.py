"""The batch client against a real local server with a batch API: waves, faults, and clients that end at every step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import Reply, Request, Sampling
from culturepark.llm.batch import BatchClient
from culturepark.llm.batch_api import BatchApi, name_request
from culturepark.llm.batch_journal import BatchJournal
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.http import HttpClient
from culturepark.llm.limits import RetryingClient
from tests.batchserver import BatchServer

KEY = "sk-test-0123456789abcdef"


def make_request(number: int, **changes: Any) -> Request:
    given: dict[str, Any] = {
        "key": f"d{number}/0",
        "purpose": "extract",
        "model": "fake-model",
        "messages": ({"role": "user", "content": f"Say {number}"},),
        "sampling": Sampling(max_tokens=50),
    }
    return Request(**{**given, **changes})


class Sitting:
    """One life of a client on one journal."""

    def __init__(self, server: BatchServer, folder: Path, key: str | None = None, **settings: Any) -> None:
        self.http = HttpClient(server.base_url, key, timeout_s=10)
        self.gate = Gate(self.http)
        self.said: list[str] = []
        given = {"every_s": 0.02, "outage_s": 5.0, "scout": False, "say": self.said.append, **settings}
        self.client = BatchClient(self.http, self.gate, folder / "batches.jsonl", self.gate, **given)
        self.tasks: list[asyncio.Task[Any]] = []

    async def ask(self, requests: list[Request]) -> list[Any]:
        return await asyncio.gather(*(self.client.reply(r) for r in requests), return_exceptions=True)

    def start(self, requests: list[Request]) -> None:
        self.tasks += [asyncio.create_task(self.client.reply(r)) for r in requests]

    async def kill(self) -> None:
        """End without any of the tidying that ``close`` does."""
        for task in (*self.tasks, *self.client._work.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, *self.client._work.tasks, return_exceptions=True)
        self.client._work.gatherer.close()
        if self.client._watch is not None:
            self.client._watch.cancel()
        await self.http.close()

    async def close(self) -> None:
        await self.client.close()


def texts(replies: list[Any]) -> list[str]:
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return [reply.text for reply in replies]


async def ask_live(server: BatchServer, requests: list[Request]) -> list[str]:
    """What the same calls get live; asked last, for it counts as asked again."""
    http = HttpClient(server.base_url)
    try:
        return [(await http.reply(request)).text for request in requests]
    finally:
        await http.close()


async def test_one_wave_gives_everybody_the_right_answer(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(40)]
    async with BatchServer() as server:
        sitting = Sitting(server, tmp_path)
        replies = await sitting.ask(requests)
        assert server.stats()["sizes"] == [40] and server.stats()["requests"] == 0
        assert replies[0].usage.output > 0
        await sitting.close()
        assert texts(replies) == await ask_live(server, requests)
    assert len(set(texts(replies))) == 40
    assert BatchJournal(tmp_path / "batches.jsonl").open_waves() == []


async def test_each_model_has_waves_of_its_own(tmp_path: Path) -> None:
    requests = [make_request(k, model=("one", "two")[k % 2]) for k in range(10)]
    async with BatchServer(models="one,two") as server:
        sitting = Sitting(server, tmp_path)
        texts(await sitting.ask(requests))
        await sitting.close()
        assert server.stats()["sizes"] == [5, 5]


async def test_refine_mode_leaves_talks_live(tmp_path: Path) -> None:
    purposes = ("note", "turn", "moderate", "repair", "probe", "extract", "verify", "rewrite", "harm", "fit")
    requests = [make_request(k, purpose=purpose) for k, purpose in enumerate(purposes)]
    async with BatchServer() as server:
        sitting = Sitting(server, tmp_path, mode="refine")
        texts(await sitting.ask(requests))
        assert [sitting.client.is_batched(r) for r in requests] == [False] * 5 + [True] * 5
        await sitting.close()
        assert server.stats()["sizes"] == [5] and server.stats()["requests"] == 5


async def test_the_first_call_of_a_model_is_a_live_scout(tmp_path: Path) -> None:
    """It learns the server's words, so that the first wave is not refused line by line."""
    requests = [make_request(k) for k in range(12)]
    async with BatchServer(refuse_word="max_tokens") as server:
        told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        server.hook = lambda body: (400, {"error": {"message": told}}, {}) if "max_tokens" in body else None
        sitting = Sitting(server, tmp_path, scout=True)
        texts(await sitting.ask(requests))
        assert server.stats()["sizes"] == [11] and server.stats()["failed_lines"] == 0
        assert [sitting.client.is_batched(r) for r in requests].count(False) == 1
        await sitting.close()


async def test_refused_words_are_put_otherwise_in_the_next_wave(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(12)]
    async with BatchServer(refuse_word="max_tokens") as server:
        sitting = Sitting(server, tmp_path)
        texts(await sitting.ask(requests))
        await sitting.close()
        assert server.stats()["sizes"] == [12, 12] and server.stats()["failed_lines"] == 12


async def test_lines_that_fail_or_expire_are_tried_again_by_the_retries(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(60)]
    async with BatchServer(p_expire=0.3, p_line_500=0.2, p_poll_500=0.3, seed=2) as server:
        sitting = Sitting(server, tmp_path)
        events: list[str] = []
        retrying = RetryingClient(sitting.client, 12, 0.001, 0.01, lambda event: events.append(event.kind))
        replies = await asyncio.gather(*(retrying.reply(r) for r in requests))
        await retrying.close()
        stats = server.stats()
        assert stats["expired"] > 5 and stats["failed_lines"] > 5 and stats["fault_poll"] > 0
        assert set(events) == {"timeout", "server"} and len(events) == stats["expired"] + stats["failed_lines"]
        assert stats["answered_again"] == 0 and stats["served"] == 60
        assert texts(list(replies)) == await ask_live(server, requests)


async def test_a_bad_line_is_an_error_of_its_call_alone(tmp_path: Path) -> None:
    async with BatchServer(p_line_400=0.3, seed=1) as server:
        sitting = Sitting(server, tmp_path)
        replies = await sitting.ask([make_request(k) for k in range(30)])
        await sitting.close()
    bad = [reply for reply in replies if isinstance(reply, CallError)]
    assert bad and all(error.kind == "request" and "cannot be read" in str(error) for error in bad)
    assert sum(isinstance(reply, Reply) for reply in replies) == 30 - len(bad)


async def test_a_lost_answer_to_the_making_of_a_batch(tmp_path: Path) -> None:
    """The server made it, the client never heard: it is found and not made again."""
    async with BatchServer(lose=1) as server:
        sitting = Sitting(server, tmp_path)
        texts(await sitting.ask([make_request(k) for k in range(9)]))
        await sitting.close()
        assert server.stats()["batches"] == 1 and server.stats()["answered_again"] == 0


async def test_a_batch_nobody_heard_of_is_found_pages_later(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(9)]
    async with BatchServer(lose=1) as server:
        first = Sitting(server, tmp_path / "lost")
        first.start(requests)
        while not server.counts["lost"]:
            await asyncio.sleep(0.001)
        await first.kill()
        other = Sitting(server, tmp_path / "other")
        for k in range(5):
            texts(await other.ask([make_request(100 + k)]))
        await other.close()
        second = Sitting(server, tmp_path / "lost")
        texts(await second.ask(requests))
        await second.close()
        assert server.stats()["batches"] == 6 and server.stats()["answered_again"] == 0


async def test_a_full_queue_makes_smaller_waves_that_go_out_as_there_is_room(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(50)]
    async with BatchServer(queue=16) as server:
        sitting = Sitting(server, tmp_path)
        texts(await sitting.ask(requests))
        stats = server.stats()
        assert sum(stats["sizes"]) == 50 and max(stats["sizes"]) <= 16 and stats["answered_again"] == 0
        assert any("when a batch ends" in line for line in sitting.said)
        await sitting.close()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"refuse": "model_not_found"}, "refused a batch (model_not_found: It cannot be done.)"),
        ({"refuse": "billing_hard_limit_reached"}, "the quota is used up"),
        ({"no_api": 1}, "has no batch API (POST /files: 404); leave out --batch"),
        ({"require_key": "another"}, "refuses the API key (401)"),
    ],
)
async def test_what_no_wave_can_pass_ends_the_run_with_one_line(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    async with BatchServer(**settings) as server:
        sitting = Sitting(server, tmp_path, key=KEY)
        replies = await sitting.ask([make_request(k) for k in range(3)])
        await sitting.close()
    assert all(isinstance(reply, EndpointError) and told in str(reply) for reply in replies), replies
    assert "\n" not in str(replies[0]) and KEY not in str(replies)
    assert len({id(reply) for reply in replies}) == 3, "each needs its own: graphs write notes into errors"
    if "no_api" not in settings and "require_key" not in settings:
        assert BatchJournal(tmp_path / "batches.jsonl").open_waves() == []


async def test_an_outage_ends_the_run_and_the_next_sitting_takes_the_batch_up(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(8)]
    async with BatchServer(batch_s=0.2) as server:
        sitting = Sitting(server, tmp_path, outage_s=0.3)
        asking = asyncio.create_task(sitting.ask(requests))
        while not server.counts["batches"]:
            await asyncio.sleep(0.005)
        await server.die()
        replies = await asking
        assert all(isinstance(reply, EndpointError) and "resume" in str(reply) for reply in replies)
        await sitting.close()
        await server.start()
        again = Sitting(server, tmp_path)
        texts(await again.ask(requests))
        await again.close()
        assert server.stats()["sizes"] == [8] and server.stats()["answered_again"] == 0


async def test_a_stop_lets_everybody_go_and_the_batch_stays(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(8)]
    async with BatchServer(batch_s=0.3) as server:
        sitting = Sitting(server, tmp_path)
        sitting.start(requests)
        while not server.counts["looks"]:
            await asyncio.sleep(0.005)
        sitting.gate.shut()
        ended = await asyncio.gather(*sitting.tasks, return_exceptions=True)
        assert all(isinstance(error, Draining) for error in ended)
        assert any("1 batches with 8 requests go on at the server" in line for line in sitting.said)
        with pytest.raises(Draining):
            await sitting.client.reply(requests[0])
        await sitting.close()
        again = Sitting(server, tmp_path)
        texts(await again.ask(requests))
        await again.close()
        assert server.stats()["sizes"] == [8] and server.stats()["answered_again"] == 0


def stop_at(monkeypatch: pytest.MonkeyPatch, name: str, before: bool) -> asyncio.Event:
    """The next ``name`` of the protocol never comes back: called or not, its answer is not seen."""
    reached, real = asyncio.Event(), getattr(BatchApi, name)

    async def stop(*given: Any, **named: Any) -> Any:
        if not before:
            await real(*given, **named)
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(BatchApi, name, stop)
    return reached


@pytest.mark.parametrize("step", ["upload", "create", "look", "read_answers"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_client_that_ends_at_any_step_pays_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, before: bool
) -> None:
    requests = [make_request(k) for k in range(20)]
    async with BatchServer() as server:
        with monkeypatch.context() as patch:
            reached = stop_at(patch, step, before)
            first = Sitting(server, tmp_path)
            first.start(requests)
            await asyncio.wait_for(reached.wait(), 10)
            await first.kill()
        second = Sitting(server, tmp_path)
        part = texts(await second.ask(requests[:5]))  # the others ask later, and what came for them was kept
        part += texts(await second.ask(requests[5:]))
        await second.close()
        stats = server.stats()
        assert stats["answered_again"] == 0 and stats["served"] == 20
        assert stats["batches"] == (
            2 if (step, before) in (("upload", True), ("upload", False), ("create", True)) else 1
        )
        assert part == await ask_live(server, requests)
    assert BatchJournal(tmp_path / "batches.jsonl").open_waves() == []


async def test_answers_handed_out_before_the_end_do_no_harm_later(tmp_path: Path) -> None:
    async with BatchServer() as server:
        first = Sitting(server, tmp_path)
        texts(await first.ask([make_request(k) for k in range(5)]))
        await first.kill()
        assert len(BatchJournal(tmp_path / "batches.jsonl").open_waves()) == 1
        second = Sitting(server, tmp_path)
        texts(await second.ask([make_request(9)]))
        await second.close()
        assert BatchJournal(tmp_path / "batches.jsonl").open_waves() == []
        assert server.stats()["sizes"] == [5, 1] and server.stats()["answered_again"] == 0


async def test_what_expired_while_nobody_looked_is_sent_anew(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(30)]
    async with BatchServer(p_expire=0.3, seed=4) as server:
        first = Sitting(server, tmp_path)
        first.start(requests)
        while not server.counts["looks"]:
            await asyncio.sleep(0.001)
        await first.kill()
        while not server.counts["expired"]:
            await asyncio.sleep(0.001)
            server._show(server.batches["batch-0"])
        server.p_expire = 0.0
        second = Sitting(server, tmp_path)
        texts(await second.ask(requests))
        await second.close()
        stats = server.stats()
        assert stats["expired"] > 3 and stats["sizes"] == [30, stats["expired"]] and stats["answered_again"] == 0


async def test_a_request_in_two_open_batches_is_answered_by_the_later_one(tmp_path: Path) -> None:
    """Killed after a line failed and went out again: both batches are taken up, the old one says nothing any more."""
    requests = [make_request(k) for k in range(20)]
    async with BatchServer(p_line_500=0.4, seed=6, batch_s=0.02) as server:
        first = Sitting(server, tmp_path)
        retrying = RetryingClient(first.client, 9, 0.001, 0.002)
        first.tasks = [asyncio.create_task(retrying.reply(r)) for r in requests]
        while server.counts["batches"] < 2:
            await asyncio.sleep(0.001)
            if server.counts["failed_lines"]:
                server.batch_s, server.p_line_500 = 0.3, 0.0
        await first.kill()
        second = Sitting(server, tmp_path)
        texts(await second.ask(requests))
        await second.close()
        stats = server.stats()
        assert stats["sizes"][0] == 20 and sum(stats["sizes"][1:]) == stats["failed_lines"] > 0
        assert stats["answered_again"] == 0
    assert BatchJournal(tmp_path / "batches.jsonl").open_waves() == []


async def test_a_batch_the_server_forgot_is_sent_again(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(4)]
    async with BatchServer(batch_s=60) as server:
        first = Sitting(server, tmp_path)
        first.start(requests)
        while not server.counts["looks"]:
            await asyncio.sleep(0.001)
        await first.kill()
        server.batches.clear()
        server.batch_s = 0.05
        second = Sitting(server, tmp_path)
        texts(await second.ask(requests))
        assert any("does not know the batch batch-0 any more" in line for line in second.said)
        await second.close()


async def test_batches_at_another_server_are_left_alone(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(4)]
    async with BatchServer(batch_s=60) as there, BatchServer() as here:
        first = Sitting(there, tmp_path)
        first.start(requests)
        while not there.counts["looks"]:
            await asyncio.sleep(0.001)
        await first.kill()
        second = Sitting(here, tmp_path)
        texts(await second.ask(requests))
        await second.close()
        assert any(f"are open at {there.base_url}" in line for line in second.said)
        assert here.stats()["sizes"] == [4]
    assert [wave.server for wave in BatchJournal(tmp_path / "batches.jsonl").open_waves()] == [there.base_url]


async def test_no_key_reaches_the_journal(tmp_path: Path) -> None:
    async with BatchServer(require_key=KEY, p_line_400=0.2) as server:
        sitting = Sitting(server, tmp_path, key=KEY)
        await sitting.ask([make_request(k) for k in range(5)])
        await sitting.close()
    assert KEY not in (tmp_path / "batches.jsonl").read_text()


def test_names_are_short_and_follow_the_whole_request() -> None:
    one = make_request(1)
    assert name_request(one) == name_request(make_request(1)) and len(name_request(one)) <= 64
    others = [make_request(2), make_request(1, key="d1/1"), make_request(1, model="other")]
    assert len({name_request(r) for r in (one, *others)}) == 4


async def test_lines_of_a_server_that_answers_rubbish(tmp_path: Path) -> None:
    """Answers that are no JSON, of nobody, or twice: the rest is read, what is missing is an error to try again."""
    requests = [make_request(k) for k in range(3)]
    async with BatchServer(batch_s=0) as server:
        content: Callable[[Any], Awaitable[Any]] = server._content

        async def spoil(request: Any) -> Any:
            lines = server.files[request.match_info["id"]].splitlines()
            kept = [line for line in lines if json.loads(line)["custom_id"] != name_request(requests[0])]
            stranger = json.dumps({**json.loads(kept[0]), "custom_id": "stranger"}).encode()
            late = json.dumps({"custom_id": name_request(requests[1]), "error": {"code": "x"}}).encode()
            server.files[request.match_info["id"]] = b"\n".join([b"{", b"[]", stranger, *kept, late, b""])
            return await content(request)

        server._content = spoil  # type: ignore[method-assign]
        await server.die()
        await server.start()
        sitting = Sitting(server, tmp_path)
        replies = await sitting.ask(requests)
        await sitting.close()
    assert isinstance(replies[0], CallError) and replies[0].kind == "server"
    assert isinstance(replies[1], Reply) and isinstance(replies[2], Reply)
