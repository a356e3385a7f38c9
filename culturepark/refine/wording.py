"""Small questions about a text that several stages ask: whose name it says, how it ends, how many words it has.

``count_words``: where a language puts no spaces between words, 1.6 characters count as one (about what written
Chinese needs), so that limits stated for spaced languages hold.
"""

from __future__ import annotations

import re
from functools import lru_cache

from culturepark.language import LanguagePack, straighten, words
from culturepark.language.spelling import MARKS

CHARACTERS_A_WORD = 1.6

# What may be written onto a name: Arabic "and, so, with, for, like" before it, Korean particles and Bengali
# case endings after it.
_BEFORE = "(?:[وف]?[بلك]?)"
_PARTICLE = "은|는|이|가|을|를|의|에게도|에게서|에게|한테서|한테|께서|께|와|과|랑|도|만|아|야|네|처럼|보다|까지|부터"
_ENDING = "ের|র|কে|ে|েরা|রা|দের|েদের|ও|ই"
_MARK = f"\\w{MARKS}"


@lru_cache(maxsize=4096)
def _compile_name(name: str) -> re.Pattern[str]:
    plain = re.escape(straighten(name))
    if re.search("[\u3400-\u9fff]", name):
        return re.compile(plain)
    if re.search("[\uac00-\ud7a3]", name):
        return re.compile(rf"(?<!\w){plain}(?:이(?=[가-힣]))?(?:씨|님)?(?:{_PARTICLE})?(?:{_PARTICLE})?(?!\w)")
    if re.search("[\u0621-\u064a]", name):
        return re.compile(rf"(?<!\w){_BEFORE}{plain}(?!\w)")
    if re.search("[\u0980-\u09ff]", name):
        return re.compile(rf"(?<![{_MARK}]){plain}(?:{_ENDING})?(?![{_MARK}])")
    return re.compile(rf"(?<!\w){plain}(?!\w)")


def says_name(name: str, text: str) -> bool:
    """Is the name in the text as it is written? Said, Joy and So-young are names; said, joy and so are none."""
    text = straighten(text)
    return straighten(name) in text and bool(_compile_name(name).search(text))


def ends_with_question(text: str) -> bool:
    """Is the last mark a question mark, in any of the scripts?"""
    return text.rstrip().endswith(("?", "\u061f", "\uff1f"))


def count_words(text: str, pack: LanguagePack) -> int:
    """Words of a text; of an unspaced language the number of words its characters stand for, rounded."""
    found = words(text)
    if not pack.unspaced:
        return len(found)
    single = sum(len(w) == 1 and not w.isascii() for w in found)
    return round(single / CHARACTERS_A_WORD) + len(found) - single
