"""Do the claim's statements agree with the profile's facts and the user's passages?

Limits: only what a source says can be contradicted; no source is no proof against a statement.
"""

from __future__ import annotations

from culturepark.refine.candidate import Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop contradicted statements; unknown factual ones are tagged or dropped (``limits.unknown_claims``)."""
    findings = candidate.findings
    if findings.error:
        return Ruling("unverified", findings.error)
    for statement in findings.statements:
        if statement.verdict == "contradicted":
            return Ruling("fact_contradicted", f"{statement.text} | {statement.source}: {statement.passage}")
    unknown = [s for s in findings.statements if s.kind == "factual" and s.verdict == "unknown"]
    if unknown and context.limits.unknown_claims == "drop":
        return Ruling("fact_unknown", unknown[0].text)
    return Ruling(tags=(f"unknown_facts:{len(unknown)}",) if unknown else ())
