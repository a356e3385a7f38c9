"""What the rules need to know about a language: sentences, which language a text is in, and tell-tale phrases.

One YAML file here is one language; the door to ``sentencex`` and ``py3langid``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from culturepark.language.packs import LanguagePack, find_language, list_languages, load_language
from culturepark.language.scripts import SCRIPTS, find_mixture, find_share, is_in_scripts
from culturepark.language.spelling import straighten, words

__all__ = [
    "LanguagePack",
    "find_foreign_script",
    "find_language",
    "is_wrong_language",
    "list_languages",
    "load_language",
    "split_sentences",
    "straighten",
    "words",
]

_UNLIKELY, _RULED_OUT = 0.05, 0.01
_SHORT, _TOO_SHORT, _TOO_FEW = 12, 6, 3
_STOPS = '.!?\u2026:"\u201c\u201d'
_EDGES = '.,!?;:"()'
_FOREIGN, _FOREIGN_LATIN = 0.3, 0.5
# Little words that several languages share, with and without a pack here: Romance ones, Turkic ones.
_SHARED = frozenset(
    "a e o de do da du di la le les lo el il un una en in no non me se si te tu ma mi su que per con es al as "
    "bir bu o iki daha az çox çok sonra var yox hər".split()
)
# What the detector tells apart and we do not: varieties of a language, and neighbours it takes for it.
_VARIETIES = {"ary": "ar", "arz": "ar", "wuu": "zh", "yue": "zh", "ext": "es", "an": "es"}


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


def find_foreign_script(text: str, pack: LanguagePack) -> str:
    """The first piece in a script or mixture of scripts that the language does not have, or nothing.

    Names and terms in Latin letters are fine anywhere, and so is a short quoted or bracketed foreign phrase.
    """
    return find_mixture(text, pack.script, pack.scripts_allowed)


def is_wrong_language(text: str, pack: LanguagePack) -> bool:
    """Is the text surely in another language? Short or mixed text is undecided, and undecided is not wrong.

    A text is wrong when more than three letters in ten belong to another script (of Latin, where it is
    foreign: half of them, and three words), or when the detector gives this language a probability
    below 0.05 and less than a quarter of its words are frequent ones that no other language here has.
    Of 6 to 11 words none may be such a word and the probability must be below 0.01; fewer are undecided.
    A Chinese character counts as half a word; what is written like a name does not count.
    """
    if _is_in_wrong_script(text, pack):
        return True
    found, known = words(text), _telling_words(pack.id)
    count = len(found) / (2 if pack.unspaced else 1)
    # At least so many words tell that are written small, and names are among the others: most texts end here.
    small = [t.strip(_EDGES) for t in text.split()]
    if count < _TOO_SHORT or sum(map(known.__contains__, small)) >= 0.25 * len(found):
        return False
    text = _drop_names(text)
    found = words(text)
    if len(found) < _TOO_FEW:
        return False
    telling, short = sum([w in known for w in found]), count < _SHORT
    if telling >= 0.25 * len(found) or (short and telling):
        return False
    return _find_probability(text, pack.tag) < (_RULED_OUT if short else _UNLIKELY)


def _drop_names(text: str) -> str:
    """The text without capitalised words inside its sentences: in any language they may be foreign names."""
    kept, before = [], "."
    for token in text.split():
        if token[0].islower() or len(token) == 1 or before[-1] in _STOPS or not token[0].isupper():
            kept.append(token)
        before = token
    return " ".join(kept)


def _find_probability(text: str, tag: str) -> float:
    """How likely the detector finds this language, 0 to 1; varieties of it count as the language."""
    own = tag.split("-")[0]
    ranked = _identifier().rank(text)
    return float(sum(probability for found, probability in ranked if own in (found, _VARIETIES.get(found))))


def _is_in_wrong_script(text: str, pack: LanguagePack) -> bool:
    if pack.script == "Latin" and text.isascii():
        return False
    own = frozenset((pack.script, *pack.scripts_allowed))
    if not is_in_scripts(text, own) and find_share(text, SCRIPTS.keys() - own - {"Latin"}) > _FOREIGN:
        return True
    if pack.script == "Latin":
        return False
    text = _drop_names(text)
    return find_share(text, ("Latin",)) > _FOREIGN_LATIN and len(words(text)) >= _TOO_FEW


@cache
def _telling_words(name: str) -> frozenset[str]:
    """The frequent words of a language that are frequent in no other language we know of."""
    others = (load_language(other).frequent_words for other in list_languages() if other != name)
    return load_language(name).frequent_words.difference(_SHARED, *others)
