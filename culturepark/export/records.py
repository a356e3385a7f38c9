"""What an export consists of; written last, as ``export.json``, so that a half-written one is never taken for one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from culturepark.errors import DataError
from culturepark.records import Record

EXPORT = "export.json"
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Part(Record):
    """The files of one culture and split in one format; paths are relative to the folder, with forward slashes."""

    format: str
    culture: str
    split: Split
    files: tuple[str, ...]
    rows: int
    bytes: int


class Export(Record):
    """A finished export. ``primary`` is the format whose configurations carry the plain culture names.

    ``by`` is what was held out (``topic``, ``dialogue``, ``country`` or ``none``), ``shares`` what was wanted.
    ``dropped`` counts, by reason, samples of the run that stand in no split or not in a format; ``extras`` are files
    for trainers (``dataset_info.json``, ``axolotl.yaml``); ``remarks`` say in words what the user should know;
    ``samples`` is how many the run had then (0: not written down).
    """

    version: int = 1
    run_id: str
    primary: str
    by: str
    seed: int
    shares: dict[str, float]
    parts: tuple[Part, ...]
    dropped: dict[str, int] = {}
    held_out: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    samples: int = 0

    @property
    def cultures(self) -> tuple[str, ...]:
        """The cultures in it, in order of name."""
        return tuple(sorted({part.culture for part in self.parts}))

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats in it, the primary one first."""
        return tuple(dict.fromkeys((self.primary, *(part.format for part in self.parts))))

    def count_rows(self, split: Split, format: str | None = None) -> int:
        """Rows of a split over all cultures, in the primary format if no other is named."""
        wanted = format or self.primary
        return sum(part.rows for part in self.parts if part.split == split and part.format == wanted)

    def name_config(self, format: str, culture: str | None) -> str:
        """The name of a configuration; ``None`` stands for all cultures together."""
        if format == self.primary:
            return culture or "all"
        return f"{format}-{culture}" if culture else format


def read_export(folder: Path) -> Export | None:
    """The export in a folder, or ``None``. Raises ``DataError`` when its record is damaged."""
    try:
        return Export.model_validate_json((folder / EXPORT).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise DataError(f"{folder / EXPORT}: is not an export record; export again") from None
    except OSError as error:
        raise DataError(f"{folder / EXPORT}: cannot be read ({error.strerror})") from error
