"""Workers as actors of a Ray cluster: the same station, on other machines. The one door to ray.

The run folder (its reply files) must lie where every machine of the cluster sees it under the same path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Any

from culturepark import errors
from culturepark.errors import ConfigError, EndpointError, MissingPartError
from culturepark.llm.budget import Amount
from culturepark.runs.crew import WorkerLost
from culturepark.runs.lending import Account, Lender
from culturepark.runs.station import Job, Orders, Outcome, Station

_TELL_EVERY_S = 0.3


class RayStation:
    """A station as Ray runs it: an actor with asynchronous methods."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._station = Station(orders)

    async def open(self) -> tuple[str, str]:
        """Open the station; the kind and text of the error, or two empty strings."""
        if not self._orders.place.folder.is_dir():
            return "DataError", f"{self._orders.place.folder}: a machine of the cluster does not see this folder"
        try:
            await self._station.open()
        except errors.CultureParkError as error:
            return type(error).__name__, str(error)
        return "", ""

    async def do(self, job: Job) -> Outcome:
        """Do one job."""
        return await self._station.do(job)

    async def shut(self) -> None:
        """Begin no new call."""
        self._station.shut()

    async def forget(self, shard: int) -> None:
        """A reply file is no longer needed."""
        self._station.forget(shard)

    async def report(self) -> tuple[dict[str, dict[str, Any]], Account]:
        """Calls and tokens so far, and the account."""
        return self._station.snapshot(), self._station.borrowed.account()

    async def lend(self, amount: Amount) -> None:
        """More may be spent."""
        self._station.borrowed.lend(amount)

    async def refuse(self) -> None:
        """Nothing more may be spent."""
        self._station.borrowed.refuse()

    async def give_back(self) -> Amount:
        """Hand over what lies idle."""
        return self._station.borrowed.give_back()

    async def close(self) -> None:
        """Close clients and files."""
        await self._station.close()


class RayWorker:
    """The driver's side of one actor."""

    def __init__(self, name: str, actor: Any, lender: Lender) -> None:
        self.name = name
        self._actor, self._lender = actor, lender
        self._tasks: set[asyncio.Task[None]] = set()
        self._snapshot: dict[str, dict[str, Any]] = {}
        self._telling = asyncio.create_task(self._ask_often())

    @classmethod
    async def hire(cls, orders: Orders, lender: Lender) -> RayWorker:
        """Start an actor, spread over the machines, and wait until it is ready."""
        import ray

        kind_of: Any = ray.remote(RayStation)
        remote = kind_of.options(
            num_cpus=1, max_restarts=0, max_task_retries=0, max_concurrency=10_000, scheduling_strategy="SPREAD"
        )
        actor = remote.remote(orders)
        try:
            kind, message = await actor.open.remote()
        except ray.exceptions.RayError as error:
            raise WorkerLost(_describe(error)) from None
        except asyncio.CancelledError:  # it waited for room until nobody needed it any more
            ray.kill(actor)
            raise
        if kind:
            known = getattr(errors, kind, errors.CultureParkError)
            raise known(message)
        return cls(orders.name, actor, lender)

    async def do(self, job: Job) -> Outcome:
        """Have one job done; raises ``WorkerLost`` when the actor or its machine is gone."""
        import ray

        try:
            outcome: Outcome = await self._actor.do.remote(job)
        except ray.exceptions.RayError as error:
            raise WorkerLost(_describe(error)) from None
        return outcome

    def shut(self) -> None:
        """Tell it to begin no new call."""
        self._actor.shut.remote()

    def forget(self, shard: int) -> None:
        """Tell it that a reply file is no longer needed."""
        self._actor.forget.remote(shard)

    def lend(self, amount: Amount) -> None:
        """Give it more to spend."""
        self._actor.lend.remote(amount)

    def refuse(self) -> None:
        """Tell it that there is nothing more to spend."""
        self._actor.refuse.remote()

    def take_back(self) -> None:
        """Ask for what lies idle in its purse."""
        task = asyncio.create_task(self._take_back())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_back(self) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            self._lender.give_back(self, await self._actor.give_back.remote())

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Calls and tokens as last asked."""
        return self._snapshot

    async def close(self) -> None:
        """Close and end the actor."""
        import ray

        self._telling.cancel()
        with contextlib.suppress(ray.exceptions.RayError, TimeoutError):
            await asyncio.wait_for(_await(self._actor.close.remote()), 10)
            self._snapshot, account = await asyncio.wait_for(_await(self._actor.report.remote()), 5)
            self._lender.note(self, account)
        ray.kill(self._actor)

    async def _ask_often(self) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            while True:
                await asyncio.sleep(_TELL_EVERY_S)
                self._snapshot, account = await self._actor.report.remote()
                self._lender.note(self, account)


async def _await(reference: Any) -> Any:
    return await reference


def join_cluster(address: str | None) -> None:
    """Connect to the cluster at ``address``, or to the one Ray finds, or start one on this machine."""
    try:
        import ray
    except ImportError:
        raise MissingPartError("--executor ray needs ray: pip install 'culturepark[ray]'") from None
    if ray.is_initialized():
        return
    _check_address(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"the Ray cluster at {address}" if address else "Ray"
        raise EndpointError(f"{where} cannot be reached: {str(error).splitlines()[0][:200]}") from None


def _check_address(address: str | None) -> None:
    """Ray itself waits minutes, with many lines, for a cluster that is not there."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon:
        return
    if not host or not port.isdigit():
        raise ConfigError("ray_address: must look like host:port, ray://host:port or auto")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        told = error.strerror or "no answer"
        raise EndpointError(f"the Ray cluster at {address} cannot be reached ({told}); is it up? (ray start)") from None


def _describe(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
