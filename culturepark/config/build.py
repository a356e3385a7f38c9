"""One configuration from defaults, preset, YAML file and flags, and the fingerprint of its data part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from culturepark.config.settings import RunConfig
from culturepark.errors import ConfigError, DataError
from culturepark.files import describe_invalid, nearest, read_yaml

FINGERPRINT_VERSION = 1

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # The paper's protocol: English main contact and one delegate, 14 utterances, temperature 0.7.
    # Of refinement it keeps what the paper has: entailment with the stance, and the longest text.
    "classic": {
        "style": "classic",
        "turns": 14,
        "temperature": 0.7,
        "top_p": None,
        "reply_tokens": 168,
        "sample_types": ("single",),
        "silent_claims": "drop",
        "select": "longest",
        "skip": ("moved", "benchmarks", "near_copies", "claims", "quality", "fit", "semantic_copies"),
    },
}


def build_config(flags: Mapping[str, Any], file: str | Path | None = None) -> RunConfig:
    """Put defaults, preset, YAML file and flags together, later ones winning.

    ``flags`` holds only what the user gave. Raises ``ConfigError`` for an unknown key (with the
    nearest known one) or a wrong value.
    """
    from_file = _read_config_file(Path(file)) if file else {}
    given = {**from_file, **flags}
    preset = given.get("preset", "default")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ConfigError(f"preset: unknown {preset!r}{nearest(str(preset), PRESETS)}; known: {', '.join(PRESETS)}")
    _refuse_unknown(given, "the call")
    settings = {**PRESETS[preset], **given}
    if settings.get("style") == "panel" and "turns" not in settings:
        settings["turns"] = 3 * int(settings.get("panel_size", 3))  # as many a person as in a talk of two
    try:
        return RunConfig.model_validate(settings)
    except ValidationError as error:
        first = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else ""
        place = f"{file}: " if first in from_file and first not in flags else ""
        raise ConfigError(f"{place}{describe_invalid(error)}") from None


def _read_config_file(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path)
    except DataError as error:
        raise ConfigError(str(error)) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold keys and values, such as 'n: 100'")
    content = {str(k).replace("-", "_"): v for k, v in content.items()}
    _refuse_unknown(content, str(path))
    return content


def _refuse_unknown(given: Mapping[str, Any], where: str) -> None:
    for key in given:
        if key not in RunConfig.model_fields:
            raise ConfigError(f"{where}: unknown key {key!r}{nearest(key, RunConfig.model_fields)}")


def fingerprint(data_part: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Identity of a run: SHA-256 over the data part and the hashes of the files it reads."""
    content = json.dumps([FINGERPRINT_VERSION, dict(data_part), dict(files)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]
