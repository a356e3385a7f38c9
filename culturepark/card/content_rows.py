"""Rows of the checklist about what is in the data and how good it is (C1 to C5, Q1 to Q5)."""

from __future__ import annotations

import re
from collections import Counter

from culturepark.card.reading import Card
from culturepark.card.rule import Answer, fail_row, pass_row, warn_row

_MOST_ONE_TYPE, _MOST_RATIO, _LEAST_LANGUAGE = 0.6, 5.0, 95.0
_DECONTAMINATION = ("contamin", "leak", "overlap with (test|eval)")
_COPIES = 0.01  # share of exact copies above which a card that reports few is not believed
_BENCHMARKS = (
    r"\b(CulturalBench|BLEnD|NormAd|GlobalOpinionQA|MMLU|CDEval|CLIcK|HAE-RAE|ArabicMMLU|MENAValues|AraTrust|KorNAT|"
    r"MT-Bench|AlpacaEval|GSM8K|HellaSwag|TruthfulQA)\b"
)


def check_tasks(card: Card) -> Answer:
    """C1: a histogram of task types, none above 60 percent."""
    forms: Counter[str] = Counter(card.data.forms)
    if not forms:
        for table in card.tables:
            for row in table[1:]:
                if (
                    re.fullmatch(r"task( type)?s?|form|type", row[0], re.IGNORECASE)
                    and len(row) > 2
                    and row[2].isdigit()
                ):
                    forms[row[1]] += int(row[2])
    if not forms:
        return fail_row("no histogram of task types")
    name, number = forms.most_common(1)[0]
    share = number / forms.total()
    shown = f"{name} is {100 * share:.0f} % of {forms.total()} rows"
    return fail_row(f"{shown}: more than 60 % of one task type") if share > _MOST_ONE_TYPE else pass_row(shown)


def check_steering(card: Card) -> Answer:
    """C2: how many rows have a persona or system prompt, and in how many phrasings."""
    share = card.find(r"(persona|system prompt)[^\n]*?(\d+(\.\d+)? ?%)")
    if not share:
        return fail_row("the share of rows with a persona or system prompt is not told")
    phrasings = card.find(
        r"of (\d+) personas[^\n]*?(\d+) stand there in two phrasings|(two|\d+) phrasings (per|for each)"
    )
    if not phrasings or (phrasings[1] and int(phrasings[2]) < int(phrasings[1])):
        return fail_row(f"{share[2]} with a persona; not every persona has two phrasings")
    return pass_row(f"{share[2]} with a persona, in two phrasings")


def check_alignment(card: Card) -> Answer:
    """C3: cultural, safety and fairness fields; refusals labelled."""
    table = card.find_table("field|column|feature|key", "type", "meaning|description")
    fields = " ".join(cell for row in (table or [])[1:] for cell in row)
    wanted = {
        "a field for the culture": bool(re.search(r"cultur|countr|locale|region", fields, re.IGNORECASE)),
        "a safety field or scan": bool(
            re.search(r"safety|harm|toxic", fields, re.IGNORECASE) or card.find(r"(harm|toxic)\w*[^\n]*\d")
        ),
        "a fairness field or audit": bool(
            re.search(r"fair|stereotyp|stance|verdict", fields, re.IGNORECASE)
            or card.find(r"(stereotyp|essentialis|fairness)[^\n]*\d")
        ),
        "how refusals are labelled": bool(card.find(r"refus[^\n]*(label|mark|flag|dropped|reason|\d)")),
    }
    missing = [name for name, is_there in wanted.items() if not is_there]
    return (
        fail_row(f"there is not: {', '.join(missing)}") if missing else pass_row("culture, safety, fairness, refusals")
    )


def check_robustness(card: Card) -> Answer:
    """C4: variants of a held-out slice in other wording, with errors, dialect, mixed languages."""
    found = card.find(r"(paraphras|typo|typing error|dialect|code-?switch)\w*[^\n]*(variant|slice|version)[^\n]*\d")
    return pass_row("variants of a slice") if found else fail_row("no paraphrase, typo, dialect or mixed variants")


def check_balance(card: Card) -> Answer:
    """C5: each culture's share; the largest no more than five times the smallest."""
    counts = Counter(card.data.cultures)
    if not counts:
        table = card.find_table("^(culture|country|language|region)$", "samples|rows|count")
        for row in (table or [])[1:]:
            numbers = [int(cell.replace(",", "")) for cell in row if re.fullmatch(r"[\d,]+", cell)]
            if numbers:
                counts[row[0]] += numbers[0]
    if not counts:
        return fail_row("the share of each culture is not told")
    if len(counts) == 1:
        return pass_row("one culture only")
    ratio = max(counts.values()) / max(1, min(counts.values()))
    shown = f"largest culture over smallest: {ratio:.1f}"
    return fail_row(f"{shown}, above 5") if ratio > _MOST_RATIO else pass_row(shown)


def check_quality(card: Card) -> Answer:
    """Q1: exact and near copies after filtering; language agreement of 95 percent or more."""
    missing = []
    if not card.find(r"exact[- ](duplicat|cop)[^\n]*\d"):
        missing.append("exact duplicates")
    if not card.find(r"near[- ](duplicat|cop)[^\n]*\d"):
        missing.append("near duplicates")
    agreement = card.find(r"language[- ]id[^\n]*?(\d+(?:\.\d+)?) ?%")
    if not agreement:
        missing.append("language-id agreement")
    if missing:
        return fail_row(f"no figure for: {', '.join(missing)}")
    if agreement and float(agreement[1]) < _LEAST_LANGUAGE:
        return fail_row(f"language-id agreement is {agreement[1]} %, below 95 %")
    if card.data.rows and card.data.copies / card.data.rows > _COPIES:
        return fail_row(f"{card.data.copies} of {card.data.rows} rows are exact copies of another")
    return pass_row(f"copies are told; language-id agreement {agreement[1] if agreement else '-'} %")


def check_contamination(card: Card) -> Answer:
    """Q2: decontamination against each benchmark the card speaks of."""
    text = card.take(*_DECONTAMINATION)
    if not text.strip():
        return fail_row("nothing is said of decontamination against benchmarks")
    used = set(re.findall(_BENCHMARKS, card.leave(*_DECONTAMINATION)))
    unchecked = sorted(name for name in used if name.lower() not in text.lower())
    if unchecked:
        return fail_row(f"the card speaks of {', '.join(unchecked)}, and not of decontamination against it")
    return pass_row("decontamination is reported for each benchmark used (none, where none is named)")


def check_safety(card: Card) -> Answer:
    """Q3: figures of a scan for personal data, a table on harm, words on ethical risk."""
    missing = []
    if not card.find(r"(personal[ _-]data|\bpii\b|personal information|e-?mail)[^\n]*\d"):
        missing.append("figures of a scan for personal data")
    table = card.find_table("scan|stage|axis|categor|judge|harm|toxic", "dropped|score|share|rate|count")
    if table is None or not any(re.search(r"harm|toxic", cell, re.IGNORECASE) for row in table for cell in row):
        missing.append("a table on harm")
    elif card.find(r"harm was not judged"):
        missing.append("harm scores (harm was not judged; judge the run with culturepark refine)")
    if not card.find(r"ethical|risk", "ethic", "risk", "safety", "bias", "consideration"):
        missing.append("words on ethical risk")
    return fail_row(f"there is not: {', '.join(missing)}") if missing else pass_row("personal data, harm, ethical risk")


def check_stereotypes(card: Card) -> Answer:
    """Q4: an audit of markers and stereotypes, and a statement on essentialism."""
    missing = []
    if not card.find(r"(marker|stereotyp)[^\n]*\d"):
        missing.append("a marker or stereotype audit with figures")
    if not card.find(r"essentialis|whole people|monolith|generali[sz]"):
        missing.append("a statement on essentialism")
    return fail_row(f"there is not: {', '.join(missing)}") if missing else pass_row("marker audit and essentialism")


def check_disagreement(card: Card) -> Answer:
    """Q5: how far people of one culture disagree."""
    text = card.find(r"(within[- ]culture|inside (a|the) culture|intra-?cultur)[^\n]*(disagree|varia|divers)|one voice")
    if not text:
        return fail_row("disagreement within a culture is not told")
    table = card.find_table("culture", "entropy|disagree|variance|commonest")
    if table is None and not card.find(r"disagree[^\n]*\d|entropy[^\n]*\d"):
        return warn_row("disagreement within a culture is told without figures")
    return pass_row("disagreement within cultures is told with figures")
