"""What a run's records say about themselves: opinions before and after the talk, diversity, templates, judges.

Reads the run's files as a stream; texts and scores are sampled, so memory does not grow with the run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt

from culturepark.culture.profiles import Profile
from culturepark.culture.scenarios import Topic
from culturepark.language import find_language
from culturepark.measures.diversity import compression_ratio, distinct_n, near_copy_share, self_bleu
from culturepark.measures.opinions import semantic_spread, stance_distance
from culturepark.measures.panel import summarise_panel
from culturepark.measures.sampling import Reservoir, draw_sample
from culturepark.measures.template import Passage, template_ratio
from culturepark.records import Dialogue, Findings, Rejected, Sample
from culturepark.refine.encoder import Encoder
from culturepark.refine.panel import AXES, describe_disagreement
from culturepark.refine.stages.semantic_copies import Meanings
from culturepark.runs.folder import Run
from culturepark.runs.reread import answer_of

# The most that is looked at: texts and vectors over all cultures, talks, scores of a judge; each figure's n tells.
TEXTS, ENCODED, TALKS, SCORED = 1000, 600, 1000, 20_000
Scores = Mapping[str, Mapping[str, int]]


def measure_run(
    run: Run,
    topics: Mapping[str, Topic],
    profiles: Mapping[str, Profile],
    encoder: Encoder | None,
    people: Mapping[str, Scores] | None = None,
    meanings: Meanings | None = None,
) -> dict[str, Any]:
    """All measures of a run as plain data; an undefined figure is ``None`` with its reason.

    ``meanings`` may hold vectors of some texts, which then are not made twice. ``people`` are human scores by axis,
    scorer and candidate id. Sources of the methods: see ``measures/``.
    """
    reader = _Reader()
    for sample in run.samples():
        reader.take_sample(sample)
    for record in run.rejected():
        reader.take_scores(record.id, record.findings)
        reader.take_statements(record)
    made: dict[str, Any] = {"opinions": measure_opinions(run.dialogues(), topics)}
    kept_texts = reader.texts.list_kept()
    each = TEXTS // max(1, len(kept_texts))
    texts = {str(c): draw_sample(kept, each, 0) for c, kept in kept_texts.items()}
    tag = reader.tags.most_common(1)[0][0] if reader.tags else "en"
    made["diversity"] = {}
    vectors = []
    for culture, kept in sorted(texts.items()):
        rows = _encode(kept[: ENCODED // len(texts)], tag, encoder, meanings) if encoder else None
        vectors.append(rows)
        made["diversity"][culture] = measure_texts(kept, rows)
    together = [text for _, kept in sorted(texts.items()) for text in kept]
    usable = [rows for rows in vectors if rows is not None]
    made["diversity"]["all"] = measure_texts(together, np.concatenate(usable) if usable else None)
    markers = {c: list_markers(profiles[c]) for c in texts if c in profiles}
    passages = [p for kept in reader.passages.list_kept().values() for p in kept]
    made["template"] = _plain(template_ratio(passages, markers, tag))
    made["statements"] = {
        "accepted": dict(sorted(reader.statements["accepted"].items())),
        "dropped": dict(sorted(reader.statements["dropped"].items())),
    }
    made["panel"] = {axis: _sum_up_panel(reader.scores[axis], (people or {}).get(axis)) for axis in ("harm", "fit")}
    made["review"] = reader.review
    rounded: dict[str, Any] = _rounded(made)
    return rounded


def _encode(texts: list[str], tag: str, encoder: Encoder, meanings: Meanings | None) -> npt.NDArray[np.float32] | None:
    """Vectors as the run keeps them (half precision), so that it makes no difference which were there already."""
    known = meanings.look_up(texts, tag) if meanings else {}
    missing = [t for t in dict.fromkeys(texts) if t not in known]
    rows = encoder.encode(missing, tag)
    if rows is None or not texts:
        return None
    found = {**dict(zip(missing, rows.astype(np.float16), strict=True)), **known}
    return np.stack([found[t] for t in texts]).astype(np.float32)


class _Reader:
    """What is gathered from samples and rejections in one pass."""

    def __init__(self) -> None:
        self.texts: Reservoir[str] = Reservoir(TEXTS)
        self.passages: Reservoir[Passage] = Reservoir(50)
        self.statements: dict[str, Counter[str]] = {"accepted": Counter(), "dropped": Counter()}
        self.scores: dict[str, dict[str, dict[str, int]]] = {"harm": defaultdict(dict), "fit": defaultdict(dict)}
        self.tags: Counter[str] = Counter()
        self.review = 0

    def take_sample(self, sample: Sample) -> None:
        text = answer_of(sample)
        self.tags[sample.language] += 1
        self.texts.add(sample.culture, text)
        place = (sample.topic, sample.culture)
        self.passages.add(place, Passage(sample.topic, sample.culture, text, sample.lineage["dialogue"]))
        self.statements["accepted"].update(f"{s.kind} {s.verdict}" for s in sample.findings.statements)
        self.take_scores(sample.id, sample.findings)

    def take_statements(self, record: Rejected) -> None:
        self.statements["dropped"].update(f"{s.kind} {s.verdict}" for s in record.findings.statements)
        self.review += needs_review(record)

    def take_scores(self, name: str, findings: Findings) -> None:
        for score in findings.scores:
            known = self.scores[score.axis][score.judge]
            if score.value is not None and len(known) < SCORED:
                known[name] = score.value


def needs_review(record: Rejected) -> bool:
    """Did the judges disagree so much that a person should look, whatever it was dropped for?"""
    return any(describe_disagreement(record.findings.scores, axis) for axis in AXES)


def measure_opinions(dialogues: Iterable[Dialogue], topics: Mapping[str, Topic]) -> dict[str, Any]:
    """How far apart people at a table were before the talk and after it, and how they spoke.

    ``before`` and ``after`` are means over talks of the mean distance between two people's codes, on a scale of
    0 to 1, over talks in which the end is known for everybody; ``drift`` is after minus before (below 0: toward
    agreement). ``agreeing_openings`` and ``contrast``: shares of turns that begin by agreeing, or hold a contrast,
    in a fixed sample of talks.
    """
    before, after, ends = [], [], Counter[str]()
    turns = agreeing = contrast = talks = 0
    spoken: Reservoir[Dialogue] = Reservoir(TALKS)
    for dialogue in dialogues:
        if dialogue.status != "finished":
            continue
        talks += 1
        spoken.add("", dialogue)
        ends.update(shift.after for shift in dialogue.shifts)
        topic = topics.get(dialogue.topic)
        last = {
            s.speaker: s.now if s.now is not None else s.before if s.after == "same" else None for s in dialogue.shifts
        }
        first = {seat: p.stance.code for seat, p in dialogue.personas.items() if p.stance.code is not None}
        if topic is None or len(first) < 2 or any(last.get(seat) is None for seat in first):
            continue
        low, high = min(topic.codes), max(topic.codes)
        at_first = stance_distance(list(first.values()), low, high).value
        at_last = stance_distance([last[seat] for seat in first], low, high).value
        if at_first is not None and at_last is not None:
            before.append(at_first)
            after.append(at_last)
    for dialogue in spoken.list_kept().get("", ()):
        pack = find_language(dialogue.language)
        for turn in dialogue.turns if pack else ():
            turns += 1
            agreeing += bool(pack and pack.opens_with("agreement_openings", turn.text))
            contrast += bool(pack and pack.find("contrast", turn.text))
    known = {"value": None, "n": 0, "reason": "no talk tells where its speakers ended"}
    return {
        "before": {"value": mean(before), "n": len(before)} if before else known,
        "after": {"value": mean(after), "n": len(after)} if after else known,
        "drift": {"value": mean(after) - mean(before), "n": len(after)} if after else known,
        "ends": dict(sorted(ends.items())),
        "talks": talks,
        "agreeing_openings": {"value": agreeing / turns if turns else None, "n": turns},
        "contrast": {"value": contrast / turns if turns else None, "n": turns},
    }


def measure_texts(texts: list[str], vectors: npt.NDArray[np.float32] | None) -> dict[str, Any]:
    """Diversity of some texts; ``semantic`` is missing without vectors (rows) of them."""
    made: dict[str, Any] = {f"distinct_{n}": asdict(f) for n, f in distinct_n(texts).items()}
    made["self_bleu_4"] = asdict(self_bleu(texts))
    made["near_copies"] = asdict(near_copy_share(texts).share)
    made["compression"] = asdict(compression_ratio(texts))
    if vectors is not None:
        made["semantic"] = _plain(semantic_spread(vectors))
    return made


def list_markers(profile: Profile) -> Collection[str]:
    """Words that tell a culture's texts by name: countries, adjectives, places, given names, aliases."""
    found = {profile.name, *profile.aliases}
    for country in profile.countries:
        found |= {country.name, country.adjective, *(p.name for p in country.places)}
    for by_gender in profile.names.values():
        for names in by_gender.values():
            found |= {*names.any, *names.older, *names.younger}
    return {word for word in found if len(word) > 2}


def _sum_up_panel(scores: Mapping[str, Mapping[str, int]], people: Scores | None) -> dict[str, Any]:
    if not scores:
        return {}
    means = {judge: mean(marks.values()) for judge, marks in scores.items() if marks}
    return {**summarise_panel(scores, people), "mean_score": means}


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, (list, tuple)) else value
