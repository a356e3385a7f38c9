"""A run that goes on in another way than it began: what lies in batches is used, and the ledger holds what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from culturepark.config import build_config
from culturepark.errors import ConfigError
from culturepark.llm.base import Reply, Request, Usage
from culturepark.llm.batch import BatchClient, RecoveringClient
from culturepark.llm.batch_journal import BatchJournal, WaveRecord, list_open_batches
from culturepark.llm.booking import Booker, BookingClient
from culturepark.llm.budget import BudgetClient, Ceiling, Purse, count_spent, to_amount
from culturepark.llm.gate import Gate
from culturepark.llm.http import HttpClient
from culturepark.llm.ledger import Ledger
from culturepark.llm.limits import RetryingClient
from culturepark.llm.meter import Meter
from culturepark.llm.prices import Price
from culturepark.llm.spend import Spend, read_spend, sum_up
from culturepark.llm.window import WindowClient
from culturepark.runs.stack import Hooks, open_engine
from tests.batchserver import BatchServer
from tests.server.test_batch_api import Sitting, ask_live, make_request, texts

HALF = Price("m, batch", 1_000_000, 1_000_000, 2_000_000)
PRICE = Price("m", 2_000_000, 2_000_000, 4_000_000, batch=HALF)


class Books:
    """A sitting with ledger and purse, put together as a run does it."""

    def __init__(
        self, server: BatchServer, folder: Path, ceiling: Ceiling | None = None, slots: int = 8, **settings: Any
    ) -> None:
        self.folder = folder / "spend"
        self.http, self.gate = HttpClient(server.base_url, timeout_s=10), Gate(Nowhere())
        self.ledger = Ledger(self.folder)
        self.meter = Meter(lambda model: PRICE, lambda request: self.batch.is_batched(request))
        self.purse = Purse(ceiling or Ceiling(), count_spent(sum_up(self.ledger.totals())))
        live = WindowClient(Gate(BookingClient(self.http, self.ledger, self.meter), self.gate), slots, adapt=False)
        given = {"every_s": 0.02, "outage_s": 5.0, "scout": False, **settings}
        booker = Booker(self.ledger, self.meter)
        self.batch = BatchClient(self.http, live, folder / "batches.jsonl", self.gate, booker=booker, **given)
        budget = BudgetClient(self.batch, self.purse, self.meter)
        self.client = RetryingClient(RecoveringClient(budget, self.batch.was_booked, self._recover), 5, 0.001, 0.01)
        self.tasks: list[asyncio.Task[Reply]] = []

    def _recover(self, key: str) -> None:
        if estimate := self.ledger.recover(key):
            self.purse.refund(to_amount(estimate))

    def start(self, requests: list[Request]) -> None:
        self.tasks += [asyncio.create_task(self.client.reply(r)) for r in requests]

    async def ask(self, requests: list[Request]) -> list[Any]:
        return await asyncio.gather(*(self.client.reply(r) for r in requests), return_exceptions=True)

    async def kill(self) -> Spend:
        """End without any tidying; what the files then say was spent."""
        tasks = (*self.tasks, *self.batch._work.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.batch._work.gatherer.close()
        await self.http.close()
        self.ledger.close()
        return self.read()

    async def close(self) -> Spend:
        await self.client.close()
        self.ledger.close()
        return self.read()

    def read(self) -> Spend:
        return sum_up(read_spend(self.folder))


class Nowhere:
    async def reply(self, request: Request) -> Reply:
        raise AssertionError

    async def close(self) -> None:
        return None


async def wait_for(check: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.001)


# --- Another mode in the next sitting ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["off", "refine", "all"])
@pytest.mark.parametrize("purpose", ["turn", "extract"])
@pytest.mark.parametrize("finished", [True, False])
async def test_whatever_the_mode_what_lies_in_batches_is_used(
    tmp_path: Path, mode: str, purpose: str, finished: bool
) -> None:
    requests = [make_request(k, purpose=purpose) for k in range(8)]
    async with BatchServer(batch_s=0.2) as server:
        first = Sitting(server, tmp_path)
        first.start(requests)
        await wait_for(lambda: server.counts["looks"])
        await first.kill()
        if finished:
            server.batch_s = 0.0
        second = Sitting(server, tmp_path, mode=mode)
        found = texts(await second.ask(requests))
        more = texts(await second.ask([make_request(20, purpose=purpose)]))
        await second.close()
        stats = server.stats()
        assert stats["answered_again"] == 0 and stats["served"] == 9
        is_live = mode == "off" or (mode, purpose) == ("refine", "turn")
        assert stats["sizes"] == ([8] if is_live else [8, 1])
        assert any("Taking up 1 batches with 8 requests" in line for line in second.said)
        assert found + more == await ask_live(server, [*requests, make_request(20, purpose=purpose)])
    assert BatchJournal(tmp_path / "batches.jsonl").open_waves() == []


@pytest.mark.parametrize("trouble", ["gone", "expired", "never made"])
async def test_what_a_batch_never_answered_is_asked_live(tmp_path: Path, trouble: str) -> None:
    requests = [make_request(k) for k in range(12)]
    async with BatchServer(batch_s=60, p_expire=0.4 if trouble == "expired" else 0.0, seed=4) as server:
        first = Sitting(server, tmp_path)
        first.start(requests)
        await wait_for(lambda: server.counts["looks"])
        await first.kill()
        server.batch_s = 0.0
        if trouble != "expired":
            server.batches.clear()
        if trouble == "never made":
            (tmp_path / "batches.jsonl").unlink()
            journal = BatchJournal(tmp_path / "batches.jsonl")
            wave = WaveRecord("w", server.base_url, "fake-model", tuple(first.client._work.place))
            journal.begin(wave)
            journal.note(wave, "uploaded", file="file-unknown")
            journal.close()
        books = Books(server, tmp_path, mode="off")
        texts(await books.ask(requests))
        spent = await books.close()
        stats = server.stats()
        assert stats["answered_again"] == 0 and stats["sizes"] == [12] and stats["served"] == 12
        assert (spent.calls, spent.lost, spent.failed) == (12, 0, 0), "what no batch answered is booked once, live"
        assert bool(stats["expired"]) == (trouble == "expired")


async def test_a_run_without_open_batches_has_no_batch_client(tmp_path: Path) -> None:
    async with BatchServer() as server:
        config = build_config({"model": "fake-model", "base_url": server.base_url, "engine": "openai"})
        async with open_engine(config, tmp_path, Hooks(lambda key: 0)) as engine:
            texts([await engine.client.reply(make_request(1))])
        assert not (tmp_path / "batches.jsonl").exists()


@pytest.mark.parametrize("count", [1, 2])
async def test_a_run_off_batches_takes_up_those_of_any_of_its_servers(tmp_path: Path, count: int) -> None:
    requests = [make_request(k) for k in range(5)]
    async with BatchServer(batch_s=0.2) as server, BatchServer() as other:
        first = Sitting(server, tmp_path)
        first.start(requests)
        await wait_for(lambda: server.counts["looks"])
        await first.kill()
        urls = ",".join([other.base_url, server.base_url][-count:])
        config = build_config({"model": "fake-model", "base_url": urls, "engine": "openai", "batch_every": 0.05})
        said: list[str] = []
        async with open_engine(config, tmp_path, Hooks(lambda key: 0, say=said.append)) as engine:
            texts(await asyncio.gather(*(engine.client.reply(r) for r in requests)))
        assert any("and waiting for them: they are paid" in line for line in said)
        assert server.stats()["served"] == 5 and server.stats()["answered_again"] == 0
        assert other.stats()["served"] == 0
    assert sum_up(read_spend(tmp_path / "spend")).calls == 5


async def test_workers_are_refused_while_batches_are_open(tmp_path: Path) -> None:
    journal = BatchJournal(tmp_path / "batches.jsonl")
    wave = WaveRecord("w", "http://127.0.0.1:1/v1", "m", ("a", "b", "c"))
    journal.begin(wave)
    assert list_open_batches(tmp_path / "batches.jsonl") == {}, "nothing was asked of the server yet"
    journal.note(wave, "uploaded", file="f")
    journal.close()
    config = build_config({"model": "m", "base_url": "http://127.0.0.1:1/v1", "engine": "openai", "workers": 2})
    told = "3 requests of this run are paid and wait in 1 batches at http://127.0.0.1:1/v1; resume without --workers"
    with pytest.raises(ConfigError, match=told):
        async with open_engine(config, tmp_path, Hooks(lambda key: 0)):
            pass


@pytest.mark.parametrize("mode", ["off", "all"])
@pytest.mark.parametrize("engine", ["openai", "mock"])
async def test_another_server_is_refused_while_batches_wait_at_the_old_one(
    tmp_path: Path, mode: str, engine: str
) -> None:
    requests = [make_request(k) for k in range(4)]
    async with BatchServer(batch_s=0.2) as there, BatchServer() as here:
        first = Sitting(there, tmp_path)
        first.start(requests)
        await wait_for(lambda: there.counts["looks"])
        await first.kill()

        async def resume(url: str | None, engine: str, mode: str = mode) -> list[str]:
            given = {"model": "fake-model", "base_url": url, "engine": engine, "batch": mode, "batch_every": 0.05}
            async with open_engine(build_config(given), tmp_path, Hooks(lambda key: 0)) as opened:
                return texts(await asyncio.gather(*(opened.client.reply(r) for r in requests)))

        told = f"4 requests of this run are paid and wait in 1 batches at {there.base_url}; resume with --base-url "
        with pytest.raises(ConfigError, match=told):
            await resume(here.base_url, engine, "off" if engine == "mock" else mode)
        assert here.stats()["requests"] == 0 and here.stats()["batches"] == 0
        await resume(there.base_url, "openai")
        assert there.stats()["answered_again"] == 0 and there.stats()["served"] == 4
        if engine == "openai":  # nothing waits there any more
            await resume(here.base_url, "openai")


async def test_the_batch_of_a_damaged_first_line_is_not_paid_again(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(5)]
    async with BatchServer(batch_s=0.1) as server:
        first = Sitting(server, tmp_path)
        first.start(requests)
        await wait_for(lambda: server.counts["looks"])
        await first.kill()
        journal = tmp_path / "batches.jsonl"
        raw = bytearray(journal.read_bytes())
        raw[10] ^= 1
        journal.write_bytes(bytes(raw))
        second = Sitting(server, tmp_path)
        texts(await second.ask(requests))
        await second.close()
        assert server.stats()["sizes"] == [5] and server.stats()["answered_again"] == 0
        assert f"{journal}, line 1: damaged; its copy is used." in second.said


async def test_a_batch_nobody_can_find_again_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    journal = BatchJournal(tmp_path / "batches.jsonl")
    wave = WaveRecord("w", "http://127.0.0.1:1/v1", "m", ("a", "b", "c"))
    journal.begin(wave)
    journal.note(wave, "created", batch="batch-7")
    journal.close()
    raw = (tmp_path / "batches.jsonl").read_bytes()
    (tmp_path / "batches.jsonl").write_bytes(raw[40:])
    said: list[str] = []
    config = build_config({"model": "m", "base_url": "http://127.0.0.1:1/v1", "engine": "openai"})
    async with open_engine(config, tmp_path, Hooks(lambda key: 0, say=said.append)):
        assert any("batch-7 is lost; those needed are paid again" in line for line in said)


# --- What the ledger holds ---------------------------------------------------------------------------------------


async def test_live_calls_that_wait_for_a_slot_are_not_booked(tmp_path: Path) -> None:
    async with BatchServer(latency_s=60) as server:
        books = Books(server, tmp_path, mode="refine", slots=3)
        books.start([make_request(k, purpose="turn") for k in range(20)])
        await wait_for(lambda: server.counts["requests"] == 3)
        spent = await books.kill()
        assert (spent.calls, spent.lost) == (3, 3)


async def test_requests_are_booked_when_their_wave_goes_out(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(10)]
    async with BatchServer(batch_s=0.2) as server:
        first = Books(server, tmp_path, every_s=8.0)
        first.start(requests)
        await asyncio.sleep(0.05)  # they are being gathered
        assert server.counts["uploads"] == 0 and (await first.kill()).calls == 0
        second = Books(server, tmp_path)
        second.start(requests)
        await wait_for(lambda: server.counts["looks"])
        spent = await second.kill()
        assert (spent.calls, spent.lost) == (10, 10), "paid, and not yet answered"
        third = Books(server, tmp_path, mode="off")
        texts(await third.ask(requests))
        spent = await third.close()
        assert (spent.calls, spent.lost) == (10, 0) and server.stats()["served"] == 10
        usage = Usage(spent.input, spent.cached, spent.output)
        assert spent.cost == HALF.cost(usage) > 0, "the price of a batch, though this sitting asks live"


async def test_a_stop_leaves_what_is_at_the_server_booked(tmp_path: Path) -> None:
    """Until it is taken up it counts at its estimate, so that no ceiling is passed by what was paid before a stop."""
    requests = [make_request(k) for k in range(6)]
    async with BatchServer(batch_s=0.3) as server:
        first = Books(server, tmp_path)
        first.start(requests)
        await wait_for(lambda: server.counts["looks"])
        first.gate.shut()
        await asyncio.gather(*first.tasks, return_exceptions=True)
        await first.client.close()
        told = sum_up(first.ledger.totals())
        first.ledger.close()
        assert (told.calls, told.lost) == (6, 6) and first.read() == told
        # The ceiling has room for just these six: they are taken up, though the books already hold them.
        second = Books(server, tmp_path, Ceiling(calls=6))
        texts(await second.ask(requests))
        spent = await second.close()
        assert (spent.calls, spent.lost) == (6, 0) and server.stats()["answered_again"] == 0


async def test_a_wave_that_was_never_sent_is_taken_back(tmp_path: Path) -> None:
    """Killed between the ledger's lines and the upload: nothing is paid, so nothing stays booked."""
    requests = [make_request(k) for k in range(4)]
    async with BatchServer() as server:
        first = Books(server, tmp_path)
        first.batch._work._steps.bring = never  # type: ignore[method-assign]
        first.start(requests)
        await wait_for(lambda: first.batch._work.tasks)
        assert (await first.kill()).lost == 4
        second = Books(server, tmp_path)
        texts(await second.ask(requests))
        spent = await second.close()
        assert (spent.calls, spent.lost) == (4, 0) and server.stats()["sizes"] == [4]


async def never(wave: object) -> Any:
    await asyncio.Event().wait()


async def test_failed_lines_and_full_queues_are_booked_as_what_they_are(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(30)]
    async with BatchServer(p_line_500=0.3, queue=12, seed=2) as server:
        books = Books(server, tmp_path)
        found = await books.ask(requests)
        spent = await books.close()
        stats = server.stats()
        answered = sum(isinstance(reply, Reply) for reply in found)
        assert answered == stats["served"] and stats["failed_lines"] > 3
        assert (spent.calls, spent.failed, spent.lost) == (answered + stats["failed_lines"], stats["failed_lines"], 0)


async def test_a_batch_costs_its_own_price_and_the_first_call_the_full_one(tmp_path: Path) -> None:
    requests = [make_request(k) for k in range(5)]
    async with BatchServer() as server:
        books = Books(server, tmp_path, scout=True)
        assert not books.batch.is_batched(requests[0]), "what may be the first call is reserved at the full price"
        replies = await books.ask(requests)
        spent = await books.close()
    usage = [reply.usage for reply in replies]
    costs = [(PRICE.cost(u), HALF.cost(u)) for u in usage]
    scout = [reply for reply in replies if not books.batch.is_batched(requests[replies.index(reply)])]
    assert len(scout) == 1
    assert spent.cost == sum(half for _, half in costs) + PRICE.cost(scout[0].usage) - HALF.cost(scout[0].usage)
    assert books.purse.spent.cost == spent.cost
