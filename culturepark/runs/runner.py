"""Work through a plan: many talks open at once, outcomes committed in plan order.

Commits wait for their turn, so that what counts as a copy and which replacement comes next never
depends on which reply was faster: the same replies give the same bytes, however often the run stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from culturepark.dialogue.views import SEATS
from culturepark.errors import DataError
from culturepark.language import words
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.replay import ReplyLog
from culturepark.records import Claim, Rejected, Sample, Verdict
from culturepark.runs.journal import Commit, Counts, RunFolder
from culturepark.runs.plan import Plan, Slot, replace_slot
from culturepark.runs.work import Result, Workshop

State = Literal["complete", "short", "stopped"]
SHARD = 500  # talks whose replies share one log file
_FRESH = 1_000_003  # added to a persona's number per attempt, so that replacements are other people


class Draining(Exception):
    """The run is asked to stop: no new call may start."""


class Gate:
    """A client that lets calls through until the run is asked to stop; calls under way are finished."""

    def __init__(self, inner: ChatClient) -> None:
        self._inner = inner
        self.closed = False

    async def reply(self, request: Request) -> Reply:
        """Answer one request, or raise ``Draining``."""
        if self.closed:
            raise Draining
        return await self._inner.reply(request)

    async def close(self) -> None:
        """Close what lies behind."""
        await self._inner.close()


@dataclass
class Progress:
    """What a screen may show; changed in place while the run goes on."""

    n: int
    counts: Counts
    open: int = 0
    short_cells: dict[tuple[str, str, int], int] = field(default_factory=dict)


class Runner:
    """Works through one plan and writes one run folder."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        n: int,
        max_candidates: int,
    ) -> None:
        """Take up where the folder's journal ends."""
        self._plan, self._folder = plan, folder
        self._n, self._max = n, max_candidates
        self._gate: Gate | None = None
        self.progress = Progress(n, Counts())
        self._base = 0
        self._replacements: deque[Slot] = deque()
        self._pending = sum(s.wanted for s in plan.slots)  # wanted from slots not yet committed
        self._texts: set[int] = set()
        self._results: dict[int, tuple[Slot, Result]] = {}
        self._positions: dict[str, int] = {}  # of the talks that are open or wait for their turn
        self._issued = 0
        self.stopping = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()
        self._replay_journal()

    @property
    def counts(self) -> Counts:
        """Totals over all committed dialogues."""
        return self.progress.counts

    def _replay_journal(self) -> None:
        for line in self._folder.lines:
            slot = self._slot_of(line["id"])
            if slot is None:
                raise DataError(
                    f"{self._folder.path}: the journal does not fit the plan at {line['id']!r}; "
                    "the folder was changed by hand: start another run with -o"
                )
            self._issued += 1
            self._settle(slot, tuple(line["missing"]), line)
            self._texts.update(int(t, 16) for t in line["texts"])
        self._folder.lines.clear()

    def _slot_of(self, dialogue: str) -> Slot | None:
        """The slot a journal line stands for: the next one, or, after a raised ceiling, a later replacement."""
        if self._base < len(self._plan.slots):
            slot = self._next_slot()
            return slot if slot and slot.id == dialogue else None
        found = next((s for s in self._replacements if s.id == dialogue), None)
        if found:
            self._replacements.remove(found)
        return found

    def _next_slot(self) -> Slot | None:
        if self._base < len(self._plan.slots):
            self._base += 1
            return self._plan.slots[self._base - 1]
        return self._replacements.popleft() if self._replacements else None

    def _settle(self, slot: Slot, missing: tuple[int, ...], line: dict[str, object]) -> None:
        """Count a committed dialogue and queue its replacement, unless the ceiling is reached."""
        counts = self.counts
        counts.add(line)
        self._pending -= slot.wanted
        if not any(missing):
            return
        if counts.candidates + self._pending + sum(missing) <= self._max:
            again = replace_slot(slot, missing, _FRESH)
            self._replacements.append(again)
            self._pending += again.wanted
            return
        for seat, short in zip(slot.seats, missing, strict=True):
            if short and seat.code is not None:
                cell = (seat.culture, slot.topic, seat.code)
                self.progress.short_cells[cell] = self.progress.short_cells.get(cell, 0) + short

    def shard_of(self, key: str) -> int:
        """The reply log file of a call: talks next to each other in the plan share one."""
        return self._positions[key.split("/")[0]] // SHARD

    @property
    def is_done(self) -> bool:
        """Is there nothing left to start?"""
        return self._base == len(self._plan.slots) and not self._replacements

    async def run(self, workshop: Workshop, gate: Gate, log: ReplyLog, open_talks: int) -> State:
        """Work until n samples are accepted, the ceiling is reached or a stop is asked for.

        Raises what stopped the run (``EndpointError``, ``DataError``); everything committed is kept.
        """
        self._workshop, self._gate, self._log, self._open_talks = workshop, gate, log, open_talks
        workers = [asyncio.create_task(self._work()) for _ in range(open_talks)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._error is not None:
            raise self._error
        return self.state

    @property
    def state(self) -> State:
        """``complete``, ``short`` (the ceiling ended it) or ``stopped`` (there is more to do)."""
        if self.counts.accepted >= self._n:
            return "complete"
        return "short" if self.is_done and self._issued == self.counts.dialogues else "stopped"

    def request_stop(self) -> None:
        """Start no new talk and no new call; calls under way are finished and kept."""
        self.stopping = True
        if self._gate:
            self._gate.closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed.clear()

    async def _work(self) -> None:
        while (issued := await self._take()) is not None:
            position, slot = issued
            self.progress.open += 1
            try:
                self._results[position] = (slot, await self._workshop.make(slot))
                self._commit_ready()
            except Draining:
                return
            except Exception as error:  # nothing can go on: let the calls under way end, then report
                self._error = self._error or error
                self.request_stop()
                return
            finally:
                self.progress.open -= 1
            self._wake()

    async def _take(self) -> tuple[int, Slot] | None:
        """The next slot to work on; waits for commits that may add replacements; ``None`` at the end."""
        while not self.stopping:
            committed = self.counts.dialogues
            if self._issued - committed < self._open_talks * 4:  # bound what waits for its turn
                slot = self._next_slot()
                if slot is not None:
                    self._positions[slot.id] = self._issued
                    self._issued += 1
                    return self._issued - 1, slot
                if self._issued == committed:
                    self._wake()
                    return None
            await self._changed.wait()
        return None

    def _commit_ready(self) -> None:
        while self.counts.dialogues in self._results:
            position = self.counts.dialogues
            slot, result = self._results.pop(position)
            commit = self._choose(position, slot, result)
            line = self._folder.write(commit)
            self._settle(slot, commit.missing, line)
            del self._positions[slot.id]
            if self.counts.dialogues % SHARD == 0:  # everything in that file is committed
                self._log.forget(position // SHARD)

    def _choose(self, position: int, slot: Slot, result: Result) -> Commit:
        """Accept each seat's first passing claims that are no copies, as many as wanted; the rest is spare."""
        samples: list[Sample] = []
        rejected: list[Rejected] = []
        spare: list[Claim] = []
        texts: list[str] = []
        missing: list[int] = []
        room = self._max - self.counts.candidates
        for place, seat in zip(SEATS, slot.seats, strict=False):
            accepted = 0
            for outcome in result.outcomes.get(place, []):
                if accepted == seat.wanted or len(samples) + len(rejected) >= room:
                    spare.extend(_claims(outcome))
                elif isinstance(outcome, Rejected):
                    rejected.append(outcome)
                else:
                    mark = text_hash(outcome.messages[-1]["content"])
                    if mark in self._texts:
                        rejected.append(_reject_copy(outcome, result))
                        continue
                    self._texts.add(mark)
                    texts.append(f"{mark:x}")
                    samples.append(outcome)
                    accepted += 1
            missing.append(seat.wanted - accepted)
        dialogue = result.dialogue.model_copy(update={"spare": tuple(spare)}) if spare else result.dialogue
        return Commit(position, dialogue, samples, rejected, tuple(missing), tuple(texts))


def text_hash(text: str) -> int:
    """64 bits over the words of a text, in lower case and without punctuation."""
    return int.from_bytes(hashlib.blake2b(" ".join(words(text)).encode(), digest_size=8).digest(), "big")


def _claims(outcome: Sample | Rejected) -> Iterator[Claim]:
    if isinstance(outcome, Sample):
        yield Claim.model_validate(outcome.lineage["claim"])
    elif outcome.claim is not None:
        yield outcome.claim


def _reject_copy(sample: Sample, result: Result) -> Rejected:
    verdict = Verdict(stage="copies", kept=False, reason="duplicate", evidence="same words as an earlier sample")
    return Rejected(
        id=sample.id,
        status="rejected",
        stage="copies",
        reason="duplicate",
        evidence=verdict.evidence,
        culture=sample.culture,
        country=sample.country,
        topic=sample.topic,
        answer=sample.answer,
        dialogue=result.dialogue.id,
        speaker=sample.lineage["speaker"],
        claim=Claim.model_validate(sample.lineage["claim"]),
        messages=sample.messages,
        verdicts=(*sample.verdicts, verdict),
    )
