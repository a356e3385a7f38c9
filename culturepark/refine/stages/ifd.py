"""Instruction-following difficulty by a local model, where the user names one: off by default."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """Drop an answer that its question does not help to foresee (IFD at or above the limit)."""
    model = context.tools.get("ifd")
    if model is None:
        return KEPT
    value = model.score(candidate.question, candidate.text)
    if value is None or value < context.limits.max_ifd:
        return KEPT
    return Ruling("high_ifd", f"{value:.2f}")
