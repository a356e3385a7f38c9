"""Prompts: text files with checked holes. ``full`` suits capable models, ``compact`` very small ones.

A prompt is a Markdown file ``<size>/<task>.md`` with holes such as ``${name}``. A user's folder with
files of the same names wins over the packaged ones. Which holes a prompt may have stands in ``HOLES``,
which it must have in ``NEEDED``; an unknown or a missing hole is an error at load time. No code runs
from a prompt.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from culturepark.errors import DataError
from culturepark.files import nearest

_FOLDER = Path(__file__).parent
SIZES = ("full", "compact")
_PERSON = frozenset(
    ("name", "age", "gender", "occupation", "home", "country")
    + ("household", "religiosity", "interests", "style", "facts")
)
_SCENE = frozenset({"place", "relationship", "occasion", "mood", "want", "others"})
_VIEW = frozenset({"title", "discuss", "view", "related"})
# Languages with worked examples for the refinement agent; any other is shown the English ones.
_WORKED = ("english", "arabic", "korean", "chinese", "spanish", "german", "portuguese", "turkish", "bengali")

HOLES: dict[str, frozenset[str]] = {
    "persona": frozenset(("age", "gender", "home", "country", "occupation", "household", "religiosity", "style")),
    "reasoning": frozenset({"question"}),
    "speaker": _PERSON | _SCENE | _VIEW | {"language"},
    "note": frozenset({"discuss", "view"}),
    "open": frozenset({"discuss", "occasion", "others", "view"}),
    "listen": frozenset({"discuss", "occasion", "speaker", "text"}),
    "listen_panel": frozenset({"lines", "name"}),
    "reply": frozenset({"discuss", "speaker", "text", "view"}),
    "examples": frozenset(),
    "fix": frozenset({"reason"}),
    "moderator": frozenset({"place", "occasion", "mood", "people", "title", "discuss", "language"}),
    "moderate": frozenset({"lines", "next"}),
    "classic": frozenset(
        {"contact", "delegate", "contact_country", "delegate_country", "statement", "view", "discuss", "language"}
    ),
    "classic_turn": frozenset({"name", "guide"}),
    "refine_system": frozenset({"language", "examples"}),
    "talk": frozenset({"transcript", "title", "statement"}),
    "refine_fix": frozenset({"error"}),
    "extract": frozenset({"people", "wanted", "scale", "example"}),
    "verify": frozenset({"sources", "views", "claims", "form"}),
    "verify_again": frozenset({"sources", "views", "claims", "form"}),
    "rewrite": frozenset({"language", "claims", "form"}),
    "harm": frozenset({"claims", "form"}),
    "fit": frozenset({"audience", "claims", "form"}),
    **{f"refine_examples_{language}": frozenset() for language in _WORKED},
}
# Without these nothing works: nobody would hear what was said, or know what to answer.
NEEDED: dict[str, frozenset[str]] = {
    "reasoning": frozenset({"question"}),
    "speaker": frozenset({"name"}),
    "listen": frozenset({"text"}),
    "listen_panel": frozenset({"lines"}),
    "reply": frozenset({"text"}),
    "moderate": frozenset({"lines", "next"}),
    "classic_turn": frozenset({"name", "guide"}),
    "talk": frozenset({"transcript"}),
    "extract": frozenset({"people", "wanted", "example"}),
    "verify": frozenset({"views", "claims", "form"}),
    "verify_again": frozenset({"views", "claims", "form"}),
    "rewrite": frozenset({"claims", "form"}),
    "harm": frozenset({"claims", "form"}),
    "fit": frozenset({"audience", "claims", "form"}),
}


class Prompts:
    """All prompts of one size, with the hash of each file."""

    def __init__(self, size: str = "full", folder: Path | None = None) -> None:
        """Load and check every prompt. Raises ``DataError`` naming the file and the hole."""
        self.size = size
        self._folder = folder
        self._parts: dict[str, list[tuple[bool, str]]] = {}
        self._sources: dict[str, str] = {}
        if folder is not None and not folder.is_dir():
            raise DataError(f"{folder}: the prompts folder does not exist")
        for path in sorted(folder.rglob("*.md")) if folder else ():
            if path.stem not in HOLES:
                raise DataError(f"{path}: no prompt has this name{nearest(path.stem, HOLES)}; rename or remove it")
        for name, holes in HOLES.items():
            path = self._find(name)
            text = _read(path)
            template = string.Template(text)
            if not template.is_valid():
                raise DataError(f"{path}: a '$' stands alone; write '$$' for a dollar sign")
            unknown = set(template.get_identifiers()) - holes
            if unknown:
                known = ", ".join(sorted(holes))
                raise DataError(f"{path}: unknown hole ${{{sorted(unknown)[0]}}}; it may use {known}")
            missing = NEEDED.get(name, frozenset()) - set(template.get_identifiers())
            if missing:
                raise DataError(f"{path}: the hole ${{{sorted(missing)[0]}}} is missing; it cannot work without")
            self._parts[name] = _cut(template)
            self._sources[name] = text

    def _find(self, name: str) -> Path:
        places = [_FOLDER / self.size / f"{name}.md", _FOLDER / "full" / f"{name}.md"]
        if self._folder is not None:
            places = [self._folder / self.size / f"{name}.md", self._folder / f"{name}.md", *places]
        return next(p for p in places if p.is_file())

    def render(self, name: str, holes: Mapping[str, object]) -> str:
        """Fill a prompt. Raises ``DataError`` when a hole has no value."""
        try:
            return "".join([part if plain else str(holes[part]) for plain, part in self._parts[name]])
        except KeyError as error:
            raise DataError(f"prompt {name!r}: no value for the hole {error}") from error

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 (first 16 hex digits) of each prompt's text, by name."""
        return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in self._sources.items()}

    @cached_property
    def examples(self) -> tuple[tuple[str, str], ...]:
        """Worked examples put before every talk: pairs of what is heard and what is said, often none."""
        parts = [part.strip() for part in self.render("examples", {}).split("---")]
        return tuple(zip(parts[::2], parts[1::2], strict=False))

    def refine_examples(self, language: str) -> str:
        """Worked examples of sound judgement in a language, or in English where there are none."""
        return self.render(f"refine_examples_{language if language in _WORKED else 'english'}", {})

    def text(self, name: str) -> str:
        """A prompt as it is written, holes unfilled."""
        return self._sources[name]


def _cut(template: string.Template) -> list[tuple[bool, str]]:
    """A template as pieces: plain text (True) and names of holes."""
    text, pieces, end = template.template, list[tuple[bool, str]](), 0
    for found in template.pattern.finditer(text):
        hole = found["named"] or found["braced"]
        pieces += [(True, text[end : found.start()]), (False, hole) if hole else (True, template.delimiter)]
        end = found.end()
    return [*pieces, (True, text[end:])]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error})") from error
