"""Numbers that fill their range evenly: latent scores of blocks of people, and a strata sequence for single figures."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from culturepark.culture.latent import Floats, Latent

BLOCK = 400
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Block:
    """Ranks of 400 people on each item, and where in its band of the range each rank lies, (400, items) and (items,).

    Scores are worked out for the few people that are asked for.
    """

    ranks: NDArray[np.int16]
    shifts: tuple[float, ...]

    def row(self, number: int) -> Floats:
        """Latent scores of one person."""
        ranks = self.ranks[number].tolist()
        points = zip(ranks, self.shifts, strict=True)
        return np.array([_NORMAL.inv_cdf(bound((rank + shift) / BLOCK)) for rank, shift in points])


def draw_block(latent: Latent, key: str) -> Block:
    """Latent scores of 400 people, each item spread evenly over its range (Latin hypercube, Stein 1987)."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    generator = np.random.Generator(np.random.PCG64(seed))
    scores = generator.standard_normal((BLOCK, len(latent.items))) @ latent.root.T
    shifts = generator.random(len(latent.items))
    ranks = scores.argsort(axis=0).argsort(axis=0).astype(np.int16)
    return Block(ranks, tuple(shifts.tolist()))


def find_point(seed: int, number: int, dimension: int) -> float:
    """A number from 0 to 1 from an additive sequence that fills the range evenly (Roberts 2018)."""
    steps = (0.7548776662466927, 0.5698402909980532)
    return (_find_start(seed, dimension) + steps[dimension] * (number + 1)) % 1.0


@cache
def _find_start(seed: int, dimension: int) -> float:
    return random.Random(f"{seed}/{dimension}").random()


def bound(probability: float) -> float:
    """The probability, kept off 0 and 1."""
    return min(max(probability, 1e-9), 1 - 1e-9)
