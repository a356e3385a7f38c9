"""Names beside a title or a verb of saying, in languages of Latin script that mark names with capitals.

Limits: where any word may have a capital (heads of sentences, German) a name must begin with a known given name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from culturepark.language import LanguagePack
from culturepark.language.literals import Literals
from culturepark.language.phrases import Needs, add_needs, are_met, fold
from culturepark.refine.stages.people import load_words

_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĘĚĞĪİŁŃŇŐŒŘŚŞŠŤŪŮŰŹŻŽ"
_CAPITAL = rf"[{_UPPER}](?:[^\W\d_]+(?:-[{_UPPER}]?[^\W\d_]+)*|\.(?= ?[{_UPPER}]))"
_JOINT = r"(?:(?:de la|de los|dos|das|del|de|da|do|von der|von|van der|van|bin|ibn|al|el|ben|bint) )?"
_NAMES = rf"{_CAPITAL}(?: ?{_JOINT}{_CAPITAL})*(?!\w)"
_NAME = re.compile(_NAMES)
_INSIDE = re.compile(r"[\w']")
_HEAD = re.compile(r"(?:^|[.!?\u2026:\"\u201c\u201e\u00ab\u00bf\u00a1\n(-])\s*$")
_DETERMINED = re.compile(
    r"\b(?:der|die|das|dem|den|des|eine?[mnrs]?|unser\w*|mein\w*|ihr\w*|sein\w*|kein\w*|jede\w*|diese\w*"
    r"|als|\w+e[nrms]?) $",
    re.IGNORECASE,
)
_ADVERBS = (
    r",? ?(?:(?:has|had|have|once|always|also|even|hat|hatte|auch|einmal|ha|había|siempre|también|sempre|já"
    r"|tinha|hep|da|de|bir kez) )?"
)


@dataclass(frozen=True, slots=True)
class _Rules:
    office: re.Pattern[str]
    lead: re.Pattern[str]
    says: re.Pattern[str]
    needs: tuple[Needs, ...]  # what a text must hold for each of the three


@lru_cache(maxsize=64)
def _compile_rules(tag: str, literals: Literals) -> _Rules:
    words = load_words()
    offices, leads, says = words.offices[tag], words.leads[tag], words.says[tag]
    return _Rules(
        re.compile(rf"\b(?:{offices}),? ({_NAMES})"),
        re.compile(rf"\b(?i:{leads}) ({_NAMES})"),
        re.compile(rf"{_ADVERBS}(?:{says})\b"),
        tuple(add_needs(f"(?:{pattern})", literals) for pattern in (offices, leads, says)),
    )


@lru_cache(maxsize=64)
def _split_known(names: frozenset[str]) -> frozenset[str]:
    return frozenset(part for name in names for part in re.split(r"[\s-]+", name)) | load_words().given


def find_full_name(text: str, pack: LanguagePack, known: frozenset[str]) -> str:
    """A name beside an office of state, or a full name beside another title or a verb of saying; or nothing."""
    tag = pack.tag.split("-")[0]
    if pack.script != "Latin" or tag not in load_words().offices:
        return ""
    rules = _compile_rules(tag, pack.literals)
    found = pack.literals.find(fold(text))
    held, led, speaking = [are_met(needs, found) for needs in rules.needs]
    return (
        (held and _find_held(text, rules, tag, known))
        or (led and _find_led(text, rules, tag, known))
        or (speaking and _find_speaking(text, rules, tag, known))
        or _find_titled(text, pack, known)
    )


def _find_held(text: str, rules: _Rules, tag: str, known: frozenset[str]) -> str:
    """After an article a German genitive is a country or a thing: "der Präsident Frankreichs"."""
    for m in rules.office.finditer(text):
        if tag == "de" and _DETERMINED.search(text[max(0, m.start() - 20) : m.start()]):
            continue
        if not _is_nobody(m[1], known) and m[1].split()[0] not in known:
            return m[0]
    return ""


def _find_led(text: str, rules: _Rules, tag: str, known: frozenset[str]) -> str:
    for m in rules.lead.finditer(text):
        if found := next(_pick_full(m[1], tag == "de", known), ""):
            return found
    return ""


def _find_speaking(text: str, rules: _Rules, tag: str, known: frozenset[str]) -> str:
    for m in _NAME.finditer(text):
        if m.start() and _INSIDE.match(text[m.start() - 1]) or not rules.says.match(text, m.end()):
            continue
        at_head = bool(_HEAD.search(text[max(0, m.start() - 4) : m.start()]))
        if found := next(_pick_full(m[0], at_head or tag == "de", known), ""):
            return found
    return ""


def _find_titled(text: str, pack: LanguagePack, known: frozenset[str]) -> str:
    for title in pack.patterns["titles"].scan(text):
        m = _NAME.match(text, title.end() + 1) if text[title.end() : title.end() + 1] == " " else None
        if m and (found := next(_pick_full(m[0], False, known), "")):
            return f"{title[0]} {found}"
    return ""


def _pick_full(name: str, needs_given: bool, known: frozenset[str]) -> Iterator[str]:
    """The name if it has two words and is nobody known; where capitals say little, from its given name on."""
    found, parts = name.split(), _split_known(known)
    while needs_given and found and found[0] not in parts:
        found.pop(0)
    full = " ".join(found)
    if len(found) > 1 and not _is_nobody(full, known) and not all(w in parts for w in found):
        yield full


def _is_nobody(name: str, known: frozenset[str]) -> bool:
    words, parts = load_words(), re.split(r"[\s-]+", name)
    return name in known or any(p in words.no_names or p in words.historical for p in parts)
