"""Rows of the checklist about annotation and upkeep (N1 to N3, R1, R2, P1, P2, S1, S2)."""

from __future__ import annotations

import re

from culturepark.card.reading import Card, is_placeholder
from culturepark.card.rule import ANNOTATION, CHANGES, SOURCES, Answer, fail_row, pass_row, warn_row

_AGREEMENT = r"\b(kappa|alpha|agreement|icc|correlation)\b"
_INTERVAL = r"-?\d?\.\d+ ?(to|–|,|±) ?-?\d?\.\d+|95 ?%|\bci\b"
_ONE_RATER = r"\b(one|single|1) (judge|rater|annotator|labeller)"
_PEOPLE_LEAST = 100
_OLD = 10


def check_raters(card: Card) -> Answer:
    """N1: who labelled, by which guideline, how many, and their agreement with an interval."""
    text = card.take(*ANNOTATION)
    if re.search(r"no (row|sample)s? (is|are|were) labelled|no (labels|annotations?)\b", text, re.IGNORECASE):
        return pass_row("there are no labels, says the card")
    if not text.strip():
        return fail_row("nothing is said of labels; say who made them, or that there are none")
    wanted = {
        "who labelled": r"judge|annotator|rater|labelled by|model|people",
        "the guideline": r"guideline|rubric|instruction|prompt|scale",
        "the number of raters": r"\b\d+ (judges|raters|annotators)|judges? \|[^\n]*\n[^\n]*\n?[^\n]*\d|" + _ONE_RATER,
    }
    missing = [name for name, pattern in wanted.items() if not re.search(pattern, text, re.IGNORECASE)]
    if missing:
        return fail_row(f"of the labels is not told: {', '.join(missing)}")
    if re.search(_AGREEMENT + r"[^\n]*(" + _INTERVAL + ")", text, re.IGNORECASE) and _has_agreement(text):
        return pass_row("raters, guideline and agreement with an interval")
    if re.search(_ONE_RATER, text, re.IGNORECASE):
        return warn_row("one rater: no agreement can be told")
    if re.search(r"no judge scored|made by rules", text, re.IGNORECASE) and not re.search("mean score", text):
        return warn_row("labels were made by rules alone: no agreement to tell")
    return fail_row("the agreement of the raters is not told with an interval")


def _has_agreement(text: str) -> bool:
    return bool(re.search(r"(kappa|alpha|agreement|icc)\b[^\n|]{0,40}-?\d?\.\d+", text, re.IGNORECASE))


def check_readers(card: Card) -> Answer:
    """N2: the share of rows that a person has seen."""
    share = r"(\d+(\.\d+)? ?%|\d+|no|none|every|all)[^\n.]{0,60}"
    found = card.find(share + r"\b(read|seen|checked|reviewed|validated) by (a )?(person|people|human|native)")
    return pass_row(f"told: {found[0][:80]}") if found else fail_row("the share of rows seen by a person is not told")


def check_panel(card: Card) -> Answer:
    """N3: the judges' panel, rubric and aggregation, and agreement with people on 100 rows or more."""
    text = card.take(*ANNOTATION)
    if not re.search(r"judge", text, re.IGNORECASE):
        return fail_row("no panel of judges is described")
    if not re.search(r"\b(mean|median|min|max|majority|vote|kept if)\b", text, re.IGNORECASE):
        return fail_row("it is not told how judges' scores are put together")
    table = card.find_table("agreement with people", "candidates|rows|samples|n")
    numbers = [int(n) for row in (table or [])[1:] for n in row if re.fullmatch(r"\d+", n)]
    if numbers and max(numbers) >= _PEOPLE_LEAST:
        return pass_row(f"panel, and agreement with people on {max(numbers)} candidates")
    said = re.search(r"agree[^\n]*(with|between)[^\n]*(people|human)[^\n]*?\b(\d{3,})\b", text, re.IGNORECASE)
    if said and int(said[3]) >= _PEOPLE_LEAST:
        return pass_row(f"panel, and agreement with people on {said[3]}")
    return fail_row(f"agreement of the judges with people on {_PEOPLE_LEAST} rows or more is not told")


def check_version(card: Card) -> Answer:
    """R1: version, date, changes, next review, maintainer."""
    text = card.take(*CHANGES, "contact", "maintain", "citation")
    wanted = {
        "version": r"version\W[^\n]*\w",
        "date": r"\b20\d\d-\d\d-\d\d\b",
        "next review": r"(next|planned) review|review(ed)? (again )?(on|by|until)|update schedule",
    }
    missing = [name for name, pattern in wanted.items() if not re.search(pattern, text, re.IGNORECASE)]
    if not card.has_section(*CHANGES):
        missing.append("changes")
    maintainer = re.search(r"maintain\w*\W[^\n]*", text, re.IGNORECASE)
    if not maintainer:
        missing.append("maintainer (--contact or --authors)")
    elif is_placeholder(maintainer[0]):
        missing.append("maintainer (what stands there is a placeholder; --contact or --authors)")
    return (
        fail_row(f"not told: {', '.join(missing)}")
        if missing
        else pass_row("version, date, changes, review, maintainer")
    )


def check_snapshots(card: Card) -> Answer:
    """R2: years of the sources; old norms are flagged."""
    text = card.take(*SOURCES)
    years = [int(year) for year in re.findall(r"\b(?:19|20)\d\d\b", text)]
    if not years:
        return fail_row("the sources have no years")
    dates = re.findall(r"\b(20\d\d)-\d\d-\d\d\b", card.text)
    if re.search(r"older than \d+ years", text, re.IGNORECASE):
        return pass_row(f"years of the sources {min(years)} to {max(years)}; old norms are flagged")
    if dates and int(max(dates)) - min(years) > _OLD:
        return fail_row(f"norms of {min(years)} are older than {_OLD} years and not flagged")
    return pass_row(f"years of the sources {min(years)} to {max(years)}")


def check_adoption(card: Card) -> Answer:
    """P1: citation file, stable identifier, and a loader that finds its files."""
    missing = []
    if not (card.folder / "CITATION.cff").is_file() and not card.find(r"@\w+\{"):
        missing.append("a citation file")
    if not card.find(r"10\.\d{4,}/|doi\.org|hdl\.|identifier|version\W[^\n]*[0-9a-f]{8,}|arxiv"):
        missing.append("a stable identifier")
    if not card.find(r"load_dataset\(|read_parquet|read_json|from_pretrained"):
        missing.append("code that loads it")
    if card.data.missing:
        missing.append(f"files for {card.data.missing[0]}")
    return fail_row(f"there is not: {', '.join(missing)}") if missing else pass_row("citation, identifier and loader")


def check_baseline(card: Card) -> Answer:
    """P2: a quick start with a trained baseline and its result."""
    text = card.take("quick ?start", "usage", "how to use", "baseline", "getting started")
    if "```" not in text and "    " not in text:
        return fail_row("there is no quick start")
    if not re.search(
        r"(baseline|trained|fine-?tuned|result)[^\n]*\d", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.IGNORECASE
    ):
        return fail_row("the quick start names no trained baseline with its result; write one under yours: baseline")
    return pass_row("quick start with a baseline")


def check_contribution(card: Card) -> Answer:
    """S1: which gap it fills, compared with an earlier set on the same test."""
    missing = (
        []
        if card.find(r"\bgap it\b|fills? (a|the) gap|contribut|novel|first (data ?set|resource)")
        else ["the gap it fills"]
    )
    compared = card.find(r"compar(ed|ison) (with|to)[^\n]*")
    if (
        not compared
        or re.search(r"\bno comparison", card.text, re.IGNORECASE)
        or not re.search(r"\d", card.take("compar"))
    ):
        missing.append("a comparison with an earlier set on the same test (yours: comparison)")
    return fail_row(f"there is not: {', '.join(missing)}") if missing else pass_row("gap and comparison")


def check_ablation(card: Card) -> Answer:
    """S2: each stage on and off."""
    found = card.find(r"ablat[^\n]*\d|with(out)? (each|single|this) stages?[^\n]*\d")
    return pass_row("ablation of stages") if found else fail_row("no figures with single stages left out")
