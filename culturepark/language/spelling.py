"""How a text is written before rules look at it: one form for apostrophes, accents, hidden and Arabic marks; words.

Limits: Chinese, Japanese, Thai, Lao, Khmer and Burmese are cut into single characters, not into words.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Vowel signs and accents that Python's \w leaves out, though they are parts of a word.
MARKS = "".join(chr(c) for c in range(0x300, 0x1D00) if unicodedata.category(chr(c)) in ("Mn", "Mc"))
_CHARACTERS = (
    "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Han
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f"  # Kana
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf"  # Thai, Lao
    "\u1780-\u17b3\u1000-\u102a\u103f\u1050-\u1055"  # Khmer, Burmese
)
_PLAIN_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_LETTERS = f"[^\\W_{_CHARACTERS}][{MARKS}]*"
_WORD = re.compile(f"[{_CHARACTERS}][{MARKS}]*|(?:{_LETTERS})+(?:'(?:{_LETTERS})+)*")
_ASCII_GAPS = {c: " " for c in range(128) if not chr(c).isalnum() and chr(c) != "'"}
_UNLIKE_LATIN = re.compile(f"[{_CHARACTERS}{MARKS}]")

_HIDDEN = "\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_HARAKAT = "\u0640\u0670" + "".join(chr(c) for c in (*range(0x610, 0x61B), *range(0x64B, 0x660), *range(0x6D6, 0x6DD)))
_ONE_FORM = str.maketrans(
    {
        **dict.fromkeys("\u2019\u02bc\uff07", "'"),
        **dict.fromkeys(_HIDDEN + _HARAKAT, None),
        **dict.fromkeys("\u0622\u0623\u0625\u0671", "\u0627"),  # the forms of alef
        "\u0649": "\u064a",  # alef maqsura as ya
        "\u00a0": " ",
        "\u202f": " ",
    }
)


@lru_cache(maxsize=1024)  # a text is looked at for several kinds of phrase in a row
def straighten(text: str) -> str:
    """The text in the form in which phrases are written and matched.

    That is: NFC, straight apostrophes, no invisible characters, and Arabic letters without tatweel and
    vowel marks, with one alef and one ya.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_ONE_FORM))


def words(text: str) -> list[str]:
    """Words in lower case; digits count as words, punctuation does not; scripts without spaces give characters."""
    return list(_split_words(text))


def _split_ascii(text: str) -> list[str]:
    """As ``_PLAIN_WORD`` finds them, in a quarter of its time."""
    found = text.translate(_ASCII_GAPS)
    if "'" in found:  # an apostrophe is part of a word between two letters only
        found = f" {found} ".replace("''", "  ").replace(" '", "  ").replace("' ", "  ")
    return found.split()


@lru_cache(maxsize=2048)  # rule after rule asks for the words of one text
def _split_words(text: str) -> tuple[str, ...]:
    if text.isascii():
        return tuple(_split_ascii(text.lower()))
    # lower() makes a dotted capital I two characters, of which the accent is dropped
    text = straighten(text).lower().replace("\u0307", "")
    return tuple((_WORD if _UNLIKE_LATIN.search(text) else _PLAIN_WORD).findall(text))
