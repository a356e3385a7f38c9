"""The count of calls and tokens."""

from __future__ import annotations

import pytest

from culturepark.errors import CallError, CultureParkError, EndpointError
from culturepark.llm.base import Reply, Usage
from culturepark.llm.counting import CountingClient
from culturepark.llm.limits import RetryEvent, RetryingClient
from culturepark.llm.window import WindowClient
from tests.stubs import OK, Outcomes, make_request


async def test_counts_per_purpose_with_replays_apart() -> None:
    replayed = Reply("old", usage=Usage(99, 9, 9), replayed=True)
    counting = CountingClient(Outcomes([OK, replayed, OK, CallError("no", "context"), EndpointError("gone")]))
    await counting.reply(make_request())
    await counting.reply(make_request())
    await counting.reply(make_request(purpose="extract"))
    for _ in range(2):
        with pytest.raises(CultureParkError):
            await counting.reply(make_request(purpose="extract"))
    counting.note_retry(RetryEvent("d0/0", "turn", "rate", 1, 0.5, "busy"))
    empty = {"calls": 0, "input": 0, "cached": 0, "output": 0, "retries": 0, "replayed": 0, "errors": {}}
    one = {**empty, "calls": 1, "input": 10, "cached": 4, "output": 3}
    errors = {"context": 1, "endpoint": 1}
    snapshot = counting.snapshot()
    assert snapshot == {
        "turn": {**one, "replayed": 1, "retries": 1},
        "extract": {**one, "errors": errors},
        "all": {
            "calls": 2,
            "input": 20,
            "cached": 8,
            "output": 6,
            "retries": 1,
            "replayed": 1,
            "errors": errors,
        },
    }
    counting.note_retry(RetryEvent("d0/0", "turn", "rate", 2, 0.5, "busy"))
    assert snapshot["turn"]["retries"] == 1
    assert CountingClient(Outcomes([OK])).snapshot() == {"all": empty}


async def test_wrappers_close_what_they_wrap() -> None:
    inner = Outcomes([OK])
    await CountingClient(RetryingClient(WindowClient(inner, 1))).close()
    assert inner.closed
