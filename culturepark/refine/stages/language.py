"""Stage ``language``: in the run's language and script, as far as the text is long enough to tell."""

from __future__ import annotations

from culturepark.language import find_foreign_script, is_wrong_language
from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``wrong_language``, or ``mixed_script`` when letters of another script stand where they cannot."""
    if is_wrong_language(candidate.text, context.pack):
        return Ruling("wrong_language", candidate.text[:80])
    found = find_foreign_script(candidate.text, context.pack)
    return Ruling("mixed_script", found) if found else KEPT
