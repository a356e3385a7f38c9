"""Work through a plan: many talks open at once, outcomes committed in plan order.

Commits wait for their turn, so that what counts as a copy and which replacement comes next never
depends on which reply was faster: the same replies give the same bytes, however often the run stopped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from culturepark.errors import DataError, EndpointError
from culturepark.llm.gate import Draining
from culturepark.runs.drafts import Draft
from culturepark.runs.journal import Counts, RunFolder
from culturepark.runs.order import SHARD, Order
from culturepark.runs.plan import Plan, Slot, replace_slot
from culturepark.runs.sieve import Sieve

State = Literal["complete", "short", "stopped"]
_FRESH = 1_000_003  # added to a persona's number per attempt, so that replacements are other people


class Maker(Protocol):
    """Whoever holds talks and has them examined: a workshop here, or a crew of workers."""

    async def talk(self, position: int, slot: Slot) -> Draft:
        """Hold and read the talk of a slot."""
        ...

    async def examine(self, position: int, draft: Draft) -> Draft:
        """Let models look at the candidates that are left."""
        ...

    def shut(self) -> None:
        """Let no new call begin; what was begun is finished, the rest raises ``Draining``."""
        ...

    def forget(self, shard: int) -> None:
        """Everything in that reply file is committed."""
        ...

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Calls and tokens so far, by purpose and under ``all``."""
        ...


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
        on_error: Literal["continue", "stop"] = "continue",
        on_failure: Callable[[str, str], None] = lambda dialogue, told: None,
    ) -> None:
        """Take up where the folder's journal ends. ``can_hold`` tells whether the talk of a slot can be had at all.

        ``on_failure`` is told the id of each talk with calls that failed for good, and what failed.
        """
        self._on_error, self._on_failure = on_error, on_failure
        self._folder, self._can_hold = folder, can_hold
        self._n, self._max = n, max_candidates
        self._maker: Maker | None = None
        self.progress = Progress(n, Counts())
        self._planned = [slot for slot in plan.slots if can_hold(slot)]
        self._begun = self._begun_again = 0  # planned talks, and replacements, that were given out
        self._replacements: deque[Slot] = deque()
        self._pending = sum(s.wanted for s in self._planned)  # wanted from slots not yet committed
        self._drafts: dict[int, tuple[Slot, Draft]] = {}  # talked, waiting to be screened in their turn
        self._ready: deque[int] = deque()  # screened, waiting for somebody to examine them
        self._screened: dict[int, tuple[Slot, Draft]] = {}
        self._next_to_screen = 0
        self._results: dict[int, tuple[Slot, Draft]] = {}  # examined, waiting to be committed in their turn
        self.order = Order()
        self.stopping = False
        self._error: Exception | None = None
        self._idle: deque[asyncio.Future[None]] = deque()  # tasks that wait for something to do
        if len(self._planned) < len(plan.slots):
            for slot in plan.slots:
                if not can_hold(slot):
                    self._count_short(slot, tuple(seat.wanted for seat in slot.seats))
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
            self._settle(slot, tuple(line["missing"]), line)
        self._next_to_screen = self.counts.dialogues

    def _slot_of(self, dialogue: str) -> Slot | None:
        """The slot a journal line stands for: the next one, or, after a raised ceiling, a later replacement."""
        if self._begun < len(self._planned):
            slot: Slot | None = self._begin_planned()[1]
            return slot if slot and slot.id == dialogue else None
        # A replacement that an earlier sitting was not allowed to make stays in front of the one that it made.
        slot = next((s for s in self._replacements if s.id == dialogue), None)
        if slot is not None:
            self._replacements.remove(slot)
            self._begun_again += 1
        return slot

    def _begin_planned(self) -> tuple[int, Slot]:
        self._begun += 1
        return self._begun - 1, self._planned[self._begun - 1]

    def _begin_again(self) -> tuple[int, Slot]:
        """The next replacement. Its position follows all planned talks, also when it is begun before they end."""
        self._begun_again += 1
        return len(self._planned) + self._begun_again - 1, self._replacements.popleft()

    @property
    def _is_near_end(self) -> bool:
        """May all planned talks that are left begin now?"""
        return len(self._planned) - self._begun <= self._most_open - self._open_talks

    def _begin(self) -> tuple[int, Slot] | None:
        """The next talk that may begin now, if any.

        While many planned talks are left, they come first. Towards the end replacements do: each is a chain of a
        dozen calls, and begun last they would keep the run waiting with idle slots.
        """
        left, near = len(self._planned) - self._begun, self._is_near_end
        if self.progress.open >= (self._most_open if near else self._open_talks):
            return None
        committed = self.counts.dialogues
        again = len(self._planned) + self._begun_again - max(committed, len(self._planned))
        if self._replacements and near and again < self._open_talks:  # bounds what waits for its turn
            return self._begin_again()
        if left and self._begun - min(committed, len(self._planned)) < self._most_open * 2:
            return self._begin_planned()
        return None

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

    @property
    def is_done(self) -> bool:
        """Is there nothing left to start?"""
        return self._begun == len(self._planned) and not self._replacements

    async def run(self, maker: Maker, sieve: Sieve, slots: int) -> State:
        """Work until n samples are accepted, the ceiling is reached or a stop is asked for.

        ``slots`` is how many calls may be in flight: somewhat more talks are open, so that no slot waits for a talk to
        begin, and towards the end many more. Raises what stopped the run (``EndpointError``, ``DataError``);
        everything committed is kept.
        """
        self._maker, self._sieve = maker, sieve
        self._open_talks = slots + max(2, slots // 4)
        self._most_open = self._open_talks + 2 * slots
        workers = [asyncio.create_task(self._work()) for _ in range(self._most_open)]
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
        return "short" if self.is_done and not self._uncommitted else "stopped"

    @property
    def _uncommitted(self) -> int:
        return self._begun + self._begun_again - self.counts.dialogues

    def request_stop(self) -> None:
        """Start no new talk and no new call; calls under way are finished and kept."""
        self.stopping = True
        if self._maker is not None:
            self._maker.shut()
        self._wake(everybody=True)

    def _wake(self, everybody: bool = False) -> None:
        """Let one idle task look for work; it wakes the next one when it finds some."""
        while self._idle:
            waiting = self._idle.popleft()
            if not waiting.done():
                waiting.set_result(None)
                if not everybody:
                    return

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
        assert self._maker is not None
        if draft is None:
            self._drafts[position] = (slot, await self._maker.talk(position, slot))
            while self._next_to_screen in self._drafts:
                ready = self._drafts.pop(self._next_to_screen)
                self._sieve.screen(ready[1])
                self._screened[self._next_to_screen] = ready
                self._ready.append(self._next_to_screen)
                self._next_to_screen += 1
        else:
            self._results[position] = (slot, await self._maker.examine(position, draft))
            with self._folder.group():
                self._commit_ready()

    async def _take(self) -> tuple[int, Slot, Draft | None] | None:
        """The next thing to do; waits for commits that may add replacements; ``None`` at the end."""
        while not self.stopping:
            if self._ready:
                self._wake()
                position = self._ready.popleft()
                return position, *self._screened.pop(position)
            self.order.ending = self._is_near_end
            begun = self._begin()
            if begun is not None:
                self._wake()
                self.order.open(begun[1].id, begun[0])
                return *begun, None
            if self.is_done and not self._uncommitted:
                self._wake(everybody=True)
                return None
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiting)
            await waiting
        return None

    def _commit_ready(self) -> None:
        while self.counts.dialogues in self._results:
            position = self.counts.dialogues
            slot, draft = self._results.pop(position)
            if told := draft.call_failure():
                self._on_failure(slot.id, told)
                if self._on_error == "stop":
                    raise EndpointError(
                        f"{slot.id} failed: {told}. The run stops at the first failure (--on-error stop); what is done "
                        "is saved, the same command goes on"
                    )
            commit = self._sieve.choose(position, slot, draft, self._max - self.counts.candidates)
            line = self._folder.write(commit)
            self._settle(slot, commit.missing, line)
            self.order.close(slot.id)
            if self.counts.dialogues % SHARD == 0 and self._maker is not None:
                self._maker.forget(position // SHARD)
