"""The card's YAML block as the Hub reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from culturepark.card.facts import Facts
from culturepark.card.fields import list_formats
from culturepark.card.settings import Settings

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
# What is made anew at each rewrite; other keys of the block are the owner's and stay.
_OURS = frozenset(
    (
        "pretty_name license license_name license_link language language_details annotations_creators "
        "language_creators multilinguality source_datasets size_categories task_categories configs"
    ).split()
)


def make_metadata(facts: Facts, settings: Settings, before: Mapping[str, Any]) -> dict[str, Any]:
    """The block's keys; what the owner added to the block before is kept, tags of both are joined."""
    languages = list(dict.fromkeys(tag.split("-")[0].lower() for tag, _ in facts.languages.most_common()))
    made: dict[str, Any] = {"pretty_name": settings.title}
    if settings.licence:
        made["license"] = settings.licence.id
        if settings.licence.name:
            made |= {"license_name": settings.licence.name, "license_link": settings.licence.link}
    made["language"] = languages
    made["language_details"] = [tag for tag, _ in facts.languages.most_common()]
    made["annotations_creators"] = ["machine-generated"]
    made["language_creators"] = ["machine-generated"]
    made["multilinguality"] = ["multilingual" if len(languages) > 1 else "monolingual"]
    made["source_datasets"] = ["original"]
    made["size_categories"] = [size_category(count_rows(facts))]
    made["task_categories"] = ["text-generation"]
    made["tags"] = _list_tags(facts, before)
    made["configs"] = list_run_configs()
    return made | {key: value for key, value in before.items() if key not in _OURS and key != "tags"}


def dump_metadata(metadata: Mapping[str, Any]) -> str:
    """The block as text, between its bars. An export's configurations are put in by ``export.front``."""
    text = yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True, width=1000, default_flow_style=False)
    return f"---\n{text}---\n"


def count_rows(facts: Facts) -> int:
    """Rows of the default configuration."""
    if facts.export is None:
        return facts.rows
    return sum(part.rows for part in facts.export.parts if part.format == facts.export.primary)


def size_category(rows: int) -> str:
    """The Hub's size class of a number of rows."""
    return next((name for most, name in _SIZES if rows < most), "1B<n<10B")


def list_run_configs() -> list[dict[str, Any]]:
    """The configurations of a run's raw files."""
    return [
        {"config_name": "samples", "default": True, "data_files": "samples.jsonl"},
        {"config_name": "dialogues", "data_files": "dialogues.jsonl"},
        {"config_name": "rejected", "data_files": "rejected.jsonl"},
    ]


def _list_tags(facts: Facts, before: Mapping[str, Any]) -> list[str]:
    tags = ["culturepark", "culture", "synthetic", "survey", "dialogue", "sft"]
    if "preference" in list_formats(facts) or facts.forms["preference"]:
        tags += ["preference", "dpo"]
    tags += sorted(facts.cultures)
    given = before.get("tags")
    own = [str(tag) for tag in given] if isinstance(given, list) else []
    return list(dict.fromkeys([*tags, *own]))
