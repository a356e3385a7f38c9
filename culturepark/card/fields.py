"""The fields of each exported format: type, meaning and an example from the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from culturepark.card.facts import Facts
from culturepark.card.text import Markup, flatten, make_table, quote_code
from culturepark.export.formats import FORMATS

TYPES: Mapping[str, str] = {
    "text": "text",
    "whole": "whole number",
    "real": "number",
    "texts": "list of text",
    "chat": "list of role and content",
    "said": "list of from and value",
    "verdicts": "list of stage, kept, reason and evidence",
}
MEANINGS: Mapping[str, str] = {
    "answer": "answer of the survey's scale the speaker was given; empty where there is none",
    "answer_label": "that answer in words",
    "chosen": "the better answer of a pair",
    "conversations": "the chat in ShareGPT form",
    "country": "country of the persona, ISO 3166 alpha-3",
    "culture": "culture profile the persona belongs to",
    "dialogue": "the talk the sample was voiced in",
    "findings": "what models said of the sample: stance, checked statements, judges' harm and fit scores; JSON",
    "form": "task type: single, multi, reasoning or preference",
    "id": "identifier of the sample within its run",
    "input": "what was said before the last question",
    "instruction": "the last question",
    "item": "variable of the survey item, a pointer; its wording is not in the data",
    "kind": "what was voiced: opinion, norm or custom",
    "language": "language of the text, BCP-47",
    "lineage": "where the sample comes from: seed, persona draw, quote, prompt hashes, models; JSON",
    "messages": "the chat to train on; the last message is the target",
    "model": "model that wrote the talk",
    "origin": "of a pair: what its other answer is (culture, verification or repair)",
    "output": "the answer to train on",
    "persona": "the synthetic speaker",
    "prompt": "the chat before the answers of a pair",
    "refine_model": "model that read and verified",
    "rejected": "the worse answer of a pair; empty for other samples",
    "scene": "where the talk took place",
    "software": "name and version of the program",
    "speaker": "seat of the speaker in the talk",
    "style": "kind of talk",
    "survey": "survey the seed figure is from",
    "survey_n": "valid answers behind the survey share",
    "survey_share": "share of that answer in the country, 0 to 1, unweighted",
    "system": "the persona as a system prompt",
    "tags": "remarks of stages that dropped nothing",
    "theme": "group of topics",
    "topic": "topic of the talk, from a survey item",
    "verdicts": "what each refinement stage said, refusal and safety stages among them",
    "version": "schema version of the record",
}


def list_formats(facts: Facts) -> tuple[str, ...]:
    """The formats in the folder, the primary one first; of a bare run none."""
    return facts.export.formats if facts.export else ()


def list_columns(facts: Facts) -> dict[str, str]:
    """Column and kind over all formats; of a bare run those of ``samples.jsonl``."""
    formats = [f for f in list_formats(facts) if f in FORMATS]
    if not formats:
        full = FORMATS["parquet"].columns
        names = type(facts.example).model_fields if facts.example else {}
        return {name: str(full.get(name, "text")) for name in names}
    found: dict[str, str] = {}
    for name in formats:
        for column, kind in FORMATS[name].columns.items():
            found.setdefault(column, str(kind))
    return found


def write_fields(facts: Facts) -> str:
    """The table of fields."""
    formats = list_formats(facts)
    examples = _show_examples(facts, formats)
    rows = []
    for name, kind in list_columns(facts).items():
        used = [f for f in formats if f in FORMATS and name in FORMATS[f].columns]
        where = ", ".join(used) if used else "samples.jsonl"
        meaning = MEANINGS.get(name, "see the program's records")
        rows.append((quote_code(name), TYPES.get(kind, kind), meaning, where, examples.get(name, Markup("-"))))
    return make_table(("field", "type", "meaning", "formats", "example"), rows)


def _show_examples(facts: Facts, formats: tuple[str, ...]) -> dict[str, Markup]:
    found: dict[str, Markup] = {}
    for name in (*formats, "parquet"):
        if name in FORMATS:
            for sample in (facts.example, facts.pair):
                row = FORMATS[name].make(sample) if sample else None
                for column, value in (row or {}).items():
                    if value not in (None, "", [], ()):
                        found.setdefault(column, _show(value))
    return found


def _show(value: Any) -> Markup:
    text = value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False)
    return quote_code(flatten(text, 70))
