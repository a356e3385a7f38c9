"""A run as something to read: its samples, dialogues, rejects and figures, straight from its folder."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from culturepark.errors import DataError
from culturepark.records import Dialogue, Rejected, Sample
from culturepark.runs.check import Damage, check_folder_files
from culturepark.runs.checkpoint import check_sizes, read_checkpoint
from culturepark.runs.counts import Counts
from culturepark.runs.identity import REPAIR, read_manifest
from culturepark.runs.outcomes import DATA_FILES, JOURNAL, read_journal, walk_journal
from culturepark.runs.upgrades import Kind, upgrade

if TYPE_CHECKING:
    import datasets

Model = TypeVar("Model", bound=BaseModel)


class Run:
    """One run on disk. Reading never changes it; a run that is at work may be read."""

    def __init__(self, path: str | Path) -> None:
        """Open a run folder. Raises ``DataError`` when it is none."""
        self.path = Path(path)
        self.manifest: dict[str, Any] = read_manifest(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.state}, {self.manifest['counts']['accepted']} samples)"

    def __len__(self) -> int:
        """Accepted samples, as the journal counts them."""
        return self.counts().accepted

    @property
    def state(self) -> str:
        """``complete``, ``short``, ``stopped`` or ``running`` (also after a kill), as last written."""
        return str(self.manifest["state"])

    def counts(self) -> Counts:
        """Totals as the journal has them. Raises ``DataError`` where it is damaged or has lost lines."""
        point = read_checkpoint(self.path)
        counts, ends = (point.counts, list(point.ends)) if point else (Counts(), [0, 0, 0])
        for row in walk_journal(self.path / JOURNAL, point.end if point else 0):
            if row.line is None:
                raise DataError(f"{self.path / JOURNAL}: is damaged after {counts.dialogues} dialogues; {REPAIR}")
            if not row.is_head:
                counts.add(row.line)
                ends = row.line["ends"]
        self._check_lost(counts.dialogues)
        check_sizes(self.path, ends)
        return counts

    def find_damage(self) -> list[Damage]:
        """Everything that is not as it was written, found by reading journal and data files as a whole."""
        try:
            return check_folder_files(self.path).damage
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror})") from error

    def check(self, limit: int = 256 << 20) -> None:
        """Raise ``DataError`` naming the damage, if there is any; data of more than ``limit`` bytes is not read."""
        if sum((self.path / name).stat().st_size for name in DATA_FILES if (self.path / name).exists()) <= limit:
            for damage in self.find_damage():
                raise DataError(f"{self.path}/{damage}; {REPAIR}")

    def _check_lost(self, dialogues: int) -> None:
        told = self.manifest.get("counts", {}).get("dialogues", 0)
        if dialogues < told:
            raise DataError(f"{self.path / JOURNAL}: has {dialogues} of {told} dialogues; {REPAIR}")

    def samples(self) -> Iterator[Sample]:
        """Accepted samples in plan order."""
        return self._read("sample", Sample, 1)

    def dialogues(self) -> Iterator[Dialogue]:
        """All dialogues in plan order, rejected and failed ones among them."""
        return self._read("dialogue", Dialogue, 0)

    def rejected(self) -> Iterator[Rejected]:
        """Every candidate that did not become a sample."""
        return self._read("rejected", Rejected, 2)

    def find(self, record_id: str) -> tuple[Dialogue, Sample | Rejected | None]:
        """A dialogue by its id, or a sample or rejected candidate with its dialogue.

        Raises ``DataError`` when there is none of that id.
        """
        candidate: Sample | Rejected | None = None
        dialogue_id = record_id
        for source in (self.samples(), self.rejected()):
            for record in source:
                if record.id == record_id:
                    candidate = record
                    dialogue_id = record.lineage["dialogue"] if isinstance(record, Sample) else record.dialogue
                    break
            if candidate:
                break
        for dialogue in self.dialogues():
            if dialogue.id == dialogue_id:
                return dialogue, candidate
        raise DataError(f"{self.path}: no dialogue, sample or rejected candidate has the id {record_id!r}")

    def to_dataset(self) -> datasets.Dataset:
        """The accepted samples as a ``datasets.Dataset`` with columns messages, culture, topic, answer, ..."""
        import datasets

        columns = "id messages culture country language topic theme answer answer_label kind form".split()
        rows = (sample.model_dump(mode="json", include=set(columns)) for sample in self.samples())
        return datasets.Dataset.from_list([{c: row[c] for c in columns} for row in rows])

    def _read(self, kind: Kind, model: type[Model], place: int) -> Iterator[Model]:
        """Records in plan order; each dialogue's part is held against its checksum before it is used."""
        path = self.path / DATA_FILES[place]
        count, start = 0, 0
        with contextlib.ExitStack() as stack:
            file: IO[bytes] | None = None
            for count, line in enumerate(read_journal(self.path), 1):  # noqa: B007
                size, start = line["ends"][place] - start, line["ends"][place]
                if not size:
                    continue
                try:
                    file = file or stack.enter_context(path.open("rb"))
                    chunk = file.read(size)
                except OSError as error:
                    raise DataError(f"{path}: cannot be read ({error.strerror}); {REPAIR}") from error
                if zlib.crc32(chunk) != line["crcs"][place]:
                    raise DataError(f"{path}: the part of {line['id']} is damaged; {REPAIR}")
                yield from _parse(chunk, kind, model, path)
        self._check_lost(count)


def _parse(chunk: bytes, kind: Kind, model: type[Model], path: Path) -> Iterator[Model]:
    import jsonlines

    lines = chunk.decode("utf-8").split("\n")[:-1]
    try:
        for row in jsonlines.Reader(lines).iter(type=dict):
            yield model.model_validate(upgrade(kind, row, str(path)))
    except (jsonlines.InvalidLineError, ValidationError) as error:
        raise DataError(f"{path}: a record has another shape ({str(error).splitlines()[0][:120]}); {REPAIR}") from error


def load_run(path: str | Path) -> Run:
    """Open a run folder to read. Raises ``DataError`` when it is none."""
    return Run(path)
