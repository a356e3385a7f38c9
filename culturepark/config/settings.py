"""All settings of a run, their defaults and bounds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from culturepark.config.keys import RUN_KEYS
from culturepark.config.servers import (
    KEY_STARTS,
    VARIABLE,
    check_url,
    holds_secret,
    looks_like_a_key,
    names_secret,
    split_judge,
    split_servers,
)

Engine = Literal["openai", "vllm", "local", "mock", "langchain"]
Style = Literal["auto", "cross", "within", "panel", "classic"]


class RunConfig(BaseModel):
    """All settings of a run. See ``culturepark generate --help`` for what each one means."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

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
            if not name or "#" in name or name.startswith(KEY_STARTS):  # a key must not be repeated in the message
                raise ValueError("must look like MODEL, MODEL@URL or MODEL@URL#VARIABLE")
            if url:
                check_url(url)
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
            check_url(server.url)
            if server.variable is not None and not VARIABLE.fullmatch(server.variable):
                # What follows "#" may be a key: it is not repeated.
                raise ValueError("must not hold a key or password: after # belongs a variable's name in capitals")
        urls = [server.url for server in split_servers(value)]
        if len(set(urls)) < len(urls):
            raise ValueError("the same server is named twice")
        return value.strip().rstrip("/")

    @field_validator("extra_body")
    @classmethod
    def _body_holds_no_key(cls, value: dict[str, Any]) -> dict[str, Any]:
        if holds_secret(value):  # it would be written into the run
            raise ValueError("must not hold a key or password: name a variable with --api-key-env")
        return value

    @field_validator("vllm_args")
    @classmethod
    def _flags_hold_no_key(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(flag.startswith("-") and names_secret(flag.split("=")[0]) for flag in value) or holds_secret([*value]):
            raise ValueError(
                "must not hold a key or password: vLLM takes them from its own variables, such as HF_TOKEN"
            )
        return value

    @field_validator("model", "refine_model")
    @classmethod
    def _is_no_key(cls, value: str | None) -> str | None:
        if holds_secret(value):
            raise ValueError("must be the name of a model, not a key")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _is_a_variable_name(cls, value: str) -> str:
        # A key pasted here by mistake must not be repeated in the message.
        if not value.isidentifier() or not value.isascii() or looks_like_a_key(value):
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
