"""The configuration of a run: one flat set of keys, the same in YAML, on the command line and in Python.

The data part decides what the samples are; its fingerprint is the identity of a run. The run part
(``RUN_KEYS``) decides how the work is done and may change between sittings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from culturepark.errors import ConfigError, DataError
from culturepark.files import describe_invalid, nearest, read_yaml

FINGERPRINT_VERSION = 1
Engine = Literal["openai", "vllm", "local", "mock", "langchain"]
Style = Literal["auto", "cross", "within", "panel", "classic"]

# Keys that do not change what a sample says; all others are part of the fingerprint.
RUN_KEYS = frozenset(
    {
        "base_url",
        "api_key_env",
        "concurrency",
        "timeout",
        "tries",
        "outage_patience",
        "max_candidates",
        "output_dir",
        "resume",
        "progress",
        "personas",
        "scenarios",
        "prompts",
        "durability",
        "vllm_args",
        "passages",
        "decontaminate",
        "max_cost",
        "max_tokens",
        "max_calls",
        "prices",
        "adapt",
        "on_error",
        "retry_failed",
        "batch",
        "batch_every",
        "workers",
        "executor",
        "ray_address",
        "log_format",
        "metrics",
    }
)

# What decides about candidates of talks that are already there; ``culturepark refine`` may change these.
REFINE_KEYS = frozenset(
    {
        "sample_types",
        "multi_turn_share",
        "min_words",
        "max_words",
        "refine_model",
        "judges",
        "audience",
        "stages",
        "skip",
        "near_copy",
        "semantic_copy",
        "encoder",
        "select",
        "max_harm",
        "harm_by",
        "min_fit",
        "fit_by",
        "quality",
        "min_quality",
        "silent_claims",
        "unknown_claims",
        "ifd_model",
        "max_ifd",
        "pii",
    }
)


_VARIABLE = re.compile("[A-Z][A-Z0-9_]{1,40}")
_KEY_STARTS = ("sk-", "sk_", "gsk_", "hf_", "AIza", "xai-")


def _looks_like_a_key(value: str) -> bool:
    """Is this a key pasted where a variable's name belongs? Keys are long and mix cases and digits."""
    kinds = (str.isupper, str.islower, str.isdigit)
    mixed = all(any(kind(c) for c in value) for kind in kinds)
    return value.startswith("sk_") or len(value) > 64 or (len(value) >= 20 and (mixed or value.startswith("gsk_")))


class RunConfig(BaseModel):
    """All settings of a run. See ``culturepark generate --help`` for what each one means."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    # What is asked for.
    n: int = Field(default=100, ge=1)
    cultures: tuple[str, ...] = ("arab", "korean")
    topics: tuple[str, ...] = ("all",)
    topic_size: int = Field(default=50, ge=1)
    style: Style = "auto"
    language: Literal["english"] = "english"
    turns: int = Field(default=6, ge=2, le=60)
    classic_chat: Literal["guided", "free"] = "guided"
    panel_size: int = Field(default=3, ge=3, le=4)
    weighting: Literal["equal", "population"] = "equal"
    seed: int = 0
    preset: Literal["default", "classic"] = "default"
    claims_per_speaker: int = Field(default=4, ge=1, le=8)

    # Refinement.
    sample_types: tuple[Literal["single", "multi", "reasoning", "preference"], ...] = ("single", "multi")
    multi_turn_share: float = Field(default=0.2, ge=0, le=1)
    min_words: int = Field(default=8, ge=1)
    max_words: int = Field(default=160, ge=5)
    stages: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    audience: str | None = None
    # Harm may only be judged more strictly than by default: no setting lifts it.
    max_harm: float = Field(default=2.0, ge=1, le=2)
    harm_by: Literal["mean", "max"] = "mean"
    min_fit: float = Field(default=3.0, ge=1, le=5)
    fit_by: Literal["min", "mean", "median"] = "min"
    quality: Literal["auto", "integers"] = "auto"
    min_quality: float = Field(default=0.0, ge=0, le=36)
    silent_claims: Literal["customs", "keep", "drop"] = "customs"
    unknown_claims: Literal["keep", "drop"] = "keep"
    near_copy: float = Field(default=0.7, gt=0, le=1)
    semantic_copy: float | None = Field(default=None, gt=0, le=1)
    encoder: str = "auto"
    select: Literal["farthest", "facility", "first", "longest"] = "farthest"
    pii: Literal["core", "presidio"] = "core"
    ifd_model: str | None = None
    max_ifd: float = Field(default=1.0, gt=0)

    # The model.
    engine: Engine | None = None
    model: str | None = None
    refine_model: str | None = None
    temperature: float | None = Field(default=0.8, ge=0, le=2)
    top_p: float | None = Field(default=0.95, gt=0, le=1)
    reply_tokens: int = Field(default=220, ge=16)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    extra_body: dict[str, Any] = Field(default_factory=dict)
    prompt_size: Literal["auto", "full", "compact"] = "auto"

    # How the work is done.
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(default=64, ge=1, le=4096)
    timeout: float = Field(default=300, gt=0)
    tries: int = Field(default=6, ge=1, le=50)
    outage_patience: float = Field(default=90, ge=0)
    max_candidates: int | None = Field(default=None, ge=1)
    output_dir: str | None = None
    resume: Literal["auto", "always", "never"] = "auto"
    progress: Literal["auto", "rich", "plain", "none"] = "auto"
    personas: str | None = None
    scenarios: str | None = None
    prompts: str | None = None
    durability: Literal["process", "power"] = "process"
    vllm_args: tuple[str, ...] = ()
    passages: str | None = None
    decontaminate: tuple[str, ...] = ()
    max_cost: float | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_calls: int | None = Field(default=None, ge=1)
    prices: str | None = None
    adapt: bool = True
    on_error: Literal["continue", "stop"] = "continue"
    retry_failed: bool = False
    batch: Literal["off", "refine", "all"] = "off"
    batch_every: float = Field(default=30, gt=0)
    workers: int = Field(default=1, ge=1, le=256)
    executor: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    log_format: Literal["text", "json"] = "text"
    metrics: str | None = None

    @field_validator(
        "cultures", "topics", "vllm_args", "sample_types", "stages", "skip", "judges", "decontaminate", mode="before"
    )
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, (list, tuple)):
            value = [str(v).strip() for v in value if str(v).strip()]
        return value

    @field_validator("cultures", "topics", "sample_types")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one")
        return tuple(dict.fromkeys(value))

    @field_validator("judges")
    @classmethod
    def _judges_are_named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for judge in value:
            name, url, variable = split_judge(judge)
            if not name or "#" in name or name.startswith(_KEY_STARTS):  # a key must not be repeated in the message
                raise ValueError("must look like MODEL, MODEL@URL or MODEL@URL#VARIABLE")
            if url:
                _check_url(url)
            if variable is not None:
                cls._is_a_variable_name(variable)
        names = [split_judge(judge)[0] for judge in value]
        if len(set(names)) < len(names):
            raise ValueError("the same model is named twice")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.strip(", "):
            raise ValueError("must look like http://host:port/v1")
        for server in split_servers(value):
            _check_url(server.url)
            if server.variable is not None and not _VARIABLE.fullmatch(server.variable):
                # What follows "#" may be a key: it is not repeated.
                raise ValueError("must not hold a key or password: after # belongs a variable's name in capitals")
        urls = [server.url for server in split_servers(value)]
        if len(set(urls)) < len(urls):
            raise ValueError("the same server is named twice")
        return value.strip().rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _is_a_variable_name(cls, value: str) -> str:
        # A key pasted here by mistake must not be repeated in the message.
        if not value.isidentifier() or not value.isascii() or _looks_like_a_key(value):
            raise ValueError("must be the NAME of an environment variable, not the key itself")
        return value

    @model_validator(mode="after")
    def _words_fit(self) -> RunConfig:
        if self.min_words > self.max_words:
            raise ValueError("min_words must not be above max_words")
        if self.style == "panel" and self.turns < self.panel_size:
            raise ValueError(f"a panel of {self.panel_size} needs at least as many turns, so that everybody speaks")
        return self

    def settle_prompt_size(self) -> Literal["full", "compact"]:
        """The size of the prompts: ``auto`` is compact for the embedded model and full for all others."""
        if self.prompt_size == "auto":
            return "compact" if self.engine == "local" else "full"
        return self.prompt_size

    def data_part(self) -> dict[str, Any]:
        """The keys that decide what the samples are; of judges their names, not where they run."""
        part = {k: v for k, v in self.model_dump(mode="json").items() if k not in RUN_KEYS}
        return part | {"judges": [split_judge(judge)[0] for judge in self.judges]}


@dataclass(frozen=True, slots=True)
class Server:
    """One of the servers that share a run; ``variable`` names the one that holds its key, where it has its own."""

    url: str
    weight: float = 1.0
    variable: str | None = None


def split_servers(text: str) -> tuple[Server, ...]:
    """The servers of a base URL: ``URL[#VARIABLE][*WEIGHT]``, several joined by commas. Raises ``ValueError``."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        rest, star, weight = part.rpartition("*")
        if not star:
            rest, weight = part, "1"
        url, sharp, variable = rest.partition("#")
        try:
            number = float(weight)
        except ValueError:
            number = 0.0
        if not 0 < number <= 1000:
            raise ValueError("a weight must be a number above 0, as in http://host:port/v1*2")
        found.append(Server(url.strip().rstrip("/"), number, variable.strip() if sharp else None))
    return tuple(found)


def _check_url(value: str) -> None:
    try:
        parts = urlsplit(value)
    except ValueError:  # its message may repeat the address
        raise ValueError("must look like http://host:port/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must look like http://host:port/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not hold a key or password: name a variable with --api-key-env")


def split_judge(text: str) -> tuple[str, str | None, str | None]:
    """A judge's model, server and the variable that holds its key, from ``MODEL[@URL[#VARIABLE]]``."""
    head, mark, rest = text.partition("@http")
    if not mark:
        return text.strip(), None, None
    url, sharp, variable = f"http{rest}".partition("#")
    return head.strip(), url.rstrip("/"), variable if sharp else None


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
