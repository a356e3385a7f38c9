"""Copies are found in nine languages, other reasons are not, and the answer depends on nothing but the texts."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.language import find_language
from culturepark.refine.candidate import KEPT, Candidate, StageContext
from culturepark.refine.stages.near_copies import NearCopies, check, split_words
from tests.copies import QUARTETS

BASE = QUARTETS["en"][0].base
ROWS = [pytest.param(tag, row, id=f"{tag}-{k}") for tag, rows in QUARTETS.items() for k, row in enumerate(rows)]


def make_candidate(text: str, id: str = "new") -> Candidate:
    return Candidate(id, text, "Whom do you trust?", "korean", "KR", "trust", 1, "opinion")


def make_context(index: NearCopies | None, tag: str = "en") -> StageContext:
    pack = find_language(tag)
    assert pack is not None
    return StageContext(pack, tools={} if index is None else {"near_copies": index})


def fill(*texts: str, tag: str = "en", threshold: float = 0.7) -> NearCopies:
    index = NearCopies(threshold)
    for number, text in enumerate(texts):
        index.add(f"s{number}", text, tag)
    return index


@pytest.mark.parametrize(("tag", "row"), ROWS)
def test_small_edits_are_near_copies(tag, row):
    found = fill(row.base, tag=tag).find(row.near, tag)
    assert found is not None and found[0] == "s0" and 0.6 <= found[1] < 1


@pytest.mark.parametrize(("tag", "row"), ROWS)
def test_another_reason_or_wording_is_no_near_copy(tag, row):
    index = fill(row.base, tag=tag)
    assert index.find(row.other, tag) is None
    assert index.find(row.paraphrase, tag) is None


@pytest.mark.parametrize("tag", QUARTETS)
def test_each_copy_is_found_among_all_texts_of_all_languages(tag):
    index = NearCopies()
    for other, rows in QUARTETS.items():
        for k, row in enumerate(rows):
            index.add(f"{other}-{k}", row.base, other)
            index.add(f"{other}-{k}-other", row.other, other)
    for k, row in enumerate(QUARTETS[tag]):
        found = index.find(row.near, tag)
        assert found is not None and found[0] == f"{tag}-{k}"


@pytest.mark.parametrize(
    ("tag", "text", "copy"),
    [
        ("en", BASE, BASE.upper().replace(".", " !")),
        ("en", "I can’t leave my mother alone.", "I can't leave my mother alone"),
        ("de", "Die Straße ist groß, ich bleibe hier.", "Die STRASSE ist gross; ich bleibe hier!"),
        ("tr", "İnsanlar bana iyi davranır.", "insanlar bana iyi davranır"),
        ("ar", "أَثِقُ بِجِيرانِي كثيرا.", "اثق بجيراني كثيرا"),
        ("ar", "لي ٣ أولاد في البيت", "لي 3 أولاد في البيت"),
        ("zh", "我信任我的邻居，因为他们帮过我。", "我信任我的邻居因为他们帮过我"),
        ("zh", "我有３个孩子在上学。", "我有3个孩子在上学。"),
        ("bn", "আমার ৩টি সন্তান আছে, তারা স্কুলে যায়।", "আমার 3টি সন্তান আছে তারা স্কুলে যায়"),
        ("ko", "저는 이웃을 믿어요!", "저는 이웃을 믿어요"),
        ("es", "Mi abuela crió a cinco niños.", "mi abuela crió a cinco niños"),
        ("en", "My family comes first.", "My ｆａｍｉｌｙ comes ﬁrst."),
    ],
)
def test_spelling_and_punctuation_make_no_new_text(tag, text, copy):
    assert fill(text, tag=tag).find_same(copy, tag) == "s0"


def test_another_word_or_order_is_not_the_same_words():
    index = fill("I trust my neighbours very much.")
    assert index.find_same("I trust my neighbours very little.", "en") is None
    assert index.find_same("My neighbours I trust very much.", "en") is None


def test_numbers_count_alike_but_are_not_the_same_words():
    index = fill("I have lived on this street for 34 years and I know every door.")
    other = "I have lived on this street for 7 years and I know every door."
    assert index.find_same(other, "en") is None
    assert index.find(other, "en") == ("s0", 1.0)


def test_the_most_alike_text_is_named_and_of_equals_the_first():
    index = fill(BASE.replace("winter", "summer"), BASE, BASE)
    assert index.find(BASE, "en") == ("s1", 1.0)
    assert index.find_same(BASE, "en") == "s1"


def test_the_threshold_decides():
    near = QUARTETS["en"][1].near
    assert fill(QUARTETS["en"][1].base, threshold=0.5).find(near, "en") is not None
    assert fill(QUARTETS["en"][1].base, threshold=0.999).find(near, "en") is None


def test_short_texts_are_compared_too():
    index = fill("I trust my aunt more than any bank.")
    assert index.find("I trust my uncle more than any bank.", "en") is not None
    assert index.find("I trust my aunt because she listens.", "en") is None


@pytest.mark.parametrize("empty", ["", "  ", "...!?", "\n"])
def test_a_text_without_words_is_like_nothing(empty):
    index = fill(empty, BASE)
    assert len(index) == 1
    assert index.find(empty, "en") is None and index.find_same(empty, "en") is None


@pytest.mark.parametrize("text", ["a", "\ud800 broken", "ß" * 3, "🙂 fine", "x" * 5000])
def test_odd_texts_are_taken(text):
    index = fill(text)
    assert len(index) == 0 or index.find(text, "en") == ("s0", 1.0)


def test_many_half_alike_texts_do_not_hide_the_copy():
    shared = "In our village the well is cleaned together every spring, whoever stays away pays for bread, and "
    chance = random.Random(5)
    ends = [" ".join("".join(chance.choices("abcdefghiklmnoprstuvw", k=6)) for _ in range(9)) for _ in range(200)]
    index = fill(*(shared + end for end in ends))
    for k in (0, 77, 199):
        found = index.find(f"{shared.replace('spring', 'autumn')}{ends[k]}", "en")
        assert found is not None and found[0] == f"s{k}"
    assert index.find(f"{shared}nobody in the street has ever forgotten that day", "en") is None


@pytest.mark.parametrize(
    ("tag", "text", "copy"),
    [
        (
            "ko",
            "저녁마다 강가를 걸으면 마음이 가라앉아요. 그래서 매일 나갑니다.",
            "음, 저녁마다 강가를 걸으면 마음이 가라앉거든요. 그래서 날마다 나갑니다.",
        ),
        ("ar", "أمشي كل مساء قرب النهر فيهدأ قلبي وأنام.", "أنا أمشي كل مساء بقرب النهر، فيهدأ قلبي ثم أنام الليل."),
        ("zh", "我每天晚上沿着河边走，心里就安静了。", "说真的，我每天晚上沿着河边走走，心里就安静下来了。"),
        (
            "tr",
            "Her akşam nehir boyunca yürürüm, içim rahatlar.",
            "Ben her akşam nehir boyunca yürürüm, içim de rahatlıyor.",
        ),
    ],
)
def test_endings_and_particles_do_not_hide_a_short_copy(tag, text, copy):
    assert fill(text, tag=tag).find(copy, tag) is not None


def test_the_stage_names_the_copy_and_adds_nothing():
    index = fill(BASE)
    same = check(make_candidate(BASE + " "), make_context(index))
    near = check(make_candidate(QUARTETS["en"][0].near), make_context(index))
    assert (same.reason, near.reason) == ("duplicate", "near_copy")
    assert "s0" in same.evidence and near.evidence.startswith("like s0, 0.")
    assert check(make_candidate(QUARTETS["en"][0].other), make_context(index)) == KEPT
    assert len(index) == 1


def test_the_stage_keeps_all_without_an_index_and_a_candidate_beside_itself():
    assert check(make_candidate(BASE), make_context(None)) == KEPT
    assert check(make_candidate(BASE, "s0"), make_context(fill(BASE))) == KEPT
    assert check(make_candidate(QUARTETS["en"][0].near, "s0"), make_context(fill(BASE))) == KEPT


def test_the_answer_is_the_same_in_every_process():
    code = (
        "from culturepark.refine.stages.near_copies import NearCopies\n"
        "from tests.copies import QUARTETS\n"
        "index = NearCopies(0.3)\n"
        "for tag, rows in QUARTETS.items():\n"
        "    for k, row in enumerate(rows):\n"
        "        print(index.find(row.near, tag), index.find(row.other, tag))\n"
        "        index.add(f'{tag}{k}', row.base, tag)\n"
        "        print(index.find(row.near, tag), index.find(row.other, tag))\n"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1] and told[0].count("0.") >= 54


@given(st.text(max_size=200))
def test_every_text_is_like_itself(text):
    index = fill(text)
    if split_words(text):
        assert index.find(text, "en") == ("s0", 1.0) and index.find_same(text, "en") == "s0"
    else:
        assert len(index) == 0
