"""What is decided in plan order: copies over the whole run, which candidates are used, and the commit of a talk.

Nothing here waits for a model, so the same talks in the same order give the same outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from culturepark.dialogue.views import SEATS
from culturepark.language import words
from culturepark.records import Claim, Rejected, Sample, Verdict
from culturepark.refine.candidate import Candidate
from culturepark.refine.forms import make_single
from culturepark.refine.samples import Rival, drop_empty, make_rejected, make_sample
from culturepark.refine.seen import SeenNumbers
from culturepark.refine.selection import SELECTIONS
from culturepark.refine.stages import run_stages
from culturepark.runs.drafts import Draft
from culturepark.runs.folder import Run
from culturepark.runs.journal import Commit, read_journal
from culturepark.runs.plan import Slot
from culturepark.runs.tools import Toolbox
from culturepark.runs.work import RIVAL_REASONS, Workshop, is_harmless

_LENGTH_GAP = 0.2  # how far the two answers of a preference pair may differ in words


class Sieve:
    """Screens drafts and chooses among their candidates; holds what the run has kept so far."""

    def __init__(self, tools: Toolbox, workshop: Workshop) -> None:
        """Start with nothing kept; ``remember`` takes in what a resumed run has."""
        self._tools, self._workshop = tools, workshop
        self._texts = SeenNumbers()

    def screen(self, draft: Draft) -> None:
        """Drop copies of anything screened before; what stays is remembered. To be called in plan order."""
        context = self._tools.context(draft.dialogue.language, ())
        for candidate in draft.live():
            screened = run_stages(candidate, context, self._tools.stages, "run")
            draft.replace_all([screened])
            if screened.dropped is None and "near_copies" in self._tools.stages:
                self._tools.near_copies.add(candidate.id, candidate.text, draft.dialogue.language)

    def choose(self, position: int, slot: Slot, draft: Draft, room: int) -> Commit:
        """Decide over every candidate of a draft. To be called in plan order; ``room`` bounds the candidates."""
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
                    self._remember(sample, candidate.text)
                    accepted += 1
            missing.append(seat.wanted - accepted)
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
            if candidate.dropped is None and (key in self._texts or key in seen):
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

    def _remember(self, sample: Sample, text: str) -> None:
        self._texts.add(text_hash(text))
        if self._tools.meanings is not None:
            cell = (sample.culture, sample.topic, sample.answer)
            self._tools.meanings.remember(cell, sample.language, sample.id, text)

    def _indexed(self, draft: Draft, spare: list[Claim]) -> Iterator[str]:
        """Ids of spare claims that later talks are compared with."""
        ids = {claim.id for claim in spare}
        for found in draft.candidates.values():
            for candidate in found:
                passed = any(v.stage == "near_copies" and v.kept for v in candidate.verdicts)
                if candidate.id in ids and passed:
                    yield candidate.id

    def restore(self, kept: Iterable[Sample], screened: Iterable[tuple[str, str, str]]) -> None:
        """Take in what a run has: its samples, and (id, text, language) of all that was screened, in plan order."""
        for sample in kept:
            self._remember(sample, answer_of(sample))
        if "near_copies" in self._tools.stages:
            for name, text, tag in screened:
                self._tools.near_copies.add(name, text, tag)


def read_screened(run: Run) -> tuple[list[Sample], list[tuple[str, str, str]]]:
    """A run's samples, and (id, text, language) of every candidate its copies were told by, in plan order."""
    places: dict[str, int] = {}
    indexed: set[str] = set()
    for line in read_journal(run.path):
        places[line["id"]] = len(places)
        indexed.update(line["indexed"])
    if not places:
        return [], []
    found: list[tuple[int, str, str, str]] = []
    tags: dict[str, str] = {}
    for dialogue in run.dialogues():
        tags[dialogue.id] = dialogue.language
        spare = [claim for claim in dialogue.spare if claim.id in indexed]
        found += [(places[dialogue.id], claim.id, quoted(claim), dialogue.language) for claim in spare]
    samples = list(run.samples())
    for sample in samples:
        claim = Claim.model_validate(sample.lineage["claim"])
        found.append((places[sample.lineage["dialogue"]], sample.id, quoted(claim), sample.language))
    for record in run.rejected():
        if record.claim and any(v.stage == "near_copies" and v.kept for v in record.verdicts):
            found.append((places[record.dialogue], record.id, quoted(record.claim), tags[record.dialogue]))
    found.sort(key=lambda row: (row[0], _seat_and_number(row[1])))
    return samples, [row[1:] for row in found]


def _seat_and_number(name: str) -> tuple[str, int]:
    """The last part of a candidate's id, such as a12, in the order of seats and numbers."""
    last = name.rpartition("-")[2]
    return last[:1], int(last[1:] or 0)


def quoted(claim: Claim) -> str:
    """A claim's words as they were said."""
    return " ".join(text for quote in claim.quotes for text in quote.texts)


def answer_of(sample: Sample) -> str:
    """What the speaker voiced, mended if it was: the part of a sample that copies are told by."""
    rewrite = next((r.text for r in sample.findings.rewrites if r.kept), None)
    return rewrite or quoted(Claim.model_validate(sample.lineage["claim"])) or sample.messages[-1]["content"]


def text_hash(text: str) -> int:
    """64 bits over the words of a text, in lower case and without punctuation."""
    return int.from_bytes(hashlib.blake2b(" ".join(words(text)).encode(), digest_size=8).digest(), "big")


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
