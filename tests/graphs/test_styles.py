"""The dialogue graphs: who speaks, what each speaker sees, how a talk ends, and what a bad turn leads to."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from culturepark.config import build_config
from culturepark.dialogue.state import DialogueState, step_seed
from culturepark.dialogue.styles import STYLES, _compiled, talk
from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import Reply, Request
from culturepark.llm.scripted import ScriptedClient
from culturepark.prompts import Prompts
from tests.builders import NAMES, SEATS, TOPIC, VIEWS, Fake, make_context, make_people

Answer = Callable[[Request], str | Reply | Exception]
SIZES = {"cross": 2, "within": 2, "panel": 4, "classic": 2}
_HABITS = "soup bread tea rice salt fish apples pepper honey lemons mint coffee".split()


def say_something_new(request: Request) -> str:
    """Speech on the topic that never repeats itself and agrees with nobody."""
    step = request.key.split("/")[1]
    if step.startswith("note"):
        return f"SECRET-NOTE-{step[5].upper()} I think of my mother's hands."
    number = int("".join(c for c in step if c.isdigit()) or 0)
    word, other = _HABITS[number % 12], _HABITS[(number // 12 + 3 * number) % 12]
    asked = " Who goes on?" if request.purpose == "moderate" else ""
    return f"Number {number} is {word}{number} that my mother kept near {other}{number * 7}.{asked}"


def answer_with(**special: str | Reply | Exception) -> Answer:
    """Speech as above, but for the named steps (``turn_02``, ``note_a``, with ``_again`` for the repair)."""

    def answer(request: Request) -> str | Reply | Exception:
        step = request.key.split("/")[1].replace("-", "_")
        return special[step] if step in special else say_something_new(request)

    return answer


async def run(style: str, answer: Answer = say_something_new, **changes: Any) -> tuple[DialogueState, list[Request]]:
    fake = Fake(answer)
    state = await talk(style, make_context(fake, SIZES[style], **changes))
    return state, fake.requests


def seat_of(request: Request) -> str:
    """Whose request it is, read from the system prompt."""
    system = request.messages[0]["content"]
    return next((s for s, name in zip(SEATS, NAMES, strict=True) if f"You are {name}," in system), "moderator")


def sent(request: Request) -> list[tuple[str, str]]:
    return [(m["role"], m["content"]) for m in request.messages]


def all_text(request: Request) -> str:
    return "\n".join(m["content"] for m in request.messages)


# --- the course of a talk


@pytest.mark.parametrize("style", ["cross", "within"])
async def test_two_people_take_turns_after_their_notes(style: str) -> None:
    state, requests = await run(style, turns=5)
    steps = [r.key.split("/")[1] for r in requests]
    assert sorted(steps[:2]) == ["note-a", "note-b"]
    assert steps[2:] == [f"turn-{k:02d}" for k in range(5)]
    assert [t.speaker for t in state["turns"]] == list("ababa")
    assert [t.name for t in state["turns"]] == [NAMES[0], NAMES[1]] * 2 + [NAMES[0]]
    assert [t.index for t in state["turns"]] == list(range(5))
    assert (state["stop"], state["fault"]) == ("turn_limit", ("", ""))
    assert set(state["notes"]) == {"a", "b"}


async def test_a_turn_tells_where_it_came_from() -> None:
    state, requests = await run("cross", turns=3)
    by_step = {r.key: r for r in requests}
    for turn in state["turns"]:
        assert turn.request == by_step[f"d000001/turn-{turn.index:02d}"].hash()
        assert (turn.model, turn.input_tokens, turn.output_tokens) == ("fake-1", 10, 5)
    assert state["notes"]["b"].request == by_step["d000001/note-b"].hash()
    assert len({r.hash() for r in requests}) == len(requests)


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("turns", [5, 8, 11])
async def test_a_panel_goes_in_rounds(size: int, turns: int) -> None:
    state, requests = await run("panel", turns=turns, personas=make_people(size))
    order = [t.speaker for t in state["turns"]]
    speeches = [s for s in order if s != "moderator"]
    assert len(speeches) == turns and state["stop"] == "turn_limit"
    assert [k for k, s in enumerate(order) if s == "moderator"] == [
        k * (size + 1) for k in range(math.ceil(turns / size))
    ]
    assert all(a != b for a, b in zip(speeches, speeches[1:], strict=False))
    for start in range(0, turns - size + 1, size):
        assert set(speeches[start : start + size]) == set(SEATS[:size])
    assert {r.purpose for r in requests} == {"note", "turn", "moderate"}


@pytest.mark.parametrize("seed", range(12))
async def test_nobody_speaks_twice_in_a_row_when_all_think_alike(seed: int) -> None:
    state, _ = await run("panel", turns=9, personas=make_people(3, (2, 2, 2)), seed=seed)
    speeches = [t.speaker for t in state["turns"] if t.speaker != "moderator"]
    assert all(a != b for a, b in zip(speeches, speeches[1:], strict=False))


async def test_the_moderator_hands_over_to_who_speaks_next() -> None:
    state, requests = await run("panel", turns=8)
    by_step = {r.key.split("/")[1]: r for r in requests}
    for before, after in zip(state["turns"], state["turns"][1:], strict=False):
        if before.speaker == "moderator":
            cue = by_step[f"turn-{before.index:02d}"].messages[-1]["content"]
            assert f"Hand over to {after.name} now" in cue


async def test_at_a_table_the_farthest_view_answers_first() -> None:
    people = make_people(4, (1, 1, 2, 5))
    state, _ = await run("panel", turns=2, personas=people)
    first, second = (t.speaker for t in state["turns"][1:])
    marks = {s: TOPIC.agreement(p.stance.code or 3) for s, p in people.items()}
    assert abs(marks[second] - marks[first]) == max(abs(m - marks[first]) for m in marks.values())


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("turns", [1, 60])
async def test_short_and_long_talks_come_to_their_end(style: str, turns: int) -> None:
    state, _ = await run(style, turns=turns)
    assert sum(t.speaker != "moderator" for t in state["turns"]) == turns
    assert state["stop"] == "turn_limit"


async def test_the_table_of_four_comes_to_its_end_with_every_turn_repaired() -> None:
    def answer(request: Request) -> str:
        return say_something_new(request) if request.purpose == "repair" else ""

    state, _ = await run("panel", answer, turns=60)
    assert state["stop"] == "turn_limit"
    assert all(t.repaired for t in state["turns"])


# --- what each speaker sees


@pytest.mark.parametrize("style", ["cross", "within", "panel"])
@pytest.mark.parametrize("size", ["full", "compact"])
async def test_nothing_private_reaches_another(style: str, size: str) -> None:
    _, requests = await run(style, turns=9, prompts=Prompts(size))
    seen = set()
    for request in requests:
        own, text = seat_of(request), all_text(request)
        seen.add(own)
        for seat, view in zip(SEATS[: SIZES[style]], VIEWS, strict=False):
            private = [view, f"SECRET-NOTE-{seat.upper()}", f"RELATED-OF-{seat.upper()}", f"FACT-OF-{seat.upper()}"]
            private.append(f"WANT-OF-{seat.upper()}")
            if seat != own:
                assert not [p for p in private if p in text], (own, request.key)
    assert seen == {*SEATS[: SIZES[style]], *(["moderator"] if style == "panel" else [])}


async def test_a_speaker_knows_its_own_mind() -> None:
    _, requests = await run("cross", turns=4)
    for request in requests:
        own = seat_of(request)
        assert VIEWS[SEATS.index(own)] in request.messages[0]["content"]
        assert f"WANT-OF-{own.upper()}" in request.messages[0]["content"]
        if request.purpose == "turn":
            assert request.messages[2]["content"].startswith(f"SECRET-NOTE-{own.upper()}")


@pytest.mark.parametrize("style", ["cross", "within", "panel", "classic"])
async def test_a_history_only_grows(style: str) -> None:
    _, requests = await run(style, turns=9)
    threads: dict[str, list[list[tuple[str, str]]]] = {}
    for request in requests:
        threads.setdefault("all" if style == "classic" else seat_of(request), []).append(sent(request))
    for thread in threads.values():
        assert len(thread) > 2
        for earlier, later in zip(thread, thread[1:], strict=False):
            stable = earlier[:-1] if "Hand over to" in earlier[-1][1] else earlier
            assert later[: len(stable)] == stable and len(later) > len(earlier)


async def test_roles_alternate_and_the_last_word_is_the_users() -> None:
    for style in STYLES:
        _, requests = await run(style, turns=7)
        for request in requests:
            roles = [m["role"] for m in request.messages]
            assert roles == ["system", *(["user", "assistant"] * (len(roles) // 2 - 1)), "user"], (style, request.key)
            assert all(m["content"].strip() for m in request.messages)


async def test_own_words_are_the_assistants_and_others_the_users() -> None:
    state, requests = await run("cross", turns=6)
    last = requests[-1]
    mine = [m["content"] for m in last.messages if m["role"] == "assistant"][1:]
    theirs = "\n".join(m["content"] for m in last.messages if m["role"] == "user")
    assert mine == [t.text for t in state["turns"][:5] if t.speaker == "b"]
    assert all(t.text in theirs for t in state["turns"][:5] if t.speaker == "a")


async def test_the_talk_begins_once() -> None:
    _, requests = await run("cross", turns=7)
    assert {all_text(r).count("The talk begins now") for r in requests if r.purpose == "turn"} == {1}


async def test_at_a_table_everything_said_is_heard_once_and_by_name() -> None:
    state, requests = await run("panel", turns=8)
    last = requests[-1]
    heard = "\n".join(m["content"] for m in last.messages if m["role"] == "user")
    for turn in state["turns"][:-1]:
        if turn.speaker != seat_of(last):
            assert heard.count(f"{turn.name}: {turn.text}") == 1


async def test_the_small_models_view_stays_short() -> None:
    state, requests = await run("cross", turns=6, prompts=Prompts("compact"))
    lengths = {len(r.messages) for r in requests if r.purpose == "turn"}
    assert len(lengths) == 1
    assert state["turns"][4].text in requests[-1].messages[-1]["content"]


async def test_words_with_holes_are_only_words() -> None:
    tricky = "My mother said $5, ${name} and $$, and {text} too."
    people = make_people()
    people["a"] = people["a"].model_copy(update={"fact_texts": ("A fact for ${want} and $1.",)})
    topic = TOPIC.model_copy(update={"discuss": "Talk about ${view} and 5$ for the old."})
    state, requests = await run("cross", answer_with(note_a=tricky), turns=3, personas=people, topic=topic)
    assert state["notes"]["a"].text == tricky
    assert tricky in sent(requests[2])[2][1]
    assert "A fact for ${want} and $1." in requests[2].messages[0]["content"]
    assert all("Talk about ${view} and 5$ for the old." in all_text(r) for r in requests)


# --- bad turns


async def test_a_bad_turn_is_asked_for_once_more() -> None:
    bad = "As an AI language model, I have no mother."
    state, requests = await run(
        "cross", answer_with(turn_01=bad, turn_01_again="My mother chose her own nurse."), turns=3
    )
    turn = state["turns"][1]
    assert (turn.text, turn.repaired and turn.repaired.reason) == ("My mother chose her own nurse.", "as_an_ai")
    assert turn.repaired is not None and turn.repaired.text == bad
    again = next(r for r in requests if r.key.endswith("turn-01-again"))
    first = next(r for r in requests if r.key.endswith("turn-01"))
    assert again.purpose == "repair" and turn.request == again.hash()
    assert sent(again)[:-2] == sent(first)
    assert sent(again)[-2] == ("assistant", bad)
    assert "spoke as a program" in sent(again)[-1][1]
    assert all(bad not in all_text(r) for r in requests if r is not again)
    assert [t.repaired is None for t in state["turns"]] == [True, False, True]


FAULTY: list[tuple[str | Reply, str]] = [
    ("", "empty"),
    (Reply("My mother was", "length"), "cut_off"),
    (Reply("Fine.", "filter"), "filtered"),
    (Reply("", refusal="No."), "refusal"),
    ("I'm sorry, but I can't help with that.", "refusal"),
    ("As an AI, I have no mother.", "as_an_ai"),
    ("My persona has a mother.", "role_leak"),
    ("I see. Min-jun: My mother did too.", "speaks_for_other"),
    ("어머니가 저를 키우셨어요.", "wrong_language"),
    ("My mother says: two to four plain spoken sentences each time, in English. No lists.", "copies_prompt"),
    ("Before the talk begins, write a private note to yourself that nobody else reads.", "copies_prompt"),
    ("I know, number 1 is bread1 that my mother kept near honey7, and number 1 is old.", "echo"),
]


@pytest.mark.parametrize(("bad", "reason"), FAULTY)
async def test_a_turn_that_stays_bad_ends_the_talk_with_the_reason(bad: str | Reply, reason: str) -> None:
    def answer(request: Request) -> str | Reply:
        if "turn-01" in request.key:
            return "Number 1 is bread1 that my mother kept near honey7, and number 1 is bread1 still."
        return bad if "turn-02" in request.key else say_something_new(request)

    state, requests = await run("cross", answer)
    assert state["fault"][0] == reason and state["fault"][1].startswith("turn 2")
    assert state["stop"] == "" and len(state["turns"]) == 2
    assert [r.key.split("/")[1] for r in requests[-2:]] == ["turn-02", "turn-02-again"]


@pytest.mark.parametrize("style", ["cross", "panel"])
async def test_a_bad_note_ends_the_talk_before_the_first_word(style: str) -> None:
    state, requests = await run(style, answer_with(note_b="", note_b_again=""))
    assert state["fault"] == ("empty", "private note: ")
    assert state["turns"] == [] and state["notes"] == {}
    assert {r.key.split("/")[1] for r in requests} == {*(f"note-{s}" for s in SEATS[: SIZES[style]]), "note-b-again"}


async def test_every_note_is_waited_for_when_one_is_bad() -> None:
    class Slow(Fake):
        async def reply(self, request: Request) -> Reply:
            await asyncio.sleep(0.02 if "note-b" in request.key else 0)
            return await super().reply(request)

    slow = Slow(answer_with(note_a="", note_a_again="", note_b=""))
    context = make_context(slow)
    await talk("cross", context)
    calls = context.tally.calls
    await asyncio.sleep(0.06)
    assert (len(slow.requests), context.tally.calls) == (calls, 4)


async def test_a_note_may_name_itself() -> None:
    state, _ = await run("cross", answer_with(note_a="Private note: I owe my mother."), turns=2)
    assert state["notes"]["a"].text == "Private note: I owe my mother."
    assert state["fault"] == ("", "")


async def test_a_bad_moderator_ends_the_talk() -> None:
    state, _ = await run("panel", answer_with(turn_00="", turn_00_again=""))
    assert state["fault"] == ("empty", "moderator: ")


async def test_the_moderators_repair_is_recorded() -> None:
    state, _ = await run("panel", answer_with(turn_00="", turn_00_again="Who cooked for the old, Hassan?"), turns=4)
    assert state["turns"][0].repaired is not None and state["turns"][0].repaired.reason == "empty"


async def test_one_view_in_two_mouths_is_no_echo() -> None:
    view = "They carried us when we were small and weak, so caring for them to the very end is what we owe."
    people = make_people(2, (1, 1))
    people = {s: p.model_copy(update={"stance": p.stance.model_copy(update={"view": view})}) for s, p in people.items()}
    said = answer_with(turn_00=f"My mother? {view}", turn_01=f"I say so as well: {view}")
    state, _ = await run("cross", said, personas=people, turns=2)
    assert state["fault"] == ("", "") and state["turns"][1].repaired is None


# --- ends


@pytest.mark.parametrize("style", ["cross", "within", "panel"])
async def test_a_farewell_ends_a_talk(style: str) -> None:
    bye = "My mother waits with the soup. Goodbye, all."
    state, _ = await run(style, answer_with(turn_06=bye), turns=12)
    assert state["stop"] == "farewell" and state["turns"][-1].index == 6


async def test_collapse_ends_a_talk() -> None:
    said = answer_with(
        turn_00="Yes, my mother says the same about duty.",
        turn_01="You are right, a nurse is no daughter.",
        turn_02="I agree, the old need their own bed.",
        turn_03="Exactly, father wanted that too.",
    )
    state, _ = await run("cross", said, turns=9)
    assert state["stop"] == "collapse" and len(state["turns"]) == 4


@pytest.mark.parametrize("at", [2, 4])
async def test_repetition_early_is_a_fault_and_late_an_end(at: int) -> None:
    first = "My mother lives with us in two rooms."
    same = "In two rooms with us my mother lives with us in two rooms."
    state, _ = await run("cross", answer_with(turn_00=first, **{f"turn_0{at}": same}), turns=9)
    if at == 2:
        assert state["fault"] == ("repetition", "turn 2") and state["stop"] == ""
    else:
        assert state["stop"] == "repetition" and state["fault"] == ("", "")
        assert "repetition" in state["turns"][-1].flags
    assert len(state["turns"]) == at + 1


async def test_leaving_the_topic_ends_a_talk() -> None:
    away = {f"turn_0{k}": f"The {w} scored twice on {w}day." for k, w in enumerate(("striker", "keeper", "captain"), 1)}
    state, _ = await run("cross", answer_with(**away), turns=9)
    assert state["stop"] == "off_topic" and "off_topic" in state["turns"][-1].flags


# --- the classic protocol


async def test_classic_is_one_thread_with_orders_and_without_notes() -> None:
    state, requests = await run("classic", turns=14)
    assert [t.speaker for t in state["turns"]] == list("ab" * 7)
    assert state["notes"] == {} and all(r.purpose == "turn" for r in requests)
    assert len({r.messages[0]["content"] for r in requests}) == 1
    last = requests[-1]
    assert [m["content"] for m in last.messages if m["role"] == "assistant"] == [t.text for t in state["turns"][:-1]]
    cues = [m["content"] for m in last.messages if m["role"] == "user"]
    assert [c.split(".")[0] for c in cues] == [f"Now you are {n}" for n in (NAMES[0], NAMES[1])] * 7
    guides = [c.split(". ", 1)[1] for c in cues]
    assert len(set(guides[::2])) == 7 and len(set(guides[1::2])) == 3


async def test_classic_free_chat_gives_no_guides() -> None:
    _, requests = await run("classic", turns=14, classic_chat="free")
    cues = [m["content"] for m in requests[-1].messages if m["role"] == "user"]
    assert {c.split(". ", 1)[1] for c in cues} == {"Begin the talk.", "Answer what was just said."}
    assert cues[0].endswith("Begin the talk.")


async def test_only_the_limit_ends_a_classic_talk() -> None:
    said = answer_with(turn_05="My mother waits. Goodbye, all.", turn_06="The striker scored twice on Sunday.")
    state, _ = await run("classic", said, turns=14)
    assert len(state["turns"]) == 14 and state["stop"] == "turn_limit"


async def test_the_classic_preset_is_14_turns_of_classic() -> None:
    config = build_config({"preset": "classic", "cultures": ["arab"]})
    assert (config.style, config.turns, config.classic_chat) == ("classic", 14, "guided")


# --- errors, seeds, engines


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("step", ["note-a", "turn-00", "turn-03", "turn-01-again"])
@pytest.mark.parametrize("error", [CallError("too long", "context"), EndpointError("gone"), RuntimeError("odd")])
async def test_errors_of_the_model_come_out_as_raised(style: str, step: str, error: Exception) -> None:
    def answer(request: Request) -> str | Exception:
        if request.key == f"d000001/{step}":
            return error
        return "" if request.key == "d000001/turn-01" and step.endswith("again") else say_something_new(request)

    if style == "classic" and step == "note-a":
        step = "turn-00"
    with pytest.raises(type(error)) as caught:
        await run(style, answer, turns=9)
    assert caught.value is error


async def test_every_call_has_a_seed_of_its_own() -> None:
    _, requests = await run("panel", turns=8)
    seeds = [r.sampling.seed for r in requests]
    assert len(set(seeds)) == len(seeds) and all(s is not None and 0 <= s < 2**31 for s in seeds)
    assert requests[-1].sampling.seed == step_seed(7, "d000001", requests[-1].key.split("/")[1])
    assert {(r.sampling.temperature, r.sampling.max_tokens) for r in requests} == {(1.0, 200)}
    _, without = await run("cross", turns=2, send_seeds=False)
    assert {r.sampling.seed for r in without} == {None}


async def test_the_tally_counts_every_call_repairs_too() -> None:
    fake = Fake(answer_with(turn_01=""))
    context = make_context(fake, turns=3)
    await talk("cross", context)
    tally = context.tally
    assert tally.calls == len(fake.requests) == 6
    assert (tally.input_tokens, tally.cached_tokens, tally.output_tokens) == (60, 24, 30)


async def test_a_prefill_is_part_of_the_turn() -> None:
    def answer(request: Request) -> str:
        return " we nurse the old, " + say_something_new(request)

    state, requests = await run("cross", answer, turns=2, prefill=True)
    for turn, request in zip(state["turns"], requests[2:], strict=True):
        assert request.prefill and turn.text.startswith(f"{request.prefill} we nurse")
    _, panel = await run("panel", turns=4, prefill=True)
    assert {bool(r.prefill) for r in panel if r.purpose == "moderate"} == {False}


@pytest.mark.parametrize("style", list(STYLES))
async def test_the_offline_engine_talks_in_every_style(style: str) -> None:
    client = ScriptedClient(fault_rate=0.0)
    state = await talk(style, make_context(client, SIZES[style], turns=8))
    assert state["fault"] == ("", "") and len(state["turns"]) >= 4
    again = await talk(style, make_context(ScriptedClient(fault_rate=0.0), SIZES[style], turns=8))
    assert again["turns"] == state["turns"]


@pytest.mark.parametrize("style", list(STYLES))
async def test_a_graph_is_compiled_once(style: str) -> None:
    await run(style, turns=1)
    before = _compiled.cache_info().misses
    graph = _compiled(style)
    await run(style, turns=1)
    assert _compiled(style) is graph and _compiled.cache_info().misses == before


def test_dialogues_are_never_sent_to_a_tracing_service() -> None:
    code = "import os; import culturepark.dialogue.styles; print(os.environ['LANGSMITH_TRACING'])"
    for variable, value in (("", "false"), ("1", "true")):
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={"LANGSMITH_TRACING": "true", "CULTUREPARK_TRACING": variable, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == value
