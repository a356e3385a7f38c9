"""The way of one wave: uploaded, made into a batch, waited for, read; each step is journalled before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from culturepark.errors import CallError
from culturepark.llm.base import Reply
from culturepark.llm.batch_api import BatchApi, BatchGoneError, BatchStatus, LineFault
from culturepark.llm.batch_journal import BatchJournal, WaveRecord
from culturepark.llm.faults import Fault
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.patience import Patience


@dataclass(slots=True, eq=False)
class Wave:
    """A wave at work. ``answers`` are those that came and were not handed out; ``words`` how it was put."""

    record: WaveRecord
    lines: list[bytes] = field(default_factory=list)
    words: tuple[str, ...] = ()
    taken_up: bool = False
    answers: dict[str, Reply | LineFault] | None = None


class WaveSteps:
    """Brings waves from where they stand to their answers; ``Draining`` comes out when the gate is shut."""

    def __init__(
        self,
        api: BatchApi,
        journal: BatchJournal,
        gate: Gate,
        say: Callable[[str], None],
        every_s: float,
        outage_s: float,
    ) -> None:
        self._api, self._journal, self._gate, self._say = api, journal, gate, say
        self._every_s, self._outage_s = every_s, outage_s

    async def bring(self, wave: Wave) -> BatchStatus:
        """Do what is left to do, and wait until the batch is over. Raises ``BatchGoneError`` when it is no more."""
        record = wave.record
        if record.state == "gathered":
            file = await self._be_patient().persist(lambda: self._api.upload(record.name, wave.lines))
            wave.lines = []
            self._journal.note(record, "uploaded", file=file)
        if record.state == "uploaded":
            made = await self._create(wave)
            self._journal.note(record, "created", batch=made.id)
            self._say(f"Batch {made.id}: {len(record.ids)} requests for {record.model}.")
        if not wave.taken_up:
            await self._pause(self._every_s)
        look = partial(self._api.look, record.batch)
        while not (status := await self._be_patient().persist(look)).is_over:
            await self._pause(self._every_s)
        return status

    async def fetch(self, wave: Wave, status: BatchStatus) -> dict[str, Reply | LineFault]:
        """An answer for every request of the wave."""
        answers: dict[str, Reply | LineFault] = {}
        own = set(wave.record.ids)
        for file in filter(None, (status.output_file, status.error_file)):
            read = partial(self._api.read_answers, file)
            for count, (name, answer) in enumerate(await self._be_patient().persist(read)):
                if name in own and not isinstance(answers.get(name), Reply):
                    answers[name] = answer
                if count % 500 == 499:
                    await asyncio.sleep(0)
        missing = LineFault(Fault(500, "no answer in the batch"), f"batch_{status.status}")
        return {name: answers.get(name, missing) for name in wave.record.ids}

    async def _create(self, wave: Wave) -> BatchStatus:
        """Make the batch of an uploaded file, unless the server has it already: the answer may have been lost."""
        record, patience = wave.record, self._be_patient()
        unsure = wave.taken_up
        while True:
            if self._gate.closed:
                raise Draining
            try:
                for _ in range(2 if unsure else 0):  # a list may lag behind
                    if found := await self._api.find(record.name, record.file):
                        return found
                    await self._pause(min(self._every_s, 5.0))
                if wave.taken_up:
                    raise BatchGoneError(f"a batch of {len(record.ids)} requests was never made")
                return await self._api.create(record.name, record.file)
            except CallError as error:
                await patience.bear(error)
                unsure = True

    def _be_patient(self) -> Patience:
        return Patience(self._outage_s, self._pause, min(0.5, self._every_s))

    async def _pause(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while not self._gate.closed:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, 0.25))
        raise Draining
