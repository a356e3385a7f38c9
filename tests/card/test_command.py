"""The command of a card makes the same run again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from culturepark.card.command import list_unsaid, write_command
from culturepark.cli import build_parser
from culturepark.cli.flags import given_flags
from culturepark.config import RUN_KEYS, RunConfig
from culturepark.runs.folder import Run

ODD: dict[str, Any] = {
    "n": 7,
    "cultures": ["arab"],
    "topics": ["family", "work"],
    "style": "panel",
    "panel_size": 4,
    "turns": 8,
    "sample_types": ["single", "reasoning"],
    "multi_turn_share": 0.5,
    "audience": 'people who say "it\'s `fine`"',
    "skip": ["moved", "length"],
    "semantic_copy": 0.9,
    "frequency_penalty": -0.5,
    "seed": 3,
    "engine": "openai",
    "model": "some/model",
    "judges": ["one", "two"],
}


def parse(command: str) -> dict[str, Any]:
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "culturepark"
    return given_flags(build_parser().parse_args(words[1:]))


def test_the_command_gives_the_run_its_fingerprint_again(judged: Run) -> None:
    config = RunConfig(**{**judged.manifest["config"], **ODD})
    judged.manifest["config"] = config.model_dump(mode="json")
    again = RunConfig(**parse(write_command(judged)))
    assert again.data_part() == config.data_part()


def test_plain_run(judged: Run) -> None:
    config = RunConfig(**judged.manifest["config"])
    assert RunConfig(**parse(write_command(judged))).data_part() == config.data_part()


def test_refined_run(refined: Run) -> None:
    first, second = write_command(refined).split("\nculturepark refine TALKS")
    source = RunConfig(**Run(refined.path.parent / "judged").manifest["config"])
    assert RunConfig(**parse(first)).data_part() == source.data_part()
    changed = {k: v for k, v in parse(f"culturepark refine TALKS{second}").items() if k not in RUN_KEYS}
    assert changed == {"min_fit": 5.0}
    assert not list_unsaid(refined)
    refined.manifest["refined_from"] = "../gone"
    assert "not at hand" in " ".join(list_unsaid(refined))


def test_neither_folders_nor_addresses_nor_keys_are_shown(judged: Run) -> None:
    judged.manifest["config"] |= {
        "base_url": "http://10.0.0.9:8000/v1",
        "api_key_env": "MY_SECRET_NAME",
        "personas": "/home/ann/personas",
        "model": "/home/ann/models/m1",
        "judges": ["j@http://10.0.0.9/v1#KEY_NAME"],
        "decontaminate": ["/home/ann/test.jsonl"],
        "extra_body": {"token": "abc"},
        "engine": "openai",
        "output_dir": "/home/ann/out",
    }
    text = write_command(judged) + " ".join(list_unsaid(judged))
    for word in ("10.0.0.9", "/home/ann", "MY_SECRET_NAME", "KEY_NAME", "abc"):
        assert word not in text
    assert "--personas YOUR-PERSONAS" in text and "--model m1" in text and "--judges j " in text


@pytest.mark.parametrize("audience", ["-starts with a dash", "two\nlines $(rm) `x`"])
def test_free_words_are_one_quoted_argument(judged: Run, audience: str) -> None:
    judged.manifest["config"]["audience"] = audience
    found = parse(write_command(judged))
    assert found["audience"] == " ".join(audience.split())


def test_the_shell_sees_one_command(judged: Run, tmp_path: Path) -> None:
    assert write_command(judged).count("culturepark ") == 1
