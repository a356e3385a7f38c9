"""Waves at work: each is brought to its answers, which are handed to whoever waits; what went wrong goes out again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

from culturepark.errors import CultureParkError
from culturepark.llm.base import Reply
from culturepark.llm.batch_api import (
    BatchApi,
    BatchGoneError,
    BatchStatus,
    LineFault,
    explain_line,
    explain_refusal,
)
from culturepark.llm.batch_desk import AskAgainError, Asked, Desk
from culturepark.llm.batch_journal import BatchJournal, WaveRecord
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.http import HttpClient
from culturepark.llm.wave_steps import Wave, WaveSteps
from culturepark.llm.waves import Gatherer

_REWORDINGS = 8
_LOGGED_AFTER_S = 2.0  # an answer handed out is in the reply log, and on the disk, by then
_LEAVE_S = 3.0


class WaveWork:
    """The waves of one client. ``place`` tells in which wave a request lies, by its name."""

    def __init__(
        self,
        http: HttpClient,
        journal: Path,
        gate: Gate,
        desk: Desk,
        say: Callable[[str], None],
        every_s: float,
        outage_s: float,
    ) -> None:
        """Nothing is asked of the server before the first request, or ``take_up``."""
        self._api, self._gate, self._desk, self._say, self._every_s = BatchApi(http), gate, desk, say, every_s
        self._journal = BatchJournal(journal, say)
        self._steps = WaveSteps(self._api, self._journal, gate, say, every_s, outage_s)
        self.gatherer = Gatherer(self._send_wave, self._encode, quiet_s=min(2.0, every_s / 4), longest_s=every_s)
        self.place: dict[str, Wave] = {}
        self.broken: Exception | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self._waves: dict[str, Wave] = {}

    def take_up(self, remark: str = "") -> set[str]:
        """Go on with the batches an earlier sitting left; returns what it gathered, and booked, but never sent."""
        journal, left = self._journal, list[Wave]()
        unsent: set[str] = set()
        elsewhere: set[str] = set()
        for record in journal.open_waves():
            if record.state == "gathered":  # nothing was asked of the server yet
                unsent.update(record.ids)
                journal.note(record, "done", why="never sent")
            elif record.server != self._api.http.url:
                elsewhere.add(record.server)
            else:
                left.append(self._open_wave(Wave(record, taken_up=True)))
        for server in sorted(elsewhere):
            self._say(f"Batches of this run are open at {server}: to use what is paid there, resume with that server.")
        if left:
            requests = sum(len(wave.record.ids) for wave in left)
            self._say(f"Taking up {len(left)} batches with {requests} requests that an earlier sitting left{remark}.")
        return unsent

    def count_open(self) -> tuple[int, int]:
        """Batches that are not over, and the requests in them."""
        waves = [wave for wave in self._waves.values() if wave.answers is None]
        return len(waves), sum(len(wave.record.ids) for wave in waves)

    async def close(self) -> None:
        """Let steps under way end, mark what was handed out, close the journal."""
        self.gatherer.close()
        if tasks := set(self.tasks):
            _, late = await asyncio.wait(tasks, timeout=_LEAVE_S if self._gate.closed else 0)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        is_over = not self._gate.closed and self.broken is None  # the run ended by itself: nobody will ask again
        for wave in list(self._waves.values()):
            if is_over and wave.answers:
                wave.answers.clear()
            self._retire(wave)
        self._desk.leave()
        self._journal.close()

    def _open_wave(self, wave: Wave) -> Wave:
        self._waves[wave.record.name] = wave
        self.gatherer.note_start(wave.record.name, len(wave.record.ids))
        for name in wave.record.ids:
            self.place[name] = wave
        task = asyncio.create_task(self._drive(wave))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return wave

    def _encode(self, name: str) -> bytes | None:
        """The line of a request; ``None`` when nobody waits for it any more."""
        asked = self._desk.find(name)
        return self._api.make_line(name, asked.request) if asked else None

    def _send_wave(self, model: str, lines: dict[str, bytes]) -> None:
        http = self._api.http
        record = WaveRecord(secrets.token_hex(8), http.url, model, tuple(lines))
        try:
            self._journal.begin(record)
            for name in lines:
                self._desk.book(name)
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
            self.gatherer.note_end(wave.record.name)

    async def _fetch(self, wave: Wave, status: BatchStatus) -> None:
        wave.answers = await self._steps.fetch(wave, status)
        self.gatherer.note_success()
        replies = sum(isinstance(answer, Reply) for answer in wave.answers.values())
        self._say(f"Batch {status.id} is {status.status}: {replies} of {len(wave.answers)} requests answered.")
        for count, name in enumerate(wave.record.ids):
            if self.place.get(name) is not wave:  # sent again since, in a later wave, or handed out in between
                self.drop_answer(wave, name)
            elif wave.taken_up and isinstance(wave.answers.get(name), LineFault):  # old trouble: asked anew
                self.drop_answer(wave, name)
                self._ask_again(wave, name)
            else:
                self.deliver(name)
            if count % 100 == 99:
                await asyncio.sleep(0)

    def deliver(self, name: str) -> None:
        """Hand an answer that is here to whoever waits for it."""
        wave, asked = self.place[name], self._desk.find(name)
        if wave.answers is None or asked is None:
            return
        answer = wave.answers[name]
        if isinstance(answer, Reply):
            self._desk.deliver(name, answer)
            return
        self.drop_answer(wave, name)
        error = explain_line(answer, self._api.http.where)
        self._desk.note_fault(name, error)
        if self._may_reword(wave, asked, answer):
            self.gatherer.add(name, asked.request)
        else:
            self._desk.refuse([name], error)

    def _ask_again(self, wave: Wave, name: str) -> None:
        """The batch has no answer: the request is free to go out once more, in this sitting's way."""
        self._desk.cancel(name)
        if wave.taken_up:
            self._desk.refuse([name], AskAgainError())
        elif asked := self._desk.find(name):
            self.gatherer.add(name, asked.request)

    def _may_reword(self, wave: Wave, asked: Asked, answer: LineFault) -> bool:
        """Was it refused for its wording, and do we know another one?"""
        fault, http = answer.fault, self._api.http
        asked.rewordings += 1
        if answer.code.startswith("batch_") or fault.status not in (400, 422) or fault.is_context:
            return False
        learned = http.learn(asked.request, fault) or http.adaptations(asked.request.model) != wave.words
        return learned and asked.rewordings <= _REWORDINGS

    def _end_refused(self, wave: Wave, status: BatchStatus) -> None:
        if status.is_limit:
            wait = self.gatherer.shrink(len(wave.record.ids), self._every_s)
            told = "holds no more requests at a time" if not status.message else f"says: {status.message}"
            self._say(f"{self._api.http.where} {told}; less goes out in {wait:.0f} s or when a batch ends.")
            self._send_again(wave, "limit")
            return
        self._journal.note(wave.record, "done", why="refused")
        for name in wave.record.ids:
            self._desk.cancel(name)
        raise explain_refusal(status, self._api.http.where)

    def _send_again(self, wave: Wave, why: str) -> None:
        self._journal.note(wave.record, "done", why=why)
        self._waves.pop(wave.record.name, None)
        for name in wave.record.ids:
            if self.place.get(name) is not wave:
                continue
            del self.place[name]
            self._ask_again(wave, name)

    def drop_answer(self, wave: Wave, name: str) -> None:
        """Forget an answer that was handed out; a wave without any left is done a little later."""
        if self.place.get(name) is wave:
            del self.place[name]
        if wave.answers and wave.answers.pop(name, None) and not wave.answers:
            asyncio.get_running_loop().call_later(_LOGGED_AFTER_S, self._retire, wave)

    def _retire(self, wave: Wave) -> None:
        if wave.answers == {} and self._waves.pop(wave.record.name, None) is not None:
            try:
                self._journal.note(wave.record, "done")
            except CultureParkError as error:
                self._break_with(error)

    def _break_with(self, error: Exception) -> None:
        self.broken = self.broken or error
        self._desk.refuse_all(error)
