"""Several workers that hold and examine talks for one run; a lost worker's jobs go to the others.

What was answered to a lost worker lies in its reply file, so the one that takes over asks only what was in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from culturepark.errors import EndpointError
from culturepark.llm.gate import Draining
from culturepark.runs.drafts import Draft
from culturepark.runs.order import Order
from culturepark.runs.plan import Slot
from culturepark.runs.station import Job, Outcome

Say = Callable[[str], None]
_REHIRES = 5  # workers that may be lost and replaced before the run gives up


class WorkerLost(Exception):
    """A worker's process or machine is gone."""


class Member(Protocol):
    """One worker, wherever it runs."""

    name: str

    async def do(self, job: Job) -> Outcome:
        """Have one job done; raises ``WorkerLost``."""
        ...

    def shut(self) -> None:
        """Tell it to begin no new call."""
        ...

    def forget(self, shard: int) -> None:
        """Tell it that a reply file is no longer needed."""
        ...

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Calls and tokens it has reported so far, by purpose."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


Hire = Callable[[int], Awaitable[Member]]  # from the number of a worker to one that is ready


class Crew:
    """A ``Maker`` over workers. A talk is examined by the worker that held it, where that is still there."""

    def __init__(
        self,
        members: Sequence[Member],
        hire: Hire,
        order: Order,
        say: Say,
        on_end: Callable[[Member], None] = lambda member: None,
    ) -> None:
        """``on_end`` is told of each member that is gone, lost or closed."""
        self._on_end = on_end
        self._members = list(members)
        self._past: list[Member] = []
        self._hire, self._order, self._say = hire, order, say
        self._open: dict[str, int] = {member.name: 0 for member in members}
        self._held: dict[int, Member] = {}
        self._hired = len(members)
        self._hiring: set[asyncio.Task[None]] = set()
        self._shut = False
        self._why = ""  # what became of the last one lost

    async def talk(self, position: int, slot: Slot) -> Draft:
        """Have the talk of a slot held by the worker with the least to do."""
        return await self._do(Job("talk", position, slot=slot), None)

    async def examine(self, position: int, draft: Draft) -> Draft:
        """Have a draft examined."""
        return await self._do(Job("examine", position, draft=draft), self._held.pop(position, None))

    def shut(self) -> None:
        """Let no worker begin a new call."""
        self._shut = True
        for task in self._hiring:
            task.cancel()
        for member in self._members:
            member.shut()

    def forget(self, shard: int) -> None:
        """Everything in that reply file is committed."""
        for member in self._members:
            member.forget(shard)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Calls and tokens of all workers, by purpose and under ``all``."""
        total: dict[str, dict[str, Any]] = {}
        for member in (*self._past, *self._members):
            for purpose, numbers in member.snapshot().items():
                _add(total.setdefault(purpose, {}), numbers)
        empty = {"calls": 0, "input": 0, "cached": 0, "output": 0, "retries": 0, "replayed": 0, "errors": {}}
        return {"all": empty, **total}

    async def close(self) -> None:
        """End all workers, and the search for others."""
        for task in self._hiring:
            task.cancel()
        await asyncio.gather(*self._hiring, return_exceptions=True)
        await asyncio.gather(*(member.close() for member in self._members))
        for member in self._members:
            self._on_end(member)

    async def _do(self, job: Job, member: Member | None) -> Draft:
        while True:
            if self._shut:
                raise Draining
            if member is None or member not in self._members:
                member = await self._choose()
            self._open[member.name] += 1
            try:
                outcome = await member.do(replace(job, ending=self._order.ending))
            except WorkerLost as lost:
                self._drop(member, str(lost))
                job = replace(job, taken_over=True)
                continue
            finally:
                self._open[member.name] -= 1
            if job.kind == "talk":
                self._held[job.position] = member
            return outcome.unwrap()

    async def _choose(self) -> Member:
        """The worker with the least to do; waits for one that is being hired when there is none."""
        while not self._members:
            if not self._hiring:
                raise EndpointError(
                    f"all workers are lost ({self._why}); what is done is saved, the same command goes on"
                )
            await asyncio.wait(self._hiring, return_when=asyncio.FIRST_COMPLETED)
            if self._shut:
                raise Draining
        return min(self._members, key=lambda m: self._open[m.name])

    def _drop(self, member: Member, why: str) -> None:
        """Look for another worker in place of a lost one; the others go on with its jobs meanwhile."""
        if member not in self._members:
            return
        self._why = why
        self._members.remove(member)
        self._past.append(member)
        self._on_end(member)
        self._held = {position: m for position, m in self._held.items() if m is not member}
        if self._shut or len(self._past) > _REHIRES:
            return
        self._say(f"Worker {member.name} is lost ({why}); others take over its talks.")
        task = asyncio.create_task(self._rehire(self._hired))
        self._hired += 1
        self._hiring.add(task)
        task.add_done_callback(self._hiring.discard)

    async def _rehire(self, number: int) -> None:
        # A cluster may have no room for it until a machine comes back: nobody waits for this but an empty crew.
        try:
            fresh = await self._hire(number)
        except (WorkerLost, EndpointError) as error:
            self._say(f"No worker could be started in its place ({error}).")
            return
        self._open[fresh.name] = 0
        self._members.append(fresh)


def _add(total: dict[str, Any], numbers: dict[str, Any]) -> None:
    for name, value in numbers.items():
        if isinstance(value, dict):
            _add(total.setdefault(name, {}), value)
        else:
            total[name] = total.get(name, 0) + value


@asynccontextmanager
async def open_crew(
    size: int, hire: Hire, order: Order, say: Say, on_end: Callable[[Member], None] = lambda member: None
) -> AsyncIterator[Crew]:
    """Hire ``size`` workers; all are ended on leaving. Raises ``EndpointError`` when none can be had."""
    found = await asyncio.gather(*(hire(k) for k in range(size)), return_exceptions=True)
    members: list[Member] = [m for m in found if not isinstance(m, BaseException)]
    failures = [f for f in found if isinstance(f, BaseException)]
    if failures:
        await asyncio.gather(*(member.close() for member in members))
        first = failures[0]
        raise EndpointError(f"a worker could not be started: {first}") if isinstance(first, WorkerLost) else first
    crew = Crew(members, hire, order, say, on_end)
    try:
        yield crew
    finally:
        await crew.close()
