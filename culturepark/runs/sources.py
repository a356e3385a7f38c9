"""The data files a run reads, checked once, and what follows from them and the configuration alone: the plan."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from culturepark.config import RunConfig
from culturepark.culture.personas import country_weights
from culturepark.culture.profiles import Profile, find_profiles, load_profiles
from culturepark.culture.scenarios import Scene, Topic, find_topics, load_scenes, load_topics
from culturepark.culture.surveys import Survey, load_surveys
from culturepark.errors import ConfigError
from culturepark.files import find_data_folder
from culturepark.runs.plan import CONTACT, Plan, make_plan
from culturepark.runs.quotas import Settings


@dataclass(frozen=True)
class Sources:
    """The data files of a run, read and checked, with a hash of each kind."""

    profiles: Mapping[str, Profile]
    surveys: Mapping[str, Survey]
    topics: Mapping[str, Topic]
    scenes: Mapping[str, Scene]
    hashes: Mapping[str, str]


def load_sources(config: RunConfig) -> Sources:
    """Read personas and scenarios. Raises ``DataError`` naming the file and the fault."""
    personas = Path(config.personas) if config.personas else find_data_folder("personas")
    scenarios = Path(config.scenarios) if config.scenarios else find_data_folder("scenarios")
    hashes = {"personas": _hash_folder(personas), "scenarios": _hash_folder(scenarios)}
    if config.passages:
        hashes["passages"] = hash_files(_list_files(Path(config.passages), "--passages"))
    if config.decontaminate:
        hashes["decontaminate"] = hash_files(Path(p) for p in config.decontaminate)
    return Sources(
        load_profiles(personas), load_surveys(scenarios), load_topics(scenarios), load_scenes(scenarios), hashes
    )


def _hash_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".csv")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _list_files(folder: Path, flag: str) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"{flag} {folder}: is not a folder")
    return sorted(p for p in folder.rglob("*") if p.is_file())


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 (first 16 hex digits) over names and contents. Raises ``ConfigError`` for one that cannot be read."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()[:16]


def resolve_settings(config: RunConfig, sources: Sources) -> Settings:
    """Turn the words of the configuration into culture and topic ids."""
    cultures = find_profiles(list(config.cultures), dict(sources.profiles))
    contacts = [c for c in cultures if sources.profiles[c].role == "contact"]
    if contacts:
        raise ConfigError(
            f"culture {contacts[0]!r} has no survey figures: it is only the main contact of --preset classic"
        )
    if config.style == "classic" and CONTACT not in sources.profiles:
        raise ConfigError(f"style classic needs the profile {CONTACT!r}; add personas/{CONTACT}.yaml")
    topics: Sequence[str] = find_topics(list(config.topics), dict(sources.topics))
    if config.topics == ("all",):
        topics = _choose_topics(topics, cultures, config, sources)
    return Settings(
        config.n,
        tuple(cultures),
        tuple(topics),
        config.style,
        config.seed,
        config.weighting,
        config.claims_per_speaker,
        config.panel_size,
    )


def _choose_topics(
    topics: Sequence[str], cultures: Sequence[str], config: RunConfig, sources: Sources
) -> Sequence[str]:
    """As many topics as n can fill, themes by turns, first those that every culture was asked.

    A topic with few samples cannot follow its answers' shares, and leaves most of each talk unused.
    """
    wanted = max(1, config.n // (len(cultures) * config.topic_size))
    if wanted >= len(topics):
        return topics

    def asked(topic: str) -> int:
        record = sources.topics[topic]
        survey = sources.surveys[record.survey]
        weights = [country_weights(sources.profiles[c], config.weighting) for c in cultures]
        return sum(bool(survey.mixture(w, record.item)) for w in weights)

    shuffled = list(topics)
    random.Random(f"{config.seed}/chosen topics").shuffle(shuffled)
    turns: dict[str, int] = {}
    ranked: list[tuple[int, int, int, str]] = []
    for topic in shuffled:
        theme = sources.topics[topic].theme
        turns[theme] = turns.get(theme, 0) + 1
        ranked.append((-asked(topic), turns[theme], len(ranked), topic))
    chosen = {topic for _, _, _, topic in sorted(ranked)[:wanted]}
    return [t for t in topics if t in chosen]


def plan_run(config: RunConfig, sources: Sources) -> Plan:
    """The plan of a run; a pure function of the configuration's data part and the data files."""
    settings = resolve_settings(config, sources)
    plan = make_plan(settings, sources.profiles, sources.surveys, sources.topics, sources.scenes)
    if config.topics == ("all",) and len(settings.topics) < len(sources.topics):
        remark = (
            f"n is small: {len(settings.topics)} of {len(sources.topics)} topics, so that each culture has about "
            f"{config.topic_size} samples on each; choose with --topics, or spread wider with a lower --topic-size"
        )
        plan = replace(plan, remarks=(remark, *plan.remarks))
    return plan
