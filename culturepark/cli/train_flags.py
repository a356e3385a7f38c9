"""The flags of ``culturepark train`` and of training after ``generate``; nothing heavy is imported here."""

from __future__ import annotations

import argparse
from typing import Any

Row = tuple[tuple[str, ...], str, dict[str, Any], str]

_WHAT: tuple[Row, ...] = (
    (("--hook",), "hook", {"metavar": "NAME"}, "who trains: trl (default), openai, command, files, or one you added"),
    (("--culture",), "culture", {"metavar": "NAME"}, "one culture of the run, or 'all' (default)"),
    (
        ("--adapters",),
        "adapters",
        {"choices": ("each", "shared")},
        "with --culture all: one for each culture, in folders of their own (default), or one for all together",
    ),
    (
        ("--base-model",),
        "base_model",
        {"metavar": "MODEL"},
        "folder or hub id of the model to train; 'embedded' is the tiny one of setup local, to try it out",
    ),
    (("-o", "--output-dir"), "output_dir", {"metavar": "DIR", "required": True}, "where the result goes"),
    (
        ("--method",),
        "method",
        {"choices": ("sft", "dpo", "sft+dpo")},
        "learn from samples (default), from preference pairs, or one after the other",
    ),
    (("--dpo",), "method", {"action": "store_const", "const": "sft+dpo"}, "the same as --method sft+dpo"),
    (("--mix",), "mix", {"metavar": "FILE"}, "general chats to blend in against forgetting (JSONL)"),
    (("--mix-share",), "mix_share", {"type": float, "metavar": "X"}, "their share of the training rows (0.2)"),
    (("--seed",), "seed", {"type": int, "metavar": "S"}, "seed of the training (0)"),
    (
        ("--split-like",),
        "split_like",
        {"metavar": "DIR"},
        "hold out what the export in DIR does (default: the one in the run's folder, if there is one)",
    ),
    (
        ("--by",),
        "by",
        {"choices": ("auto", "topic", "dialogue", "country")},
        "what is held out whole, as in export; this and the next four leave the export's splits aside",
    ),
    (("--hold-out",), "held_out", {"metavar": "LIST"}, "country codes that make the test split (EGY,KOR)"),
    (("--validation",), "validation", {"type": float, "metavar": "X"}, "share of validation (0.1)"),
    (("--test",), "test", {"type": float, "metavar": "X"}, "share of test (0.1)"),
    (("--split-seed",), "split_seed", {"type": int, "metavar": "S"}, "seed of the splits (0)"),
)
_TRL: tuple[Row, ...] = (
    (("--epochs",), "epochs", {"type": float, "metavar": "X"}, "passes over the samples (3)"),
    (("--max-steps",), "max_steps", {"type": int, "metavar": "K"}, "stop after so many steps instead"),
    (("--learning-rate",), "learning_rate", {"type": float, "metavar": "X"}, "highest rate (2e-4)"),
    (("--batch-size",), "batch_size", {"type": int, "metavar": "K"}, "chats at once (4)"),
    (("--accumulate",), "accumulate", {"type": int, "metavar": "K"}, "batches to a step (1)"),
    (("--max-length",), "max_length", {"type": int, "metavar": "K"}, "tokens of a chat; longer ones are cut (1024)"),
    (("--lora-r",), "lora_r", {"type": int, "metavar": "K"}, "rank of the adapter (16)"),
    (("--lora-alpha",), "lora_alpha", {"type": int, "metavar": "K"}, "its scale (32)"),
    (("--lora-dropout",), "lora_dropout", {"type": float, "metavar": "X"}, "its dropout (0.05)"),
    (
        ("--qlora",),
        "qlora",
        {"choices": ("auto", "on", "off")},
        "base model in 4 bit; auto: where a GPU and bitsandbytes are",
    ),
    (("--packing",), "packing", {"action": "store_true"}, "put several short chats into one row"),
    (("--dpo-beta",), "dpo_beta", {"type": float, "metavar": "X"}, "how near pairs keep to where they began (0.1)"),
    (("--dpo-learning-rate",), "dpo_learning_rate", {"type": float, "metavar": "X"}, "rate of the pairs (2e-5)"),
    (("--save-steps",), "save_steps", {"type": int, "metavar": "K"}, "steps between checkpoints (a fifth of all)"),
    (("--log-steps",), "log_steps", {"type": int, "metavar": "K"}, "steps between lines of progress"),
    (("--eval-steps",), "eval_steps", {"type": int, "metavar": "K"}, "steps between evaluations (a quarter of all)"),
    (("--keep-checkpoints",), "keep_checkpoints", {"action": "store_true"}, "leave them there when done"),
    (("--merge",), "merge", {"action": "store_true"}, "write the merged model too"),
    (("--restart",), "restart", {"action": "store_true"}, "throw away what was begun there and train anew"),
    (("--threads",), "threads", {"type": int, "metavar": "K"}, "CPU threads (default: as torch likes)"),
    (("--answers",), "answers", {"type": int, "metavar": "K"}, "answers to show before and after (4)"),
    (("--answer-tokens",), "answer_tokens", {"type": int, "metavar": "K"}, "their longest length (80)"),
    (("--probes",), "probes", {"type": int, "metavar": "K"}, "survey items asked before and after (12)"),
)
_OTHER: tuple[Row, ...] = (
    (
        ("--command",),
        "argv",  # not "command", which is the name of the subcommand
        {"metavar": "WORDS"},
        "hook command: the program and its words, with {train} {test} {out} {base_model} ... filled in",
    ),
    (("--project",), "project", {"choices": ("llamafactory", "axolotl")}, "hook files: whose project (llamafactory)"),
    (("--base-url",), "base_url", {"metavar": "URL"}, "hook openai: the server (default: OpenAI's)"),
    (("--api-key-env",), "api_key_env", {"metavar": "VAR"}, "hook openai: variable that holds the key"),
    (("--suffix",), "suffix", {"metavar": "NAME"}, "hook openai: part of the new model's name"),
    (("--poll",), "poll_s", {"type": float, "metavar": "S"}, "hook openai: seconds between looks at the job (15)"),
)
_GROUPS = (
    ("what to train", _WHAT),
    ("the hook trl (and files, as far as it can)", _TRL),
    ("other hooks", _OTHER),
)
TRAIN_FLAGS = (*(flag for _, rows in _GROUPS for row in rows for flag in row[0]), "--list-hooks", "--then")


class ListHooks(argparse.Action):
    """``--list-hooks``: print the hooks there are, and end."""

    def __init__(self, option_strings: list[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print and end."""
        from culturepark.training.hooks import list_hooks

        for name, text in list_hooks().items():
            print(f"{name:<10} {text}")
        parser.exit()


def add_train_flags(parser: argparse.ArgumentParser, after: bool = False) -> None:
    """Add what ``train`` takes; ``after`` generate there is no RUN to name."""
    if not after:
        parser.add_argument("run", metavar="RUN", help="run folder")
        parser.add_argument("--list-hooks", action=ListHooks, default=argparse.SUPPRESS, help="list the hooks and stop")
    for title, rows in _GROUPS:
        group = parser.add_argument_group(title)
        for flags, key, more, text in rows:
            group.add_argument(*flags, dest=key, default=argparse.SUPPRESS, help=text, **more)


def add_then_flag(parser: argparse.ArgumentParser) -> None:
    """Add what ``generate`` takes to train when it is done."""
    parser.add_argument(
        "--then",
        metavar="COMMAND",
        action="append",
        default=[],
        help='train on the finished run: --then "train --culture arab --base-model PATH -o models/arab"; repeatable',
    )
