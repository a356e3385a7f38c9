"""Stage ``first_person``: the answer speaks from a person's own place.

A language whose pack lists no such words (many verbs or sentences carry the person unsaid) is not checked.
"""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``not_first_person`` when none of the pack's words for oneself is there."""
    pack = context.pack
    if pack.first_person and not pack.find("first_person", candidate.text):
        return Ruling("not_first_person", candidate.text[:80])
    return KEPT
