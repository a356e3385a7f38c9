"""What the rules need to know about a language: sentences, which language a text is in, and tell-tale phrases.

One YAML file here is one language; the door to ``sentencex`` and ``py3langid``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from culturepark.errors import DataError
from culturepark.files import load_yaml_model

_SURE, _VERY_SURE = 0.9, 0.99
_SHORT, _TOO_SHORT = 12, 6


class LanguagePack(BaseModel):
    """Tell-tale phrases of one language, as regular expressions matched without regard to case.

    In them ``<many>`` and ``<one>`` stand for ``group_many`` and ``group_one``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    tag: str
    script: str
    farewell: tuple[str, ...]
    agreement_openings: tuple[str, ...]
    contrast: tuple[str, ...]
    refusal: tuple[str, ...]
    machine: tuple[str, ...]
    role_leak: tuple[str, ...]
    group_many: str
    group_one: str
    essentialism: tuple[str, ...]
    denial: tuple[str, ...]
    gesture: tuple[str, ...]
    first_person: tuple[str, ...]
    dangling: tuple[str, ...]
    stopwords: tuple[str, ...]
    frequent: tuple[str, ...]

    @cached_property
    def patterns(self) -> dict[str, re.Pattern[str]]:
        """One compiled pattern per kind of phrase."""
        kinds = (
            "farewell agreement_openings contrast refusal machine role_leak essentialism denial gesture "
            "first_person dangling"
        ).split()
        return {k: re.compile("|".join(map(self._put_in_groups, getattr(self, k))), re.IGNORECASE) for k in kinds}

    def _put_in_groups(self, pattern: str) -> str:
        filled = pattern.replace("<many>", f"(?:{self.group_many})").replace("<one>", f"(?:{self.group_one})")
        return f"(?:{filled})"

    @cached_property
    def empty_words(self) -> frozenset[str]:
        """Words that carry no topic."""
        return frozenset(self.stopwords)

    @cached_property
    def frequent_words(self) -> frozenset[str]:
        """Words no other language uses as often: a quarter of them is proof enough without the detector."""
        return frozenset(self.frequent)

    def find(self, kind: str, text: str) -> str:
        """The first phrase of a kind in the text, or nothing. "Not all women are ..." is no essentialism."""
        text = straighten(text)
        for match in self.patterns[kind].finditer(text):
            if kind != "essentialism" or not self._takes_back(text[: match.start()]):
                return match.group(0)
        return ""

    def _takes_back(self, before: str) -> bool:
        clause = re.split(r"[.,;:!?\n]|\b(?:but|and|because|so)\b", before, flags=re.IGNORECASE)[-1]
        return bool(self.patterns["denial"].search(clause))

    def opens_with(self, kind: str, text: str) -> bool:
        """Does the text begin with a phrase of this kind?"""
        return bool(self.patterns[kind].match(straighten(text).lstrip(" \"'\u201c\u2018*")))

    def content_words(self, text: str) -> list[str]:
        """Lower-case words of four letters or more that are not empty words."""
        return [w for w in words(text) if len(w) > 3 and w not in self.empty_words]


@cache
def load_language(name: str) -> LanguagePack:
    """The pack of a language, by its English name in lower case. Raises ``DataError`` if there is none."""
    path = Path(__file__).parent / f"{name}.yaml"
    if not name.isalpha() or not path.is_file():
        raise DataError(f"no language pack for {name!r}")
    return load_yaml_model(path, LanguagePack)


def straighten(text: str) -> str:
    """The text with straight apostrophes, which is how the phrases are written."""
    return text.replace("\u2019", "'")


def words(text: str) -> list[str]:
    """Words in lower case; digits count as words, punctuation does not."""
    text = straighten(text).lower()
    if not text.isascii():  # a separate accent would cut a word in two, as in the small letter of a dotted capital I
        text = unicodedata.normalize("NFC", text).replace("\u0307", "")
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text)


def split_sentences(text: str, tag: str) -> list[str]:
    """Sentences of a text, trimmed, none empty. Line breaks end a sentence."""
    from sentencex import segment

    found: list[str] = []
    for line in text.splitlines():
        found.extend(s.strip() for s in segment(tag.split("-")[0], line) if s.strip())
    return found


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def is_wrong_language(text: str, pack: LanguagePack) -> bool:
    """Is the text surely in another language? Short or mixed text is undecided, and undecided is not wrong.

    A text is wrong when more than three letters in ten belong to another script, or when it has at
    least 12 words and the detector names another language with probability above 0.9. Of 6 to 11 words
    none may be a frequent one of this language, and the detector must be surer still (0.99).
    """
    if pack.script == "Latin" and not text.isascii():
        letters = [c for c in text if c.isalpha()]
        if letters and sum(ord(c) > 0x24F for c in letters) / len(letters) > 0.3:
            return True
    found = words(text)
    frequent, short = sum(w in pack.frequent_words for w in found), len(found) < _SHORT
    if len(found) < _TOO_SHORT or frequent >= 0.25 * len(found) or (short and frequent):
        return False
    tag, probability = _identifier().classify(text)
    return bool(tag != pack.tag.split("-")[0] and probability > (_VERY_SURE if short else _SURE))
