"""What the refinement stages of one run need that is loaded once: thresholds, indexes, encoder, facts, passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from culturepark.config import RunConfig
from culturepark.culture.profiles import Profile
from culturepark.errors import DataError
from culturepark.language import LanguagePack, find_language, load_language
from culturepark.records import Dialogue
from culturepark.refine.candidate import Limits, StageContext
from culturepark.refine.encoder import Encoder, open_encoder
from culturepark.refine.passages import Passages, Source
from culturepark.refine.stages import settle_stages
from culturepark.refine.stages.benchmarks import Benchmarks
from culturepark.refine.stages.near_copies import NearCopies
from culturepark.refine.stages.semantic_copies import Meanings

FACTS_A_CLAIM, PASSAGES_A_CLAIM, MOST_SOURCES = 3, 2, 16


class Toolbox:
    """Thresholds and tools of a run. Raises ``ConfigError``, ``DataError`` or ``MissingPartError``."""

    def __init__(self, config: RunConfig, profiles: Mapping[str, Profile]) -> None:
        """Check and load what the configuration names; the encoder is opened when first needed."""
        self._config, self._profiles = config, profiles
        idle = {"benchmarks": not config.decontaminate, "ifd": not config.ifd_model}
        idle["semantic_copies"] = config.encoder == "none"
        # A stage without what it works with gives no verdict: "kept" would say that it had looked.
        self.stages = tuple(s for s in settle_stages(config.stages, config.skip) if not idle.get(s))
        self.limits = make_limits(config)
        self.near_copies = NearCopies(config.near_copy)
        self._passages = Passages.load(Path(config.passages)) if config.passages else None
        self._facts: dict[str, Passages] = {}
        self._shared = self._load_shared()
        self._known = frozenset(name for profile in profiles.values() for name in _names_of(profile))
        if config.encoder not in ("auto", "none"):  # a name that is wrong must not be found out after the talks
            _ = self.encoder

    def _load_shared(self) -> dict[str, Any]:
        tools: dict[str, Any] = {"near_copies": self.near_copies}
        if self._config.decontaminate:
            paths = [Path(p) for p in self._config.decontaminate]
            tools["benchmarks"] = Benchmarks.load(paths, self.encoder)
        if self._config.pii == "presidio":
            from culturepark.refine.presidio import open_presidio

            tools["presidio"] = open_presidio()
        if self._config.ifd_model:
            from culturepark.refine.difficulty import open_difficulty

            tools["ifd"] = open_difficulty(self._config.ifd_model)
        return tools

    @cached_property
    def encoder(self) -> Encoder | None:
        """The sentence encoder, or ``None`` when the configuration wants none."""
        return open_encoder(self._config.encoder)

    @cached_property
    def meanings(self) -> Meanings | None:
        """What was kept so far, by meaning; ``None`` without an encoder."""
        if self.encoder is None or "semantic_copies" not in self.stages:
            return None
        return Meanings(self.encoder, self._config.semantic_copy)

    def context(self, tag: str, names: tuple[str, ...]) -> StageContext:
        """What stages may look at for a talk in one language between people of these names."""
        tools = self._shared if self.meanings is None else {**self._shared, "semantic_copies": self.meanings}
        return StageContext(self.pack(tag), self.limits, names, self._known, tools)

    def pack(self, tag: str) -> LanguagePack:
        """The language pack of a tag. Raises ``DataError`` when there is none."""
        pack = find_language(tag) or (load_language(self._config.language) if not tag else None)
        if pack is None:
            raise DataError(f"no language pack for {tag!r}")
        return pack

    def find_sources(self, dialogue: Dialogue, texts: Sequence[str]) -> tuple[Source, ...]:
        """Facts of the cultures at the table (F1, ...) and the user's passages (P1, ...) that are near to the texts."""
        facts: dict[str, str] = {}
        for culture in dict.fromkeys(p.culture for p in dialogue.personas.values()):
            index = self._fact_index(self._profiles[culture])
            facts.update((s.id, s.text) for text in texts for s in index.search(text, FACTS_A_CLAIM))
        passages: dict[str, str] = {}
        if self._passages is not None:
            passages = {s.id: s.text for text in texts for s in self._passages.search(text, PASSAGES_A_CLAIM)}
        found = [Source(f"F:{name}", text) for name, text in list(facts.items())[:MOST_SOURCES]]
        return (*found, *(Source(f"P:{name}", text) for name, text in list(passages.items())[:MOST_SOURCES]))

    def _fact_index(self, profile: Profile) -> Passages:
        if profile.id not in self._facts:
            self._facts[profile.id] = Passages(
                [Source(f"{profile.id}/{f.id}", f.text + _note(f)) for f in profile.facts]
            )
        return self._facts[profile.id]


def _note(fact: Any) -> str:
    place = f" [{', '.join(fact.countries)}]" if fact.countries else ""
    return f"{place} (Some see or do it otherwise: {fact.contested})" if fact.contested else place


def make_limits(config: RunConfig) -> Limits:
    """The stages' thresholds from the configuration."""
    return Limits(
        min_words=config.min_words,
        max_words=config.max_words,
        near_copy=config.near_copy,
        max_harm=config.max_harm,
        harm_by=config.harm_by,
        min_fit=config.min_fit,
        fit_by=config.fit_by,
        min_quality=config.min_quality,
        silent_claims=config.silent_claims,
        unknown_claims=config.unknown_claims,
        max_ifd=config.max_ifd,
    )


def _names_of(profile: Profile) -> list[str]:
    """Names that are no real people: countries, places and the given names personas are drawn from."""
    found = [profile.name]
    for country in profile.countries:
        found += [country.name, country.adjective, *(p.name for p in country.places)]
    for by_gender in profile.names.values():
        for names in by_gender.values():
            found += [*names.any, *names.older, *names.younger]
    return found
