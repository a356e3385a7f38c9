"""How far apart opinions and meanings are: stance codes, groups of answers, and text vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from culturepark.errors import DataError
from culturepark.measures.figure import Figure
from culturepark.measures.sampling import draw_sample

_ROWS = 8192
Floats = npt.NDArray[np.float64]


def stance_distance(codes: Sequence[int | None], low: int, high: int) -> Figure:
    """Mean of |x - y| / (high - low) over all pairs of codes: 0 when all agree, at most n / (2 n - 2).

    The scaled Gini mean difference. ``None`` is no stance and left out; ``n`` counts the rest.
    """
    found = sorted(c for c in codes if c is not None)
    if high <= low:
        raise DataError(f"a scale from {low} to {high} has no width")
    if found and not low <= found[0] <= found[-1] <= high:
        raise DataError(f"a code lies outside the scale from {low} to {high}")
    n = len(found)
    if n < 2:
        return Figure(None, n, "fewer than two stances")
    total = sum((2 * i - n + 1) * c for i, c in enumerate(found))
    return Figure(total / (n * (n - 1) / 2) / (high - low), n)


@dataclass(frozen=True)
class GroupDiversity:
    """``distance``: mean over pairs of agents. ``structural``: length of the minimum spanning tree over N - 1."""

    distance: Figure
    structural: Figure


def group_diversity(
    answers: Sequence[Mapping[str, int]], scales: Mapping[str, tuple[int, int]], sample: int = 500, seed: int = 0
) -> GroupDiversity:
    """Diversity of a group of agents, each a mapping of items to codes; ``scales`` gives each item's ends.

    d(a, b) = sqrt(sum (a - b)^2) / sqrt(sum (options - 1)^2) over the items both answered, as in the value
    diversity study of agent societies (arXiv 2606.05985). Pairs without a common item are left out; ``n`` counts
    pairs and agents.
    """
    agents = draw_sample([a for a in answers if a], sample, seed)
    if len(agents) < 2:
        undefined = Figure(None, len(agents), "fewer than two agents with answers")
        return GroupDiversity(undefined, undefined)
    items = sorted({item for a in agents for item in a})
    for item in items:
        low, high = scales.get(item, (0, 0))
        if high <= low or any(not low <= a[item] <= high for a in agents if item in a):
            raise DataError(f"item {item!r}: no scale, or an answer outside it")
    given = np.array([[item in a for item in items] for a in agents], dtype=np.float64)
    codes = np.array([[a.get(item, 0) for item in items] for a in agents], dtype=np.float64)
    widths = np.array([(scales[item][1] - scales[item][0]) ** 2 for item in items], dtype=np.float64)
    squares = (codes**2) @ given.T
    unlike = squares + squares.T - 2 * codes @ codes.T  # whole numbers, so exact
    room = (given * widths) @ given.T
    distances = np.sqrt(np.divide(unlike, room, out=np.full_like(room, np.nan), where=room > 0))
    pairs = distances[np.triu_indices(len(agents), 1)]
    pairs = pairs[~np.isnan(pairs)]
    if not pairs.size:
        undefined = Figure(None, 0, "no two agents answered the same item")
        return GroupDiversity(undefined, undefined)
    return GroupDiversity(Figure(float(pairs.mean()), int(pairs.size)), _span(distances))


def _span(distances: Floats) -> Figure:
    """Minimum spanning tree by Prim's algorithm; NaN is no edge."""
    n = len(distances)
    reach = np.where(np.isnan(distances[0]), np.inf, distances[0])
    inside = np.zeros(n, dtype=bool)
    inside[0], length = True, 0.0
    for _ in range(n - 1):
        nearest = int(np.argmin(np.where(inside, np.inf, reach)))
        if inside[nearest]:  # nothing outside can be reached
            return Figure(None, n, "some agents share no item with the others")
        inside[nearest] = True
        length += float(reach[nearest])
        reach = np.fmin(reach, distances[nearest])
    return Figure(length / (n - 1), n)


@dataclass(frozen=True)
class SemanticSpread:
    """``dispersion`` and ``mean_cosine`` are over all vectors, ``vendi`` over a sample."""

    dispersion: Figure
    mean_cosine: Figure
    vendi: Figure


def semantic_spread(vectors: npt.ArrayLike, sample: int = 300, seed: int = 0) -> SemanticSpread:
    """Spread of text vectors (rows), each scaled to length 1; rows that are zero or not finite are left out.

    dispersion = 1 - ||mean of the vectors||, 0 when all point one way. mean_cosine = mean over all pairs, exact
    through the sum s: (||s||^2 - n) / (n (n - 1)). vendi = exp(-sum p log p) over the eigenvalues p of K / n, with
    K the cosines of a sample (Friedman and Dieng 2023): the effective number of different texts, 1 to n.
    """
    rows = np.asarray(vectors)
    if rows.ndim != 2:
        raise DataError("vectors must be rows of numbers")
    kept: list[int] = []
    total = np.zeros(rows.shape[1])
    for start in range(0, len(rows), _ROWS):
        units, usable = _scale(rows[start : start + _ROWS])
        kept.extend((np.flatnonzero(usable) + start).tolist())
        total += units.sum(axis=0)
    n = len(kept)
    if n < 2:
        undefined = Figure(None, n, "fewer than two vectors")
        return SemanticSpread(undefined, undefined, undefined)
    length = float(np.linalg.norm(total))
    drawn = draw_sample(kept, sample, seed)
    units, _ = _scale(rows[drawn])
    shares = np.clip(np.linalg.eigvalsh(units @ units.T) / len(drawn), 0, None)
    shares = shares[shares > 1e-12]
    return SemanticSpread(
        dispersion=Figure(max(0.0, 1 - length / n), n),
        mean_cosine=Figure(min(1.0, (length**2 - n) / (n * (n - 1))), n),
        vendi=Figure(float(np.exp(-(shares * np.log(shares)).sum())), len(drawn)),
    )


def _scale(rows: npt.NDArray[np.generic]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The usable rows with length 1, and which they are."""
    values = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(values, axis=1)
    usable = np.isfinite(lengths) & (lengths > 0)
    return values[usable] / lengths[usable, None], usable
