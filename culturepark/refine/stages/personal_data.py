"""Stage ``personal_data``: nothing by which one private person could be found.

The finders in ``personal`` are rules; ``tools["presidio"]`` may add an analyser of its own. Limits: names alone are
no personal data here, and a number that needs its context to be understood as one passes.
"""

from __future__ import annotations

import re

from culturepark.language import LanguagePack
from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.stages.personal.addresses import find_address
from culturepark.refine.stages.personal.births import find_birth
from culturepark.refine.stages.personal.contacts import find_contact, is_spelled_mail_likely
from culturepark.refine.stages.personal.found import Found, level
from culturepark.refine.stages.personal.numbers import find_number
from culturepark.refine.stages.personal.phones import find_phone, find_spoken_phone

_WORTH = re.compile(r"[\d@\uff20_]")
_ADDRESSES = ("://", "www.", ".com/", ".net/", ".org/", ".me/")


def find_personal_data(text: str, pack: LanguagePack) -> Found | None:
    """The first piece of personal data in a text, or nothing."""
    tag = pack.tag.split("-")[0]
    if (
        not _WORTH.search(text)
        and not any(map(text.__contains__, _ADDRESSES))
        and not is_spelled_mail_likely(text.lower())
    ):
        plain = level(text) if tag == "zh" else text  # house numbers may be written in words
        return find_spoken_phone(text, tag) or (find_address(plain, tag) if tag == "zh" else None)
    plain = level(text)
    return (
        find_contact(plain)
        or find_spoken_phone(plain, tag)
        or find_number(plain)
        or find_phone(plain, tag)
        or find_birth(plain)
        or find_address(plain, tag)
    )


def mask(found: Found) -> str:
    """What was found, with all but its first character hidden."""
    value = found.value.strip()
    return f"{found.kind} {value[:1]}***@***" if found.kind == "e-mail" else f"{found.kind} {value[:1]}***"


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``personal_data``, with kind and masked value. The tool ``presidio`` is asked where the rules find nothing."""
    found = find_personal_data(candidate.text, context.pack)
    if found:
        return Ruling("personal_data", mask(found))
    presidio = context.tools.get("presidio")
    kinds = presidio.find(candidate.text, context.pack.tag) if presidio else []
    return Ruling("personal_data", ", ".join(kinds)) if kinds else KEPT
