"""A crew of made-up workers: who gets a job, and what happens when one is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from culturepark.errors import EndpointError
from culturepark.llm.gate import Draining
from culturepark.runs.crew import Crew, WorkerLost, open_crew
from culturepark.runs.drafts import Draft
from culturepark.runs.order import Order
from culturepark.runs.plan import Seat, Slot
from culturepark.runs.station import Job, Outcome
from tests.builders import make_dialogue, make_turns


def slot(number: int) -> Slot:
    return Slot(number, 1, "within", "family", "", (Seat("arab", "EGY", 1, 1, number),))


class Worker:
    """Notes its jobs; may be told to be lost at the next one, or to wait."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: list[Job] = []
        self.lost = self.shut_down = self.closed = False
        self.outcome: Outcome | None = None
        self.hold: asyncio.Event | None = None
        self.calls = 1

    async def do(self, job: Job) -> Outcome:
        self.jobs.append(job)
        if self.hold:
            await self.hold.wait()
        if self.lost:
            raise WorkerLost("gone")
        return self.outcome or Outcome(job.draft or Draft(make_dialogue(make_turns("Yes.", "No.")), {}, {}))

    def shut(self) -> None:
        self.shut_down = True

    def forget(self, shard: int) -> None:
        self.forgot = shard

    def snapshot(self) -> dict[str, dict[str, Any]]:
        errors = {"rate": 1}
        numbers = {"calls": self.calls, "input": 10, "cached": 0, "output": 5, "retries": 0, "replayed": 0}
        return {"turn": {**numbers, "errors": errors}, "all": {**numbers, "errors": errors}}

    async def close(self) -> None:
        self.closed = True


def make_crew(size: int = 2) -> tuple[Crew, list[Worker], list[str]]:
    hired = [Worker(f"w{k}") for k in range(size)]
    said: list[str] = []

    async def hire(number: int) -> Worker:
        hired.append(Worker(f"w{number}"))
        return hired[-1]

    return Crew(list(hired), hire, Order(), said.append), hired, said


async def test_jobs_spread_and_a_draft_goes_back_to_whoever_held_its_talk() -> None:
    crew, workers, _ = make_crew()
    for worker in workers:
        worker.hold = asyncio.Event()
    talks = [asyncio.create_task(crew.talk(k, slot(k))) for k in range(4)]
    await asyncio.sleep(0)
    assert [len(w.jobs) for w in workers] == [2, 2]
    for worker in workers:
        assert worker.hold
        worker.hold.set()
    drafts = await asyncio.gather(*talks)
    held = {job.position: worker for worker in workers for job in worker.jobs}
    for position, draft in enumerate(drafts):
        await crew.examine(position, draft)
        assert held[position].jobs[-1].kind == "examine" and held[position].jobs[-1].position == position


async def test_a_lost_workers_jobs_are_taken_over_and_it_is_replaced() -> None:
    crew, workers, said = make_crew()
    workers[0].lost = True
    await asyncio.gather(*(crew.talk(k, slot(k)) for k in range(4)))
    assert len(workers) == 3 and workers[2].name == "w2"
    done = [job for worker in workers[1:] for job in worker.jobs]
    assert sorted(job.position for job in done) == [0, 1, 2, 3]
    lost = {job.position for job in workers[0].jobs}
    assert {job.position for job in done if job.taken_over} == lost != set()
    assert len(said) == 1 and "w0 is lost (gone)" in said[0]
    assert crew.snapshot()["all"]["calls"] == 3, "what a lost worker spent is not forgotten"
    assert crew.snapshot()["turn"]["errors"] == {"rate": 3}


async def test_nobody_waits_for_a_worker_the_cluster_has_no_room_for() -> None:
    ended: list[int] = []

    async def hire(number: int) -> Worker:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)
        raise AssertionError

    workers = [Worker("w0"), Worker("w1")]
    workers[0].lost = True
    crew = Crew(list(workers), hire, Order(), lambda text: None)
    await asyncio.wait_for(asyncio.gather(*(crew.talk(k, slot(k)) for k in range(4))), 5)
    await asyncio.wait_for(crew.close(), 5)
    assert ended == [2] and workers[1].closed


@pytest.mark.parametrize("end", ["hired", "shut"])
async def test_an_empty_crew_waits_for_the_worker_being_hired(end: str) -> None:
    room = asyncio.Event()

    async def hire(number: int) -> Worker:
        await room.wait()
        return Worker(f"w{number}")

    first = Worker("w0")
    first.lost = True
    crew = Crew([first], hire, Order(), lambda text: None)
    talk = asyncio.create_task(crew.talk(0, slot(0)))
    await asyncio.sleep(0.02)
    assert not talk.done()
    if end == "hired":
        room.set()
        await asyncio.wait_for(talk, 5)
    else:
        crew.shut()
        with pytest.raises(Draining):
            await asyncio.wait_for(talk, 5)


async def test_a_draft_of_a_lost_worker_is_examined_by_another() -> None:
    crew, workers, _ = make_crew()
    draft = await crew.talk(0, slot(0))
    holder = next(w for w in workers if w.jobs)
    holder.lost = True
    await crew.examine(0, draft)
    others = [w for w in workers if w is not holder and w.jobs]
    assert len(others) == 1 and others[0].jobs[-1].taken_over


async def test_when_all_are_lost_again_and_again_the_run_stops_with_one_line() -> None:
    said: list[str] = []
    first = Worker("w0")
    first.lost = True

    async def hire(number: int) -> Worker:
        worker = Worker(f"w{number}")
        worker.lost = True
        return worker

    crew = Crew([first], hire, Order(), said.append)
    with pytest.raises(EndpointError, match="all workers are lost"):
        await crew.talk(0, slot(0))
    assert len(said) == 5


async def test_shut_means_that_nothing_new_begins() -> None:
    crew, workers, _ = make_crew()
    crew.shut()
    assert all(w.shut_down for w in workers)
    with pytest.raises(Draining):
        await crew.talk(0, slot(0))
    assert not any(w.jobs for w in workers)


@pytest.mark.parametrize(
    ("outcome", "error", "said"),
    [
        (Outcome(drained=True), Draining, "^$"),
        (Outcome(kind="EndpointError", message="key refused"), EndpointError, "key refused"),
        (Outcome(kind="bug", message="Trace"), RuntimeError, "a worker failed"),
        (Outcome(kind="os", message="x"), RuntimeError, "a worker failed"),
    ],
)
async def test_a_workers_error_is_raised_here(outcome: Outcome, error: type[Exception], said: str) -> None:
    crew, workers, _ = make_crew(1)
    workers[0].outcome = outcome
    with pytest.raises(error, match=said):
        await crew.talk(0, slot(0))


async def test_a_crew_that_cannot_be_hired_leaves_nobody_behind() -> None:
    hired: list[Worker] = []

    async def hire(number: int) -> Worker:
        if number == 1:
            raise WorkerLost("no memory")
        hired.append(Worker(f"w{number}"))
        return hired[-1]

    with pytest.raises(EndpointError, match="could not be started: no memory"):
        async with open_crew(3, hire, Order(), print):
            pass
    assert len(hired) == 2 and all(w.closed for w in hired)
