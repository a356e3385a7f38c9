"""Paraphrases inside a cell are found, other reasons are kept, translations are tagged, and a resumed run agrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from culturepark.language import find_language
from culturepark.refine.candidate import KEPT, Candidate, StageContext
from culturepark.refine.encoder import Encoder, Engine, open_encoder
from culturepark.refine.stages.semantic_copies import Meanings, Neighbours, check, take_out_shared
from tests.copies import QUARTETS

PLACE = ("korean", "trust", 1)
SPACED = [tag for tag in QUARTETS if tag not in ("zh", "bn")]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    opened = open_encoder("auto")
    assert opened is not None
    return opened


def make_toy(same: float = 0.8, translation: float = 0.7) -> Encoder:
    """Vectors by hand: a text "20 words" lies at 20 degrees."""

    def embed(texts):
        angles = np.radians([float(t.split()[0]) if t.split() and t.split()[0].isdigit() else 0.0 for t in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    return Encoder([Engine("toy", frozenset(("en", "ko")), same, translation, embed)])


def make_candidate(text: str, id: str = "new", **other: object) -> Candidate:
    made = Candidate(id, text, "Whom do you trust?", "korean", "KR", "trust", 1, "opinion")
    return replace(made, **other)  # type: ignore[arg-type]


def make_context(meanings: Meanings | None, tag: str = "en") -> StageContext:
    pack = find_language(tag)
    assert pack is not None
    return StageContext(pack, tools={} if meanings is None else {"semantic_copies": meanings})


def find_one(
    encoder: Encoder, first: str, second: str, tag: str, same: float | None = None
) -> tuple[str, float] | None:
    meanings = Meanings(encoder, same)
    meanings.remember(PLACE, tag, "s0", first)
    return meanings.find(PLACE, tag, second)


@pytest.mark.parametrize(("same", "recall"), [(None, 0.25), (0.52, 0.45)])
def test_recall_and_false_alarms_on_our_own_pairs(encoder, same, recall):
    """The packaged encoder's honest worth: some of the hard paraphrases, no other reason behind the same opening."""
    hits = {"paraphrase": 0, "other": 0}
    rows = [(tag, row) for tag, rows in QUARTETS.items() if tag != "bn" for row in rows]
    for tag, row in rows:
        for kind in hits:
            hits[kind] += find_one(encoder, row.base, getattr(row, kind), tag, same) is not None
    assert hits["paraphrase"] >= recall * len(rows)
    assert hits["other"] == 0


def test_bengali_goes_through_its_own_engine(encoder):
    row = QUARTETS["bn"][4]
    assert find_one(encoder, row.base, row.near, "bn") is not None
    assert find_one(encoder, row.base, row.other, "bn") is None


@pytest.mark.parametrize("tag", QUARTETS)
def test_what_is_shared_is_taken_out(tag):
    row = QUARTETS[tag][3]
    assert take_out_shared(row.base, row.base, tag) == []
    left, right = take_out_shared(row.base, row.other, tag), take_out_shared(row.other, row.base, tag)
    assert left and right
    assert len(left) < 0.8 * len(take_out_shared(row.base, "", tag))


def test_a_text_that_says_more_is_no_copy():
    toy = make_toy()
    short = "10 we share one garden with the street"
    longer = f"{short} and every spring my aunt brings seeds from her village by the sea"
    assert find_one(toy, short, longer, "en") is None
    assert find_one(toy, short, f"{short} today honestly friends", "en") is not None


def test_only_the_same_culture_topic_answer_and_language_is_compared():
    meanings = Meanings(make_toy())
    meanings.remember(PLACE, "en", "s0", "10 alpha beta")
    assert meanings.find(PLACE, "en", "12 gamma delta") == ("s0", pytest.approx(0.999, abs=1e-2))
    assert meanings.find(PLACE, "en-GB", "12 gamma delta") is not None
    meanings.remember(PLACE, "en_US", "s1", "50 alpha beta")
    assert meanings.find(PLACE, "en", "51 gamma delta") is not None
    for place in (("arab", "trust", 1), ("korean", "work", 1), ("korean", "trust", 2)):
        assert meanings.find(place, "en", "12 gamma delta") is None
    assert meanings.find(PLACE, "ko", "12 gamma delta") is None


def test_the_most_alike_is_named():
    meanings = Meanings(make_toy())
    for name, text in (("s0", "0 alpha beta"), ("s1", "30 gamma delta"), ("s2", "24 epsilon zeta")):
        meanings.remember(PLACE, "en", name, text)
    found = meanings.find(PLACE, "en", "25 eta theta")
    assert found is not None and found[0] == "s2"


def test_more_texts_need_more_likeness_unless_the_user_set_it():
    def fill(same: float | None) -> Meanings:
        meanings = Meanings(make_toy(), same)
        for k in range(400):
            meanings.remember(PLACE, "en", f"s{k}", f"{90 + k % 90} far{k} away{k}")
        meanings.remember(PLACE, "en", "close", "0 alpha beta")
        return meanings

    few = Meanings(make_toy())
    few.remember(PLACE, "en", "close", "0 alpha beta")
    assert few.find(PLACE, "en", "35 gamma delta") is not None
    assert fill(None).find(PLACE, "en", "35 gamma delta") is None
    assert fill(0.8).find(PLACE, "en", "35 gamma delta") == ("close", pytest.approx(0.819, abs=1e-2))
    assert fill(None).find(PLACE, "en", "3 gamma delta") is not None


def test_vectors_are_made_late_and_once():
    asked: list[str] = []
    toy = make_toy()
    engine = toy.engines[0]
    counting = Encoder([replace(engine, embed=lambda texts: (asked.extend(texts), engine.embed(texts))[1])])
    meanings = Meanings(counting)
    for k in range(4):
        meanings.remember(PLACE, "en", f"s{k}", f"{k * 90} alpha{k} beta{k}")
    assert asked == [] and len(meanings) == 4
    assert meanings.find(PLACE, "en", "45 new words") is None
    assert len(asked) == 5
    meanings.remember(PLACE, "en", "s4", "45 new words")
    assert meanings.find(PLACE, "en", "46 other here") == ("s4", pytest.approx(1, abs=1e-2))
    assert asked.count("45 new words") == 1 and len(asked) == 6


def test_a_resumed_run_says_the_same_to_the_last_digit(encoder):
    texts = [(tag, k, row.base) for tag in SPACED[:3] for k, row in enumerate(QUARTETS[tag])]
    fresh, resumed = Meanings(encoder), Meanings(encoder)
    said = []
    for tag, k, text in texts:
        fresh.find(PLACE, tag, text)
        fresh.remember(PLACE, tag, f"{tag}{k}", text)
    for tag, k, text in texts:
        resumed.remember(PLACE, tag, f"{tag}{k}", text)
    for meanings in (fresh, resumed):
        said.append([meanings.find(PLACE, tag, QUARTETS[tag][k].paraphrase) for tag, k, _ in texts])
    assert said[0] == said[1] and any(said[0])


def test_translations_are_tagged_and_kept(encoder):
    meanings = Meanings(encoder)
    meanings.remember(("arab", "trust", 2), "de", "d1", QUARTETS["de"][0].base)
    ruling = check(make_candidate(QUARTETS["es"][0].base), make_context(meanings, "es"))
    assert ruling.kept and ruling.tags == ("translation_of:d1",)
    assert check(make_candidate(QUARTETS["es"][3].base), make_context(meanings, "es")) == KEPT
    elsewhere = make_candidate(QUARTETS["es"][0].base, topic="work")
    assert check(elsewhere, make_context(meanings, "es")) == KEPT


def test_the_stage_drops_a_paraphrase_and_remembers_nothing():
    meanings = Meanings(make_toy())
    meanings.remember(PLACE, "en", "s0", "10 alpha beta")
    ruling = check(make_candidate("12 gamma delta"), make_context(meanings))
    assert (ruling.reason, ruling.evidence) == ("paraphrase", "like s0, cosine 1.00")
    assert check(make_candidate("95 gamma delta"), make_context(meanings)) == KEPT
    assert check(make_candidate("12 gamma delta", "s0"), make_context(meanings)) == KEPT
    assert check(make_candidate("12 gamma delta"), make_context(None)) == KEPT
    assert len(meanings) == 1


def test_a_language_beyond_the_encoder_is_undecided():
    meanings = Meanings(make_toy())
    meanings.remember(PLACE, "bn", "s0", "10 alpha")
    assert len(meanings) == 0 and meanings.find(PLACE, "bn", "10 alpha") is None
    assert meanings.encode(["10 alpha"], "bn") is None and meanings.vectors(PLACE, "bn") is None
    assert check(make_candidate("10 alpha"), make_context(meanings, "bn")) == KEPT


def test_vectors_of_a_place_come_in_order():
    meanings = Meanings(make_toy())
    assert meanings.vectors(PLACE, "en") is None
    for k in range(3):
        meanings.remember(PLACE, "en", f"s{k}", f"{k * 90} word")
    rows = meanings.vectors(PLACE, "en")
    assert rows is not None and np.allclose(rows, [[1, 0], [0, 1], [-1, 0]], atol=1e-3)
    assert np.allclose(meanings.encode(["0 a", "90 b", "0 a"], "en"), [[1, 0], [0, 1], [1, 0]], atol=1e-6)


def test_a_big_cell_is_looked_through_coarsely_without_losing_the_alike():
    chance = np.random.RandomState(3)
    rows = chance.normal(size=(3000, 512)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    near = Neighbours()
    for start in range(0, 3000, 250):
        near.append(rows[start : start + 250])
    lost = 0
    for k in range(0, 3000, 10):
        noise = chance.normal(size=512).astype(np.float32)
        row = rows[k] + noise / np.linalg.norm(noise) * 0.8
        found = near.find_alike(row / np.linalg.norm(row), 0.7)
        lost += not found or found[0][0] != k
    assert lost <= 3  # of 300, at a cosine of 0.78


class Counted:
    """An encoder that notes what it was asked for."""

    def __init__(self) -> None:
        self.inner, self.asked = make_toy(), []
        self.find_engine = self.inner.find_engine

    def encode(self, texts, tag):
        self.asked.extend(texts)
        return self.inner.encode(texts, tag)


def test_a_text_that_was_looked_at_is_not_encoded_again_when_it_is_kept():
    encoder = Counted()
    meanings = Meanings(encoder)  # type: ignore[arg-type]
    meanings.remember(PLACE, "en", "s0", "10 a")
    for number, text in enumerate(("50 b", "89 c", "130 d"), 1):
        assert meanings.find(PLACE, "en", text) is None
        meanings.remember(PLACE, "en", f"s{number}", text)
        for other in range(100):  # so much else comes between
            meanings.encode([f"{other} {number}"], "en")
    assert meanings.find(PLACE, "en", "131 d") is not None
    assert [t for t in encoder.asked if t in ("10 a", "50 b", "89 c", "130 d")] == ["10 a", "50 b", "89 c", "130 d"]


def test_known_vectors_are_given_out_as_they_are_kept():
    encoder = Counted()
    meanings = Meanings(encoder)  # type: ignore[arg-type]
    meanings.remember(PLACE, "en", "s0", "10 a")
    meanings.remember(PLACE, "en", "s1", "50 b")
    assert meanings.look_up(["10 a", "50 b"], "en") == {}
    meanings.find(PLACE, "en", "89 c")
    meanings.remember(PLACE, "en", "s2", "89 c")
    found = meanings.look_up(["10 a", "89 c", "70 z"], "en-GB")
    assert list(found) == ["10 a", "89 c"] and meanings.look_up(["10 a"], "ko") == {}
    for text, row in found.items():
        assert row.dtype == np.float16 and (row == encoder.encode([text], "en")[0].astype(np.float16)).all()


def test_when_too_much_is_kept_the_fullest_cell_forgets_its_oldest():
    meanings, small = Meanings(make_toy(), 0.999, most=12), ("korean", "trust", 2)
    meanings.remember(small, "en", "few", "45 a")
    for number in range(30):
        meanings.remember(PLACE, "en", f"s{number}", f"{number * 6} a")
        assert len(meanings) <= 12
        assert meanings.find(PLACE, "en", f"{number * 6} a") == (f"s{number}", pytest.approx(1.0, abs=1e-3))
    assert meanings.find(PLACE, "en", "0 a") is None
    assert meanings.find(small, "en", "45 a") == ("few", pytest.approx(1.0, abs=1e-3))
    vectors = meanings.vectors(PLACE, "en")
    assert vectors is not None and len(vectors) == len(meanings) - 1


def test_a_cell_counts_what_it_forgot():
    """The limit rises with all texts a cell has had, as chance does."""
    found = []
    for most, start in ((10_000, 0), (8, 0), (8, 392)):
        meanings = Meanings(make_toy(0.98), most=most)
        for number in range(start, 400):
            meanings.remember(PLACE, "en", f"s{number}", f"{number // 10} a")
        found.append(meanings.find(PLACE, "en", "49 a") is not None)
    assert found == [False, False, True]
