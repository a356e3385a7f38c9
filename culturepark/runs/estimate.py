"""What a run will take: calls, tokens, money and time for n samples, from talks that were held for it.

From a real pilot, with an interval for what the whole run will take (a ratio of sums over talks, Cochran 1977, chapter
6, with Student's t for few of them and the run's own scatter added); or offline, from the run's own prompts answered
out of a phrase book, which is rough: it knows the prompts, not the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from culturepark.config import RunConfig, split_judge
from culturepark.llm.base import Usage
from culturepark.llm.prices import PriceBook, find_price, format_money, list_unpriced
from culturepark.runs.progress import format_seconds

LEVEL = 0.9
FEW = 10  # talks below which the interval itself is no more than a hint
ASSUMED_S = 2.0  # a call, where none was made
TALKING = frozenset({"note", "turn", "moderate", "repair"})
JUDGING = frozenset({"harm", "fit"})
_NAMES = ("calls", "input", "cached", "output")


@dataclass(frozen=True, slots=True)
class TalkCost:
    """What one talk took, with everything that was asked about it; ``cost`` (picodollars) is ``None`` if unknown."""

    accepted: int
    calls: int
    input: int
    cached: int
    output: int
    cost: int | None
    style: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """A figure and the ends of its interval, where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Forecast:
    """What ``n`` samples will take. ``figures``: calls, input, cached, output, cost (picodollars), seconds."""

    n: int
    figures: Mapping[str, Range] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def cost_talk(
    usage: Mapping[str, Sequence[int]], accepted: int, config: RunConfig, book: PriceBook, style: str = ""
) -> TalkCost:
    """The cost of a talk from its calls, input, cached and output tokens by purpose."""
    totals = [sum(numbers[k] for numbers in usage.values()) for k in range(4)]
    cost: int | None = 0
    for purpose, (_, read, cached, written) in usage.items():
        part = _price_usage(purpose, Usage(read, cached, written), config, book)
        cost = None if cost is None or part is None else cost + part
    return TalkCost(accepted, totals[0], totals[1], totals[2], totals[3], cost, style)


def _price_usage(purpose: str, usage: Usage, config: RunConfig, book: PriceBook) -> int | None:
    """The price of one purpose's tokens; several judges share theirs evenly, since all are shown the same."""
    models: list[tuple[str | None, bool]] = [(config.refine_model or config.model, False)]
    if purpose in TALKING:
        models = [(config.model, False)]
    elif purpose in JUDGING and config.judges:
        models = [(name, url is not None) for name, url, _ in map(split_judge, config.judges)]
    batched = config.batch == "all" or (config.batch == "refine" and purpose not in TALKING)
    total = 0
    for name, elsewhere in models:
        price = find_price(config, book, name or "", elsewhere=elsewhere)
        if price is None:
            return None
        total += (price.batch or price if batched else price).cost(usage)
    return total // len(models)


def forecast_pilot(
    talks: Sequence[TalkCost], config: RunConfig, book: PriceBook, mean_call_s: float | None
) -> Forecast:
    """What the run will take if its talks are like those of a pilot; rejected candidates are in it."""
    accepted = sum(talk.accepted for talk in talks)
    if not accepted:
        told = f"none of the pilot's {len(talks)} dialogues gave an accepted sample, so nothing can be estimated"
        return Forecast(config.n, {}, (f"{told}; read a few with preview",))
    figures = {}
    for name in (*_NAMES, "cost"):
        if all(getattr(talk, name) is not None for talk in talks):
            figures[name] = _stretch(talks, name, config.n)
    remarks = []
    if len(talks) < FEW:
        remarks.append(
            f"{len(talks)} dialogues are few: the interval is wide or, where they were all alike, too narrow; "
            f"--pilot {2 * FEW} or more gives a better one"
        )
    if config.batch == "all":
        remarks.append("time: with --batch all it depends on the server's batch queue, hours rather than minutes")
    elif mean_call_s:
        slots = _count_slots(config, config.n * len(talks) / accepted)
        figures["seconds"] = _scale(figures["calls"], mean_call_s / slots)
        remarks.append(f"time: if a call takes {mean_call_s:.2g} s as in the pilot and {slots} are always in flight")
    remarks.append("retries of failed calls are not in it")
    return Forecast(config.n, figures, (*remarks, *tell_unpriced(config, book)))


def _stretch(talks: Sequence[TalkCost], name: str, n: int) -> Range:
    """A total for n samples, what talks took over what they gave; the ends are where a run's own total will lie."""
    given, count = sum(talk.accepted for talk in talks), len(talks)
    rate = sum(getattr(talk, name) for talk in talks) / given
    if count < 2:
        return Range(n * rate)
    scatter = sum((getattr(talk, name) - rate * talk.accepted) ** 2 for talk in talks) / (count - 1)
    needed = n * count / given
    spread = _find_student(count - 1) * math.sqrt(scatter * needed * (1 + needed / count))
    return Range(n * rate, max(0.0, n * rate - spread), n * rate + spread)


def _find_student(freedom: int) -> float:
    """The 95th percentile of Student's t (Abramowitz and Stegun 26.7.5; exact for one and two degrees)."""
    if freedom < 3:
        return (6.3138, 2.9200)[freedom - 1]
    z = 1.644854
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / float(freedom) ** k for k, term in enumerate(terms, 1))


def _count_slots(config: RunConfig, talks: float) -> int:
    """Calls in flight at most: a talk asks for one thing after the other."""
    return max(1, min(config.concurrency, math.ceil(talks)))


def _scale(figure: Range, factor: float) -> Range:
    low = None if figure.low is None else figure.low * factor
    return Range(figure.value * factor, low, None if figure.high is None else figure.high * factor)


def forecast_offline(
    talks: Sequence[TalkCost], planned: Mapping[str, int], config: RunConfig, book: PriceBook
) -> Forecast:
    """What the planned talks (counted by style) will take at least, from talks held offline."""
    figures = {}
    for name in (*_NAMES, "cost"):
        numbers: dict[str, list[int | None]] = {}
        for talk in talks:
            numbers.setdefault(talk.style, []).append(getattr(talk, name))
        known = {style: [v for v in values if v is not None] for style, values in numbers.items()}
        if all(len(known[style]) == len(numbers[style]) for style in numbers) and name != "cached":
            total = sum(count * sum(known[style]) / len(known[style]) for style, count in planned.items())
            figures[name] = Range(total)
    slots = _count_slots(config, sum(planned.values()))
    figures["seconds"] = _scale(figures["calls"], ASSUMED_S / slots)
    remarks = (
        "rough: from the run's own prompts and replies out of a phrase book, without rejects, retries and cached input",
        f"time: if a call takes {ASSUMED_S:g} s and {slots} are always in flight",
        "culturepark preview --estimate asks the model itself and gives an interval",
    )
    return Forecast(config.n, figures, (*remarks, *tell_unpriced(config, book)))


def tell_unpriced(config: RunConfig, book: PriceBook) -> list[str]:
    """What to say of models without a known price."""
    unpriced = list_unpriced(config, book) if config.model else ["the model"]
    start = "; with --max-cost the run does not start without it" if config.max_cost is not None else ""
    return [f"price unknown: add {name} to --prices{start}" for name in dict.fromkeys(unpriced)]


def describe_forecast(forecast: Forecast) -> list[str]:
    """A forecast as lines for people."""
    with_interval = any(figure.low is not None for figure in forecast.figures.values())
    lines = [f"Estimate for {forecast.n:,} samples{' (90 % interval)' if with_interval else ''}:"]
    shown = {
        "calls": _round,
        "input": _round,
        "cached": _round,
        "output": _round,
        "cost": lambda value: format_money(round(value)),
        "seconds": format_seconds,
    }
    names = {"input": "tokens in", "cached": "of them cached", "output": "tokens out", "cost": "money"}
    for name, show in shown.items():
        figure = forecast.figures.get(name)
        if figure is not None and (figure.value or name != "cached"):
            ends = ""
            if figure.low is not None and figure.high is not None:
                ends = f"   ({show(figure.low)} to {show(figure.high)})"
            label = "time" if name == "seconds" else names.get(name, name)
            lines.append(f"  {label:<15} {show(figure.value)}{ends}")
    return [*lines, *(f"  {remark}" for remark in forecast.remarks)]


def _round(value: float) -> str:
    """Three digits that say something: ``22,400``."""
    return f"{int(float(f'{value:.3g}')):,}"
