"""Models that judge as a test wants it: inside the mock engine, or as a hook of the fake server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from culturepark.llm.base import Reply, Request
from culturepark.llm.scripted import ScriptedClient
from tests.fakeserver import Answer, make_completion

# What to say to a request; nothing means: what the engine says by itself.
Twist = Callable[[Request], str | Reply | None]


def twist_mock(monkeypatch: pytest.MonkeyPatch, twist: Twist, **rates: float) -> list[Request]:
    """Let ``twist`` answer the mock engine's requests first; the list gets every request from now on."""
    asked: list[Request] = []
    rates = {"fault_rate": 0.0, "badjson_rate": 0.0, **rates}

    class Twisted(ScriptedClient):
        def __init__(self) -> None:
            super().__init__(**rates)  # type: ignore[arg-type]

        def _answer(self, request: Request) -> Any:
            asked.append(request)
            found = twist(request)
            return super()._answer(request) if found is None else found

    monkeypatch.setattr("culturepark.llm.scripted.ScriptedClient", Twisted)
    return asked


def is_about(request: Request, *names: str) -> bool:
    """Does the request want an answer of one of these schemas (``harm``, ``fit``, ``verify``, ``rewrite``, ...)?"""
    return request.schema is not None and request.schema.name in names


def answer_all(request: Request, **parts: Any) -> str:
    """The same answer for every claim of a question; parts that are not given get a sound value."""
    assert request.schema is not None
    return json.dumps(dict.fromkeys(list_numbers(request.schema.body), _part(request.schema.name, parts)))


def list_numbers(schema: Mapping[str, Any]) -> list[str]:
    """The numbers of the claims an answer must speak of."""
    return list(schema["properties"])


_SOUND: dict[str, dict[str, Any]] = {
    "harm": {"reason": "says nothing bad", "harm": 1},
    "fit": {"reason": "people there would say so", "fit": 5},
    "verify": {"stance": "follows", "statements": [], "complexity": 4, "quality": 5},
}
_SOUND["verify_again"] = {**_SOUND["verify"], "keeps_meaning": True}


def _part(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {**_SOUND[name], **given}


def judge_by_model(marks: Mapping[str, Mapping[str, Any]]) -> Callable[[dict[str, Any]], Answer | None]:
    """A hook: each model gives its own marks (``{"harm": 1, "fit": 5}``) to every claim; all else as usual."""

    def hook(body: dict[str, Any]) -> Answer | None:
        name, own = read_task(body), marks.get(body["model"], {})
        if name not in own:
            return None
        parts = list_numbers(body["response_format"]["json_schema"]["schema"])
        text = json.dumps(dict.fromkeys(parts, _part(name, {name: own[name]})))
        completion = make_completion({**body, "response_format": None}, "0" * 64)
        completion["choices"][0]["message"]["content"] = text
        return 200, completion, {}

    return hook


def read_task(body: Mapping[str, Any]) -> str:
    """The name of the schema a request's body asks for; empty when it asks for plain text."""
    return str((body.get("response_format") or {}).get("json_schema", {}).get("name", ""))
