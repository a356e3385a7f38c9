"""The flags of a run: one row per configuration key, shared by ``generate``, ``preview`` and ``validate``."""

from __future__ import annotations

import argparse
import json
from typing import Any


def json_object(text: str) -> dict[str, Any]:
    """A flag's value that must be a JSON object."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


# (flags, key, what argparse needs besides, help). A key stands for the same key in YAML and Python.
Row = tuple[tuple[str, ...], str, dict[str, Any], str]

WHAT: tuple[Row, ...] = (
    (("-n", "--n", "--num-samples"), "n", {"type": int, "metavar": "N"}, "accepted samples wanted, over all cultures"),
    (("--cultures",), "cultures", {"metavar": "LIST"}, "cultures by id, alias or country code, or 'all' (arab,ko,TUR)"),
    (("--topics",), "topics", {"metavar": "LIST"}, "topics by id, survey item, theme or tag, or 'all'"),
    (
        ("--topic-size",),
        "topic_size",
        {"type": int, "metavar": "K"},
        "with --topics all: samples a culture has on a topic before another topic is taken up (default 50)",
    ),
    (
        ("--style",),
        "style",
        {"choices": ("auto", "cross", "within", "panel", "classic")},
        "who talks: auto is cross for several cultures and within for one",
    ),
    (("--language",), "language", {"choices": ("english",)}, "language of the talks"),
    (("--turns",), "turns", {"type": int, "metavar": "K"}, "most utterances of a talk"),
    (("--preset",), "preset", {"choices": ("default", "classic")}, "classic: the paper's protocol, as a baseline"),
    (
        ("--classic-chat",),
        "classic_chat",
        {"choices": ("guided", "free")},
        "classic only: scripted guidance before each turn, or free chat",
    ),
    (("--panel-size",), "panel_size", {"type": int, "metavar": "K"}, "people at a panel's table: 3 or 4"),
    (
        ("--weighting",),
        "weighting",
        {"choices": ("equal", "population")},
        "how the countries of a culture count",
    ),
    (("--seed",), "seed", {"type": int, "metavar": "S"}, "seed of every draw"),
    (
        ("--claims-per-speaker",),
        "claims_per_speaker",
        {"type": int, "metavar": "K"},
        "most samples taken from one speaker of one talk",
    ),
)
REFINE: tuple[Row, ...] = (
    (
        ("--sample-types",),
        "sample_types",
        {"metavar": "LIST"},
        "forms of samples: single, multi, reasoning, preference (default single,multi)",
    ),
    (
        ("--multi-turn-share",),
        "multi_turn_share",
        {"type": float, "metavar": "X"},
        "share of multi among the forms, 0 to 1; the others share the rest",
    ),
    (("--min-words",), "min_words", {"type": int, "metavar": "K"}, "shortest answer kept"),
    (("--max-words",), "max_words", {"type": int, "metavar": "K"}, "longest answer kept"),
    (("--stages",), "stages", {"metavar": "LIST"}, "stages in order (default: all; docs/refinement.md lists them)"),
    (("--skip",), "skip", {"metavar": "LIST"}, "stages left out; those that protect people cannot be"),
    (
        ("--judges",),
        "judges",
        {"metavar": "LIST"},
        "the panel: MODEL or MODEL@URL or MODEL@URL#KEYVARIABLE (default: the refining model)",
    ),
    (("--audience",), "audience", {"metavar": "TEXT"}, "whom fit is judged for (default: each culture's own scope)"),
    (
        ("--max-harm",),
        "max_harm",
        {"type": float, "metavar": "X"},
        "highest harm kept, 1 to 2 (default 2; only stricter)",
    ),
    (("--harm-by",), "harm_by", {"choices": ("mean", "max")}, "how judges' harm scores are put together"),
    (("--min-fit",), "min_fit", {"type": float, "metavar": "X"}, "lowest cultural fit kept, 1 to 5 (default 3)"),
    (("--fit-by",), "fit_by", {"choices": ("min", "mean", "median")}, "how judges' fit scores are put together"),
    (
        ("--quality",),
        "quality",
        {"choices": ("auto", "integers")},
        "auto: from token probabilities where the server gives them, else integers",
    ),
    (("--min-quality",), "min_quality", {"type": float, "metavar": "X"}, "lowest complexity x quality kept, 0 to 36"),
    (
        ("--silent-claims",),
        "silent_claims",
        {"choices": ("customs", "keep", "drop")},
        "claims that say nothing about the stance: keep customs only, all, or none",
    ),
    (("--unknown-claims",), "unknown_claims", {"choices": ("keep", "drop")}, "claims with facts no source speaks of"),
    (("--passages",), "passages", {"metavar": "DIR"}, "your texts to check claims against (.txt, .md, .jsonl)"),
    (("--decontaminate",), "decontaminate", {"metavar": "LIST"}, "benchmark files whose items must not be in samples"),
    (("--near-copy",), "near_copy", {"type": float, "metavar": "X"}, "likeness of wording that is a copy, 0 to 1"),
    (("--semantic-copy",), "semantic_copy", {"type": float, "metavar": "X"}, "likeness of meaning that is a copy"),
    (
        ("--encoder",),
        "encoder",
        {"metavar": "NAME"},
        "sentence encoder: auto, none, or a sentence-transformers model",
    ),
    (
        ("--select",),
        "select",
        {"choices": ("farthest", "facility", "first", "longest")},
        "which of several good claims of a speaker are used",
    ),
    (("--pii",), "pii", {"choices": ("core", "presidio")}, "finder of personal data; presidio adds its recognisers"),
    (("--ifd-model",), "ifd_model", {"metavar": "PATH"}, "local model for instruction-following difficulty (off)"),
    (("--max-ifd",), "max_ifd", {"type": float, "metavar": "X"}, "highest difficulty kept (default 1)"),
)
MODEL: tuple[Row, ...] = (
    (
        ("--engine",),
        "engine",
        {"choices": ("openai", "vllm", "local", "mock", "langchain")},
        "openai: any OpenAI-compatible server; vllm and local start one; mock needs no model",
    ),
    (("--model",), "model", {"metavar": "NAME"}, "model that talks (langchain: provider:name)"),
    (("--refine-model",), "refine_model", {"metavar": "NAME"}, "model that refines, if another"),
    (
        ("--base-url",),
        "base_url",
        {"metavar": "URL"},
        "server, or several: URL[#VAR][*WEIGHT],...",
    ),
    (("--api-key-env",), "api_key_env", {"metavar": "VAR"}, "environment variable that holds the key"),
    (("--temperature",), "temperature", {"type": float, "metavar": "T"}, "sampling temperature of the talks"),
    (("--top-p",), "top_p", {"type": float, "metavar": "P"}, "nucleus sampling"),
    (("--reply-tokens",), "reply_tokens", {"type": int, "metavar": "K"}, "most tokens of an utterance"),
    (("--frequency-penalty",), "frequency_penalty", {"type": float, "metavar": "X"}, "passed to the server"),
    (("--presence-penalty",), "presence_penalty", {"type": float, "metavar": "X"}, "passed to the server"),
    (("--extra-body",), "extra_body", {"type": json_object, "metavar": "JSON"}, "more keys for the request body"),
    (
        ("--prompt-size",),
        "prompt_size",
        {"choices": ("auto", "full", "compact")},
        "compact prompts suit very small models",
    ),
    (
        ("--vllm-args",),
        "vllm_args",
        {"metavar": "LIST"},
        "flags for 'vllm serve', comma-separated: --vllm-args=--dtype,float16",
    ),
)
HOW: tuple[Row, ...] = (
    (("--concurrency",), "concurrency", {"type": int, "metavar": "K"}, "most calls in flight (default 64)"),
    (
        ("--adapt",),
        "adapt",
        {"action": argparse.BooleanOptionalAction},
        "find by itself how many calls the server bears, up to --concurrency (default)",
    ),
    (("--max-cost",), "max_cost", {"type": float, "metavar": "X"}, "never spend more than this on the whole run"),
    (("--max-tokens",), "max_tokens", {"type": int, "metavar": "K"}, "never pay for more tokens, in and out together"),
    (
        ("--max-calls",),
        "max_calls",
        {"type": int, "metavar": "K"},
        "never make more calls; retries and judges count",
    ),
    (("--prices",), "prices", {"metavar": "FILE"}, "your prices by model, as YAML; they go before the packaged ones"),
    (
        ("--batch",),
        "batch",
        {"choices": ("off", "refine", "all")},
        "send refinement or all calls through the server's batch API: half the price, hours to wait",
    ),
    (("--batch-every",), "batch_every", {"type": float, "metavar": "S"}, "seconds between looks at a batch (30)"),
    (("--workers",), "workers", {"type": int, "metavar": "K"}, "processes that share the work (default 1)"),
    (
        ("--executor",),
        "executor",
        {"choices": ("local", "ray")},
        "workers on this machine or on Ray",
    ),
    (
        ("--ray-address",),
        "ray_address",
        {"metavar": "ADDR"},
        "the Ray cluster (default: the one Ray finds)",
    ),
    (
        ("--on-error",),
        "on_error",
        {"choices": ("continue", "stop")},
        "when a call fails for good: count its candidates as failed and go on, or stop the run",
    ),
    (
        ("--retry-failed",),
        "retry_failed",
        {"action": "store_true"},
        "give candidates that failed for a call another try; what was answered is not paid again",
    ),
    (("--timeout",), "timeout", {"type": float, "metavar": "S"}, "seconds to wait for one reply"),
    (("--tries",), "tries", {"type": int, "metavar": "K"}, "tries for one call"),
    (
        ("--outage-patience",),
        "outage_patience",
        {"type": float, "metavar": "S"},
        "seconds to wait for a server that is gone before the run stops",
    ),
    (
        ("--max-candidates",),
        "max_candidates",
        {"type": int, "metavar": "K"},
        "give up after this many candidates (default: 5 n + 50)",
    ),
    (("-o", "--output-dir"), "output_dir", {"metavar": "DIR"}, "folder of this run (default: outputs/NAME)"),
    (
        ("--resume",),
        "resume",
        {"choices": ("auto", "always", "never")},
        "auto goes on with an unfinished run of the same configuration",
    ),
    (("--progress",), "progress", {"choices": ("auto", "rich", "plain", "none")}, "what the screen shows"),
    (("--log-format",), "log_format", {"choices": ("text", "json")}, "json: every event as a JSON line on stderr"),
    (
        ("--metrics",),
        "metrics",
        {"metavar": "WHERE"},
        "counters: a port for Prometheus, a file, or otel (off)",
    ),
    (("--durability",), "durability", {"choices": ("process", "power")}, "power: survive a power cut (slower)"),
    (("--personas",), "personas", {"metavar": "DIR"}, "your own folder of culture profiles"),
    (("--scenarios",), "scenarios", {"metavar": "DIR"}, "your own folder of topics, scenes and surveys"),
    (("--prompts",), "prompts", {"metavar": "DIR"}, "your own prompts, by the same file names"),
)


ALL: tuple[Row, ...] = (*WHAT, *REFINE, *MODEL, *HOW)
# What refining stored talks cannot change, or has no use for.
_TALK_ONLY = frozenset(("max_candidates",))


def add_refine_flags(parser: argparse.ArgumentParser, how: bool = True) -> None:
    """Add the flags that decide about candidates of talks that are there, and (``how``) those of the work itself."""
    parser.add_argument("-c", "--config", metavar="FILE", help="YAML file with the same keys; flags win")
    groups = [("refinement", REFINE)]
    if how:
        keep = ("engine", "refine_model", "base_url", "api_key_env")
        groups += [("the model", tuple(r for r in MODEL if r[1] in keep and r[1] != "engine"))]
        groups += [("how to work", tuple(r for r in HOW if r[1] not in _TALK_ONLY))]
    for title, rows in groups:
        group = parser.add_argument_group(title)
        for flags, key, more, text in rows:
            group.add_argument(*flags, dest=key, default=argparse.SUPPRESS, help=text, **more)


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Add every configuration key as a flag; only what the user gives appears in the result."""
    parser.add_argument("-c", "--config", metavar="FILE", help="YAML file with the same keys; flags win")
    for title, rows in (("what to make", WHAT), ("refinement", REFINE), ("the model", MODEL), ("how to work", HOW)):
        group = parser.add_argument_group(title)
        for flags, key, more, text in rows:
            group.add_argument(*flags, dest=key, default=argparse.SUPPRESS, help=text, **more)


def given_flags(options: argparse.Namespace) -> dict[str, Any]:
    """The configuration keys the user gave on the command line."""
    keys = {row[1] for row in ALL}
    return {k: v for k, v in vars(options).items() if k in keys}
