"""``culturepark card``: write a dataset's card, or hold one against the checklist."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from culturepark.card.check import CHECKLIST, Finding, check_card
from culturepark.card.write import write_card
from culturepark.cli.conversation import console, show
from culturepark.errors import ConfigError
from culturepark.export.records import read_export
from culturepark.runs.folder import Run

_SAYS = ("license", "license_name", "license_link", "contact", "title", "authors")


def run_card(options: argparse.Namespace) -> int:
    """Write the card and say what is left to do; with ``--check`` only look. 3 when a row of the checklist fails."""
    given = [name for name in _SAYS if getattr(options, name)]
    if options.check:
        if given:
            raise ConfigError(f"--check writes nothing: leave out --{given[0].replace('_', '-')}, or --check")
        return _report(check_card(Path(options.output_dir or options.run)), options.json)
    if options.json:
        raise ConfigError("--json goes with --check")
    run = Run(options.run)
    folder = Path(options.output_dir) if options.output_dir else run.path
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is not a folder; export into it first: culturepark export {run.path} -o {folder}")
    authors = None if options.authors is None else [a for a in options.authors.split(";") if a.strip()]
    path = write_card(
        folder,
        run,
        read_export(folder),
        license=options.license,
        license_name=options.license_name,
        license_link=options.license_link,
        contact=options.contact,
        title=options.title,
        authors=authors,
    )
    out = console()
    show(out, f"Card: {path}, with CITATION.cff and croissant.json.")
    findings = check_card(folder)
    for finding in findings:
        if finding.level == "fail":
            show(out, _describe(finding))
    show(out, f"{_count(findings)}. All rows: culturepark card {folder} --check")
    return 0


def _report(findings: list[Finding], as_json: bool) -> int:
    if as_json:
        for finding in findings:
            print(json.dumps({**asdict(finding), "asks": CHECKLIST[finding.row - 1].asks}))
    else:
        out = console()
        for finding in findings:
            show(out, _describe(finding))
        show(out, f"{_count(findings)}.")
    return 3 if any(finding.level == "fail" for finding in findings) else 0


def _describe(finding: Finding) -> str:
    what = "".join(c for c in finding.what if c.isprintable())
    return f"{finding.level:<4}  {finding.id:<2}  {CHECKLIST[finding.row - 1].asks}: {what}"


def _count(findings: list[Finding]) -> str:
    numbers = {level: sum(f.level == level for f in findings) for level in ("ok", "warn", "fail")}
    return f"{len(findings)} rows: {numbers['ok']} hold, {numbers['warn']} warnings, {numbers['fail']} failures"
