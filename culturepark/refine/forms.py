"""The chat a candidate would train: one question, a stretch of talk, the reasoning before the answer, or a pair.

Which form a candidate takes is drawn from its id, so it never depends on what else passed.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from culturepark.culture.scenarios import Topic
from culturepark.prompts import Prompts
from culturepark.records import Persona, Verdict
from culturepark.refine.candidate import Candidate, StageContext
from culturepark.refine.pointing import says_name
from culturepark.refine.sentences import Sentence
from culturepark.refine.stages import passes

Form = Literal["single", "multi", "reasoning", "preference"]
FORMS: tuple[Form, ...] = ("single", "multi", "reasoning", "preference")
# Stages that a text must pass which stands in a sample beside the answer.
_AROUND = ("form", "refusal", "essentialism", "personal_data", "real_people", "benchmarks")


@dataclass(frozen=True, slots=True)
class FormSettings:
    """Which forms are wanted and how often; ``topic`` and ``prompts`` give the words around the speaker's."""

    seed: int
    types: tuple[Form, ...]
    multi_turn_share: float
    topic: Topic
    prompts: Prompts

    def pick(self, name: str, what: str, choices: Sequence[str]) -> str:
        """One of several wordings, by the candidate's id."""
        return random.Random(f"{self.seed}/{name}/{what}").choice(choices)


def draw_form(name: str, settings: FormSettings) -> Form:
    """The form a candidate should take. ``multi_turn_share`` is the share of multi; the other forms share the rest."""
    types = settings.types
    if len(types) == 1:
        return types[0]
    share = settings.multi_turn_share if "multi" in types else 0.0
    others = [t for t in types if t != "multi"]
    weights = [share if t == "multi" else (1 - share) / len(others) for t in types]
    return random.Random(f"{settings.seed}/{name}/form").choices(types, weights)[0]


def give_form(
    candidate: Candidate,
    sentences: Sequence[Sentence],
    settings: FormSettings,
    context: StageContext,
    stages: Sequence[str],
    told: set[int],
) -> Candidate:
    """The candidate with its chat. What cannot take the form drawn for it takes the first wanted one that it can.

    ``told`` holds turns that already stand whole in a sample of this speaker; it is added to.
    """
    wanted = draw_form(candidate.id, settings)
    for form in (wanted, *(t for t in settings.types if t != wanted)):
        shaped = _shape(candidate, form, sentences, settings, told)
        if shaped is None or not _fits_around(shaped, context, stages):
            continue
        if form == "multi":
            told.add(_first_turn(candidate))
        return shaped
    return drop_formless(candidate, wanted)


def drop_formless(candidate: Candidate, wanted: str) -> Candidate:
    """A candidate that cannot take any of the forms asked for."""
    verdict = Verdict(stage="sample", kept=False, reason="no_form", evidence=f"cannot be made into: {wanted}")
    return replace(candidate, verdicts=(*candidate.verdicts, verdict))


def make_single(candidate: Candidate) -> Candidate:
    """One question and the speaker's own words as the answer."""
    lead = ({"role": "user", "content": candidate.question},)
    return replace(candidate, form="single", lead=lead, final=candidate.text)


def give_mended(candidate: Candidate, types: Sequence[Form]) -> Candidate:
    """The candidate's chat with its text as it reads after a repair.

    A stretch of talk holds the old words, so that it becomes another of the forms asked for, if there is one.
    """
    if candidate.form == "single" or (candidate.form == "multi" and "single" in types):
        return make_single(candidate)
    if candidate.form == "reasoning":
        reasons = candidate.final.rpartition("\n\n")[0]
        return replace(candidate, final=f"{reasons}\n\n{candidate.text}")
    if candidate.form == "preference" or "preference" in types:
        return replace(candidate, form="preference", lead=candidate.lead[:2], final=candidate.text)
    return drop_formless(candidate, candidate.form)


def _shape(
    candidate: Candidate, form: Form, sentences: Sequence[Sentence], settings: FormSettings, told: set[int]
) -> Candidate | None:
    if form == "single":
        return make_single(candidate)
    if form == "multi":
        return _keep_talk(candidate, settings, told)
    if form == "reasoning":
        return _put_reasons_first(candidate, sentences, settings)
    lead = (_system(candidate, settings), _ask_topic(candidate, settings))
    return replace(candidate, form="preference", lead=lead, final=candidate.text)


def _keep_talk(candidate: Candidate, settings: FormSettings, told: set[int]) -> Candidate | None:
    """The stretch of talk that leads to the claim's turn, with the persona as system prompt."""
    dialogue, turn = candidate.dialogue, _first_turn(candidate)
    if dialogue is None or len(dialogue.personas) != 2 or turn < 2 or turn in told:
        return None
    own, other, last = dialogue.turns[turn - 2], dialogue.turns[turn - 1], dialogue.turns[turn]
    lead = (
        _system(candidate, settings),
        _ask_topic(candidate, settings),
        {"role": "assistant", "content": own.text},
        {"role": "user", "content": other.text},
    )
    return replace(candidate, form="multi", lead=lead, final=last.text)


def _put_reasons_first(candidate: Candidate, sentences: Sequence[Sentence], settings: FormSettings) -> Candidate | None:
    """What the speaker goes by, then the answer, all in the speaker's words."""
    claim = candidate.claim
    if claim is None or not claim.reasons:
        return None
    used = {n for q in claim.quotes for n in q.sentences}
    by_number = {s.number: s for s in sentences}
    own = [by_number[n] for n in sorted(set(claim.reasons) - used) if n in by_number]
    own = [s for s in own if s.speaker == candidate.speaker and s.usable and not s.text.endswith("?")]
    names = [p.name for p in candidate.dialogue.personas.values()] if candidate.dialogue else []
    if not own or any(says_name(name, s.text) for name in names for s in own):
        return None
    variants = _variants(settings.prompts, "reasoning", {"question": candidate.question})
    lead = ({"role": "user", "content": settings.pick(candidate.id, "reasoning", variants)},)
    reasons = " ".join(s.text for s in own)
    return replace(candidate, form="reasoning", lead=lead, final=f"{reasons}\n\n{candidate.text}")


def _system(candidate: Candidate, settings: FormSettings) -> dict[str, str]:
    assert candidate.dialogue is not None
    persona = candidate.dialogue.personas[candidate.speaker]
    variants = _variants(settings.prompts, "persona", describe_persona(persona))
    return {"role": "system", "content": settings.pick(candidate.id, "persona", variants)}


def describe_persona(persona: Persona) -> dict[str, object]:
    """What a system prompt may say of a persona: no name, no stance."""
    return {
        "age": persona.age,
        "gender": persona.gender,
        "home": persona.home,
        "country": persona.country_name,
        "occupation": persona.occupation,
        "household": persona.household,
        "religiosity": persona.religiosity,
        "style": persona.style,
    }


def _ask_topic(candidate: Candidate, settings: FormSettings) -> dict[str, str]:
    return {"role": "user", "content": settings.pick(candidate.id, "opening", settings.topic.questions)}


def _variants(prompts: Prompts, name: str, holes: Mapping[str, object]) -> list[str]:
    return [part.strip() for part in prompts.render(name, holes).split("\n---\n") if part.strip()]


def _first_turn(candidate: Candidate) -> int:
    return candidate.claim.quotes[0].turn if candidate.claim and candidate.claim.quotes else -1


def _fits_around(candidate: Candidate, context: StageContext, stages: Sequence[str]) -> bool:
    """Do the texts beside the claim pass the checks that protect readers and people?"""
    if candidate.form not in ("multi", "reasoning"):
        return True
    chosen = [s for s in stages if s in _AROUND]
    texts = [m["content"] for m in candidate.lead if m["role"] != "system"] + [candidate.final]
    probes = (replace(candidate, text=text, question="", verdicts=(), tags=()) for text in texts)
    return all(passes(probe, context, chosen) for probe in probes)


def whole_text(candidate: Candidate) -> str:
    """Everything of the chat that a person said: what judges are shown."""
    if candidate.form == "multi":
        return "\n".join([*(m["content"] for m in candidate.lead[2:]), candidate.final])
    return candidate.final or candidate.text
