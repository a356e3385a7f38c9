"""A folder of the user's texts, searched by BM25; the door to ``bm25s``.

Limits: words are matched by their spelling and their beginning, not by meaning; there is no list of empty words.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from culturepark.errors import DataError
from culturepark.language import words

_LONGEST = 120  # words of a passage
_DENSE = 1.6  # characters that make a word where none are separated
_STEM = 5  # letters of a word's beginning that stand for its family
_SENTENCE = re.compile(r"(?<=[.!?\u2026\u061f\u06d4\u0964])\s+|(?<=[\u3002\uff01\uff1f])")
_ARTICLE = re.compile("^(?:\u0648|\u0641)?(?:\u0627\u0644|\u0628\u0627\u0644|\u0643\u0627\u0644|\u0644\u0644)(?=...)")
_SUFFIXES = (".txt", ".md", ".jsonl")


@dataclass(frozen=True, slots=True)
class Source:
    """Something claims are checked against: a fact of a profile or a passage of the user's."""

    id: str
    text: str


class Passages:
    """Searchable texts. Of two that fit alike the earlier one comes first."""

    def __init__(self, sources: Sequence[Source]) -> None:
        from bm25s import BM25

        self._sources = tuple(sources)
        self._index = BM25(backend="numpy")
        tokens = [split_tokens(s.text) for s in self._sources]
        self._is_searchable = any(tokens)
        if self._is_searchable:
            self._index.index(tokens, show_progress=False)

    @classmethod
    def load(cls, folder: Path) -> Passages:
        """Read .txt and .md files (paragraphs) and .jsonl files (key ``text``), in the order of their names.

        A passage has at most about 120 words; its id is ``<file stem>#<number>``. Links out of the folder are not
        followed. Raises ``DataError`` for a missing folder, one without passages, or a file that cannot be read.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise DataError(f"{folder}: is not a folder of passages")
        found: list[Source] = []
        counts: dict[str, int] = {}
        for path in _list_files(folder):
            for text in _read_passages(path):
                counts[path.stem] = counts.get(path.stem, 0) + 1
                found.append(Source(f"{path.stem}#{counts[path.stem]}", text))
        if not found:
            raise DataError(f"{folder}: holds no passages; put {', '.join(_SUFFIXES)} files there")
        return cls(found)

    def __len__(self) -> int:
        return len(self._sources)

    def search(self, query: str, limit: int = 3) -> list[Source]:
        """The passages that share words with a query, best first."""
        asked = self._index.get_tokens_ids(sorted(set(split_tokens(query)))) if self._is_searchable else []
        if not asked:
            return []
        scores = self._add_scores(asked)
        order = np.argsort(-scores, kind="stable")[: max(limit, 0)]
        return [self._sources[k] for k in order if scores[k] > 0]

    def _add_scores(self, asked: Sequence[int]) -> NDArray[np.float32]:
        """What ``BM25.get_scores_from_ids`` gives, to the last bit, in one call for all words."""
        parts = self._index.scores
        starts, ends = parts["indptr"][asked].tolist(), parts["indptr"][[k + 1 for k in asked]].tolist()
        spans = [slice(a, b) for a, b in zip(starts, ends, strict=True)]
        scores = np.zeros(len(self._sources), dtype=np.float32)
        numbers = np.concatenate([parts["indices"][s] for s in spans])
        np.add.at(scores, numbers, np.concatenate([parts["data"][s] for s in spans]))
        return scores


def split_tokens(text: str) -> list[str]:
    """What a text is searched by: words and their first letters, and pairs of characters where words run together."""
    found: list[str] = []
    before = ""
    for word in words(text):
        if _is_character(word):
            found.append(before + word if before else word)
            before = word
            continue
        before = ""
        if "\uac00" <= word[0] <= "\ud7a3":  # Korean particles stand at the end: pairs of syllables
            found += [word, *(word[k : k + 2] for k in range(len(word) - 2))]
        else:
            stem = word if word.isascii() else _ARTICLE.sub("", word)
            found += [word, f"{stem[:_STEM]}-"] if len(stem) > 3 else [word]
    return found


def _is_character(word: str) -> bool:
    return len(word) == 1 and word >= "\u0e01" and not "\uac00" <= word <= "\ud7a3"


def _list_files(folder: Path) -> list[Path]:
    """Files of the kinds that are read, sorted; what a link would lead out of the folder for is left out."""
    home = folder.resolve()
    found: list[Path] = []
    for place, _, names in os.walk(folder, followlinks=False):
        found += [Path(place) / name for name in names if Path(name).suffix.lower() in _SUFFIXES]
    inside = [p for p in found if p.resolve().is_relative_to(home) and p.is_file()]
    return sorted(inside, key=lambda p: p.relative_to(folder).as_posix())


def _read_passages(path: Path) -> Iterator[str]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    if path.suffix.lower() == ".jsonl":
        texts = _read_jsonl(path, content)
    else:
        texts = (p for p in re.split(r"\n\s*\n", content))
    for text in texts:
        yield from cut_passage(" ".join(text.lstrip("# ").split()))


def _read_jsonl(path: Path, content: str) -> Iterator[str]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: is not JSON ({str(error)[:60]})") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise DataError(f"{path}, line {number}: has no 'text'")
        yield row["text"]


def cut_passage(text: str) -> Iterator[str]:
    """A paragraph in pieces of at most about 120 words, cut between sentences; a longer sentence is cut anywhere."""
    piece, size = "", 0.0
    for sentence in _SENTENCE.split(text):
        count = count_words(sentence)
        if piece and size + count > _LONGEST:
            yield piece
            piece, size = "", 0.0
        while count > _LONGEST:
            head = _take_head(sentence)
            yield head
            sentence = sentence[len(head) :].lstrip()
            count = count_words(sentence)
        if count:
            glue = " " if piece and not _is_character(piece[-2:-1]) else ""
            piece, size = f"{piece}{glue}{sentence}".strip(), size + count
    if piece:
        yield piece


def count_words(text: str) -> float:
    """Words of a text; in scripts without spaces 1.6 characters are one."""
    found = words(text)
    characters = sum(map(_is_character, found))
    return len(found) - characters + characters / _DENSE


def _take_head(sentence: str) -> str:
    """The beginning of a sentence of about 120 words; never empty."""
    share = _LONGEST / count_words(sentence)
    end = max(1, int(len(sentence) * share))
    space = sentence.rfind(" ", 0, end + 1)
    return sentence[: space if space > end // 2 else end].rstrip() or sentence[:end]
