"""Survey figures: answer shares per country and item, and what is reckoned with them.

A figure is read as it is: shares of valid answers, missing codes never among them. A country that
was not asked an item has no shares for it, and nothing here invents any.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from culturepark.culture.latent import Floats as Floats
from culturepark.culture.latent import Latent as Latent
from culturepark.culture.latent import fit_latent
from culturepark.errors import DataError
from culturepark.files import find_data_folder


@dataclass(frozen=True, slots=True)
class Shares:
    """Answers of one country to one item: rising codes, their shares (sum 1), valid and missing counts."""

    codes: tuple[int, ...]
    shares: tuple[float, ...]
    n_valid: int
    n_missing: int

    def share(self, code: int) -> float:
        """Share of one answer code; 0 for a code nobody chose."""
        return self.shares[self.codes.index(code)] if code in self.codes else 0.0


@dataclass(frozen=True)
class Survey:
    """One survey's tables: ``marginals[country][item]`` and ``correlations[country][(item, item)]``."""

    id: str
    marginals: Mapping[str, Mapping[str, Shares]]
    correlations: Mapping[str, Mapping[tuple[str, str], float]]

    def shares(self, country: str, item: str) -> Shares | None:
        """The figures, or ``None`` where the item was not asked."""
        return self.marginals.get(country, {}).get(item)

    def asked(self, country: str, item: str) -> bool:
        """Was the item asked in the country?"""
        return self.shares(country, item) is not None

    def mixture(self, weights: Mapping[str, float], item: str) -> dict[int, float]:
        """Answer shares of several countries together, over those that were asked; empty if none was."""
        asked = {c: w for c, w in weights.items() if w > 0 and self.asked(c, item)}
        total = sum(asked.values())
        mixed: dict[int, float] = {}
        for country, weight in asked.items():
            figures = self.marginals[country][item]
            for code, share in zip(figures.codes, figures.shares, strict=True):
                mixed[code] = mixed.get(code, 0.0) + share * weight / total
        return dict(sorted(mixed.items()))

    @cached_property
    def _latents(self) -> dict[str, Latent]:
        return {}

    def latent(self, country: str) -> Latent:
        """The Gaussian model of one country's answers, computed at first use."""
        if country not in self._latents:
            if country not in self.marginals:
                raise DataError(f"survey {self.id!r} holds no figures for country {country!r}")
            self._latents[country] = fit_latent(self.marginals[country], self.correlations.get(country, {}))
        return self._latents[country]


def js_distance(p: Mapping[int, float], q: Mapping[int, float]) -> float:
    """Jensen-Shannon distance (square root of the divergence, log base 2; 0 to 1) of two distributions.

    Each mapping is normalised to sum 1; both must have a positive total.
    """
    codes = sorted(set(p) | set(q))
    total_p, total_q = sum(p.values()), sum(q.values())
    divergence = 0.0
    for code in codes:
        a, b = p.get(code, 0) / total_p, q.get(code, 0) / total_q
        middle = (a + b) / 2
        for part in (a, b):
            if part > 0:
                divergence += part * math.log2(part / middle) / 2
    return math.sqrt(max(0.0, divergence))


def apportion(weights: Sequence[float], seats: int) -> list[int]:
    """Whole numbers that sum to ``seats`` and follow ``weights``, by largest remainder (Hare quota).

    Ties go to the heavier weight, then to the earlier place.
    """
    total = sum(weights)
    exact = [w / total * seats for w in weights]
    counts = [math.floor(x + 1e-9) for x in exact]
    order = sorted(range(len(weights)), key=lambda i: (-round(exact[i] - counts[i], 9), -weights[i], i))
    for i in order[: seats - sum(counts)]:
        counts[i] += 1
    return counts


def apportion_few(weights: Sequence[float], seats: int, start: float) -> list[int]:
    """Whole numbers like ``apportion`` for fewer seats than answers, without always naming the majority.

    Systematic sampling: the points ``(k + start) / seats`` fall into the answers' bands. Each count is
    the exact quota rounded down or up, and its mean over ``start`` (0 to 1) is the exact quota.
    """
    edges = np.cumsum(np.array(weights, dtype=float)) / sum(weights)
    counts = [0] * len(weights)
    for k in range(seats):
        counts[min(int(np.searchsorted(edges, (k + start) / seats, side="right")), len(weights) - 1)] += 1
    return counts


def load_surveys(scenarios: Path | None = None) -> dict[str, Survey]:
    """Read every survey folder under ``scenarios/surveys``: ``marginals.csv`` and ``rank_correlations.csv``."""
    folder = (scenarios or find_data_folder("scenarios")) / "surveys"
    surveys = {}
    for path in sorted(p.parent for p in folder.glob("*/marginals.csv")):
        surveys[path.name] = Survey(path.name, _read_marginals(path), _read_correlations(path))
    if not surveys:
        raise DataError(f"{folder}: no survey (NAME/marginals.csv) found")
    return surveys


def _rows(path: Path, columns: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise DataError(f"{path}: the column {sorted(missing)[0]!r} is missing")
            return list(enumerate(reader, start=2))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _read_marginals(folder: Path) -> dict[str, dict[str, Shares]]:
    path = folder / "marginals.csv"
    counts: dict[str, dict[str, dict[int, int]]] = {}
    missing: dict[tuple[str, str], int] = {}
    for line, row in _rows(path, ("country", "item", "code", "n", "n_missing")):
        try:
            code, n, absent = int(row["code"]), int(row["n"]), int(row["n_missing"])
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}, line {line}: code, n and n_missing must be whole numbers") from error
        if n < 0 or absent < 0:
            raise DataError(f"{path}, line {line}: a count is negative")
        if code < 0:  # survey files mark "don't know", "no answer" and "not asked" with negative codes
            continue
        counts.setdefault(row["country"], {}).setdefault(row["item"], {})[code] = n
        missing[row["country"], row["item"]] = absent
    marginals: dict[str, dict[str, Shares]] = {}
    for country, items in counts.items():
        for item, by_code in items.items():
            valid = sum(by_code.values())
            if valid:
                codes = tuple(sorted(code for code, n in by_code.items() if n > 0))
                shares = tuple(by_code[code] / valid for code in codes)
                figures = Shares(codes, shares, valid, missing[country, item])
                marginals.setdefault(country, {})[item] = figures
    return marginals


def _read_correlations(folder: Path) -> dict[str, dict[tuple[str, str], float]]:
    path = folder / "rank_correlations.csv"
    if not path.exists():
        return {}
    found: dict[str, dict[tuple[str, str], float]] = {}
    for line, row in _rows(path, ("country", "item_a", "item_b", "spearman")):
        try:
            value = float(row["spearman"])
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}, line {line}: spearman must be a number") from error
        if not -1 <= value <= 1:
            raise DataError(f"{path}, line {line}: spearman must lie between -1 and 1")
        found.setdefault(row["country"], {})[row["item_a"], row["item_b"]] = value
    return found
