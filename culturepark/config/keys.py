"""Which settings belong to what: how the work is done, and what decides about candidates."""

from __future__ import annotations

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
