"""Asking a model about one talk: equal beginnings, JSON out of the reply, one more try with the error shown.

Every question on a dialogue begins with the same bytes (system message, transcript), so that a server with a
prefix cache reads them once. A refusal is no answer. Nothing here raises but what the client raises.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from culturepark.culture.scenarios import Topic
from culturepark.language import LanguagePack
from culturepark.llm.base import ChatClient, Message, Purpose, Reply, Request, Sampling, Schema
from culturepark.prompts import Prompts
from culturepark.records import Dialogue
from culturepark.refine.candidate import Candidate
from culturepark.refine.sentences import Sentence, SentenceNames, name_sentences, render_transcript

_TRIES = 50  # braces in prose in front of an object
_SHOWN = 2000  # characters of a bad reply that are shown again


class TalkContext(Protocol):
    """What is needed to ask about one talk."""

    @property
    def client(self) -> ChatClient: ...
    @property
    def model(self) -> str: ...
    @property
    def sampling(self) -> Sampling: ...
    @property
    def prompts(self) -> Prompts: ...
    @property
    def language(self) -> LanguagePack: ...
    @property
    def topic(self) -> Topic: ...
    @property
    def dialogue(self) -> Dialogue: ...
    @property
    def sentences(self) -> tuple[Sentence, ...]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """One task about a talk. ``step`` and ``mend_step`` name its calls; ``text`` comes after the transcript.

    ``find_misfit`` says what is wrong with a JSON object, or nothing. ``tokens`` is the least a full answer needs.
    """

    step: str
    purpose: Purpose
    text: str
    schema: Schema
    find_misfit: Callable[[Any], str]
    mend_step: str
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` is empty when ``error`` is set; ``misfit`` then holds the object that did not fit, if there was one."""

    value: Mapping[str, Any]
    error: str
    misfit: Mapping[str, Any]
    reply: Reply
    request: str


async def ask(context: TalkContext, question: Question) -> Answer:
    """Ask once."""
    return await _send(context, question, question.step, question.purpose, _view(context, question))


async def ask_to_mend(context: TalkContext, question: Question, bad: Answer) -> Answer:
    """Ask once more, with the reply that did not fit and what was wrong with it."""
    again = context.prompts.render("refine_fix", {"error": bad.error})
    shown = bad.reply.text[:_SHOWN] or "..."
    view = [*_view(context, question), _message("assistant", shown), _message("user", again)]
    return await _send(context, question, question.mend_step, "repair", view)


async def ask_twice(context: TalkContext, question: Question) -> tuple[Answer, tuple[Reply, ...]]:
    """Ask, and once more if the answer does not fit: the last answer and all replies."""
    first = await ask(context, question)
    if not first.error:
        return first, (first.reply,)
    second = await ask_to_mend(context, question, first)
    return second, (first.reply, second.reply)


async def _send(
    context: TalkContext, question: Question, step: str, purpose: Purpose, view: Sequence[Message]
) -> Answer:
    sampling = context.sampling
    if sampling.max_tokens is not None and sampling.max_tokens < question.tokens:
        sampling = replace(sampling, max_tokens=question.tokens)
    key = f"{context.dialogue.id}/{step}"
    request = Request(key, purpose, context.model, tuple(view), sampling, question.schema)
    reply = await context.client.reply(request)
    value, error, misfit = _read(reply, question.find_misfit)
    return Answer(value, error, misfit, reply, request.hash())


def _view(context: TalkContext, question: Question) -> list[Message]:
    prompts, topic = context.prompts, context.topic
    system = prompts.render(
        "refine_system",
        {
            "language": context.language.id.capitalize(),
            "examples": prompts.refine_examples(context.language.id),
        },
    )
    talk = prompts.render(
        "talk",
        {
            "transcript": render_transcript(context.dialogue.turns, context.sentences),
            "title": topic.title,
            "statement": topic.statement,
        },
    )
    return [_message("system", system), _message("user", f"{talk}\n\n{question.text}")]


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def read_object(reply: Reply, find_misfit: Callable[[Any], str]) -> tuple[dict[str, Any], str]:
    """The JSON object in a reply, and what is wrong with it (empty: it fits).

    Prose, a code fence or thoughts around it are passed over; of several objects that fit, the last counts. A
    refused reply, a broken object and one that names a key twice are errors.
    """
    value, error, _ = _read(reply, find_misfit)
    return value, error


def _read(reply: Reply, find_misfit: Callable[[Any], str]) -> tuple[dict[str, Any], str, dict[str, Any]]:
    if reply.refusal or reply.finish == "filter":
        return {}, "the reply was refused", {}
    fitting: dict[str, Any] | None = None
    misfit: dict[str, Any] = {}
    fault, place, decoder = "", 0, json.JSONDecoder(object_pairs_hook=_refuse_doubles)
    for _ in range(_TRIES):
        brace = reply.text.find("{", place)
        if brace < 0:
            break
        try:
            found, place = decoder.raw_decode(reply.text, brace)
        except (ValueError, RecursionError) as error:
            place = brace + 1
            fault = fault or f"it is not valid JSON ({str(error)[:80]})"
            continue
        wrong = find_misfit(found)
        if not wrong:
            fitting = found
        elif not misfit:
            misfit, fault = found, wrong
    if fitting is not None:
        return fitting, "", {}
    return {}, fault or "there is no JSON object in it", misfit


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{double[:40]}" stands in it twice')
    return found


def shuffle_claims(candidates: Sequence[Candidate], seed: str) -> tuple[Candidate, ...]:
    """The candidates in an order that depends on the seed alone, so that no place in the list is favoured."""
    order = sorted(candidates, key=lambda c: c.id)
    random.Random(seed).shuffle(order)
    return tuple(order)


def quote(text: str) -> str:
    """A text in one line between quotation marks, so that it cannot pass for a part of the question."""
    return '"' + re.sub(r"\s+", " ", text).strip().replace('"', "'") + '"'


def name_speaker(context: TalkContext, candidate: Candidate) -> str:
    """Who voiced a claim, as the talk names them."""
    persona = context.dialogue.personas.get(candidate.speaker)
    return persona.name if persona else "The speaker"


def show_texts(context: TalkContext, candidates: Sequence[Candidate]) -> list[str]:
    """Each claim's words as a question shows them: by number and first words where they stand in the talk, else quoted.

    Very small models cannot look anything up, and both sides of a repair are shown alike: those are always quoted.
    A number outside quotation marks cannot come from a text.
    """
    if context.prompts.size != "full":
        return [quote(c.text) for c in candidates]
    names = name_sentences(context.sentences, context.language.unspaced)
    return [_show_text(c, names) for c in candidates]


def _show_text(candidate: Candidate, names: SentenceNames) -> str:
    whole = quote(candidate.text)
    if any(rewrite.kept for rewrite in candidate.findings.rewrites):
        return whole
    quotes = candidate.claim.quotes if candidate.claim else ()
    numbers = names.find(candidate.text, {n for q in quotes for n in q.sentences})
    named = ", ".join(f"{shown} {quote(start + ' ...')}" for shown, start in names.list_stretches(numbers))
    return named if named and len(named) < len(whole) else whole


def number_lines(lines: Sequence[str]) -> str:
    """The claims of a question, each in a line of its own behind its number."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def number_schema(count: int, claim: Mapping[str, Any]) -> dict[str, Any]:
    """JSON schema of an answer that gives one object for each claim, by its number."""
    numbers = [str(k) for k in range(1, count + 1)]
    return {
        **strict_schema({number: {"$ref": "#/$defs/claim"} for number in numbers}),
        "$defs": {"claim": strict_schema(claim)},
    }


def strict_schema(parts: Mapping[str, Any]) -> dict[str, Any]:
    """JSON schema of an object with exactly these parts."""
    return {"type": "object", "properties": dict(parts), "required": list(parts), "additionalProperties": False}


def find_number_misfit(answer: Any, count: int, find_part_misfit: Callable[[Mapping[str, Any]], str]) -> str:
    """What is wrong with an answer that should give one object for each of ``count`` claims; empty if nothing is."""
    wrong = find_stray_number(answer, count)
    if wrong:
        return wrong
    for number in range(1, count + 1):
        part = answer.get(str(number))
        if not isinstance(part, dict):
            return f"claim {number} is missing"
        wrong = find_part_misfit(part)
        if wrong:
            return f"claim {number}: {wrong}"
    return ""


def find_stray_number(answer: Any, count: int) -> str:
    """Names a number that no claim has; an answer with one cannot be trusted for the other claims either."""
    if not isinstance(answer, dict):
        return "it is not a JSON object"
    known = {str(number) for number in range(1, count + 1)}
    stray = next((name for name in answer if name not in known), None)
    return "" if stray is None else f'there is no claim "{stray[:40]}" (claims are "1" to "{count}")'


def find_grade_misfit(part: Mapping[str, Any], name: str, most: int) -> str:
    """What is wrong with a grade from 1 to ``most``; empty if nothing is."""
    grade = part.get(name)
    return "" if type(grade) is int and 1 <= grade <= most else f'"{name}" must be an integer from 1 to {most}'
