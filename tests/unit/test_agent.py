"""The refinement agent: what it shows the model, what it accepts, and what it asks for once more."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from culturepark.errors import CallError, EndpointError
from culturepark.llm.base import Reply, Request
from culturepark.llm.scripted import ScriptedClient
from culturepark.prompts import Prompts
from culturepark.refine.agent import RawClaim, Reading, answer_schema, parse_answer, read_dialogue
from tests.builders import SEATS, TOPIC, Fake, make_dialogue, make_reading, make_turns

TURNS = make_turns(
    "I wash my mother's hair on Fridays, because she washed mine. My sister cooks.",
    "We paid a nurse for my father, as none of us could lift him.",
    "I take turns with my wife at night. A nurse costs $5 or ${more}.",
)
DIALOGUE = make_dialogue(TURNS)
CLAIM = {"kind": "norm", "sentences": [1, 2], "question": "What do you do on Fridays?"}
ANSWER: dict[str, Any] = {
    "a": [CLAIM],
    "b": [{"kind": "custom", "sentences": [3], "question": "Who helped?"}],
    "shifts": {"a": {"after": "same", "sentence": 0}, "b": {"after": "moved", "sentence": 3}},
}
GOOD = json.dumps(ANSWER)
BROKEN = ("", "Sorry, nothing.", GOOD[:40], GOOD.replace(":", "", 1), "[1, 2]", '"a"', "{}", '{"a": []}', "{'a': []}")


async def read(*answers: str | Reply | Exception) -> tuple[Reading, list[Request]]:
    left = list(answers)
    fake = Fake(lambda _: left.pop(0))
    return await read_dialogue(make_reading(fake, DIALOGUE)), fake.requests


def parse(text: str, seats: Sequence[str] = ("a", "b")) -> tuple[dict[str, Any], str]:
    return parse_answer(Reply(text), seats)


async def test_a_good_reply_is_read_at_once() -> None:
    reading, requests = await read(GOOD)
    assert reading.error == "" and len(requests) == len(reading.replies) == 1
    assert reading.claims == (
        RawClaim("a", "norm", (1, 2), "What do you do on Fridays?"),
        RawClaim("b", "custom", (3,), "Who helped?"),
    )
    assert [(s.speaker, s.before, s.after, s.sentence) for s in reading.shifts] == [
        ("a", 1, "same", None), ("b", 5, "moved", 3)
    ]  # fmt: skip


async def test_the_model_sees_numbered_sentences_and_what_is_wanted() -> None:
    _, (request,) = await read(GOOD)
    assert [m["role"] for m in request.messages] == ["system", "user"]
    text = request.messages[1]["content"]
    assert "[3] Min-jun: We paid a nurse for my father" in text
    assert "[5] Hassan: A nurse costs $5 or ${more}." in text
    assert TOPIC.statement in text and 'up to 2 from "a", up to 2 from "b"' in text
    assert (request.key, request.purpose) == ("d000001/extract", "extract")
    assert request.sampling.temperature == 0.0
    assert "VIEW-OF-A" not in text and "VIEW-OF-B" not in text


@pytest.mark.parametrize("size", ["full", "compact"])
async def test_the_example_in_the_prompt_would_be_accepted(size: str) -> None:
    fake = Fake(lambda _: GOOD)
    await read_dialogue(make_reading(fake, DIALOGUE, prompts=Prompts(size)))
    text = fake.requests[0].messages[-1]["content"]
    example = text[text.index('{"a"') :].splitlines()[0]
    assert parse(example)[1] == ""
    schema = fake.requests[0].schema
    assert schema is not None and set(json.loads(example)) == set(schema.body["properties"])


def test_the_schema_lets_each_point_at_own_sentences_only() -> None:
    sentences = make_reading(None, DIALOGUE).sentences
    schema = answer_schema(sentences, {"a": 2, "b": 3}, True, (0, 1, 2))
    assert list(schema["properties"]) == ["a", "b", "shifts"] == schema["required"]
    for seat, numbers, most in (("a", [1, 2, 4, 5], 2), ("b", [3], 3)):
        part = schema["properties"][seat]
        assert part["maxItems"] == most
        pointed = part["items"]["properties"]["sentences"]
        assert pointed["items"] == {"type": "integer", "enum": numbers}
        assert (pointed["minItems"], pointed["maxItems"]) == (1, 3)
        assert part["items"]["properties"]["kind"]["enum"] == ["opinion", "norm", "custom"]
        assert part["items"]["required"] == ["kind", "sentences", "question", "reasons"]
        assert part["items"]["properties"]["reasons"]["items"] == pointed["items"]
        assert part["items"]["properties"]["reasons"]["maxItems"] == 2
        shift = schema["properties"]["shifts"]["properties"][seat]["properties"]
        assert shift["now"]["enum"] == [-1, 0, 1, 2]  # 0 is an answer in some scales

    def objects(node: Any) -> list[dict[str, Any]]:
        inner = [o for v in node.values() for o in objects(v)] if isinstance(node, dict) else []
        return [node, *inner] if isinstance(node, dict) and node.get("type") == "object" else inner

    found = objects(schema)
    assert len(found) >= 6
    assert all(o["additionalProperties"] is False and o["required"] == list(o["properties"]) for o in found)


def test_the_small_schema_asks_for_less() -> None:
    sentences = make_reading(None, DIALOGUE).sentences
    schema = answer_schema(sentences, {"a": 2}, False, (1, 2))
    assert list(schema["properties"]) == ["a"]
    assert list(schema["properties"]["a"]["items"]["properties"]) == ["kind", "sentences"]


def test_unusable_sentences_are_not_offered() -> None:
    turns = [*TURNS[:2], TURNS[2].model_copy(update={"flags": ("off_topic",)})]
    sentences = make_reading(None, make_dialogue(turns)).sentences
    schema = answer_schema(sentences, {"a": 1, "c": 1}, True, (1, 2))
    enums = [schema["properties"][s]["items"]["properties"]["sentences"]["items"]["enum"] for s in "ac"]
    assert enums == [[1, 2], [0]]


@pytest.mark.parametrize(
    "wrapped",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\nThat is all.",
        f"Here is the object you asked for:\n\n{GOOD}\n\nI hope it helps.",
        f"\ufeff \n{json.dumps(ANSWER, indent=2)}",
        f"<think>I look for claims.</think>{GOOD}",
        f"In the form {{seat: claims}} that is {{}}:\n{GOOD}\nDone :-}}",
    ],
)
def test_json_in_fences_and_prose_is_accepted(wrapped: str) -> None:
    assert parse(wrapped) == (ANSWER, "")


@pytest.mark.parametrize("text", BROKEN)
def test_broken_replies_are_named(text: str) -> None:
    assert parse(text)[1] != ""


@pytest.mark.parametrize(
    ("claim", "fault"),
    [
        ({"kind": "norm", "sentences": [True]}, "no list of sentence numbers"),
        ({"kind": "norm", "sentences": [1.0]}, "no list of sentence numbers"),
        ({"kind": "norm", "sentences": ["1"]}, "no list of sentence numbers"),
        ({"kind": "norm", "sentences": [None]}, "no list of sentence numbers"),
        ({"kind": "norm", "sentences": 1}, "no list of sentence numbers"),
        ({"kind": "norm", "sentences": "1"}, "no list of sentence numbers"),
        ({"kind": "norm"}, "no list of sentence numbers"),
        ({"sentences": [1]}, "has no kind"),
        ({"kind": "fact", "sentences": [1]}, "has no kind"),
        ({"kind": ["norm"], "sentences": [1]}, "has no kind"),
        ([1], "has no kind"),
        ("norm", "has no kind"),
    ],
)
async def test_a_claim_of_another_shape_is_asked_for_once_more(claim: Any, fault: str) -> None:
    bad = json.dumps({"a": [CLAIM, claim], "b": []})
    assert fault in parse(bad)[1]
    reading, requests = await read(bad, GOOD)
    assert reading.error == "" and len(requests) == 2
    lost, _ = await read(bad, bad)
    assert lost.claims == () and fault in lost.error


@pytest.mark.parametrize("numbers", [[4], [0], [-1], [99], [], [1, 3], [10**30]])
async def test_numbers_that_point_elsewhere_are_left_to_the_gates(numbers: list[int]) -> None:
    reading, _ = await read(json.dumps({"a": [], "b": [{"kind": "norm", "sentences": numbers}]}))
    assert reading.claims == (RawClaim("b", "norm", tuple(numbers), ""),)


@pytest.mark.parametrize("question", [None, 5, ["x?"], {}])
async def test_an_odd_question_is_no_question(question: Any) -> None:
    reading, _ = await read(json.dumps({"a": [{**CLAIM, "question": question}], "b": []}))
    assert reading.claims[0].question == ""


async def test_no_more_claims_than_asked_for_are_taken() -> None:
    reading, _ = await read(json.dumps({"a": [CLAIM] * 9, "b": [], "c": [CLAIM]}))
    assert [c.speaker for c in reading.claims] == ["a", "a"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([4, 5], (4, 5)),
        ([5, 4, 5], (4, 5)),
        ([1, 2, 4], (4,)),
        ([3], ()),
        ([99, -1, 0], ()),
        (["4", 4.0, True, None], ()),
        ("4", ()),
        (None, ()),
    ],
)
async def test_reasons_are_other_sentences_of_the_same_speaker(given: Any, kept: tuple[int, ...]) -> None:
    reading, requests = await read(json.dumps({"a": [{**CLAIM, "reasons": given}], "b": []}))
    assert reading.claims[0].reasons == kept and len(requests) == 1


async def test_at_most_two_reasons_are_taken() -> None:
    turns = make_turns("One is here. Two is here. Three is here. Four is here.", "Five.")
    fake = Fake(lambda _: json.dumps({"a": [{**CLAIM, "sentences": [1], "reasons": [4, 3, 2]}], "b": []}))
    reading = await read_dialogue(make_reading(fake, make_dialogue(turns)))
    assert reading.claims[0].reasons == (2, 3)


@pytest.mark.parametrize(("now", "kept"), [(1, 1), (5, 5), (0, None), (-1, None), (6, None), ("2", None), (True, None)])
async def test_the_position_at_the_end_is_a_code_of_the_scale(now: Any, kept: int | None) -> None:
    reading, _ = await read(
        json.dumps({"a": [], "b": [], "shifts": {"b": {"after": "moved", "sentence": 3, "now": now}}})
    )
    assert [(s.before, s.now) for s in reading.shifts] == [(5, kept)]


async def test_the_scale_is_shown_with_its_codes() -> None:
    _, (request,) = await read(GOOD)
    assert (
        "1: Strongly agree; 2: Agree; 3: Undecided; 4: Disagree; 5: Strongly disagree" in request.messages[1]["content"]
    )


@pytest.mark.parametrize(
    ("mark", "kept"),
    [
        ({"after": "moved", "sentence": 5}, ("moved", 5)),
        ({"after": "moved", "sentence": 6}, ("moved", None)),
        ({"after": "moved", "sentence": True}, ("moved", None)),
        ({"after": "moved"}, ("moved", None)),
        ({"after": "gone", "sentence": 1}, None),
        ("moved", None),
        (None, None),
    ],
)
async def test_shifts_are_read_where_they_fit(mark: Any, kept: tuple[str, int | None] | None) -> None:
    reading, requests = await read(json.dumps({"a": [], "b": [], "shifts": {"a": mark}}))
    assert [(s.after, s.sentence) for s in reading.shifts] == ([kept] if kept else [])
    assert reading.error == "" and len(requests) == 1


async def test_odd_shifts_do_not_lose_the_claims() -> None:
    reading, _ = await read(json.dumps({"a": [CLAIM], "b": [], "shifts": [1]}))
    assert len(reading.claims) == 1 and reading.shifts == ()


@pytest.mark.parametrize("bad", [*BROKEN, Reply("", refusal="No."), Reply(GOOD, "filter")])
async def test_a_broken_reply_is_mended_once(bad: str | Reply) -> None:
    reading, requests = await read(bad, GOOD)
    assert reading.error == "" and len(reading.claims) == 2
    first, second = requests
    assert (second.key, second.purpose) == ("d000001/extract-mend", "repair")
    assert second.messages[:2] == first.messages and second.schema == first.schema
    shown = bad if isinstance(bad, str) else bad.text
    assert [m["role"] for m in second.messages[2:]] == ["assistant", "user"]
    assert second.messages[2]["content"] == (shown or "...")
    assert "could not be read" in second.messages[3]["content"]


async def test_the_fault_is_told() -> None:
    _, requests = await read('{"a": []}', GOOD)
    assert 'the list "b" is missing' in requests[1].messages[-1]["content"]


async def test_a_reply_cut_off_inside_is_broken_and_one_cut_after_the_end_is_not() -> None:
    cut, _ = await read(Reply(GOOD[: GOOD.index("}") + 1], "length"), Reply(GOOD, "length"))
    assert cut.error == "" and len(cut.replies) == 2


@pytest.mark.parametrize("again", BROKEN)
async def test_two_broken_replies_are_an_error_never_a_claim(again: str) -> None:
    reading, requests = await read(GOOD[:-3], again)
    assert reading.error != "" and len(requests) == 2
    assert reading.claims == () and reading.shifts == ()


async def test_half_of_all_replies_broken() -> None:
    """Each talk ends in claims, or in an error after exactly one more try."""
    chance = random.Random(5)
    plan = [(chance.random() < 0.5, chance.random() < 0.5) for _ in range(60)]
    for first_bad, second_bad in plan:
        replies = [chance.choice(BROKEN) if bad else GOOD for bad in (first_bad, second_bad)]
        reading, requests = await read(*replies)
        assert len(requests) == len(reading.replies) == 1 + first_bad
        assert bool(reading.error) == (first_bad and second_bad)
        assert len(reading.claims) == (0 if reading.error else 2)
    assert {(True, True), (True, False)} <= set(plan)


@pytest.mark.parametrize("error", [CallError("too long", "context"), EndpointError("gone")])
@pytest.mark.parametrize("before", [[], ["{}"]])
async def test_errors_of_the_model_come_out_as_raised(error: Exception, before: list[str]) -> None:
    with pytest.raises(type(error)) as caught:
        await read(*before, error)
    assert caught.value is error


def test_of_several_objects_that_fit_the_last_counts() -> None:
    draft = json.dumps({"a": [], "b": []})
    assert parse(f"<think>{draft} or rather</think>{GOOD}") == (ANSWER, "")
    assert parse(f"{draft} and {GOOD[:30]}") == ({"a": [], "b": []}, "")


def test_a_key_given_twice_is_broken() -> None:
    assert "twice" in parse('{"a": [], "b": [], "a": []}')[1]


async def test_very_deep_json_is_only_broken() -> None:
    assert parse('{"a":' + "[" * 100_000 + "]" * 100_000 + "}")[1] != ""


@pytest.mark.parametrize("size", ["full", "compact"])
async def test_the_offline_engine_points_well(size: str) -> None:
    client = ScriptedClient(badjson_rate=0.0)
    reading = await read_dialogue(make_reading(client, DIALOGUE, prompts=Prompts(size)))
    own = {s: {x.number for x in make_reading(None, DIALOGUE).sentences if x.speaker == s} for s in SEATS[:2]}
    assert reading.error == "" and reading.claims
    assert all(set(c.sentences) <= own[c.speaker] for c in reading.claims)
