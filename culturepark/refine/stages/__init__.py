"""The stages a candidate passes, from cheap to dear. A new stage is one file here and one line in ``STAGES``.

Groups run in this order: ``text`` looks at one candidate, ``run`` compares it with the whole run, ``verify`` and
``judge`` decide over what models said, ``cell`` compares what is left inside a culture and topic. Inside a group the
order is the user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from culturepark.errors import ConfigError
from culturepark.files import nearest
from culturepark.records import Verdict
from culturepark.refine.candidate import KEPT, Candidate, Check, StageContext
from culturepark.refine.stages import (
    benchmarks,
    claims,
    essentialism,
    first_person,
    fit,
    form,
    harm,
    ifd,
    language,
    length,
    moved,
    near_copies,
    personal_data,
    quality,
    real_people,
    refusal,
    semantic_copies,
    stance,
    standing_alone,
)

Group = Literal["text", "run", "verify", "judge", "cell"]
GROUPS: tuple[Group, ...] = ("text", "run", "verify", "judge", "cell")


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the table. A ``required`` stage protects people: no setting takes it out."""

    group: Group
    check: Check
    required: bool = False


STAGES: dict[str, Stage] = {
    "form": Stage("text", form.check),
    "length": Stage("text", length.check),
    "language": Stage("text", language.check),
    "refusal": Stage("text", refusal.check),
    "essentialism": Stage("text", essentialism.check, required=True),
    "personal_data": Stage("text", personal_data.check, required=True),
    "real_people": Stage("text", real_people.check, required=True),
    "moved": Stage("text", moved.check),
    "standing_alone": Stage("text", standing_alone.check),
    "first_person": Stage("text", first_person.check),
    "benchmarks": Stage("text", benchmarks.check),
    "ifd": Stage("text", ifd.check),
    "near_copies": Stage("run", near_copies.check),
    "stance": Stage("verify", stance.check),
    "claims": Stage("verify", claims.check),
    "quality": Stage("verify", quality.check),
    "harm": Stage("judge", harm.check, required=True),
    "fit": Stage("judge", fit.check),
    "semantic_copies": Stage("cell", semantic_copies.check),
}


def settle_stages(order: Sequence[str], skip: Iterable[str] = ()) -> tuple[str, ...]:
    """The stages of a run in order; an empty ``order`` means the table's.

    Raises ``ConfigError`` for an unknown stage, one named twice, a required one left out, or groups out of order.
    """
    left_out = set(skip)
    for name in (*order, *sorted(left_out)):
        if name not in STAGES:
            raise ConfigError(f"stages: unknown {name!r}{nearest(name, STAGES)}; known: {', '.join(STAGES)}")
    if len(set(order)) < len(order):
        twice = next(n for n in order if list(order).count(n) > 1)
        raise ConfigError(f"stages: {twice!r} is named twice")
    chosen = tuple(n for n in (order or STAGES) if n not in left_out)
    for name, stage in STAGES.items():
        if stage.required and name not in chosen:
            raise ConfigError(f"stages: {name!r} protects people and cannot be left out; add it to --stages")
    for before, after in zip(chosen, chosen[1:], strict=False):
        if GROUPS.index(STAGES[before].group) > GROUPS.index(STAGES[after].group):
            raise ConfigError(
                f"stages: {after!r} ({STAGES[after].group}) must come before {before!r} ({STAGES[before].group}); "
                f"groups run in the order {', '.join(GROUPS)}"
            )
    return chosen


def run_stages(candidate: Candidate, context: StageContext, names: Sequence[str], group: Group) -> Candidate:
    """The candidate with the verdicts of one group's stages, up to and including the first that drops it."""
    if candidate.dropped is not None:
        return candidate
    verdicts, tags = list(candidate.verdicts), list(candidate.tags)
    for name in names:
        if STAGES[name].group != group:
            continue
        ruling = STAGES[name].check(candidate, context)
        if ruling is KEPT:
            verdicts.append(_keep(name))
            continue
        verdicts.append(Verdict(stage=name, kept=ruling.kept, reason=ruling.reason, evidence=ruling.evidence[:300]))
        tags.extend(t for t in ruling.tags if t not in tags)
        if not ruling.kept:
            break
    return replace(candidate, verdicts=tuple(verdicts), tags=tuple(tags))


@cache
def _keep(name: str) -> Verdict:
    return Verdict(stage=name, kept=True)


def passes(candidate: Candidate, context: StageContext, names: Sequence[str]) -> bool:
    """Would every one of these stages keep the candidate? For texts beside it, which get no verdicts."""
    return all(STAGES[name].check(candidate, context).kept for name in names)


def find_text_fault(candidate: Candidate, context: StageContext, names: Sequence[str]) -> str:
    """Why a rewritten text may not stay, as a reason code of a text stage; empty if it may."""
    fresh = run_stages(replace(candidate, verdicts=(), tags=()), context, names, "text")
    return fresh.dropped.reason if fresh.dropped else ""
