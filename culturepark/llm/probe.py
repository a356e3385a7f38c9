"""What an endpoint can do, asked once and without retries: the questions behind ``culturepark doctor``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from culturepark.errors import CultureParkError
from culturepark.llm.base import Request, Sampling, Schema
from culturepark.llm.faults import UnreachableError
from culturepark.llm.http import HttpClient
from culturepark.llm.wire import read_reply

_COLOURS = ("red", "green", "blue")
_SCHEMA = Schema(
    "probe",
    {
        "type": "object",
        "properties": {"colour": {"type": "string", "enum": list(_COLOURS)}, "count": {"type": "integer"}},
        "required": ["colour", "count"],
        "additionalProperties": False,
    },
)
_QUESTION = ({"role": "user", "content": "What colour is the sky on a clear day, and how many suns has it?"},)


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of the probe: ``ok`` is None when it could not be found out."""

    ok: bool | None
    detail: str


NOT_TRIED = Finding(None, "not tried")


@dataclass(frozen=True, slots=True)
class Probe:
    """What an endpoint can do. ``models`` is what it says it serves, ``context`` the tokens of a request."""

    reachable: Finding
    models: tuple[str, ...] = ()
    serves_model: Finding = NOT_TRIED
    json_schema: Finding = NOT_TRIED
    logprobs: Finding = NOT_TRIED
    context: int | None = None
    context_detail: str = "not tried"


async def probe_endpoint(client: HttpClient, model: str) -> Probe:
    """Ask the endpoint what it can do; an error becomes a finding, it is not raised."""
    entries, reachable = await _list_models(client)
    if reachable.ok is False:
        return Probe(reachable)
    names = tuple(str(entry["id"]) for entry in entries)
    serves = await _find_model(client, model, names)
    if not serves.ok:
        return Probe(reachable, names, serves)
    only = entries[0] if len(entries) == 1 else {}
    entry = next((entry for entry in entries if entry["id"] == model), only)
    context, context_detail = await _find_context(client, entry)
    return Probe(
        reachable,
        names,
        serves,
        await _try_schema(client, model),
        await _try_logprobs(client, model),
        context,
        context_detail,
    )


async def _list_models(client: HttpClient) -> tuple[list[dict[str, Any]], Finding]:
    try:
        entries = await client.model_entries()
    except UnreachableError as error:
        return [], Finding(False, str(error))
    except CultureParkError as error:
        return [], Finding(True, f"it lists no models ({error})")
    return entries, Finding(True, f"it lists {len(entries)} models")


async def _find_model(client: HttpClient, model: str, names: tuple[str, ...]) -> Finding:
    try:
        answer = await client.ask(Request("probe/hello", "probe", model, _QUESTION, Sampling(max_tokens=16)))
    except CultureParkError as error:
        return Finding(False, str(error))
    if model in names or not names:
        return Finding(True, f"{model!r} answers")
    stand_in = str(answer.get("model") or "a model")
    return Finding(True, f"{model!r} is not listed, yet {stand_in!r} answers for it")


async def _try_schema(client: HttpClient, model: str) -> Finding:
    request = Request("probe/schema", "probe", model, _QUESTION, Sampling(0.0, max_tokens=256), _SCHEMA)
    try:
        text = read_reply(await client.ask(request)).text
    except CultureParkError as error:
        return Finding(False, str(error))
    if refused := [change for change in client.adaptations(model) if change.startswith("response_format")]:
        return Finding(False, f"the server refuses json_schema: {refused[0]}")
    if not _fits(text):
        return Finding(False, "the server takes json_schema but the reply does not fit the schema")
    return Finding(True, "the reply fits the schema")


def _fits(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    whole = isinstance(value, dict) and value.keys() == {"colour", "count"}
    return whole and value["colour"] in _COLOURS and type(value["count"]) is int


async def _try_logprobs(client: HttpClient, model: str) -> Finding:
    sampling = Sampling(0.0, max_tokens=8, extra={"logprobs": True, "top_logprobs": 1})
    try:
        answer = await client.ask(Request("probe/logprobs", "probe", model, _QUESTION, sampling))
    except CultureParkError as error:
        return Finding(False, str(error))
    logprobs = answer["choices"][0].get("logprobs")
    if isinstance(logprobs, dict) and logprobs.get("content"):
        return Finding(True, "token log probabilities are in the reply")
    return Finding(False, "the server leaves them out of its reply")


async def _find_context(client: HttpClient, entry: Mapping[str, Any]) -> tuple[int | None, str]:
    """The context length: from the list of models, else llama.cpp's properties, else its training."""
    for name in ("max_model_len", "context_length", "context_window", "max_context_length"):
        if _is_length(length := entry.get(name)):
            return length, f"{name} in the list of models"
    try:
        properties = await client.get_json(client.url_of("/props", root=True))
        slot = properties["default_generation_settings"]["n_ctx"]
    except (CultureParkError, KeyError, TypeError):
        slot = None
    if _is_length(slot):
        return slot, "n_ctx of one slot in /props"
    meta = entry.get("meta")
    trained = meta.get("n_ctx_train") if isinstance(meta, dict) else None
    if _is_length(trained):
        return trained, "n_ctx_train in the list of models; the server may allow less"
    return None, "the server does not say"


def _is_length(value: Any) -> TypeGuard[int]:
    return type(value) is int and value > 0
