"""From kept claims to samples: who is asked what, and what is written down about it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from culturepark.culture.scenarios import Topic
from culturepark.language import LanguagePack, words
from culturepark.records import Dialogue, Rejected, Sample, Verdict
from culturepark.refine.agent import Reading
from culturepark.refine.gates import (
    Candidate,
    GateContext,
    check_question,
    make_candidate,
    run_gates,
    to_claim,
    widen,
)
from culturepark.refine.sentences import Sentence


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """What shapes samples. ``labels`` are words that name a culture, each with the culture's id."""

    seed: int
    min_words: int
    max_words: int
    multi_turn_share: float
    labels: Mapping[str, str]


Outcome = Sample | Rejected


def make_outcomes(
    dialogue: Dialogue,
    reading: Reading,
    sentences: Sequence[Sentence],
    wanted: Mapping[str, int],
    topic: Topic,
    language: LanguagePack,
    settings: SampleSettings,
    lineage: Mapping[str, Any],
) -> dict[str, list[Outcome]]:
    """Each wanted speaker's candidates in order: samples that passed every gate, and those that did not.

    A speaker with fewer claims than wanted gets a rejection ``no_claim`` for each one missing. Which
    passing candidates are used, and whether a text was seen before, is decided by the run.
    """
    found: dict[str, list[Outcome]] = {}
    names = tuple(p.name for p in dialogue.personas.values())
    context = GateContext(dialogue, language, names, settings.min_words, settings.max_words)
    for seat, most in wanted.items():
        if most == 0:
            continue
        others = tuple(p.name for s, p in dialogue.personas.items() if s != seat)
        outcomes: list[Outcome] = []
        told: set[int] = set()  # turns that already stand whole at the end of a multi-turn sample
        for raw in (c for c in reading.claims if c.speaker == seat):
            number = len(outcomes) + 1
            candidate = widen(make_candidate(raw, sentences, language, others), sentences, context)
            outcome = _judge(dialogue, candidate, number, context, topic, settings, lineage, told)
            if isinstance(outcome, Sample) and outcome.form == "multi":
                told.add(candidate.sentences[0].turn)
            outcomes.append(outcome)
        while len(outcomes) < most:
            reason, evidence = ("unreadable_reply", reading.error) if reading.error else ("no_claim", "")
            status = "failed" if reading.error else "rejected"
            outcomes.append(_reject(dialogue, seat, len(outcomes) + 1, topic, "extract", reason, evidence, status))
        found[seat] = outcomes
    return found


def reject_all(dialogue: Dialogue, wanted: Mapping[str, int], topic: Topic) -> dict[str, list[Outcome]]:
    """A dialogue that was rejected or failed takes every sample wanted from it along."""
    status = "failed" if dialogue.status == "failed" else "rejected"
    return {
        seat: [
            _reject(dialogue, seat, k + 1, topic, "dialogue", dialogue.reason, dialogue.detail, status)
            for k in range(most)
        ]
        for seat, most in wanted.items()
        if most
    }


def _judge(
    dialogue: Dialogue,
    candidate: Candidate,
    number: int,
    context: GateContext,
    topic: Topic,
    settings: SampleSettings,
    lineage: Mapping[str, Any],
    told: set[int],
) -> Outcome:
    seat = candidate.raw.speaker
    name = f"{dialogue.id}-{seat}{number}"
    chance = random.Random(f"{settings.seed}/{name}")
    fault = check_question(candidate.raw.question, context.names, settings.labels, context.language)
    question = chance.choice(topic.questions) if fault else candidate.raw.question
    verdicts = run_gates(candidate, context)
    opening = chance.choice(topic.questions)  # what a talk answers from its beginning
    form, messages = _write_messages(dialogue, candidate, question, opening, chance, settings, told)
    if form == "multi" and verdicts[-1].kept:
        verdicts = (*verdicts, _check_talk(messages, context))
        if not verdicts[-1].kept:  # the claim is fine, the talk around it is not: ask it on its own
            form, messages = "single", _ask_alone(question, candidate)
            verdicts = verdicts[:-1]
    claim = to_claim(candidate, question)
    if not verdicts[-1].kept:
        last = verdicts[-1]
        return _reject(
            dialogue, seat, number, topic, last.stage, last.reason, last.evidence, "rejected", claim, verdicts
        )
    persona = dialogue.personas[seat]
    return Sample(
        id=name,
        messages=tuple(messages),
        culture=persona.culture,
        country=persona.country,
        language=context.language.tag,
        topic=topic.id,
        theme=topic.theme,
        answer=persona.stance.code,
        answer_label=persona.stance.label,
        kind=candidate.raw.kind,
        form=form,  # type: ignore[arg-type]
        lineage={
            **lineage,
            "survey": dialogue.seeds[seat].model_dump(mode="json"),
            "dialogue": dialogue.id,
            "style": dialogue.style,
            "scene": dialogue.scene,
            "speaker": seat,
            "persona": persona.id,
            "persona_draw": persona.draw,
            "claim": claim.model_dump(mode="json"),
            "question_from": "topic (opens a talk)"
            if form == "multi"
            else f"topic ({fault})"
            if fault
            else "refinement agent",
            "requests": [t.request for t in dialogue.turns if t.index in {q.turn for q in claim.quotes}],
            "turn_models": sorted({t.model for t in dialogue.turns if t.index in {q.turn for q in claim.quotes}}),
            "prompts": dialogue.prompts,
        },
        verdicts=verdicts,
    )


def _ask_alone(question: str, candidate: Candidate) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": candidate.answer}]


def _write_messages(
    dialogue: Dialogue,
    candidate: Candidate,
    question: str,
    opening: str,
    chance: random.Random,
    settings: SampleSettings,
    told: set[int],
) -> tuple[str, list[dict[str, str]]]:
    """One question and answer, or (a set share) the stretch of talk that leads to the claim's turn."""
    single = _ask_alone(question, candidate)
    wants_talk = chance.random() < settings.multi_turn_share
    if not wants_talk or len(dialogue.personas) != 2 or not candidate.sentences:
        return "single", single
    turn = candidate.sentences[0].turn
    if turn < 2 or turn in told:
        return "single", single
    own, other, last = dialogue.turns[turn - 2], dialogue.turns[turn - 1], dialogue.turns[turn]
    return "multi", [
        {"role": "user", "content": opening},
        {"role": "assistant", "content": own.text},
        {"role": "user", "content": other.text},
        {"role": "assistant", "content": last.text},
    ]


def _check_talk(messages: Sequence[Mapping[str, str]], context: GateContext) -> Verdict:
    """The other turns of a multi-turn sample must pass the harm and role checks as well."""
    for text in (m["content"] for m in messages):
        for kind in ("refusal", "machine", "role_leak", "essentialism"):
            found = context.language.find(kind, text)
            if found:
                return Verdict(stage="talk", kept=False, reason=kind, evidence=found)
    return Verdict(stage="talk", kept=True)


def _reject(
    dialogue: Dialogue,
    seat: str,
    number: int,
    topic: Topic,
    stage: str,
    reason: str,
    evidence: str,
    status: str,
    claim: Any = None,
    verdicts: tuple[Verdict, ...] = (),
) -> Rejected:
    persona = dialogue.personas[seat]
    return Rejected(
        id=f"{dialogue.id}-{seat}{number}",
        status=status,  # type: ignore[arg-type]
        stage=stage,
        reason=reason,
        evidence=evidence[:300],
        culture=persona.culture,
        country=persona.country,
        topic=topic.id,
        answer=persona.stance.code,
        dialogue=dialogue.id,
        speaker=seat,
        claim=claim,
        verdicts=verdicts,
    )


# Parts of countries' names that say nothing by themselves.
_COMMON = frozenset(("south", "north", "united", "states", "kingdom", "republic", "people's", "mainland", "world"))


def culture_labels(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Single words that name a culture (countries, adjectives, aliases of four letters or more), by culture id."""
    found = ((w, culture) for culture, given in names.items() for name in given for w in words(name))
    return {word: culture for word, culture in found if len(word) > 3 and word not in _COMMON}
