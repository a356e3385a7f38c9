"""What a refinement stage sees and what it answers.

A stage is a pure function ``check(candidate, context) -> Ruling``. What models said about a candidate is data by
then (``findings``), so every decision can be made again without a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from culturepark.language import LanguagePack
from culturepark.records import Claim, Dialogue, Findings, Verdict

Kind = Literal["opinion", "norm", "custom"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """Kept when ``reason`` is empty. ``tags`` stay with a candidate that is kept."""

    reason: str = ""
    evidence: str = ""
    tags: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """May the candidate go on?"""
        return not self.reason


KEPT = Ruling()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One chance at a sample. ``text`` is what the speaker voiced; ``question`` what it answers.

    ``form``, ``lead`` (messages before the last one) and ``final`` (the last message) are the chat it would train.
    ``claim`` and ``dialogue`` are missing when texts from elsewhere are screened. ``kind`` is opinion, norm or custom.
    """

    id: str
    text: str
    question: str
    culture: str
    country: str
    topic: str
    answer: int | None
    kind: Kind
    speaker: str = ""
    claim: Claim | None = None
    dialogue: Dialogue | None = None
    form: Literal["single", "multi", "reasoning", "preference"] = "single"
    lead: tuple[Mapping[str, str], ...] = ()
    final: str = ""
    findings: Findings = Findings()
    verdicts: tuple[Verdict, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def cell(self) -> tuple[str, str, int | None]:
        """Culture, topic and answer."""
        return self.culture, self.topic, self.answer

    @property
    def dropped(self) -> Verdict | None:
        """The verdict that dropped it, if one did."""
        return self.verdicts[-1] if self.verdicts and not self.verdicts[-1].kept else None


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the stages; what each means stands with the stage that uses it."""

    min_words: int = 8
    max_words: int = 160
    near_copy: float = 0.7
    max_harm: float = 2.0
    harm_by: str = "mean"
    min_fit: float = 3.0
    fit_by: str = "min"
    min_quality: float = 0.0
    silent_claims: str = "customs"
    unknown_claims: str = "keep"
    max_ifd: float = 1.0


@dataclass(frozen=True, slots=True)
class StageContext:
    """What stages may look at besides the candidate. ``names`` are the people at the table.

    ``places`` are names of countries, towns and people a text may hold without speaking of a real person.
    ``tools`` holds what a stage needs that is loaded once, by the stage's name (an index, a model).
    """

    pack: LanguagePack
    limits: Limits = Limits()
    names: tuple[str, ...] = ()
    known_names: frozenset[str] = frozenset()
    tools: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[Candidate, StageContext], Ruling]
