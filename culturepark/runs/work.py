"""One planned talk from personas to candidates: everything a run needs, put together once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from culturepark.config import RunConfig
from culturepark.culture.personas import Order, PersonaSource
from culturepark.culture.profiles import Profile, find_profiles, load_profiles
from culturepark.culture.scenarios import Scene, Topic, find_topics, load_scenes, load_topics
from culturepark.culture.surveys import Survey, load_surveys
from culturepark.dialogue.state import DialogueContext, DialogueState, Tally
from culturepark.dialogue.styles import talk
from culturepark.dialogue.views import SEATS
from culturepark.errors import CallError, ConfigError
from culturepark.files import find_data_folder
from culturepark.language import LanguagePack, load_language
from culturepark.llm.base import ChatClient, Sampling
from culturepark.prompts import Prompts
from culturepark.records import Dialogue, Persona, Seed
from culturepark.refine.agent import ReadingContext, read_dialogue
from culturepark.refine.samples import Outcome, SampleSettings, culture_labels, make_outcomes, reject_all
from culturepark.refine.sentences import number_sentences
from culturepark.runs.plan import CONTACT, Plan, Slot, make_plan
from culturepark.runs.quotas import Settings
from culturepark.version import __version__

SPARE_CLAIMS = 1


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
    return Sources(
        load_profiles(personas),
        load_surveys(scenarios),
        load_topics(scenarios),
        load_scenes(scenarios),
        {"personas": _hash_folder(personas), "scenarios": _hash_folder(scenarios)},
    )


def _hash_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".csv")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
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
    topics = find_topics(list(config.topics), dict(sources.topics))
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


def plan_run(config: RunConfig, sources: Sources) -> Plan:
    """The plan of a run; a pure function of the configuration's data part and the data files."""
    settings = resolve_settings(config, sources)
    return make_plan(settings, sources.profiles, sources.surveys, sources.topics, sources.scenes)


@dataclass(frozen=True, slots=True)
class ModelSetup:
    """How models are asked: names, prompt size, and what the engine can do."""

    model: str
    refine_model: str
    prompt_size: str
    send_seeds: bool = True
    prefill: bool = False
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] | None = None
    turn_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A dialogue and each wanted seat's candidates, in order."""

    dialogue: Dialogue
    outcomes: Mapping[str, list[Outcome]]


class Workshop:
    """Makes dialogues and their candidates, one slot at a time, any number at once."""

    def __init__(self, config: RunConfig, sources: Sources, setup: ModelSetup, client: ChatClient) -> None:
        """Put together what all talks share."""
        self.config, self.sources, self.setup, self.client = config, sources, setup, client
        self.language: LanguagePack = load_language(config.language)
        self.prompts = Prompts(setup.prompt_size, Path(config.prompts) if config.prompts else None)
        self._people: dict[tuple[str, str], PersonaSource] = {}
        names = {
            p.id: [p.name, *p.aliases, *(c.name for c in p.countries), *(c.adjective for c in p.countries)]
            for p in sources.profiles.values()
        }
        self._samples = SampleSettings(
            config.seed, config.min_words, config.max_words, config.multi_turn_share, culture_labels(names)
        )

    async def make(self, slot: Slot) -> Result:
        """Run one slot. ``EndpointError`` comes out; an error of single calls ends the dialogue as failed."""
        topic = self.sources.topics[slot.topic]
        personas, seeds = self.draw_people(slot)
        tally = Tally()
        context = self._context(slot, topic, personas, tally)
        wanted = {seat: s.wanted for seat, s in zip(SEATS, slot.seats, strict=False) if s.wanted}
        state: DialogueState | None = None
        try:
            state = await talk(slot.style, context)
            dialogue = self._record(slot, personas, seeds, tally, state)
            if dialogue.status != "finished":
                return Result(dialogue, reject_all(dialogue, wanted, topic))
            return await self._refine(dialogue, wanted, topic, tally)
        except CallError as error:
            dialogue = self._record(slot, personas, seeds, tally, state, f"call_{error.kind}", str(error))
            return Result(dialogue, reject_all(dialogue, wanted, topic))

    def draw_people(self, slot: Slot) -> tuple[dict[str, Persona], dict[str, Seed]]:
        """The personas at the table and the survey figure behind each stance."""
        topic = self.sources.topics[slot.topic]
        survey = self.sources.surveys[topic.survey]
        personas: dict[str, Persona] = {}
        seeds: dict[str, Seed] = {}
        for place, seat in zip(SEATS, slot.seats, strict=False):
            order = Order(
                f"{slot.id}-{place}",
                seat.country,
                seat.number,
                topic,
                seat.code,
                slot.attempt > 1,
                seat.bands,
                tuple(p.name for p in personas.values()),
            )
            personas[place] = self._source(seat.culture, topic.survey).draw(order)
            figures = survey.shares(seat.country, topic.item)
            if figures and seat.code is not None:
                seeds[place] = Seed(
                    survey=survey.id,
                    item=topic.item,
                    topic=topic.id,
                    country=seat.country,
                    code=seat.code,
                    label=topic.point(seat.code).label,
                    share=round(figures.share(seat.code), 6),
                    n_valid=figures.n_valid,
                )
        return personas, seeds

    def _source(self, culture: str, survey: str) -> PersonaSource:
        key = (culture, survey)
        if key not in self._people:
            topics = {t.id: t for t in self.sources.topics.values() if t.survey == survey}
            profile = self.sources.profiles[culture]
            self._people[key] = PersonaSource(profile, self.sources.surveys[survey], topics, self.config.seed)
        return self._people[key]

    def _context(self, slot: Slot, topic: Topic, personas: dict[str, Persona], tally: Tally) -> DialogueContext:
        config, setup = self.config, self.setup
        return DialogueContext(
            id=slot.id,
            client=self.client,
            model=setup.model,
            sampling=self.sampling(config.temperature, setup.turn_tokens or config.max_tokens, setup.stop),
            prompts=self.prompts,
            language=self.language,
            topic=topic,
            scene=self.sources.scenes.get(slot.scene),
            personas=personas,
            turns=config.turns,
            seed=config.seed,
            send_seeds=setup.send_seeds,
            prefill=setup.prefill,
            classic_chat=config.classic_chat,
            tally=tally,
        )

    def sampling(self, temperature: float | None, max_tokens: int, stop: tuple[str, ...] = ()) -> Sampling:
        """How to decode, from the configuration and the engine's own needs; the user's extras win."""
        config = self.config
        extra = {
            k: v
            for k, v in (("frequency_penalty", config.frequency_penalty), ("presence_penalty", config.presence_penalty))
            if v is not None
        }
        extra = {**(self.setup.extra or {}), **extra, **config.extra_body}
        return Sampling(temperature, config.top_p, max_tokens, None, stop, extra)

    def _record(
        self,
        slot: Slot,
        personas: dict[str, Persona],
        seeds: dict[str, Seed],
        tally: Tally,
        state: DialogueState | None,
        failure: str = "",
        detail: str = "",
    ) -> Dialogue:
        fault, about = state["fault"] if state else ("", "")
        status = "failed" if failure else "rejected" if fault else "finished"
        return Dialogue(
            id=slot.id,
            slot=slot.number,
            attempt=slot.attempt,
            status=status,  # type: ignore[arg-type]
            reason=failure or fault,
            detail=(detail or about)[:500],
            style=slot.style,
            topic=slot.topic,
            scene=slot.scene,
            language=self.language.tag,
            personas=personas,
            seeds=seeds,
            notes=tuple(state["notes"].values()) if state else (),
            turns=tuple(state["turns"]) if state else (),
            stop=state["stop"] if state else "",
            prompts=self.prompts.hashes,
            calls=tally.calls,
            input_tokens=tally.input_tokens,
            cached_tokens=tally.cached_tokens,
            output_tokens=tally.output_tokens,
        )

    async def _refine(self, dialogue: Dialogue, wanted: dict[str, int], topic: Topic, tally: Tally) -> Result:
        sentences = number_sentences(dialogue.turns, self.language)
        context = ReadingContext(
            client=self.client,
            model=self.setup.refine_model,
            sampling=self.sampling(0.0, 200 + 80 * (sum(wanted.values()) + SPARE_CLAIMS * len(wanted))),
            prompts=self.prompts,
            language=self.language,
            topic=topic,
            dialogue=dialogue,
            sentences=sentences,
            wanted={seat: most + SPARE_CLAIMS for seat, most in wanted.items()},
        )
        reading = await read_dialogue(context)
        for reply in reading.replies:
            tally.add(reply)
        dialogue = dialogue.model_copy(
            update={
                "shifts": reading.shifts,
                "calls": tally.calls,
                "input_tokens": tally.input_tokens,
                "cached_tokens": tally.cached_tokens,
                "output_tokens": tally.output_tokens,
            }
        )
        lineage = {
            "software": f"culturepark {__version__}",
            "seed": self.config.seed,
            "model": self.setup.model,
            "refine_model": self.setup.refine_model,
            "data": dict(self.sources.hashes),
        }
        return Result(
            dialogue,
            make_outcomes(dialogue, reading, sentences, wanted, topic, self.language, self._samples, lineage),
        )
