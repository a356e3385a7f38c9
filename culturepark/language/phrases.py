"""Many patterns searched as one, cheaply: what a pattern must contain is looked for before the pattern is tried.

From the parse tree of each pattern come sets of literals of which one must occur in every match; one pass over the
folded text for the literals of all patterns then rules out most of them. Results are those of one big alternation.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

from culturepark.language.literals import Literals

_LIMITS = (6, 64)  # how many literals may come of a sequence before it is cut: few short ones, or many long ones
_CLAUSES = 3
Clause = tuple[str, ...]
Needs = tuple[frozenset[str], ...]  # of each set of literals one must be in a text


@dataclass(frozen=True, slots=True)
class _Phrase:
    pattern: re.Pattern[str]
    needs: Needs


class Phrases:
    """Patterns matched without regard to case; of two that begin at one place the earlier in the list wins.

    Those that are asked about the same texts share their ``literals``.
    """

    def __init__(self, patterns: Iterable[str], literals: Literals | None = None) -> None:
        self._literals = literals = literals or Literals()
        single = [one for p in patterns for one in split_alternatives(p)]
        needs = [add_needs(p, literals) for p in single]
        compiled = (re.compile(p, re.IGNORECASE) for p in single)
        self._phrases = tuple(_Phrase(p, n) for p, n in zip(compiled, needs, strict=True))
        # By each literal of a phrase's most telling set; phrases without a set are always tried.
        self._told_by: dict[str, list[int]] = {}
        self._untold = [k for k, n in enumerate(needs) if not n]
        for k, clauses in enumerate(needs):
            for literal in clauses[0] if clauses else ():
                self._told_by.setdefault(literal, []).append(k)
        self._telling = frozenset(self._told_by)
        # One text is asked about as a turn, as a claim, beside a claim and once more when a run is measured.
        self.find = lru_cache(maxsize=2048)(self._find)

    @property
    def sources(self) -> tuple[str, ...]:
        """The patterns as they are matched."""
        return tuple(p.pattern.pattern for p in self._phrases)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match, or nothing."""
        return next(self.scan(text), None)

    def _find(self, text: str) -> str:
        found = self.search(text)
        return found.group() if found else ""

    def scan(self, text: str) -> Iterator[re.Match[str]]:
        """Matches from left to right that do not overlap."""
        possible = self._list_possible(fold(text))
        found = [m for p in possible if (m := p.pattern.search(text))] if possible else []
        while found:
            first = min(found, key=re.Match.start)
            yield first
            end = max(first.end(), first.start() + 1)
            found = [
                later
                for m in found
                if (later := m if m.start() >= end else m.re.search(text, end) if end <= len(text) else None)
            ]

    def _list_possible(self, folded: str) -> list[_Phrase]:
        """Phrases whose every set of literals has one in the text."""
        found = self._literals.find(folded)
        if not self._untold and found.isdisjoint(self._telling):
            return []
        places = {k for literal in found & self._telling for k in self._told_by[literal]}
        possible = (self._phrases[k] for k in sorted(places.union(self._untold)))
        return [p for p in possible if are_met(p.needs, found)]

    def begin(self, text: str) -> bool:
        """Does one of the patterns match at the beginning of the text?"""
        return any(p.pattern.match(text) for p in self._phrases)


def add_needs(pattern: str, literals: Literals) -> Needs:
    """What a text must hold for a pattern to match it; ``literals`` will look for that."""
    return tuple(map(literals.add, read_needs(pattern)))


def are_met(needs: Needs, found: frozenset[str]) -> bool:
    """Is one literal of every set among those found in a text?"""
    return not any(map(found.isdisjoint, needs))


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(|\(\?[a-zA-Z]+\)")


def split_alternatives(pattern: str) -> list[str]:
    """The patterns between the outermost bars; a pattern with references to its groups or flags stays whole."""
    if _REFERENCE.search(pattern):
        return [pattern]
    depth, parts = 0, [""]
    for token in _TOKEN.findall(pattern):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return parts


@lru_cache(maxsize=2048)
def fold(text: str) -> str:
    """The text with letters that match each other without regard to case made equal."""
    if text.isascii():
        return text.lower()
    return text.replace("\u0130", "i").replace("\u0131", "i").casefold()


def read_needs(pattern: str) -> tuple[Clause, ...]:
    """Sets of folded literals: each match of the pattern contains at least one of every set. Most telling first."""
    tree = importlib.import_module("re._parser").parse(pattern, re.IGNORECASE)
    clauses = []
    for limit in _LIMITS:
        literals, inner = _read_sequence(tree, limit)
        clauses += [_prune(c) for c in (*inner, literals or {""})]
    useful = sorted({c for c in clauses if c and _estimate_hits(c) < 3}, key=_estimate_cost)
    return tuple(useful[:_CLAUSES])


def _read_sequence(nodes: Any, limit: int) -> tuple[set[str] | None, list[set[str]]]:
    """All texts the nodes can match, if they are few, and the sets of which each match must contain one."""
    run, clauses, whole = {""}, [], True
    for op, arg in nodes:
        if str(op) in ("AT", "ASSERT", "ASSERT_NOT"):
            continue
        texts, inner, ends = _read_node(str(op), arg, limit)
        clauses += inner
        if texts is not None and (len(texts) == 1 or len(run) * len(texts) <= limit):
            run = {a + b for a, b in product(run, texts)}
        else:
            clauses.append(run)
            run, whole = texts or {""}, False
        if ends:
            clauses.append(run)
            run, whole = {""}, False
    return (run, clauses) if whole else (None, [*clauses, run])


def _read_node(op: str, arg: Any, limit: int) -> tuple[set[str] | None, list[set[str]], bool]:
    """As for a sequence, and whether more of the same may follow."""
    if op == "LITERAL":
        return {fold(chr(arg))}, [], False
    if op == "IN":
        single = all(str(kind) == "LITERAL" for kind, _ in arg)
        return ({fold(chr(c)) for _, c in arg} if single else None), [], False
    if op == "SUBPATTERN":
        return *_read_sequence(arg[3], limit), False
    if op == "ATOMIC_GROUP":
        return *_read_sequence(arg, limit), False
    if op == "BRANCH":
        return *_read_branches([_read_sequence(branch, limit) for branch in arg[1]]), False
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, nodes = arg
        texts, inner = _read_sequence(nodes, limit)
        if least == 0:
            return (texts | {""} if texts is not None and most == 1 else None), [], False
        return texts, inner, most != 1
    return None, [], False


def _read_branches(branches: list[tuple[set[str] | None, list[set[str]]]]) -> tuple[set[str] | None, list[set[str]]]:
    if all(texts is not None for texts, _ in branches):
        return {t for texts, _ in branches for t in texts or ()}, []
    one_each = []
    for texts, inner in branches:
        options = [o for c in (*inner, texts or {""}) if (o := _prune(c))]
        if not options:
            return None, []
        one_each.append(min(options, key=_estimate_cost))
    return None, [{literal for clause in one_each for literal in clause}]


def _prune(literals: Iterable[str]) -> Clause:
    """Without literals that contain another; empty if the empty text is among them."""
    kept: list[str] = []
    for literal in sorted(set(literals), key=lambda one: (len(one), one)):
        if not any(short in literal for short in kept):
            kept.append(literal)
    return tuple(kept) if kept != [""] else ()


def _estimate_hits(clause: Sequence[str]) -> float:
    """About how often a text of 350 characters holds one of the literals by chance."""
    total = 0.0
    for literal in clause:
        chance = 350.0
        for c in literal:
            common = 0.16 if c == " " else 0.07 if c in "etaoinshrl" else 0.02 if c.isalpha() or c in ",.'" else 0.003
            chance *= common if c < "\u2e80" else 0.002
        total += chance
    return total


def _estimate_cost(clause: Clause) -> tuple[float, Clause]:
    """Microseconds for looking, and for trying the pattern if the look was in vain."""
    return 0.05 * len(clause) + 30 * min(1.0, _estimate_hits(clause)), clause
