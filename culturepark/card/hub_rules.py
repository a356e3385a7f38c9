"""The rules the Hub's validator has for a dataset card's YAML block, as far as they are published; checked offline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_SIZES = frozenset(
    "n<1K 1K<n<10K 10K<n<100K 100K<n<1M 1M<n<10M 10M<n<100M 100M<n<1B 1B<n<10B 10B<n<100B 100B<n<1T n>1T other".split()
)
_CREATORS = frozenset("found crowdsourced expert-generated machine-generated no-annotation other".split())
_LANGUAGE_KINDS = frozenset("monolingual multilingual translation other".split())
_TASKS = frozenset(
    (
        "text-classification token-classification table-question-answering question-answering zero-shot-classification "
        "translation summarization feature-extraction text-generation text2text-generation fill-mask "
        "sentence-similarity text-to-speech text-to-audio automatic-speech-recognition audio-to-audio "
        "audio-classification voice-activity-detection depth-estimation image-classification object-detection "
        "image-segmentation text-to-image image-to-text image-to-image image-to-video unconditional-image-generation "
        "video-classification reinforcement-learning robotics tabular-classification tabular-regression "
        "tabular-to-text table-to-text multiple-choice text-ranking text-retrieval time-series-forecasting "
        "text-to-video image-text-to-text visual-question-answering document-question-answering "
        "zero-shot-image-classification "
        "graph-ml mask-generation zero-shot-object-detection text-to-3d image-to-3d image-feature-extraction "
        "video-text-to-text any-to-any other"
    ).split()
)
_WORDS: dict[str, frozenset[str]] = {
    "size_categories": _SIZES,
    "annotations_creators": _CREATORS,
    "language_creators": _CREATORS,
    "multilinguality": _LANGUAGE_KINDS,
    "task_categories": _TASKS,
}
_SPLIT = re.compile(r"\w+(\.\w+)*")
_CONFIG = re.compile(r"[^<>:\"/\\|?*\x00-\x1f]+")


def find_hub_fault(metadata: Mapping[str, Any]) -> str:
    """The first key the Hub would refuse, or nothing. Licence and language have rows of their own in the checklist."""
    for key, words in _WORDS.items():
        for value in _list(metadata.get(key)):
            if value not in words:
                return f"{key}: {str(value)[:40]!r} is none of the Hub's words"
    for key in ("pretty_name", "license_name", "license_link", "viewer"):
        kind: type = bool if key == "viewer" else str
        if key in metadata and not isinstance(metadata[key], kind):
            return f"{key}: must be {'true or false' if kind is bool else 'text'}"
    for key in ("tags", "language", "language_details", "source_datasets"):
        if any(not isinstance(value, str) for value in _list(metadata.get(key))):
            return f"{key}: must be a list of text; put quotes around words such as no"
    return _find_config_fault(metadata.get("configs"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _find_config_fault(configs: Any) -> str:
    if configs is None:
        return ""
    if not isinstance(configs, list) or not all(isinstance(c, dict) for c in configs):
        return "configs: must be a list of configurations"
    names = [c.get("config_name") for c in configs]
    for name in names:
        if not isinstance(name, str) or not _CONFIG.fullmatch(name):
            return f"configs: {str(name)[:40]!r} is no config_name"
    if len(set(names)) < len(names):
        return "configs: two have the same config_name"
    if sum(bool(c.get("default")) or c["config_name"] == "default" for c in configs) > 1:
        return "configs: more than one is the default"
    checks: tuple[Callable[[Any], bool], ...] = (_is_path, lambda f: isinstance(f, list) and all(map(_is_entry, f)))
    for config in configs:
        files = config.get("data_files")
        if files is not None and not any(check(files) for check in checks):
            return f"configs: data_files of {config['config_name']!r} must be paths, or lists of split and path"
    return ""


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_entry(entry: Any) -> bool:
    """A path, or a split with its paths."""
    if _is_path(entry):
        return True
    if not isinstance(entry, dict) or set(entry) != {"split", "path"} or not _SPLIT.fullmatch(str(entry["split"])):
        return False
    return _is_path(entry["path"]) or (isinstance(entry["path"], list) and all(map(_is_path, entry["path"])))
