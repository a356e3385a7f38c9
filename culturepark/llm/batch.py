"""Calls through a server's batch API: requests go out in waves, are waited for, and survive the end of the process.

A wave is journalled before each step, so a run that was killed attaches its requests to the batches it has already
paid for. Answers that nobody asks for yet are kept until somebody does.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from culturepark.errors import CultureParkError
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.batch_api import (
    BatchApi,
    BatchGoneError,
    BatchStatus,
    LineFault,
    copy_error,
    explain_line,
    explain_refusal,
    name_request,
)
from culturepark.llm.batch_journal import BatchJournal, WaveRecord
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.http import HttpClient
from culturepark.llm.wave_steps import Wave, WaveSteps
from culturepark.llm.waves import Gatherer

LIVE_PURPOSES = frozenset({"note", "turn", "moderate", "repair", "probe"})  # a talk waits for each of these
_REWORDINGS = 8
_LOGGED_AFTER_S = 2.0  # an answer handed out is in the reply log, and on the disk, by then
_LEAVE_S = 3.0


@dataclass(slots=True, eq=False)
class _Asked:
    """A request somebody waits for."""

    request: Request
    waiting: list[asyncio.Future[Reply]] = field(default_factory=list)
    rewordings: int = 0


class BatchClient:
    """A ``ChatClient`` whose batched calls may take hours; all others go to ``live``.

    The first call of a model goes to ``live`` as well: it shows in seconds what a batch would tell after hours.
    """

    def __init__(
        self,
        http: HttpClient,
        live: ChatClient,
        journal: Path,
        gate: Gate,
        *,
        mode: Literal["refine", "all"] = "all",
        every_s: float = 30.0,
        outage_s: float = 90.0,
        scout: bool = True,
        say: Callable[[str], None] = lambda text: None,
        on_attach: Callable[[str], None] = lambda key: None,
    ) -> None:
        """``every_s`` lies between two looks at a batch; those in ``journal`` are taken up with the first call.

        ``on_attach`` is told the key of each call that an earlier process has sent: it is not paid a second time.
        """
        self._on_attach = on_attach
        self._api, self._live, self._gate, self._mode = BatchApi(http), live, gate, mode
        self._journal, self._say, self._every_s, self._scout = BatchJournal(journal), say, every_s, scout
        self._steps = WaveSteps(self._api, self._journal, gate, say, every_s, outage_s)
        self._ready = False
        self._asked: dict[str, _Asked] = {}
        self._place: dict[str, Wave] = {}
        self._waves: dict[str, Wave] = {}
        self._gatherer = Gatherer(self._send_wave, self._encode, quiet_s=min(2.0, every_s / 4), longest_s=every_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._scouted: set[str] = set()
        self._lively: set[str] = set()  # keys of calls that were scouts
        self._broken: Exception | None = None

    def is_batched(self, request: Request) -> bool:
        """Is this call answered, and paid, as part of a batch?"""
        return request.key not in self._lively and (self._mode == "all" or request.purpose not in LIVE_PURPOSES)

    async def reply(self, request: Request) -> Reply:
        """Answer one request; raises ``Draining`` when the run is asked to stop, the batches go on at the server."""
        if not self.is_batched(request):
            return await self._live.reply(request)
        self._take_up()
        if self._broken is not None:
            raise copy_error(self._broken)
        if self._gate.closed:
            raise Draining
        name = name_request(request)
        if self._scout and request.model not in self._scouted and name not in self._place:
            return await self._send_scout(request)
        asked = self._asked.setdefault(name, _Asked(request))
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        asked.waiting.append(future)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_gate())
        try:
            if name in self._place:
                self._on_attach(request.key)
                self._deliver(name)
            else:
                self._gatherer.add(name, request)
            reply = await future
        finally:
            asked.waiting.remove(future)
            if not asked.waiting and self._asked.get(name) is asked:
                del self._asked[name]
        if wave := self._place.get(name):
            self._drop_answer(wave, name)
        return reply

    async def close(self) -> None:
        """Let steps under way end, mark what was handed out, close the journal and the live client."""
        self._gatherer.close()
        try:
            if self._watch is not None:
                self._watch.cancel()
            if tasks := set(self._tasks):
                _, late = await asyncio.wait(tasks, timeout=_LEAVE_S if self._gate.closed else 0)
                for task in late:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            is_over = not self._gate.closed and self._broken is None  # the run ended by itself: nobody will ask again
            for wave in list(self._waves.values()):
                if is_over and wave.answers:
                    wave.answers.clear()
                self._retire(wave)
            self._journal.close()
        finally:
            await self._live.close()

    def _take_up(self) -> None:
        """Read the journal once, and go on with the batches an earlier sitting left."""
        if self._ready:
            return
        self._ready, journal = True, self._journal
        left: list[Wave] = []
        elsewhere: set[str] = set()
        for record in journal.open_waves():
            if record.state == "gathered":  # nothing was asked of the server yet
                journal.note(record, "done", why="never sent")
            elif record.server != self._api.http.url:
                elsewhere.add(record.server)
            else:
                left.append(self._open_wave(Wave(record, taken_up=True)))
        for server in sorted(elsewhere):
            self._say(f"Batches of this run are open at {server}: to use what is paid there, resume with that server.")
        if left:
            requests = sum(len(wave.record.ids) for wave in left)
            self._say(f"Taking up {len(left)} batches with {requests} requests that an earlier sitting left.")

    def _open_wave(self, wave: Wave) -> Wave:
        self._waves[wave.record.name] = wave
        self._gatherer.note_start(wave.record.name, len(wave.record.ids))
        for name in wave.record.ids:
            self._place[name] = wave
        task = asyncio.create_task(self._drive(wave))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return wave

    async def _send_scout(self, request: Request) -> Reply:
        self._scouted.add(request.model)
        self._lively.add(request.key)
        self._gatherer.hold(request.model)
        try:
            return await self._live.reply(request)
        except CultureParkError:  # another try may go in a batch
            self._lively.discard(request.key)
            raise
        finally:
            self._gatherer.release(request.model)

    def _encode(self, name: str) -> bytes | None:
        """The line of a request; ``None`` when nobody waits for it any more."""
        asked = self._asked.get(name)
        return self._api.make_line(name, asked.request) if asked else None

    def _send_wave(self, model: str, lines: dict[str, bytes]) -> None:
        http = self._api.http
        record = WaveRecord(secrets.token_hex(8), http.url, model, tuple(lines))
        try:
            self._journal.begin(record)
        except CultureParkError as error:
            self._break_with(error)
            return
        self._open_wave(Wave(record, list(lines.values()), http.adaptations(model)))

    async def _drive(self, wave: Wave) -> None:
        """Bring one wave from where it stands to its answers."""
        try:
            status = await self._steps.bring(wave)
            if status.status == "failed" and not (status.output_file or status.error_file):
                self._end_refused(wave, status)
                return
            await self._fetch(wave, status)
        except Draining:
            return
        except BatchGoneError as error:
            self._say(f"{error}: its requests are sent again.")
            self._send_again(wave, "gone")
        except Exception as error:  # whoever waits must hear of it
            self._break_with(error)
        finally:
            self._gatherer.note_end(wave.record.name)

    async def _fetch(self, wave: Wave, status: BatchStatus) -> None:
        wave.answers = await self._steps.fetch(wave, status)
        self._gatherer.note_success()
        replies = sum(isinstance(answer, Reply) for answer in wave.answers.values())
        self._say(f"Batch {status.id} is {status.status}: {replies} of {len(wave.answers)} requests answered.")
        for count, name in enumerate(wave.record.ids):
            if self._place.get(name) is not wave:  # sent again since, in a later wave, or handed out in between
                self._drop_answer(wave, name)
            elif wave.taken_up and isinstance(wave.answers.get(name), LineFault):  # old trouble: asked anew
                self._drop_answer(wave, name)
                if name in self._asked:
                    self._gatherer.add(name, self._asked[name].request)
            else:
                self._deliver(name)
            if count % 100 == 99:
                await asyncio.sleep(0)

    def _deliver(self, name: str) -> None:
        """Hand an answer that is here to whoever waits for it."""
        wave, asked = self._place[name], self._asked.get(name)
        if wave.answers is None or asked is None:
            return
        answer = wave.answers[name]
        if isinstance(answer, Reply):
            for future in asked.waiting:
                if not future.done():
                    future.set_result(answer)
            return
        self._drop_answer(wave, name)
        if self._may_reword(wave, asked, answer):
            self._gatherer.add(name, asked.request)
            return
        self._fail([name], explain_line(answer, self._api.http.where))

    def _may_reword(self, wave: Wave, asked: _Asked, answer: LineFault) -> bool:
        """Was it refused for its wording, and do we know another one?"""
        fault, http = answer.fault, self._api.http
        asked.rewordings += 1
        if answer.code.startswith("batch_") or fault.status not in (400, 422) or fault.is_context:
            return False
        learned = http.learn(asked.request, fault) or http.adaptations(asked.request.model) != wave.words
        return learned and asked.rewordings <= _REWORDINGS

    def _end_refused(self, wave: Wave, status: BatchStatus) -> None:
        if status.is_limit:
            wait = self._gatherer.shrink(len(wave.record.ids), self._every_s)
            told = "holds no more requests at a time" if not status.message else f"says: {status.message}"
            self._say(f"{self._api.http.where} {told}; less goes out in {wait:.0f} s or when a batch ends.")
            self._send_again(wave, "limit")
            return
        self._journal.note(wave.record, "done", why="refused")
        raise explain_refusal(status, self._api.http.where)

    def _send_again(self, wave: Wave, why: str) -> None:
        self._journal.note(wave.record, "done", why=why)
        self._waves.pop(wave.record.name, None)
        for name in wave.record.ids:
            if self._place.get(name) is not wave:
                continue
            del self._place[name]
            if name in self._asked:
                self._gatherer.add(name, self._asked[name].request)

    def _drop_answer(self, wave: Wave, name: str) -> None:
        """Forget an answer that was handed out; a wave without any left is done a little later."""
        if self._place.get(name) is wave:
            del self._place[name]
        if wave.answers and wave.answers.pop(name, None) and not wave.answers:
            asyncio.get_running_loop().call_later(_LOGGED_AFTER_S, self._retire, wave)

    def _retire(self, wave: Wave) -> None:
        if wave.answers == {} and self._waves.pop(wave.record.name, None) is not None:
            try:
                self._journal.note(wave.record, "done")
            except CultureParkError as error:
                self._break_with(error)

    def _fail(self, names: Iterable[str], error: Exception) -> None:
        for name in names:
            for future in self._asked[name].waiting if name in self._asked else ():
                if not future.done():
                    future.set_exception(copy_error(error))

    def _break_with(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._fail(list(self._asked), error)

    async def _watch_gate(self) -> None:
        """Let everybody go when the run is asked to stop."""
        while self._asked and not self._gate.closed:
            await asyncio.sleep(0.1)
        if self._asked:
            waves = [wave for wave in self._waves.values() if wave.answers is None]
            if waves:
                requests = sum(len(wave.record.ids) for wave in waves)
                self._say(f"{len(waves)} batches with {requests} requests go on at the server; resume to take them up.")
            self._fail(list(self._asked), Draining())
