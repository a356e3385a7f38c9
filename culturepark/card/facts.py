"""What a card says, counted: one pass over the samples, beside what the manifest and the export record hold.

Memory grows with the number of (culture, topic, answer) cells and by a hash a sample, not with its texts.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from culturepark.card.terms import hide_path
from culturepark.culture.profiles import Profile, load_profiles
from culturepark.culture.scenarios import Topic, load_topics
from culturepark.errors import DataError
from culturepark.export.records import Export
from culturepark.language import find_language, is_wrong_language
from culturepark.measures.sampling import Reservoir
from culturepark.records import Sample
from culturepark.runs.counts import Counts
from culturepark.runs.folder import Run

_TEXTS = 1000  # answers whose language is looked at
_MODELS = 50

Cell = tuple[str, str]


@dataclass
class Facts:
    """Everything a card is made of. Counters are over the samples of the exported cultures."""

    run: Run
    export: Export | None
    manifest: Mapping[str, Any]
    counts: Counts
    profiles: Mapping[str, Profile]
    topics: Mapping[str, Topic]
    rows: int = 0
    cultures: Counter[str] = field(default_factory=Counter)
    places: Counter[Cell] = field(default_factory=Counter)
    tasks: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    answers: dict[Cell, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    themes: Counter[Cell] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    surveys: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    with_persona: int = 0
    personas: int = 0
    phrased_twice: int = 0  # personas with two or more system texts, of those with two samples or more
    twice: int = 0
    copies: int = 0
    foreign: int = 0
    judged_language: int = 0
    example: Sample | None = None
    pair: Sample | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """The run's settings."""
        found: Mapping[str, Any] = self.manifest["config"]
        return found

    @property
    def run_id(self) -> str:
        """The run's fingerprint: its identifier everywhere."""
        return str(self.manifest["fingerprint"])

    @property
    def measures(self) -> Mapping[str, Any]:
        """The run's measures; empty where it was stopped before they were made."""
        return self.manifest.get("measures") or {}

    @property
    def is_refined(self) -> bool:
        """Was the run made by refining another run's talks again?"""
        return "refined_from" in self.manifest


def gather_facts(run: Run, export: Export | None) -> Facts:
    """Count everything once. Raises ``DataError`` for a damaged run or one without samples to describe."""
    manifest = run.manifest
    config = manifest["config"]
    facts = Facts(run, export, manifest, run.counts(), _read_profiles(config), _read_topics(config))
    wanted = set(export.cultures) if export else None
    seen: set[int] = set()
    texts: Reservoir[tuple[str, str]] = Reservoir(_TEXTS)
    talk = _Talk()
    for sample in run.samples():
        if wanted is not None and sample.culture not in wanted:
            continue
        _count(facts, sample)
        text = "\n".join(m["content"] for m in sample.messages)
        key = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        facts.copies += key in seen
        seen.add(key)
        texts.add("", (sample.messages[-1]["content"], sample.language))
        talk.add(facts, sample)
    talk.close(facts)
    if not facts.rows:
        raise DataError(f"{run.path}: has no samples to describe; a card needs at least one")
    for text, tag in texts.list_kept().get("", ()):
        pack = find_language(tag)
        if pack is not None:
            facts.judged_language += 1
            facts.foreign += is_wrong_language(text, pack)
    return facts


def _count(facts: Facts, sample: Sample) -> None:
    facts.rows += 1
    facts.example = facts.example or sample
    facts.pair = facts.pair or (sample if sample.rejected else None)
    facts.cultures[sample.culture] += 1
    facts.places[sample.culture, sample.country] += 1
    facts.tasks[sample.culture, sample.topic, sample.form] += 1
    facts.answers[sample.culture, sample.topic][sample.answer_label] += 1
    facts.themes[sample.culture, sample.theme] += 1
    facts.forms[sample.form] += 1
    facts.kinds[sample.kind] += 1
    facts.languages[sample.language] += 1
    facts.origins[sample.origin] += bool(sample.origin)
    facts.tags.update({tag.split(":")[0] for tag in sample.tags})
    facts.surveys[str((sample.lineage.get("survey") or {}).get("survey") or "none")] += 1
    facts.with_persona += sample.messages[0]["role"] == "system"
    for model in sample.lineage.get("turn_models") or ():
        if len(facts.models) < _MODELS or model in facts.models:
            facts.models[hide_path(str(model))] += 1


class _Talk:
    """The system texts of one talk's personas: samples of a talk follow each other, so one talk at a time is enough."""

    def __init__(self) -> None:
        self._id = ""
        self._texts: dict[str, list[str]] = {}

    def add(self, facts: Facts, sample: Sample) -> None:
        if sample.lineage["dialogue"] != self._id:
            self.close(facts)
            self._id = sample.lineage["dialogue"]
        first = sample.messages[0]
        text = first["content"] if first["role"] == "system" else ""
        self._texts.setdefault(str(sample.lineage.get("persona")), []).append(text)

    def close(self, facts: Facts) -> None:
        facts.personas += len(self._texts)
        for texts in self._texts.values():
            facts.twice += len(texts) > 1
            facts.phrased_twice += len(texts) > 1 and len({t for t in texts if t}) > 1
        self._texts = {}


def measure_disagreement(facts: Facts) -> dict[str, tuple[float, float, int]]:
    """Per culture over its topics: mean share of the commonest answer, mean normalised entropy of answers, topics.

    The entropy is 0 where all say the same and 1 where all the answers of the topic's scale are as frequent.
    """
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (culture, topic), answers in facts.answers.items():
        total = answers.total()
        if total < 2:
            continue
        known = facts.topics.get(topic)
        size = max(2, len(known.scale) if known else len(answers))
        entropy = -sum(k / total * math.log(k / total) for k in answers.values() if k) / math.log(size)
        found[culture].append((max(answers.values()) / total, entropy))
    return {
        culture: (sum(s for s, _ in pairs) / len(pairs), sum(e for _, e in pairs) / len(pairs), len(pairs))
        for culture, pairs in sorted(found.items())
    }


def _read_profiles(config: Mapping[str, Any]) -> Mapping[str, Profile]:
    try:
        return load_profiles(Path(config["personas"]) if config.get("personas") else None)
    except DataError:  # a folder that has moved: the card then does without the words of the profiles
        return {}


def _read_topics(config: Mapping[str, Any]) -> Mapping[str, Topic]:
    try:
        return load_topics(Path(config["scenarios"]) if config.get("scenarios") else None)
    except DataError:
        return {}
