"""``status``, ``show``, ``cultures`` and ``topics``: reading only, no model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from culturepark.cli.conversation import (
    console,
    plain,
    print_dialogue,
    print_lineage,
    print_rejected,
    print_sample,
    show,
)
from culturepark.culture.personas import country_weights
from culturepark.culture.profiles import Profile, find_profiles, load_profiles
from culturepark.culture.scenarios import find_topics, load_topics
from culturepark.culture.surveys import load_surveys
from culturepark.errors import ConfigError, DataError
from culturepark.records import Rejected, Sample
from culturepark.runs.folder import Run
from culturepark.runs.money import snapshot_spend
from culturepark.runs.page import list_spend


def make_table(title: str, *columns: str) -> Table:
    """A table whose cells are plain text."""
    table = Table(title=title, title_justify="left", show_lines=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """Add cells as plain text, never as markup."""
    table.add_row(*(Text(plain(str(c))) for c in cells))


def run_status(options: argparse.Namespace) -> int:
    """What is done, left, rejected and why."""
    run = Run(options.run)
    run.check()
    counts, manifest = run.counts(), run.manifest
    wanted = manifest["config"]["n"]
    figures: dict[str, Any] = {
        "run": str(run.path),
        "state": _living_state(run, counts.accepted, wanted),
        "n": wanted,
        "accepted": counts.accepted,
        "left": wanted - counts.accepted,
        "candidates": counts.candidates,
        "rejected": counts.rejected,
        "failed": counts.failed,
        "by_culture": dict(sorted(counts.cultures.items())),
        "reasons": dict(counts.reasons.most_common()),
        "dialogues": counts.dialogues,
        "stops": dict(counts.stops.most_common()),
        "calls": counts.calls,
        "input_tokens": counts.input_tokens,
        "cached_tokens": counts.cached_tokens,
        "output_tokens": counts.output_tokens,
        "spend": snapshot_spend(run.path),
    }
    if options.json:
        print(json.dumps({**figures, "fidelity": manifest.get("fidelity", {})}, ensure_ascii=False))
        return 0
    out = console()
    table = make_table(f"{run.path}: {figures['state']}", "what", "number")
    for key in ("n", "accepted", "left", "candidates", "rejected", "failed", "dialogues", "calls"):
        add_row(table, key, figures[key])
    add_row(
        table, "tokens in / cached / out", f"{counts.input_tokens} / {counts.cached_tokens} / {counts.output_tokens}"
    )
    for name, value in list_spend(figures["spend"]):
        add_row(table, name, value)
    for culture, number in figures["by_culture"].items():
        add_row(table, f"accepted, {culture}", number)
    for reason, number in figures["reasons"].items():
        add_row(table, f"not used: {reason}", number)
    for stop, number in figures["stops"].items():
        add_row(table, f"talks ended by {stop}", number)
    out.print(table)
    _print_fidelity(manifest)
    if figures["left"] and figures["state"] != "short":
        show(out, "To go on, run the command that began it; it resumes by itself.")
    return 0


def _living_state(run: Run, accepted: int, wanted: int) -> str:
    if accepted >= wanted:
        return "complete"
    if run.state == "running" and not _is_locked(run.path):
        return "stopped (killed; it can be resumed)"
    return run.state


def _is_locked(path: Path) -> bool:
    try:
        import fcntl

        with (path / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except (ImportError, OSError):
        return True


def _print_fidelity(manifest: dict[str, Any]) -> None:
    rows = [(c, f) for c, f in manifest.get("fidelity", {}).items() if f["js_mean"] is not None]
    if not rows:
        return
    table = make_table("distance to the survey (0 is equal)", "culture", "topics", "mean", "largest", "rounding alone")
    for culture, facts in rows:
        largest = f"{facts['js_max']:.3f} {facts['js_max_topic']}"
        add_row(table, culture, facts["topics"], f"{facts['js_mean']:.3f}", largest, f"{facts['js_floor']:.3f}")
    console().print(table)


def run_show(options: argparse.Namespace) -> int:
    """One dialogue or sample as a conversation with its full lineage."""
    run = Run(options.run)
    wanted = options.id
    if wanted is None:
        first = next(run.samples(), None)
        if first is None:
            raise DataError(f"{run.path}: has no samples yet; name a dialogue, for example d000000")
        wanted = first.id
    dialogue, record = run.find(wanted)
    print_dialogue(dialogue)
    if isinstance(record, Sample):
        print_sample(record)
        print_lineage(record, dialogue)
    elif isinstance(record, Rejected):
        print_rejected(record)
    return 0


def run_cultures(options: argparse.Namespace) -> int:
    """List cultures, or show one."""
    profiles = load_profiles(Path(options.personas) if options.personas else None)
    if options.culture:
        found = find_profiles([options.culture], profiles)
        if len(found) != 1:
            raise ConfigError(f"name one culture, not {options.culture!r}")
        _show_profile(profiles[found[0]])
        return 0
    table = make_table("", "culture", "also", "countries", "languages", "who it speaks of")
    for p in profiles.values():
        note = "" if p.role == "culture" else "(main contact of --preset classic only) "
        codes = ",".join(c.code for c in p.countries)
        add_row(table, p.id, ", ".join(p.aliases[:4]), codes, ",".join(p.languages[:3]), note + p.scope.group)
    console().print(table)
    return 0


def _show_profile(profile: Profile) -> None:
    out = console()
    scope = profile.scope
    show(out, f"{profile.name} ({profile.id})", "bold")
    for name, text in (
        ("speaks of", scope.group),
        ("place", scope.place),
        ("period", scope.period),
        ("not covered", scope.excludes),
        ("aliases", ", ".join(profile.aliases)),
        ("languages", ", ".join(profile.languages)),
        ("talk", profile.communication.summary),
        ("provenance", profile.provenance),
    ):
        show(out, f"{name:>12}  {text}")
    countries = make_table("\ncountries", "code", "name", "million people", "weight by population", "places")
    weights = country_weights(profile, "population")
    for c in profile.countries:
        add_row(
            countries, c.code, c.name, c.population, f"{weights[c.code]:.2f}", ", ".join(p.name for p in c.places[:5])
        )
    out.print(countries)
    values = make_table(
        "\nvalue scores (means of countries; they describe no person)", "system", "dimension", "score", "of", "source"
    )
    for v in profile.values:
        add_row(values, v.system, v.dimension, v.score, v.of, v.source)
    out.print(values)
    facts = make_table("\nfacts", "area", "what", "contested", "source")
    for f in sorted(profile.facts, key=lambda f: f.area):
        place = f" [{','.join(f.countries)}]" if f.countries else ""
        add_row(facts, f.area, f.text + place, f.contested, f.source)
    out.print(facts)
    sides = make_table("\nwhere people inside the culture disagree", "about", "sides")
    for d in profile.disagreements:
        add_row(sides, d.about, " | ".join(d.sides))
    out.print(sides)


def run_topics(options: argparse.Namespace) -> int:
    """List topics, or show one with the survey figures of each culture."""
    scenarios = Path(options.scenarios) if options.scenarios else None
    topics = load_topics(scenarios)
    surveys = load_surveys(scenarios)
    profiles = load_profiles(Path(options.personas) if options.personas else None)
    chosen = find_topics([options.topic], topics) if options.topic else list(topics)
    if len(chosen) > 1 or not options.topic:
        table = make_table("", "topic", "item", "theme", "what", "cultures that were not asked")
        for name in chosen:
            t = topics[name]
            missing = [
                p.id
                for p in profiles.values()
                if p.role == "culture" and not surveys[t.survey].mixture(country_weights(p, "equal"), t.item)
            ]
            add_row(table, t.id, f"{t.survey} {t.item}", t.theme, t.title, ", ".join(missing))
        console().print(table)
        return 0
    topic = topics[chosen[0]]
    out = console()
    show(out, f"{topic.title} ({topic.id})", "bold")
    for name, text in (
        ("survey item", f"{topic.survey} {topic.item}, scale {topic.codes[0]}-{topic.codes[-1]}"),
        ("statement", topic.statement),
        ("nearest to it", f"the {topic.agree_end} end of the scale"),
        ("sensitive", topic.sensitive),
        ("tags", ", ".join(topic.tags)),
        ("asked as", topic.questions[0]),
    ):
        show(out, f"{name:>14}  {text}")
    cultures = [p for p in profiles.values() if p.role == "culture"]
    table = make_table(
        "\nanswers, share in percent (unweighted; countries weighted equally)",
        "code",
        "label",
        *(p.id for p in cultures),
    )
    mixtures = [surveys[topic.survey].mixture(country_weights(p, "equal"), topic.item) for p in cultures]
    for point in topic.scale:
        cells = [f"{100 * m.get(point.code, 0):.0f}" if m else "not asked" for m in mixtures]
        add_row(table, point.code, point.label, *cells)
    out.print(table)
    for point in topic.scale:
        show(out, f'{point.code:>4}  "{point.view}"')
    return 0
