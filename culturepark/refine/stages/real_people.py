"""Stage ``real_people``: no sample speaks of a well-known person, or quotes a full name that no one can check.

Four rules: the packaged list in all scripts; people of the last two centuries beside a verb of saying; in Latin
script also a name beside a title, and a full name beside a verb of saying. Limits: single given names, people of
long ago and surnames that many bear pass, and so do streets called after people and films, songs or books of theirs.
"""

from __future__ import annotations

import re
from functools import lru_cache

from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext
from culturepark.refine.stages.full_names import find_full_name
from culturepark.refine.stages.people import Mention, find_mentions, level_names, load_words

_STOP = re.compile("[.!?\u061f\u0964\u3002\uff01\uff1f\\n]")


@lru_cache(maxsize=64)
def _merge_names(known: frozenset[str], at_table: tuple[str, ...]) -> frozenset[str]:
    return known | frozenset(at_table)


@lru_cache(maxsize=64)
def _split_names(names: frozenset[str]) -> frozenset[str]:
    return names | frozenset(part for name in names for part in name.split())


@lru_cache(maxsize=64)
def _compile_surroundings(tag: str) -> tuple[re.Pattern[str], ...]:
    words = load_words()
    return (
        re.compile(rf"(?<![a-z])(?:{words.says.get(tag, '(?!)')})(?![a-z])", re.IGNORECASE),
        re.compile(
            rf"(?<!\w)(?:[وفبكل]?(?:ال|ل)?)(?:{words.places_before}) (?:(?:de|da|do|del|dos|la) )?$", re.IGNORECASE
        ),
        re.compile(rf"'?s?[ -]?(?:{words.places_after})(?![a-z])", re.IGNORECASE),
        re.compile(rf"(?<![a-z])(?:{words.works})(?![a-z])", re.IGNORECASE),
    )


def find_known_person(text: str, tag: str, exempt: frozenset[str]) -> str:
    """The first name of the packaged list that is more than the name of a street or of a work, or nothing."""
    plain, allowed = level_names(text), _split_names(exempt)
    for mention in find_mentions(plain):
        if mention.name in allowed:
            continue
        if _is_quoted(plain, mention, tag) if mention.kind == "quoted" else not _is_passing(plain, mention, tag):
            return mention.name
    return ""


def _is_quoted(text: str, mention: Mention, tag: str) -> bool:
    says = _compile_surroundings(tag)[0]
    after = _STOP.split(text[mention.end : mention.end + 60])[0]
    return bool(says.search(after) or says.search(text, max(0, mention.start - 14), mention.start))


def _is_passing(text: str, mention: Mention, tag: str) -> bool:
    _, place_before, place_after, work = _compile_surroundings(tag)
    if place_before.search(text[max(0, mention.start - 24) : mention.start]) or place_after.match(text, mention.end):
        return True
    near = work.search(text, mention.end, mention.end + 14) or work.search(
        text, max(0, mention.start - 26), mention.start
    )
    return bool(near) and not _is_quoted(text, mention, tag)


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``real_person``, with the name. Names at the table and in ``known_names`` pass."""
    known, tag = _merge_names(context.known_names, context.names), context.pack.tag.split("-")[0]
    found = find_known_person(candidate.text, tag, known) or find_full_name(candidate.text, context.pack, known)
    return Ruling("real_person", found) if found else KEPT
