"""Where open talks stand in the plan: which reply file is theirs, and whose calls go first."""

from __future__ import annotations

from culturepark.llm.base import Request

SHARD = 500  # talks whose replies share one log file
_PLANNED = 10**12  # more than any run has talks


class Order:
    """Positions of the talks that are open, by dialogue id.

    While many talks are left to begin, the oldest goes first, so that dialogues end early and the server finds their
    beginnings in its cache. From when the last ones begin (``ending``), the one with the fewest steps behind it goes
    first, so that all end together and no slot stays idle while one last talk takes its turns; what waited before
    that goes before them. A step that is asked for again is none: such a talk has as much before it as the others.
    """

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self.ending = False

    def open(self, dialogue: str, position: int) -> None:
        """A talk begins, or is taken up again."""
        self._positions[dialogue] = position
        self._asked.setdefault(dialogue, 0)

    def close(self, dialogue: str) -> None:
        """A talk is over."""
        self._positions.pop(dialogue, None)
        self._asked.pop(dialogue, None)

    def shard_of(self, key: str) -> int:
        """The reply log file of a call: talks next to each other in the plan share one."""
        return self._positions[_dialogue_of(key)] // SHARD

    def rank_of(self, request: Request) -> int:
        """The smaller, the sooner a call should go out; counts the step."""
        dialogue = _dialogue_of(request.key)
        asked = self._asked.get(dialogue, 0)
        if dialogue in self._asked and request.purpose != "repair":
            self._asked[dialogue] = asked + 1
        return asked if self.ending else self._positions.get(dialogue, 0) - _PLANNED


def _dialogue_of(key: str) -> str:
    return key.partition("/")[0]
