"""``rejected``, ``report`` and ``compare``: what was dropped and why, and what a run's figures are."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from culturepark.cli.browse import add_row, make_table
from culturepark.cli.conversation import console, show
from culturepark.errors import ConfigError, DataError
from culturepark.files import nearest, parse_objects, replace_file
from culturepark.records import Rejected
from culturepark.runs.folder import Run
from culturepark.runs.page import compare_rows, write_report

LABEL_COLUMNS = ("id", "axis", "scorer", "score")


def run_rejected(options: argparse.Namespace) -> int:
    """The ledger of rejected and failed candidates, by reason, with examples."""
    run = Run(options.run)
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[str, list[Rejected]] = defaultdict(list)
    for record in run.rejected():
        if options.culture and record.culture != options.culture:
            continue
        counts[record.status, record.stage, record.reason] += 1
        if len(examples[record.reason]) < options.examples:
            examples[record.reason].append(record)
        if options.json and (not options.reason or record.reason == options.reason):
            print(json.dumps(record.model_dump(mode="json"), ensure_ascii=False))
    if options.json:
        return 0
    if options.reason and options.reason not in examples:
        raise ConfigError(f"{run.path}: nothing was dropped as {options.reason!r}{nearest(options.reason, examples)}")
    out = console()
    if not counts:
        show(out, f"{run.path}: nothing was rejected.")
        return 0
    table = make_table(f"{run.path}: {sum(counts.values())} candidates not used", "status", "stage", "reason", "number")
    for key, number in counts.most_common():
        add_row(table, *key, number)
    out.print(table)
    for reason in dict.fromkeys(reason for (_, _, reason), _ in counts.most_common()):
        if options.reason in (None, reason):
            show(out, f"\n{reason}", "bold")
            for record in examples[reason]:
                _show_example(record)
    show(out, f"\nOne whole:  culturepark show {run.path} ID", "dim")
    return 0


def _show_example(record: Rejected) -> None:
    out = console()
    show(out, f"  {record.id} ({record.culture}, {record.topic}, answer {record.answer}): {record.evidence}")
    words = " ".join(t for q in record.claim.quotes for t in q.texts) if record.claim else ""
    if words:
        show(out, f'    said: "{words}"')
    for rewrite in record.findings.rewrites:
        show(out, f'    rewritten ({rewrite.fault or "kept"}): "{rewrite.text}"')
    for score in record.findings.scores:
        show(out, f"    {score.axis} {score.value} by {score.judge}: {score.reason}", "dim")


def run_report(options: argparse.Namespace) -> int:
    """Measure a finished run again, with human labels where given; writes report.md and prints it."""
    run = Run(options.run)
    manifest = dict(run.manifest)
    if options.labels or not manifest.get("measures"):
        from culturepark.culture.profiles import load_profiles
        from culturepark.culture.scenarios import load_topics
        from culturepark.refine.encoder import open_encoder
        from culturepark.runs.measure import measure_run

        people = read_labels(Path(options.labels)) if options.labels else None
        config = manifest["config"]
        profiles = load_profiles(Path(config["personas"]) if config.get("personas") else None)
        topics = load_topics(Path(config["scenarios"]) if config.get("scenarios") else None)
        encoder = open_encoder(config.get("encoder") or "auto")
        manifest["measures"] = measure_run(run, topics, profiles, encoder, people)
    text = write_report(manifest)
    replace_file(run.path / "report.md", text)
    if options.json:
        print(json.dumps(manifest.get("measures", {}), ensure_ascii=False))
    else:
        show(console(), text)
    return 0


def read_labels(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Human scores by axis, scorer and candidate, from CSV or JSONL with the columns id, axis, scorer, score (1-5)."""
    found: dict[str, dict[str, dict[str, int]]] = {"harm": {}, "fit": {}}
    for number, row in enumerate(_read_label_rows(path), 1):
        missing = [c for c in LABEL_COLUMNS if row.get(c) in (None, "")]
        if missing:
            raise DataError(f"{path}, row {number}: has no {missing[0]!r}; columns are {', '.join(LABEL_COLUMNS)}")
        axis, score = str(row["axis"]), str(row["score"])
        if axis not in found or score not in ("1", "2", "3", "4", "5"):
            raise DataError(f"{path}, row {number}: axis must be harm or fit, and score 1 to 5")
        found[axis].setdefault(str(row["scorer"]), {})[str(row["id"])] = int(score)
    return {axis: scorers for axis, scorers in found.items() if scorers}


def _read_label_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    if path.suffix == ".csv":
        yield from csv.DictReader(io.StringIO(text, newline=""))
        return
    yield from parse_objects(text.splitlines(), path)


def run_compare(options: argparse.Namespace) -> int:
    """The figures of several runs side by side."""
    runs = [Run(path) for path in options.runs]
    if len(runs) < 2:
        raise ConfigError("compare: name at least two run folders")
    rows = compare_rows([run.manifest for run in runs])
    if options.json:
        names = [str(run.path) for run in runs]
        print(json.dumps([{"heading": h, "figure": n, **dict(zip(names, v, strict=True))} for h, n, v in rows]))
        return 0
    out = console()
    for run in runs:
        config = run.manifest["config"]
        show(out, f"{run.path}: preset {config['preset']}, model {config['model']}, seed {config['seed']}, {run.state}")
    _warn_of_differences(runs)
    heading, table = "", None
    for found, name, values in rows:
        if found != heading:
            if table is not None:
                out.print(table)
            heading = found
            table = make_table(f"\n{heading}", "figure", *(run.path.name or str(run.path) for run in runs))
        assert table is not None
        add_row(table, name, *values)
    if table is not None:
        out.print(table)
    return 0


def _warn_of_differences(runs: list[Run]) -> None:
    """Figures compare only where model, seeds and cultures are the same; sizes change diversity figures."""
    out = console()
    for key in ("model", "seed", "cultures", "topics", "n"):
        values = {json.dumps(run.manifest["config"].get(key)) for run in runs}
        if len(values) > 1:
            show(out, f"Mind: the runs differ in {key}.", "yellow")
