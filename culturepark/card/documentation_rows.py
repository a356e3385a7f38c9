"""Rows of the checklist about documentation (D1 to D7)."""

from __future__ import annotations

import json
import re

from culturepark.card.croissant_rules import find_croissant_fault
from culturepark.card.hub_rules import find_hub_fault
from culturepark.card.reading import Card
from culturepark.card.rule import COMPOSITION, PROCESS, Answer, fail_row, list_missing, pass_row

SECTIONS: dict[str, tuple[str, ...]] = {
    "purpose": ("purpose", r"\buses?\b", "intended", "motivation"),
    "not-for": (r"not[- ]for", "out[- ]of[- ]scope", "misuse", "limits? of use"),
    "composition": COMPOSITION,
    "process": PROCESS,
    "annotation": ("annotat", "label", "judge"),
    "splits": ("split",),
    "known gaps": ("gap", "limitation", "known issue", "weakness"),
    "positionality": ("positionality", "whose culture", "who made", "perspective"),
    "changes": ("change", "history", "release notes"),
}
_BCP47 = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?(-[a-z0-9]{5,8})*")
_SHARE, _NONE = r"[^\n]*(\d|\b(all|none|no|not)\b)", r"(\d+ ?%|all|none|no|not)[^\n]{0,60}"
_ARABIC = r"modern standard|\bmsa\b|(egyptian|levantine|maghrebi|moroccan|iraqi|gulf) (arabic|dialect)"
_SPECIAL = frozenset({"code", "multilingual"})


def check_sections(card: Card) -> Answer:
    """D1: a YAML block as the Hub takes it, and the sections a reader needs, none of them empty."""
    if card.broken_block:
        return fail_row("the YAML block at the head cannot be read")
    fault = find_hub_fault(card.metadata)
    if fault:
        return fail_row(f"YAML block: {fault}")
    missing = [name for name, patterns in SECTIONS.items() if not card.has_section(*patterns)]
    return fail_row(f"no section, or an empty one, on: {', '.join(missing)}") if missing else pass_row("all sections")


def check_fields(card: Card) -> Answer:
    """D2: every field with type, meaning and example; every row of the data has only such fields."""
    table = card.find_table("field|column|feature|key", "type", "meaning|description", "example")
    if table is None:
        return fail_row("no table of fields with type, meaning and example")
    column = next(i for i, name in enumerate(table[0]) if re.search("field|column|feature|key", name, re.IGNORECASE))
    told = {row[column] for row in table[1:] if len(row) > column}
    if card.data.faults:
        return fail_row(card.data.faults[0])
    untold = [name for name in card.data.columns if name not in told]
    if untold:
        return fail_row(f"fields of the data that the table does not have: {', '.join(sorted(untold)[:8])}")
    rows = (
        f"{card.data.rows} rows have no others" if card.data.rows else "there are no data files here to hold against it"
    )
    return pass_row(f"{len(told)} fields; {rows}")


def check_recipe(card: Card) -> Answer:
    """D3: exact prompts, model ids, decoding, seeds, code version."""
    wanted = {
        "prompts": r"\bprompts?\b",
        "model ids": r"\bmodels?\b[^\n]*[\w/-]",
        "decoding settings": r"temperature|greedy|\btop[_ -]?p\b|decoding",
        "seed": r"\bseed\b[^\n]*\d",
        "code version": r"version[^\n]*\d+\.\d+|commit [0-9a-f]{7}|\bv\d+\.\d+",
    }
    missing = list_missing(card, wanted)
    return (
        fail_row(f"not told: {', '.join(missing)}") if missing else pass_row("prompts, models, decoding, seed, version")
    )


def check_language(card: Card) -> Answer:
    """D4: languages as BCP-47; for Arabic, standard or dialect."""
    given = card.metadata.get("language")
    tags = [str(tag) for tag in given] if isinstance(given, list) else [str(given)] if given else []
    details = card.metadata.get("language_details") or card.metadata.get("language_bcp47") or []
    exact = [str(tag) for tag in details] if isinstance(details, list) else [str(details)]
    if not tags:
        return fail_row("language: is not in the YAML block")
    wrong = [tag for tag in tags if not re.fullmatch(r"[a-z]{2,3}", tag) and tag not in _SPECIAL]
    wrong += [tag for tag in exact if not _BCP47.fullmatch(tag)]
    if wrong:
        return fail_row(f"{wrong[0][:40]!r} is no language code (language: en; language_details: en-GB)")
    in_data = {tag.split("-")[0].lower() for tag in card.data.languages}
    if in_data - set(tags) and "multilingual" not in tags:
        return fail_row(f"the data holds {', '.join(sorted(in_data - set(tags)))}, which language: does not name")
    if "ar" in tags and not card.find(_ARABIC):
        return fail_row("Arabic: neither Modern Standard Arabic nor a dialect is named")
    if not exact and not card.find(r"\b[a-z]{2,3}-[A-Z]{2}\b|bcp-?47|region|dialect|variety"):
        return fail_row("no region, script or variety is named for the language (language_details: en-GB)")
    return pass_row(f"language: {', '.join(exact or tags)}")


def check_writers(card: Card) -> Answer:
    """D5: shares written by a model, translated, and by people."""
    wanted = {
        "generated": rf"(generated|written by a model|synthetic|native){_SHARE}|{_NONE}(generated|synthetic)",
        "translated": rf"translat{_SHARE}|{_NONE}translat",
        "human-written": rf"human[- ]written{_SHARE}|{_NONE}(human|people|person)",
    }
    table = card.find_table("translat", "human|people")
    missing = [] if table else list_missing(card, wanted)
    return fail_row(f"share not told: {', '.join(missing)}") if missing else pass_row("shares by origin are told")


def check_counts(card: Card) -> Answer:
    """D6: counts by culture, topic and task in a table, which agree with the data."""
    table = card.find_table(
        "^(culture|country|region|language|locale)s?$",
        "^(topic|domain|theme|category|subject)s?$",
        "^(task.*|form|type|kind|samples|rows|count|n)$",
    )
    if table is None or not any(re.search(r"\d", cell) for row in table[1:] for cell in row):
        return fail_row("no table of counts by culture, topic and task")
    shown = {(cell, other) for rows in card.tables for row in rows[1:] for cell in row for other in row}
    for culture, number in card.data.cultures.items():
        if (culture, str(number)) not in shown and not _adds_up(card, culture, number):
            return fail_row(f"the data holds {number} rows of {culture}, which no table says")
    return pass_row(f"counts by culture, topic and task{' agree with the data' if card.data.cultures else ''}")


def _adds_up(card: Card, culture: str, number: int) -> bool:
    """Do a culture's numbers in one row of a table (its splits) sum to its rows?"""
    for table in card.tables:
        for row in table[1:]:
            numbers = [int(cell) for cell in row if re.fullmatch(r"\d+", cell)]
            if culture in row and sum(numbers) == number:
                return True
    return False


def check_croissant(card: Card) -> Answer:
    """D7: machine-readable metadata that validates."""
    path = card.folder / "croissant.json"
    if not path.is_file():
        return fail_row("there is no croissant.json")
    try:
        fault = find_croissant_fault(json.loads(path.read_bytes()))
    except (ValueError, OSError, RecursionError):
        fault = "is no JSON"
    if fault:
        return fail_row(f"croissant.json: {fault}")
    return pass_row("croissant.json holds by the rules checked here (not by the whole of mlcroissant)")
