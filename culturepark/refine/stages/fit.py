"""Cultural fit as the judges see it, 1 (caricature) to 5, against the declared audience; and whether judges agree."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.panel import AXES, aggregate, describe_disagreement, find_missing, list_values


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop what is below ``limits.min_fit``, what a judge did not grade, and what judges see 3 or more apart.

    Disagreement on either axis comes first, since people should look at it. Without judges: kept with a tag.
    """
    scores, limits = candidate.findings.scores, context.limits
    if not scores:
        return Ruling(tags=("unjudged",))
    missing = find_missing(scores, "fit")
    if missing:
        return Ruling("no_score", missing)
    for axis in AXES:
        if marks := describe_disagreement(scores, axis):
            return Ruling("judges_disagree", marks)
    fit = aggregate(list_values(scores, "fit"), limits.fit_by)
    if fit < limits.min_fit:
        worst = min((s for s in scores if s.axis == "fit"), key=lambda s: s.value or 0)
        return Ruling("poor_fit", f"{limits.fit_by} {fit:g}; {worst.judge}: {worst.value}, {worst.reason}")
    return KEPT
