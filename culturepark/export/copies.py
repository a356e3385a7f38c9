"""Near copies among a run's samples: every pair, by the sketches of the stage ``near_copies``.

Limits: those of the stage; a text is compared with the eight earlier ones most alike by sketch.
"""

from __future__ import annotations

from array import array

from culturepark.refine.stages.near_copies import NearCopies


class CopyPairs(NearCopies):
    """Texts by the numbers of their samples; several texts may have one number."""

    def __init__(self, threshold: float) -> None:
        super().__init__(threshold)
        self._owners = array("q")
        self._passed_over: set[int] = set()

    def add_text(self, owner: int, text: str, tag: str) -> list[int]:
        """Remember a text of a sample; returns earlier samples that have a near copy of it.

        Of many texts with the same words the first stands for all.
        """
        same = self.find_same(text, tag)
        found = {self._owners[int(same)]} if same is not None else set(self._find_owners(text, tag))
        if same is None:
            number = len(self)
            self.add(str(number), text, tag)
            if len(self) > number:  # a text without words is not kept
                self._owners.append(owner)
        return sorted(found - {owner})

    def _find_owners(self, text: str, tag: str) -> list[int]:
        """Ask for the most alike text until none is left that was not found yet."""
        try:
            while (found := self.find(text, tag)) is not None:
                self._passed_over.add(int(found[0]))
            return [self._owners[number] for number in self._passed_over]
        finally:
            self._passed_over.clear()

    def _propose(self, sketch: object) -> list[int]:
        return [number for number in super()._propose(sketch) if number not in self._passed_over]
