"""A run made ready for the Hub: exported if it is not, its licence settled, its card written, its files listed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from culturepark.card.check import check_card
from culturepark.card.settings import Settings, settle
from culturepark.card.terms import find_clash, list_clashes, settle_licence
from culturepark.card.write import write_card
from culturepark.config import RunConfig
from culturepark.culture.scenarios import load_topics
from culturepark.errors import ConfigError, DataError
from culturepark.export.records import EXPORT, Export, read_export
from culturepark.export.write import export_run
from culturepark.files import describe_fault
from culturepark.hub.card import tailor_card
from culturepark.hub.files import CARD, REJECTED_FOLDER, LocalFile, list_files
from culturepark.hub.rejected import write_rejected
from culturepark.runs.folder import Run

_PAGES = (CARD, "CITATION.cff", "LICENSE", EXPORT)


@dataclass(frozen=True)
class Terms:
    """The licence the owner states now; what is left empty stays as the card has it."""

    license: str | None = None
    license_name: str = ""
    license_link: str = ""


@dataclass(frozen=True)
class Parcel:
    """What goes to the Hub, card first."""

    export: Export
    licence: str
    files: tuple[LocalFile, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)


def check_terms(run: Run, folder: Path, terms: Terms) -> str:
    """The licence of the data. Raises ``ConfigError`` when it clashes with terms of surveys or models."""
    licence = _name_licence(settle(folder, **vars(terms)))
    clash = find_clash(run, licence or None)
    if clash:
        raise ConfigError(f"{run.path}: not pushed: {clash}; state the licence of the data with --license")
    return licence


def foresee_clash(config: RunConfig, terms: Terms) -> None:
    """Raise ``ConfigError`` before a run when its samples could not be pushed for want of a fitting licence.

    Topics chosen by theme or tag count as all topics; models a server has yet to name are left to the push.
    """
    if config.output_dir:
        licence = _name_licence(settle(Path(config.output_dir), **vars(terms)))
    else:
        stated = settle_licence(terms.license, terms.license_name, terms.license_link)
        licence = stated.id if stated else ""
    topics = load_topics(Path(config.scenarios) if config.scenarios else None)
    surveys = {topics[t].survey for t in config.topics if t in topics} or {t.survey for t in topics.values()}
    clashes = list_clashes(sorted(surveys), [m for m in (config.model, config.refine_model) if m], licence or None)
    if clashes:
        raise ConfigError(f"--push-to-hub: {'; '.join(clashes)}; add --license before the run is made")


def _name_licence(settings: Settings) -> str:
    return settings.licence.id if settings.licence else ""


def pack_run(
    run: Run,
    folder: Path,
    terms: Terms,
    scratch: Path,
    *,
    include_rejected: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
) -> Parcel:
    """Export, card and list of files. ``scratch`` is an empty folder; a dry run writes only there.

    Raises ``ConfigError`` and ``DataError``.
    """
    licence = check_terms(run, folder, terms)
    export = read_export(folder)
    if export is None:
        folder = scratch / "export" if dry_run else folder
        export = export_run(run, out=folder)
        say(f"There was no export; made one: {', '.join(export.formats)}.")
        shown = folder
    else:
        shown = _copy_pages(folder, scratch / "card") if dry_run else folder
    rows = sum(part.rows for part in export.parts if part.format == export.primary)
    if rows + sum(export.dropped.values()) < len(run):
        say(f"The export holds {rows} of the run's {len(run)} samples; for all of them export again first.")
    write_card(shown, run, export, **vars(terms))
    for finding in check_card(shown):
        if finding.level == "fail":
            say(f"The card fails the check {finding.id or finding.row}: {finding.what}")
    files = list_files(folder, export, pages=shown)
    rejected: tuple[LocalFile, ...] = ()
    if include_rejected:
        rejected = (_pack_rejected(run, export, scratch),)
    paths = [file.path for file in files]
    text = tailor_card((shown / CARD).read_text(encoding="utf-8"), paths, rejected[0].path if rejected else "")
    return Parcel(export, licence, (LocalFile(CARD, text.encode("utf-8")), *files[1:], *rejected))


def _copy_pages(folder: Path, scratch: Path) -> Path:
    """A folder to write the card of a dry run into: the pages are copies, the data are the export's own."""
    scratch.mkdir()
    os.symlink((folder / "data").resolve(), scratch / "data")
    for name in _PAGES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, scratch / name)
    return scratch


def _pack_rejected(run: Run, export: Export, scratch: Path) -> LocalFile:
    """In the primary format's kind of file, since a repository loads as one kind."""
    first = next((part.files[0] for part in export.parts if part.format == export.primary and part.files), ".parquet")
    name = "rejected.jsonl" if first.endswith(".jsonl") else "rejected-00000-of-00001.parquet"
    try:
        write_rejected(run, scratch / name)
    except OSError as error:
        raise DataError(f"{scratch}: {describe_fault(error)}; TMPDIR says where else") from error
    return LocalFile(f"{REJECTED_FOLDER}/{name}", scratch / name)
