"""Taking a culture's marker words (countries, adjectives, places, names, foods) out of a text.

A marker is one word or several. Endings and clitics are allowed for by length, not by grammar: a rare longer
word that begins with a marker goes too, and a word whose stem changes stays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from culturepark.language import words

# The fewest letters a marker must have to stand under an ending, and the most letters that ending has.
_ENDINGS = {"ko": (2, 4), "ja": (2, 0), "zh": (2, 0), "tr": (4, 6), "bn": (3, 4), "ar": (3, 3), "de": (4, 2)}
_OTHER = (4, 1)
_GENDERED = ("es", "pt")
_AND, _AT, _ARTICLE, _FOR_THE = "\u0648\u0641", "\u0628\u0643\u0644", "\u0627\u0644", "\u0644\u0644"


class Markers:
    """The markers of any number of cultures, ready to be taken out of texts in the language of ``tag``."""

    def __init__(self, markers: Collection[str], tag: str) -> None:
        self._tag = tag.split("-")[0].lower()
        self._by_first: dict[str, set[tuple[str, ...]]] = {}
        for marker in markers:
            if found := tuple(words(marker)):
                self._put(found)
                if self._tag == "ar" and found[0].startswith(_ARTICLE) and len(found[0]) >= 5:
                    self._put((found[0][2:], *found[1:]))

    def _put(self, marker: tuple[str, ...]) -> None:
        self._by_first.setdefault(marker[0], set()).add(marker)

    def strip(self, tokens: Sequence[str]) -> list[str]:
        """The words without markers. What removal brings together and makes a marker goes too."""
        before, after = list(tokens), self._strip_once(tokens)
        while len(after) < len(before):
            before, after = after, self._strip_once(after)
        return after

    def _strip_once(self, tokens: Sequence[str]) -> list[str]:
        kept: list[str] = []
        place = 0
        while place < len(tokens):
            size = self._find_longest(tokens, place)
            if not size:
                kept.append(tokens[place])
            place += size or 1
        return kept

    def _find_longest(self, tokens: Sequence[str], place: int) -> int:
        """How many words the longest marker that begins here has; 0 for none."""
        longest = 0
        for form in list_forms(tokens[place], self._tag):
            for marker in self._by_first.get(form, ()):
                following = tokens[place + 1 : place + len(marker)]
                fits = len(following) == len(marker) - 1 and all(
                    m in list_forms(t, self._tag) for m, t in zip(marker[1:], following, strict=True)
                )
                longest = max(longest, len(marker) if fits else 0)
        return longest


def strip_markers(text: str, markers: Collection[str], tag: str) -> str:
    """The words of a text without markers, with single spaces. Stripping again changes nothing."""
    return " ".join(Markers(markers, tag).strip(words(text)))


@lru_cache(maxsize=16384)
def list_forms(word: str, tag: str) -> frozenset[str]:
    """What a marker could look like if this word is one with an apostrophe, ending or clitic (``tag``: "ko")."""
    forms = {word, word.split("'")[0]}
    if tag == "ar":
        forms |= _drop_clitics(word)
    if tag in _GENDERED:
        forms |= {bare[:-1] + "o" for bare in (word, word.removesuffix("s")) if bare.endswith("a")}
    shortest, ending = _ENDINGS.get(tag, _OTHER)
    return frozenset(forms | {f[:cut] for f in forms for cut in range(max(shortest, len(f) - ending), len(f))})


def _drop_clitics(word: str) -> set[str]:
    """The word without "and", then "in, as, to", then the article, as far as it has them."""
    made = {word}
    for clitics in (_AND, _AT):
        made |= {form[1:] for form in made if form[0] in clitics and len(form) > 3}
        made |= {form[2:] for form in made if form.startswith(_FOR_THE) and len(form) > 4}
    return made | {form[2:] for form in made if form.startswith(_ARTICLE) and len(form) > 4}
