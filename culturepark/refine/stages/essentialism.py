"""Stage ``essentialism``: no sentence may say that all members of a group are alike."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``essentialism``, with the phrase; what is denied in its own clause stays."""
    found = context.pack.find("essentialism", candidate.text)
    return Ruling("essentialism", found) if found else KEPT
