"""Dialogues and samples as a person reads them. Texts are untrusted: they are printed as plain text."""

from __future__ import annotations

import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text

from culturepark.records import Dialogue, Findings, Persona, Rejected, Sample

_COLOURS = ("cyan", "magenta", "green", "yellow")


def console() -> Console:
    """Where commands print."""
    return Console(highlight=False, soft_wrap=False)


def plain(text: str) -> str:
    """A text without control characters, so that no model reply can steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf") or c in "\u200c\u200d")


def show(out: Console, text: str, style: str = "") -> None:
    """Print untrusted text."""
    out.print(Text(plain(text), style=style))


def print_dialogue(dialogue: Dialogue, notes: bool = True) -> None:
    """A talk: people, private notes, turns, end."""
    out = console()
    out.rule(Text(f"{dialogue.id}  {dialogue.topic}  ({dialogue.style}, {dialogue.scene or 'no scene'})"))
    for place, persona in enumerate(dialogue.personas.values()):
        show(out, describe(persona), _COLOURS[place % 4])
    colours = {seat: _COLOURS[k % 4] for k, seat in enumerate(dialogue.personas)}
    for note in dialogue.notes if notes else ():
        show(out, f"  ({dialogue.personas[note.speaker].name} thinks: {note.text})", "dim")
    out.print()
    for turn in dialogue.turns:
        line = Text(f"{turn.name}: ", style=f"bold {colours.get(turn.speaker, 'white')}")
        line.append(plain(turn.text), style="not bold default")
        out.print(line)
        if turn.repaired:
            show(out, f"  (second try; the first was {turn.repaired.reason})", "dim")
    end = dialogue.stop or f"{dialogue.status}: {dialogue.reason} {dialogue.detail}"
    show(out, f"[ends: {end}]\n", "dim")


def describe(persona: Persona) -> str:
    """A persona in one paragraph."""
    stance = f'thinks: "{persona.stance.view}"' if persona.stance.view else "no measured stance"
    return (
        f"{persona.name}, {persona.age}, {persona.gender}, {persona.home} ({persona.country_name}), "
        f"{persona.occupation}, lives {persona.household}; {persona.religiosity}; {stance}"
    )


def print_sample(sample: Sample) -> None:
    """A sample as the chat it trains on."""
    out = console()
    out.print(
        Text(f"sample {sample.id}  {sample.culture}/{sample.country}  {sample.kind}, {sample.form}", style="bold")
    )
    for message in sample.messages:
        show(out, f"  {message['role']}: {message['content']}")
    for message in sample.rejected:
        show(out, f"  not so ({sample.origin}): {message['content']}", "dim")
    out.print()


def print_rejected(record: Rejected) -> None:
    """A candidate that did not become a sample, with the reason."""
    out = console()
    out.print(Text(f"{record.status} {record.id}: {record.reason} (stage {record.stage})", style="bold red"))
    show(out, f"  {record.evidence}")
    if record.claim:
        show(out, "  " + " ".join(t for q in record.claim.quotes for t in q.texts))
    for line in list_findings(record.findings):
        show(out, f"  {line}")
    out.print()


def list_findings(findings: Findings) -> list[str]:
    """What models said of a candidate, a line each."""
    lines = [f"rewritten ({r.fault or 'kept'}): {r.text}" for r in findings.rewrites]
    lines += [f"{s.kind}, {s.verdict}{f' by {s.source}' if s.source else ''}: {s.text}" for s in findings.statements]
    lines += [f"{s.axis} {s.value} by {s.judge}: {s.reason}" for s in findings.scores]
    if findings.quality is not None:
        lines.append(f"complexity {findings.complexity:g}, quality {findings.quality:g} ({findings.quality_from})")
    return lines


def print_lineage(sample: Sample, dialogue: Dialogue) -> None:
    """Where a sample comes from, step by step."""
    out = console()
    story = sample.lineage
    survey, claim = story["survey"], story["claim"]
    persona = dialogue.personas[story["speaker"]]
    rows: list[tuple[str, Any]] = [
        (
            "survey",
            f"{survey['survey']} {survey['item']} ({survey['topic']}), {survey['country']}: answer {survey['code']} "
            f"({survey['label']}), share {survey['share']:.3f} of {survey['n_valid']}, unweighted",
        ),
        ("persona", describe(persona)),
        ("drawn from", ", ".join(f"{k} {v}" for k, v in story["persona_draw"].items())),
        ("dialogue", f"{dialogue.id}, {dialogue.style}, scene {dialogue.scene or '-'}, ended by {dialogue.stop}"),
        ("quote", "; ".join(f"turn {q['turn']}, sentences {q['sentences']}" for q in claim["quotes"])),
        ("question", story["question_from"]),
        ("verdicts", ", ".join(f"{v.stage} {'kept' if v.kept else v.reason}" for v in sample.verdicts)),
        ("found", "; ".join(list_findings(sample.findings)) or "nothing: not judged by a model"),
        ("tags", ", ".join(sample.tags) or "none"),
        ("models", f"talk {', '.join(story['turn_models'])}; refinement {story['refine_model']}"),
        ("requests", ", ".join(story["requests"])),
        ("prompts", ", ".join(f"{k} {v}" for k, v in sorted(story["prompts"].items()))),
        ("data files", ", ".join(f"{k} {v}" for k, v in story["data"].items())),
        ("made with", f"{story['software']}, seed {story['seed']}"),
    ]
    for name, text in rows:
        line = Text(f"{name:>11}  ", style="bold")
        line.append(plain(str(text)), style="not bold")
        out.print(line)
