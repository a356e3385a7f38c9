"""Sections about what is in the data: cultures, countries, topics, answers, forms, languages, splits, fields."""

from __future__ import annotations

from collections import Counter

from culturepark.card.facts import Facts, measure_disagreement
from culturepark.card.fields import write_fields
from culturepark.card.terms import find_survey_terms
from culturepark.card.text import escape, fold, make_table, quote_code, show_number, show_share
from culturepark.export.front import list_configs
from culturepark.export.records import SPLITS

_CELLS = 600  # rows of the long table that are shown
_TALL = 24  # rows above which a table opens on a click


def write_composition(facts: Facts) -> str:
    """Counts per culture, country, topic, answer, task and language, with the balance between cultures."""
    largest, smallest = max(facts.cultures.values()), min(facts.cultures.values())
    balance = f"{largest / smallest:.2f}" if len(facts.cultures) > 1 else "one culture only"
    parts = [
        f"{facts.rows} samples of {len(facts.cultures)} culture(s). Largest culture over smallest: {balance}.",
        make_table(
            ("culture", "samples", "share"),
            [(c, str(k), show_share(k, facts.rows)) for c, k in sorted(facts.cultures.items())],
        ),
        _write_countries(facts),
        _write_kinds(facts),
        _write_cells(facts),
    ]
    if facts.export and sum(facts.export.dropped.values()):
        left = ", ".join(f"{k} {escape(reason)}" for reason, k in sorted(facts.export.dropped.items()))
        parts.append(f"The tables count the run's samples; the export left out: {left}.")
    return "\n\n".join(parts)


def _write_countries(facts: Facts) -> str:
    rows = []
    for (culture, code), number in sorted(facts.places.items()):
        profile = facts.profiles.get(culture)
        country = profile.by_code.get(code) if profile else None
        rows.append((culture, code, country.name if country else "-", str(number), show_share(number, facts.rows)))
    return make_table(("culture", "country", "name", "samples", "share"), rows)


def _write_kinds(facts: Facts) -> str:
    """Small histograms in one table: task type, kind of claim, language."""
    groups = {"task type": facts.forms, "claim": facts.kinds, "language": facts.languages}
    pairs = +facts.origins
    if pairs:
        groups["other answer of a pair"] = pairs
    rows = [
        (group, name, str(number), show_share(number, counts.total()))
        for group, counts in groups.items()
        for name, number in counts.most_common()
    ]
    return make_table(("histogram", "value", "samples", "share"), rows)


def _write_cells(facts: Facts) -> str:
    """One row a culture and topic: samples by task type, and by answer."""
    forms = sorted(facts.forms)
    cells = sorted(facts.answers)
    rows = []
    for culture, topic in cells[:_CELLS]:
        answers: Counter[str] = facts.answers[culture, topic]
        shown = ", ".join(f"{label or 'none'} {k}" for label, k in answers.most_common())
        by_form = [str(facts.tasks[culture, topic, form]) for form in forms]
        rows.append((culture, topic, *by_form, str(answers.total()), shown))
    table = make_table(("culture", "topic", *(f"task: {form}" for form in forms), "samples", "answers"), rows)
    if len(cells) > _CELLS:
        table += f"\n\nThe first {_CELLS} of {len(cells)} rows."
    return table if len(rows) <= _TALL else fold(f"Counts per culture, topic and task ({len(cells)} rows)", table)


def write_languages(facts: Facts) -> str:
    """Which language the texts are in, how that was checked, and who wrote them."""
    tags = ", ".join(f"{quote_code(tag)} ({k} samples)" for tag, k in facts.languages.most_common())
    right = facts.judged_language - facts.foreign
    lines = [
        f"Languages (BCP-47): {tags}. No region, dialect or variety was asked for beyond these tags, and none was "
        "measured."
    ]
    if any(tag.split("-")[0] == "ar" for tag in facts.languages):
        lines.append(
            "Arabic: neither Modern Standard Arabic (MSA) nor a dialect was asked for; which of the two a text is "
            "in was not measured."
        )
    if facts.judged_language:
        lines.append(
            f"Language-id agreement: {show_share(right, facts.judged_language)} of {facts.judged_language} samples "
            "looked at are in the language they name (a detector together with the language's own frequent words; "
            "undecided counts as agreeing)."
        )
    else:
        lines.append("Language-id agreement: not measured, since there is no word list for the language.")
    lines.append("By origin, in each language:")
    rows = [(tag, "100 %", "0 %", "0 %") for tag in facts.languages]
    lines.append(make_table(("language", "written by a model", "translated", "human-written"), rows))
    return "\n\n".join(lines)


def write_people(facts: Facts) -> str:
    """Whose culture, which countries and years, and whom the profiles leave out."""
    parts = []
    for culture in sorted(facts.cultures):
        profile = facts.profiles.get(culture)
        if profile is None:
            parts.append(f"- **{escape(culture)}**: its profile is not at hand.")
            continue
        countries = ", ".join(c.name for c in profile.countries if (culture, c.code) in facts.places)
        parts.append(
            f"- **{escape(profile.name)}** ({quote_code(culture)}): {_end(profile.scope.group)} "
            f"Countries in the data: {escape(countries)}. Everyday facts are of the {escape(profile.scope.period)}. "
            f"Left out: {_end(profile.scope.excludes)}"
        )
    for name in facts.surveys:
        terms = find_survey_terms(name)
        if terms.years:
            parts.append(
                f"- Answers are those of {escape(terms.name)}, fieldwork {terms.years[0]} to {terms.years[1]}; the "
                "year of a country within it is not in the figures at hand. No person of the survey is in the data."
            )
    parts.append(
        "- The profiles are the work of this project (or of whoever gave their own), from the sources they name and "
        "own judgement. A culture here is a grouping of a survey's countries, made for convenience; some people "
        "counted in it would name another one first."
    )
    return "\n".join(parts)


def _end(text: str) -> str:
    """A sentence of a profile with its full stop."""
    return escape(text.strip().rstrip(".") + ".", 900)


def write_disagreement(facts: Facts) -> str:
    """How far people of one culture disagree in the data."""
    rows = [
        (culture, show_number(share), show_number(entropy), str(topics))
        for culture, (share, entropy, topics) in measure_disagreement(facts).items()
    ]
    if not rows:
        return "Within-culture disagreement: not measurable, since no topic has two samples."
    head = ("culture", "mean share of the commonest answer", "mean entropy of answers (1: all equal)", "topics")
    return "Within-culture disagreement. No culture speaks with one voice:\n\n" + make_table(head, rows)


def write_splits(facts: Facts) -> str:
    """Rows per format, culture and split, and how the splits were made."""
    export = facts.export
    if export is None:
        return (
            "There are no splits yet: `samples.jsonl` holds all samples. `culturepark export` makes them, so that no "
            "persona, talk or near copy stands on both sides."
        )
    shares = ", ".join(f"{name} {share:g}" for name, share in export.shares.items())
    head = (
        f"Split by {escape(export.by)} (seed {export.seed}; asked for: {escape(shares)}): no persona, talk or near "
        "copy stands on both sides."
    )
    if "preference" in export.formats and len(export.formats) > 1:
        head += " A preference pair stands in the other formats too, there with its better answer only."
    rows: dict[tuple[str, str], Counter[str]] = {}
    for part in export.parts:
        rows.setdefault((part.format, part.culture), Counter())[part.split] += part.rows
    named = {config["config_name"] for config in list_configs(export)}
    table = make_table(
        ("format", "culture", "configuration or folder", *SPLITS),
        [
            (
                f,
                c,
                quote_code(name if (name := export.name_config(f, c)) in named else f"data/{f}/{c}/"),
                *_count(counts),
            )
            for (f, c), counts in sorted(rows.items())
        ],
    )
    return f"{head}\n\n{table}"


def _count(splits: Counter[str]) -> list[str]:
    return [str(splits[split]) for split in SPLITS]


def write_structure(facts: Facts) -> str:
    """The fields of a row."""
    return write_fields(facts)
