"""Which of many literals stand in a text, found in one pass over it; the door to ``ahocorasick`` (BSD licence)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_KEPT = 256  # a text is asked about for several kinds of phrase in a row


class Literals:
    """Literals of any number of patterns. All are added before the first text is looked at."""

    def __init__(self) -> None:
        from ahocorasick import Automaton

        self._automaton: Any = Automaton()
        self._is_made = False
        self.find = lru_cache(maxsize=_KEPT)(self._find)

    def add(self, literals: Iterable[str]) -> frozenset[str]:
        """Take in literals, none of them empty; the same ones are returned."""
        added = frozenset(literals)
        for literal in added:
            self._automaton.add_word(literal, literal)
        self._is_made = False
        self.find.cache_clear()
        return added

    def _find(self, text: str) -> frozenset[str]:
        """The literals that stand in a text."""
        if not self._is_made:
            self._automaton.make_automaton()
            self._is_made = True
        if not len(self._automaton):
            return frozenset()
        return frozenset([literal for _, literal in self._automaton.iter(text)])
