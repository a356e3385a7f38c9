"""The command that makes a run again, from its settings: never a key, an address or a folder of the maker's machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from culturepark.card.terms import hide_path
from culturepark.card.text import flatten, strip_secrets
from culturepark.config import REFINE_KEYS, RUN_KEYS, RunConfig, split_judge
from culturepark.errors import CultureParkError
from culturepark.runs.folder import Run

# Settings of the work that decide what comes out; their values are folders and files of the maker's machine.
_OWN_FILES = ("personas", "scenarios", "prompts", "passages", "decontaminate")
_ALWAYS = ("cultures", "n", "seed", "engine", "model")
_LEFT_OUT = frozenset({"extra_body"})


def write_command(run: Run) -> str:
    """One shell command, or two for a run that refined another run's talks."""
    config = run.manifest["config"]
    if "refined_from" not in run.manifest:
        return _join("generate", _list_flags(config, frozenset()), "DIR")
    source = _find_origin(run) or {**config, **{k: _default(k) for k in REFINE_KEYS}}
    first = _join("generate", _list_flags(source, frozenset()), "TALKS")
    changed = {k: v for k, v in config.items() if k in REFINE_KEYS and v != source.get(k)}
    return f"{first}\n{_join('refine TALKS', _list_flags(changed, REFINE_KEYS), 'DIR')}"


def list_unsaid(run: Run) -> list[str]:
    """What the command cannot say: the maker's own files and server."""
    config = run.manifest["config"]
    told = [f"{key}: the maker's own files" for key in _OWN_FILES if config.get(key)]
    if config.get("extra_body"):
        told.append(f"extra keys of the request body: {', '.join(sorted(map(str, config['extra_body'])))}")
    if config.get("engine") in ("openai", "langchain"):
        told.append("where the model is served, and its key, are yours to give (--base-url, --api-key-env)")
    if "refined_from" in run.manifest and _find_origin(run) is None:
        told.append(
            "the run whose talks were refined is not at hand: the first command shows default refinement settings"
        )
    return told


def _find_origin(run: Run) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = Run(run.path / Path(str(run.manifest["refined_from"]))).manifest["config"]
    except (CultureParkError, OSError):
        return None
    return found


def _default(key: str) -> Any:
    value = RunConfig.model_fields[key].get_default(call_default_factory=True)
    return list(value) if isinstance(value, tuple) else value


def _list_flags(config: Mapping[str, Any], only: frozenset[str]) -> list[str]:
    found = []
    for key in RunConfig.model_fields:
        if key not in config or (only and key not in only):
            continue
        value = config[key]
        wanted = key in _ALWAYS or key in _OWN_FILES or (key not in RUN_KEYS and key not in _LEFT_OUT)
        if not wanted or value in (None, [], ()) or (key not in _ALWAYS and value == _default(key) and not only):
            continue
        found.append(_write_flag(key, value))
    return found


def _write_flag(key: str, value: Any) -> str:
    flag = f"--{key.replace('_', '-')}"
    if key in _OWN_FILES:
        return f"{flag} YOUR-{key.upper()}"
    if key == "judges":
        value = [hide_path(split_judge(str(judge))[0]) for judge in value]
    elif key in ("model", "refine_model", "ifd_model", "encoder"):
        value = hide_path(str(value))
    text = ",".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value)
    text = strip_secrets(flatten(text, 500))
    return f"{flag}={shlex.quote(text)}" if text.startswith("-") else f"{flag} {shlex.quote(text)}"


def _join(command: str, flags: list[str], folder: str) -> str:
    return " \\\n  ".join([f"culturepark {command}", *flags, f"-o {folder}"])
