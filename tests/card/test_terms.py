"""Terms of surveys, models and licences, and their clashes."""

from __future__ import annotations

import re

import pytest

from culturepark.card.settings import read_settings
from culturepark.card.terms import (
    Licence,
    find_clash,
    find_model_terms,
    list_cautions,
    list_clashes,
    list_models,
    load_licences,
    load_terms,
    settle_licence,
)
from culturepark.card.write import write_card
from culturepark.errors import ConfigError, DataError
from culturepark.runs.folder import Run
from tests.card.conftest import TERMS


@pytest.mark.parametrize(
    ("model", "outputs"),
    [
        ("gpt-4o-mini", "no_competing"),
        ("openai:gpt-5", "no_competing"),
        ("openai/o3-mini", "no_competing"),
        ("openai/gpt-oss-120b", "free"),
        ("claude-sonnet-4", "no_competing"),
        ("meta-llama/Llama-2-70b-chat-hf", "own_family"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "own_family"),
        ("meta-llama/Llama-3.1-8B-Instruct", "conditions"),
        ("llama-4-scout", "conditions"),
        ("Qwen/Qwen2.5-7B-Instruct", "free"),
        ("Qwen/Qwen2.5-72B-Instruct-AWQ", "conditions"),
        ("Qwen/Qwen2.5-3B-Instruct", "noncommercial"),
        ("Qwen/Qwen3-32B", "free"),
        ("google/gemma-2-9b-it", "conditions"),
        ("google/gemma-9", "unknown"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "free"),
        ("mistral-large-2411", "noncommercial"),
        ("CohereForAI/aya-expanse-8b", "noncommercial"),
        ("mock", "free"),
        ("mockingbird-7b", "unknown"),
        ("my-model", "unknown"),
    ],
)
def test_a_model_is_known_by_its_name(model: str, outputs: str) -> None:
    assert find_model_terms(model).outputs == outputs


def test_every_pattern_compiles_and_no_entry_claims_more_than_it_knows() -> None:
    for entry in load_terms().models:
        assert re.compile(entry.match) and entry.provenance in ("read", "notes", "recalled")
    assert load_terms().surveys["wvs7"].noncommercial


@pytest.mark.parametrize(
    ("surveys", "models", "licence", "words"),
    [
        (["wvs7"], [], "mit", "World Values Survey wave 7 allow non-profit use only"),
        (["wvs7"], [], None, "no licence is stated"),
        (["wvs7"], ["mock"], "cc-by-nc-4.0", ""),
        (["wvs7"], ["mock"], "other", ""),
        ([], ["mock"], "apache-2.0", ""),
        ([], ["mock"], None, ""),
        ([], ["aya-expanse"], "cc-by-4.0", "the model aya-expanse"),
        ([], ["Llama-2-7b"], "cc-by-nc-4.0", "its own family"),
        ([], ["Llama-2-7b"], "llama2", ""),
        ([], ["gpt-4o"], "cc-by-4.0", ""),
    ],
)
def test_clashes(surveys: list[str], models: list[str], licence: str | None, words: str) -> None:
    found = "; ".join(list_clashes(surveys, models, licence))
    assert (words in found) if words else not found
    assert "\n" not in found


def test_what_is_no_clash_is_a_caution() -> None:
    lines = "\n".join(list_cautions(["gpt-4o", "x-model", "mock"], Licence("cc-by-nc-nd-4.0")))
    assert "compete with OpenAI" in lines and "x-model are unknown" in lines and "forbids sharing" in lines
    assert "mock" not in lines


def test_the_run_names_its_models_and_surveys(judged: Run) -> None:
    assert list_models(judged) == {
        "mock": ("wrote the talks", "read, verified and mended"),
        "gpt-4o": ("judged",),
        "my-judge": ("judged",),
    }
    assert "World Values Survey" in find_clash(judged, "mit")
    assert find_clash(judged, "cc-by-nc-4.0") == ""
    assert "no licence is stated" in find_clash(judged, None)


def test_a_model_given_as_a_folder_shows_its_last_part_only(judged: Run) -> None:
    judged.manifest["config"]["model"] = "/home/ann/models/Qwen3-8B"
    text = write_card(judged.path, judged, None, **TERMS).read_text()
    assert "Qwen3-8B" in text and "/home/ann" not in text


def test_topics_whose_files_are_gone_have_an_unknown_survey(judged: Run) -> None:
    judged.manifest["config"]["scenarios"] = str(judged.path / "gone")
    assert find_clash(judged, "mit") == ""
    assert find_model_terms("unknown").outputs == "unknown"


@pytest.mark.parametrize(
    ("given", "found"),
    [("CC-BY-NC-4.0", "cc-by-nc-4.0"), ("apache-2.0", "apache-2.0"), ("gpl-3.0-only", "gpl-3.0"), (" mit ", "mit")],
)
def test_a_licence_is_known_by_either_id(given: str, found: str) -> None:
    assert settle_licence(given) == Licence(found)


@pytest.mark.parametrize(
    ("given", "name", "link", "words"),
    [
        ("cc-by-nc-5.0", "", "", "did you mean"),
        ("unknown", "", "", "states no licence"),
        ("other", "", "", "--license-name"),
        ("other", "My Terms", "LICENSE", "--license-name"),
        ("other", "my-terms", "http://x", "--license-link"),
        ("mit", "my-terms", "", "--license other"),
        (None, "my-terms", "", "--license other"),
    ],
)
def test_a_wrong_licence_is_one_line(given: str | None, name: str, link: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        settle_licence(given, name, link)
    assert "\n" not in str(caught.value)


def test_every_licence_of_the_table_can_be_stated() -> None:
    for name in load_licences().keys() - {"other", "unknown"}:
        assert settle_licence(name) == Licence(name)


def test_a_licence_of_ones_own_is_written_and_read_back(judged: Run) -> None:
    said = {"license": "other", "license_name": "my-terms-1.0", "license_link": "https://cultures.org/terms"}
    write_card(judged.path, judged, None, **said, contact="https://cultures.org/ask")
    found = read_settings(judged.path)
    assert found.licence == Licence("other", "my-terms-1.0", "https://cultures.org/terms")
    assert found.contact == "https://cultures.org/ask"


def test_a_licence_nobody_knows_in_an_old_card_is_told(judged: Run) -> None:
    (judged.path / "README.md").write_text("---\nlicense: my-own\n---\n")
    with pytest.raises(DataError, match="no licence the Hub knows"):
        write_card(judged.path, judged, None)
