"""Stage ``moved``: words said after a speaker was argued out of the stance no longer stand for the survey's answer."""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``stance_moved`` when the quote ends at or after the sentence in which its speaker's view moved."""
    if candidate.claim is None or candidate.dialogue is None:
        return KEPT
    last = max((n for quote in candidate.claim.quotes for n in quote.sentences), default=0)
    for shift in candidate.dialogue.shifts:
        if shift.speaker == candidate.claim.speaker and shift.after == "moved" and shift.sentence:
            if last >= shift.sentence:
                return Ruling("stance_moved", f"the view moved at sentence {shift.sentence}")
    return KEPT
