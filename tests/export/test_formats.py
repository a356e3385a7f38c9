"""Each format's rows: their shape, and that they say what the sample says."""

from __future__ import annotations

import json

import pytest

from culturepark.errors import ConfigError
from culturepark.export.consumers import OpenAiRules, estimate_tokens, find_fault
from culturepark.export.formats import FORMATS, choose_formats, choose_primary
from culturepark.export.parquet import gather_table, make_schema
from culturepark.export.records import Part
from culturepark.records import Verdict
from culturepark.runs.folder import Run
from tests.export.made import make_pair, make_sample

SYSTEM = {"role": "system", "content": "You are 40."}
ASK = {"role": "user", "content": "And the old?"}
SAY = {"role": "assistant", "content": "We look after them."}
WHY = {"role": "user", "content": "Why?"}
END = {"role": "assistant", "content": "It is owed.\n\nThat is all."}
MULTI = make_sample(messages=(SYSTEM, ASK, SAY, WHY, END), form="multi")


def test_messages_are_the_chat_word_for_word() -> None:
    row = FORMATS["messages"].make(MULTI)
    assert row is not None
    assert row["messages"] == [SYSTEM, ASK, SAY, WHY, END]
    assert (row["id"], row["culture"], row["topic"], row["form"]) == (MULTI.id, "arab", "care", "multi")


def test_a_pair_has_its_prompt_by_itself() -> None:
    pair = make_pair(messages=(SYSTEM, ASK, SAY), rejected="Nobody does.")
    row = FORMATS["preference"].make(pair)
    assert row is not None
    assert row["prompt"] == [SYSTEM, ASK]
    assert row["chosen"] == [SAY]
    assert row["rejected"] == [{"role": "assistant", "content": "Nobody does."}]
    assert FORMATS["preference"].make(MULTI) is None


def test_sharegpt_uses_its_own_names() -> None:
    row = FORMATS["sharegpt"].make(MULTI)
    assert row is not None
    assert [m["from"] for m in row["conversations"]] == ["system", "human", "gpt", "human", "gpt"]
    assert [m["value"] for m in row["conversations"]] == [m["content"] for m in MULTI.messages]


def test_alpaca_puts_the_talk_before_the_last_question_into_the_input() -> None:
    row = FORMATS["alpaca"].make(MULTI)
    assert row is not None
    assert (row["system"], row["instruction"], row["output"]) == ("You are 40.", "Why?", END["content"])
    assert row["input"] == "User: And the old?\n\nAssistant: We look after them."
    plain = FORMATS["alpaca"].make(make_sample(messages=(ASK, SAY)))
    assert plain is not None and (plain["system"], plain["input"]) == ("", "")


def test_openai_rows_have_nothing_but_messages() -> None:
    odd = {**SAY, "name": "Hassan"}
    assert FORMATS["openai"].make(make_sample(messages=(ASK, odd))) == {"messages": [ASK, SAY]}


def test_whole_samples_keep_item_verdicts_and_lineage() -> None:
    sample = make_sample(verdicts=(Verdict(stage="form", kept=True),), tags=("moved",), answer=None)
    row = FORMATS["parquet"].make(sample)
    assert row is not None
    assert (row["survey"], row["item"], row["survey_share"], row["survey_n"]) == ("wvs7", "Q38", 0.5, 100)
    assert (row["dialogue"], row["persona"], row["answer"]) == ("d1", "d1-a", None)
    assert json.loads(row["lineage"]) == sample.lineage
    assert json.loads(row["findings"]) == sample.findings.model_dump(mode="json")
    table = gather_table([row], FORMATS["parquet"].columns).to_pylist()
    assert table[0]["verdicts"] == [{"stage": "form", "kept": True, "reason": "", "evidence": ""}]
    assert table[0]["tags"] == ["moved"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_row_of_a_real_run_fits_the_columns(run: Run, name: str) -> None:
    format = FORMATS[name]
    rows = [row for sample in run.samples() if (row := format.make(sample)) is not None]
    assert rows and all(set(row) == set(format.columns) for row in rows)
    assert gather_table(rows, format.columns).schema == make_schema(format.columns)
    assert gather_table(iter(()), format.columns).num_rows == 0


def test_an_unknown_format_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no format 'mesages' .did you mean 'messages'"):
        choose_formats(["mesages"])
    with pytest.raises(ConfigError, match="no format is given"):
        choose_formats([])


def test_the_primary_format_is_one_that_the_hub_shows() -> None:
    assert choose_primary(choose_formats(["openai", "parquet", "messages"])) == "parquet"
    assert choose_primary(choose_formats(["openai", "alpaca"])) == "openai"
    assert [f.name for f in choose_formats(["alpaca", "openai", "alpaca"])] == ["alpaca", "openai"]


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ((SYSTEM, ASK, SAY, WHY, END), ""),
        ((ASK, SAY), ""),
        ((), "bad_roles"),
        ((SYSTEM,), "bad_roles"),
        ((ASK,), "bad_roles"),
        ((ASK, SAY, WHY), "bad_roles"),
        ((SAY, ASK), "bad_roles"),
        ((ASK, ASK), "bad_roles"),
        ((ASK, SYSTEM, SAY, END), "bad_roles"),
        (({"role": "tool", "content": "x"}, SAY), "bad_roles"),
        ((ASK, {"role": "assistant", "content": " \n"}), "empty_message"),
        (({**SYSTEM, "content": ""}, ASK, SAY), "empty_message"),
    ],
)
def test_chats_no_trainer_takes(messages: tuple[dict[str, str], ...], fault: str) -> None:
    assert find_fault(make_sample(messages=messages)) == fault


def test_pairs_no_trainer_takes() -> None:
    assert find_fault(make_pair(messages=(ASK, SAY), rejected="We do not.")) == ""
    assert find_fault(make_pair(messages=(ASK, SAY), rejected=f" {SAY['content']}")) == "equal_answers"
    assert find_fault(make_pair(messages=(ASK, SAY), rejected=" ")) == "bad_rejected_answer"


def test_tokens_are_estimated_by_script() -> None:
    assert estimate_tokens([{"role": "user", "content": "a" * 400}]) == 104
    assert estimate_tokens([{"role": "user", "content": "가" * 160}]) == 104
    assert estimate_tokens([ASK, SAY]) == estimate_tokens([ASK]) + estimate_tokens([SAY])


def test_openai_rules_speak_of_long_rows_short_files_and_tokens() -> None:
    rules = OpenAiRules()
    assert rules.take({"messages": [{"role": "user", "content": "a" * 4 * 65_536}]}, "train") == "too_long"
    assert rules.take({"messages": [{"role": "user", "content": "a" * 396}]}, "train") == ""
    assert rules.take({"messages": [{"role": "user", "content": "a" * 396}]}, "test") == ""

    def part(culture: str, rows: int, size: int = 10) -> Part:
        file = f"data/openai/{culture}/train.jsonl"
        return Part(format="openai", culture=culture, split="train", files=(file,), rows=rows, bytes=size)

    said = list(rules.describe([part("arab", 9), part("korean", 10), part("german", 20, 600_000_000)]))
    assert said == [
        "openai: about test 103, train 103 tokens an epoch, by estimate",
        "openai: a training file needs 10 rows at least, not so many have arab",
        "openai: data/openai/german/train.jsonl is over 512 MB, too large for one upload",
    ]
    assert list(rules.describe([])) == []
