"""Every shape that reaches disk. A field is never removed or given a new meaning without a new version."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 2


class Record(BaseModel):
    """Base of all records: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Seed(Record):
    """The survey figure a stance comes from. ``share`` is of the valid answers in ``country``, 0 to 1."""

    survey: str
    item: str
    topic: str
    country: str
    code: int
    label: str
    share: float
    n_valid: int


class Stance(Record):
    """What a persona thinks about a topic.

    ``origin``: ``quota`` (the talk's own topic, set by the plan), ``copula`` (drawn together with it
    through the rank correlations) or ``none`` (no survey figure: the classic main contact).
    """

    topic: str
    item: str
    code: int | None
    label: str
    view: str
    origin: Literal["quota", "copula", "none"]


class Persona(Record):
    """A synthetic respondent. ``answers`` maps every survey item asked in the country to a code.

    ``draw`` holds what is needed to draw the same persona again: run seed, culture, country, number
    and the sources of each part.
    """

    id: str
    culture: str
    country: str
    country_name: str
    name: str
    gender: Literal["female", "male"]
    age: int
    age_band: str
    setting: str
    home: str
    education: str
    occupation: str
    household: str
    interests: tuple[str, ...]
    religiosity: str
    style: str
    style_id: str
    facts: tuple[str, ...]
    fact_texts: tuple[str, ...]
    stance: Stance
    related: tuple[Stance, ...]
    answers: dict[str, int]
    draw: dict[str, Any]


class Repair(Record):
    """A bad text that was asked for once more: what it was and why it could not stay."""

    text: str
    reason: str


class Turn(Record):
    """One utterance. ``speaker`` is a seat (``a``, ``b``, ``c``, ``d``) or ``moderator``.

    ``request`` is the hash of the full request; ``flags`` name rules the turn set off without being bad.
    """

    index: int
    speaker: str
    name: str
    text: str
    request: str
    model: str
    flags: tuple[str, ...] = ()
    repaired: Repair | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class Note(Record):
    """What a speaker thinks before the first word; nobody else in the talk sees it."""

    speaker: str
    text: str
    request: str


class Shift(Record):
    """A speaker's position at the end as the refinement agent read it from the talk.

    ``before`` and ``now`` are codes of the topic's scale; ``now`` is empty where the agent gave none.
    """

    speaker: str
    before: int | None
    after: Literal["same", "moved", "unclear"]
    sentence: int | None = None
    now: int | None = None


class Verdict(Record):
    """What one refinement stage said about one candidate."""

    stage: str
    kept: bool
    reason: str = ""
    evidence: str = ""


class Quote(Record):
    """Where a claim stands: turn, sentence numbers in the dialogue, and the sentences word for word."""

    turn: int
    sentences: tuple[int, ...]
    texts: tuple[str, ...]


class Claim(Record):
    """An opinion, norm or custom a speaker voiced, pointing at sentences of the talk.

    ``id`` is the candidate's. ``reasons`` points at the sentences the claim rests on, if the agent named some.
    """

    speaker: str
    kind: Literal["opinion", "norm", "custom"]
    quotes: tuple[Quote, ...]
    question: str = ""
    id: str = ""
    reasons: tuple[int, ...] = ()


class Statement(Record):
    """One atomic statement of a claim, checked against numbered facts and passages.

    ``source`` is the fact's or passage's id, ``passage`` its words.
    """

    text: str
    kind: Literal["factual", "normative"]
    verdict: Literal["supported", "contradicted", "unknown"]
    source: str = ""
    passage: str = ""


class Score(Record):
    """One judge's mark on one axis, 1 to 5; ``None`` when nothing usable came. Harm: 1 is harmless. Fit: 5 fits."""

    axis: Literal["harm", "fit"]
    judge: str
    value: int | None
    reason: str = ""
    request: str = ""


class Rewrite(Record):
    """A claim's words before and after the refinement agent mended them, and whether the rewrite was good.

    ``harmless``: what judges said of the original, where it may stand in a preference pair.
    """

    original: str
    text: str
    reason: str
    kept: bool
    fault: str = ""
    request: str = ""
    harmless: bool | None = None


class Findings(Record):
    """What models said of one candidate. ``complexity`` and ``quality`` are 1 to 6 (expected values or integers).

    ``quality_from`` says which: ``probabilities`` or ``integers``. ``error`` is set when no usable verification came.
    """

    stance: Literal["follows", "contradicts", "silent"] | None = None
    statements: tuple[Statement, ...] = ()
    complexity: float | None = None
    quality: float | None = None
    quality_from: Literal["", "probabilities", "integers"] = ""
    scores: tuple[Score, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    request: str = ""
    error: str = ""


class Dialogue(Record):
    """A talk that has ended. ``status`` is ``finished``, ``rejected`` (``reason`` says why) or ``failed``.

    ``spare`` holds claims beyond what was wanted: kept here, never counted as candidates. ``usage`` has calls, input,
    cached and output tokens by purpose.
    """

    version: int = SCHEMA_VERSION
    id: str
    slot: int
    attempt: int
    status: Literal["finished", "rejected", "failed"]
    reason: str = ""
    detail: str = ""
    style: str
    topic: str
    scene: str
    language: str
    personas: dict[str, Persona]
    seeds: dict[str, Seed]
    notes: tuple[Note, ...] = ()
    turns: tuple[Turn, ...] = ()
    stop: str = ""
    spare: tuple[Claim, ...] = ()
    shifts: tuple[Shift, ...] = ()
    prompts: dict[str, str] = Field(default_factory=dict)
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    usage: dict[str, tuple[int, int, int, int]] = Field(default_factory=dict)


class Sample(Record):
    """One accepted training sample with its whole story.

    ``messages`` is the chat to train on. Of a preference pair (``form`` is ``preference``) it ends with the chosen
    answer, ``rejected`` holds the other one and ``origin`` says where the pair comes from: ``culture``,
    ``verification`` or ``repair``. ``tags`` are remarks of stages that dropped nothing.
    """

    version: int = SCHEMA_VERSION
    id: str
    messages: tuple[dict[str, str], ...]
    culture: str
    country: str
    language: str
    topic: str
    theme: str
    answer: int | None
    answer_label: str
    kind: str
    form: Literal["single", "multi", "reasoning", "preference"]
    lineage: dict[str, Any]
    verdicts: tuple[Verdict, ...]
    findings: Findings = Findings()
    tags: tuple[str, ...] = ()
    rejected: tuple[dict[str, str], ...] = ()
    origin: Literal["", "culture", "verification", "repair"] = ""


class Rejected(Record):
    """One candidate that did not become a sample: ``rejected`` by a check or ``failed`` by an error."""

    version: int = SCHEMA_VERSION
    id: str
    status: Literal["rejected", "failed"]
    stage: str
    reason: str
    evidence: str = ""
    culture: str
    country: str
    topic: str
    answer: int | None
    dialogue: str
    speaker: str
    claim: Claim | None = None
    messages: tuple[dict[str, str], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    findings: Findings = Findings()
    tags: tuple[str, ...] = ()
