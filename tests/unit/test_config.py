"""Settings: what wins, what is refused and how, and which keys are a run's identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from culturepark.config import PRESETS, REFINE_KEYS, RUN_KEYS, RunConfig, build_config, fingerprint, split_judge
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
    "topic_size": 7,
    "style": "within",
    "turns": 9,
    "classic_chat": "free",
    "panel_size": 4,
    "weighting": "population",
    "seed": 3,
    "preset": "classic",
    "claims_per_speaker": 2,
    "sample_types": ["single", "preference"],
    "multi_turn_share": 0.5,
    "min_words": 9,
    "max_words": 90,
    "stages": ["essentialism", "personal_data", "real_people", "harm"],
    "skip": ["length"],
    "judges": ["j1", "j2"],
    "audience": "people of the town",
    "max_harm": 1.5,
    "harm_by": "max",
    "min_fit": 4,
    "fit_by": "mean",
    "quality": "integers",
    "min_quality": 9,
    "silent_claims": "drop",
    "unknown_claims": "drop",
    "near_copy": 0.5,
    "semantic_copy": 0.8,
    "encoder": "none",
    "select": "first",
    "pii": "presidio",
    "ifd_model": "folder",
    "max_ifd": 0.9,
    "engine": "mock",
    "model": "m",
    "refine_model": "r",
    "temperature": 0.1,
    "top_p": 0.5,
    "reply_tokens": 99,
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
    "passages": "texts",
    "decontaminate": ["items.csv"],
    "max_cost": 2.5,
    "max_tokens": 1000,
    "max_calls": 10,
    "prices": "prices.yaml",
    "adapt": False,
    "on_error": "stop",
    "retry_failed": True,
    "batch": "all",
    "batch_every": 5,
    "workers": 2,
    "executor": "ray",
    "ray_address": "auto",
    "log_format": "json",
    "metrics": "9464",
}
ONE_VALUE = {"language"}
# How the work is done: may change between two sittings of one run. All other keys are its identity.
SITTING = set(
    "base_url api_key_env concurrency timeout tries outage_patience max_candidates output_dir resume progress "
    "personas scenarios prompts durability vllm_args passages decontaminate max_cost max_tokens max_calls prices adapt on_error retry_failed "
    "batch batch_every workers executor ray_address log_format metrics".split()
)
# What decides about the talks themselves: fixed once they were held.
TALKS = set(
    "n cultures topics topic_size style language turns classic_chat panel_size weighting seed preset claims_per_speaker engine model "
    "temperature top_p reply_tokens frequency_penalty presence_penalty extra_body prompt_size".split()
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


def test_numbers_of_tokens_are_no_secrets() -> None:
    body = {"max_tokens": 5, "stop_token_ids": [1], "skip_special_tokens": True, "token": None, "logit_bias": {"1": 2}}
    assert RunConfig(extra_body=body).extra_body == body
    assert RunConfig(vllm_args="--max-num-batched-tokens,2048,--tokenizer=x").vllm_args


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = write(tmp_path, "n: 30\nturns: 8\npreset: classic\ntop-p: 0.5\n")
    config = build_config({"n": 40}, file)
    assert (config.n, config.turns, config.top_p) == (40, 8, 0.5)
    assert (config.style, config.temperature, config.reply_tokens) == ("classic", 0.7, 168)


def test_the_classic_preset_is_the_papers_protocol() -> None:
    config = build_config({"preset": "classic"})
    assert (config.style, config.turns, config.temperature, config.top_p) == ("classic", 14, 0.7, None)
    assert build_config({"preset": "classic", "turns": 6}).turns == 6
    assert (config.sample_types, config.silent_claims, config.select) == (("single",), "drop", "longest")
    assert {"claims", "fit", "near_copies", "semantic_copies"} <= set(config.skip)
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
        ("max_cost: .inf\n", "max_cost:"),
        ("timeout: .inf\n", "timeout:"),
        ("extra_body: 3\n", "extra_body:"),
        ("min_words: 50\nmax_words: 20\n", "min_words"),
        ("style: panel\nturns: 2\n", "panel of 3"),
        ("sample_types: []\n", "sample_types:"),
        ("sample_types: single,poem\n", "sample_types.1:"),
        ("min_fit: 0.5\n", "min_fit:"),
        ("min_fit: 6\n", "min_fit:"),
        ("min_quality: 37\n", "min_quality:"),
        ("near_copy: 0\n", "near_copy:"),
        ("semantic_copy: 1.1\n", "semantic_copy:"),
        ("max_ifd: 0\n", "max_ifd:"),
        ("fit_by: max\n", "fit_by:"),
        ("quality: on\n", "quality:"),
        ("select: best\n", "select:"),
        ("pii: none\n", "pii:"),
        ("unknown_claims: maybe\n", "unknown_claims:"),
        ("silent_claims: norms\n", "silent_claims:"),
        ("judges: [gpt-x, gpt-x]\n", "named twice"),
        ("judges: ['@http://host/v1']\n", "MODEL@URL"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, word: str) -> None:
    assert word in refusal({}, write(tmp_path, text))


def test_a_fault_is_laid_to_the_file_only_if_it_stands_there(tmp_path: Path) -> None:
    file = write(tmp_path, "n: 0\n")
    assert str(file) in refusal({}, file)
    assert str(file) not in refusal({"n": -1}, file)
    assert str(file) not in refusal({"turns": 1}, write(tmp_path, "n: 4\n"))


# --- Refinement ---------------------------------------------------------------------------------------------


def test_without_wishes_refinement_is_whole_and_careful() -> None:
    config = build_config({})
    assert (config.sample_types, config.multi_turn_share) == (("single", "multi"), 0.2)
    assert (config.stages, config.skip, config.judges, config.audience) == ((), (), (), None)
    assert (config.max_harm, config.harm_by, config.min_fit, config.fit_by) == (2.0, "mean", 3.0, "min")
    assert (config.silent_claims, config.unknown_claims, config.min_quality) == ("customs", "keep", 0.0)
    assert (config.encoder, config.select, config.pii, config.ifd_model) == ("auto", "farthest", "core", None)


@pytest.mark.parametrize("value", [2.0001, 2.5, 3, 5, 99, "inf", ".inf", "nan", "5", True, 0.9, 0, -1])
def test_harm_can_only_be_judged_more_strictly(value: Any, tmp_path: Path) -> None:
    if value is True:  # YAML's 'true' would be a 1
        assert build_config({"max_harm": value}).max_harm == 1.0
        return
    assert refusal({"max_harm": value}).startswith("max_harm:")
    assert refusal({"preset": "classic", "max_harm": value}).startswith("max_harm:")
    file = write(tmp_path, f"max-harm: {value}\n")
    assert "max_harm:" in refusal({}, file)
    assert build_config({"max_harm": 1.0}, file).max_harm == 1.0


def test_harm_is_never_put_together_by_the_mildest_judge() -> None:
    for way in ("min", "median", "off", ""):
        assert refusal({"harm_by": way}).startswith("harm_by:")


def test_no_preset_touches_what_protects_people() -> None:
    for preset in PRESETS.values():
        assert not {"max_harm", "harm_by", "pii", "judges"} & preset.keys()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("gpt-x", ("gpt-x", None, None)),
        ("  gpt-x ", ("gpt-x", None, None)),
        ("org/model:7b@q4", ("org/model:7b@q4", None, None)),
        ("m@http://h:8000/v1", ("m", "http://h:8000/v1", None)),
        ("m@https://h/v1/", ("m", "https://h/v1", None)),
        (" m @https://h/v1", ("m", "https://h/v1", None)),
        ("a@b/m@http://h/v1#KEY", ("a@b/m", "http://h/v1", "KEY")),
        ("m@http://h/v1#", ("m", "http://h/v1", "")),
        ("@http://h/v1", ("", "http://h/v1", None)),
        ("m@http://h/v1#A#B", ("m", "http://h/v1", "A#B")),
        ("", ("", None, None)),
    ],
)
def test_a_judge_is_model_server_and_variable(text: str, parts: tuple[str, str | None, str | None]) -> None:
    assert split_judge(text) == parts


def test_a_panel_may_be_written_with_commas() -> None:
    config = build_config({"judges": "one, two@http://h:8000/v1/, three@https://h/v1#JUDGE_KEY"})
    assert config.judges == ("one", "two@http://h:8000/v1/", "three@https://h/v1#JUDGE_KEY")
    assert build_config({"judges": ""}).judges == ()


@pytest.mark.parametrize(
    "judge",
    [
        "m@http://",
        "m@http:/h",
        "m@https://h/v1?x=1",
        "m@http://u:p@h/v1",
        "m@http://h/v1#",
        "m@http://h/v1#A-B",
        " @http://h/v1",
    ],
)
def test_a_judge_that_cannot_be_is_refused(judge: str) -> None:
    assert refusal({"judges": judge}).startswith("judges:")
    assert refusal({"judges": ["good", judge]}).startswith("judges:")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "judge",
    [
        "m@https://host/v1#{}",
        "m@https://host/v1?key={}",
        "m@https://user:{}@host/v1",
        "m@https://{}@host/v1",
        "@https://{}.host/v1",
        "m@https://host/v1#GOOD#{}",
        "m@http://[{}",
        "m@http://{}\u2100host/v1",
        "m@https://host/v1#{}, m@https://host/v1#{}",
    ],
)
def test_a_key_pasted_into_judges_is_refused_and_not_repeated(judge: str, key: str, tmp_path: Path) -> None:
    for message in (
        refusal({"judges": judge.replace("{}", key)}),
        refusal({"judges": ["good", judge.replace("{}", key)]}),
        refusal({}, write(tmp_path, f"judges: ['{judge.replace('{}', key)}']\n")),
    ):
        assert key.casefold() not in message.casefold() and key[3:12].casefold() not in message.casefold()


def test_a_model_judges_once_wherever_it_runs() -> None:
    assert "named twice" in refusal({"judges": ["m@http://one/v1", "m@http://two/v1"]})
    assert KEYS[0] not in refusal({"judges": [KEYS[0], KEYS[0]]})


def test_where_a_judge_runs_is_not_part_of_the_identity() -> None:
    def mark(*judges: str) -> str:
        return fingerprint(build_config({"judges": list(judges)}).data_part(), {})

    assert mark("a", "b") == mark("a@http://h/v1", "b@https://other/v1#KEY") != mark("a", "c")
    assert mark("a", "b") != mark("b", "a") and mark() != mark("a")


def test_every_key_decides_about_talks_or_candidates_or_the_work() -> None:
    assert set(RunConfig.model_fields) == TALKS | REFINE_KEYS | RUN_KEYS
    assert not TALKS & REFINE_KEYS and not REFINE_KEYS & RUN_KEYS and not TALKS & RUN_KEYS
    assert RUN_KEYS == SITTING


@pytest.mark.parametrize("key", sorted(REFINE_KEYS))
def test_other_refinement_is_another_run(key: str) -> None:
    changed = build_config({key: OTHER[key]})
    assert changed.data_part()[key] != build_config({}).data_part()[key]
    assert fingerprint(changed.data_part(), {}) != fingerprint(build_config({}).data_part(), {})


# --- Keys and files -----------------------------------------------------------------------------------------


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
