"""Who waits for which request of a batch, and the ledger entry of each request that is at the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from culturepark.llm.base import Reply, Request
from culturepark.llm.batch_api import copy_error
from culturepark.llm.booking import Booker, Entry


class AskAgainError(Exception):
    """The batch of an earlier sitting has no answer: ask the way this sitting asks."""


@dataclass(slots=True, eq=False)
class Asked:
    """A request somebody waits for."""

    request: Request
    waiting: list[asyncio.Future[Reply]] = field(default_factory=list)
    rewordings: int = 0


class Desk:
    """Requests by name. An entry outlives those who wait: a batch that goes on without us is not forgotten."""

    def __init__(self, booker: Booker | None) -> None:
        """Without a booker nothing is booked."""
        self._booker = booker
        self._asked: dict[str, Asked] = {}
        self._entries: dict[str, Entry] = {}

    @property
    def is_empty(self) -> bool:
        """Does nobody wait?"""
        return not self._asked

    def find(self, name: str) -> Asked | None:
        """The request of that name, while somebody waits for it."""
        return self._asked.get(name)

    def join(self, name: str, request: Request) -> asyncio.Future[Reply]:
        """Begin to wait."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(name, Asked(request)).waiting.append(future)
        return future

    def quit(self, name: str, future: asyncio.Future[Reply]) -> None:
        """Wait no longer."""
        asked = self._asked[name]
        asked.waiting.remove(future)
        if not asked.waiting:
            del self._asked[name]

    def book(self, name: str) -> None:
        """The request goes out now, or went out before this process began and is waited for again."""
        asked = self._asked.get(name)
        if self._booker is not None and asked is not None and name not in self._entries:
            self._entries[name] = self._booker.open(asked.request)

    def settle(self, name: str, reply: Reply) -> None:
        """An answer was handed out."""
        if entry := self._entries.pop(name, None):
            entry.answer(reply)

    def cancel(self, name: str) -> None:
        """The server never worked on the request."""
        if entry := self._entries.pop(name, None):
            entry.cancel()

    def note_fault(self, name: str, error: Exception) -> None:
        """The server answered this request with an error."""
        if entry := self._entries.pop(name, None):
            entry.fail(error)

    def leave(self) -> None:
        """What is open goes on at the server."""
        for entry in self._entries.values():
            entry.leave()
        self._entries.clear()

    def deliver(self, name: str, reply: Reply) -> None:
        """Hand an answer to everybody who waits for it."""
        asked = self._asked.get(name)
        for future in asked.waiting if asked else ():
            if not future.done():
                future.set_result(reply)

    def refuse(self, names: Iterable[str], error: Exception) -> None:
        """Let those who wait for these requests go, with an error."""
        for name in names:
            asked = self._asked.get(name)
            for future in asked.waiting if asked else ():
                if not future.done():
                    future.set_exception(copy_error(error))

    def refuse_all(self, error: Exception) -> None:
        """Let everybody go, with an error."""
        self.refuse(list(self._asked), error)
