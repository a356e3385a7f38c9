"""Broken replies are asked for again, a bounded number of times; everything else is passed on at once."""

from __future__ import annotations

import pytest

from culturepark.llm.base import Reply, Request, Schema
from culturepark.llm.steady import SteadyClient, is_broken

SCHEMA = Schema("form", {"type": "object"})


def make_request(schema: Schema | None = None, prefill: str = "") -> Request:
    return Request("d/0", "turn", "m", ({"role": "user", "content": "Hello"},), schema=schema, prefill=prefill)


class Answers:
    def __init__(self, *replies: Reply) -> None:
        self.replies, self.asked, self.closed = list(replies), 0, False

    async def reply(self, request: Request) -> Reply:
        self.asked += 1
        return self.replies.pop(0)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("request_", "reply", "broken"),
    [
        (make_request(), Reply("Hello."), False),
        (make_request(), Reply(" \n"), True),
        (make_request(), Reply("", finish="length"), True),
        (make_request(), Reply("", refusal="No."), False),
        (make_request(), Reply("", finish="filter"), False),
        (make_request(), Reply("not JSON"), False),
        (make_request(SCHEMA), Reply('{"a": 1}'), False),
        (make_request(SCHEMA), Reply('Here:\n```json\n{"a": 1}\n```'), False),
        (make_request(SCHEMA), Reply('{"a": "b', finish="length"), True),
        (make_request(SCHEMA), Reply("words"), True),
        (make_request(SCHEMA), Reply("words", refusal="No."), False),
        (make_request(SCHEMA, prefill='{"a": '), Reply("1}"), False),
    ],
)
def test_what_counts_as_broken(request_: Request, reply: Reply, broken: bool) -> None:
    assert is_broken(request_, reply) is broken


async def test_the_first_whole_reply_is_taken() -> None:
    answers = Answers(Reply(""), Reply("whole"), Reply("later"))
    assert (await SteadyClient(answers).reply(make_request())).text == "whole"
    assert answers.asked == 2


async def test_what_stays_broken_is_passed_on() -> None:
    answers = Answers(*(Reply("", model=str(k)) for k in range(5)))
    client = SteadyClient(answers)
    assert (await client.reply(make_request())).model == "2"
    assert answers.asked == 3
    await client.close()
    assert answers.closed
