"""From what the refinement agent pointed at to candidates, and from chosen candidates to samples and rejections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from culturepark.culture.scenarios import Topic
from culturepark.language import words
from culturepark.records import Claim, Dialogue, Rejected, Sample, Verdict
from culturepark.refine.agent import RawClaim, Reading
from culturepark.refine.candidate import Candidate, StageContext
from culturepark.refine.forms import FormSettings, give_form
from culturepark.refine.pointing import Pointed, check_question, make_candidate, to_claim, widen
from culturepark.refine.sentences import Sentence
from culturepark.refine.stages import run_stages

# What ended by a fault of ours or a model's form, not by a judgement about the text.
FAILURES = frozenset({"unverified", "no_score", "unreadable_reply"})


@dataclass(frozen=True, slots=True)
class Reader:
    """What turns claims into candidates. ``labels`` are words that name a culture, each with the culture's id."""

    topic: Topic
    context: StageContext
    stages: tuple[str, ...]
    forms: FormSettings
    labels: Mapping[str, str]


def make_candidates(
    dialogue: Dialogue, reading: Reading, sentences: Sequence[Sentence], wanted: Mapping[str, int], reader: Reader
) -> dict[str, list[Candidate]]:
    """Each wanted speaker's candidates in order, after the stages that look at one text.

    A speaker with fewer claims than wanted gets an empty candidate for each one missing, dropped as ``no_claim``
    (or ``unreadable_reply``).
    """
    found: dict[str, list[Candidate]] = {}
    for seat, most in wanted.items():
        if not most:
            continue
        candidates: list[Candidate] = []
        told: set[int] = set()  # turns that already stand whole at the end of a multi-turn sample
        for raw in (c for c in reading.claims if c.speaker == seat):
            candidate = _point(dialogue, raw, len(candidates) + 1, sentences, reader)
            if candidate.dropped is None:
                candidate = run_stages(candidate, reader.context, reader.stages, "text")
            if candidate.dropped is None:
                candidate = give_form(candidate, sentences, reader.forms, reader.context, reader.stages, told)
            candidates.append(candidate)
        while len(candidates) < most:
            reason, evidence = ("unreadable_reply", reading.error) if reading.error else ("no_claim", "")
            candidates.append(drop_empty(dialogue, seat, len(candidates) + 1, "extract", reason, evidence))
        found[seat] = candidates
    return found


def drop_all(dialogue: Dialogue, wanted: Mapping[str, int]) -> dict[str, list[Candidate]]:
    """A dialogue that was rejected or failed takes every sample wanted from it along."""
    return {
        seat: [drop_empty(dialogue, seat, k + 1, "dialogue", dialogue.reason, dialogue.detail) for k in range(most)]
        for seat, most in wanted.items()
        if most
    }


def drop_empty(dialogue: Dialogue, seat: str, number: int, stage: str, reason: str, evidence: str) -> Candidate:
    """A candidate that never came to words."""
    verdict = Verdict(stage=stage, kept=False, reason=reason, evidence=evidence[:300])
    return _begin(dialogue, seat, number, verdicts=(verdict,))


def _begin(dialogue: Dialogue, seat: str, number: int, text: str = "", question: str = "", **known: Any) -> Candidate:
    persona = dialogue.personas[seat]
    return Candidate(
        id=_name(dialogue, seat, number),
        text=text,
        question=question,
        culture=persona.culture,
        country=persona.country,
        topic=dialogue.topic,
        answer=persona.stance.code,
        speaker=seat,
        dialogue=dialogue,
        **({"kind": "opinion"} | known),
    )


def _name(dialogue: Dialogue, seat: str, number: int) -> str:
    return f"{dialogue.id}-{seat}{number}"


def _point(dialogue: Dialogue, raw: RawClaim, number: int, sentences: Sequence[Sentence], reader: Reader) -> Candidate:
    names, pack, limits = reader.context.names, reader.context.pack, reader.context.limits
    others = tuple(p.name for s, p in dialogue.personas.items() if s != raw.speaker)
    pointed: Pointed = widen(make_candidate(raw, sentences, pack, others), sentences, pack, limits.min_words, names)
    fault = check_question(raw.question, names, reader.labels, pack)
    id = _name(dialogue, raw.speaker, number)
    question = reader.forms.pick(id, "question", reader.topic.questions) if fault else raw.question
    claim = to_claim(pointed, question, id)
    if not pointed.sentences:
        evidence = f"sentences {list(raw.sentences)}"
        verdict = Verdict(stage="extract", kept=False, reason="points_nowhere", evidence=evidence)
        return _begin(dialogue, raw.speaker, number, kind=raw.kind, claim=claim, verdicts=(verdict,))
    tags = (f"question_from_topic:{fault}",) if fault else ()
    return _begin(dialogue, raw.speaker, number, pointed.answer, question, kind=raw.kind, claim=claim, tags=tags)


def make_sample(
    candidate: Candidate, dialogue: Dialogue, topic: Topic, lineage: Mapping[str, Any], rival: Rival | None = None
) -> Sample:
    """The sample of a candidate that passed everything; ``rival`` is the rejected side of a preference pair."""
    seat, persona = candidate.speaker, dialogue.personas[candidate.speaker]
    claim = candidate.claim or Claim(speaker=seat, kind=candidate.kind, quotes=())
    turns = [t for t in dialogue.turns if t.index in {q.turn for q in claim.quotes}]
    fault = next((t.partition(":")[2] for t in candidate.tags if t.startswith("question_from_topic:")), "")
    story = {
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
        if candidate.form in ("multi", "preference")
        else f"topic ({fault})"
        if fault
        else "refinement agent",
        "requests": [t.request for t in turns],
        "turn_models": sorted({t.model for t in turns}),
        "prompts": dialogue.prompts,
    }
    if rival:
        story["rival"] = rival.source
    return Sample(
        id=candidate.id,
        messages=(*(dict(m) for m in candidate.lead), {"role": "assistant", "content": candidate.final}),
        culture=candidate.culture,
        country=candidate.country,
        language=dialogue.language,
        topic=topic.id,
        theme=topic.theme,
        answer=candidate.answer,
        answer_label=persona.stance.label,
        kind=candidate.kind,
        form=candidate.form,
        lineage=story,
        verdicts=candidate.verdicts,
        findings=candidate.findings,
        tags=tuple(t for t in candidate.tags if not t.startswith("question_from_topic")),
        rejected=({"role": "assistant", "content": rival.text},) if rival else (),
        origin=rival.origin if rival else "",  # type: ignore[arg-type]
    )


def make_rejected(candidate: Candidate, dialogue: Dialogue) -> Rejected:
    """The ledger entry of a candidate that was dropped."""
    last = candidate.verdicts[-1]
    failed = last.reason in FAILURES or last.reason.startswith("call_")
    failed = failed or (last.stage == "dialogue" and dialogue.status == "failed")
    return Rejected(
        id=candidate.id,
        status="failed" if failed else "rejected",
        stage=last.stage,
        reason=last.reason,
        evidence=last.evidence[:300],
        culture=candidate.culture,
        country=candidate.country,
        topic=candidate.topic,
        answer=candidate.answer,
        dialogue=dialogue.id,
        speaker=candidate.speaker,
        claim=candidate.claim,
        verdicts=candidate.verdicts,
        findings=candidate.findings,
        tags=candidate.tags,
    )


@dataclass(frozen=True, slots=True)
class Rival:
    """The rejected answer of a preference pair, where it comes from, and which candidate it was."""

    text: str
    origin: str
    source: str


# Parts of countries' names that say nothing by themselves.
_COMMON = frozenset(("south", "north", "united", "states", "kingdom", "republic", "people's", "mainland", "world"))


def culture_labels(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Single words that name a culture (countries, adjectives, aliases of four letters or more), by culture id."""
    found = ((w, culture) for culture, given in names.items() for name in given for w in words(name))
    return {word: culture for word, culture in found if len(word) > 3 and word not in _COMMON}
