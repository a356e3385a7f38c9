"""How near a model's answers stand to the survey: its options' probabilities against the measured shares.

Each survey item is asked in our own words with lettered options, in scale order and turned round, and the two are
averaged, so that a liking for a letter cancels out. Nothing is sampled. Small models know little of such questions:
read the change from before to after, not the level.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from culturepark.culture.personas import country_weights
from culturepark.culture.profiles import Profile
from culturepark.culture.scenarios import Topic
from culturepark.culture.surveys import Survey, js_distance
from culturepark.runs.sources import Sources

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Shares = dict[int, float]


class Weigher(Protocol):
    """What gives each option of a question its probability."""

    def weigh(self, chat: Sequence[dict[str, str]], options: Sequence[str]) -> list[float]:
        """Probabilities that sum to 1."""
        ...


@dataclass(frozen=True)
class Probe:
    """One question to a model and the survey's answer shares. ``system`` names the country where it must be told."""

    topic: Topic
    culture: str
    survey: Shares
    system: str = ""
    held_out: bool = True


@dataclass(frozen=True)
class Fit:
    """A model's answer shares to one probe, expected answers in codes, and the Jensen-Shannon distance (0 to 1)."""

    topic: str
    culture: str
    shares: Shares
    survey: Shares
    expected: float
    survey_expected: float
    distance: float


def choose_probes(
    cultures: Sequence[str],
    sources: Sources,
    weighting: str,
    trained: Collection[str],
    held_out: Collection[str],
    count: int,
    seed: int,
    tell_country: bool = False,
) -> list[Probe]:
    """Survey items no training row is about: those of the test split first, then others of the survey, by seed.

    ``count`` is for each culture. With ``tell_country`` the question says where one lives, which a model of several
    cultures must know.
    """
    probes = []
    for culture in cultures:
        profile = sources.profiles[culture]
        asked = {t.id: shares for t in sources.topics.values() if (shares := _mix(t, profile, sources, weighting))}
        rest = [t for t in asked if t not in trained and t not in held_out]
        random.Random(f"{seed}/{culture}/probes").shuffle(rest)
        chosen = [t for t in asked if t in held_out and t not in trained] + rest
        where = " or ".join(c.name for c in profile.countries)
        system = f"You live in {where}. Answer as you see things yourself." if tell_country else ""
        probes += [Probe(sources.topics[t], culture, asked[t], system) for t in chosen[:count]]
    return probes


def _mix(topic: Topic, profile: Profile, sources: Sources, weighting: str) -> Shares:
    survey: Survey | None = sources.surveys.get(topic.survey)
    return survey.mixture(country_weights(profile, weighting), topic.item) if survey else {}


def ask_probe(probe: Probe, turned: bool) -> tuple[list[dict[str, str]], list[int]]:
    """The chat that asks, and the codes its letters stand for, in order."""
    points = list(reversed(probe.topic.scale)) if turned else list(probe.topic.scale)
    options = "\n".join(f"{_LETTERS[k]}. {point.label}" for k, point in enumerate(points))
    words = f'What do you think of this? "{probe.topic.statement.strip()}"\n{options}\nAnswer with one letter only.'
    lead = [{"role": "system", "content": probe.system}] if probe.system else []
    return [*lead, {"role": "user", "content": words}], [point.code for point in points]


def measure_fit(model: Weigher, probes: Sequence[Probe]) -> list[Fit]:
    """The fit of a model to the survey on each probe."""
    fits = []
    for probe in probes:
        shares: Shares = dict.fromkeys(probe.topic.codes, 0.0)
        for turned in (False, True):
            chat, codes = ask_probe(probe, turned)
            for code, share in zip(codes, model.weigh(chat, _LETTERS[: len(codes)]), strict=True):
                shares[code] += share / 2
        distance = js_distance(shares, probe.survey)
        fits.append(
            Fit(probe.topic.id, probe.culture, shares, probe.survey, _mean(shares), _mean(probe.survey), distance)
        )
    return fits


def _mean(shares: Mapping[int, float]) -> float:
    return sum(code * share for code, share in shares.items()) / sum(shares.values())


def summarise_fit(fits: Sequence[Fit], topics: Mapping[str, Topic]) -> dict[str, float]:
    """Means over probes: ``distance``, and ``gap``, how far the expected answer lies off as a share of the scale."""
    if not fits:
        return {}
    gaps = []
    for fit in fits:
        codes = topics[fit.topic].codes
        gaps.append(abs(fit.expected - fit.survey_expected) / (codes[-1] - codes[0]))
    return {"distance": sum(f.distance for f in fits) / len(fits), "gap": sum(gaps) / len(gaps)}


def compare_fits(before: Sequence[Fit], after: Sequence[Fit], topics: Mapping[str, Topic]) -> dict[str, Any]:
    """Both sides and the shift toward the survey (positive: nearer to it than before)."""
    if not before:
        return {"probes": 0}
    first, then = summarise_fit(before, topics), summarise_fit(after, topics)
    nearer = sum(b.distance > a.distance for b, a in zip(before, after, strict=True))
    return {
        "probes": len(before),
        "nearer": nearer,
        "before": _round(first),
        "after": _round(then),
        "shift": _round({key: first[key] - then[key] for key in first}),
    }


def tabulate_fits(before: Sequence[Fit], after: Sequence[Fit]) -> list[dict[str, Any]]:
    """A row for each probe: expected answers and distances, before and after, beside the survey's."""
    return [
        {
            "culture": b.culture,
            "topic": b.topic,
            "survey": {str(k): round(v, 4) for k, v in b.survey.items()},
            "before": {str(k): round(v, 4) for k, v in b.shares.items()},
            "after": {str(k): round(v, 4) for k, v in a.shares.items()},
            "expected": _round({"survey": b.survey_expected, "before": b.expected, "after": a.expected}),
            "distance": _round({"before": b.distance, "after": a.distance}),
        }
        for b, a in zip(before, after, strict=True)
    ]


def _round(figures: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in figures.items()}
