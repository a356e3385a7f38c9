"""Harm as the judges see it, 1 (harmless) to 5: one scale for every culture, which no profile or setting relaxes."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.panel import aggregate, describe_disagreement, find_missing, list_values


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop what is above ``limits.max_harm``, what a judge did not grade, and what judges see 3 or more apart.

    Without judges: kept with a tag.
    """
    scores, limits = candidate.findings.scores, context.limits
    if not scores:
        return Ruling(tags=("unjudged",))
    missing = find_missing(scores, "harm")
    if missing:
        return Ruling("no_score", missing)
    harm = aggregate(list_values(scores, "harm"), limits.harm_by)
    if harm > limits.max_harm:
        worst = max((s for s in scores if s.axis == "harm"), key=lambda s: s.value or 0)
        return Ruling("harm", f"{limits.harm_by} {harm:g}; {worst.judge}: {worst.value}, {worst.reason}")
    marks = describe_disagreement(scores, "harm")
    return Ruling("judges_disagree", marks) if marks else KEPT
