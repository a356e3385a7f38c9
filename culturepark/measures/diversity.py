"""How varied texts are in words and letters: distinct-n, self-BLEU, near copies, compression.

Each takes texts of one language: figures of different languages cannot be compared, nor can figures over
different amounts of text, which is why amounts are fixed and reported. In scripts without spaces a word is
one character.
"""

from __future__ import annotations

import math
import random
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from culturepark.language import straighten, words
from culturepark.language.spelling import MARKS
from culturepark.measures.figure import Figure
from culturepark.measures.sampling import draw_sample

_NOT_ZERO = 0.1
_PUNCTUATION = re.compile(f"([^\\w\\s'{MARKS}])")


def distinct_n(
    texts: Sequence[str], orders: Sequence[int] = (1, 2, 3), budget: int = 20_000, seed: int = 0
) -> dict[int, Figure]:
    """Different n-grams divided by all n-grams (Li et al. 2016), for each n.

    Over the first ``budget`` words of the texts in a seeded order; n-grams stay inside a text. ``n`` of each
    figure is the number of words used: the share falls as it grows, so compare equal ones only.
    """
    kept = list(_take_words(texts, budget, seed))
    used = sum(map(len, kept))
    made = {}
    for order in orders:
        grams = [gram for text in kept for gram in _cut_grams(text, order)]
        made[order] = (
            Figure(len(set(grams)) / len(grams), used) if grams else Figure(None, used, f"no text has {order} words")
        )
    return made


def _take_words(texts: Sequence[str], budget: int, seed: int) -> Iterator[list[str]]:
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    for i in order:
        if budget <= 0:
            return
        found = words(texts[i])[:budget]
        budget -= len(found)
        yield found


def _cut_grams(tokens: Sequence[str], order: int) -> list[tuple[str, ...]]:
    return list(zip(*(tokens[i:] for i in range(order)), strict=False))


def self_bleu(texts: Sequence[str], order: int = 4, sample: int = 300, seed: int = 0) -> Figure:
    """Mean BLEU of each text against all others as references (Zhu et al. 2018, Texygen); high means alike.

    BLEU of Papineni et al. 2002: geometric mean of clipped precisions of 1- to ``order``-grams, brevity penalty
    with the nearest reference length. Smoothing 1 of Chen and Cherry 2014: a precision of 0 has 0.1 as numerator;
    without any common word BLEU is 0. Words and punctuation, lower-cased. ``n`` is the number of texts in the
    sample; the figure grows with it.
    """
    tokens = [_split_with_marks(t) for t in draw_sample([t for t in texts if t.strip()], sample, seed)]
    if len(tokens) < 2:
        return Figure(None, len(tokens), "fewer than two texts")
    counts = [[Counter(_cut_grams(t, n)) for t in tokens] for n in range(1, order + 1)]
    tops = [_find_tops(of_order) for of_order in counts]
    lengths = [len(t) for t in tokens]
    total = 0.0
    for i, length in enumerate(lengths):
        logs = 0.0
        for n in range(order):
            own, top = counts[n][i], tops[n]
            hits = sum(min(c, top[gram][1] if top[gram][0] == c else top[gram][0]) for gram, c in own.items())
            if not hits and n == 0:
                logs = -math.inf
                break
            logs += math.log((hits or _NOT_ZERO) / max(1, sum(own.values())))
        total += math.exp(logs / order) * _penalise_brevity(length, lengths, i)
    return Figure(total / len(tokens), len(tokens))


def _split_with_marks(text: str) -> list[str]:
    """Words, and each mark of punctuation between them; apostrophes belong to words."""
    parts = _PUNCTUATION.split(straighten(text))
    return [token for i, part in enumerate(parts) for token in ([part] if i % 2 else words(part))]


def _find_tops(counts: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], tuple[int, int]]:
    """The highest and second highest count of each n-gram over texts: what the others hold of it at most."""
    tops: dict[tuple[str, ...], tuple[int, int]] = {}
    for of_text in counts:
        for gram, c in of_text.items():
            high, second = tops.get(gram, (0, 0))
            tops[gram] = (c, high) if c > high else (high, max(second, c))
    return tops


def _penalise_brevity(length: int, lengths: Sequence[int], own: int) -> float:
    nearest = min((n for i, n in enumerate(lengths) if i != own), key=lambda n: (abs(n - length), n))
    return 1.0 if length >= nearest else math.exp(1 - nearest / max(1, length))


@dataclass(frozen=True)
class NearCopies:
    """``share`` of texts that have a near copy, and ``removable``: what is over when one of each set stays."""

    share: Figure
    removable: Figure


def near_copy_share(
    texts: Sequence[str], threshold: float = 0.7, size: int = 5, sample: int = 5000, seed: int = 0
) -> NearCopies:
    """Texts whose set of character 5-grams has Jaccard >= ``threshold`` with that of another text.

    Exact over all pairs of the sample, by an inverted index of the n-grams. Lower case, runs of white space as one
    space. ``removable``: walking in order, a text goes if a text that stayed is a near copy of it. In a sample of
    a larger set, copies that were not drawn are missed.
    """
    drawn = draw_sample([t for t in texts if t.strip()], sample, seed)
    if len(drawn) < 2:
        undefined = Figure(None, len(drawn), "fewer than two texts")
        return NearCopies(undefined, undefined)
    numbers: dict[str, int] = {}
    sets = [_number_grams(text, size, numbers) for text in drawn]
    lengths = np.array([len(s) for s in sets])
    sizes = np.bincount(np.concatenate(sets), minlength=len(numbers))
    starts = np.concatenate(([0], np.cumsum(sizes)))
    postings = np.empty(int(starts[-1]), dtype=np.int64)
    filled = starts[:-1].copy()
    copied, stays = np.zeros(len(sets), dtype=bool), np.ones(len(sets), dtype=bool)
    for i, grams in enumerate(sets):
        earlier = [postings[starts[g] : filled[g]] for g in grams]
        shared = np.bincount(np.concatenate(earlier), minlength=i)[:i]
        alike = np.flatnonzero(shared >= threshold * (lengths[:i] + lengths[i] - shared) - 1e-9)
        if alike.size:
            copied[i] = True
            copied[alike] = True
            stays[i] = not stays[alike].any()
        postings[filled[grams]] = i
        filled[grams] += 1
    n = len(sets)
    return NearCopies(Figure(float(copied.sum()) / n, n), Figure(float((~stays).sum()) / n, n))


def _number_grams(text: str, size: int, numbers: dict[str, int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    text = " ".join(straighten(text).lower().split())
    grams = {text[i : i + size] for i in range(max(1, len(text) - size + 1))}
    return np.sort(np.array([numbers.setdefault(g, len(numbers)) for g in grams], dtype=np.int64))


def compression_ratio(texts: Sequence[str], budget: int = 200_000, seed: int = 0) -> Figure:
    """UTF-8 bytes divided by bytes after zlib, level 9 (Shaib et al. 2024); high means repetitive.

    Over the first ``budget`` bytes of the texts, one a line, in a seeded order; ``n`` is the bytes used. zlib looks
    back 32 KB only. Compare equal ``n`` and one script only. Other builds of zlib can differ in the third digit.
    """
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    raw = bytearray()
    for i in order:
        if len(raw) >= budget:
            break
        raw += texts[i].encode("utf-8", "replace") + b"\n"
    raw = raw[:budget]
    if not raw:
        return Figure(None, 0, "no text")
    return Figure(len(raw) / len(zlib.compress(raw, 9)), len(raw))
