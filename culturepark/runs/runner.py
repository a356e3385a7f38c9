"""Work through a plan: many talks open at once, outcomes committed in plan order.

Commits wait for their turn, so that what counts as a copy and which replacement comes next never
depends on which reply was faster: the same replies give the same bytes, however often the run stopped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from culturepark.errors import DataError
from culturepark.llm.gate import Draining, Gate
from culturepark.llm.replay import ReplyLog
from culturepark.runs.drafts import Draft
from culturepark.runs.journal import Counts, RunFolder
from culturepark.runs.plan import Plan, Slot, replace_slot
from culturepark.runs.sieve import Sieve
from culturepark.runs.work import Workshop

State = Literal["complete", "short", "stopped"]
SHARD = 500  # talks whose replies share one log file
_FRESH = 1_000_003  # added to a persona's number per attempt, so that replacements are other people


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
        can_hold: Callable[[Slot], bool] = lambda slot: True,
    ) -> None:
        """Take up where the folder's journal ends. ``can_hold`` tells whether the talk of a slot can be had at all."""
        self._plan, self._folder, self._can_hold = plan, folder, can_hold
        self._n, self._max = n, max_candidates
        self._gate: Gate | None = None
        self.progress = Progress(n, Counts())
        self._base = 0
        self._replacements: deque[Slot] = deque()
        self._pending = sum(s.wanted for s in plan.slots)  # wanted from slots not yet committed
        self._drafts: dict[int, tuple[Slot, Draft]] = {}  # talked, waiting to be screened in their turn
        self._ready: deque[int] = deque()  # screened, waiting for somebody to examine them
        self._screened: dict[int, tuple[Slot, Draft]] = {}
        self._next_to_screen = 0
        self._results: dict[int, tuple[Slot, Draft]] = {}  # examined, waiting to be committed in their turn
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
        self._next_to_screen = self._issued
        self._folder.lines.clear()

    def _slot_of(self, dialogue: str) -> Slot | None:
        """The slot a journal line stands for: the next one, or, after a raised ceiling, a later replacement."""
        slot = self._next_slot()
        if slot is None or slot.id == dialogue:
            return slot
        if slot.attempt > 1:  # a replacement that an earlier sitting was not allowed to make
            self._replacements.appendleft(slot)
        found = next((s for s in self._replacements if s.id == dialogue), None)
        if found:
            self._replacements.remove(found)
        return found

    def _next_slot(self) -> Slot | None:
        while self._base < len(self._plan.slots):
            self._base += 1
            slot = self._plan.slots[self._base - 1]
            if self._can_hold(slot):
                return slot
            self._pending -= slot.wanted
            self._count_short(slot, tuple(seat.wanted for seat in slot.seats))
        return self._replacements.popleft() if self._replacements else None

    def _settle(self, slot: Slot, missing: tuple[int, ...], line: dict[str, object]) -> None:
        """Count a committed dialogue and queue its replacement, unless the ceiling is reached."""
        counts = self.counts
        counts.add(line)
        self._pending -= slot.wanted
        if not any(missing):
            return
        again = replace_slot(slot, missing, _FRESH)
        if counts.candidates + self._pending + sum(missing) <= self._max and self._can_hold(again):
            self._replacements.append(again)
            self._pending += again.wanted
            return
        self._count_short(slot, missing)

    def _count_short(self, slot: Slot, missing: tuple[int, ...]) -> None:
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

    async def run(self, workshop: Workshop, sieve: Sieve, gate: Gate, log: ReplyLog, open_talks: int) -> State:
        """Work until n samples are accepted, the ceiling is reached or a stop is asked for.

        Raises what stopped the run (``EndpointError``, ``DataError``); everything committed is kept.
        """
        self._workshop, self._sieve, self._gate, self._log = workshop, sieve, gate, log
        self._open_talks = open_talks
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
            self._gate.shut()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed.clear()

    async def _work(self) -> None:
        """Hold talks and examine what was screened; the oldest talk always comes first."""
        while (job := await self._take()) is not None:
            self.progress.open += 1
            try:
                await self._do(*job)
            except Draining:
                return
            except Exception as error:  # nothing can go on: let the calls under way end, then report
                self._error = self._error or error
                self.request_stop()
                return
            finally:
                self.progress.open -= 1
            self._wake()

    async def _do(self, position: int, slot: Slot, draft: Draft | None) -> None:
        if draft is None:
            self._drafts[position] = (slot, await self._workshop.talk(slot))
            while self._next_to_screen in self._drafts:
                ready = self._drafts.pop(self._next_to_screen)
                self._sieve.screen(ready[1])
                self._screened[self._next_to_screen] = ready
                self._ready.append(self._next_to_screen)
                self._next_to_screen += 1
        else:
            self._results[position] = (slot, await self._workshop.examine(draft))
            self._commit_ready()

    async def _take(self) -> tuple[int, Slot, Draft | None] | None:
        """The next thing to do; waits for commits that may add replacements; ``None`` at the end."""
        while not self.stopping:
            if self._ready:
                position = self._ready.popleft()
                return position, *self._screened.pop(position)
            committed = self.counts.dialogues
            if self._issued - committed < self._open_talks * 4:  # bound what waits for its turn
                slot = self._next_slot()
                if slot is not None:
                    self._positions[slot.id] = self._issued
                    self._issued += 1
                    return self._issued - 1, slot, None
                if self._issued == committed:
                    self._wake()
                    return None
            await self._changed.wait()
        return None

    def _commit_ready(self) -> None:
        while self.counts.dialogues in self._results:
            position = self.counts.dialogues
            slot, draft = self._results.pop(position)
            commit = self._sieve.choose(position, slot, draft, self._max - self.counts.candidates)
            line = self._folder.write(commit)
            self._settle(slot, commit.missing, line)
            del self._positions[slot.id]
            if self.counts.dialogues % SHARD == 0:  # everything in that file is committed
                self._log.forget(position // SHARD)
