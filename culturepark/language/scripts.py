"""Scripts: which letters belong to which, how much of a text is in a script, and scripts mixed as no writer would.

Limits: letters only, by ranges; digits, punctuation and emoji belong to no script.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Script:
    """A writing system.

    ``letters`` are ranges for a set in a pattern; ``has_marks`` says that vowel signs follow letters;
    ``weight`` is how many Latin letters one letter is worth; ``content_letters`` how many make a telling word.
    """

    letters: str
    has_marks: bool = False
    weight: int = 1
    content_letters: int = 4


SCRIPTS = {
    "Latin": Script(
        "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1d00-\u1d25\u1e00-\u1eff\ua720-\ua7ff\uff21-\uff3a\uff41-\uff5a"
    ),
    "Greek": Script("\u0370-\u03bb\u03bd-\u03ff\u1f00-\u1fff"),
    "Cyrillic": Script("\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f"),
    "Armenian": Script("\u0531-\u058f"),
    "Hebrew": Script("\u0591-\u05f4"),
    "Arabic": Script(
        "\u0610-\u061a\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdef\ufe70-\ufefc",
        content_letters=3,
    ),
    "Devanagari": Script("\u0900-\u0963\u0970-\u097f", has_marks=True),
    "Bengali": Script("\u0980-\u09e5\u09f0-\u09fe", has_marks=True),
    "Gurmukhi": Script("\u0a00-\u0a7f", has_marks=True),
    "Gujarati": Script("\u0a80-\u0aff", has_marks=True),
    "Oriya": Script("\u0b00-\u0b7f", has_marks=True),
    "Tamil": Script("\u0b80-\u0bff", has_marks=True),
    "Telugu": Script("\u0c00-\u0c7f", has_marks=True),
    "Kannada": Script("\u0c80-\u0cff", has_marks=True),
    "Malayalam": Script("\u0d00-\u0d7f", has_marks=True),
    "Sinhala": Script("\u0d80-\u0dff", has_marks=True),
    "Thai": Script("\u0e01-\u0e3a\u0e40-\u0e4e", has_marks=True),
    "Lao": Script("\u0e80-\u0ecd\u0edc-\u0edf", has_marks=True),
    "Tibetan": Script("\u0f40-\u0fbc", has_marks=True),
    "Burmese": Script("\u1000-\u103f\u1050-\u108f", has_marks=True),
    "Georgian": Script("\u10a0-\u10ff\u1c90-\u1cbf"),
    "Ethiopic": Script("\u1200-\u135f"),
    "Khmer": Script("\u1780-\u17d3", has_marks=True),
    "Hangul": Script("\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb", weight=2, content_letters=2),
    "Kana": Script("\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f", weight=3, content_letters=1),
    "Bopomofo": Script("\u3105-\u312f", weight=3, content_letters=1),
    "Radicals": Script("\u2e80-\u2fd5", weight=3),  # look like Han letters and are none
    "Han": Script(
        "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f", weight=3, content_letters=1
    ),
}

_LOOKALIKES = ("Latin", "Greek", "Cyrillic", "Armenian")  # scripts whose letters can stand for one another unseen
_OPENING = "\"'\u201c\u2018\u201e\u00ab\u2039\u300c\u300e\u300a\u3008\u3010([{\uff08*_"
_CLOSING = "\"'\u201d\u2019\u201c\u00bb\u203a\u300d\u300f\u300b\u3009\u3011)]}\uff09*_"
_WORD = re.compile(r"[^\W\d_]+")
_PAUSE = ",:;\u2013\u2014\u060c\u061b\uff0c\uff1b\uff1a\u3001-"
_STOP = _PAUSE + ".!?\u2026\u0964\u061f\u3002\uff1f\uff01\n"
_GLOSS_WORDS, _GLOSS_CHARACTERS, _LATIN_GLOSS_WORDS = 3, 6, 5
_SPEECH_WORDS = 3


def find_share(text: str, scripts: Collection[str]) -> float:
    """The share of a text's letters that is in one of these scripts, 0 to 1; a Han letter weighs as three others."""
    known = {name: script.weight * len(_letters(name).findall(text)) for name, script in SCRIPTS.items()}
    return sum(known[name] for name in scripts) / (sum(known.values()) or 1)


def is_in_scripts(text: str, own: frozenset[str]) -> bool:
    """Is every letter in one of these scripts or in Latin?"""
    return not _foreign_run(own).search(text)


def find_mixture(text: str, main: str, allowed: Collection[str]) -> str:
    """The first piece of the text in a script that has no business there, or nothing.

    That is a word made of letters that only look alike (a Cyrillic one in a Latin word) or with Latin letters
    in its middle where letters join (Arabic, the scripts of India); a run of another
    script, unless it is one to three words in quotes, in brackets, between pauses or with a gloss in
    brackets; and, where Latin is not the script, three or more Latin words that are neither a name nor in
    quotes or brackets.
    """
    if main == "Latin" and text.isascii():
        return ""
    if any(_letters(name).search(text) for name in _LOOKALIKES[1:]):
        for word in _WORD.findall(text):
            if sum(bool(_letters(name).search(word)) for name in _LOOKALIKES) > 1:
                return str(word)
    if (main == "Arabic" or SCRIPTS[main].has_marks) and (torn := _torn_word(main).search(text)):
        return torn.group()
    own = frozenset((main, *allowed))
    for run in _foreign_run(own).finditer(text):
        if not _is_set_off(text, run.start(), run.end()):
            return run.group()
    if "Latin" not in own:
        for run in _LATIN_RUN.finditer(text):
            if _is_speech(run.group()) and not _is_set_off(text, run.start(), run.end(), latin=True):
                return run.group()
    return ""


@cache
def _letters(name: str) -> re.Pattern[str]:
    return re.compile(f"[{SCRIPTS[name].letters}]")


@cache
def _torn_word(main: str) -> re.Pattern[str]:
    own, latin = SCRIPTS[main].letters, SCRIPTS["Latin"].letters
    return re.compile(f"[{own}]+[{latin}]{{1,3}}[{own}]+")


@cache
def _foreign_run(own: frozenset[str]) -> re.Pattern[str]:
    """Letters of scripts that are neither own nor Latin, with the spaces and hyphens between them.

    A Greek letter on its own is a sign (pi, alpha), no script.
    """
    others = "".join(script.letters for name, script in SCRIPTS.items() if name not in own and name != "Latin")
    lone = "" if "Greek" in own else f"(?!(?<![^\\W\\d_])[{SCRIPTS['Greek'].letters}](?![^\\W\\d_]))"
    return re.compile(f"{lone}[{others}](?:[ '\u2019\u200c\u200d\u00b7-]*[{others}])*")


_LATIN_WORD = f"[{SCRIPTS['Latin'].letters}]+"
_LATIN_RUN = re.compile(f"{_LATIN_WORD}(?:[ ,'\u2019-]+{_LATIN_WORD})*")


def _is_speech(run: str) -> bool:
    """Are these Latin words more than a name or a term: three or more, most of which begin small?"""
    found = [w for w in run.replace(",", " ").split() if w[0].isalpha()]
    return len(found) >= _SPEECH_WORDS and sum(w[0].islower() for w in found) > len(found) / 2


def _is_set_off(text: str, start: int, end: int, latin: bool = False) -> bool:
    """Is this short piece in quotes or brackets, before brackets that explain it, or (if not Latin) between pauses?"""
    piece, before, after = text[start:end], text[:start].rstrip(" "), text[end:].lstrip(" ")
    count = len(piece.split())
    if count > (_LATIN_GLOSS_WORDS if latin else _GLOSS_WORDS) or not before or not after:
        return False
    if not latin and len(_dense_letters().findall(piece)) > _GLOSS_CHARACTERS:
        return False
    opens, closes = before[-1] in _OPENING, after[0] in _CLOSING
    if latin:
        return opens and (closes or after[0] in _STOP)
    return after[0] in "(\uff08[" or ((opens or before[-1] in _PAUSE) and (closes or after[0] in _STOP))


@cache
def _dense_letters() -> re.Pattern[str]:
    return re.compile(f"[{''.join(s.letters for s in SCRIPTS.values() if s.weight == 3)}]")
