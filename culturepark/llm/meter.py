"""What one call may use at most, before it goes out, and what it is taken to have used, after it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import Reply, Request, Usage
from culturepark.llm.faults import UnreachableError
from culturepark.llm.gate import Draining
from culturepark.llm.prices import Price

DEFAULT_OUTPUT = 1024  # tokens a reply is taken to have at most where the request sets no limit
How = Literal["answered", "estimated", "failed", "lost", "unsent"]
_A_MESSAGE = 8  # tokens around each message: role, separators
_MARGIN = 1.1


def bound_tokens(text: str) -> int:
    """More tokens than most tokenizers make of a text: one for 3 characters of Latin-1, for 1.5 of all others."""
    if text.isascii():
        return -(-len(text) // 3)
    latin = len(text.encode("latin-1", "ignore"))
    return -(-latin // 3) + -(-2 * (len(text) - latin) // 3)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one call is taken to have used.

    ``cost`` is ``None`` where the price is unknown. ``how``: answered (the server's own count), estimated (an answer
    without a count), failed (an error answer, not paid), lost (asked and never answered: may have been paid, so it
    stands at its estimate), unsent (never left: no call).
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    cost: int | None = 0
    how: How = "answered"


class Meter:
    """Estimates calls before they go out, from above, and bills them after.

    A model whose server counts more than was estimated is estimated higher from then on.
    """

    def __init__(
        self, find: Callable[[str], Price | None], is_batched: Callable[[Request], bool] = lambda request: False
    ) -> None:
        self._find, self._is_batched = find, is_batched
        self._prices: dict[str, Price | None] = {}
        self._stretch: dict[str, tuple[float, float]] = {}
        self._held: dict[int, Bill] = {}

    @contextmanager
    def hold(self, request: Request) -> Iterator[Bill]:
        """The estimate of a call, the same for all who ask for it meanwhile, whatever is learned."""
        estimate = self._held[id(request)] = self.estimate(request)
        try:
            yield estimate
        finally:
            self._held.pop(id(request), None)

    def estimate(self, request: Request) -> Bill:
        """At least what a call will use: its characters as tokens, and as much output as it may have."""
        if (held := self._held.get(id(request))) is not None:
            return held
        read, written = _bound_call(request)
        if request.model in self._stretch:
            more_in, more_out = self._stretch[request.model]
            read, written = int(read * more_in) + 1, int(written * more_out) + 1
        return self._bill(request, Usage(read, 0, written), "estimated")

    def bill(self, request: Request, estimate: Bill, reply: Reply) -> Bill:
        """What an answered call has used; the estimate, where the server does not tell."""
        usage = reply.usage
        if not usage.input and not usage.output:
            return estimate
        if usage.input > estimate.input or usage.output > estimate.output:
            self._learn(request, usage)
        return self._bill(request, usage, "answered")

    def _bill(self, request: Request, usage: Usage, how: How) -> Bill:
        model = request.model
        price = self._prices[model] if model in self._prices else self._prices.setdefault(model, self._find(model))
        if price is not None and price.batch is not None and self._is_batched(request):
            price = price.batch
        cost = None if price is None else price.cost(usage)
        return Bill(usage.input, min(usage.cached, usage.input), usage.output, cost, how)

    def _learn(self, request: Request, usage: Usage) -> None:
        read, written = _bound_call(request)
        before = self._stretch.get(request.model, (1.0, 1.0))
        needed = (_MARGIN * usage.input / max(1, read), _MARGIN * usage.output / max(1, written))
        self._stretch[request.model] = (max(before[0], needed[0]), max(before[1], needed[1]))


def bill_error(estimate: Bill, error: BaseException) -> Bill:
    """What a call that ended in an error is taken to have used."""
    if isinstance(error, (Draining, UnreachableError)):
        return Bill(how="unsent")
    told = isinstance(error, EndpointError) or (isinstance(error, CallError) and error.kind in _TOLD)
    return Bill(how="failed") if told and _SPOILT not in str(error) else replace(estimate, how="lost")


_TOLD = frozenset({"rate", "server", "request", "context"})  # the server answered with an error and bills no tokens
_SPOILT = "without a usable reply"  # a reply was made, but broke on its way


def _bound_call(request: Request) -> tuple[int, int]:
    """Tokens in and out of a call, from above."""
    read = _A_MESSAGE + bound_tokens(request.prefill)
    for message in request.messages:
        read += bound_tokens(message["content"]) + _A_MESSAGE
    if request.schema is not None:
        read += bound_tokens(json.dumps(request.schema.body, ensure_ascii=False))
    extra = request.sampling.extra
    most = extra.get("max_completion_tokens") or extra.get("max_tokens") or request.sampling.max_tokens
    several = extra.get("n")
    written = most if isinstance(most, int) and most > 0 else DEFAULT_OUTPUT
    return read, written * (several if isinstance(several, int) and several > 1 else 1)
