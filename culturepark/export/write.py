"""The export of a run: two passes over its samples, the first to split them, the second to write them as they come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from culturepark.errors import ConfigError, DataError
from culturepark.export.consumers import OpenAiRules, find_fault
from culturepark.export.formats import Format, Row, choose_formats, choose_primary
from culturepark.export.front import put_configs
from culturepark.export.records import EXPORT, Export, Part, Split
from culturepark.export.scan import Tell
from culturepark.export.shelf import Shelf
from culturepark.export.splits import By, Splits, assign_splits
from culturepark.export.target import KEPT, Target
from culturepark.export.trainers import describe_for_axolotl, describe_for_factory
from culturepark.files import describe_fault, nearest
from culturepark.records import Sample
from culturepark.runs.folder import Run, load_run

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,80}")


def export_run(
    run: Run | str | Path,
    formats: Sequence[str] = ("messages",),
    out: str | Path | None = None,
    *,
    cultures: Sequence[str] | None = None,
    by: By = "auto",
    seed: int = 0,
    validation: float = 0.1,
    test: float = 0.1,
    held_out: Sequence[str] = (),
    tell: Tell | None = None,
) -> Export:
    """Write a run's samples as files that trainers and the Hub load, in place of any earlier export there.

    ``out`` is the folder (default: the run's own), ``cultures`` those to write (default: all; the splits are the
    same), ``held_out`` country codes that make the test split. ``tell`` hears what is being done and how far it is.
    Raises ``ConfigError`` and ``DataError``; an earlier export then stays as it was.

    >>> export_run("outputs/try", ["messages", "preference"])
    """
    run = run if isinstance(run, Run) else load_run(run)
    chosen = choose_formats([formats] if isinstance(formats, str) else formats)
    target = Target(Path(out) if out else run.path, run)
    try:
        splits = assign_splits(run, by=by, seed=seed, validation=validation, test=test, held_out=held_out, tell=tell)
        wanted = choose_cultures(run, splits, cultures)
        _check_names(wanted, chosen)
        if any(f.name == "preference" for f in chosen):
            check_pairs(run, splits)
        return _write(run, chosen, wanted, splits, target, tell)
    except OSError as error:
        raise DataError(f"{error.filename or target.folder}: {describe_fault(error)}; {KEPT}") from error
    finally:
        target.close()


def choose_cultures(run: Run, splits: Splits, cultures: Sequence[str] | None) -> frozenset[str]:
    """The cultures asked for, or all. Raises ``DataError`` for a run without samples, ``ConfigError`` for others."""
    if not splits.cultures:
        raise DataError(f"{run.path}: has no samples; go on with the run, or see why with: culturepark status")
    for culture in cultures or ():
        if culture not in splits.cultures:
            raise ConfigError(
                f"{run.path}: has no samples of the culture {culture!r}{nearest(culture, splits.cultures)}; "
                f"it has {', '.join(splits.cultures)}"
            )
    return frozenset(cultures or splits.cultures)


def check_pairs(run: Run, splits: Splits) -> None:
    """Raise ``ConfigError`` for a run without preference pairs."""
    if not splits.pairs:
        raise ConfigError(
            f"{run.path}: has no preference pairs; leave out the format preference, or generate with "
            "--sample-types single,multi,preference"
        )


def take_rows(run: Run, format: Format, splits: Splits, split: str, cultures: Collection[str]) -> Iterator[Row]:
    """The rows of one split in one format, in plan order: what an export writes, without writing it."""
    for sample in run.samples():
        if sample.culture in cultures and splits.of(sample) == split and not find_fault(sample):
            row = format.make(sample)
            if row is not None:
                yield row


def _check_names(cultures: Collection[str], formats: Sequence[Format]) -> None:
    """A culture's id becomes a folder and the name of a configuration."""
    taken = {"all", *(f.name for f in formats)}
    for culture in sorted(cultures):
        if not _SAFE.fullmatch(culture) or culture in taken:
            raise DataError(f"a culture called {culture[:80]!r} cannot be exported; give it another id (a-z, 0-9, _)")


def _write(
    run: Run, formats: tuple[Format, ...], cultures: Collection[str], splits: Splits, target: Target, tell: Tell | None
) -> Export:
    shelf, rules, dropped = Shelf(target.work), OpenAiRules(), Counter(splits.dropped)
    try:
        for number, sample in enumerate(run.samples()):
            if tell and number % 500 == 0:
                tell("writing", number)
            split = splits.of(sample)
            if split and sample.culture in cultures:
                _put(sample, split, formats, shelf, rules, dropped)
        parts = tuple(shelf.finish())
    except BaseException:
        shelf.give_up()
        raise
    for format in formats:
        if not any(part.format == format.name for part in parts):
            raise DataError(f"{run.path}: no sample of {', '.join(sorted(cultures))} can be written as {format.name}")
    export = Export(
        run_id=str(run.manifest.get("fingerprint", "")),
        primary=choose_primary(formats),
        by=splits.by,
        seed=splits.settings.seed,
        shares=_list_shares(splits),
        parts=parts,
        dropped=dict(sorted(dropped.items())),
        held_out=splits.settings.held_out,
        extras=tuple(_write_extras(formats, parts, target.work)),
        remarks=(*splits.remarks, *_remark_on(run, splits, formats), *rules.describe(parts)),
        samples=len(splits.ids),
    )
    readme = put_configs(target.read_readme(), export, target.in_run)
    (target.work / "README.md").write_text(readme, encoding="utf-8", newline="")
    (target.work / EXPORT).write_text(export.model_dump_json(indent=2) + "\n", encoding="utf-8", newline="")
    target.take_over()
    return export


def _put(
    sample: Sample, split: Split, formats: Sequence[Format], shelf: Shelf, rules: OpenAiRules, dropped: Counter[str]
) -> None:
    fault = find_fault(sample)
    if fault:
        dropped[fault] += 1
        return
    for format in formats:
        row = format.make(sample)
        if row is None:
            continue
        wrong = rules.take(row, split) if format.name == "openai" else ""
        if wrong:
            dropped[f"{format.name}:{wrong}"] += 1
        else:
            shelf.put(format, sample.culture, split, row)


def _list_shares(splits: Splits) -> dict[str, float]:
    settings = splits.settings
    test = 0.0 if settings.held_out else settings.test
    return {"train": round(1 - settings.validation - test, 6), "validation": settings.validation, "test": test}


def _write_extras(formats: Sequence[Format], parts: Sequence[Part], folder: Path) -> Iterator[str]:
    for format in formats:
        own = [part for part in parts if part.format == format.name]
        texts = {
            "dataset_info.json": describe_for_factory(format.name, own),
            "axolotl.yaml": describe_for_axolotl(format.name, own),
        }
        for name, text in texts.items():
            if text is not None:
                path = folder / "data" / format.name / name
                path.write_text(text, encoding="utf-8", newline="")
                yield path.relative_to(folder).as_posix()


def _remark_on(run: Run, splits: Splits, formats: Sequence[Format]) -> Iterator[str]:
    wanted = run.manifest.get("config", {}).get("n", 0)
    if len(splits.ids) < wanted:
        yield f"the run has {len(splits.ids)} of {wanted} samples so far; these are exported"
    if splits.pairs and not any(f.name == "preference" for f in formats):
        yield f"{splits.pairs} samples are preference pairs; here they stand with their chosen answer only"
