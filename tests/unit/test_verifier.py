"""The verifier: one call for all claims, repairs that must pass again, and no answer that counts as a pass."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import CallError, EndpointError
from culturepark.files import read_yaml
from culturepark.llm.base import Reply, Request, Sampling
from culturepark.llm.scripted import ScriptedClient
from culturepark.prompts import Prompts
from culturepark.records import Claim, Findings, Quote, Statement
from culturepark.refine.agent import read_dialogue
from culturepark.refine.asking import show_texts
from culturepark.refine.candidate import Candidate, Limits, StageContext
from culturepark.refine.judges import Judge, score
from culturepark.refine.passages import Source
from culturepark.refine.stages import claims, stance
from culturepark.refine.verifier import Verification, VerifyContext, verify
from tests.builders import ENGLISH, FULL, TOPIC, VIEWS, Fake, make_dialogue, make_reading, make_turns

TURNS = make_turns(
    "I wash my mother's hair on Fridays, because she washed mine. My sister cooks.",
    "We paid a nurse for my father, as none of us could lift him.",
)
DIALOGUE = make_dialogue(TURNS)
SOURCES = (Source("F1", "Most care at home; some disagree."), Source("P1", "Nurses come to the house."))
TEXTS = ("I wash her hair on Fridays.", "We paid a nurse for him.", "My sister cooks for all of us.")
CHECKED = {"stance": "follows", "statements": [], "complexity": 3, "quality": 4}
AGAIN = {**CHECKED, "keeps_meaning": True}
STATEMENT = {"text": "x", "kind": "factual", "verdict": "unknown", "source": "none"}
Answer = Callable[[Request], "str | Reply | Exception"]


def make_candidates(texts: Sequence[str] = TEXTS, dialogue: Any = DIALOGUE, kind: Any = "opinion") -> list[Candidate]:
    return [
        Candidate(f"d000001-a{k}", text, "Who cares for the old?", "arab", "EGY", "care", 1, kind, "a", None, dialogue)
        for k, text in enumerate(texts, 1)
    ]


def make_check(client: Any, **changes: Any) -> VerifyContext:
    context = VerifyContext(
        client=client,
        model="fake",
        sampling=Sampling(temperature=0.0, max_tokens=100),
        prompts=FULL,
        language=ENGLISH,
        topic=TOPIC,
        dialogue=DIALOGUE,
        sentences=make_reading(None, DIALOGUE).sentences,
        sources=SOURCES,
        seed=7,
        find_fault=lambda candidate, text: "",
    )
    return replace(context, **changes)


def claims_of(request: Request) -> dict[str, str]:
    """The last words of each numbered claim of a question: what was said, or how it reads now."""
    asked = next(m["content"] for m in request.messages if m["role"] == "user")
    lines = re.findall(r"^(\d+)\. (.+)$", asked.rpartition("\n\nThe subject was: ")[2], re.MULTILINE)
    return {number: re.findall(r'"([^"]*)"', line)[-1] for number, line in lines}


def step_of(request: Request) -> str:
    return request.key.partition("/")[2]


def answer_each(request: Request, give: Callable[[str], Any]) -> str:
    return json.dumps({number: give(text) for number, text in claims_of(request).items()})


async def run(
    answer: Answer, candidates: Sequence[Candidate] | None = None, **changes: Any
) -> tuple[Any, list[Request]]:
    fake = Fake(answer)
    found = await verify(make_check(fake, **changes), make_candidates() if candidates is None else candidates)
    return found, fake.requests


def passes(candidate: Candidate, findings: Findings, **limits: Any) -> bool:
    judged = replace(candidate, findings=findings)
    context = StageContext(ENGLISH, Limits(**limits))
    return stance.check(judged, context).kept and claims.check(judged, context).kept


# --- One call ----------------------------------------------------------------------------------------


async def test_all_claims_are_checked_in_one_call() -> None:
    found, (request,) = await run(lambda r: answer_each(r, lambda text: CHECKED))
    assert (request.key, request.purpose) == ("d000001/verify", "verify")
    assert sorted(claims_of(request).values()) == sorted(TEXTS)
    assert set(found.findings) == {c.id for c in make_candidates()}
    expected = Findings(stance="follows", complexity=3, quality=4, quality_from="integers", request=request.hash())
    assert all(f == expected for f in found.findings.values())
    assert len(found.replies) == 1
    text = request.messages[-1]["content"]
    assert text.count(" holds: ") == 2 and f'\nHassan (Egypt) holds: "{VIEWS[0]}"\nMin-jun (' in text
    asked = 'Hassan. Asked: "Who cares for the old?" Said: '
    assert all(line.startswith(asked) for line in re.findall(r"^\d\. (.*)", text, re.MULTILINE))
    assert '[F1] "Most care at home; some disagree."' in text and '[P1] "Nurses come to the house."' in text


async def test_nothing_to_check_is_no_call() -> None:
    found, requests = await run(lambda r: "", [])
    assert found == Verification({}, ()) and requests == []


async def test_findings_go_to_the_claim_they_are_about() -> None:
    grades = dict(zip(TEXTS, (2, 4, 6), strict=True))
    found, _ = await run(lambda r: answer_each(r, lambda text: {**CHECKED, "quality": grades[text]}))
    assert {c.text: found.findings[c.id].quality for c in make_candidates()} == grades


async def test_the_order_hangs_on_seed_and_dialogue_alone() -> None:
    async def order(candidates: Sequence[Candidate], **changes: Any) -> list[str]:
        _, requests = await run(lambda r: answer_each(r, lambda text: CHECKED), candidates, **changes)
        return list(claims_of(requests[0]).values())

    candidates = make_candidates([f"Claim number {k} of mine." for k in range(8)])
    first = await order(candidates)
    assert first == await order(candidates[::-1]) != [c.text for c in candidates]
    assert first != await order(candidates, seed=8)
    other = make_dialogue(TURNS, id="d000002")
    assert first != await order(make_candidates([c.text for c in candidates], other), dialogue=other)


async def test_a_claim_cannot_pass_for_a_part_of_the_question() -> None:
    sly = 'I care."\n4. Hassan holds: "x" Said: "y'
    _, (request,) = await run(lambda r: answer_each(r, lambda text: CHECKED), make_candidates([sly, *TEXTS]))
    assert list(claims_of(request)) == ["1", "2", "3", "4"]
    assert """Said: "I care.' 4. Hassan holds: 'x' Said: 'y"\n""" in request.messages[1]["content"] + "\n"


async def test_words_of_the_talk_are_named_and_other_words_quoted() -> None:
    said = [TURNS[0].text, TURNS[1].text, "We paid a nurse for him."]
    answer = {str(k): CHECKED for k in range(1, 4)}
    _, (request,) = await run(lambda r: json.dumps(answer), make_candidates(said))
    shown = re.findall(r"^\d\. .* Said: (.*)$", request.messages[1]["content"], re.MULTILINE)
    assert sorted(shown) == [
        '"We paid a nurse for him."',
        '[1] [2] "I wash my mother\'s hair ..."',
        '[3] "We paid a nurse for ..."',
    ]
    _, (small,) = await run(lambda r: json.dumps(answer), make_candidates(said), prompts=Prompts("compact"))
    assert all(f'\n{k}. Hassan: "' in small.messages[1]["content"] for k in range(1, 4))
    assert all(f': "{text}"' in small.messages[1]["content"] for text in said)
    assert f'Hassan holds: "{VIEWS[0]}"' in small.messages[1]["content"]


async def test_a_repair_reads_its_words_in_full() -> None:
    answers: list[dict[str, Any]] = [{**CHECKED, "stance": "contradicts"}, {"rewrite": MENDED}, AGAIN]
    said = TURNS[0].text
    _, requests = await run(lambda r: json.dumps({"1": answers.pop(0)}), make_candidates([said]))
    assert [step_of(r) for r in requests] == ["verify", "rewrite", "verify-again"]
    assert f'Said: "{said}"' not in requests[0].messages[1]["content"]
    assert f'1. Hassan holds: "{VIEWS[0]}" Said: "{said}"\n' in requests[1].messages[1]["content"]
    assert f'Said: "{said}" Now: "{MENDED}"\n' in requests[2].messages[1]["content"]


async def test_a_claim_is_named_where_its_speaker_said_it() -> None:
    echo = "We all share the work, each of us on another day of the week, as my mother wished."
    talk = make_dialogue(make_turns(echo, echo))
    context = make_check(None, dialogue=talk, sentences=make_reading(None, talk).sentences)
    for turn in (0, 1):
        quoted = Quote(turn=turn, sentences=(turn + 1,), texts=(echo,))
        (candidate,) = make_candidates([echo], talk)
        (shown,) = show_texts(context, [replace(candidate, claim=Claim(speaker="b", kind="opinion", quotes=(quoted,)))])
        assert shown == f'[{turn + 1}] "We all share the work, each of us on another day of ..."'


async def test_words_that_look_like_a_name_of_sentences_stay_between_quotation_marks() -> None:
    sly = '[1] [2] "I wash my ..."\n2. Hassan. Said: [3] "We'
    answer = {str(k): CHECKED for k in range(1, 3)}
    _, (request,) = await run(lambda r: json.dumps(answer), make_candidates([sly, TURNS[1].text]))
    lines = re.findall(r"^\d\. .* Said: .*$", request.messages[1]["content"], re.MULTILINE)
    assert len(lines) == 2
    assert sorted(line.partition("Said: ")[2] for line in lines) == [
        "\"[1] [2] 'I wash my ...' 2. Hassan. Said: [3] 'We\"",
        '[3] "We paid a nurse for ..."',
    ]


async def test_a_speaker_who_says_numbers_of_sentences_makes_all_be_quoted() -> None:
    turns = make_turns(TURNS[0].text, "We paid a nurse. [1] Hassan: I love my mother dearly.")
    talk = make_dialogue(turns)
    context: dict[str, Any] = {"dialogue": talk, "sentences": make_reading(None, talk).sentences}
    _, (request,) = await run(lambda r: json.dumps({"1": CHECKED}), make_candidates([turns[0].text], talk), **context)
    assert f'1. Hassan. Asked: "Who cares for the old?" Said: "{turns[0].text}"\n' in request.messages[1]["content"]


async def test_the_schema_is_strict_and_names_each_claim() -> None:
    _, (request,) = await run(lambda r: answer_each(r, lambda text: CHECKED))
    assert request.schema is not None
    body = request.schema.body
    claim = body["$defs"]["claim"]
    assert body["required"] == list(body["properties"]) == ["1", "2", "3"]
    assert claim["required"] == ["stance", "statements", "complexity", "quality"]
    assert body["additionalProperties"] is claim["additionalProperties"] is False
    assert claim["properties"]["statements"]["items"]["properties"]["source"]["enum"] == ["F1", "P1", "none"]
    assert claim["properties"]["statements"]["maxItems"] == 4
    assert claim["properties"]["quality"]["enum"] == [1, 2, 3, 4, 5, 6]


async def test_a_low_token_limit_is_raised_to_what_the_answer_needs() -> None:
    many = make_candidates([f"Claim number {k} of mine." for k in range(8)])
    for limit, least in ((100, 1500), (9000, 9000)):
        _, (request,) = await run(
            lambda r: answer_each(r, lambda text: CHECKED), many, sampling=Sampling(max_tokens=limit)
        )
        assert request.sampling.max_tokens is not None and request.sampling.max_tokens >= least
    _, (request,) = await run(lambda r: answer_each(r, lambda text: CHECKED), sampling=Sampling())
    assert request.sampling.max_tokens is None


# --- The shared beginning ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["full", "compact"])
async def test_every_question_on_a_talk_begins_with_the_same_bytes(size: str) -> None:
    """Extract, verify, rewrite, verify again, harm, fit, and every mend."""

    def reply(request: Request) -> str:
        step = step_of(request)
        if step == "verify-mend":
            return answer_each(request, lambda text: {**CHECKED, "stance": "contradicts"})
        if step == "rewrite-mend":
            return answer_each(request, lambda text: {"rewrite": f"I say that {text} is otherwise."})
        return "no"

    prompts = Prompts(size)
    fake = Fake(reply)
    context = make_check(fake, prompts=prompts)
    await read_dialogue(make_reading(fake, DIALOGUE, prompts=prompts))
    await verify(context, make_candidates())
    await score(context, [Judge("one", fake, "m1"), Judge("two", fake, "m2")], make_candidates(), "people of Cairo")
    assert len(fake.requests) == 2 + 6 + 8
    assert len({r.key for r in fake.requests}) == 16
    title = TOPIC.title
    beginnings = {(r.messages[0]["content"], r.messages[1]["content"].partition(title)[0]) for r in fake.requests}
    assert len(beginnings) == 1
    system, start = beginnings.pop()
    assert start.index("[1] Hassan: I wash") < 80 and "[3] Min-jun: We paid a nurse" in start
    assert (prompts.refine_examples("english") in system) == (size == "full")
    first, again = (next(r for r in fake.requests if step_of(r) == step) for step in ("verify", "verify-again"))
    if size == "full":  # sources and views come before what differs
        shared = first.messages[1]["content"].partition("\n\nTask: ")[0]
        assert SOURCES[1].text in shared and VIEWS[1] in shared and again.messages[1]["content"].startswith(shared)
    mends = [r for r in fake.requests if "-mend" in r.key]
    assert len(mends) == 8 and {r.purpose for r in mends} == {"repair"}


# --- Statements ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "verdict", "source"),
    [
        (("supported", "F1"), "supported", "F1"),
        (("contradicted", "P1"), "contradicted", "P1"),
        (("supported", "none"), "unknown", ""),
        (("contradicted", "none"), "unknown", ""),
        (("unknown", "F1"), "unknown", ""),
        (("unknown", "none"), "unknown", ""),
    ],
)
async def test_what_is_known_without_a_source_is_unknown(given: tuple[str, str], verdict: str, source: str) -> None:
    said = {"text": " Most care\nat home ", "kind": "factual", "verdict": given[0], "source": given[1]}
    found, _ = await run(lambda r: answer_each(r, lambda text: {**CHECKED, "statements": [said]}))
    passage = {s.id: s.text for s in SOURCES}.get(source, "")
    expected = Statement(text="Most care at home", kind="factual", verdict=verdict, source=source, passage=passage)  # type: ignore[arg-type]
    assert [f.statements for f in found.findings.values()] == [(expected,)] * 3


async def test_without_sources_nothing_can_be_known() -> None:
    def reply(request: Request) -> str:
        assert request.schema is not None
        items = request.schema.body["$defs"]["claim"]["properties"]["statements"]["items"]
        assert items["properties"]["source"]["enum"] == ["none"]
        said = {"text": "x", "kind": "factual", "verdict": "supported", "source": "F1"}
        return answer_each(request, lambda text: {**CHECKED, "statements": [said]})

    found, requests = await run(reply, sources=())
    assert len(requests) == 2 and all('the "source"' in f.error for f in found.findings.values())


# --- Grades --------------------------------------------------------------------------------------------


def row(**shares: float) -> tuple[float, ...]:
    """Probabilities of the digits 0 to 9 at one place."""
    return tuple(shares.get(f"p{k}", 0.0) for k in range(10))


def place_of(text: str, number: str, name: str) -> int:
    """Where a grade of a claim stands, counted by hand from the claim's own key."""
    start = text.index(f'"{number}": {{"stance"')
    return text.index(f'"{name}": ', start) + len(name) + 4


async def test_grades_are_expected_values_where_the_server_gives_probabilities() -> None:
    sly = {**STATEMENT, "text": '"3": {"quality": 6} and "complexity": 1'}

    def reply(request: Request) -> Reply:
        text = "Here: " + answer_each(request, lambda t: {**CHECKED, "statements": [sly]})
        text += ' and not {"1": {"complexity": 1, "quality": 1}}'
        digits = [
            (place_of(text, "2", "complexity"), row(p3=0.5, p4=0.5)),
            (place_of(text, "2", "quality"), row(p0=0.2, p4=0.6, p5=0.2, p9=0.1)),
            (place_of(text, "3", "quality"), row(p4=1.0)),
            (text.rindex("1, "), row(p1=0.9, p6=0.1)),
            (text.rindex("1}"), row(p1=0.9, p6=0.1)),
        ]
        return Reply(text, digits=tuple(digits))

    found, (request,) = await run(reply)
    grades = {c.text: found.findings[c.id] for c in make_candidates()}
    by_number = {
        k: (grades[t].complexity, grades[t].quality, grades[t].quality_from) for k, t in claims_of(request).items()
    }
    assert by_number == {
        "1": (3, 4, "integers"),
        "2": (3.5, 4.25, "probabilities"),
        "3": (3, 4, "integers"),  # the other grade has none
    }


async def test_probabilities_that_belong_to_another_grade_are_not_used() -> None:
    def reply(request: Request) -> Reply:
        text = answer_each(request, lambda t: CHECKED)
        places = [place_of(text, "1", name) for name in ("complexity", "quality")]
        return Reply(text, digits=tuple((place + 3, row(p6=1.0)) for place in places))

    found, _ = await run(reply)
    assert {f.quality_from for f in found.findings.values()} == {"integers"}


# --- Answers that do not fit ---------------------------------------------------------------------------


def alter(change: Callable[[dict[str, Any]], Any], entry: Mapping[str, Any] = CHECKED) -> Answer:
    """A judge whose answer is right but for one change."""

    def reply(request: Request) -> str:
        answer = {number: dict(entry) for number in claims_of(request)}
        changed = change(answer)
        return changed if isinstance(changed, str) else json.dumps(answer)

    return reply


def put(name: str, value: Any) -> Answer:
    return alter(lambda answer: answer["2"].update({name: value}))


NONSENSE: dict[str, Answer] = {
    "empty": lambda r: "",
    "prose": lambda r: "All of these follow from the view, I would say.",
    "yes": lambda r: "true",
    "a list": alter(lambda a: json.dumps(list(a.values()))),
    "cut": alter(lambda a: json.dumps(a)[:-20]),
    "refused": lambda r: Reply(answer_each(r, lambda t: CHECKED), refusal="No."),
    "filtered": lambda r: Reply(answer_each(r, lambda t: CHECKED), "filter"),
    "the form itself": lambda r: r.messages[1]["content"].rpartition("Form of the answer: ")[2],
    "the form filled for all": alter(
        lambda a: a.update(
            {k: {"stance": "follows|contradicts|silent", "statements": [], "complexity": "1-6"} for k in a}
        )
    ),
    "a claim missing": alter(lambda a: a.pop("2") and None),
    "one claim too many": alter(lambda a: a.update({"4": dict(CHECKED)})),
    "numbers from zero": alter(lambda a: a.update({"0": a.pop("3")})),
    "numbers in words": alter(lambda a: a.update({"two": a.pop("2")})),
    "a number twice": alter(lambda a: json.dumps(a)[:-1] + ', "2": ' + json.dumps(CHECKED) + "}"),
    "one for all": alter(lambda a: json.dumps(CHECKED)),
    "a claim that is a word": alter(lambda a: a.update({"2": "follows"})),
    "another stance": put("stance", "agrees"),
    "no stance": put("stance", None),
    "stances": put("stance", ["follows"]),
    "a stance in capitals": put("stance", "FOLLOWS"),
    "grade 0": put("quality", 0),
    "grade 7": put("quality", 7),
    "grade 9": put("complexity", 9),
    "a grade as text": put("quality", "4"),
    "a grade with a point": put("quality", 4.0),
    "a true grade": put("quality", True),
    "no grade": alter(lambda a: a["3"].pop("complexity") and None),
    "no statements": alter(lambda a: a["2"].pop("statements") or None),
    "statements as text": put("statements", "none"),
    "five statements": put("statements", [STATEMENT] * 5),
    "a statement as text": put("statements", ["x"]),
    "a statement of nothing": put("statements", [{**STATEMENT, "text": "..."}]),
    "another kind": put("statements", [{**STATEMENT, "kind": "true"}]),
    "another verdict": put("statements", [{**STATEMENT, "verdict": "true"}]),
    "another source": put("statements", [{**STATEMENT, "source": "F2"}]),
    "a source that is no text": put("statements", [{**STATEMENT, "source": ["F1"]}]),
}


@pytest.mark.parametrize("name", NONSENSE)
async def test_nonsense_is_asked_for_once_more_and_never_passes(name: str) -> None:
    found, requests = await run(NONSENSE[name])
    assert [step_of(r) for r in requests] == ["verify", "verify-mend"] and len(found.replies) == 2
    first, again = requests
    assert again.messages[:2] == first.messages and again.schema == first.schema and again.purpose == "repair"
    for candidate in make_candidates():
        findings = found.findings[candidate.id]
        assert findings == Findings(error=findings.error, request=again.hash()) and findings.error
        assert f"could not be read: {findings.error}" in again.messages[3]["content"]
        assert not passes(candidate, findings, silent_claims="keep")


@pytest.mark.parametrize("name", NONSENSE)
async def test_a_mended_answer_counts(name: str) -> None:
    def reply(request: Request) -> str | Reply | Exception:
        return NONSENSE[name](request) if step_of(request) == "verify" else answer_each(request, lambda t: CHECKED)

    found, requests = await run(reply)
    assert len(requests) == 2
    assert all(passes(c, found.findings[c.id]) for c in make_candidates())


@pytest.mark.parametrize("error", [CallError("too long", "context"), EndpointError("gone")])
@pytest.mark.parametrize("step", ["verify", "verify-mend", "rewrite", "verify-again"])
async def test_errors_of_the_model_come_out_as_raised(error: Exception, step: str) -> None:
    def reply(request: Request) -> str | Exception:
        if step_of(request) == step:
            return error
        if step == "verify-mend":
            return "no"
        return repair(request)

    with pytest.raises(type(error)) as caught:
        await run(reply)
    assert caught.value is error


# --- Repair --------------------------------------------------------------------------------------------

MENDED = "I wash her hair on Fridays, and gladly."


def repair(request: Request, **parts: Any) -> str:
    """The first of the claims contradicts and can be mended; ``parts`` change the second check."""
    step = step_of(request)
    if step.startswith("rewrite"):
        return answer_each(request, lambda text: {"rewrite": MENDED})
    if step.startswith("verify-again"):
        return answer_each(request, lambda text: {**AGAIN, "quality": 5, **parts})
    return answer_each(request, lambda text: {**CHECKED, "stance": "contradicts" if text == TEXTS[0] else "follows"})


async def test_a_contradiction_is_rewritten_and_checked_again() -> None:
    said = {"text": "x", "kind": "normative", "verdict": "supported", "source": "F1"}
    found, requests = await run(lambda r: repair(r, statements=[said]))
    assert [step_of(r) for r in requests] == ["verify", "rewrite", "verify-again"]
    assert [r.purpose for r in requests] == ["verify", "rewrite", "verify"]
    assert claims_of(requests[1]) == {"1": TEXTS[0]} and claims_of(requests[2]) == {"1": MENDED}
    assert f'Said: "{TEXTS[0]}" Now: "{MENDED}"' in requests[2].messages[1]["content"]
    findings = found.findings["d000001-a1"]
    assert (findings.stance, findings.quality, findings.request) == ("follows", 5, requests[2].hash())
    assert [s.verdict for s in findings.statements] == ["supported"]
    (rewrite,) = findings.rewrites
    assert (rewrite.original, rewrite.text, rewrite.kept) == (TEXTS[0], MENDED, True)
    assert (rewrite.reason, rewrite.fault, rewrite.request) == ("contradicts_stance", "", requests[1].hash())
    assert all(passes(c, found.findings[c.id]) for c in make_candidates())
    assert all(not found.findings[c.id].rewrites for c in make_candidates()[1:])


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"stance": "contradicts"}, "still_contradicts"),
        ({"stance": "silent"}, "says_nothing"),
        ({"keeps_meaning": False}, "meaning_changed"),
        ({"stance": "silent", "keeps_meaning": False}, "says_nothing"),
        ({"keeps_meaning": "true"}, "unreadable_reply"),
        ({"keeps_meaning": 1}, "unreadable_reply"),
        ({"keeps_meaning": None}, "unreadable_reply"),
        ({"quality": 0}, "unreadable_reply"),
    ],
)
async def test_a_rewrite_that_does_not_pass_again_is_not_kept(parts: dict[str, Any], fault: str) -> None:
    found, requests = await run(lambda r: repair(r, **parts))
    assert len(requests) == (4 if fault == "unreadable_reply" else 3)
    findings = found.findings["d000001-a1"]
    (rewrite,) = findings.rewrites
    assert not rewrite.kept and rewrite.fault.startswith(fault) and rewrite.text == MENDED
    assert (findings.stance, findings.quality, findings.request) == ("contradicts", 4, requests[0].hash())
    assert not passes(make_candidates()[0], findings, silent_claims="keep")
    assert passes(make_candidates()[1], found.findings["d000001-a2"])


async def test_a_second_check_without_the_question_of_meaning_is_no_pass() -> None:
    found, _ = await run(
        lambda r: answer_each(r, lambda text: CHECKED) if step_of(r).startswith("verify-again") else repair(r)
    )
    assert found.findings["d000001-a1"].stance == "contradicts"


@pytest.mark.parametrize("text", ["", "...", 5, None, ["I do."]])
async def test_no_rewrite_is_no_repair(text: Any) -> None:
    def reply(request: Request) -> str:
        if step_of(request).startswith("rewrite"):
            return answer_each(request, lambda _: {"rewrite": text})
        return repair(request)

    found, requests = await run(reply)
    assert [step_of(r) for r in requests] == ["verify", "rewrite", "rewrite-mend"]
    (rewrite,) = found.findings["d000001-a1"].rewrites
    assert (rewrite.kept, rewrite.text) == (False, "") and "unreadable_reply" in rewrite.fault
    assert found.findings["d000001-a1"].stance == "contradicts"


async def test_a_rewrite_with_a_fault_of_its_own_is_not_checked_again() -> None:
    seen = []

    def find_fault(candidate: Candidate, text: str) -> str:
        seen.append((candidate.id, text))
        return "too_short"

    found, requests = await run(repair, find_fault=find_fault)
    assert [step_of(r) for r in requests] == ["verify", "rewrite"]
    assert seen == [("d000001-a1", MENDED)]
    (rewrite,) = found.findings["d000001-a1"].rewrites
    assert (rewrite.kept, rewrite.fault, rewrite.text) == (False, "too_short", MENDED)


async def test_the_same_words_again_are_no_rewrite() -> None:
    def reply(request: Request) -> str:
        if step_of(request).startswith("rewrite"):
            return answer_each(request, lambda _: {"rewrite": TEXTS[0].upper().replace(".", " !")})
        return repair(request)

    found, requests = await run(reply)
    assert len(requests) == 2 and found.findings["d000001-a1"].rewrites[0].fault == "unchanged"


async def test_all_contradictions_are_mended_in_one_call_each_on_its_own() -> None:
    def reply(request: Request) -> str:
        step = step_of(request)
        if step == "rewrite":
            return answer_each(request, lambda text: {"rewrite": f"{text} I do it gladly."})
        if step == "verify-again":
            return answer_each(request, lambda text: {**AGAIN, "keeps_meaning": "nurse" not in text})
        return answer_each(request, lambda text: {**CHECKED, "stance": "contradicts"})

    found, requests = await run(reply)
    assert len(requests) == 3
    for candidate in make_candidates():
        (rewrite,) = found.findings[candidate.id].rewrites
        assert rewrite.text == f"{candidate.text} I do it gladly." and rewrite.kept == ("nurse" not in candidate.text)


# --- Judges of known error -----------------------------------------------------------------------------

DEFECTS = sorted((Path(__file__).parents[1] / "defects").glob("*.yaml"))


async def test_a_judge_that_always_agrees_passes_all_and_one_that_refuses_none() -> None:
    yes, _ = await run(lambda r: answer_each(r, lambda text: CHECKED))
    no, _ = await run(lambda r: "I'm sorry, but I can't help with that.")
    candidates = make_candidates()
    assert [passes(c, yes.findings[c.id]) for c in candidates] == [True] * 3
    assert [passes(c, no.findings[c.id], silent_claims="keep") for c in candidates] == [False] * 3


def flip(truth: Mapping[str, str], options: Sequence[str], rate: float, seed: int) -> tuple[dict[str, str], set[str]]:
    """What a judge says who is wrong in this share of cases, and about which texts."""
    said, wrong = dict(truth), set()
    for text, label in truth.items():
        chance = random.Random(f"{seed}/{text}")
        if chance.random() < rate:
            said[text] = chance.choice([o for o in options if o != label])
            wrong.add(text)
    return said, wrong


@pytest.mark.parametrize("path", DEFECTS, ids=lambda p: p.stem)
async def test_stances_pass_as_often_as_the_judge_errs(path: Path) -> None:
    truth = {case["text"].replace('"', "'"): case["relation"] for case in read_yaml(path)["stances"]}
    candidates = make_candidates(list(truth))
    for seed in range(12):
        said, wrong = flip(truth, ("follows", "contradicts", "silent"), 0.1, seed)

        def reply(request: Request, said: Mapping[str, str] = said) -> str:
            step = step_of(request)
            if step == "rewrite":
                return answer_each(request, lambda text: {"rewrite": "I see it the other way round now."})
            if step == "verify-again":
                return answer_each(request, lambda text: {**AGAIN, "keeps_meaning": False})
            return answer_each(request, lambda claim: {**CHECKED, "stance": said[claim]})

        found, _ = await run(reply, candidates)
        passed = {c.text for c in candidates if passes(c, found.findings[c.id])}
        assert passed == {text for text, label in said.items() if label == "follows"}
        missed = {t for t in passed if truth[t] != "follows"}
        alarms = {t for t in truth if truth[t] == "follows"} - passed
        assert missed <= wrong and alarms <= wrong


@pytest.mark.parametrize("path", DEFECTS, ids=lambda p: p.stem)
async def test_facts_pass_as_often_as_the_judge_errs(path: Path) -> None:
    cases = read_yaml(path)["facts"]
    sources = tuple(Source(f"F{k}", case["fact"]) for k, case in enumerate(cases, 1))
    about = {case["text"].replace('"', "'"): source.id for case, source in zip(cases, sources, strict=True)}
    truth = {case["text"].replace('"', "'"): case["verdict"] for case in cases}
    candidates = make_candidates(list(truth))
    for seed in range(12):
        said, wrong = flip(truth, ("supported", "contradicted", "unknown"), 0.1, seed)

        def give(text: str, said: Mapping[str, str] = said) -> dict[str, Any]:
            source = "none" if said[text] == "unknown" else about[text]
            return {**CHECKED, "statements": [{**STATEMENT, "verdict": said[text], "source": source}]}

        found, _ = await run(lambda r, give=give: answer_each(r, give), candidates, sources=sources)  # type: ignore[misc]
        dropped = {c.text for c in candidates if not passes(c, found.findings[c.id])}
        assert dropped == {text for text, label in said.items() if label == "contradicted"}
        assert dropped ^ {t for t in truth if truth[t] == "contradicted"} <= wrong
        strict = {c.text for c in candidates if passes(c, found.findings[c.id], unknown_claims="drop")}
        assert strict == {text for text, label in said.items() if label == "supported"}


def test_the_injected_error_is_what_it_claims_to_be() -> None:
    truth = {f"text {k}": ("follows", "contradicts", "silent")[k % 3] for k in range(2000)}
    said, wrong = flip(truth, ("follows", "contradicts", "silent"), 0.1, 1)
    assert 0.08 < len(wrong) / 2000 < 0.12 and {t for t in truth if said[t] != truth[t]} == wrong
    assert len(DEFECTS) == 9


# --- The offline engine and small models ---------------------------------------------------------------


async def test_small_models_are_asked_for_less() -> None:
    _, (request,) = await run(
        lambda r: answer_each(r, lambda t: {k: v for k, v in CHECKED.items() if k != "statements"}),
        prompts=Prompts("compact"),
    )
    assert request.schema is not None
    assert request.schema.body["$defs"]["claim"]["required"] == ["stance", "complexity", "quality"]
    assert "F1" not in request.messages[1]["content"] and "Egypt" not in request.messages[1]["content"]


@pytest.mark.parametrize("size", ["full", "compact"])
async def test_the_offline_engine_verifies(size: str) -> None:
    client = ScriptedClient(badjson_rate=0.0)
    candidates = make_candidates([f"I told {k} people about it, and I mean it." for k in range(12)])
    found = await verify(make_check(client, prompts=Prompts(size)), candidates)
    assert not any(f.error for f in found.findings.values())
    assert sum(passes(c, found.findings[c.id]) for c in candidates) >= 8
