"""Stage ``refusal``: no refusal, no talk of being a program, no talk about the set-up."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext

_REASONS = {"refusal": "refusal", "machine": "as_an_ai", "role_leak": "role_leak"}


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``refusal``, ``as_an_ai`` or ``role_leak``, with the phrase that gave it away."""
    for kind, reason in _REASONS.items():
        found = context.pack.find(kind, candidate.text)
        if found:
            return Ruling(reason, found)
    return KEPT
