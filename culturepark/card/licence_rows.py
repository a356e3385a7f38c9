"""Rows of the checklist about licences and contact (L1 to L4)."""

from __future__ import annotations

import re

from culturepark.card.reading import Card, is_placeholder
from culturepark.card.rule import LICENCE, SOURCES, Answer, fail_row, pass_row, warn_row
from culturepark.card.settings import LINK, MAIL
from culturepark.card.terms import find_model_terms, list_clashes, load_licences, load_terms

_MODEL_WORDS = r"\b(model|generator|judge|gpt|llama|qwen|mistral|gemma|claude|gemini)\b"


def check_licence(card: Card) -> Answer:
    """L1: an SPDX or Hub id for the data, and one for the code."""
    given = card.metadata.get("license")
    names = [str(n).lower() for n in given] if isinstance(given, list) else [str(given).lower()] if given else []
    known = load_licences()
    if not names:
        return fail_row("no licence is stated for the data; give one with --license, or license: in the YAML block")
    for name in names:
        if name not in known or name == "unknown":
            return fail_row(f"license: {name[:60]!r} is no licence id of the Hub; for your own text use 'other'")
    if "other" in names:
        name, link = str(card.metadata.get("license_name") or ""), str(card.metadata.get("license_link") or "")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
            return fail_row("license: other needs license_name (small letters, digits, - and .)")
        if not (link.startswith("https://") or (card.folder / link).is_file() and link.startswith("LICENSE")):
            return fail_row(
                "license: other needs license_link: an https address, or a LICENSE file that is in the folder"
            )
    if not card.find(r"\bcode\b[^\n]*(apache|mit\b|bsd|gpl|licen[cs]|none)|no code\b"):
        return fail_row(f"data: {', '.join(names)}; but the licence of the code is not named")
    return pass_row(f"data: {', '.join(names)}; the code's licence is named")


def check_sources(card: Card) -> Answer:
    """L2: every source with its terms, and whether it may be handed on."""
    text = card.take(*SOURCES)
    if not text.strip():
        return fail_row("there is no section on sources; name each with its licence and terms")
    if not re.search(r"licen[cs]|terms", text, re.IGNORECASE):
        return fail_row("the sources are named without their licence or terms")
    if not re.search(r"redistribut|may (not )?be (shared|handed on|published)", text, re.IGNORECASE):
        return fail_row("it is not said whether the sources may be redistributed")
    clashes = list_clashes(_find_surveys(card), (), _find_licence(card))
    return fail_row(clashes[0]) if clashes else pass_row("sources stand with terms and redistribution")


def check_models(card: Card) -> Answer:
    """L3: generator and judge models with their terms on outputs; a clash with the licence of the data."""
    if card.find(r"no (language )?model (was )?(used|wrote)|written by people only"):
        return pass_row("no model was used, says the card")
    table = card.find_table(r"\bmodel\b", "licen|terms")
    text = card.take(*LICENCE, *SOURCES, "process", "model", "generat")
    if table is None and not re.search(_MODEL_WORDS + r"[^.\n]*(terms|licen[cs]|output)", text, re.IGNORECASE):
        return fail_row("the models that wrote and judged are not listed with their licence or terms on outputs")
    column = next(i for i, name in enumerate(table[0]) if re.search("model", name, re.IGNORECASE)) if table else 0
    models = [row[column] for row in table[1:] if len(row) > column] if table else []
    clashes = list_clashes((), models, _find_licence(card))
    if clashes:
        return fail_row(clashes[0])
    unknown = [m for m in models if find_model_terms(m).outputs == "unknown"]
    if unknown or re.search(r"terms[^.\n|]*unknown", text, re.IGNORECASE):
        return warn_row(f"terms of these models are unknown: {', '.join(unknown) or 'see the card'}")
    return pass_row(f"models with their terms: {', '.join(models) or 'named in the text'}")


def check_contact(card: Card) -> Answer:
    """L4: somebody to write to, and how to ask for removal."""
    text = card.take("contact", "removal", "take-?down", "maintain")
    if not text.strip() or is_placeholder(text):
        return fail_row("no contact is given; give one with --contact")
    has_address = MAIL.search(text) or LINK.search(text) or re.search(r"contact[^\n]*:\s*\S{3,}", text, re.IGNORECASE)
    if not has_address:
        return fail_row("the contact is no address anybody could write to")
    if not re.search(r"remov|take[n]?[ -]?down|delet", text, re.IGNORECASE):
        return fail_row("it is not said how to ask for removal")
    return pass_row("contact and way to ask for removal")


def _find_licence(card: Card) -> str | None:
    given = card.metadata.get("license")
    first = given[0] if isinstance(given, list) and given else given
    return str(first).lower() if first else None


def _find_surveys(card: Card) -> list[str]:
    """Surveys of our table that the card names, by id or by the first words of their name."""
    found = []
    for name, terms in load_terms().surveys.items():
        words = " ".join(terms.name.split()[:3])
        if card.find(rf"\b({re.escape(name)}|{re.escape(words)})\b"):
            found.append(name)
    return found
