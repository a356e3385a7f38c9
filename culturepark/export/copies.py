"""Near copies among a run's samples: every pair, by the sketches of the stage ``near_copies``.

Limits: those of the stage; a text is compared with the eight earlier ones most alike by sketch.
"""

from __future__ import annotations

from array import array

from culturepark.refine.stages.near_copies import NearCopies


class CopyPairs:
    """Texts by the numbers of their samples; several texts may have one number."""

    def __init__(self, threshold: float) -> None:
        self._texts = NearCopies(threshold)
        self._owners = array("q")

    def add_text(self, owner: int, text: str, tag: str) -> list[int]:
        """Remember a text of a sample; returns earlier samples that have a near copy of it.

        Of many texts with the same words the first stands for all.
        """
        same = self._texts.find_same(text, tag)
        found = {self._owners[int(id)] for id in ([same] if same is not None else self._texts.find_all(text, tag))}
        if same is None:
            number = len(self._texts)
            self._texts.add(str(number), text, tag)
            if len(self._texts) > number:  # a text without words is not kept
                self._owners.append(owner)
        return sorted(found - {owner})
