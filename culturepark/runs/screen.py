"""Texts from anywhere through the stages that need no model: one row in, one verdict out, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from culturepark.config import RunConfig
from culturepark.culture.profiles import load_profiles
from culturepark.errors import DataError
from culturepark.files import dump_line, parse_objects
from culturepark.language import find_language
from culturepark.refine.candidate import Candidate
from culturepark.refine.stages import STAGES, Group, run_stages
from culturepark.runs.tools import Toolbox

# Stages that only make sense for a claim out of a talk.
_NOT_HERE = ("moved", "first_person", "standing_alone", "length")


@dataclass
class Screening:
    """Totals of a screening: rows kept and dropped, by reason and by stage."""

    kept: int = 0
    dropped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)


def screen_rows(
    rows: Iterable[Mapping[str, Any]], config: RunConfig | None = None, language: str = "en"
) -> Iterator[dict[str, Any]]:
    """Each row with its verdict: ``{"id", "kept", "stage", "reason", "evidence", "tags", "row"}``.

    A row has ``messages`` (the last assistant message is the text), or ``text``, or ``prompt`` and ``completion``;
    ``language`` (BCP-47), ``culture``, ``topic`` and ``id`` are taken where given. ``config`` gives stages and
    thresholds; ``language`` is the tag of rows without one. Raises ``DataError`` for a row without text or in a
    language without a pack.
    """
    config = config or RunConfig()
    profiles = load_profiles(Path(config.personas) if config.personas else None)
    tools = Toolbox(config.model_copy(update={"skip": (*config.skip, *_not_here(config))}), profiles)
    for number, row in enumerate(rows, 1):
        yield screen_row(row, number, tools, language)


def _not_here(config: RunConfig) -> tuple[str, ...]:
    return tuple(name for name in _NOT_HERE if name not in config.stages)


def screen_row(row: Mapping[str, Any], number: int, tools: Toolbox, language: str) -> dict[str, Any]:
    """One row with its verdict; what is kept is remembered, so that later rows are compared with it."""
    tag = str(row.get("language") or language)
    if find_language(tag) is None:
        raise DataError(f"row {number}: no language pack for {tag!r}; see --language")
    question, text = read_row(row, number)
    given = row.get("id")
    name = f"row-{number}" if given in (None, "") else f"{given} (row {number})"  # ids may repeat, rows do not
    culture, topic = str(row.get("culture") or "any"), str(row.get("topic") or "any")
    candidate = Candidate(name, text, question, culture, "", topic, None, "opinion")
    context = tools.context(tag, ())
    groups: tuple[Group, ...] = ("text", "run", "cell")
    for group in groups:
        candidate = run_stages(candidate, context, tools.stages, group)
    last = candidate.dropped
    if last is None:
        tools.near_copies.add(name, text, tag)
        if tools.meanings is not None:
            tools.meanings.remember(candidate.cell, tag, name, text)
    return {
        "id": f"row-{number}" if given in (None, "") else str(given),
        "kept": last is None,
        "stage": last.stage if last else "",
        "reason": last.reason if last else "",
        "evidence": last.evidence if last else "",
        "tags": list(candidate.tags),
        "row": dict(row),
    }


def read_row(row: Mapping[str, Any], number: int) -> tuple[str, str]:
    """Question and text of a row. Raises ``DataError`` when there is no text."""
    messages = row.get("messages")
    if isinstance(messages, list) and messages:
        said = [m for m in messages if isinstance(m, Mapping) and isinstance(m.get("content"), str)]
        asked = [m["content"] for m in said if m.get("role") == "user"]
        answers = [m["content"] for m in said if m.get("role") == "assistant"]
        if answers:
            return (asked[-1] if asked else ""), answers[-1]
    for question, text in (("prompt", "completion"), ("question", "answer"), ("instruction", "output"), ("", "text")):
        if isinstance(row.get(text), str):
            return str(row.get(question) or ""), str(row[text])
    raise DataError(f"row {number}: has no text (messages with an assistant, or text, or prompt and completion)")


def screen_file(path: Path, folder: Path, config: RunConfig, language: str) -> Screening:
    """Screen a JSONL file into ``kept.jsonl`` and ``rejected.jsonl`` in ``folder``; both are written anew."""
    found = Screening()
    folder.mkdir(parents=True, exist_ok=True)
    names = {True: folder / "kept.jsonl", False: folder / "rejected.jsonl"}
    if path.resolve() in {p.resolve() for p in names.values()}:
        raise DataError(f"{path}: would be overwritten; choose another --output-dir")
    with names[True].open("wb") as kept, names[False].open("wb") as dropped:
        for verdict in screen_rows(_read(path), config, language):
            if verdict["kept"]:
                found.kept += 1
                kept.write(dump_line(verdict["row"]))
            else:
                found.dropped += 1
                found.reasons[verdict["reason"]] += 1
                found.stages[verdict["stage"]] += 1
                dropped.write(dump_line(verdict))
    return found


def _read(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.is_file():
        raise DataError(f"{path}: is no file")
    with path.open("rb") as file:  # not read_lines: the last line of such a file may lack its end
        yield from parse_objects(file, path)


def list_offline_stages() -> list[str]:
    """Stages that a screening runs, in order."""
    return [n for n, s in STAGES.items() if s.group in ("text", "run", "cell") and n not in _NOT_HERE]
