"""Which reply file a call has, and whose calls go first."""

from __future__ import annotations

from culturepark.llm.base import Purpose, Request
from culturepark.runs.order import SHARD, Order


def rank(order: Order, key: str, purpose: Purpose = "turn") -> int:
    return order.rank_of(Request(key, purpose, "m", ({"role": "user", "content": "Hello"},)))


def test_the_oldest_talk_goes_first_and_shares_a_file_with_its_neighbours() -> None:
    order = Order()
    order.open("d000007", 7)
    order.open("d000900", SHARD + 1)
    assert (order.shard_of("d000007/turn-01"), order.shard_of("d000900/verify")) == (0, 1)
    ranks = [rank(order, "d000900/x"), rank(order, "d000007/y"), rank(order, "d000007/z")]
    assert ranks[1] == ranks[2] == ranks[0] - (SHARD + 1 - 7)


def test_towards_the_end_the_talk_with_the_most_before_it_goes_first() -> None:
    order = Order()
    order.open("old", 0)
    order.open("new", 9)
    for _ in range(3):
        rank(order, "old/turn")
    waiting = rank(order, "old/turn")
    order.ending = True
    assert waiting < rank(order, "new/turn") < rank(order, "old/turn")
    assert [rank(order, "new/turn") for _ in range(2)] == [1, 2]


def test_a_step_asked_for_again_leaves_a_talk_where_it_was() -> None:
    order = Order()
    order.ending = True
    for dialogue in ("plain", "stumbling"):
        order.open(dialogue, 0)
        rank(order, f"{dialogue}/turn-00")
    for step in ("turn-00-again", "extract-mend", "harm-mend/one"):
        rank(order, f"stumbling/{step}", "repair")
    assert rank(order, "stumbling/turn-01") == rank(order, "plain/turn-01") == 1


def test_a_talk_that_is_taken_up_again_keeps_its_count() -> None:
    order = Order()
    order.open("d", 3)
    rank(order, "d/turn")
    order.open("d", 3)
    order.ending = True
    assert rank(order, "d/verify") == 1
    order.close("d")
    assert rank(order, "d/late") == 0


def test_a_judge_with_an_odd_name_and_a_second_verification_are_steps() -> None:
    """What is a repair says the request, not the name of its step."""
    order = Order()
    order.ending = True
    order.open("d", 0)
    rank(order, "d/harm/mistral-mend", "harm")
    rank(order, "d/verify-again", "verify")
    assert rank(order, "d/turn-01") == 2
