"""Calls through a server's batch API: requests go out in waves, are waited for, and survive the end of the process.

A wave is journalled before each step, so a run that was killed attaches its requests to the batches it has already
paid for, whichever way it asks by now. Answers that nobody asks for yet are kept until somebody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from culturepark.errors import CultureParkError
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.batch_api import copy_error, name_request
from culturepark.llm.batch_desk import AskAgainError, Desk
from culturepark.llm.batch_work import WaveWork
from culturepark.llm.booking import Booker
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.http import HttpClient

Mode = Literal["off", "refine", "all"]
LIVE_PURPOSES = frozenset({"note", "turn", "moderate", "repair", "probe"})  # a talk waits for each of these
_WAITING = ", and waiting for them: they are paid"


class BatchClient:
    """A ``ChatClient`` whose batched calls may take hours; all others go to ``live``, which books them itself.

    The first call of a model goes to ``live`` as well: it shows in seconds what a batch would tell after hours. With
    mode ``off`` nothing new goes in a batch, but what lies in one is waited for.
    """

    def __init__(
        self,
        http: HttpClient,
        live: ChatClient,
        journal: Path,
        gate: Gate,
        *,
        mode: Mode = "all",
        every_s: float = 30.0,
        outage_s: float = 90.0,
        scout: bool = True,
        say: Callable[[str], None] = lambda text: None,
        booker: Booker | None = None,
    ) -> None:
        """``every_s`` lies between two looks at a batch; those in ``journal`` are taken up with the first call.

        ``booker`` notes each batched call when its wave goes out, and each that an earlier process has sent when
        somebody asks for it again.
        """
        self._live, self._gate, self._mode, self._scout, self._say = live, gate, mode, scout, say
        self._desk = Desk(booker)
        self._work = WaveWork(http, journal, gate, self._desk, say, every_s, outage_s)
        self._ready = False
        self._unsent: set[str] = set()  # gathered by an earlier process, and booked, but never sent
        self._watch: asyncio.Task[None] | None = None
        self._scouted: set[str] = set()
        self._lively: set[str] = set()  # keys of calls that were scouts

    def is_batched(self, request: Request) -> bool:
        """Is this call answered, and paid, as part of a batch?"""
        if self._work.place and name_request(request) in self._work.place:
            return True
        if request.key in self._lively or (self._scout and request.model not in self._scouted):
            return False
        return self._goes_in_batch(request)

    def was_booked(self, request: Request) -> bool:
        """Has an earlier sitting booked this call, as one of a batch? Then it counts as lost until it is recovered."""
        self._take_up()
        name = name_request(request) if self._work.place or self._unsent else ""
        return name in self._unsent or (name in self._work.place and self._work.place[name].taken_up)

    async def reply(self, request: Request) -> Reply:
        """Answer one request; raises ``Draining`` when the run is asked to stop, the batches go on at the server."""
        self._take_up()
        while True:
            try:
                return await self._ask(request)
            except AskAgainError:
                continue

    async def _ask(self, request: Request) -> Reply:
        goes_in_batch = self._goes_in_batch(request) and request.key not in self._lively
        name = name_request(request) if goes_in_batch or self._work.place else ""
        if name not in self._work.place and not goes_in_batch:
            return await self._live.reply(request)
        if self._work.broken is not None:
            raise copy_error(self._work.broken)
        if self._gate.closed:
            raise Draining
        if self._scout and request.model not in self._scouted and name not in self._work.place:
            return await self._send_scout(request)
        return await self._wait(name, request)

    async def _wait(self, name: str, request: Request) -> Reply:
        """Wait for the answer in the batch where the request lies, or in the next one."""
        future = self._desk.join(name, request)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_gate())
        try:
            if name in self._work.place:
                self._desk.book(name)
                self._work.deliver(name)
            else:
                self._work.gatherer.add(name, request)
            reply = await future
        finally:
            self._desk.quit(name, future)
        self._desk.settle(name, reply)
        if wave := self._work.place.get(name):
            self._work.drop_answer(wave, name)
        return reply

    async def close(self) -> None:
        """Let steps under way end, mark what was handed out, close the journal and the live client."""
        try:
            if self._watch is not None:
                self._watch.cancel()
            await self._work.close()
        finally:
            await self._live.close()

    def _goes_in_batch(self, request: Request) -> bool:
        return self._mode == "all" or (self._mode == "refine" and request.purpose not in LIVE_PURPOSES)

    def _take_up(self) -> None:
        """Once: go on with the batches an earlier sitting left."""
        if not self._ready:
            self._ready = True
            self._unsent = self._work.take_up(_WAITING if self._mode == "off" else "")

    async def _send_scout(self, request: Request) -> Reply:
        self._scouted.add(request.model)
        self._lively.add(request.key)
        self._work.gatherer.hold(request.model)
        try:
            return await self._live.reply(request)
        except CultureParkError:  # another try may go in a batch
            self._lively.discard(request.key)
            raise
        finally:
            self._work.gatherer.release(request.model)

    async def _watch_gate(self) -> None:
        """Let everybody go when the run is asked to stop."""
        while not self._desk.is_empty and not self._gate.closed:
            await asyncio.sleep(0.1)
        if not self._desk.is_empty:
            waves, requests = self._work.count_open()
            if waves:
                self._say(f"{waves} batches with {requests} requests go on at the server; resume to take them up.")
            self._desk.refuse_all(Draining())


class RecoveringClient:
    """Takes back what an earlier sitting booked for a call in a batch; above the purse, so that it has room again."""

    def __init__(
        self, inner: ChatClient, was_booked: Callable[[Request], bool], recover: Callable[[str], None]
    ) -> None:
        self._inner, self._was_booked, self._recover = inner, was_booked, recover

    async def reply(self, request: Request) -> Reply:
        """Answer one request; it is booked anew below."""
        if self._was_booked(request):
            self._recover(request.key)
        return await self._inner.reply(request)

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()
