"""The offline engine: the same words for the same request, talk that passes the rules, faults on order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from culturepark.culture.scenarios import Topic, load_topics
from culturepark.dialogue.checks import clean_turn, find_fault
from culturepark.dialogue.stops import collapses, repeats, touches_topic
from culturepark.errors import CallError
from culturepark.language import load_language, split_sentences, words
from culturepark.llm.base import Purpose, Reply, Request, Sampling, Schema
from culturepark.llm.scripted import ScriptedClient
from culturepark.llm.scripted_phrases import load_book
from culturepark.prompts import Prompts
from culturepark.records import Turn
from culturepark.refine.agent import answer_schema, parse_answer
from culturepark.refine.asking import number_schema, read_object
from culturepark.refine.pointing import check_question
from culturepark.refine.sentences import Sentence

ENGLISH = load_language("english")
TOPICS = list(load_topics().values())
FULL, COMPACT = Prompts("full"), Prompts("compact")
PERSON: dict[str, Any] = dict.fromkeys(
    ("age", "gender", "occupation", "home", "country", "household", "religiosity", "interests", "style", "facts"), "x"
)
SCENE = dict.fromkeys(("place", "relationship", "occasion", "mood", "want", "related"), "x")


def system_of(topic: Topic, name: str = "Mona", prompts: Prompts = FULL) -> str:
    title = topic.title[0].lower() + topic.title[1:]
    holes = {"title": title, "discuss": topic.discuss, "view": topic.scale[0].view, "language": "English"}
    return prompts.render("speaker", {**PERSON, **SCENE, **holes, "name": name, "others": "Jisoo from Korea"})


def ask(*contents: str, purpose: Purpose = "turn", seed: int = 0, **more: Any) -> Request:
    roles = ["system", *["user", "assistant"] * len(contents)]
    messages = tuple({"role": r, "content": c} for r, c in zip(roles, contents, strict=False))
    return Request(f"d/{seed}", purpose, "mock", messages, Sampling(max_tokens=400, seed=seed), **more)


async def hold_talk(client: ScriptedClient, topic: Topic, seed: int, count: int = 6) -> list[Reply]:
    """A talk of two as the dialogue code would ask for it."""
    said: list[Reply] = []
    for index in range(count):
        own = system_of(topic, "Mona" if index % 2 == 0 else "Jisoo")
        first = topic.discuss if index % 2 == 0 else f"{topic.discuss} {said[0].text}"
        heard = said if index % 2 == 0 else said[1:]
        note = FULL.render("note", {"discuss": topic.discuss, "view": ""})
        said.append(await client.reply(ask(own, note, "A note.", first, *(r.text for r in heard), seed=seed + index)))
    return said


@pytest.fixture(scope="module")
def talks() -> Iterator[list[tuple[Topic, list[Reply]]]]:
    import asyncio

    async def hold() -> list[tuple[Topic, list[Reply]]]:
        client = ScriptedClient(fault_rate=0)
        return [(topic, await hold_talk(client, topic, seed)) for topic in TOPICS for seed in (0, 100)]

    yield asyncio.run(hold())


def as_turns(replies: list[Reply]) -> list[Turn]:
    return [
        Turn(index=i, speaker="ab"[i % 2], name="x", text=r.text, request="", model="") for i, r in enumerate(replies)
    ]


# --- Scripts -----------------------------------------------------------------------------------------


async def test_a_list_is_a_queue_of_texts_replies_and_errors() -> None:
    ready = Reply("as it is", finish="length")
    client = ScriptedClient(["one two three four", ready, CallError("busy", "rate")])
    first = await client.reply(ask("a system prompt", "hello"))
    assert (first.text, first.model, first.usage.input, first.usage.output) == ("one two three four", "mock", 5, 4)
    assert await client.reply(ask("s", "u")) is ready
    with pytest.raises(CallError, match="busy"):
        await client.reply(ask("s", "u"))
    with pytest.raises(RuntimeError, match="no answer left for call 4"):
        await client.reply(ask("s", "u"))


async def test_a_function_answers_by_the_request() -> None:
    client = ScriptedClient(lambda request: CallError("no", "request") if request.purpose == "note" else request.key)
    assert (await client.reply(ask("s", "u", seed=7))).text == "d/7"
    with pytest.raises(CallError):
        await client.reply(ask("s", "u", purpose="note"))


async def test_history_is_bounded_and_calls_are_counted() -> None:
    client = ScriptedClient(maxlen=3)
    for seed in range(5):
        await client.reply(ask("s", "u", seed=seed))
    assert client.calls == 5
    assert [r.key for r in client.history] == ["d/2", "d/3", "d/4"]
    await client.close()


# --- Sameness ----------------------------------------------------------------------------------------


async def test_equal_requests_get_equal_replies_in_any_order() -> None:
    requests = [ask(system_of(t), t.discuss, seed=s, purpose=p) for t in TOPICS[:5] for s in range(3) for p in PURPOSES]
    there = ScriptedClient(fault_rate=0.3)
    back = ScriptedClient(fault_rate=0.3)
    first = [await there.reply(r) for r in requests]
    second = [await back.reply(r) for r in reversed(requests)]
    assert first == second[::-1]
    assert len({r.text for r in first if r.text}) > 25


PURPOSES: tuple[Purpose, ...] = ("note", "turn", "moderate", "repair")


async def test_the_key_is_not_seen() -> None:
    request = ask(system_of(TOPICS[0]), "hello")
    client = ScriptedClient()
    assert await client.reply(request) == await client.reply(replace(request, key="other/turn"))


def test_another_process_says_the_same() -> None:
    """Nothing may hang on the order of sets, which differs from process to process."""
    code = (
        "import asyncio\nfrom culturepark.llm.base import Request\n"
        "from culturepark.llm.scripted import ScriptedClient\n"
        "m = tuple({'role': r, 'content': 'Talk about bread, salt and markets.'} for r in ('system', 'user'))\n"
        "print(asyncio.run(ScriptedClient(fault_rate=0).reply(Request('k', 'turn', 'm', m))).text)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] and len(said[0]) > 80


# --- Talk --------------------------------------------------------------------------------------------


def test_turns_pass_the_rules_for_turns(talks: list[tuple[Topic, list[Reply]]]) -> None:
    for _, replies in talks:
        for i, reply in enumerate(replies):
            cleaned = clean_turn(reply.text, reply, "Mona", ENGLISH)
            before = [r.text for r in replies[:i]]
            fault = find_fault(
                cleaned, reply, ["Jisoo", "Mona"], before, (FULL.text("note"), FULL.text("fix")), ENGLISH
            )
            assert fault in ("", "echo"), reply.text
            assert cleaned.flags == ()
            assert 2 <= len(split_sentences(reply.text, "en")) <= 6


def test_echoes_are_rare(talks: list[tuple[Topic, list[Reply]]]) -> None:
    echoes = 0
    for _, replies in talks:
        for i, reply in enumerate(replies):
            cleaned = clean_turn(reply.text, reply, "Mona", ENGLISH)
            echoes += bool(find_fault(cleaned, reply, [], [r.text for r in replies[:i]], (), ENGLISH))
    assert echoes <= 6  # of 600; the dialogue code asks for those again


def test_talks_are_not_ended_by_a_stop_rule(talks: list[tuple[Topic, list[Reply]]]) -> None:
    for topic, replies in talks:
        turns = as_turns(replies)
        for i in range(len(turns)):
            assert not repeats(turns[: i + 1])
            assert not ENGLISH.find("farewell", turns[i].text), turns[i].text
            assert not ENGLISH.find("essentialism", turns[i].text.replace(topic.scale[0].view[2:], "")), turns[i].text
        assert not collapses(turns, topic, {}, ENGLISH)


def test_turns_stay_on_topic(talks: list[tuple[Topic, list[Reply]]]) -> None:
    missed = sum(not touches_topic(r.text, topic, ENGLISH) for topic, replies in talks for r in replies)
    assert missed <= 6  # of 600


def test_the_view_is_quoted_once_in_most_talks(talks: list[tuple[Topic, list[Reply]]]) -> None:
    quoted = Counter(sum(t.scale[0].view[1:40] in r.text for r in replies) for t, replies in talks)
    assert set(quoted) <= {0, 1}
    assert quoted[1] > 0.9 * len(talks)


def test_most_sentences_can_stand_alone(talks: list[tuple[Topic, list[Reply]]]) -> None:
    sentences = [s for _, replies in talks for r in replies for s in split_sentences(r.text, "en")]
    loose = [
        s
        for s in sentences
        if s.endswith("?") or ENGLISH.find("dangling", s) or not ENGLISH.find("first_person", s) or len(words(s)) < 4
    ]
    assert 0.03 < len(loose) / len(sentences) < 0.09


def test_phrases_hold_no_persona_name() -> None:
    from culturepark.culture.profiles import load_profiles

    names: set[str] = set()
    for profile in load_profiles().values():
        dumped = json.loads(profile.model_dump_json())["names"]
        stack: list[Any] = [dumped]
        while stack:
            found = stack.pop()
            if isinstance(found, str):
                names.add(found.lower())
            elif found:
                stack.extend(found.values() if isinstance(found, dict) else found)
    assert len(names) > 500
    spoken = set(words(" ".join(_texts_of(load_book().sentences.values()))))
    assert spoken & names == set()


def _texts_of(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif hasattr(part, "options"):
        yield from _texts_of(part.options)
    else:
        for inner in part:
            yield from _texts_of(inner)


async def test_two_sentence_answers_are_almost_never_equal() -> None:
    client = ScriptedClient(fault_rate=0)
    seen: Counter[str] = Counter()
    for seed in range(2500):
        reply = await client.reply(ask(system_of(TOPICS[seed % 5]), "go on", seed=seed))
        seen.update(" ".join(two) for two in pairwise(reply.text.split(". ")))
    assert len(seen) > 4000
    assert len(seen) == seen.total()


async def test_compact_prompts_are_read_too() -> None:
    client, topic = ScriptedClient(fault_rate=0), TOPICS[5]
    system = system_of(topic, prompts=COMPACT)
    holes = {"discuss": topic.discuss, "view": topic.scale[0].view, "occasion": "", "others": "Jisoo"}
    cue = COMPACT.render("open", holes)
    replies = [await client.reply(ask(system, cue, seed=seed)) for seed in range(60)]
    assert sum(topic.scale[0].view[1:40] in r.text for r in replies) > 30
    assert sum(touches_topic(r.text, topic, ENGLISH) for r in replies) == 60
    reply = COMPACT.render("reply", {**holes, "speaker": "Jisoo", "text": "I see it so."})
    late = [(await client.reply(ask(system, reply, seed=seed))).text for seed in range(60)]
    # Without a history the view may have been quoted before, and twice would be an echo.
    assert not any(topic.scale[0].view[1:40] in text for text in late)


async def test_in_the_classic_thread_only_the_delegate_quotes_the_view() -> None:
    topic = TOPICS[3]
    holes = {"contact": "Ann", "delegate": "Mona", "contact_country": "x", "delegate_country": "y"}
    view = topic.scale[0].view
    system = FULL.render("classic", {**holes, "view": view, "discuss": topic.discuss, "language": "English"})
    client = ScriptedClient(fault_rate=0)

    async def quotes(name: str) -> int:
        cue = FULL.render("classic_turn", {"name": name, "guide": "What do you think?"})
        return sum([view[1:40] in (await client.reply(ask(system, cue, seed=s))).text for s in range(30)])

    assert await quotes("Mona") > 15
    assert await quotes("Ann") == 0


async def test_a_moderator_hands_over_with_a_question() -> None:
    holes = {"place": "p", "mood": "m", "occasion": "o", "people": "x", "language": "English"}
    topic = TOPICS[8]
    system = FULL.render("moderator", {**holes, "title": topic.title, "discuss": topic.discuss})
    cue = FULL.render("moderate", {"lines": "Mona: I see it so.", "next": "Jisoo"})
    client = ScriptedClient(fault_rate=0)
    for purpose, contents in (("moderate", (system, cue)), ("repair", (system, cue, "", "Say it again."))):
        for seed in range(20):
            text = (await client.reply(ask(*contents, purpose=purpose, seed=seed))).text  # type: ignore[arg-type]
            assert "Jisoo, " in text and text.endswith("?")


async def test_unknown_prompts_still_get_general_talk() -> None:
    client = ScriptedClient(fault_rate=0)
    for messages in ((), ({"role": "user", "content": "Speak now, please."},)):
        reply = await client.reply(Request("k", "turn", "m", messages))
        assert len(words(reply.text)) >= 16 and ENGLISH.find("first_person", reply.text)


async def test_a_prefill_is_gone_on_from() -> None:
    client = ScriptedClient(fault_rate=0)
    texts = [
        (await client.reply(ask(system_of(TOPICS[0]), "u", seed=s, prefill="In my family,"))).text for s in range(20)
    ]
    assert all(t[0].islower() or t.startswith("I ") for t in texts)
    assert not any(t.startswith("In my family,") for t in texts)


async def test_a_low_token_limit_makes_turns_shorter() -> None:
    request = ask(system_of(TOPICS[0]), "u", seed=3)
    short = await ScriptedClient(fault_rate=0).reply(replace(request, sampling=Sampling(max_tokens=16)))
    assert short.finish == "stop" and len(split_sentences(short.text, "en")) == 1


# --- Faults ------------------------------------------------------------------------------------------


async def test_fault_shares_are_as_ordered() -> None:
    client = ScriptedClient(fault_rate=0.2)
    found: Counter[str] = Counter()
    for seed in range(600):
        reply = await client.reply(ask(system_of(TOPICS[0]), "u", seed=seed))
        cleaned = clean_turn(reply.text, reply, "Mona", ENGLISH)
        found[find_fault(cleaned, reply, [], [], (), ENGLISH) or " ".join(cleaned.flags)] += 1
    assert 80 < 600 - found[""] < 160
    assert set(found) == {"", "empty", "cut_off", "torn_end_cut", "own_name_prefix", "as_an_ai"}


@pytest.mark.parametrize("purpose", ["note", "turn", "moderate"])
async def test_first_tries_fail_and_repairs_do_not(purpose: Purpose) -> None:
    client = ScriptedClient(fault_rate=1.0)
    for seed in range(20):
        bad = await client.reply(ask(system_of(TOPICS[1]), "u", purpose=purpose, seed=seed))
        cleaned = clean_turn(bad.text, bad, "Mona", ENGLISH)
        named = bad.text.startswith(("Mona: ", "Moderator: "))
        assert find_fault(cleaned, bad, [], [], (), ENGLISH) or cleaned.flags or named
        good = await client.reply(ask(system_of(TOPICS[1]), "u", "bad", "again", purpose="repair", seed=seed))
        cleaned = clean_turn(good.text, good, "Mona", ENGLISH)
        assert not find_fault(cleaned, good, [], [], (), ENGLISH) and not cleaned.flags


# --- JSON --------------------------------------------------------------------------------------------

SEATS = {"a": 3, "b": 2}


def number(count: int = 18) -> tuple[Sentence, ...]:
    """Sentences of two speakers in turns of three; every fourth turn cannot be used."""
    found = [Sentence(i + 1, i // 3, "ab"[i // 3 % 2], "", i // 3 % 4 != 3) for i in range(count)]
    texts = ("I think so.", "People should ask.", "In my family we eat.")
    return tuple(replace(s, text=texts[s.number % 3]) for s in found)


def ask_to_read(full: bool = True, seed: int = 0, purpose: Purpose = "extract") -> Request:
    sentences, topic = number(), TOPICS[seed % len(TOPICS)]
    prompts = FULL if full else COMPACT
    transcript = "\n".join(f"[{s.number}] {s.speaker}: {s.text}" for s in sentences)
    holes = {"title": topic.title, "statement": topic.statement, "people": "a, b", "wanted": "w", "example": "{}"}
    talk = prompts.render("talk", {**holes, "transcript": transcript})
    user = talk + "\n\n" + prompts.render("extract", {**holes, "scale": "1: x"})
    schema = Schema("claims", answer_schema(sentences, SEATS, full, topic.codes))
    if purpose == "repair":
        return ask("You read.", user, "bad", "Give it again.", purpose="repair", seed=seed, schema=schema)
    return ask("You read.", user, purpose=purpose, seed=seed, schema=schema)


@pytest.mark.parametrize("full", [True, False])
async def test_claims_point_at_neighbouring_sentences_of_their_speaker(full: bool) -> None:
    client, by_number = ScriptedClient(badjson_rate=0), {s.number: s for s in number()}
    kinds: Counter[str] = Counter()
    counts: Counter[tuple[str, int]] = Counter()
    for seed in range(200):
        request = ask_to_read(full, seed)
        reply = await client.reply(request)
        answer, error = parse_answer(reply, tuple(SEATS))
        assert error == "" and request.schema and not find_misfits(answer, request.schema.body)
        for seat in SEATS:
            used = [n for claim in answer[seat] for n in claim["sentences"]]
            assert len(used) == len(set(used))
            counts[seat, len(answer[seat])] += 1
            for claim in answer[seat]:
                own = [by_number[n] for n in claim["sentences"]]
                assert {(s.speaker, s.usable) for s in own} == {(seat, True)} and len({s.turn for s in own}) == 1
                assert len(own) <= 2
                kinds[claim["kind"]] += 1
    assert kinds.keys() == {"opinion", "norm", "custom"}
    assert 0 < counts["a", 2] < 30 and counts["a", 2] + counts["a", 3] == 200


async def test_questions_can_be_used_and_differ() -> None:
    client, questions = ScriptedClient(badjson_rate=0), []
    for seed in range(200):
        answer = json.loads((await client.reply(ask_to_read(seed=seed))).text)
        questions += [claim["question"] for seat in SEATS for claim in answer[seat]]
    faults = Counter(check_question(q, ["Mona", "Jisoo"], {"arab": "arab"}, ENGLISH) for q in questions)
    assert set(faults) == {""}
    assert all(5 <= len(words(q)) <= 24 for q in questions)
    assert len(set(questions)) > 0.9 * len(questions)


async def test_shifts_are_given_for_every_seat() -> None:
    client, seen = ScriptedClient(badjson_rate=0), Counter[str]()
    for seed in range(100):
        for shift in json.loads((await client.reply(ask_to_read(seed=seed))).text)["shifts"].values():
            seen[shift["after"]] += 1
            assert (shift["sentence"] > 0) == (shift["after"] == "moved")
    assert seen.keys() == {"same", "moved", "unclear"} and seen["same"] > 120


async def test_a_silent_speaker_gets_an_empty_list() -> None:
    schema = Schema("claims", answer_schema(number(3), SEATS, True, (1, 2)))
    reply = await ScriptedClient(badjson_rate=0).reply(replace(ask_to_read(), schema=schema))
    answer = json.loads(reply.text)
    assert answer["b"] == [] and answer["a"]


async def test_bad_json_comes_at_the_ordered_rate_and_is_mended() -> None:
    client = ScriptedClient(badjson_rate=1.0)
    for seed in range(30):
        assert parse_answer(await client.reply(ask_to_read(seed=seed)), tuple(SEATS))[1]
        assert not parse_answer(await client.reply(ask_to_read(seed=seed, purpose="repair")), tuple(SEATS))[1]
    some = ScriptedClient(badjson_rate=0.2)
    bad = [bool(parse_answer(await some.reply(ask_to_read(seed=s)), tuple(SEATS))[1]) for s in range(300)]
    assert 35 < sum(bad) < 90


async def test_reasons_are_other_sentences_of_the_speaker() -> None:
    client, by_number, counts = ScriptedClient(badjson_rate=0), {s.number: s for s in number()}, Counter[int]()
    for seed in range(60):
        answer = json.loads((await client.reply(ask_to_read(seed=seed))).text)
        for seat in SEATS:
            for claim in answer[seat]:
                counts[len(claim["reasons"])] += 1
                assert not set(claim["reasons"]) & set(claim["sentences"])
                assert {by_number[n].speaker for n in claim["reasons"]} <= {seat}
    assert set(counts) == {0, 1, 2}


@pytest.mark.parametrize("place", [0, -1])
async def test_the_position_at_the_end_is_mostly_that_of_the_quoted_view(place: int) -> None:
    client, seen = ScriptedClient(badjson_rate=0), Counter[str]()
    for seed, topic in enumerate(TOPICS * 4):
        before = topic.scale[place]
        sentences = [
            replace(number()[0], text=f"It is soon told: {before.view[0].lower()}{before.view[1:]}"),
            *number()[1:],
        ]
        transcript = "\n".join(f"[{s.number}] Mona: {s.text}" for s in sentences)
        schema = Schema("claims", answer_schema(sentences, SEATS, True, topic.codes))
        request = ask("You read.", transcript, purpose="extract", seed=seed, schema=schema)
        shifts = json.loads((await client.reply(request)).text)["shifts"]
        assert shifts["b"]["now"] == -1  # quoted no view
        now, after = shifts["a"]["now"], shifts["a"]["after"]
        assert (now == -1) == (after == "unclear")
        if after == "moved":
            assert now in topic.codes and abs(topic.codes.index(now) - topic.codes.index(before.code)) == 1
        if after != "unclear":
            seen["same" if now == before.code else "nearer"] += 1
    assert 0.03 < seen["nearer"] / seen.total() < 0.25


OTHER_SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}, "count": {"type": "integer"}}},
    {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 4}, "minItems": 2, "maxItems": 5},
    {"type": "array", "items": {"enum": [1, 2, 3, 4]}, "minItems": 3, "maxItems": 3, "uniqueItems": True},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.25},
    {"type": "integer", "maximum": -7},
    {"type": "integer", "minimum": 8, "multipleOf": 5},
    {"type": "string", "minLength": 300, "maxLength": 310},
    {"type": ["string", "null"]},
    {"type": "boolean"},
    {"const": {"a": [1]}},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"allOf": [{"$ref": "#/$defs/one"}, {"properties": {"b": {"type": "null"}}, "required": ["b"]}],
     "$defs": {"one": {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}}},
    {"$ref": "#/$defs/tree",
     "$defs": {"tree": {"type": "object", "required": ["name", "left"], "properties": {
         "name": {"type": "string"}, "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}}}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", OTHER_SCHEMAS, ids=lambda s: json.dumps(s)[:40])
@pytest.mark.parametrize("purpose", ["probe", "turn", "extract"])
async def test_any_schema_is_met(schema: dict[str, Any], purpose: Purpose) -> None:
    client = ScriptedClient(fault_rate=0, badjson_rate=0)
    for seed in range(25):
        reply = await client.reply(ask("s", "u", purpose=purpose, seed=seed, schema=Schema("x", schema)))
        assert not find_misfits(json.loads(reply.text), schema), reply.text


async def test_a_plain_probe_gets_a_tiny_answer() -> None:
    reply = await ScriptedClient().reply(ask("s", "u", purpose="probe"))
    assert 0 < len(reply.text) < 20


_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip


def find_misfits(value: Any, schema: Any, root: Any = None) -> list[str]:
    """A small JSON schema checker of our own; only the words used here."""
    root = root or schema
    if "$ref" in schema:
        return find_misfits(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    bad = [f"allOf {value!r}" for part in schema.get("allOf", ()) if find_misfits(value, part, root)]
    if "anyOf" in schema and all(find_misfits(value, part, root) for part in schema["anyOf"]):
        bad.append(f"anyOf {value!r}")
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        bad.append(f"enum {value!r}")
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if kinds and not any(_is_a(value, kind) for kind in kinds):
        bad.append(f"type {value!r}")
    if isinstance(value, dict):
        bad += _misfits_of_object(value, schema, root)
    elif isinstance(value, list):
        bad += [m for item in value for m in find_misfits(item, schema.get("items", {}), root)]
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99):
            bad.append(f"items {value!r}")
        if schema.get("uniqueItems") and len({json.dumps(v) for v in value}) < len(value):
            bad.append(f"unique {value!r}")
    elif isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6):
            bad.append(f"length {len(value)}")
    elif isinstance(value, int | float):
        bad += _misfits_of_number(value, schema)
    return bad


def _is_a(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _misfits_of_object(value: dict[str, Any], schema: Any, root: Any) -> list[str]:
    known = schema.get("properties", {})
    bad = [f"missing {name}" for name in schema.get("required", ()) if name not in value]
    if schema.get("additionalProperties") is False:
        bad += [f"unknown {name}" for name in value if name not in known]
    return bad + [m for name, part in known.items() if name in value for m in find_misfits(value[name], part, root)]


def _misfits_of_number(value: float, schema: Any) -> list[str]:
    fits = (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and value > schema.get("exclusiveMinimum", value - 1)
        and value < schema.get("exclusiveMaximum", value + 1)
        and value % schema.get("multipleOf", value or 1) == 0
    )
    return [] if fits else [f"bounds {value}"]


# --- Judgements --------------------------------------------------------------------------------------

GRADES = {"type": "integer", "enum": [1, 2, 3, 4, 5, 6]}
MARKS = {"type": "integer", "enum": [1, 2, 3, 4, 5]}
STANCE = {"type": "string", "enum": ["follows", "contradicts", "silent"]}
STATEMENTS = {
    "type": "array",
    "maxItems": 4,
    "items": {
        "type": "object",
        "required": ["text", "kind", "verdict", "source"],
        "properties": {
            "text": {"type": "string"},
            "kind": {"type": "string", "enum": ["factual", "normative"]},
            "verdict": {"type": "string", "enum": ["supported", "contradicted", "unknown"]},
            "source": {"type": "string", "enum": ["F1", "P2", "none"]},
        },
    },
}


async def judge(parts: dict[str, Any], count: int = 4000, question: str = "q") -> list[dict[str, Any]]:
    """What the engine says of this many claims, ten a call."""
    schema = number_schema(10, parts)
    client, found = ScriptedClient(badjson_rate=0), []
    for seed in range(count // 10):
        request = ask("s", question, purpose="verify", seed=seed, schema=Schema("x", schema))
        answer = json.loads((await client.reply(request)).text)
        assert not find_misfits(answer, schema) and list(answer) == [str(k) for k in range(1, 11)]
        found += answer.values()
    return found


@pytest.mark.parametrize(
    ("name", "part", "shares"),
    [
        ("stance", STANCE, {"follows": 0.93, "silent": 0.04, "contradicts": 0.03}),
        ("keeps_meaning", {"type": "boolean"}, {True: 0.9, False: 0.1}),
        ("harm", MARKS, {1: 0.95, 2: 0.045, 4: 0.005}),
        ("fit", MARKS, {5: 0.6, 4: 0.385, 2: 0.015}),
        ("quality", GRADES, {3: 0.2, 4: 0.4, 5: 0.3, 6: 0.1}),
        ("complexity", GRADES, {3: 0.25, 4: 0.35, 5: 0.25, 6: 0.15}),
    ],
)
async def test_judgements_come_in_their_shares(name: str, part: dict[str, Any], shares: dict[Any, float]) -> None:
    counts = Counter(found[name] for found in await judge({name: part}))
    assert set(counts) == set(shares)
    assert all(abs(counts[value] / 4000 - share) < 0.03 for value, share in shares.items())


async def test_few_claims_make_statements_a_source_can_tell_about() -> None:
    found = [claim["statements"] for claim in await judge({"stance": STANCE, "statements": STATEMENTS})]
    counts = Counter(statement["verdict"] for given in found for statement in given)
    assert 0.45 < sum(not given for given in found) / 4000 < 0.55
    assert 0.17 < counts["supported"] / 4000 < 0.23 and 0.004 < counts["contradicted"] / 4000 < 0.018
    assert all((s["source"] == "none") == (s["verdict"] == "unknown") for given in found for s in given)
    items = {**STATEMENTS["items"], "properties": {**STATEMENTS["items"]["properties"], "source": {"enum": ["none"]}}}
    alone = await judge({"statements": {**STATEMENTS, "items": items}}, 500)
    assert {s["verdict"] for claim in alone for s in claim["statements"]} == {"unknown"}


async def test_a_rewrite_says_the_view_of_its_own_claim_and_passes_the_rules() -> None:
    for topic in TOPICS[::5]:
        views = [p.view for p in topic.scale]
        lines = [f'{k}. Mona holds: "{view}" Said: "No."' for k, view in enumerate(views, 1)]
        schema = Schema("rewrite", number_schema(len(views), {"rewrite": {"type": "string"}}))
        request = ask("s", "\n".join(lines), purpose="rewrite", schema=schema)
        answer = json.loads((await ScriptedClient(badjson_rate=0).reply(request)).text)
        for k, view in enumerate(views, 1):
            text = answer[str(k)]["rewrite"]
            assert view[1:] in text and len(words(text)) >= 8 and ENGLISH.find("first_person", text)
            assert not any(ENGLISH.find(kind, text) for kind in ("refusal", "machine", "role_leak", "dangling"))
    lost = await judge({"rewrite": {"type": "string"}}, 10)
    assert all(len(words(claim["rewrite"])) >= 8 for claim in lost)


@pytest.mark.parametrize("purpose", ["verify", "rewrite", "harm", "fit"])
async def test_judges_give_bad_json_at_the_ordered_rate(purpose: Purpose) -> None:
    schema = number_schema(3, {"harm": MARKS})
    for rate, least, most in ((0.0, 0, 0), (0.2, 30, 90), (1.0, 300, 300)):
        client, bad = ScriptedClient(badjson_rate=rate), 0
        for seed in range(300):
            reply = await client.reply(ask("s", "u", purpose=purpose, seed=seed, schema=Schema("x", schema)))
            bad += bool(read_object(reply, lambda found: "" if len(found) == 3 else "few")[1])
        assert least <= bad <= most
