"""What a run has so far, counted line by line from its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Counts:
    """What a run has so far.

    ``cells`` counts accepted samples by (culture, topic, answer), ``asked`` all candidates likewise. ``usage`` has
    calls, input, cached and output tokens by purpose; ``stages`` has candidates seen and dropped by stage and culture.
    """

    dialogues: int = 0
    finished: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    cultures: Counter[str] = field(default_factory=Counter)
    cells: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    asked: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    usage: dict[str, list[int]] = field(default_factory=dict)
    stages: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    @property
    def candidates(self) -> int:
        """Every chance at a sample that has ended: accepted, rejected or failed."""
        return self.accepted + self.rejected + self.failed

    def add(self, line: Mapping[str, Any]) -> None:
        """Count one journal line, or a short form of it (``brief``), of which the last one has the totals."""
        self.dialogues += 1
        self.accepted += line["accepted"]
        self.rejected += line["rejected"]
        self.failed += line["failed"]
        if "brief" in line:
            if "totals" in line:
                known = Counts.load(line["totals"])
                for f in fields(self):
                    setattr(self, f.name, getattr(known, f.name))
            return
        self.finished += line["status"] == "finished"
        self.calls += line["calls"]
        self.input_tokens += line["tokens"][0]
        self.cached_tokens += line["tokens"][1]
        self.output_tokens += line["tokens"][2]
        for name in ("reasons", "kinds", "forms", "tags"):
            total = getattr(self, name)
            for word, count in line[name].items():  # Counter.update costs five times as much
                total[word] += count
        if line["stop"]:
            self.stops[line["stop"]] += 1
        for culture, topic, code, count in line["cells"]:
            self.cells[culture, topic, code] += count
            self.cultures[culture] += count
        for culture, topic, code, count in line["asked"]:
            self.asked[culture, topic, code] += count
        for purpose, numbers in line["usage"].items():
            _add(self.usage.setdefault(purpose, [0, 0, 0, 0]), numbers)
        for stage, culture, seen, dropped in line["stages"]:
            _add(self.stages.setdefault(stage, {}).setdefault(culture, [0, 0]), (seen, dropped))

    def dump(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        made: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("cells", "asked"):
            made[name] = [[*cell, count] for cell, count in made[name].items()]
        return made

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Counts:
        """The counts that ``dump`` gave."""
        counters = ("reasons", "stops", "cultures", "kinds", "forms", "tags")
        made: dict[str, Any] = {n: Counter(value) if n in counters else value for n, value in values.items()}
        for name in ("cells", "asked"):
            made[name] = Counter({(c, t, code): count for c, t, code, count in values[name]})
        return cls(**made)


def _add(total: list[int], numbers: Sequence[int]) -> None:
    for place, number in enumerate(numbers):
        total[place] += number
