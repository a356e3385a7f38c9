"""The YAML block at the head of a dataset's README, by which ``datasets.load_dataset`` finds the files of each part.

``datasets`` reads all configurations of a folder with one reader, so that only formats with the primary one's kind of
file are listed; the others are opened by their paths.
"""

from __future__ import annotations

from typing import Any

import yaml

from culturepark.export.formats import FORMATS
from culturepark.export.records import SPLITS, Export

_OWN = ("samples", "dialogues", "rejected")  # configurations of a run's raw files


def list_configs(export: Export) -> list[dict[str, Any]]:
    """The ``configs`` of a card: for each format all cultures together, then each by itself; the first is default."""
    made: list[dict[str, Any]] = []
    for format in (f for f in export.formats if FORMATS[f].file == FORMATS[export.primary].file):
        own = [part for part in export.parts if part.format == format]
        for culture in (None, *sorted({part.culture for part in own})):
            places = []
            for split in SPLITS:
                if any(part.split == split and culture in (None, part.culture) for part in own):
                    tail = f"{split}-*.parquet" if FORMATS[format].file == "parquet" else f"{split}.jsonl"
                    places.append({"split": split, "path": f"data/{format}/{culture or '*'}/{tail}"})
            config = {"config_name": export.name_config(format, culture)}
            made.append({**config, **({} if made else {"default": True}), "data_files": places})
    return made


def put_configs(text: str, export: Export, in_run: bool) -> str:
    """A README's text with the configurations of an export at its head; the rest of it stays.

    ``in_run``: the run's own configurations (JSONL: samples, dialogues, rejected) stay where they can be read too.
    """
    head, body = split_front(text)
    fresh = list_configs(export)
    names = {config["config_name"] for config in fresh}
    given = head.get("configs")
    fitting = in_run and FORMATS[export.primary].file == "jsonl" and isinstance(given, list)
    old = [c for c in given or () if isinstance(c, dict)] if fitting else []
    kept = [c for c in old if c.get("config_name") in _OWN and c.get("config_name") not in names]
    kept = [{k: v for k, v in c.items() if k != "default"} for c in kept]
    block = yaml.safe_dump({**head, "configs": fresh + kept}, sort_keys=False, allow_unicode=True)
    return f"---\n{block}---\n{body}"


def split_front(text: str) -> tuple[dict[str, Any], str]:
    """The YAML block of a README as keys and values, and the text after it. A block that is none counts as text."""
    lines = text.splitlines(keepends=True)
    if lines and lines[0].strip() == "---":
        for end, line in enumerate(lines[1:], 1):
            if line.strip() == "---":
                try:
                    content = yaml.safe_load("".join(lines[1:end]))
                except yaml.YAMLError:
                    break
                if isinstance(content, (dict, type(None))):
                    return dict(content or {}), "".join(lines[end + 1 :])
                break
    return {}, text
