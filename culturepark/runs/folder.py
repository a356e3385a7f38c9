"""A run as something to read: its samples, dialogues, rejects and figures, straight from its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from culturepark.errors import DataError
from culturepark.files import read_lines
from culturepark.records import Dialogue, Rejected, Sample
from culturepark.runs.journal import Counts, read_journal, read_manifest

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
        """Totals counted afresh from the journal."""
        counts = Counts()
        for line in read_journal(self.path):
            counts.add(line)
        return counts

    def samples(self) -> Iterator[Sample]:
        """Accepted samples in plan order."""
        return self._read("samples.jsonl", Sample, 1)

    def dialogues(self) -> Iterator[Dialogue]:
        """All dialogues in plan order, rejected and failed ones among them."""
        return self._read("dialogues.jsonl", Dialogue, 0)

    def rejected(self) -> Iterator[Rejected]:
        """Every candidate that did not become a sample."""
        return self._read("rejected.jsonl", Rejected, 2)

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

    def _read(self, name: str, model: type[Model], place: int) -> Iterator[Model]:
        import jsonlines

        end = self._committed_end(place)  # what lies beyond is written, but not committed yet
        lines = (line.decode("utf-8") for offset, line in read_lines(self.path / name) if offset < end)
        try:
            for row in jsonlines.Reader(lines).iter(type=dict):
                yield model.model_validate(row)
        except (jsonlines.InvalidLineError, UnicodeDecodeError, ValidationError) as error:
            raise DataError(
                f"{self.path / name}: a record is damaged ({str(error).splitlines()[0][:120]}); restore the file or "
                "start another run"
            ) from error

    def _committed_end(self, place: int) -> int:
        end = 0
        for line in read_journal(self.path):
            end = line["ends"][place]
        return end


def load_run(path: str | Path) -> Run:
    """Open a run folder to read. Raises ``DataError`` when it is none."""
    return Run(path)
