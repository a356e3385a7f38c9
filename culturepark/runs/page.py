"""A run's figures as rows of one table: the readable report of one run, and several runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from culturepark.runs.report import show_figure

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure under a heading; ``note`` says over what it was measured or why it is missing."""

    heading: str
    name: str
    value: str
    note: str = ""


def list_rows(manifest: Manifest) -> list[Row]:
    """Every figure of a run, from its manifest alone."""
    measures = manifest.get("measures") or {}
    rows = [*_count_rows(manifest), *_fidelity_rows(manifest)]
    if measures:
        rows += [*_opinion_rows(measures["opinions"]), *_diversity_rows(measures), *_statement_rows(measures)]
        rows += _panel_rows(measures["panel"])
    return [*rows, *_keep_rows(manifest), *_stage_rows(manifest), *_cost_rows(manifest), *_money_rows(manifest)]


def write_report(manifest: Manifest) -> str:
    """The run's ``report.md``."""
    config = manifest["config"]
    lines = [
        "# Report of a run",
        "",
        f"{manifest['counts']['accepted']} of {config['n']} samples, state {manifest['state']}, model "
        f"`{_plain(config.get('model'))}`, preset {config['preset']}, fingerprint {manifest['fingerprint']}.",
        "What each figure means and where its method comes from: docs/methods.md.",
    ]
    lines += [f"\n**{alarm}**" for alarm in manifest.get("alarms", ())]
    heading = ""
    for row in list_rows(manifest):
        if row.heading != heading:
            heading = row.heading
            lines += ["", f"## {heading}", "", "| figure | value | note |", "| --- | --- | --- |"]
        lines.append(f"| {_plain(row.name)} | {_plain(row.value)} | {_plain(row.note)} |")
    return "\n".join(lines) + "\n"


def compare_rows(manifests: Sequence[Manifest]) -> list[tuple[str, str, list[str]]]:
    """(heading, figure, one value for each run) over every figure that any of the runs has."""
    tables = [{(r.heading, r.name): r.value for r in list_rows(m)} for m in manifests]
    keys = dict.fromkeys(key for table in tables for key in table)
    order: dict[str, int] = {}
    for heading, _ in keys:
        order.setdefault(heading, len(order))
    ranked = sorted(keys, key=lambda key: order[key[0]])
    return [(heading, name, [table.get((heading, name), "-") for table in tables]) for heading, name in ranked]


def _count_rows(manifest: Manifest) -> Iterator[Row]:
    counts = manifest["counts"]
    total = max(1, counts["candidates"])
    for name in ("candidates", "accepted", "rejected", "failed"):
        yield Row(
            "Candidates", name, str(counts[name]), f"{100 * counts[name] / total:.1f} %" if name != "candidates" else ""
        )
    for reason, number in counts["reasons"].items():
        yield Row("Candidates", f"not used: {reason}", str(number), f"{100 * number / total:.1f} %")
    accepted = max(1, counts["accepted"])
    for kind in ("opinion", "norm", "custom"):
        number = counts.get("kinds", {}).get(kind, 0)
        yield Row("Samples", f"share of {kind}s", f"{number / accepted:.3f}", f"{number} samples")
    for form, number in counts.get("forms", {}).items():
        yield Row("Samples", f"form {form}", str(number))
    for tag, number in counts.get("tags", {}).items():
        yield Row("Samples", f"tagged {tag}", str(number))


def _fidelity_rows(manifest: Manifest) -> Iterator[Row]:
    heading = "Distance to the survey (Jensen-Shannon, 0 is equal)"
    for culture, facts in manifest.get("fidelity", {}).items():
        note = f"mean over {facts['topics']} topics"
        yield Row(heading, f"{culture}: before refinement", show_figure(facts.get("js_before")), note)
        yield Row(heading, f"{culture}: accepted samples", show_figure(facts["js_mean"]), note)
        yield Row(heading, f"{culture}: largest", show_figure(facts["js_max"]), facts["js_max_topic"])
        yield Row(heading, f"{culture}: whole numbers alone", show_figure(facts["js_floor"]), "what n itself costs")


def _opinion_rows(opinions: Mapping[str, Any]) -> Iterator[Row]:
    heading = "Opinions before and after the talk"
    words = {
        "before": "distance between speakers, private, before",
        "after": "distance between speakers, after",
        "drift": "drift (below 0: toward agreement)",
        "agreeing_openings": "turns that begin by agreeing",
        "contrast": "turns with a contrast",
    }
    for key, name in words.items():
        yield _figure_row(
            heading, name, opinions[key], "turns" if key in ("agreeing_openings", "contrast") else "talks"
        )
    ends = sum(opinions["ends"].values())
    for end, number in opinions["ends"].items():
        yield Row(heading, f"speakers whose view ended {end}", f"{number / max(1, ends):.3f}", f"{number} of {ends}")


def _diversity_rows(measures: Mapping[str, Any]) -> Iterator[Row]:
    names = {
        "distinct_1": "distinct-1",
        "distinct_2": "distinct-2",
        "distinct_3": "distinct-3",
        "self_bleu_4": "self-BLEU-4 (lower is more varied)",
        "near_copies": "share with a near copy",
        "compression": "compression ratio (lower is more varied)",
    }
    for culture, figures in measures["diversity"].items():
        for key, name in names.items():
            yield _figure_row("Diversity", f"{culture}: {name}", figures[key])
        for key, value in figures.get("semantic", {}).items():
            yield _figure_row("Diversity", f"{culture}: semantic {key.replace('_', ' ')}", value)
    words = {"between": "likeness between cultures", "within": "likeness within a culture", "ratio": "template ratio"}
    for key, name in words.items():
        yield _figure_row("Diversity", f"{name}, marker words removed", measures["template"][key])


def _statement_rows(measures: Mapping[str, Any]) -> Iterator[Row]:
    for what, counts in measures["statements"].items():
        total = sum(counts.values())
        for name, number in counts.items():
            yield Row("Checked statements", f"{what}: {name}", f"{number / total:.3f}", f"{number} of {total}")


def _panel_rows(panel: Mapping[str, Any]) -> Iterator[Row]:
    for axis, facts in panel.items():
        for judge, value in facts.get("mean_score", {}).items():
            yield Row("Judges", f"{axis}: mean of {judge}", f"{value:.2f}", f"{facts['judges'][judge]} candidates")
        if len(facts.get("judges", {})) > 1:
            yield _figure_row("Judges", f"{axis}: mean kappa (quadratic)", facts["mean_kappa"], "candidates")
            yield _figure_row("Judges", f"{axis}: Krippendorff's alpha (interval)", facts["alpha"], "candidates")
        people = facts.get("people") or {}
        if people:
            yield _figure_row("Judges", f"{axis}: people with people (kappa)", people["a_hh"])
            for judge, figures in people["judges"].items():
                for key in ("a_mh", "difference", "pearson", "mae"):
                    yield _figure_row("Judges", f"{axis}: {judge} with people, {key}", figures[key])


def _keep_rows(manifest: Manifest) -> Iterator[Row]:
    for culture, rate in manifest.get("keep_rates", {}).items():
        yield Row("Balance", f"kept of {culture}", f"{rate:.3f}")
    if manifest.get("keep_ratio") is not None:
        yield Row("Balance", "highest keep-rate over lowest", f"{manifest['keep_ratio']:.2f}", "alarm above 1.5")


def _stage_rows(manifest: Manifest) -> Iterator[Row]:
    for stage, cultures in manifest["counts"].get("stages", {}).items():
        seen, dropped = (sum(numbers[k] for numbers in cultures.values()) for k in (0, 1))
        note = ", ".join(f"{c} {d} of {s}" for c, (s, d) in sorted(cultures.items()))
        yield Row("Stages", f"dropped by {stage}", f"{dropped} of {seen}", note)


def _money_rows(manifest: Manifest) -> Iterator[Row]:
    spend = manifest.get("spend") or {}
    for model, facts in {"all models": spend.get("all", {}), **spend.get("models", {})}.items():
        if facts.get("calls"):
            yield Row("Money", model, *_describe_spend(facts))
    accepted = manifest["counts"]["accepted"]
    if accepted and spend.get("all", {}).get("usd"):
        yield Row("Money", "per accepted sample", f"${spend['all']['usd'] / accepted:.6f}")


def list_spend(spend: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, text) of what was spent, in all and by model."""
    parts = {"spent": spend["all"], **{f"spent on {model}": facts for model, facts in spend["models"].items()}}
    told = [(name, *_describe_spend(facts)) for name, facts in parts.items() if facts["calls"]]
    return [(name, f"{value}   {note}") for name, value, note in told]


def _describe_spend(facts: Mapping[str, Any]) -> tuple[str, str]:
    value = f"${facts['usd']:.4f}" if facts["unpriced"] < facts["calls"] else "price unknown"
    note = f"{facts['calls']} calls, {facts['input']} tokens in ({facts['cached']} cached), {facts['output']} out"
    words = {
        "failed": "failed",
        "lost": "never answered (at their estimate)",
        "estimated": "estimated",
        "unpriced": "without a price",
    }
    return value, note + "".join(f", {facts[key]} {text}" for key, text in words.items() if facts[key])


def _cost_rows(manifest: Manifest) -> Iterator[Row]:
    for purpose, facts in manifest.get("per_sample", {}).items():
        note = f"{facts['input']:.0f} tokens in ({facts['cached']:.0f} cached), {facts['output']:.0f} out"
        yield Row("Calls and tokens per accepted sample", purpose, f"{facts['calls']:.2f} calls", note)


def _figure_row(heading: str, name: str, figure: Mapping[str, Any], unit: str = "") -> Row:
    note = figure.get("reason") or f"n = {figure['n']}{f' {unit}' if unit else ''}"
    if figure.get("low") is not None:
        note += f", 95 % {figure['low']:.3f} to {figure['high']:.3f}"
    return Row(heading, name, show_figure(figure["value"]), note)


def _plain(text: object) -> str:
    """Text for a table cell: one line, no markup, no cell border."""
    flat = " ".join(str(text).split())
    return (
        "".join(c for c in flat if c.isprintable())
        .replace("|", "/")
        .replace("<", "(")
        .replace(">", ")")
        .replace("`", "'")
    )
