"""The nodes of the dialogue graphs: write private notes, speak, moderate."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Command

from culturepark.dialogue.checks import ASK_AGAIN, clean_turn, find_fault
from culturepark.dialogue.state import DialogueContext, DialogueState
from culturepark.dialogue.stops import BAD_ENDS, EARLY, find_stop
from culturepark.dialogue.views import (
    SEATS,
    classic_guide,
    classic_view,
    message,
    moderator_view,
    note_view,
    speaker_view,
    system_prompt,
)
from culturepark.llm.base import Message, Purpose, Request
from culturepark.prompts import Prompts
from culturepark.records import Note, Repair, Turn

Context = Runtime[DialogueContext]
ViewBuilder = Callable[[DialogueContext, DialogueState, str], list[Message]]


# Nobody else reads a note, so what would break a talk does no harm there.
_FINE_IN_A_NOTE = ("role_leak", "cut_off", "copies_prompt", "speaks_for_other")


class _Fault(Exception):
    """A turn stayed bad after its one repair."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(reason)
        self.reason, self.text = reason, text


async def write_notes(state: DialogueState, runtime: Context) -> Command[str]:
    """Every speaker of a pair writes down a private stance before the first word."""
    return await _write_notes(state, runtime.context, "speak")


async def write_notes_at_table(state: DialogueState, runtime: Context) -> Command[str]:
    """Everybody at a table writes down a private stance; then the moderator opens."""
    return await _write_notes(state, runtime.context, "moderate")


async def _write_notes(state: DialogueState, context: DialogueContext, onward: str) -> Command[str]:
    seats = list(context.personas)
    # Every note is waited for: a call left behind would outlive its talk and miss its tally.
    found = await asyncio.gather(
        *(_ask_clean(context, state, s, "note", note_view(context, s)) for s in seats), return_exceptions=True
    )
    notes, faults = {}, []
    for seat, result in zip(seats, found, strict=True):
        if isinstance(result, _Fault):
            faults.append((result.reason, f"private note: {result.text[:200]}"))
        elif isinstance(result, BaseException):
            raise result
        else:
            notes[seat] = Note(speaker=seat, text=result[0], request=result[1].hash())
    if faults:
        return Command(update={"fault": faults[0]}, goto=END)
    return Command(update={"notes": notes}, goto=onward)


async def speak(state: DialogueState, runtime: Context) -> Command[str]:
    """Two speakers in turn; after every turn rules decide whether the talk goes on."""
    return await _hold_round(state, runtime.context, runtime.context.turns, _next_of_two, speaker_view, END)


async def speak_classic(state: DialogueState, runtime: Context) -> Command[str]:
    """A talk of the classic protocol: both speakers share one thread; only the turn limit ends it."""

    def view(context: DialogueContext, state: DialogueState, seat: str) -> list[Message]:
        return classic_view(context, state, seat, classic_guide(len(state["turns"]), context.classic_chat))

    size = runtime.context.turns
    return await _hold_round(state, runtime.context, size, _next_of_two, view, END, free_end=False)


async def speak_at_table(state: DialogueState, runtime: Context) -> Command[str]:
    """A round of a panel: as many turns as there are people; the moderator comes in before the next."""
    size = len(runtime.context.personas)
    return await _hold_round(state, runtime.context, size, pick_next, speaker_view, "moderate")


async def moderate(state: DialogueState, runtime: Context) -> Command[str]:
    """The moderator asks one question and hands over."""
    context = runtime.context
    view = moderator_view(context, state, pick_next(context, state))
    index = len(state["turns"])
    try:
        text, request, flags, repair, reply = await _ask_clean(
            context, state, "moderator", f"turn-{index:02d}", view, "moderate"
        )
    except _Fault as fault:
        return Command(update={"fault": (fault.reason, f"moderator: {fault.text[:200]}")}, goto=END)
    turn = _turn(index, "moderator", "Moderator", text, request, flags, repair, reply)
    return Command(update={"turns": [turn]}, goto="speak")


def pick_next(context: DialogueContext, state: DialogueState) -> str:
    """Who speaks next at a table: fewest turns first, never twice in a row, then whose answer is farthest."""
    spoken = [t.speaker for t in state["turns"] if t.speaker != "moderator"]
    last = spoken[-1] if spoken else ""
    chance = random.Random(f"{context.seed}/{context.id}/{len(spoken)}")

    def mark(seat: str) -> float:
        code = context.personas[seat].stance.code
        return 0.5 if code is None else context.topic.agreement(code)

    def rank(seat: str) -> tuple[bool, int, float, float]:
        distance = abs(mark(seat) - mark(last)) if last else 0.0
        return seat == last, spoken.count(seat), -distance, chance.random()

    return min(list(context.personas), key=rank)


def _next_of_two(context: DialogueContext, state: DialogueState) -> str:
    return SEATS[len(state["turns"]) % 2]


async def _hold_round(
    state: DialogueState,
    context: DialogueContext,
    size: int,
    pick: Callable[[DialogueContext, DialogueState], str],
    build_view: ViewBuilder,
    onward: str,
    free_end: bool = True,
) -> Command[str]:
    """Up to ``size`` turns in one step of the graph, since a step costs more than all rules of a turn."""
    said: list[Turn] = []
    for _ in range(size):
        now: DialogueState = {**state, "turns": [*state["turns"], *said]}
        found = await _speak(now, context, pick(context, now), build_view, free_end)
        said += found["turns"]
        if found["stop"] or found["fault"][0]:
            return Command(update={"turns": said, "stop": found["stop"], "fault": found["fault"]}, goto=END)
    return Command(update={"turns": said}, goto=onward)


async def _speak(
    state: DialogueState, context: DialogueContext, seat: str, build_view: ViewBuilder, free_end: bool
) -> DialogueState:
    """What one turn adds to the state."""
    index = len(state["turns"])
    view = build_view(context, state, seat)
    try:
        text, request, flags, repair, reply = await _ask_clean(context, state, seat, f"turn-{index:02d}", view)
    except _Fault as fault:
        return _add([], fault=(fault.reason, f"turn {index}: {fault.text[:200]}"))
    turn = _turn(index, seat, context.personas[seat].name, text, request, flags, repair, reply)
    turns = [*state["turns"], turn]
    spoken = sum(t.speaker != "moderator" for t in turns)
    if free_end:
        stop = find_stop(turns, context.turns, context.topic, context.personas, context.language)
    else:
        stop = "turn_limit" if spoken >= context.turns else ""
    if stop in BAD_ENDS:
        if spoken <= EARLY:
            return _add([turn], fault=(stop, f"turn {index}"))
        turn = turn.model_copy(update={"flags": (*turn.flags, stop)})
    return _add([turn], stop)


def _add(turns: list[Turn], stop: str = "", fault: tuple[str, str] = ("", "")) -> DialogueState:
    return {"turns": turns, "notes": {}, "stop": stop, "fault": fault}


async def _ask_clean(
    context: DialogueContext,
    state: DialogueState,
    seat: str,
    step: str,
    messages: list[Message],
    purpose: Purpose = "turn",
) -> tuple[str, Request, tuple[str, ...], Repair | None, Any]:
    """Ask for a text; a bad one is asked for once more, then the dialogue ends with the reason."""
    name = context.personas[seat].name if seat in context.personas else "Moderator"
    if step == "note":
        step, purpose = f"note-{seat}", "note"
    prefill = _prefill(context, state, seat) if purpose != "moderate" else ""
    view = context.personas[seat].stance.view if seat in context.personas else ""
    # Two people may hold the same view in the same words: that is no echo.
    said = [t.text.replace(view, " . ") if view else t.text for t in state["turns"]]
    others = [p.name for s, p in context.personas.items() if s != seat]
    instructions = _instructions(context, seat)
    first: Repair | None = None
    for attempt in range(2):
        sent, asked = messages, step
        if first is not None:
            again = context.prompts.render("fix", {"reason": ASK_AGAIN[first.reason]})
            sent, asked = (
                [*messages, message("assistant", first.text or "..."), message("user", again)],
                f"{step}-again",
            )
            purpose = "repair"
        reply, request = await context.ask(asked, purpose, sent, prefill)
        text = f"{prefill} {reply.text.lstrip()}" if request.prefill and reply.text.strip() else reply.text
        cleaned = clean_turn(text, reply, name, context.language)
        reason = find_fault(cleaned, reply, others, said, instructions, context.language)
        if not reason or (step.startswith("note") and reason in _FINE_IN_A_NOTE):
            return cleaned.text, request, cleaned.flags, first, reply
        if attempt:
            raise _Fault(reason, cleaned.text)
        first = Repair(text=cleaned.text, reason=reason)
    raise AssertionError("two attempts either return or raise")


def _instructions(context: DialogueContext, seat: str) -> tuple[str, ...]:
    """Prompt texts that must not come back as speech: everything but the speaker's own view and facts."""
    return _task_texts(context.prompts), _own_instructions(context, seat)


@lru_cache(maxsize=8)
def _task_texts(prompts: Prompts) -> str:
    tasks = ("note", "fix") if prompts.size == "compact" else ("note", "fix", "open", "moderator", "classic")
    return "\n\n".join(prompts.text(task) for task in tasks)


def _own_instructions(context: DialogueContext, seat: str) -> str:
    if seat not in context.personas or context.prompts.size == "compact":
        return ""
    if ("instructions", seat) not in context.made:
        persona = context.personas[seat]
        text = system_prompt(context, seat)
        for part in (persona.stance.view, *(s.view for s in persona.related), *persona.fact_texts):
            if part:
                text = text.replace(part, " . ")
        context.made["instructions", seat] = text
    return context.made["instructions", seat]


_OPENINGS = ("In my family,", "For me,", "I remember that", "At home,", "When I was younger,", "I think")


def _prefill(context: DialogueContext, state: DialogueState, seat: str) -> str:
    """First words that keep a very small model in its role: its view in the first turn, a few words later."""
    if not context.prefill:
        return ""
    opening = random.Random(f"{context.id}/{seat}/{len(state['turns'])}").choice(_OPENINGS)
    view = context.personas[seat].stance.view
    if view and not any(t.speaker == seat for t in state["turns"]):
        return f"{view} {opening}"
    return opening


def _turn(
    index: int,
    speaker: str,
    name: str,
    text: str,
    request: Request,
    flags: tuple[str, ...],
    repair: Repair | None,
    reply: Any,
) -> Turn:
    return Turn(
        index=index,
        speaker=speaker,
        name=name,
        text=text,
        request=request.hash(),
        model=reply.model or request.model,
        flags=flags,
        repaired=repair,
        input_tokens=reply.usage.input,
        output_tokens=reply.usage.output,
    )
