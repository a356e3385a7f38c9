"""What is decided in plan order: copies over the whole run, which candidates are used, and the commit of a talk.

Nothing here waits for a model, so the same talks in the same order give the same outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from culturepark.dialogue.views import SEATS
from culturepark.language import words
from culturepark.records import Claim, Rejected, Sample, Verdict
from culturepark.refine.candidate import Candidate
from culturepark.refine.forms import make_single
from culturepark.refine.samples import Rival, drop_empty, make_rejected, make_sample
from culturepark.refine.selection import SELECTIONS
from culturepark.refine.stages import run_stages
from culturepark.runs.drafts import Draft
from culturepark.runs.journal import Commit, RunFolder
from culturepark.runs.memory import Memory, text_hash
from culturepark.runs.plan import Slot
from culturepark.runs.tools import Toolbox
from culturepark.runs.work import RIVAL_REASONS, Workshop, is_harmless

_LONG = 5_000  # dialogues; a run of fewer is taken in before anything else
_LENGTH_GAP = 0.2  # how far the two answers of a preference pair may differ in words


class Sieve:
    """Screens drafts and chooses among their candidates; holds what the run has kept so far."""

    def __init__(self, tools: Toolbox, workshop: Workshop) -> None:
        """Start with nothing kept; ``restore`` takes in what a resumed run has."""
        self._tools, self._workshop = tools, workshop
        self._memory = Memory(tools)
        self._restoring: Future[None] | None = None

    def screen(self, draft: Draft) -> None:
        """Drop copies of anything screened before; what stays is remembered. To be called in plan order."""
        self.settle()
        context = self._tools.context(draft.dialogue.language, ())
        for candidate in draft.live():
            screened = run_stages(candidate, context, self._tools.stages, "run")
            draft.replace_all([screened])
            if screened.dropped is None:
                self._memory.add(draft.dialogue.id, candidate.id, candidate.text, draft.dialogue.language)

    def choose(self, position: int, slot: Slot, draft: Draft, room: int) -> Commit:
        """Decide over every candidate of a draft. To be called in plan order; ``room`` bounds the candidates."""
        self.settle()
        dialogue = draft.settled()
        samples: list[Sample] = []
        rejected: list[Rejected] = []
        spare: list[Claim] = []
        missing: list[int] = []
        lineage = self._workshop.lineage()
        topic = self._workshop.sources.topics[slot.topic]
        for place, seat in zip(SEATS, slot.seats, strict=False):
            candidates = self._settle(draft, place)
            used = self._pick([c for c in candidates if c.dropped is None], seat.wanted, dialogue.language)
            accepted = 0
            for candidate in candidates:
                if candidate.dropped is None and candidate.id not in used:
                    spare.extend(_claims(candidate))
                elif accepted == seat.wanted or len(samples) + len(rejected) >= room:
                    spare.extend(_claims(candidate))
                elif candidate.dropped is not None:
                    rejected.append(make_rejected(candidate, dialogue))
                else:
                    sample = make_sample(candidate, dialogue, topic, lineage, self._find_rival(candidate, draft))
                    samples.append(sample)
                    self._memory.remember(sample, candidate.text)
                    accepted += 1
            missing.append(seat.wanted - accepted)
        self._memory.commit(dialogue.id)
        if spare:
            dialogue = dialogue.model_copy(update={"spare": tuple(spare)})
        return Commit(position, dialogue, samples, rejected, tuple(missing), tuple(self._indexed(draft, spare)))

    def _settle(self, draft: Draft, place: str) -> list[Candidate]:
        """A seat's candidates after the last checks: same words, same meaning, and whether a pair can be made."""
        found: list[Candidate] = []
        context = self._tools.context(draft.dialogue.language, ())
        seen: set[int] = set()
        for candidate in draft.candidates.get(place, []):
            key = text_hash(candidate.text)
            if candidate.dropped is None and (self._memory.holds(key) or key in seen):
                candidate = _drop(candidate, "near_copies", "duplicate", "same words as an earlier sample")
            if candidate.dropped is None:
                candidate = run_stages(candidate, context, self._tools.stages, "cell")
            if candidate.dropped is None and candidate.form == "preference":
                candidate = self._pair(candidate, draft)
            if candidate.dropped is None:
                seen.add(key)
            found.append(candidate)
        while len(found) < draft.wanted.get(place, 0):
            found.append(drop_empty(draft.dialogue, place, len(found) + 1, "extract", "no_claim", ""))
        return found

    def _pair(self, candidate: Candidate, draft: Draft) -> Candidate:
        """The candidate if a rejected answer can be found for it; else as a single sample, where those are wanted."""
        if self._find_rival(candidate, draft) is not None:
            return candidate
        if "single" in self._workshop.config.sample_types:
            return make_single(candidate)
        return _drop(candidate, "sample", "no_pair", "no other answer of like length to the same question")

    def _find_rival(self, candidate: Candidate, draft: Draft) -> Rival | None:
        """The other answer of a pair: before its repair, dropped for its stance or facts, or another culture's."""
        if candidate.form != "preference":
            return None
        for rival in _rivals(candidate, draft, self._tools):
            mine, theirs = len(words(candidate.text)), len(words(rival.text))
            if abs(mine - theirs) <= _LENGTH_GAP * max(mine, theirs):
                return rival
        return None

    def _pick(self, passing: list[Candidate], wanted: int, tag: str) -> set[str]:
        """Ids of the candidates to use: those least alike to each other and to what their cell has."""
        if len(passing) <= wanted:
            return {c.id for c in passing}
        choose = SELECTIONS[self._workshop.config.select]
        meanings = self._tools.meanings
        texts = [c.text for c in passing]
        vectors = meanings.encode(texts, tag) if meanings and passing else None
        taken = meanings.vectors(passing[0].cell, tag) if meanings and passing else None
        marks = [(c.findings.complexity or 0) * (c.findings.quality or 0) for c in passing]
        return {passing[k].id for k in choose(texts, vectors, taken, wanted, marks)}

    def _indexed(self, draft: Draft, spare: list[Claim]) -> Iterator[str]:
        """Ids of spare claims that later talks are compared with."""
        ids = {claim.id for claim in spare}
        for found in draft.candidates.values():
            for candidate in found:
                passed = any(v.stage == "near_copies" and v.kept for v in candidate.verdicts)
                if candidate.id in ids and passed:
                    yield candidate.id

    def restore(self, folder: RunFolder) -> None:
        """Take in what a run has; from then on the folder keeps what this one knows.

        Of a long run this goes on while the first calls are made: ``screen``, ``choose`` and ``settle`` wait for it.
        """
        if folder.counts.dialogues < _LONG:
            self._memory.restore(folder)
            return
        pool = ThreadPoolExecutor(1)
        self._restoring = pool.submit(self._memory.restore, folder)
        pool.shutdown(wait=False)

    def settle(self) -> None:
        """Wait until what a run has is taken in. Raises ``DataError`` where its files are damaged."""
        if self._restoring is not None:
            self._restoring.result()
            self._restoring = None


def _rivals(candidate: Candidate, draft: Draft, tools: Toolbox) -> Iterator[Rival]:
    for rewrite in candidate.findings.rewrites:
        if rewrite.kept and rewrite.harmless:
            yield Rival(rewrite.original, "repair", candidate.id)
    context = tools.context(draft.dialogue.language, ())
    for other in draft.candidates.get(candidate.speaker, []):
        if other.dropped and other.dropped.reason in RIVAL_REASONS and is_harmless(other, context):
            yield Rival(other.text, "verification", other.id)
    for seat, found in draft.candidates.items():
        for other in found if seat != candidate.speaker else []:
            if other.dropped is None and other.culture != candidate.culture and other.answer != candidate.answer:
                yield Rival(other.text, "culture", other.id)


def _drop(candidate: Candidate, stage: str, reason: str, evidence: str) -> Candidate:
    verdict = Verdict(stage=stage, kept=False, reason=reason, evidence=evidence)
    return replace(candidate, verdicts=(*candidate.verdicts, verdict))


def _claims(candidate: Candidate) -> Iterator[Claim]:
    if candidate.claim is not None and candidate.claim.quotes:
        yield candidate.claim
