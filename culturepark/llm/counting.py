"""The count of a run's calls and tokens, by purpose."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from culturepark.errors import CultureParkError
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.limits import RetryEvent

_NUMBERS = ("calls", "input", "cached", "output", "retries", "replayed")


@dataclass(slots=True)
class _Total:
    """Totals of one purpose; ``replayed`` calls are not among ``calls`` and their tokens not counted."""

    calls: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    retries: int = 0
    replayed: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, reply: Reply) -> None:
        if reply.replayed:
            self.replayed += 1
            return
        self.calls += 1
        self.input += reply.usage.input
        self.cached += reply.usage.cached
        self.output += reply.usage.output


class CountingClient:
    """Counts answered calls, tokens and final errors per purpose.

    ``note_retry`` takes the events of a ``RetryingClient``.
    """

    def __init__(self, inner: ChatClient) -> None:
        self._inner = inner
        self._totals: defaultdict[str, _Total] = defaultdict(_Total)

    async def reply(self, request: Request) -> Reply:
        """Answer one request and count it."""
        try:
            reply = await self._inner.reply(request)
        except CultureParkError as error:
            self._totals[request.purpose].errors[getattr(error, "kind", "endpoint")] += 1
            raise
        self._totals[request.purpose].add(reply)
        return reply

    async def close(self) -> None:
        """Close the inner client."""
        await self._inner.close()

    def beside(self, inner: ChatClient) -> CountingClient:
        """Another client whose calls are counted into the same totals."""
        other = CountingClient(inner)
        other._totals = self._totals
        return other

    def note_retry(self, event: RetryEvent) -> None:
        """Count one more try."""
        self._totals[event.purpose].retries += 1

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Totals per purpose and under ``all``, as plain numbers that no later call changes."""
        result = {purpose: _as_dict(total) for purpose, total in sorted(self._totals.items())}
        everything = _Total()
        for total in self._totals.values():
            for name in _NUMBERS:
                setattr(everything, name, getattr(everything, name) + getattr(total, name))
            everything.errors.update(total.errors)
        return result | {"all": _as_dict(everything)}


def _as_dict(total: _Total) -> dict[str, Any]:
    return {**{name: getattr(total, name) for name in _NUMBERS}, "errors": dict(sorted(total.errors.items()))}
