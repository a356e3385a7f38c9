"""A dataset's card and the files beside it: README.md, CITATION.cff and croissant.json, each replaced at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from culturepark.card.body import write_body
from culturepark.card.citation import write_cff
from culturepark.card.croissant import write_croissant
from culturepark.card.facts import Facts, gather_facts
from culturepark.card.metadata import dump_metadata, make_metadata
from culturepark.card.notes import MADE, read_notes
from culturepark.card.settings import read_citation, read_text, settle, split_card
from culturepark.card.text import strip_secrets
from culturepark.errors import ConfigError, DataError
from culturepark.export.front import put_configs
from culturepark.export.records import Export
from culturepark.files import describe_fault, replace_file
from culturepark.runs.folder import Run

_RUN_TITLE, _UNNAMED = "# A CulturePark run", "CulturePark opinions: "


def write_card(
    folder: Path,
    run: Run,
    export: Export | None,
    *,
    license: str | None = None,
    license_name: str = "",
    license_link: str = "",
    contact: str | None = None,
    title: str | None = None,
    authors: Sequence[str] | None = None,
) -> Path:
    """Write the card of a run or of its export into ``folder``; returns the path of README.md.

    What is not given stays as the folder's card and citation file have it, and so does all between the markers
    ``<!-- yours: NAME -->`` and ``<!-- end of yours -->``. The same facts give the same bytes. Raises ``ConfigError``
    for a licence nobody knows, ``DataError`` for a run without samples or a folder that cannot be written.
    """
    readme = folder / "README.md"
    settings = settle(folder, license, license_name, license_link, contact, title, authors)
    before, body = split_card(read_text(readme))
    if body.strip() and MADE not in body and not body.lstrip().startswith(_RUN_TITLE):
        raise ConfigError(
            f"{readme}: was written by somebody else; move it away, or put your own words between "
            "<!-- yours: more --> and <!-- end of yours --> in the new card"
        )
    if export is not None and export.run_id != str(run.manifest["fingerprint"]):
        raise DataError(f"{folder}: holds an export of another run ({export.run_id}); export again")
    facts = gather_facts(run, export)
    if not settings.title or settings.title.startswith(_UNNAMED):
        settings = replace(settings, title=name_dataset(facts))
    in_run = folder.resolve() == run.path.resolve()
    text = dump_metadata(make_metadata(facts, settings, before))
    text += strip_secrets(write_body(facts, settings, read_notes(body)))
    if export is not None:
        text = put_configs(text, export, in_run)
    files = {
        "CITATION.cff": strip_secrets(write_cff(facts, settings, read_citation(folder))),
        "croissant.json": strip_secrets(write_croissant(folder, facts, settings)),
        "README.md": text,
    }
    try:
        for name, content in files.items():
            replace_file(folder / name, content)
    except OSError as error:
        raise DataError(f"{folder}: {describe_fault(error)}; the card may be of an earlier state") from error
    return readme


def name_dataset(facts: Facts) -> str:
    """A title where the owner gave none."""
    names = [facts.profiles[c].name if c in facts.profiles else c for c in sorted(facts.cultures)]
    shown = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"{_UNNAMED}{shown}"
