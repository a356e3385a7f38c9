"""Does the claim follow from the speaker's own view of the topic? What no model could say is no yes."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop what contradicts the view, what was not verified, and (``limits.silent_claims``) what says nothing of it."""
    findings = candidate.findings
    if findings.error or findings.stance is None:
        return Ruling("unverified", findings.error or "no verification")
    if findings.stance == "contradicts":
        fault = findings.rewrites[-1].fault if findings.rewrites else ""
        return Ruling("contradicts_stance", f"rewrite failed: {fault}" if fault else "")
    if findings.stance == "silent" and not _may_be_silent(candidate, context):
        return Ruling("off_stance", f"{candidate.kind} that says nothing about the view")
    return KEPT


def _may_be_silent(candidate: Candidate, context: StageContext) -> bool:
    allowed = context.limits.silent_claims
    return allowed == "keep" or (allowed == "customs" and candidate.kind == "custom")
