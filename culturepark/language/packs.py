"""Language packs: the tell-tale phrases of a language, one YAML file each, and how to get them.

Limits: phrases are regular expressions on the surface of a text; irony and paraphrase pass them by.
"""

from __future__ import annotations

import re
from functools import cache, cached_property, lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator

from culturepark.errors import DataError
from culturepark.files import load_yaml_model
from culturepark.language.literals import Literals
from culturepark.language.phrases import Phrases
from culturepark.language.scripts import SCRIPTS
from culturepark.language.spelling import MARKS, straighten, words

_FOLDER = Path(__file__).parent
_KINDS = (
    "farewell agreement_openings contrast refusal machine role_leak essentialism denial denial_after gesture "
    "first_person dangling titles"
).split()
_PUNCTUATION = "[.,;:!?\\n\u2026\u0964\u0965\u060c\u061b\u061f\u06d4\u3002\uff0e\uff0c\uff1b\uff1a\uff1f\uff01]"
_OPENERS = " \"'\u201c\u2018\u201e\u00ab\u300c\u300e\u00a1\u00bf*"


class LanguagePack(BaseModel):
    """Tell-tale phrases of one language, as regular expressions matched without regard to case.

    In them ``<many>`` and ``<one>`` stand for ``group_many`` and ``group_one``. Texts and phrases are
    brought into one form first (``straighten``); in scripts with vowel signs ``\\b``, ``\\w`` and ``\\W``
    count the signs as letters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    tag: str
    script: str
    scripts_allowed: tuple[str, ...] = ()
    unspaced: bool = False
    farewell: tuple[str, ...]
    agreement_openings: tuple[str, ...]
    contrast: tuple[str, ...]
    refusal: tuple[str, ...]
    machine: tuple[str, ...]
    role_leak: tuple[str, ...]
    group_many: str
    group_one: str
    essentialism: tuple[str, ...]
    clause_breaks: tuple[str, ...] = ()
    denial: tuple[str, ...]
    denial_after: tuple[str, ...] = ()
    gesture: tuple[str, ...]
    first_person: tuple[str, ...]
    dangling: tuple[str, ...]
    titles: tuple[str, ...] = ()
    stopwords: tuple[str, ...]
    frequent: tuple[str, ...]

    @field_validator("script", "scripts_allowed")
    @classmethod
    def _check_scripts(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (value,) if isinstance(value, str) else value:
            if name not in SCRIPTS:
                raise ValueError(f"no script is called {name!r}; known: {', '.join(SCRIPTS)}")
        return value

    @cached_property
    def patterns(self) -> dict[str, Phrases]:
        """The compiled phrases of each kind; an empty kind matches nothing."""
        return {kind: Phrases(map(self._prepare, getattr(self, kind)), self.literals) for kind in _KINDS}

    @cached_property
    def literals(self) -> Literals:
        """Looks for what the patterns need, and for what others who ask about the same texts add."""
        return Literals()

    @cached_property
    def _breaks(self) -> re.Pattern[str]:
        return re.compile("|".join((_PUNCTUATION, *map(self._prepare, self.clause_breaks))), re.IGNORECASE)

    def _prepare(self, pattern: str) -> str:
        filled = pattern.replace("<many>", f"(?:{self.group_many})").replace("<one>", f"(?:{self.group_one})")
        filled = straighten(filled)
        return _count_marks(filled) if SCRIPTS[self.script].has_marks else filled

    @cached_property
    def empty_words(self) -> frozenset[str]:
        """Words that carry no topic."""
        return frozenset(w for phrase in self.stopwords for w in (straighten(phrase).lower(), *words(phrase)))

    @cached_property
    def frequent_words(self) -> frozenset[str]:
        """Words no other language uses as often: a quarter of them is proof enough without the detector."""
        return frozenset(straighten(w).lower() for w in self.frequent)

    def find(self, kind: str, text: str) -> str:
        """The first phrase of a kind in the text, or nothing. "Not all women are ..." is no essentialism."""
        text = straighten(text)
        if kind != "essentialism":
            return self.patterns[kind].find(text)
        for match in self.patterns[kind].scan(text):
            if not self._is_taken_back(text, match.start(), match.end()):
                return match.group(0)
        return ""

    def _is_taken_back(self, text: str, start: int, end: int) -> bool:
        """Is a claim denied in its own clause, before it or (verb-final languages) after it?"""
        opening = max((b.end() for b in self._breaks.finditer(text, 0, start)), default=0)
        if self.patterns["denial"].search(text[opening:start]):
            return True
        closing = self._breaks.search(text, end)
        return bool(self.patterns["denial_after"].search(text[end : closing.start() if closing else len(text)]))

    def opens_with(self, kind: str, text: str) -> bool:
        """Does the text begin with a phrase of this kind?"""
        return self.patterns[kind].begin(straighten(text).lstrip(_OPENERS))

    def content_words(self, text: str) -> list[str]:
        """Lower-case words that are long enough to carry a topic (four letters in Latin) and are not empty words."""
        least = SCRIPTS[self.script].content_letters
        return [w for w in words(text) if len(w) >= least and w not in self.empty_words]


_TOKEN = re.compile(r"\\.|\[\^?\]?|\]|[^\\\[\]]+", re.DOTALL)


def _count_marks(pattern: str) -> str:
    """The pattern with vowel signs as letters of a word for ``\\b``, ``\\w`` and ``\\W`` (not for ``\\W`` in a set)."""
    letter, inside, parts = f"[\\w{MARKS}]", False, []
    meaning = {
        r"\w": letter,
        r"\W": f"[^\\w{MARKS}]",
        r"\b": f"(?:(?<!{letter})(?={letter})|(?<={letter})(?!{letter}))",
    }
    for token in _TOKEN.findall(pattern):
        if inside:
            parts.append(f"\\w{MARKS}" if token == r"\w" else token)
            inside = token != "]"
        else:
            parts.append(meaning.get(token, token))
            inside = token.startswith("[")
    return "".join(parts)


def list_languages() -> list[str]:
    """The English names of all languages with a pack."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@cache
def load_language(name: str) -> LanguagePack:
    """The pack of a language, by its English name in lower case. Raises ``DataError`` if there is none."""
    path = _FOLDER / f"{name}.yaml"
    if not name.isalpha() or not path.is_file():
        raise DataError(f"no language pack for {name!r}")
    return load_yaml_model(path, LanguagePack)


@lru_cache(maxsize=256)
def find_language(tag: str) -> LanguagePack | None:
    """The pack for a BCP-47 tag such as ``ko-KR``; region and script are not looked at. Nothing if there is none."""
    wanted = tag.replace("_", "-").split("-")[0].lower()
    names = (name for name in list_languages() if _read_tag(name) == wanted)
    name = next(names, "")
    return load_language(name) if name else None


@cache
def _read_tag(name: str) -> str:
    found = re.search(r"^tag: *[\"']?([a-z]+)", (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""
