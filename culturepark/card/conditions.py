"""Sections about what one may do with the data: use, licence, citation, contact, changes."""

from __future__ import annotations

from datetime import date, timedelta

from culturepark.card.facts import Facts
from culturepark.card.settings import LINK, MAIL, Settings
from culturepark.card.terms import find_survey_terms, list_cautions, list_clashes, list_models, load_licences
from culturepark.card.text import Markup, escape, fence, make_table, quote_code

NOT_STATED = "not stated yet"
_REVIEW = timedelta(days=365)


def find_card_clashes(facts: Facts, settings: Settings) -> list[str]:
    """Clashes of the stated licence with the terms of surveys and models, one line each."""
    return list_clashes(facts.surveys, list_models(facts.run), settings.licence.id if settings.licence else None)


def write_licence(facts: Facts, settings: Settings) -> str:
    """The licence of the data, whose terms go with it, and clashes between them."""
    parts = [
        make_table(("what", "licence"), [("this data", _name_licence(settings)), ("code that made it", "Apache-2.0")])
    ]
    parts += [f"**Clash:** {escape(clash, 900)}" for clash in find_card_clashes(facts, settings)]
    carried = [
        f"- {escape(find_survey_terms(name).name)}: {escape(find_survey_terms(name).terms)} "
        f"Redistribution: {escape(find_survey_terms(name).redistribution)}"
        for name in facts.surveys
    ]
    cautions = [f"- {escape(line, 900)}" for line in list_cautions(list_models(facts.run), settings.licence)]
    parts.append("Terms that go with the data:\n\n" + "\n".join([*carried, *cautions]))
    parts.append("This is what the program knows of these terms, no legal advice; the terms themselves decide.")
    return "\n\n".join(parts)


def _name_licence(settings: Settings) -> Markup:
    licence = settings.licence
    if licence is None:
        return Markup(f"{NOT_STATED}: give it with `--license`")
    if licence.name:
        where = f"<{licence.link}>" if licence.link.startswith("https") else quote_code(licence.link)
        return Markup(f"{quote_code(licence.name)} (text: {where})")
    spdx = load_licences()[licence.id].spdx
    return Markup(f"{quote_code(licence.id)}{f' (SPDX {quote_code(spdx)})' if spdx else ''}")


def describe_use(facts: Facts, settings: Settings) -> str:
    """May I use this? In one or two sentences."""
    clashes = find_card_clashes(facts, settings)
    if settings.licence is None:
        return f"Nobody has said so yet: the licence is {NOT_STATED}."
    limits = [find_survey_terms(n).name for n in facts.surveys if find_survey_terms(n).noncommercial]
    text = f"Under {_name_licence(settings)}"
    text += f", for non-profit purposes and with citation ({escape(', '.join(limits))})." if limits else "."
    return text + (" **The licence clashes with terms of the sources: see Licence.**" if clashes else "")


def write_citation(facts: Facts, settings: Settings) -> str:
    """How to cite the data and what it was made from."""
    authors = " and ".join(settings.authors) or NOT_STATED
    year = str(facts.manifest["updated"])[:4]
    entry = "\n".join(
        [
            f"@misc{{culturepark-{facts.run_id},",
            f"  title = {{{_plain(settings.title)}}},",
            f"  author = {{{_plain(authors)}}},",
            f"  year = {{{year}}},",
            f"  note = {{culturepark run {facts.run_id}}}",
            "}",
        ]
    )
    parts = [fence(entry, "bibtex"), "The same as a file: `CITATION.cff`. Cite the sources too:"]
    cited = [t.citation for t in map(find_survey_terms, facts.surveys) if t.citation]
    cited.append(
        "Li, C. et al., 2024. CulturePark: Boosting Cross-cultural Understanding in Large Language Models. NeurIPS "
        "(arXiv 2405.15145): the idea of cultural delegates who talk about survey items."
    )
    parts.append("\n".join(f"- {escape(text, 900)}" for text in cited))
    return "\n\n".join(parts)


def _plain(text: str) -> str:
    return "".join(c for c in text if c not in "{}\\%$#&~^_@`")


def write_contact(settings: Settings) -> str:
    """Whom to write to, and how to ask for removal."""
    if not settings.contact:
        return (
            f"Contact: {NOT_STATED} (give it with `--contact`). To ask for removal of a sample, a person's data or a "
            "source, there must be somebody to write to."
        )
    return (
        f"Contact and maintainer: {link_contact(settings.contact)}. To ask that a sample, a person's data or a source "
        "be taken down, write there with the sample's `id`; it is then taken out of the next version and named under "
        "Changes."
    )


def link_contact(contact: str) -> Markup:
    """A mail or web address as a link where it is nothing else, other words as they are."""
    if MAIL.fullmatch(contact) or LINK.fullmatch(contact):
        return Markup(f"<{contact}>")
    return escape(contact)


def write_changes(facts: Facts, settings: Settings) -> str:
    """Version, date, maintainer, next review and what changed."""
    day = str(facts.manifest["updated"])[:10]
    review = (date.fromisoformat(day) + _REVIEW).isoformat()
    maintainer = escape(", ".join(settings.authors)) if settings.authors else ""
    if settings.contact:
        maintainer += f"{', ' if maintainer else ''}{link_contact(settings.contact)}"
    rows: list[tuple[str, object]] = [
        ("version", Markup(quote_code(facts.run_id))),
        ("date", day),
        ("maintainer", Markup(maintainer or NOT_STATED)),
        ("next review", review),
    ]
    return f"{make_table(('what', 'value'), rows)}\n\n- {day}: made as run {quote_code(facts.run_id)}."
