"""A request is hashed once, over all that decides the reply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from culturepark.llm.base import Request, Sampling, Schema

SAY = ({"role": "user", "content": "Hi"},)
FULL = Sampling(0.7, 1, 300, 5, ("a", "\u00e9"), {"b": 1e20, "a": [1, 2.5], "x": {"z": None, "y": True}})


def test_a_request_is_written_out_for_its_hash_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Request] = []
    make = Request._make_hash

    def note(request: Request) -> str:
        written.append(request)
        return make(request)

    monkeypatch.setattr(Request, "_make_hash", note)
    request = Request("d1/turn-00", "turn", "m", SAY)
    assert request.hash() == request.hash() and len(written) == 1
    assert replace(request, model="other").hash() != request.hash()
    assert replace(request, sampling=Sampling(seed=1)).hash() != request.hash()
    assert len(written) == 3


def test_a_hash_is_no_part_of_what_a_request_is() -> None:
    one, other = (Request("d1/turn-00", "turn", "m", SAY) for _ in range(2))
    one.hash()
    assert one == other and "hash" not in repr(one)


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        (Request("k", "turn", "m", SAY), "5c4d6ea84ddc23e1"),
        (
            Request("k", "turn", "m", SAY, FULL, Schema("n", {"type": "object", "a": [1]}), "pr\u00e9"),
            "b69148ea3b14e8a2",
        ),
        (Request("k", "turn", "m", SAY, Sampling(1.0, None, 300)), "cd7f1a75efdc1bdc"),
        (Request("k", "turn", "m", SAY, Sampling(1, None, 300)), "019a69a782b6df6f"),
        (Request("k", "turn", "m", ({"role": "user", "content": "\ud800"},)), "06a5a2175838b418"),
    ],
)
def test_hashes_stored_in_the_runs_there_are_never_change(asked: Request, known: str) -> None:
    assert asked.hash() == known
