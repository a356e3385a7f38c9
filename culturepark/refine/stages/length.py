"""Stage ``length``: not too short to hold a view and a reason, not too long for one answer.

``limits.min_words`` and ``max_words`` are stated for languages that put spaces between words (see ``count_words``).
"""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.wording import count_words


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``too_short`` or ``too_long``; both bounds belong to the range."""
    count = count_words(candidate.text, context.pack)
    if count < context.limits.min_words:
        return Ruling("too_short", f"{count} words")
    if count > context.limits.max_words:
        return Ruling("too_long", f"{count} words")
    return KEPT
