"""The rejected candidates as a file of its own, when they are asked for.

Words are shown only of candidates that passed every stage that protects people; of the others the reason must do,
since personal data, real people or slurs may be what they were dropped for, or were never looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from culturepark.export.formats import Kind
from culturepark.export.parquet import ParquetRows
from culturepark.files import dump_line
from culturepark.records import Rejected
from culturepark.refine.stages import STAGES
from culturepark.runs.folder import Run

COLUMNS: dict[str, Kind] = {
    **dict.fromkeys(("id", "status", "stage", "reason", "culture", "country", "topic"), "text"),
    "answer": "whole",
    **dict.fromkeys(("kind", "question", "text", "evidence", "withheld", "verdicts"), "text"),
}
_AT_ONCE = 2000
# What a stage that looks for people's data must have said before words of a candidate are shown.
_MUST_PASS = frozenset(name for name, stage in STAGES.items() if stage.required and stage.group == "text")


def find_reason_to_withhold(record: Rejected) -> str:
    """Why the words of a candidate are not shown; empty if they may be."""
    stage = STAGES.get(record.stage)
    if stage is not None and stage.required:
        return "the reason protects people"
    passed = {verdict.stage for verdict in record.verdicts if verdict.kept}
    return "" if passed >= _MUST_PASS else "not looked at by the stages that protect people"


def make_row(record: Rejected) -> dict[str, Any]:
    """One rejected candidate, flat."""
    withheld = find_reason_to_withhold(record)
    claim = record.claim if not withheld else None
    words = " ".join(text for quote in claim.quotes for text in quote.texts) if claim else ""
    verdicts = [{"stage": v.stage, "kept": v.kept, "reason": v.reason} for v in record.verdicts]
    return {
        **{name: getattr(record, name) for name in ("id", "status", "stage", "reason", "culture", "country", "topic")},
        "answer": record.answer,
        "kind": record.claim.kind if record.claim else "",
        "question": claim.question if claim else "",
        "text": words,
        "evidence": "" if withheld else record.evidence,
        "withheld": withheld,
        "verdicts": json.dumps(verdicts, ensure_ascii=False),
    }


def write_rejected(run: Run, path: Path) -> int:
    """Write all rejected candidates of a run as Parquet, or as JSONL by the path's name; returns how many."""
    rows, count = (make_row(record) for record in run.rejected()), 0
    with path.open("wb") as file:
        if path.suffix == ".jsonl":
            for row in rows:
                file.write(dump_line(row))
                count += 1
            return count
        parquet = ParquetRows(file, COLUMNS)
        for chunk in _cut(rows):
            parquet.write(chunk)
            count += len(chunk)
        parquet.finish()
    return count


def _cut(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(islice(rows, _AT_ONCE)):
        yield chunk
