"""``culturepark export``: a run's samples as files, and what is in them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from culturepark.cli.conversation import plain
from culturepark.errors import ConfigError
from culturepark.export.formats import FORMATS
from culturepark.export.records import SPLITS, Export
from culturepark.export.scan import Tell
from culturepark.export.write import export_run
from culturepark.runs.folder import Run


def run_export(options: argparse.Namespace) -> int:
    """Write the formats asked for, then the card."""
    if options.list_formats:
        for format in FORMATS.values():
            print(f"{format.name:<11} {format.file:<8} {format.help}")
        return 0
    if not options.run:
        raise ConfigError("name the run folder to export, such as: culturepark export outputs/my-run -f messages")
    run = Run(options.run)
    folder = Path(options.output_dir) if options.output_dir else run.path
    with _open_progress() as tell:
        export = export_run(
            run,
            options.formats or ["messages"],
            folder,
            cultures=_split_list(options.cultures) or None,
            by=options.by,
            seed=options.seed,
            validation=options.validation,
            test=options.test,
            held_out=_split_list(options.hold_out),
            tell=tell,
        )
    if not options.no_card:
        write_card_if_there(folder, run, export)
    if options.json:
        print(export.model_dump_json())
    else:
        print_export(export, folder)
    return 0


def write_card_if_there(folder: Path, run: Run, export: Export) -> None:
    """The card beside the data, where the part that writes cards is installed."""
    if find_spec("culturepark.card.write") is not None:
        import_module("culturepark.card.write").write_card(folder, run, export)


def print_export(export: Export, folder: Path) -> None:
    """Rows by format and culture, what was left out and why, and how to load it."""
    held = {"none": "nothing is held out", "country": f"held out: {', '.join(export.held_out)}"}
    print(plain(f"{folder}: {', '.join(export.formats)}; {held.get(export.by, f'{export.by}s are held out whole')}"))
    for format in export.formats:
        for culture in sorted({part.culture for part in export.parts if part.format == format}):
            own = [p for p in export.parts if (p.format, p.culture) == (format, culture)]
            rows = ", ".join(f"{s} {p.rows}" for s in SPLITS for p in own if p.split == s)
            print(plain(f"  {format}, {culture}: {rows} ({sum(p.bytes for p in own) / 1e6:.1f} MB)"))
    for reason, number in export.dropped.items():
        print(plain(f"  left out, {reason}: {number}"))
    for remark in export.remarks:
        print(plain(f"  {remark}"))
    print(plain(f"  to load it: datasets.load_dataset({str(folder)!r})"))


@contextmanager
def _open_progress() -> Iterator[Tell | None]:
    """A line on a terminal that says how far the export is; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("exporting") as status:
        yield lambda what, number: status.update(f"{what}: {number} samples")


def _split_list(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
