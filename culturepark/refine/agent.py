"""The refinement agent: a small graph that reads a finished dialogue and points at what was voiced.

It answers in schema-bound JSON with sentence numbers, so every quote is exact by construction. A reply
that does not fit is asked for once more with the error shown, then counted as failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from culturepark.culture.scenarios import Topic
from culturepark.language import LanguagePack
from culturepark.llm.base import ChatClient, Message, Reply, Request, Sampling, Schema
from culturepark.prompts import Prompts
from culturepark.records import Dialogue, Shift
from culturepark.refine.sentences import Sentence, render_transcript

KINDS = ("opinion", "norm", "custom")
_TRIES = 50  # braces in prose in front of the object


@dataclass(frozen=True, slots=True)
class RawClaim:
    """A claim as the agent gave it: sentence numbers are checked later, by the gates."""

    speaker: str
    kind: str
    sentences: tuple[int, ...]
    question: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What the agent found. ``error`` is set when no reply fitted the schema."""

    claims: tuple[RawClaim, ...]
    shifts: tuple[Shift, ...]
    error: str
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class ReadingContext:
    """What the agent's nodes may use."""

    client: ChatClient
    model: str
    sampling: Sampling
    prompts: Prompts
    language: LanguagePack
    topic: Topic
    dialogue: Dialogue
    sentences: tuple[Sentence, ...]
    wanted: Mapping[str, int]


class _State(TypedDict):
    replies: list[Reply]
    answer: dict[str, Any]
    error: str


async def read_dialogue(context: ReadingContext) -> Reading:
    """Read one dialogue. Model errors come out as they are raised."""
    state = await _graph().ainvoke({"replies": [], "answer": {}, "error": ""}, context=context)
    claims, shifts = _unpack(state["answer"], context)
    return Reading(claims, shifts, state["error"], tuple(state["replies"]))


@cache
def _graph() -> Any:
    graph = StateGraph(_State, context_schema=ReadingContext)
    graph.add_node("extract", _extract, destinations=("mend", END))
    graph.add_node("mend", _mend)
    graph.add_edge(START, "extract")
    graph.add_edge("mend", END)
    return graph.compile()


async def _extract(state: _State, runtime: Runtime[ReadingContext]) -> Command[str]:
    context = runtime.context
    reply = await _ask(context, "extract", _view(context))
    answer, error = parse_answer(reply, tuple(context.wanted))
    return Command(update={"replies": [reply], "answer": answer, "error": error}, goto="mend" if error else END)


async def _mend(state: _State, runtime: Runtime[ReadingContext]) -> dict[str, Any]:
    context = runtime.context
    first = state["replies"][0]
    again = context.prompts.render("extract_fix", {"error": state["error"]})
    view = [*_view(context), _message("assistant", first.text[:2000] or "..."), _message("user", again)]
    reply = await _ask(context, "extract-again", view)
    answer, error = parse_answer(reply, tuple(context.wanted))
    return {"replies": [first, reply], "answer": answer, "error": error}


async def _ask(context: ReadingContext, step: str, view: list[Message]) -> Reply:
    schema = Schema("claims", answer_schema(context.sentences, context.wanted, context.prompts.size == "full"))
    purpose = "extract" if step == "extract" else "repair"
    key = f"{context.dialogue.id}/{step}"
    return await context.client.reply(
        Request(key, purpose, context.model, tuple(view), context.sampling, schema)  # type: ignore[arg-type]
    )


def _view(context: ReadingContext) -> list[Message]:
    dialogue, topic = context.dialogue, context.topic
    people = "\n".join(f'- "{seat}": {dialogue.personas[seat].name}' for seat in context.wanted)
    wanted = ", ".join(f'up to {most} from "{seat}"' for seat, most in context.wanted.items())
    user = context.prompts.render(
        "extract",
        {
            "transcript": render_transcript(dialogue.turns, context.sentences),
            "title": topic.title,
            "statement": topic.statement,
            "people": people,
            "wanted": wanted,
            "example": json.dumps(_example(tuple(context.wanted), context.prompts.size == "full")),
        },
    )
    system = context.prompts.render("extract_system", {"language": context.language.id.capitalize()})
    return [_message("system", system), _message("user", user)]


def _example(seats: Sequence[str], full: bool) -> dict[str, Any]:
    claim: dict[str, Any] = {"kind": "norm", "sentences": [7, 8]}
    if full:
        claim["question"] = "What would you do if ...?"
    answer: dict[str, Any] = {seat: [claim] for seat in seats}
    if full:
        answer["shifts"] = {seat: {"after": "same", "sentence": 0} for seat in seats}
    return answer


def answer_schema(sentences: Sequence[Sentence], wanted: Mapping[str, int], full: bool) -> dict[str, Any]:
    """JSON schema of the answer: one list of claims per speaker, numbers limited to that speaker's sentences."""

    def strict(properties: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    parts: dict[str, Any] = {}
    for seat, most in wanted.items():
        own = [s.number for s in sentences if s.speaker == seat and s.usable] or [0]
        claim: dict[str, Any] = {
            "kind": {"type": "string", "enum": list(KINDS)},
            "sentences": {"type": "array", "items": {"type": "integer", "enum": own}, "minItems": 1, "maxItems": 3},
        }
        if full:
            claim["question"] = {"type": "string"}
        parts[seat] = {"type": "array", "items": strict(claim), "maxItems": most}
    if full:
        shift = strict(
            {"after": {"type": "string", "enum": ["same", "moved", "unclear"]}, "sentence": {"type": "integer"}}
        )
        parts["shifts"] = strict({seat: shift for seat in wanted})
    return strict(parts)


def parse_answer(reply: Reply, seats: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The JSON object in a reply, and what is wrong with it (empty: it fits).

    Prose or a code fence around the object is passed over; a cut-off or ill-formed object is an error.
    """
    if reply.refusal or reply.finish == "filter":
        return {}, "the reply was refused"
    fault = ""
    for brace in islice(re.finditer("{", reply.text), _TRIES):
        try:
            answer, _ = json.JSONDecoder().raw_decode(reply.text, brace.start())
            misfit = _find_misfit(answer, seats)
        except (ValueError, RecursionError) as error:
            misfit = f"it is not valid JSON ({str(error)[:80]})"
        if not misfit:
            return answer, ""
        fault = fault or misfit
    return {}, fault or "there is no JSON object in it"


def _find_misfit(answer: Any, seats: Sequence[str]) -> str:
    if not isinstance(answer, dict):
        return "it is not a JSON object"
    for seat in seats:
        claims = answer.get(seat)
        if not isinstance(claims, list):
            return f'the list "{seat}" is missing'
        for claim in claims:
            if not isinstance(claim, dict) or claim.get("kind") not in KINDS:
                return f'a claim of "{seat}" has no kind out of {", ".join(KINDS)}'
            numbers = claim.get("sentences")
            if not isinstance(numbers, list) or not all(type(n) is int for n in numbers):
                return f'a claim of "{seat}" has no list of sentence numbers'
    return ""


def _unpack(answer: Mapping[str, Any], context: ReadingContext) -> tuple[tuple[RawClaim, ...], tuple[Shift, ...]]:
    claims, shifts = [], []
    if not answer or _find_misfit(answer, tuple(context.wanted)):
        return (), ()
    marks = answer.get("shifts") if isinstance(answer.get("shifts"), dict) else {}
    for seat, most in context.wanted.items():
        for claim in answer[seat][:most]:
            question = claim.get("question", "")
            text = question.strip() if isinstance(question, str) else ""
            claims.append(RawClaim(seat, claim["kind"], tuple(claim["sentences"]), text))
        mark = marks.get(seat) if isinstance(marks, dict) else None
        if isinstance(mark, dict) and mark.get("after") in ("same", "moved", "unclear"):
            number = mark.get("sentence")
            sentence = number if type(number) is int and 0 < number <= len(context.sentences) else None
            before = context.dialogue.personas[seat].stance.code
            shifts.append(Shift(speaker=seat, before=before, after=mark["after"], sentence=sentence))
    return tuple(claims), tuple(shifts)


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
