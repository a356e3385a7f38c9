"""``CITATION.cff`` of a dataset, in the Citation File Format 1.2.0."""

from __future__ import annotations

from typing import Any

import yaml

from culturepark.card.facts import Facts
from culturepark.card.settings import LINK, MAIL, NOBODY, Settings
from culturepark.card.terms import find_survey_terms, load_licences

_OURS = frozenset(("cff-version", "message", "type", "title", "authors", "contact", "version", "date-released"))


def write_cff(facts: Facts, settings: Settings, before: dict[str, Any]) -> str:
    """The file as text; keys the owner added (a DOI, an address) are kept."""
    made: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, cite it and the surveys it is made from.",
        "type": "dataset",
        "title": settings.title,
        "authors": [{"name": name} for name in settings.authors] or [{"name": NOBODY}],
    }
    if settings.contact:
        made["contact"] = [_describe_contact(settings.contact)]
    made["version"] = facts.run_id
    made["date-released"] = str(facts.manifest["updated"])[:10]
    spdx = load_licences()[settings.licence.id].spdx if settings.licence else ""
    if spdx:
        made["license"] = spdx
    elif settings.licence and settings.licence.link.startswith("https"):
        made["license-url"] = settings.licence.link
    made["identifiers"] = [
        {"type": "other", "value": f"culturepark-run:{facts.run_id}", "description": "Fingerprint of the run"}
    ]
    references = [r for r in map(_describe_survey, facts.surveys) if r]
    if references:
        made["references"] = references
    ours = _OURS | {"license", "license-url", "references"}
    kept = {k: v for k, v in before.items() if k not in ours and (k != "identifiers" or _has_other(v))}
    if "identifiers" in kept:
        own = [i for i in kept["identifiers"] if not str(i.get("value", "")).startswith("culturepark-run:")]
        kept["identifiers"] = [*made["identifiers"], *own]
    return yaml.safe_dump({**made, **kept}, sort_keys=False, allow_unicode=True, width=1000)


def _describe_contact(contact: str) -> dict[str, str]:
    if MAIL.fullmatch(contact):
        return {"name": "Maintainers", "email": contact}
    if LINK.fullmatch(contact):
        return {"name": "Maintainers", "website": contact}
    return {"name": contact}


def _has_other(identifiers: Any) -> bool:
    return isinstance(identifiers, list) and all(isinstance(i, dict) for i in identifiers)


def _describe_survey(name: str) -> dict[str, Any] | None:
    terms = find_survey_terms(name)
    if not terms.citation:
        return None
    made: dict[str, Any] = {"type": "data", "title": terms.name, "authors": [{"name": terms.citation.split(", 2")[0]}]}
    if terms.doi:
        made["doi"] = terms.doi
    if terms.years:
        made["year"] = terms.years[1]
    return made
