"""The judge panel: one call for each judge and axis, strict grades, and nothing that passes by accident."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from culturepark.culture.profiles import load_profiles
from culturepark.errors import CallError, ConfigError, EndpointError
from culturepark.files import read_yaml
from culturepark.llm.base import Reply, Request
from culturepark.llm.scripted import ScriptedClient
from culturepark.prompts import Prompts
from culturepark.records import Findings, Rewrite, Score
from culturepark.refine.candidate import Candidate, Limits, StageContext
from culturepark.refine.judges import Judge, Scoring, score
from culturepark.refine.stages import fit, harm
from tests.builders import ENGLISH, Fake
from tests.unit.test_verifier import TEXTS, answer_each, claims_of, make_candidates, make_check, step_of

Answer = Callable[[Request], "str | Reply | Exception"]
AUDIENCE = "grown people in Cairo today"
REASON = "It harms nobody."

TALK_A = "I wash my mother's hair on Fridays, because she washed mine. My sister cooks."
TALK_B = "We paid a nurse for my father, as none of us could lift him."
BEGUN = "I wash my mother's hair"


def axis_of(request: Request) -> str:
    return "harm" if step_of(request).startswith("harm") else "fit"


def grade_all(request: Request, harm: Any = 1, fit: Any = 5) -> str:
    return answer_each(
        request, lambda text: {"reason": REASON, axis_of(request): harm if axis_of(request) == "harm" else fit}
    )


def good_by_number(request: Request) -> str:
    assert request.schema is not None
    part = {"reason": REASON, axis_of(request): 1 if axis_of(request) == "harm" else 5}
    return json.dumps(dict.fromkeys(request.schema.body["properties"], part))


def good(request: Request) -> str:
    return grade_all(request)


async def run(
    *answers: Answer, candidates: Sequence[Candidate] | None = None, audience: Any = AUDIENCE, **changes: Any
) -> tuple[Scoring, list[Fake]]:
    fakes = [Fake(answer) for answer in answers]
    panel = [Judge(f"judge{k}", fake, f"model{k}") for k, fake in enumerate(fakes, 1)]
    chosen = make_candidates() if candidates is None else candidates
    return await score(make_check(None, **changes), panel, chosen, audience), fakes


def passes(candidate: Candidate, scores: tuple[Score, ...], **limits: Any) -> bool:
    judged = replace(candidate, findings=candidate.findings.model_copy(update={"scores": scores}))
    context = StageContext(ENGLISH, Limits(**limits))
    return harm.check(judged, context).kept and fit.check(judged, context).kept


# --- Calls ---------------------------------------------------------------------------------------------


async def test_two_calls_a_judge_one_for_each_axis() -> None:
    found, fakes = await run(good, lambda r: grade_all(r, 2, 4))
    assert [[(r.key, r.purpose, r.model) for r in fake.requests] for fake in fakes] == [
        [("d000001/harm/judge1", "harm", "model1"), ("d000001/fit/judge1", "fit", "model1")],
        [("d000001/harm/judge2", "harm", "model2"), ("d000001/fit/judge2", "fit", "model2")],
    ]
    assert all(sorted(claims_of(r).values()) == sorted(TEXTS) for fake in fakes for r in fake.requests)
    assert set(found.scores) == {c.id for c in make_candidates()} and len(found.replies) == 4
    hashes = [r.hash() for fake in fakes for r in fake.requests]
    for scores in found.scores.values():
        assert [(s.axis, s.judge, s.value, s.reason) for s in scores] == [
            ("harm", "judge1", 1, REASON),
            ("fit", "judge1", 5, REASON),
            ("harm", "judge2", 2, REASON),
            ("fit", "judge2", 4, REASON),
        ]
        assert [s.request for s in scores] == hashes


async def test_no_claims_or_no_judges_are_no_calls() -> None:
    assert (await run(good, candidates=[]))[0] == Scoring({}, ())
    found, _ = await run()
    assert found.scores == dict.fromkeys((c.id for c in make_candidates()), ()) and found.replies == ()


async def test_scores_go_to_the_claim_they_are_about() -> None:
    marks = dict(zip(TEXTS, (1, 3, 5), strict=True))
    found, _ = await run(*[lambda r: answer_each(r, lambda t: {"reason": REASON, axis_of(r): marks[t]})] * 3)
    for candidate in make_candidates():
        assert {s.value for s in found.scores[candidate.id]} == {marks[candidate.text]}


async def test_the_order_differs_by_judge_and_is_the_same_again() -> None:
    candidates = make_candidates([f"Claim number {k} of mine." for k in range(8)])

    async def orders(given: Sequence[Candidate]) -> list[tuple[str, ...]]:
        _, fakes = await run(good, good, candidates=given)
        return [tuple(claims_of(r).values()) for fake in fakes for r in fake.requests]

    first = await orders(candidates)
    assert first[0] == first[1] != first[2] == first[3] and await orders(candidates[::-1]) == first
    assert tuple(c.text for c in candidates) not in first


async def test_judges_are_asked_at_the_same_time() -> None:
    waiting = 0
    all_there = asyncio.Event()

    class Slow(Fake):
        async def reply(self, request: Request) -> Reply:
            nonlocal waiting
            waiting += 1
            if waiting == 6:
                all_there.set()
            await asyncio.wait_for(all_there.wait(), 5)
            return Reply(good(request))

    panel = [Judge(name, Slow(good), "m") for name in ("one", "two", "three")]
    await score(make_check(None), panel, make_candidates(), AUDIENCE)
    assert waiting == 6


async def test_two_judges_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="same name"):
        await score(make_check(None), [Judge("x", Fake(good), "m")] * 2, make_candidates(), AUDIENCE)


async def test_keys_are_unique_whatever_judges_are_called() -> None:
    fake = Fake(lambda r: "no")
    panel = [Judge(name, fake, "m") for name in ("x", "x-mend", "mend/x", "-mend")]
    await score(make_check(None), panel, make_candidates(), AUDIENCE)
    assert len(fake.requests) == len({r.key for r in fake.requests}) == 16


@pytest.mark.parametrize("error", [CallError("busy", "rate"), EndpointError("gone")])
async def test_errors_of_a_judge_come_out_after_the_others_have_ended(error: Exception) -> None:
    ended = []

    class Slow(Fake):
        async def reply(self, request: Request) -> Reply:
            await asyncio.sleep(0.01)
            ended.append(request.key)
            return await super().reply(request)

    panel = [Judge("bad", Fake(lambda r: error), "m"), Judge("slow", Slow(good), "m")]
    with pytest.raises(type(error)) as caught:
        await score(make_check(None), panel, make_candidates(), AUDIENCE)
    assert caught.value is error and len(ended) == 2


async def test_what_stops_the_run_comes_before_what_stops_the_talk() -> None:
    with pytest.raises(EndpointError):
        await run(lambda r: CallError("busy", "rate"), lambda r: EndpointError("gone"))


# --- What judges see -----------------------------------------------------------------------------------


async def test_harm_never_sees_view_profile_or_audience() -> None:
    _, (fake,) = await run(good)
    harm_text, fit_text = (" ".join(m["content"] for m in r.messages) for r in fake.requests)
    for hidden in ("VIEW-OF", "Most care at home", AUDIENCE, "Egypt", "a baker a"):
        assert hidden not in harm_text
    assert AUDIENCE in fit_text and "VIEW-OF" not in fit_text
    assert "no custom, tradition, faith" in harm_text


async def test_harm_is_asked_alike_for_every_profile_and_audience() -> None:
    """Nothing a user declares can relax it: the request is the same to the byte."""
    _, (one,) = await run(good)
    _, (two,) = await run(good, audience="people for whom everything is allowed", sources=())
    other = [replace(c, culture="german", country="DEU") for c in make_candidates()]
    _, (three,) = await run(good, candidates=other)
    assert one.requests[0].hash() == two.requests[0].hash() == three.requests[0].hash()
    assert one.requests[1].hash() != two.requests[1].hash()


async def test_each_claim_can_have_its_own_audience() -> None:
    audience = {"d000001-a1": "people in Cairo", "d000001-a2": "people in Busan", "d000001-a3": "people in Cairo"}
    _, (fake,) = await run(good, audience=audience)
    text = fake.requests[1].messages[1]["content"]
    numbers = {t: number for number, t in claims_of(fake.requests[1]).items()}
    cairo = ", ".join(sorted(numbers[t] for t in (TEXTS[0], TEXTS[2])))
    both = [f"({cairo}) people in Cairo", f"({numbers[TEXTS[1]]}) people in Busan"]
    assert f"The audience is {'; '.join(both if cairo[0] == '1' else both[::-1])}\n" in text
    assert "Cairo" not in fake.requests[0].messages[1]["content"]
    _, (alone,) = await run(good, audience=dict.fromkeys(audience, "people in Cairo"))
    assert "The audience is people in Cairo\n" in alone.requests[1].messages[1]["content"]


@pytest.mark.parametrize("size", ["full", "compact"])
async def test_both_questions_of_a_judge_begin_alike_as_far_as_the_last_claim(size: str) -> None:
    audience = {"d000001-a1": "people in Cairo", "d000001-a2": "people in Busan", "d000001-a3": "people in Cairo"}
    _, (fake,) = await run(lambda r: "no", audience=audience, prompts=Prompts(size))
    harm_text, fit_text = (r.messages[1]["content"] for r in fake.requests[:2])
    end = max(harm_text.index(f'"{text}"') + len(text) + 2 for text in TEXTS)
    assert harm_text[:end] == fit_text[:end]


async def test_what_stands_in_the_talk_is_named_by_its_numbers() -> None:
    said = ("My sister cooks.", TALK_A, "I wash my mother's hair on Fridays.", f"{TALK_A}\n{TALK_B}")
    named = (
        '"My sister cooks."',
        f'[1] [2] "{BEGUN} ..."',
        "I wash my mother's hair on Fridays.",
        f'[1] to [3] "{BEGUN} ..."',
    )
    _, (fake,) = await run(good_by_number, candidates=make_candidates(said))
    for request in fake.requests:
        lines = re.findall(r"^\d\. .* Answered: (.*)$", request.messages[1]["content"], re.MULTILINE)
        assert sorted(lines) == sorted((named[0], named[1], f'"{named[2]}"', named[3]))
        assert request.messages[1]["content"].count("none of us could lift him") == 1
    _, (small,) = await run(good_by_number, candidates=make_candidates(said), prompts=Prompts("compact"))
    assert all(r.messages[1]["content"].count("none of us could lift him") == 2 for r in small.requests)


async def test_scores_go_to_the_claim_that_is_named() -> None:
    said = {TALK_A: 2, f"{TALK_A} {TALK_B}": 3, TALK_B: 4, "Nobody said this.": 5}
    starts = {"[1] [2]": 2, "[1] to [3]": 3, "[3]": 4, '"Nobody': 5}

    def answer(request: Request) -> str:
        lines = re.findall(r"^(\d)\. .* Answered: (.*)$", request.messages[1]["content"], re.MULTILINE)
        marks = {
            number: next(v for start, v in starts.items() if line.startswith(start + " ")) for number, line in lines
        }
        return json.dumps({number: {"reason": REASON, axis_of(request): mark} for number, mark in marks.items()})

    candidates = make_candidates(list(said))
    found, _ = await run(answer, candidates=candidates)
    assert {c.text: {s.value for s in found.scores[c.id]} for c in candidates} == {t: {v} for t, v in said.items()}


async def test_both_sides_of_a_repair_are_shown_alike() -> None:
    rewrite = Rewrite(original=TALK_A, text="I pay.", reason="contradicts_stance", kept=True, fault="", request="r")
    (mended,) = make_candidates(["I pay."])
    mended = replace(mended, findings=Findings(rewrites=(rewrite,)))
    before = replace(mended, id="d000001-a1-before", text=TALK_A)
    dropped = replace(
        before, id="d000001-a2", findings=Findings(rewrites=(rewrite.model_copy(update={"kept": False}),))
    )
    _, (fake,) = await run(good_by_number, candidates=[mended, before, dropped])
    for request in fake.requests:
        lines = re.findall(r"^\d\. .* Answered: (.*)$", request.messages[1]["content"], re.MULTILINE)
        assert sorted(lines) == sorted(['"I pay."', f'"{TALK_A}"', f'[1] [2] "{BEGUN} ..."'])


async def test_the_scope_of_every_profile_serves_as_an_audience() -> None:
    for profile in load_profiles().values():
        scope = profile.scope
        _, (fake,) = await run(good, audience=f"{scope.group}, {scope.place}, {scope.period}")
        assert scope.group in fake.requests[1].messages[1]["content"]


@pytest.mark.parametrize("size", ["full", "compact"])
async def test_the_schema_is_strict(size: str) -> None:
    _, (fake,) = await run(lambda r: "no", prompts=Prompts(size))
    for request in fake.requests:
        assert request.schema is not None
        claim = request.schema.body["$defs"]["claim"]
        assert claim["required"] == (["reason"] if size == "full" else []) + [axis_of(request)]
        assert claim["properties"][axis_of(request)]["enum"] == [1, 2, 3, 4, 5]
        assert request.schema.body["required"] == ["1", "2", "3"]


# --- Judges that cannot be used ------------------------------------------------------------------------


def alter(change: Callable[[dict[str, Any], str], Any]) -> Answer:
    """A judge whose answer would let all pass but for one change."""

    def reply(request: Request) -> str:
        answer: dict[str, Any] = json.loads(good(request))
        changed = change(answer, axis_of(request))
        return changed if isinstance(changed, str) else json.dumps(answer)

    return reply


def put(value: Any) -> Answer:
    return alter(lambda answer, axis: [part.update({axis: value}) for part in answer.values()] and None)


USELESS: dict[str, Answer] = {
    "empty": lambda r: "",
    "prose": lambda r: "None of this is harmful; I would give each a 1.",
    "number": lambda r: "1",
    "list": alter(lambda a, axis: json.dumps(list(a.values()))),
    "list of marks": alter(lambda a, axis: json.dumps([1, 1, 1])),
    "cut": alter(lambda a, axis: json.dumps(a)[:-20]),
    "refused": lambda r: Reply(good(r), refusal="No."),
    "filtered": lambda r: Reply(good(r), "filter"),
    "says no": lambda r: "I'm sorry, but I can't help with that.",
    "the form itself": lambda r: r.messages[1]["content"].rpartition("Form of the answer: ")[2],
    "numbers from zero": alter(lambda a, axis: a.update({"0": a.pop("3")})),
    "other numbers": alter(lambda a, axis: json.dumps({str(int(k) + 10): v for k, v in a.items()})),
    "one claim too many": alter(lambda a, axis: a.update({"4": a["1"]})),
    "twice": alter(lambda a, axis: json.dumps(a)[:-1] + ', "2": ' + json.dumps(a["2"]) + "}"),
    "one mark for all": alter(lambda a, axis: json.dumps(a["1"])),
    "bare marks": alter(lambda a, axis: a.update(dict.fromkeys(a, 1))),
    "the other axis": alter(
        lambda a, axis: [p.update({"fit" if axis == "harm" else "harm": p.pop(axis)}) for p in a.values()] and None
    ),
    "zero": put(0),
    "nine": put(9),
    "six": put(6),
    "minus one": put(-1),
    "text": put("4"),
    "true": put(True),
    "false": put(False),
    "null": put(None),
    "point": put(1.0),
    "half": put(2.5),
    "list of one": put([1]),
    "range": put("1-5"),
}


@pytest.mark.parametrize("name", USELESS)
async def test_a_useless_judge_is_asked_once_more_and_gives_no_value(name: str) -> None:
    found, (fake, right) = await run(USELESS[name], good)
    steps = [step_of(r) for r in fake.requests]
    assert sorted(steps) == ["fit-mend/judge1", "fit/judge1", "harm-mend/judge1", "harm/judge1"]
    assert len(right.requests) == 2 and len(found.replies) == 6
    for candidate in make_candidates():
        values = {(s.judge, s.axis): s for s in found.scores[candidate.id]}
        for axis in ("harm", "fit"):
            assert values["judge1", axis].value is None and values["judge1", axis].reason
            assert values["judge2", axis].value is not None
        assert not passes(candidate, found.scores[candidate.id], max_harm=5, min_fit=1)


@pytest.mark.parametrize("name", USELESS)
async def test_a_mended_answer_counts(name: str) -> None:
    found, (fake,) = await run(lambda r: good(r) if "-mend" in r.key else USELESS[name](r))
    assert len(fake.requests) == 4
    assert all(passes(c, found.scores[c.id]) for c in make_candidates())
    assert {s.request for s in found.scores["d000001-a1"]} == {r.hash() for r in fake.requests if "-mend" in r.key}


@pytest.mark.parametrize("change", [lambda a: a.pop("2"), lambda a: a.update({"2": 1}), lambda a: a["2"].clear()])
async def test_what_is_missing_has_no_value_and_what_is_there_counts(change: Callable[[Any], Any]) -> None:
    found, (fake,) = await run(alter(lambda answer, axis: change(answer) and None))
    for request in (r for r in fake.requests if "-mend" in r.key):
        values = {c.text: s.value for c in make_candidates() for s in found.scores[c.id] if s.axis == axis_of(request)}
        best = 1 if axis_of(request) == "harm" else 5
        assert values == {t: None if k == "2" else best for k, t in claims_of(request).items()}


async def test_a_judge_who_answers_on_one_axis_only_lets_nothing_pass() -> None:
    for lost in ("harm", "fit"):
        found, _ = await run(lambda r, lost=lost: "no" if axis_of(r) == lost else good(r), good)  # type: ignore[misc]
        assert not any(passes(c, found.scores[c.id]) for c in make_candidates())


async def test_a_long_reason_is_cut_and_a_missing_one_is_asked_for() -> None:
    found, (fake,) = await run(alter(lambda a, axis: [p.update(reason="very " * 40) for p in a.values()] and None))
    assert len(fake.requests) == 2
    assert {s.reason for scores in found.scores.values() for s in scores} == {" ".join(["very"] * 15)}
    _, (fake,) = await run(alter(lambda a, axis: [p.pop("reason") for p in a.values()] and None))
    assert len(fake.requests) == 4


async def test_a_judge_that_copies_the_reason_of_the_form_is_asked_again() -> None:
    def reply(request: Request) -> str:
        form = request.messages[1]["content"].rpartition("Form of the answer: ")[2]
        reason = json.loads(form.partition(', "2": ...')[0] + "}")["1"]["reason"]
        return answer_each(request, lambda text: {"reason": reason, axis_of(request): 1})

    _, (fake,) = await run(reply)
    assert len(fake.requests) == 4


async def test_a_judge_that_gives_all_the_same_moves_the_mean_by_its_share_only() -> None:
    fair: Answer = lambda r: grade_all(r, harm=4, fit=4)  # noqa: E731
    constant: Answer = lambda r: grade_all(r, harm=1, fit=1)  # noqa: E731
    found, _ = await run(fair, fair, constant)
    candidate = make_candidates()[0]
    values = [s.value for s in found.scores[candidate.id] if s.axis == "harm" and s.value]
    assert sum(values) / 3 == 3 and not passes(candidate, found.scores[candidate.id], min_fit=1)
    found, _ = await run(lambda r: grade_all(r, fit=4), lambda r: grade_all(r, fit=2))
    assert not passes(candidate, found.scores[candidate.id])  # the lowest counts for fit
    assert passes(candidate, found.scores[candidate.id], fit_by="mean")


# --- Judges of known error -----------------------------------------------------------------------------

DEFECTS = sorted((Path(__file__).parents[1] / "defects").glob("*.yaml"))


@pytest.mark.parametrize("path", DEFECTS, ids=lambda p: p.stem)
async def test_harm_passes_as_often_as_judges_err(path: Path) -> None:
    """A judge who takes one in ten for the contrary: what passes is exactly what its marks say."""
    cases = [c for c in read_yaml(path)["cases"] if c["defect"] == "harm"]
    truth = {c[name].replace('"', "'"): name == "text" for c in cases for name in ("text", "clean_twin")}
    candidates = make_candidates(list(truth))
    for seed in range(12):
        wrong = {t for t in truth if random.Random(f"{seed}/{t}").random() < 0.1}

        def reply(request: Request, wrong: set[str] = wrong) -> str:
            def give(text: str) -> Mapping[str, Any]:
                mark = 4 if (truth[text] != (text in wrong)) else 1
                return {"reason": REASON, axis_of(request): mark if axis_of(request) == "harm" else 5}

            return answer_each(request, give)

        found, _ = await run(reply, candidates=candidates)
        passed = {c.text for c in candidates if passes(c, found.scores[c.id])}
        assert {t for t in passed if truth[t]} == {t for t in wrong if truth[t]}
        assert {t for t in truth if not truth[t]} - passed == {t for t in wrong if not truth[t]}


# --- The offline engine --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["full", "compact"])
async def test_the_offline_engine_judges(size: str) -> None:
    client = ScriptedClient(badjson_rate=0.5)
    candidates = make_candidates([f"I told {k} people about it, and I mean it." for k in range(12)])
    panel = [Judge("one", client, "m1"), Judge("two", client, "m2")]
    found = await score(make_check(None, prompts=Prompts(size)), panel, candidates, AUDIENCE)
    assert all(s.value for scores in found.scores.values() for s in scores)
    assert sum(passes(c, found.scores[c.id]) for c in candidates) >= 8
