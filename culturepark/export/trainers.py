"""Files beside the data for trainers: LLaMA-Factory's ``dataset_info.json`` and the data part of an Axolotl file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from culturepark.export.records import Part

_ROLES = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
_CHAT = {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": {**_ROLES, "system_tag": "system"}}
# What LLaMA-Factory is told of a format. Pairs are not here: it wants a single message where TRL wants a list.
_FACTORY: dict[str, dict[str, Any]] = {
    "messages": _CHAT,
    "openai": _CHAT,
    "sharegpt": {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
        "tags": {
            "role_tag": "from",
            "content_tag": "value",
            "user_tag": "human",
            "assistant_tag": "gpt",
            "system_tag": "system",
        },
    },
    "alpaca": {
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "system"},
    },
}
_TEMPLATE = {"type": "chat_template", "field_messages": "messages", "roles_to_train": ["assistant"]}
# What Axolotl is told of a format, and what stands beside the list of files.
_AXOLOTL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "messages": (_TEMPLATE, {}),
    "openai": (_TEMPLATE, {}),
    "sharegpt": (
        {
            **_TEMPLATE,
            "field_messages": "conversations",
            "message_property_mappings": {"role": "from", "content": "value"},
            "roles": {"system": ["system"], "user": ["human"], "assistant": ["gpt"]},
        },
        {},
    ),
    "alpaca": ({"type": "alpaca_w_system.load_instruct"}, {}),
    "preference": (
        {
            "type": "chat_template.default",
            "field_messages": "prompt",
            "field_chosen": "chosen",
            "field_rejected": "rejected",
        },
        {"rl": "dpo"},
    ),
}
_HEAD = """\
# The data part of an Axolotl configuration; paths are seen from the folder of the export.
# Add your model and training settings, and keep the cultures you want.
"""


def describe_for_factory(format: str, parts: Sequence[Part]) -> str | None:
    """The text of ``dataset_info.json``, or ``None`` for a format LLaMA-Factory does not read.

    A dataset is called ``culturepark_CULTURE_SPLIT``; several are trained on together by naming them all.
    """
    if format not in _FACTORY:
        return None
    entries = {}
    for part in parts:
        for number, file in enumerate(part.files):
            name = f"culturepark_{part.culture}_{part.split}" + (f"_{number + 1}" if number else "")
            entries[name] = {"file_name": file.removeprefix(f"data/{format}/"), **_FACTORY[format]}
    return json.dumps(entries, ensure_ascii=False, indent=2) + "\n"


def describe_for_axolotl(format: str, parts: Sequence[Part]) -> str | None:
    """The text of ``axolotl.yaml``, or ``None`` for a format Axolotl does not read."""
    if format not in _AXOLOTL:
        return None
    how, beside = _AXOLOTL[format]

    def list_files(split: str) -> list[dict[str, Any]]:
        files = [file for part in parts if part.split == split for file in part.files]
        # A file by itself has one split for Axolotl, and that is called train.
        return [
            {"path": f, "ds_type": "json" if f.endswith(".jsonl") else "parquet", "split": "train", **how}
            for f in files
        ]

    held = list_files("validation") or list_files("test")
    content = {**beside, "datasets": list_files("train"), **({"test_datasets": held} if held else {})}
    return _HEAD + yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True)


class _Plain(yaml.SafeDumper):
    """Writes everything out, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
