"""Who makes the talks of a run: a workshop in this process, or a crew of workers on this machine or a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from culturepark.config import RunConfig
from culturepark.llm.budget import Amount
from culturepark.runs.crew import Member, open_crew
from culturepark.runs.drafts import Draft
from culturepark.runs.lending import Lender
from culturepark.runs.money import read_writer_spent
from culturepark.runs.order import Order
from culturepark.runs.plan import Slot
from culturepark.runs.runner import Maker
from culturepark.runs.stack import Engine
from culturepark.runs.station import Orders, Place
from culturepark.runs.work import Workshop


class Solo:
    """A workshop and its clients as the one ``Maker`` of a run."""

    def __init__(self, workshop: Workshop, engine: Engine) -> None:
        self._workshop, self._engine = workshop, engine

    async def talk(self, position: int, slot: Slot) -> Draft:
        """Hold and read the talk of a slot."""
        return await self._workshop.talk(position, slot)

    async def examine(self, position: int, draft: Draft) -> Draft:
        """Let models look at the candidates that are left."""
        return await self._workshop.examine(position, draft)

    def shut(self) -> None:
        """Let no new call begin."""
        self._engine.gate.shut()

    def forget(self, shard: int) -> None:
        """Everything in that reply file is committed."""
        self._engine.log.forget(shard)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Calls and tokens so far, by purpose and under ``all``."""
        return self._engine.counting.snapshot()


def is_alone(config: RunConfig) -> bool:
    """Does this process make its talks itself?"""
    return config.workers == 1 and config.executor == "local"


@asynccontextmanager
async def open_maker(
    workshop: Workshop, engine: Engine, place: Place, order: Order, say: Callable[[str], None]
) -> AsyncIterator[Maker]:
    """The workshop itself, or, with several workers, a crew; its workers are ended on leaving."""
    config = workshop.config
    if is_alone(config):
        yield Solo(workshop, engine)
        return
    size = min(config.workers, engine.in_flight)
    folders = {
        k: str(Path(v).resolve()) for k in ("personas", "scenarios", "prompts", "passages") if (v := getattr(config, k))
    }
    config = config.model_copy(update=folders)
    slots = max(1, engine.in_flight // size)
    lender = Lender(engine.money.purse)
    before: dict[str, Amount] = {}  # what earlier sittings spent under a worker's name

    async def hire(number: int) -> Member:
        orders = Orders(f"w{number}", config, engine.served, place.resolve(), slots)
        before[orders.name] = read_writer_spent(place.folder, orders.name)
        if config.executor == "ray":
            from culturepark.runs.ray_workers import RayWorker

            return await RayWorker.hire(orders, lender)
        from culturepark.runs.local_workers import LocalWorker

        return await LocalWorker.hire(orders, lender)

    if config.executor == "ray":
        from culturepark.runs.ray_workers import join_cluster

        join_cluster(config.ray_address)

    def settle(member: Member) -> None:
        lender.close(member.name, read_writer_spent(place.folder, member.name) - before[member.name])

    async with open_crew(size, hire, order, say, settle) as crew:
        yield crew
