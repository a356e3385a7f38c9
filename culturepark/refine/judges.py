"""The judge panel: harm and cultural fit, one call for each judge and axis, never one for both.

Harm is measured by one scale for everybody and never sees a profile; fit is measured against a declared audience.
What a judge did not grade stays without a value; it is never filled in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from culturepark.errors import CallError, ConfigError
from culturepark.llm.base import ChatClient, Reply, Schema
from culturepark.records import Score
from culturepark.refine.asking import (
    Answer,
    Question,
    ask_twice,
    find_grade_misfit,
    find_number_misfit,
    find_stray_number,
    name_speaker,
    number_lines,
    number_schema,
    quote,
    show_texts,
    shuffle_claims,
)
from culturepark.refine.candidate import Candidate
from culturepark.refine.panel import AXES, Axis
from culturepark.refine.verifier import VerifyContext

# Who should find a claim plausible, in words: one audience for all, or one for each candidate by its id.
Audience = str | Mapping[str, str]
_HIGHEST = 5
_REASON_WORDS = 15
_TOKENS, _TOKENS_A_CLAIM = 60, 60
_REASON_FORM = '"reason": "...", '


@dataclass(frozen=True, slots=True)
class Judge:
    """One member of the panel. ``name`` is its own in the panel; ``client`` knows ``model``."""

    name: str
    client: ChatClient
    model: str


@dataclass(frozen=True, slots=True)
class Scoring:
    """Every judge's score on both axes for every candidate, by id, and all replies, mended ones included."""

    scores: Mapping[str, tuple[Score, ...]]
    replies: tuple[Reply, ...]


async def score(
    context: VerifyContext,
    panel: Sequence[Judge],
    candidates: Sequence[Candidate],
    audience: Audience,
    axes: Sequence[Axis] = AXES,
) -> Scoring:
    """Let every judge grade every candidate on each of ``axes``, all judges at the same time.

    Raises what a client raises, once all calls under way have ended; ``ConfigError`` when two judges share a name.
    """
    names = [judge.name for judge in panel]
    if len(set(names)) < len(names):
        raise ConfigError(f"two judges of the panel have the same name; the names are {', '.join(names)}")
    if not candidates:
        return Scoring({}, ())
    calls = [_grade(context, judge, axis, candidates, audience) for judge in panel for axis in axes]
    found: list[tuple[dict[str, Score], tuple[Reply, ...]]] = []
    errors: list[BaseException] = []
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            errors.append(result)
        else:
            found.append(result)
    if errors:  # what stops the whole run comes before what stops one talk
        raise next((e for e in errors if not isinstance(e, CallError)), errors[0])
    scores = {c.id: tuple(marks[c.id] for marks, _ in found) for c in candidates}
    return Scoring(scores, tuple(reply for _, replies in found for reply in replies))


async def _grade(
    context: VerifyContext, judge: Judge, axis: Axis, candidates: Sequence[Candidate], audience: Audience
) -> tuple[dict[str, Score], tuple[Reply, ...]]:
    order = shuffle_claims(candidates, f"{context.seed}/{context.dialogue.id}/{judge.name}")
    own = replace(context, client=judge.client, model=judge.model)
    answer, replies = await ask_twice(own, _make_question(own, judge, axis, order, audience))
    marks = {}
    for number, candidate in enumerate(order, 1):
        value, reason = _read_mark(answer, axis, number, len(order))
        marks[candidate.id] = Score(axis=axis, judge=judge.name, value=value, reason=reason, request=answer.request)
    return marks, replies


def _make_question(
    context: VerifyContext, judge: Judge, axis: Axis, order: Sequence[Candidate], audience: Audience
) -> Question:
    full = context.prompts.size == "full"
    form = f'{{"1": {{{_REASON_FORM if full else ""}"{axis}": "1-{_HIGHEST}"}}, "2": ...}}'
    holes = {"claims": _show_claims(context, order, full), "form": form}
    if axis == "fit":
        holes["audience"] = _show_audiences([audience if isinstance(audience, str) else audience[c.id] for c in order])
    parts: dict[str, Any] = {"reason": {"type": "string"}} if full else {}
    parts[axis] = {"type": "integer", "enum": list(range(1, _HIGHEST + 1))}
    return Question(
        step=f"{axis}/{judge.name}",
        purpose=axis,
        text=context.prompts.render(axis, holes),
        schema=Schema(axis, number_schema(len(order), parts)),
        find_misfit=partial(_find_misfit, axis=axis, count=len(order), full=full),
        mend_step=f"{axis}-mend/{judge.name}",
        tokens=_TOKENS + _TOKENS_A_CLAIM * len(order),
    )


def _show_claims(context: VerifyContext, order: Sequence[Candidate], full: bool) -> str:
    """The same for both axes of a judge, so that the second question is in the cache as far as the last claim."""
    texts = show_texts(context, order)
    if full:
        lines = [f"Asked: {quote(c.question)} Answered: {text}" for c, text in zip(order, texts, strict=True)]
    else:
        lines = [f"{name_speaker(context, c)}: {text}" for c, text in zip(order, texts, strict=True)]
    return number_lines(lines)


def _show_audiences(own: Sequence[str]) -> str:
    """One audience alone, several each behind the numbers of its claims."""
    if len(set(own)) == 1:
        return own[0]
    numbers = {text: ", ".join(str(k) for k, a in enumerate(own, 1) if a == text) for text in dict.fromkeys(own)}
    return "; ".join(f"({given}) {text}" for text, given in numbers.items())


def _find_misfit(answer: Any, axis: Axis, count: int, full: bool) -> str:
    return find_number_misfit(answer, count, partial(_find_part_misfit, axis=axis, full=full))


def _find_part_misfit(part: Mapping[str, Any], axis: Axis, full: bool) -> str:
    if full and not _has_reason(part):
        return '"reason" must be a few words'
    return find_grade_misfit(part, axis, _HIGHEST)


def _has_reason(part: Mapping[str, Any]) -> bool:
    reason = part.get("reason")
    return isinstance(reason, str) and any(c.isalpha() for c in reason)


def _read_mark(answer: Answer, axis: Axis, number: int, count: int) -> tuple[int | None, str]:
    """Value and reason; of an answer that does not fit, what is whole for this claim, else no value and the fault."""
    given = answer.misfit if answer.error else answer.value
    part = given.get(str(number))
    if find_stray_number(given, count) or not isinstance(part, dict) or find_grade_misfit(part, axis, _HIGHEST):
        return None, answer.error or "not graded"
    reason = part.get("reason")
    return part[axis], " ".join(reason.split()[:_REASON_WORDS]) if isinstance(reason, str) else ""
