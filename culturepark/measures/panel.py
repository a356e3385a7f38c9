"""How far a panel of judges agrees with itself and, where people scored too, with people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from culturepark.errors import DataError
from culturepark.measures.agreement import MISSING, SCALE, Floats, Ints, Level, find_place, weigh_alpha, weigh_kappa
from culturepark.measures.bootstrap import bootstrap_counts
from culturepark.measures.figure import Figure

Scores = Mapping[str, Mapping[str, int]]
Name = tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    """Items with the same scores are one kind: kinds by raters, as positions and as values, and how many of each."""

    judges: tuple[str, ...]
    people: tuple[str, ...]
    places: Ints
    values: Floats
    counts: Ints
    size: int
    level: Level


def summarise_panel(
    scores: Scores,
    people: Scores | None = None,
    categories: Sequence[int] = SCALE,
    level: Level = "interval",
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Agreement of judges (name to item to score) as plain data; every figure has value, n, reason, low and high.

    ``pairs`` (quadratic kappa), ``mean_kappa`` over pairs, ``alpha`` (Krippendorff). With ``people``, over the
    items a person scored: ``a_hh`` = mean kappa over pairs of people; for each judge ``a_mh`` = mean kappa over
    people, ``difference`` = a_mh - a_hh (the claim "the judge agrees with people better than people do" holds when
    its interval lies above 0), and ``pearson`` and ``mae`` against the mean of people. Means are over the defined
    ones. Intervals: 95 % percentile bootstrap over items. Raises ``DataError`` for a score off the scale.
    """
    made = {"items": len({i for row in scores.values() for i in row}), "judges": {j: len(scores[j]) for j in scores}}
    table = _build_table(scores, {}, categories, level)
    figures = _add_intervals(table, _measure_judges, draws, seed)
    made["pairs"] = [{"judges": [a, b], "kappa": figures["pair", a, b]} for a, b in combinations(table.judges, 2)]
    made["mean_kappa"], made["alpha"] = figures[("mean",)], figures[("alpha",)]
    made["people"] = None
    if people:
        scored = {item for row in people.values() for item in row}
        shared = {j: {i: s for i, s in row.items() if i in scored} for j, row in scores.items()}
        table = _build_table(shared, people, categories, level)
        figures = _add_intervals(table, _measure_people, draws, seed)
        against = {j: {k: figures[k, j] for k in ("a_mh", "difference", "pearson", "mae")} for j in table.judges}
        made["people"] = {
            "items": len(scored),
            "people": {p: len(people[p]) for p in people},
            "a_hh": figures[("a_hh",)],
            "alpha": figures[("alpha",)],
            "judges": against,
        }
    return made


def _build_table(judges: Scores, people: Scores, categories: Sequence[int], level: Level) -> _Table:
    raters = [*((n, judges[n]) for n in sorted(judges)), *((n, people[n]) for n in sorted(people))]
    items = sorted({item for _, row in raters for item in row})
    places = {c: i for i, c in enumerate(categories)}
    rows = np.full((len(items), len(raters)), MISSING, dtype=np.int64)
    for column, (name, row) in enumerate(raters):
        for line, item in enumerate(items):
            try:
                rows[line, column] = find_place(row.get(item), places)
            except DataError as error:
                raise DataError(f"{name}, item {item}: {error}") from error
    kinds, counts = np.unique(rows, axis=0, return_counts=True) if rows.size else (rows, np.zeros(len(rows)))
    values = np.append(np.array(categories, dtype=np.float64), np.nan)[kinds]
    return _Table(
        tuple(sorted(judges)), tuple(sorted(people)), kinds, values, counts.astype(np.int64), len(places), level
    )


def _add_intervals(
    table: _Table, measure: Callable[[_Table, Ints], dict[Name, Figure]], draws: int, seed: int
) -> dict[Name, dict[str, Any]]:
    figures = measure(table, table.counts)

    def take_values(counts: Ints) -> dict[Name, float | None]:
        return {name: figure.value for name, figure in measure(table, counts).items()}

    intervals = bootstrap_counts(table.counts, take_values, draws, seed)
    made = {}
    for name, figure in figures.items():
        interval = intervals[name] if figure.value is not None else None
        reason = figure.reason or (interval.reason and f"no interval: {interval.reason}" if interval else "")
        ends = {"low": interval.low if interval else None, "high": interval.high if interval else None}
        made[name] = {**asdict(figure), "reason": reason, **ends}
    return made


def _measure_judges(table: _Table, counts: Ints) -> dict[Name, Figure]:
    columns = range(len(table.judges))
    pairs = {(i, j): _kappa(table, i, j, counts) for i, j in combinations(columns, 2)}
    made: dict[Name, Figure] = {("pair", table.judges[i], table.judges[j]): f for (i, j), f in pairs.items()}
    made[("mean",)] = _average(list(pairs.values()), "fewer than two judges")
    made[("alpha",)] = weigh_alpha(table.values.T, counts, table.level)
    return made


def _measure_people(table: _Table, counts: Ints) -> dict[Name, Figure]:
    first = len(table.judges)
    people = range(first, first + len(table.people))
    among = _average([_kappa(table, i, j, counts) for i, j in combinations(people, 2)], "fewer than two people")
    made: dict[Name, Figure] = {
        ("a_hh",): among,
        ("alpha",): weigh_alpha(table.values[:, first:].T, counts, table.level),
    }
    for column, judge in enumerate(table.judges):
        with_people = _average([_kappa(table, column, p, counts) for p in people], "no people")
        made["a_mh", judge] = with_people
        made["difference", judge] = _subtract(with_people, among)
        made["pearson", judge], made["mae", judge] = _compare_to_mean(table, column, counts)
    return made


def _kappa(table: _Table, i: int, j: int, counts: Ints) -> Figure:
    return weigh_kappa(table.places[:, i], table.places[:, j], counts, table.size)


def _average(figures: Sequence[Figure], none: str) -> Figure:
    """Mean of the defined figures; ``n`` is how many they are."""
    defined = [f.value for f in figures if f.value is not None]
    if not defined:
        return Figure(None, 0, next((f.reason for f in figures), none))
    missing = len(figures) - len(defined)
    reason = f"{missing} of {len(figures)} pairs undefined and left out" if missing else ""
    return Figure(sum(defined) / len(defined), len(defined), reason)


def _subtract(first: Figure, second: Figure) -> Figure:
    if first.value is None or second.value is None:
        return Figure(None, 0, first.reason if first.value is None else second.reason)
    return Figure(first.value - second.value, min(first.n, second.n))


def _compare_to_mean(table: _Table, column: int, counts: Ints) -> tuple[Figure, Figure]:
    """Pearson correlation and mean absolute difference of a judge's scores and the mean of people."""
    people = table.values[:, len(table.judges) :]
    both = ~np.isnan(table.values[:, column]) & (~np.isnan(people)).any(axis=1) & (counts > 0)
    n = int(counts[both].sum())
    if n < 2:
        undefined = Figure(None, n, "fewer than two items scored by both")
        return undefined, undefined
    x, y, w = table.values[both, column], np.nanmean(people[both], axis=1), counts[both] / n
    distance = Figure(float((w * np.abs(x - y)).sum()), n)
    if x.min() == x.max() or y.min() == y.max():
        return Figure(None, n, "all scores of one side are the same"), distance
    dx, dy = x - (w * x).sum(), y - (w * y).sum()
    slope = float((w * dx * dy).sum() / np.sqrt((w * dx**2).sum() * (w * dy**2).sum()))
    return Figure(slope, n), distance
