"""What a run's samples say, set against the survey: stance distribution per culture and topic."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

from culturepark.culture.personas import country_weights
from culturepark.culture.surveys import js_distance
from culturepark.runs.journal import Counts
from culturepark.runs.plan import Plan
from culturepark.runs.sources import Sources

COLUMNS = (
    "culture",
    "topic",
    "item",
    "code",
    "label",
    "survey_share",
    "planned",
    "candidates",
    "accepted",
    "accepted_share",
)


@dataclass(frozen=True, slots=True)
class StanceRow:
    """One answer of one topic in one culture. Shares are 0 to 1; the survey's are unweighted."""

    culture: str
    topic: str
    item: str
    code: int
    label: str
    survey_share: float
    planned: int
    candidates: int
    accepted: int
    accepted_share: float


def tabulate_stances(plan: Plan, sources: Sources, weighting: str, counts: Counts) -> list[StanceRow]:
    """A row for every answer of every planned culture and topic, in plan order."""
    groups: dict[tuple[str, str], None] = dict.fromkeys((c, t) for c, t, _ in plan.quotas)
    weights = {c: country_weights(sources.profiles[c], weighting) for c, _ in groups}
    rows = []
    for culture, topic in sorted(groups):
        record = sources.topics[topic]
        mixture = sources.surveys[record.survey].mixture(weights[culture], record.item)
        total = sum(counts.cells[culture, topic, code] for code in mixture)
        for code, share in mixture.items():
            accepted = counts.cells[culture, topic, code]
            planned = plan.quotas.get((culture, topic, code), 0)
            label = record.point(code).label
            part = accepted / total if total else 0.0
            asked = counts.asked[culture, topic, code]
            rows.append(StanceRow(culture, topic, record.item, code, label, share, planned, asked, accepted, part))
    return rows


def measure_fidelity(rows: list[StanceRow]) -> dict[str, dict[str, Any]]:
    """Per culture: mean and largest Jensen-Shannon distance (log base 2) of accepted samples to the survey.

    ``before`` is the distance of all candidates, refused ones too; ``floor`` is the mean distance of the plan's own
    whole numbers: what rounding alone costs at this n. Topics without an accepted sample are counted in
    ``topics_empty`` and not in the means. ``off_plan`` is how many samples the plan wanted and the run does not have.
    """
    by_culture: dict[str, dict[str, list[StanceRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_culture[row.culture][row.topic].append(row)
    found: dict[str, dict[str, Any]] = {}
    for culture, topics in by_culture.items():
        distances: dict[str, float] = {}
        floors, before = [], []
        for topic, group in topics.items():
            survey = {r.code: r.survey_share for r in group}
            if sum(r.planned for r in group):
                floors.append(js_distance(survey, {r.code: r.planned for r in group}))
            if sum(r.candidates for r in group):
                before.append(js_distance(survey, {r.code: r.candidates for r in group}))
            if sum(r.accepted for r in group):
                distances[topic] = js_distance(survey, {r.code: r.accepted for r in group})
        worst = max(distances, key=lambda t: distances[t]) if distances else ""
        found[culture] = {
            "topics": len(distances),
            "topics_empty": len(topics) - len(distances),
            "off_plan": sum(max(0, r.planned - r.accepted) for group in topics.values() for r in group),
            "js_mean": round(mean(distances.values()), 4) if distances else None,
            "js_max": round(distances[worst], 4) if worst else None,
            "js_max_topic": worst,
            "js_before": round(mean(before), 4) if before else None,
            "js_floor": round(mean(floors), 4) if floors else None,
        }
    return found


def write_stances(rows: list[StanceRow]) -> str:
    """The table as CSV text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                row.culture,
                row.topic,
                row.item,
                row.code,
                row.label,
                f"{row.survey_share:.4f}",
                row.planned,
                row.candidates,
                row.accepted,
                f"{row.accepted_share:.4f}",
            ]
        )
    return out.getvalue()


README = """---
configs:
- config_name: samples
  default: true
  data_files: samples.jsonl
- config_name: dialogues
  data_files: dialogues.jsonl
- config_name: rejected
  data_files: rejected.jsonl
---

# A CulturePark run

{state_line}

| file | what is in it |
| --- | --- |
| `samples.jsonl` | accepted training samples, `messages` form, each with its lineage |
| `dialogues.jsonl` | every talk with personas, private notes and turns |
| `rejected.jsonl` | every candidate that did not become a sample, with stage, reason and evidence |
| `stances.csv` | answers in the accepted samples against the survey's shares |
| `manifest.json` | configuration, versions, counts |
| `journal.jsonl`, `replies/` | what is done and what the model answered: needed to resume |

## Counts

{counts_table}

## Distance to the survey

Jensen-Shannon distance (log base 2, 0 is equal) between the answers behind the accepted samples and the
survey's answer shares, mean over topics. "Rounding" is what whole numbers alone cost at this n.

{fidelity_table}

{remarks}

The survey figures are World Values Survey wave 7 (2017-2022) answer shares, **unweighted**. World Values
Survey data may be used for non-profit purposes with citation; its files may not be redistributed. Cite:
Haerpfer, C. et al. (eds.), 2022. World Values Survey: Round Seven, Country-Pooled Datafile.
DOI 10.14281/18241.24.

The people in these talks are synthetic. A sample shows one drawn person, never a whole culture.
Texts were written by the model `{model}`; its own terms of use apply to them.
"""


def write_readme(
    manifest: Mapping[str, Any], counts: Counts, fidelity: Mapping[str, Mapping[str, Any]], remarks: tuple[str, ...]
) -> str:
    """The run folder's README, from measured facts only."""
    lines = ["| what | number |", "| --- | --- |"]
    lines += [
        f"| candidates | {counts.candidates} |",
        f"| accepted | {counts.accepted} of {manifest['config']['n']} |",
        f"| rejected | {counts.rejected} |",
        f"| failed | {counts.failed} |",
        f"| dialogues | {counts.dialogues} |",
        f"| model calls | {counts.calls} |",
        f"| tokens in / out | {counts.input_tokens} / {counts.output_tokens} |",
    ]
    lines += [f"| rejected or failed: `{reason}` | {k} |" for reason, k in counts.reasons.most_common()]
    table = ["| culture | samples | topics | mean | largest | rounding |", "| --- | --- | --- | --- | --- | --- |"]
    for culture, facts in fidelity.items():
        table.append(
            f"| {culture} | {counts.cultures[culture]} | {facts['topics']} | {show_figure(facts['js_mean'])} | "
            f"{show_figure(facts['js_max'])} ({facts['js_max_topic']}) | {show_figure(facts['js_floor'])} |"
        )
    state = manifest["state"]
    words = {
        "complete": "Complete.",
        "short": "Short of n: the ceiling on candidates was reached.",
        "stopped": "Not finished.",
        "running": "Not finished.",
    }
    return README.format(
        state_line=words[state],
        counts_table="\n".join(lines),
        fidelity_table="\n".join(table),
        remarks="\n".join(f"- {r}" for r in remarks),
        model=manifest["config"]["model"],
    )


def show_figure(value: float | None) -> str:
    """Three places, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"
