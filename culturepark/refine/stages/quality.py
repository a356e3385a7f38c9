"""Complexity times quality, each 1 to 6 (the idea of DEITA), from probabilities where there are any, else integers."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop what is below ``limits.min_quality`` (0: nothing) or, where there is such a limit, was not graded."""
    findings, least = candidate.findings, context.limits.min_quality
    if findings.error:
        return Ruling("unverified", findings.error)
    if least <= 0:
        return KEPT
    if findings.complexity is None or findings.quality is None:
        return Ruling("no_score", "complexity or quality was not graded")
    value = findings.complexity * findings.quality
    if value < least:
        return Ruling("low_quality", f"{findings.complexity:g} x {findings.quality:g} = {value:g}")
    return KEPT
