"""How far each topic's answers lie from the survey, from the run's own table of stances."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from culturepark.culture.surveys import js_distance


def read_distances(folder: Path) -> dict[str, list[tuple[float, str]]]:
    """Per culture (distance, topic) in rising order, of topics with accepted samples; empty without a whole table."""
    shares: dict[tuple[str, str], dict[int, tuple[float, float]]] = defaultdict(dict)
    try:
        with (folder / "stances.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                place = (row["culture"], row["topic"])
                shares[place][int(row["code"])] = (float(row["survey_share"]), float(row["accepted"]))
    except (OSError, KeyError, TypeError, ValueError):
        return {}
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for (culture, topic), rows in shares.items():
        if sum(accepted for _, accepted in rows.values()) and sum(share for share, _ in rows.values()):
            survey = {code: share for code, (share, _) in rows.items()}
            found[culture].append((js_distance(survey, {c: a for c, (_, a) in rows.items()}), topic))
    return {culture: sorted(pairs) for culture, pairs in sorted(found.items())}
