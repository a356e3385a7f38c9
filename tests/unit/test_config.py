"""Settings: what wins, what is refused and how, and which keys are a run's identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from culturepark.config import RunConfig, build_config, fingerprint
from culturepark.errors import ConfigError

KEYS = (
    "sk-proj-Abcdef1234567890abcdef1234567890",
    "sk_live_0123456789abcdef0123456789abcdef",
    "gsk_abcdefghijklmnop0123456789abcdefgh",
    "hf_AbCdEfGhIjKlMnOpQrStUvWx12345",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "0123456789abcdef0123456789abcdef",
    "a" * 70,
)
# A value for each key that differs from its default and is valid beside the other defaults.
OTHER: dict[str, Any] = {
    "n": 7,
    "cultures": ["german"],
    "topics": ["family"],
    "style": "within",
    "turns": 9,
    "classic_chat": "free",
    "panel_size": 4,
    "weighting": "population",
    "seed": 3,
    "preset": "classic",
    "claims_per_speaker": 2,
    "multi_turn_share": 0.5,
    "min_words": 9,
    "max_words": 90,
    "engine": "mock",
    "model": "m",
    "refine_model": "r",
    "temperature": 0.1,
    "top_p": 0.5,
    "max_tokens": 99,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "extra_body": {"top_k": 4},
    "prompt_size": "compact",
    "base_url": "http://localhost:8000/v1",
    "api_key_env": "OTHER_KEY",
    "concurrency": 3,
    "timeout": 5,
    "tries": 2,
    "outage_patience": 9,
    "max_candidates": 77,
    "output_dir": "elsewhere",
    "resume": "never",
    "progress": "none",
    "personas": "p",
    "scenarios": "s",
    "prompts": "q",
    "durability": "power",
    "vllm_args": ["--x"],
}
ONE_VALUE = {"language"}
# How the work is done: may change between two sittings of one run. All other keys are its identity.
SITTING = set(
    "base_url api_key_env concurrency timeout tries outage_patience max_candidates output_dir resume progress "
    "personas scenarios prompts durability vllm_args".split()
)


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(flags: dict[str, Any], file: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        build_config(flags, file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = write(tmp_path, "n: 30\nturns: 8\npreset: classic\ntop-p: 0.5\n")
    config = build_config({"n": 40}, file)
    assert (config.n, config.turns, config.top_p) == (40, 8, 0.5)
    assert (config.style, config.temperature, config.max_tokens) == ("classic", 0.7, 168)


def test_the_classic_preset_is_the_papers_protocol() -> None:
    config = build_config({"preset": "classic"})
    assert (config.style, config.turns, config.temperature, config.top_p) == ("classic", 14, 0.7, None)
    assert build_config({"preset": "classic", "turns": 6}).turns == 6
    assert build_config({}) == RunConfig()


def test_an_unknown_key_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    assert "'cultres' (did you mean 'cultures'?)" in refusal({"cultres": "arab"})
    file = write(tmp_path, "temprature: 1\n")
    message = refusal({}, file)
    assert "'temprature' (did you mean 'temperature'?)" in message and str(file) in message
    assert "did you mean" not in refusal({"xyzzyq": 1})
    assert "'classic'" in refusal({"preset": "clasic"})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("n: [1\n", "line"),
        ("- n\n- m\n", "keys and values"),
        ("just words\n", "keys and values"),
        ("n: many\n", "n:"),
        ("n: 0\n", "n:"),
        ("n: 1.5\n", "n:"),
        ("turns: 1\n", "turns:"),
        ("style: debate\n", "style:"),
        ("cultures: []\n", "cultures:"),
        ("cultures: ' , '\n", "cultures:"),
        ("cultures: {arab: 1}\n", "cultures:"),
        ("preset: [classic]\n", "preset:"),
        ("temperature: .nan\n", "temperature:"),
        ("extra_body: 3\n", "extra_body:"),
        ("min_words: 50\nmax_words: 20\n", "min_words"),
        ("style: panel\nturns: 2\n", "panel of 3"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, word: str) -> None:
    assert word in refusal({}, write(tmp_path, text))


def test_a_fault_is_laid_to_the_file_only_if_it_stands_there(tmp_path: Path) -> None:
    file = write(tmp_path, "n: 0\n")
    assert str(file) in refusal({}, file)
    assert str(file) not in refusal({"n": -1}, file)
    assert str(file) not in refusal({"turns": 1}, write(tmp_path, "n: 4\n"))


def test_missing_empty_and_binary_files(tmp_path: Path) -> None:
    assert "cannot be read" in refusal({}, tmp_path / "none.yaml")
    assert build_config({}, write(tmp_path, "")) == RunConfig()
    (tmp_path / "run.yaml").write_bytes(b"n: \xff\xfe")
    assert "UTF-8" in refusal({}, tmp_path / "run.yaml")


def test_lists_may_be_written_with_commas() -> None:
    config = build_config({"cultures": " arab, korean ,", "topics": "family"})
    assert (config.cultures, config.topics) == (("arab", "korean"), ("family",))


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_place_of_a_name_is_refused_and_not_repeated(key: str) -> None:
    message = refusal({"api_key_env": key})
    assert "NAME of an environment variable" in message
    assert key not in message and key[3:12] not in message


@pytest.mark.parametrize(
    "address",
    [
        "http://user:{}@host/v1",
        "http://{}@host/v1",
        "https://host/v1?api_key={}",
        "https://host/v1#{}",
        "{}",
        "http://[{}",
        "http://{}\u2100host/v1",  # the standard library's own message would repeat it
    ],
)
def test_a_key_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    message = refusal({"base_url": address.format("S3cretS3cret")})
    assert message.startswith("base_url:") and "s3cret" not in message.casefold()


def test_ordinary_names_and_addresses_pass() -> None:
    for name in (
        "OPENAI_API_KEY",
        "_MY_KEY2",
        "token",
        "HF_TOKEN",
        "AZURE_OPENAI_API_KEY_FOR_EUROPE_WEST_2",
        "OpenAiKey",
    ):
        assert build_config({"api_key_env": name}).api_key_env == name
    assert build_config({"base_url": "http://127.0.0.1:8000/v1/"}).base_url == "http://127.0.0.1:8000/v1"


def test_every_key_is_tried_below() -> None:
    assert set(OTHER) | ONE_VALUE == set(RunConfig.model_fields)


@pytest.mark.parametrize("key", OTHER)
def test_the_fingerprint_hangs_on_the_data_keys_alone(key: str) -> None:
    base, changed = build_config({}), build_config({key: OTHER[key]})
    assert base != changed
    same = fingerprint(base.data_part(), {}) == fingerprint(changed.data_part(), {})
    assert same == (key in SITTING)


def test_the_fingerprint_hangs_on_the_files_and_not_on_the_order_of_keys() -> None:
    part = build_config({}).data_part()
    assert fingerprint(part, {"personas": "a"}) != fingerprint(part, {"personas": "b"})
    assert fingerprint(dict(reversed(part.items())), {}) == fingerprint(part, {})


def test_settings_do_not_change_in_use() -> None:
    with pytest.raises(ValueError, match="frozen"):
        build_config({}).n = 5
