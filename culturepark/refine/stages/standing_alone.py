"""Stage ``standing_alone``: the answer is understood without the talk: no names from it, no question back, no
dangling start.
"""

from __future__ import annotations

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.wording import ends_with_question, says_name


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``not_standalone``, with what leans on the talk."""
    for name in context.names:
        if says_name(name, candidate.text):
            return Ruling("not_standalone", name)
    if ends_with_question(candidate.text):
        return Ruling("not_standalone", "ends with a question")
    dangling = context.pack.find("dangling", candidate.text)
    return Ruling("not_standalone", dangling) if dangling else KEPT
