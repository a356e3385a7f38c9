"""The project's own stand-in for a model engine: slots, time to the first token, time a token, a prefix cache.

    python -m bench.engine --port-file port.txt --slots 64 --ttft-ms 100 --tpot-ms 5 --tokens 120 --spread 0.6

It is the tests' server at another pace. A reply's length in tokens follows from its request. It is Python and takes
about as much CPU a call as a bare client, so beside it the figures of all jobs are lower than beside the fast one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakeserver import FakeServer, read_arguments, serve


@dataclass
class Engine(FakeServer):
    """``tokens`` is the mean length of a reply, ``spread`` how far it is off at most (0.6: 40 to 160 %).

    ``slots``: so many calls are worked on at a time, the others wait; 0: any number. ``prefix_cache``: beginnings of
    requests it remembers, message by message.
    """

    latency_ms: float = 0.0
    slots: int = 0
    ttft_ms: float = 0.0
    tpot_ms: float = 0.0
    tokens: int = 120
    spread: float = 0.0
    prefix_cache: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._room = asyncio.Semaphore(self.slots or 1_000_000)
        self._busy_s = 0.0
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def stats(self) -> dict[str, Any]:
        """``busy_slot_s`` adds up the seconds all calls were meant to hold a slot."""
        told = {name: self.counts[name] for name in ("prompt_tokens", "cached_tokens")}
        return super().stats() | told | {"busy_slot_s": self._busy_s}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        async with self._room:
            self._look_up(json.loads(raw)["messages"])
            drawn = random.Random(raw).uniform(1 - self.spread, 1 + self.spread)
            seconds = (self.latency_ms + self.ttft_ms + self.tpot_ms * self.tokens * drawn) / 1000
            self._busy_s += seconds
            if seconds:
                await asyncio.sleep(seconds)
            return await super()._answer(request)

    def _look_up(self, messages: list[dict[str, Any]]) -> None:
        """Count the tokens of a request, and those of the longest beginning that was asked before."""
        seen, hit = hashlib.sha256(), True
        for message in messages:
            seen.update(json.dumps(message).encode())
            size, key = len(str(message["content"])) // 4 + 1, seen.digest()
            hit = hit and key in self._known
            self.counts["prompt_tokens"] += size
            self.counts["cached_tokens"] += size if hit else 0
            if self.prefix_cache:
                self._known[key] = None
                self._known.move_to_end(key)
                if len(self._known) > self.prefix_cache:
                    self._known.popitem(last=False)


if __name__ == "__main__":
    asyncio.run(serve(*read_arguments(Engine)))
