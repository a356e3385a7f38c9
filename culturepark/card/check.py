"""The linter of a dataset's card: a checklist of 30 rows over any folder with a README.md.

Source of the rows: "Mind the Gap" (Alkhowaiter et al., 2025) gives the six criteria; the rows are this project's own.
Rows are patterns over words: they tell what is missing, not whether what is there is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from culturepark.card import annotation_rows, content_rows, documentation_rows, licence_rows
from culturepark.card.reading import read_card
from culturepark.card.rule import Check, Level


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its id, what it asks for, and what it is when it does not hold."""

    id: str
    asks: str
    level: Literal["fail", "warn"]
    check: Check


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one row. ``row`` is its place in the list, from 1; ``id`` its name there."""

    row: int
    level: Level
    what: str
    id: str = ""


CHECKLIST: tuple[Row, ...] = (
    Row("L1", "licence of data and code", "fail", licence_rows.check_licence),
    Row("L2", "sources with terms", "fail", licence_rows.check_sources),
    Row("L3", "models with terms on outputs", "fail", licence_rows.check_models),
    Row("L4", "contact and removal", "warn", licence_rows.check_contact),
    Row("D1", "sections", "fail", documentation_rows.check_sections),
    Row("D2", "fields with type, meaning, example", "fail", documentation_rows.check_fields),
    Row("D3", "prompts, models, decoding, seeds, version", "fail", documentation_rows.check_recipe),
    Row("D4", "languages as BCP-47", "fail", documentation_rows.check_language),
    Row("D5", "shares generated, translated, human", "fail", documentation_rows.check_writers),
    Row("D6", "counts by culture, topic, task", "fail", documentation_rows.check_counts),
    Row("D7", "Croissant metadata", "warn", documentation_rows.check_croissant),
    Row("N1", "raters, guideline, agreement", "fail", annotation_rows.check_raters),
    Row("N2", "share of rows seen by a person", "warn", annotation_rows.check_readers),
    Row("N3", "panel and agreement with people", "warn", annotation_rows.check_panel),
    Row("R1", "version, date, changes, review, maintainer", "fail", annotation_rows.check_version),
    Row("R2", "years of the sources", "warn", annotation_rows.check_snapshots),
    Row("P1", "citation, identifier, loader", "warn", annotation_rows.check_adoption),
    Row("P2", "quick start with a trained baseline", "warn", annotation_rows.check_baseline),
    Row("S1", "gap and comparison", "warn", annotation_rows.check_contribution),
    Row("S2", "ablation of stages", "warn", annotation_rows.check_ablation),
    Row("C1", "histogram of task types", "warn", content_rows.check_tasks),
    Row("C2", "personas and phrasings", "warn", content_rows.check_steering),
    Row("C3", "cultural, safety, fairness fields", "fail", content_rows.check_alignment),
    Row("C4", "robustness variants", "warn", content_rows.check_robustness),
    Row("C5", "balance of cultures", "warn", content_rows.check_balance),
    Row("Q1", "copies and language agreement", "fail", content_rows.check_quality),
    Row("Q2", "decontamination", "fail", content_rows.check_contamination),
    Row("Q3", "personal data, harm, ethical risk", "fail", content_rows.check_safety),
    Row("Q4", "markers and essentialism", "warn", content_rows.check_stereotypes),
    Row("Q5", "disagreement within a culture", "warn", content_rows.check_disagreement),
)


def check_card(folder: Path) -> list[Finding]:
    """One finding a row, in order, for the README of any folder. Raises ``DataError`` where there is none."""
    card = read_card(folder)
    found = []
    for number, row in enumerate(CHECKLIST, 1):
        answer = row.check(card)
        level: Level = {"ok": "ok", "soft": "warn", "bad": row.level}[answer.kind]  # type: ignore[assignment]
        found.append(Finding(number, level, answer.what, row.id))
    return found
