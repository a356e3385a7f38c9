"""One planned talk from personas to candidates that models have looked at; what talks share is put together once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from culturepark.config import RunConfig
from culturepark.culture.personas import Order, PersonaSource
from culturepark.culture.profiles import Profile
from culturepark.culture.scenarios import Topic
from culturepark.dialogue.state import DialogueContext, DialogueState, Tally
from culturepark.dialogue.styles import talk
from culturepark.dialogue.views import SEATS
from culturepark.errors import CallError
from culturepark.language import LanguagePack, load_language
from culturepark.llm.base import ChatClient, Sampling
from culturepark.prompts import Prompts
from culturepark.records import Dialogue, Findings, Persona, Seed, Verdict
from culturepark.refine.agent import ReadingContext, read_dialogue
from culturepark.refine.candidate import Candidate, StageContext
from culturepark.refine.forms import FormSettings, give_mended, whole_text
from culturepark.refine.judges import Judge, score
from culturepark.refine.panel import AXES
from culturepark.refine.samples import Reader, culture_labels, drop_all, make_candidates
from culturepark.refine.sentences import number_sentences
from culturepark.refine.stages import STAGES, find_text_fault, run_stages
from culturepark.refine.verifier import VerifyContext, verify
from culturepark.runs.drafts import Draft, Metered
from culturepark.runs.plan import Slot
from culturepark.runs.sources import Sources
from culturepark.runs.tools import Toolbox
from culturepark.version import __version__

SPARE_CLAIMS = 2  # a claim more costs no call, a talk more costs a dozen
_TOP = 6  # alternatives asked for at each token: as many as there are grades


@dataclass(frozen=True, slots=True)
class ModelSetup:
    """How models are asked: names, prompt size, and what the engine can do.

    Without ``panel`` nothing is verified or judged; without ``judged`` the model itself is not on it: the embedded
    model cannot do it. ``probabilities``: the server may be asked for log-probabilities.
    """

    model: str
    refine_model: str
    prompt_size: str
    send_seeds: bool = True
    prefill: bool = False
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] | None = None
    turn_tokens: int | None = None
    probabilities: bool = False
    judged: bool = True
    panel: tuple[Judge, ...] = ()


class Workshop:
    """Makes dialogues and their candidates, one slot at a time, any number at once.

    ``stored`` gives talks that are already there instead of new ones.
    """

    def __init__(
        self,
        config: RunConfig,
        sources: Sources,
        setup: ModelSetup,
        client: ChatClient,
        prompts: Prompts,
        tools: Toolbox,
        stored: Callable[[str], Dialogue] | None = None,
    ) -> None:
        """Put together what all talks share."""
        self.config, self.sources, self.setup, self.client = config, sources, setup, client
        self.language: LanguagePack = load_language(config.language)
        self.prompts, self.tools, self._stored = prompts, tools, stored
        self._people: dict[tuple[str, str], PersonaSource] = {}
        names = {
            p.id: [p.name, *p.aliases, *(c.name for c in p.countries), *(c.adjective for c in p.countries)]
            for p in sources.profiles.values()
        }
        self._labels = culture_labels(names)

    async def talk(self, position: int, slot: Slot) -> Draft:
        """Hold the talk of one slot and read it; candidates come back after the stages that look at one text.

        ``EndpointError`` comes out; an error of single calls ends the dialogue as failed.
        """
        topic = self.sources.topics[slot.topic]
        wanted = {seat: s.wanted for seat, s in zip(SEATS, slot.seats, strict=False) if s.wanted}
        if self._stored is not None:
            return await self._read_stored(slot, topic, wanted)
        personas, seeds = self.draw_people(slot)
        tally = Tally()
        context = self._context(slot, topic, personas, tally)
        state: DialogueState | None = None
        try:
            state = await talk(slot.style, context)
            dialogue = self._record(slot, personas, seeds, state)
            if dialogue.status == "finished":
                return await self._read(dialogue, topic, wanted, tally)
        except CallError as error:
            dialogue = self._record(slot, personas, seeds, state, f"call_{error.kind}", str(error))
        return Draft(dialogue, wanted, drop_all(dialogue, wanted), tally=tally)

    async def _read_stored(self, slot: Slot, topic: Topic, wanted: Mapping[str, int]) -> Draft:
        assert self._stored is not None
        found = self._stored(slot.id)
        tally = Tally()
        for purpose in ("note", "turn", "moderate", "repair"):
            if purpose in found.usage:
                tally.take(purpose, found.usage[purpose])
        dialogue = found.model_copy(update={"spare": (), "shifts": ()})
        if dialogue.status != "finished" and not dialogue.reason.startswith("call_"):
            return Draft(dialogue, wanted, drop_all(dialogue, wanted), tally=tally)
        if not dialogue.turns:
            return Draft(dialogue, wanted, drop_all(dialogue, wanted), tally=tally)
        try:
            return await self._read(dialogue, topic, wanted, tally)
        except CallError as error:
            failed = dialogue.model_copy(
                update={"status": "failed", "reason": f"call_{error.kind}", "detail": str(error)[:500]}
            )
            return Draft(failed, wanted, drop_all(failed, wanted), tally=tally)

    async def examine(self, position: int, draft: Draft) -> Draft:
        """Let models look at what is left: verification with repair, then the panel of judges."""
        live = draft.live()
        if not live or not self.setup.panel:
            draft.replace_all([replace(c, tags=(*c.tags, "unjudged")) for c in live])
            return draft
        topic = self.sources.topics[draft.dialogue.topic]
        context = self._stage_context(draft.dialogue)
        try:
            asking = self._verify_context(draft, live, topic, context)
            verified = await self._verify(asking, live, context)
            draft.replace_all(verified)
            draft.replace_all(await self._judge(asking, draft, verified, context))
        except CallError as error:
            verdict = Verdict(stage="verify", kept=False, reason=f"call_{error.kind}", evidence=str(error)[:300])
            draft.replace_all([replace(c, verdicts=(*c.verdicts, verdict)) for c in draft.live()])
        return draft

    async def _verify(self, asking: VerifyContext, live: list[Candidate], context: StageContext) -> list[Candidate]:
        if self.setup.probabilities and self.config.quality == "auto":
            extra = {"logprobs": True, "top_logprobs": _TOP, **asking.sampling.extra}
            asking = replace(asking, sampling=replace(asking.sampling, extra=extra))
        verification = await verify(asking, live)
        found = []
        for candidate in live:
            checked = replace(candidate, findings=verification.findings[candidate.id])
            rewrite = next((r for r in checked.findings.rewrites if r.kept), None)
            if rewrite is not None:
                mended = replace(checked, text=rewrite.text, tags=(*checked.tags, "repaired"))
                checked = give_mended(mended, self.config.sample_types)
            found.append(run_stages(checked, context, self.tools.stages, "verify"))
        return found

    async def _judge(
        self, asking: VerifyContext, draft: Draft, verified: list[Candidate], context: StageContext
    ) -> list[Candidate]:
        """Let the panel score everything that was verified, also what a verdict dropped since.

        So another threshold asks nothing new, and what may be the rejected side of a pair is judged as well.
        """
        if all(c.dropped for c in verified):
            return []
        pairs = "preference" in self.config.sample_types
        originals = [o for c in verified if pairs and (o := _before_repair(c)) is not None]
        shown = [replace(c, text=whole_text(c)) for c in (*verified, *originals)]
        panel = [replace(judge, client=Metered(judge.client, draft.tally)) for judge in self.setup.panel]
        audiences = {c.id: self._audience(c.culture) for c in shown}
        axes = [axis for axis in AXES if axis in self.tools.stages]
        scoring = await score(asking, panel, shown, audiences, axes)
        found = []
        for candidate in verified:
            findings = candidate.findings.model_copy(update={"scores": scoring.scores[candidate.id]})
            if before := scoring.scores.get(f"{candidate.id}-before"):
                harmless = is_harmless(replace(candidate, findings=Findings(scores=before)), context)
                rewrites = (r.model_copy(update={"harmless": harmless}) if r.kept else r for r in findings.rewrites)
                findings = findings.model_copy(update={"rewrites": tuple(rewrites)})
            scored = replace(candidate, findings=findings)
            found.append(run_stages(scored, context, self.tools.stages, "judge"))
        return found

    def _audience(self, culture: str) -> str:
        if self.config.audience:
            return self.config.audience
        scope = self.sources.profiles[culture].scope
        return f"{scope.group}; {scope.place}; {scope.period}"

    def _verify_context(
        self, draft: Draft, live: Sequence[Candidate], topic: Topic, context: StageContext
    ) -> VerifyContext:
        dialogue = draft.dialogue
        return VerifyContext(
            client=Metered(self.client, draft.tally),
            model=self.setup.refine_model,
            sampling=self.sampling(0.0, 300 + 160 * len(live)),
            prompts=self.prompts,
            language=context.pack,
            topic=topic,
            dialogue=dialogue,
            sentences=draft.sentences,
            sources=self.tools.find_sources(dialogue, [c.text for c in live]),
            seed=self.config.seed,
            find_fault=lambda candidate, text: find_text_fault(
                replace(candidate, text=text), context, self.tools.stages
            ),
        )

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
            profile: Profile = self.sources.profiles[culture]
            self._people[key] = PersonaSource(profile, self.sources.surveys[survey], topics, self.config.seed)
        return self._people[key]

    def _context(self, slot: Slot, topic: Topic, personas: dict[str, Persona], tally: Tally) -> DialogueContext:
        config, setup = self.config, self.setup
        return DialogueContext(
            id=slot.id,
            client=self.client,
            model=setup.model,
            sampling=self.sampling(config.temperature, setup.turn_tokens or config.reply_tokens, setup.stop),
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
        )

    async def _read(self, dialogue: Dialogue, topic: Topic, wanted: Mapping[str, int], tally: Tally) -> Draft:
        context = self._stage_context(dialogue)
        sentences = number_sentences(dialogue.turns, context.pack)
        reading = await read_dialogue(
            ReadingContext(
                client=Metered(self.client, tally),
                model=self.setup.refine_model,
                sampling=self.sampling(0.0, 200 + 80 * (sum(wanted.values()) + SPARE_CLAIMS * len(wanted))),
                prompts=self.prompts,
                language=context.pack,
                topic=topic,
                dialogue=dialogue,
                sentences=sentences,
                wanted={seat: most + SPARE_CLAIMS for seat, most in wanted.items()},
            )
        )
        dialogue = dialogue.model_copy(update={"shifts": reading.shifts})
        config = self.config
        forms = FormSettings(config.seed, config.sample_types, config.multi_turn_share, topic, self.prompts)
        reader = Reader(topic, context, self.tools.stages, forms, self._labels)
        candidates = make_candidates(dialogue, reading, sentences, wanted, reader)
        return Draft(dialogue, wanted, candidates, sentences, tally)

    def _stage_context(self, dialogue: Dialogue) -> StageContext:
        names = tuple(p.name for p in dialogue.personas.values())
        return self.tools.context(dialogue.language, names)

    def lineage(self) -> dict[str, Any]:
        """What every sample of the run has in common."""
        return {
            "software": f"culturepark {__version__}",
            "seed": self.config.seed,
            "model": self.setup.model,
            "refine_model": self.setup.refine_model,
            "judges": [judge.name for judge in self.setup.panel],
            "data": dict(self.sources.hashes),
        }


# Dropped for what they say about the stance or the facts: the losing side of a preference pair.
RIVAL_REASONS = frozenset({"contradicts_stance", "fact_contradicted"})


def _before_repair(candidate: Candidate) -> Candidate | None:
    rewrite = next((r for r in candidate.findings.rewrites if r.kept), None)
    if rewrite is None:
        return None
    return replace(candidate, id=f"{candidate.id}-before", text=rewrite.original, form="single", lead=(), final="")


def is_harmless(candidate: Candidate, context: StageContext) -> bool:
    """Did judges score the candidate, and is it harmless by their scores?"""
    return bool(candidate.findings.scores) and STAGES["harm"].check(candidate, context).kept
