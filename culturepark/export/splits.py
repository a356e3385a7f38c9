"""Which samples are for training, validation and test: no persona, dialogue or near copy stands on two sides.

Whole topics are held out where there are enough of them, else whole dialogues. The same run, seed and settings give
the same members, whatever is exported; a run that has grown since is split anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from culturepark.errors import ConfigError
from culturepark.export.groups import Groups, Numbers
from culturepark.export.records import SPLITS, Split
from culturepark.export.scan import Keys, Scan, Tell, hash_name, scan_run
from culturepark.export.sharing import Sides, share_units
from culturepark.files import nearest
from culturepark.records import Sample
from culturepark.runs.folder import Run

By = Literal["auto", "topic", "dialogue", "country"]
LEFT_OUT = {3: "near_copy", 4: "talk_with_held_out_country"}  # sides beyond the three splits
_FAR = 2.0  # a share this many times what was wanted, or its inverse, is not respected
_LOST = 0.1  # of what topics hold out, so much may be lost to near copies before dialogues are taken instead


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """How to split. ``held_out`` are country codes that make the test split (``by`` is then ``country``)."""

    by: By = "auto"
    seed: int = 0
    validation: float = 0.1
    test: float = 0.1
    held_out: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise ``ConfigError`` for settings that cannot be."""
        if self.by not in get_args(By):
            raise ConfigError(f"by: {self.by!r} is none of {', '.join(get_args(By))}{nearest(self.by, get_args(By))}")
        for name in ("validation", "test"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name}: {getattr(self, name)} is no share; give a number from 0 to below 1")
        if self.validation + self.test > 0.5:
            raise ConfigError("validation and test together are more than half of the samples; lower one of them")
        if bool(self.held_out) != (self.by == "country") and self.by != "auto":
            raise ConfigError("held-out countries and 'by: country' belong together; give both or none")


def sort_countries(codes: Iterable[str]) -> tuple[str, ...]:
    """Country codes as the settings hold them, however they were written."""
    return tuple(sorted({str(code).upper() for code in codes}))


@dataclass(frozen=True)
class Splits:
    """The split of each sample of a run. ``by`` is what was held out; ``remarks`` say what was not as wanted."""

    settings: SplitSettings
    by: str
    ids: Keys
    sides: Sides
    counts: dict[str, int]
    dropped: dict[str, int]
    cultures: tuple[str, ...]
    pairs: int
    remarks: tuple[str, ...]

    def of(self, sample: Sample) -> Split | Literal[""]:
        """The split of a sample; empty for one that is left out, or that the run did not have when it was split."""
        key = np.uint64(hash_name(sample.id))
        place = int(self.ids.searchsorted(key))
        if place == len(self.ids) or self.ids[place] != key:
            return ""
        side = int(self.sides[place])
        return SPLITS[side] if side < len(SPLITS) else ""


_MADE: OrderedDict[tuple[str, SplitSettings], tuple[object, Splits]] = OrderedDict()


def assign_splits(
    run: Run,
    *,
    by: By = "auto",
    seed: int = 0,
    validation: float = 0.1,
    test: float = 0.1,
    held_out: Sequence[str] = (),
    tell: Tell | None = None,
) -> Splits:
    """Split a run's samples. The last few answers are kept, so that asking again costs nothing.

    Raises ``ConfigError`` for settings that cannot be, such as a held-out country that the run does not have.
    """
    settings = SplitSettings(by, seed, validation, test, sort_countries(held_out))
    settings.check()
    key, stamp = (str(run.path.resolve()), settings), _stamp(run)
    if key in _MADE and _MADE[key][0] == stamp:
        return _MADE[key][1]
    splits = split_scan(scan_run(run, settings.held_out, tell), settings)
    _MADE[key] = stamp, splits
    while len(_MADE) > 4:
        _MADE.popitem(last=False)
    return splits


def _stamp(run: Run) -> object:
    files = (run.path / name for name in ("samples.jsonl", "journal.jsonl"))
    return [(s.st_size, s.st_mtime_ns) for s in (file.stat() for file in files if file.exists())]


def split_scan(scan: Scan, settings: SplitSettings) -> Splits:
    """The splits of what was scanned."""
    missing = [c for c in settings.held_out if c not in scan.country_names]
    if missing:
        hint = nearest(missing[0], scan.country_names) or f"; it has {', '.join(sorted(scan.country_names)[:12])}"
        raise ConfigError(f"the run has no samples from the country {missing[0]!r}{hint}")
    by, sides = _choose_sides(scan, settings)
    sides, by, remarks = _describe(scan, settings, by, sides)
    order = np.argsort(scan.ids, kind="stable")
    counts: dict[str, int] = {split: int((sides == k).sum()) for k, split in enumerate(SPLITS)}
    dropped = {reason: int((sides == k).sum()) for k, reason in LEFT_OUT.items()}
    return Splits(
        settings,
        by,
        scan.ids[order],
        sides[order].copy(),
        counts,
        {reason: n for reason, n in dropped.items() if n},
        tuple(sorted(scan.culture_names)),
        scan.pairs,
        remarks,
    )


def _choose_sides(scan: Scan, settings: SplitSettings) -> tuple[str, Sides]:
    shares = np.array([1 - settings.validation - settings.test, settings.validation, settings.test])
    if settings.held_out:
        return "country", _hold_out_countries(scan, settings, shares)
    if settings.by == "topic":
        return "topic", _hold_out_topics(scan, settings, shares)
    if settings.by == "auto" and len(scan):
        sides = _hold_out_topics(scan, settings, shares)
        if _respects(sides, shares):
            return "topic", sides
    return "dialogue", _hold_out_dialogues(scan, settings, shares)


def _hold_out_topics(scan: Scan, settings: SplitSettings, shares: NDArray[np.float64]) -> Sides:
    units = join_keys(scan.dialogues, scan.personas, scan.topics.astype(np.uint64))
    sides = share_units(units, scan.cultures, _order(units, scan, settings.seed), shares)
    return _leave_out_copies(scan, sides)


def _hold_out_dialogues(scan: Scan, settings: SplitSettings, shares: NDArray[np.float64]) -> Sides:
    units = join_keys(scan.dialogues, scan.personas, pairs=scan.copies)
    return share_units(units, scan.cultures, _order(units, scan, settings.seed), shares)


def _hold_out_countries(scan: Scan, settings: SplitSettings, shares: NDArray[np.float64]) -> Sides:
    """Held-out countries are the test; who talked with them is left out; the rest is split without a test."""
    rest = np.array([1 - settings.validation, settings.validation, 0.0])
    held = np.isin(scan.countries, [scan.country_names.index(c) for c in settings.held_out])
    units = join_keys(scan.dialogues, scan.personas, pairs=scan.copies[~held[scan.copies].any(axis=1)])
    free = ~held & ~scan.near_held
    sides = np.full(len(scan), 4, dtype=np.int8)
    sides[held] = 2
    if free.any():
        kept = np.unique(units[free], return_inverse=True)[1].astype(np.int64)
        order = _order(units, scan, settings.seed)[np.unique(units[free])]
        sides[free] = share_units(kept, scan.cultures[free], order, rest)
    return _leave_out_copies(scan, sides)


def join_keys(*columns: Keys, pairs: NDArray[np.int64] | None = None) -> Numbers:
    """The unit of each sample (n,): samples that share a key in any column, or are a pair, are one unit."""
    n = len(columns[0])
    known = [np.unique(column, return_inverse=True)[1] for column in columns]
    starts = np.cumsum([n, *(int(k.max(initial=-1)) + 1 for k in known)])
    groups = Groups(int(starts[-1]))
    for start, numbers in zip(starts, known, strict=False):
        groups.join_each(numbers + start)
    if pairs is not None:
        groups.join_rows(pairs)
    return np.unique(groups.number()[:n], return_inverse=True)[1].astype(np.int64)


def _order(units: Numbers, scan: Scan, seed: int) -> Keys:
    """A number for each unit by which to sort them: from the seed and the unit's dialogues, not from their order."""
    first = np.full(int(units.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(first, units, scan.dialogues)
    mixed = first ^ np.uint64(hash_name(f"split {seed}"))
    with np.errstate(over="ignore"):
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _leave_out_copies(scan: Scan, sides: Sides) -> Sides:
    """Of samples that are copies of each other only those of one side stay: training first, then test."""
    if not len(scan.copies):
        return sides
    groups = Groups(len(scan))
    groups.join_rows(scan.copies)
    numbers = groups.number()
    rank = np.array([0, 2, 1, 3, 3], dtype=np.int64)[sides]
    best = np.full(int(numbers.max()) + 1, 3, dtype=np.int64)
    np.minimum.at(best, numbers, rank)
    return np.where((rank > best[numbers]) & (rank < 3), np.int8(3), sides)


def _respects(sides: Sides, shares: NDArray[np.float64]) -> bool:
    got = np.array([(sides == k).mean() for k in range(3)])
    lost = float((sides == 3).mean()) / max(1e-9, float(got[1:].sum()))
    near = (got[1:] <= shares[1:] * _FAR) & (got[1:] >= shares[1:] / _FAR)
    return bool(near.all()) and lost <= _LOST


def _describe(scan: Scan, settings: SplitSettings, by: str, sides: Sides) -> tuple[Sides, str, tuple[str, ...]]:
    """What to say of the splits; where too little is left to train on, everything is for training."""
    n = len(scan)
    if not n:
        return sides, "none", ()
    wanted = {"validation": settings.validation, "test": settings.test if not settings.held_out else 0.0}
    got: dict[str, int] = {split: int((sides == k).sum()) for k, split in enumerate(SPLITS)}
    remarks: list[str] = []
    if by == "country" and not got["train"]:
        raise ConfigError(
            f"nothing is left to train on without {', '.join(settings.held_out)}: who talked with people from "
            "there is left out too; hold out fewer countries"
        )
    too_small = by != "country" and (2 * got["train"] < n or (wanted["test"] and not got["test"]))
    if too_small and any(wanted.values()):
        unit = "topics" if by == "topic" else "dialogues that share no persona and no near copy"
        return (
            np.zeros(n, dtype=np.int8),
            "none",
            (f"too small to split: {n} samples, too few {unit}; all are for training, nothing is held out",),
        )
    for split, share in wanted.items():
        if share and not share / _FAR <= got[split] / n <= share * _FAR:
            remarks.append(f"{split} has {got[split] / n:.0%} of the samples, not {share:.0%}: {by}s go whole")
    for number, culture in enumerate(scan.culture_names):
        own = scan.cultures == number
        bare = [s for k, s in enumerate(SPLITS) if got[s] and not (sides[own] == k).any()]
        if bare and by != "country":
            remarks.append(f"{culture} has no sample in {' and '.join(bare)}")
    return sides, by, tuple(remarks)
