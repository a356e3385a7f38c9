"""The card's text: its sections in order."""

from __future__ import annotations

import json
from collections.abc import Callable

from culturepark.card.composition import (
    write_composition,
    write_disagreement,
    write_languages,
    write_people,
    write_splits,
    write_structure,
)
from culturepark.card.conditions import (
    write_changes,
    write_citation,
    write_contact,
    write_licence,
)
from culturepark.card.facts import Facts
from culturepark.card.notes import MADE, open_note
from culturepark.card.origin import write_again, write_process, write_sources
from culturepark.card.quality import (
    list_gaps,
    write_annotation,
    write_contamination,
    write_diversity,
    write_fidelity,
    write_rejections,
    write_safety,
)
from culturepark.card.settings import Settings
from culturepark.card.short import write_short
from culturepark.card.text import escape, fence, show_share

PURPOSE = (
    "To fine-tune language models, or to make them prefer, so that their answers on everyday questions of value vary "
    "as people's answers in these cultures do; and to study how well that can be done with generated talk. Each sample "
    "shows one drawn person with one view, in shares that follow a survey."
)
NOT_FOR = (
    "Not for saying what a people thinks, for predicting what a person thinks, for profiling, persuading or screening "
    "people, for replacing a survey or the voice of anybody, or for evaluation on the items the samples were seeded "
    "with. Nothing in it is advice on law, faith or health."
)

GAP = "The gap it is made for: opinions of named cultures in shares that follow a survey, each with its whole story."
NO_COMPARISON = (
    "No comparison with an earlier set on the same test, and no run with single stages left out, has been made as far "
    "as this card knows."
)


def write_body(facts: Facts, settings: Settings, notes: dict[str, str]) -> str:
    """The text after the YAML block. ``notes`` are the owner's; those without a place of their own come last."""
    left, compared = dict(notes), "comparison" in notes
    gaps = "\n".join(f"- {escape(gap, 900)}" for gap in list_gaps(facts))
    sections: list[tuple[str, Callable[[], str], str]] = [
        ("In short", lambda: write_short(facts, settings), "summary"),
        ("Purpose", lambda: PURPOSE, ""),
        ("Not for", lambda: NOT_FOR, ""),
        ("Quick start", lambda: _write_start(facts), "baseline"),
        ("Composition", lambda: write_composition(facts), ""),
        ("Languages", lambda: write_languages(facts), ""),
        ("Steerability", lambda: _write_steering(facts), ""),
        ("Fields", lambda: write_structure(facts), ""),
        ("Splits", lambda: write_splits(facts), ""),
        ("Sources", lambda: write_sources(facts), ""),
        ("Process", lambda: write_process(facts), ""),
        ("Making it again", lambda: write_again(facts), ""),
        ("Annotation and judges", lambda: write_annotation(facts), "annotation"),
        ("Fidelity to the survey", lambda: write_fidelity(facts), ""),
        ("Diversity", lambda: f"{write_diversity(facts)}\n\n{write_disagreement(facts)}", ""),
        ("Rejected candidates", lambda: write_rejections(facts), ""),
        ("Safety and ethical risk", lambda: write_safety(facts), ""),
        ("Decontamination", lambda: write_contamination(facts), ""),
        ("Known gaps", lambda: gaps, "gaps"),
        ("Positionality: whose culture, where and when", lambda: write_people(facts), "positionality"),
        (
            "Comparison with other data",
            lambda: GAP if compared else f"{GAP} {NO_COMPARISON}",
            "comparison",
        ),
        ("Licence", lambda: write_licence(facts, settings), "licence"),
        ("Citation", lambda: write_citation(facts, settings), ""),
        ("Contact and removal", lambda: write_contact(settings), ""),
        ("Changes", lambda: write_changes(facts, settings), "changes"),
    ]
    parts = [f"\n{MADE}\n", f"# {escape(settings.title)}"]
    for heading, write, note in sections:
        text = write()
        place = open_note(note, left) if note else ""
        parts.append("\n\n".join(filter(None, (f"## {heading}", text, place))))
    parts.append("\n\n".join([open_note("more", left), *(open_note(name, left) for name in sorted(left))]))
    return "\n\n".join(parts) + "\n"


def _write_start(facts: Facts) -> str:
    config = facts.export.name_config(facts.export.primary, min(facts.cultures)) if facts.export else "samples"
    code = [
        "from datasets import load_dataset",
        "from trl import SFTConfig, SFTTrainer",
        "",
        f'data = load_dataset("PATH-OR-NAME", {json.dumps(config)}, split="train")',
        'trainer = SFTTrainer("BASE-MODEL", args=SFTConfig("out"), train_dataset=data)',
        "trainer.train()",
    ]
    primary = facts.export.primary if facts.export else "messages"
    if primary not in ("messages", "parquet"):
        code = [code[0], "", code[3]]
    return fence("\n".join(code), "python")


def _write_steering(facts: Facts) -> str:
    return (
        f"Samples with a persona as a system prompt: {facts.with_persona} "
        f"({show_share(facts.with_persona, facts.rows)}). Personas: {facts.personas}. Of {facts.twice} personas with "
        f"two samples or more, {facts.phrased_twice} stand there in two phrasings or more."
    )
