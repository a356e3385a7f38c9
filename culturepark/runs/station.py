"""One worker's place of work: its own workshop and clients over the run's folder. It makes talks and decides nothing.

What is a copy, what is chosen and what is committed stays with the process that runs the plan, so the result does not
depend on how many workers there are or which of them is lost.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from culturepark import errors
from culturepark.config import RunConfig
from culturepark.llm.budget import make_ceiling
from culturepark.llm.gate import Draining
from culturepark.llm.replay import ReplyLog
from culturepark.prompts import Prompts
from culturepark.runs.drafts import Draft
from culturepark.runs.engines import Served
from culturepark.runs.events import EventLog
from culturepark.runs.lending import Borrowed
from culturepark.runs.money import Money
from culturepark.runs.order import SHARD, Order
from culturepark.runs.plan import Slot
from culturepark.runs.sources import load_sources
from culturepark.runs.stack import Engine, Hooks, connect
from culturepark.runs.stored import StoredTalks
from culturepark.runs.tools import Toolbox
from culturepark.runs.work import Workshop


@dataclass(frozen=True)
class Place:
    """Where a run lies, and its reply files; ``stored`` is the run whose talks are refined again, if one is."""

    folder: Path
    replies: Path
    stored: Path | None = None

    def resolve(self) -> Place:
        """The same with absolute paths."""
        return Place(self.folder.resolve(), self.replies.resolve(), self.stored and self.stored.resolve())


@dataclass(frozen=True)
class Orders:
    """What a worker is told once."""

    name: str
    config: RunConfig
    served: Served
    place: Place
    slots: int


@dataclass(frozen=True)
class Job:
    """One talk to hold, or one draft to examine. ``taken_over``: another worker was lost over it."""

    kind: Literal["talk", "examine"]
    position: int
    slot: Slot | None = None
    draft: Draft | None = None
    taken_over: bool = False
    ending: bool = False

    @property
    def dialogue(self) -> str:
        """The id of the talk."""
        return self.slot.id if self.slot else self.draft.dialogue.id if self.draft else ""


@dataclass(frozen=True)
class Outcome:
    """A job's end: a draft, or ``drained``, or the error to raise with its kind."""

    draft: Draft | None = None
    drained: bool = False
    kind: str = ""
    message: str = ""

    def unwrap(self) -> Draft:
        """The draft; raises ``Draining`` or the error."""
        if self.draft is not None:
            return self.draft
        if self.drained:
            raise Draining
        known = getattr(errors, self.kind, None)
        if isinstance(known, type) and issubclass(known, errors.CultureParkError) and known is not errors.CallError:
            raise known(self.message)
        raise RuntimeError(f"a worker failed:\n{self.message}")


class Station:
    """Opened once, then given jobs, any number at a time."""

    def __init__(self, orders: Orders, tell: Callable[[], None] = lambda: None) -> None:
        """``tell`` is called when the account should be told at once."""
        self._orders = orders
        self._order = Order()
        self.borrowed = Borrowed(make_ceiling(orders.config), tell)
        self._stack = AsyncExitStack()
        self._engine: Engine | None = None
        self._workshop: Workshop | None = None

    async def open(self) -> None:
        """Load what talks need and connect to the model. Raises what a run raises."""
        orders, config = self._orders, self._orders.config
        sources = load_sources(config)
        prompts = Prompts(config.settle_prompt_size(), Path(config.prompts) if config.prompts else None)
        stored = StoredTalks(orders.place.stored, SHARD, lock=False) if orders.place.stored else None
        if stored:
            self._stack.callback(stored.close)
        events = EventLog(orders.place.folder, orders.name)
        self._stack.callback(events.close)
        hooks = Hooks(
            stored.shard_of if stored else self._order.shard_of,
            self._order.rank_of,
            events.note_retry,
            events.note_flow,
        )
        self._log = ReplyLog(
            orders.place.replies, hooks.shard_of, durable=config.durability == "power", writer=orders.name
        )
        self._shard_of = hooks.shard_of
        self._money = Money(config, orders.place.folder, orders.name, purse=self.borrowed.purse)
        self._stack.callback(self._money.close)
        engine = await self._stack.enter_async_context(
            connect(config, orders.served, self._log, hooks, self._money, orders.slots)
        )
        find = stored.find if stored else None
        tools = Toolbox(config, sources.profiles)
        self._engine = engine
        self._workshop = Workshop(config, sources, engine.setup, engine.client, prompts, tools, find)

    async def do(self, job: Job) -> Outcome:
        """Do one job; every error comes back as an outcome."""
        assert self._workshop is not None
        self._order.open(job.dialogue, job.position)
        self._order.ending = job.ending
        try:
            if job.taken_over:  # what the lost worker was answered lies in its file
                self._log.reload(self._shard_of(f"{job.dialogue}/"))
            if job.slot is not None:
                return Outcome(await self._workshop.talk(job.position, job.slot))
            assert job.draft is not None
            return Outcome(await self._workshop.examine(job.position, job.draft))
        except Draining:
            return Outcome(drained=True)
        except errors.CultureParkError as error:
            return Outcome(kind=type(error).__name__, message=str(error))
        except Exception:
            return Outcome(kind="bug", message=traceback.format_exc())
        finally:
            if job.kind == "examine":
                self._order.close(job.dialogue)

    def shut(self) -> None:
        """Let no new call begin."""
        if self._engine:
            self._engine.gate.shut()

    def forget(self, shard: int) -> None:
        """Everything in that reply file is committed."""
        self._log.forget(shard)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Calls and tokens so far, by purpose."""
        return self._engine.counting.snapshot() if self._engine else {}

    async def close(self) -> None:
        """Close clients and files."""
        await self._stack.aclose()
