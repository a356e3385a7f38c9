"""The refinement agent's first look: it reads a finished dialogue and points at what was voiced.

It answers in schema-bound JSON with sentence numbers, so every quote is exact by construction. A reply
that does not fit is asked for once more with the error shown, then counted as failed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from culturepark.culture.scenarios import Topic
from culturepark.language import LanguagePack
from culturepark.llm.base import ChatClient, Reply, Sampling, Schema
from culturepark.prompts import Prompts
from culturepark.records import Dialogue, Shift
from culturepark.refine.asking import Question, ask_twice, read_object, strict_schema
from culturepark.refine.sentences import Sentence

KINDS = ("opinion", "norm", "custom")
MOST_REASONS = 2
UNKNOWN = -1  # no scale has this code
_AFTER = ("same", "moved", "unclear")


@dataclass(frozen=True, slots=True)
class RawClaim:
    """A claim as the agent gave it: sentence numbers are checked later, by the gates.

    ``reasons`` are numbers of other sentences of the speaker the claim rests on; those that name none are left out.
    """

    speaker: str
    kind: str
    sentences: tuple[int, ...]
    question: str
    reasons: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the agent found. ``error`` is set when no reply fitted the schema."""

    claims: tuple[RawClaim, ...]
    shifts: tuple[Shift, ...]
    error: str
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class ReadingContext:
    """What the agent may use."""

    client: ChatClient
    model: str
    sampling: Sampling
    prompts: Prompts
    language: LanguagePack
    topic: Topic
    dialogue: Dialogue
    sentences: tuple[Sentence, ...]
    wanted: Mapping[str, int]


async def read_dialogue(context: ReadingContext) -> Reading:
    """Read one dialogue. Model errors come out as they are raised."""
    answer, replies = await ask_twice(context, _make_question(context))
    claims, shifts = _unpack(answer.value, context)
    return Reading(claims, shifts, answer.error, replies)


def _make_question(context: ReadingContext) -> Question:
    full, seats = context.prompts.size == "full", tuple(context.wanted)
    personas = context.dialogue.personas
    text = context.prompts.render(
        "extract",
        {
            "people": "\n".join(f'- "{seat}": {personas[seat].name}' for seat in seats),
            "wanted": ", ".join(f'up to {most} from "{seat}"' for seat, most in context.wanted.items()),
            "scale": "; ".join(f"{p.code}: {p.label}" for p in context.topic.scale),
            "example": json.dumps(_example(seats, full)),
        },
    )
    return Question(
        step="extract",
        purpose="extract",
        text=text,
        schema=Schema("claims", answer_schema(context.sentences, context.wanted, full, context.topic.codes)),
        find_misfit=partial(_find_misfit, seats=seats),
        mend_step="extract-mend",
    )


def _example(seats: Sequence[str], full: bool) -> dict[str, Any]:
    claim: dict[str, Any] = {"kind": "norm", "sentences": [7, 8]}
    if full:
        claim |= {"question": "What would you do if ...?", "reasons": [5]}
    answer: dict[str, Any] = {seat: [claim] for seat in seats}
    if full:
        answer["shifts"] = {seat: {"after": "same", "sentence": 0, "now": UNKNOWN} for seat in seats}
    return answer


def answer_schema(
    sentences: Sequence[Sentence], wanted: Mapping[str, int], full: bool, codes: Sequence[int]
) -> dict[str, Any]:
    """JSON schema of the answer: one list of claims per speaker, numbers limited to that speaker's sentences.

    ``codes`` are the answers of the topic's scale.
    """
    parts: dict[str, Any] = {}
    for seat, most in wanted.items():
        own = sorted(_own_numbers(sentences, seat)) or [0]
        numbers = {"type": "array", "items": {"type": "integer", "enum": own}}
        claim: dict[str, Any] = {
            "kind": {"type": "string", "enum": list(KINDS)},
            "sentences": {**numbers, "minItems": 1, "maxItems": 3},
        }
        if full:
            claim |= {"question": {"type": "string"}, "reasons": {**numbers, "maxItems": MOST_REASONS}}
        parts[seat] = {"type": "array", "items": strict_schema(claim), "maxItems": most}
    if full:
        shift = strict_schema(
            {
                "after": {"type": "string", "enum": list(_AFTER)},
                "sentence": {"type": "integer"},
                "now": {"type": "integer", "enum": [UNKNOWN, *codes]},
            }
        )
        parts["shifts"] = strict_schema({seat: shift for seat in wanted})
    return strict_schema(parts)


def _own_numbers(sentences: Sequence[Sentence], seat: str) -> set[int]:
    return {s.number for s in sentences if s.speaker == seat and s.usable}


def parse_answer(reply: Reply, seats: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The JSON object in a reply, and what is wrong with it (empty: it fits)."""
    return read_object(reply, partial(_find_misfit, seats=seats))


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
    claims: list[RawClaim] = []
    shifts: list[Shift] = []
    if not answer:
        return (), ()
    marks = answer.get("shifts")
    for seat, most in context.wanted.items():
        own = _own_numbers(context.sentences, seat)
        claims.extend(_read_claim(seat, claim, own) for claim in answer[seat][:most])
        mark = marks.get(seat) if isinstance(marks, dict) else None
        if isinstance(mark, dict) and mark.get("after") in _AFTER:
            shifts.append(_read_shift(seat, mark, context))
    return tuple(claims), tuple(shifts)


def _read_claim(seat: str, claim: Mapping[str, Any], own: Collection[int]) -> RawClaim:
    question, given = claim.get("question"), claim.get("reasons")
    found = dict.fromkeys(n for n in given if type(n) is int) if isinstance(given, list) else {}
    reasons = sorted(n for n in found if n in own and n not in claim["sentences"])
    text = question.strip() if isinstance(question, str) else ""
    return RawClaim(seat, claim["kind"], tuple(claim["sentences"]), text, tuple(reasons[:MOST_REASONS]))


def _read_shift(seat: str, mark: Mapping[str, Any], context: ReadingContext) -> Shift:
    number, now = mark.get("sentence"), mark.get("now")
    return Shift(
        speaker=seat,
        before=context.dialogue.personas[seat].stance.code,
        after=mark["after"],
        sentence=number if type(number) is int and 0 < number <= len(context.sentences) else None,
        now=now if type(now) is int and now in context.topic.codes else None,
    )
