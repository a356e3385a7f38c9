"""Which reply file a call has, and whose calls go first."""

from __future__ import annotations

from culturepark.runs.order import SHARD, Order


def test_the_oldest_talk_goes_first_and_shares_a_file_with_its_neighbours() -> None:
    order = Order()
    order.open("d000007", 7)
    order.open("d000900", SHARD + 1)
    assert (order.shard_of("d000007/turn-01"), order.shard_of("d000900/verify")) == (0, 1)
    ranks = [order.rank_of("d000900/x"), order.rank_of("d000007/y"), order.rank_of("d000007/z")]
    assert ranks[1] == ranks[2] == ranks[0] - (SHARD + 1 - 7)


def test_towards_the_end_the_talk_with_the_most_before_it_goes_first() -> None:
    order = Order()
    order.open("old", 0)
    order.open("new", 9)
    for _ in range(3):
        order.rank_of("old/turn")
    waiting = order.rank_of("old/turn")
    order.ending = True
    assert waiting < order.rank_of("new/turn") < order.rank_of("old/turn")
    assert [order.rank_of("new/turn") for _ in range(2)] == [1, 2]


def test_a_step_asked_for_again_leaves_a_talk_where_it_was() -> None:
    order = Order()
    order.ending = True
    for dialogue in ("plain", "stumbling"):
        order.open(dialogue, 0)
        order.rank_of(f"{dialogue}/turn-00")
    order.rank_of("stumbling/turn-00-again")
    order.rank_of("stumbling/extract-mend")
    order.rank_of("stumbling/harm-mend/one")
    assert order.rank_of("stumbling/turn-01") == order.rank_of("plain/turn-01") == 1


def test_a_talk_that_is_taken_up_again_keeps_its_count() -> None:
    order = Order()
    order.open("d", 3)
    order.rank_of("d/turn")
    order.open("d", 3)
    order.ending = True
    assert order.rank_of("d/verify") == 1
    order.close("d")
    assert order.rank_of("d/late") == 0
