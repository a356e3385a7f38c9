"""A request is hashed once, over all that decides the reply."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from culturepark.llm import base
from culturepark.llm.base import Request, Sampling


def test_a_request_is_written_out_for_its_hash_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []

    def note(content: Any) -> str:
        written.append(content)
        return str(content)

    monkeypatch.setattr(base, "_encode", note)
    request = Request("d1/turn-00", "turn", "m", ({"role": "user", "content": "Hi"},))
    assert request.hash() == request.hash() and len(written) == 1
    assert replace(request, model="other").hash() != request.hash()
    assert replace(request, sampling=Sampling(seed=1)).hash() != request.hash()
    assert len(written) == 3


def test_a_hash_is_no_part_of_what_a_request_is() -> None:
    one, other = (Request("d1/turn-00", "turn", "m", ({"role": "user", "content": "Hi"},)) for _ in range(2))
    one.hash()
    assert one == other and "hash" not in repr(one)
    assert one.hash() == "5c4d6ea84ddc23e1"  # stored in every run there is: it must not change
