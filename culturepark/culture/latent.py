"""How the answers of one country hang together: a Gaussian model that gives back shares and rank correlations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from culturepark.culture.surveys import Shares

Floats = NDArray[np.float64]
_NORMAL = NormalDist()
_HERMITE_TERMS = 40


@dataclass(frozen=True)
class Latent:
    """Latent normal scores whose cuts give the answer shares and whose correlation gives the rank correlations."""

    items: tuple[str, ...]
    codes: tuple[tuple[int, ...], ...]
    cuts: tuple[Floats, ...]
    correlation: Floats

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each item."""
        return {item: i for i, item in enumerate(self.items)}

    @cached_property
    def root(self) -> Floats:
        """Lower Cholesky factor of the correlation matrix."""
        root: Floats = np.linalg.cholesky(self.correlation).astype(np.float64)
        return root

    @cached_property
    def _ladder(self) -> Floats:
        """The cuts of all items as one matrix, short rows filled with infinity."""
        ladder = np.full((len(self.items), max(map(len, self.cuts))), np.inf)
        for row, cuts in zip(ladder, self.cuts, strict=True):
            row[: len(cuts)] = cuts
        return ladder

    def answers(self, scores: Floats) -> dict[str, int]:
        """The answer codes that one person's latent scores stand for."""
        places = (self._ladder < scores[:, None]).sum(axis=1).tolist()
        return {item: codes[k] for item, codes, k in zip(self.items, self.codes, places, strict=True)}

    def bounds(self, item: int, code: int) -> tuple[float, float]:
        """Lower and upper probability of the band of latent scores that stand for a code."""
        k = self.codes[item].index(code)
        edges = [0.0, *(_NORMAL.cdf(float(c)) for c in self.cuts[item]), 1.0]
        return edges[k], edges[k + 1]


def fit_latent(marginals: Mapping[str, Shares], ranks: Mapping[tuple[str, str], float]) -> Latent:
    """Find the latent correlations that reproduce the rank correlations of the cut answers.

    Spearman's correlation of two answers is the Pearson correlation of their mid-ranks. With latent
    normal scores it is a power series in the latent correlation (Mehler's formula): the coefficients
    are products of the mid-ranks' Hermite coefficients. The series is inverted per pair; the matrix is
    then moved to the nearest correlation matrix by cutting negative eigenvalues. Pairs without a
    figure are taken as uncorrelated. Source: own derivation from Mehler (1866).
    """
    items = tuple(marginals)
    cuts, coefficients = [], []
    for item in items:
        shares = np.array(marginals[item].shares)
        edges = np.cumsum(shares)[:-1]
        cut = np.array([_NORMAL.inv_cdf(min(max(float(e), 1e-9), 1 - 1e-9)) for e in edges])
        cuts.append(cut)
        coefficients.append(_hermite_coefficients(shares, cut))
    position = {item: i for i, item in enumerate(items)}
    known = [(position[a], position[b], r) for (a, b), r in ranks.items() if a in position and b in position]
    matrix = np.eye(len(items))
    if known:
        first, second = np.array([k[0] for k in known]), np.array([k[1] for k in known])
        series = np.array(coefficients)
        found = _invert_series(series[first] * series[second], np.array([k[2] for k in known]))
        matrix[first, second] = matrix[second, first] = found
    codes = tuple(marginals[item].codes for item in items)
    return Latent(items, codes, tuple(cuts), _nearest_correlation(matrix))


def _hermite_coefficients(shares: Floats, cuts: Floats) -> Floats:
    """Coefficients 1.. of the standardised mid-rank as a series in normalised Hermite polynomials."""
    ends = np.cumsum(shares)
    mid = ends - shares / 2
    spread = math.sqrt(float(np.sum(shares * (mid - 0.5) ** 2)))
    if spread == 0:
        return np.zeros(_HERMITE_TERMS)
    score = (mid - 0.5) / spread
    density = np.exp(-(cuts**2) / 2) / math.sqrt(2 * math.pi)
    # Sum over bands of score * integral of h_k = sum over cuts of (score jump) * h_{k-1}(cut) * density.
    jumps = (score[1:] - score[:-1]) * density
    found = np.empty(_HERMITE_TERMS)
    before, here = np.zeros_like(cuts), np.ones_like(cuts)  # normalised h_{k-2}, h_{k-1}
    for k in range(1, _HERMITE_TERMS + 1):
        found[k - 1] = float(np.sum(jumps * here)) / math.sqrt(k)
        before, here = here, (cuts * here - math.sqrt(k - 1) * before) / math.sqrt(k)
    return found


def _invert_series(products: Floats, targets: Floats) -> Floats:
    """The latent correlations whose series give the targets, by bisection; clipped to +-0.99.

    ``products`` has a row of series coefficients for each target.
    """
    low, high = np.full(len(targets), -0.99), np.full(len(targets), 0.99)
    for _ in range(40):
        middle = (low + high) / 2
        value = np.zeros(len(targets))
        for column in products.T[::-1]:  # Horner's rule, the highest power first
            value = (value + column) * middle
        below = value < targets
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    result: Floats = (low + high) / 2
    return result


def _nearest_correlation(matrix: Floats) -> Floats:
    """Nearest correlation matrix by alternating projections with Dykstra's correction (Higham 2002)."""
    current, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(60):
        shifted = current - correction
        values, vectors = np.linalg.eigh(shifted)
        positive = (vectors * np.maximum(values, 1e-4)) @ vectors.T
        correction = positive - shifted
        before, current = current, positive.copy()
        np.fill_diagonal(current, 1.0)
        if float(np.max(np.abs(current - before))) < 1e-5:  # far below what the figures can tell
            break
    values, vectors = np.linalg.eigh(current)
    positive = (vectors * np.maximum(values, 1e-4)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(positive))
    result: Floats = positive * scale[:, None] * scale[None, :]
    return result
