"""A folder becomes passages with lasting ids; a search finds the right one in nine languages."""

from __future__ import annotations

import json

import pytest

from culturepark.errors import DataError
from culturepark.refine.passages import Passages, Source, count_words, cut_passage, split_tokens

SHELF = {
    "en": ("Guests are offered tea before anything else is said.", "guest tea"),
    "es": ("Los domingos la familia come junta en casa de la abuela.", "comer en familia los domingos"),
    "pt": ("As festas juninas enchem as ruas de fogueiras.", "fogueira na rua"),
    "de": ("Am Waschtag hängt die ganze Straße ihre Wäsche auf.", "Wäsche am Waschtag"),
    "tr": ("Bayramda küçükler büyüklerin elini öper.", "bayram günü el öpmek büyükler"),
    "ar": ("يقدم أهل البيت القهوة للضيف قبل الطعام.", "القهوه والضيوف: قهوة ضيف"),
    "ko": ("설날에는 가족이 모여 떡국을 먹습니다.", "설날의 떡국"),
    "zh": ("客人进门以后先请他喝一杯热茶。", "请客人喝茶"),
    "bn": ("নববর্ষে সবাই মিলে মেলায় যায়।", "নববর্ষের মেলা"),
}


@pytest.mark.parametrize("tag", SHELF)
def test_a_search_finds_the_passage_in_its_language(tag):
    passages = Passages([Source(name, text) for name, (text, _) in SHELF.items()])
    assert [s.id for s in passages.search(SHELF[tag][1], 1)] == [tag]


def test_only_passages_that_share_words_come_best_first():
    passages = Passages(
        [
            Source("a", "Bread is baked at night in our street."),
            Source("b", "Bread and salt welcome a guest; bread is never thrown away."),
            Source("c", "The bus leaves at noon."),
        ]
    )
    assert [s.id for s in passages.search("who throws bread away to a guest", 3)] == ["b", "a"]
    assert passages.search("zebra quagga", 3) == []
    assert passages.search("", 3) == passages.search("bread", 0) == []


def test_of_equals_the_earlier_comes_first():
    passages = Passages([Source(f"p{k}", "The same words here.") for k in range(30)])
    assert [s.id for s in passages.search("same words", 3)] == ["p0", "p1", "p2"]


def test_a_folder_is_read_in_order_with_ids(tmp_path):
    (tmp_path / "b.md").write_text("# Feasts\n\nFirst feast\nis in spring.\n\n\n  \nSecond feast.\n", "utf-8")
    (tmp_path / "a.txt").write_text("\ufeffOne paragraph.\r\n\r\nAnother one.", "utf-8")
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": "From a row.", "x": 1}) + "\n\n", "utf-8")
    (tmp_path / "d.csv").write_text("not,read\n", "utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.md").write_text("The same stem.", "utf-8")
    passages = Passages.load(tmp_path)
    found = {s.id: s.text for s in passages.search("paragraph another feast spring second row stem one first", 20)}
    assert found == {
        "a#1": "One paragraph.",
        "a#2": "Another one.",
        "a#3": "The same stem.",
        "b#1": "Feasts",
        "b#2": "First feast is in spring.",
        "b#3": "Second feast.",
        "c#1": "From a row.",
    }


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("A secret text.", "utf-8")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "own.txt").write_text("An own text.", "utf-8")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "folder").symlink_to(outside)
    (inside / "near.txt").symlink_to(inside / "own.txt")
    passages = Passages.load(inside)
    assert passages.search("secret") == []
    assert [s.id for s in passages.search("own text")] == ["near#1", "own#1"]


def test_a_long_paragraph_is_cut_between_sentences(tmp_path):
    sentence = "Our street keeps its own calendar of small feasts and long debts."  # 12 words
    (tmp_path / "long.txt").write_text(" ".join([sentence] * 25), "utf-8")
    pieces = list(cut_passage(" ".join([sentence] * 25)))
    assert [count_words(p) for p in pieces] == [120, 120, 60]
    assert all(p.startswith("Our") and p.endswith("debts.") for p in pieces)
    assert len(Passages.load(tmp_path)) == 3


@pytest.mark.parametrize("text", ["word " * 500, "客人先喝茶，" * 200, "客人先喝茶。" * 200, "x" * 3000, "যায় " * 400])
def test_no_piece_is_longer_and_no_word_is_lost(text):
    pieces = list(cut_passage(text.strip()))
    assert all(count_words(p) <= 121 for p in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.jsonl", b"{not json}\n", "line 1"),
        ("a.jsonl", b'{"text": "fine"}\n{"texts": "x"}\n', "line 2"),
        ("a.jsonl", b'["text"]\n', "line 1"),
        ("a.txt", b"\xff\xfe\x00bad", "UTF-8"),
        ("a.txt", b" \n\n ", "no passages"),
        ("a.pdf", b"%PDF", "no passages"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, name, content, wanted):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=wanted):
        Passages.load(tmp_path)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(DataError, match="not a folder"):
        Passages.load(tmp_path / "nowhere")


@pytest.mark.parametrize("texts", [[], [""], ["...", "!"], ["", "one word"]])
def test_empty_texts_harm_nothing(texts):
    passages = Passages([Source(str(k), t) for k, t in enumerate(texts)])
    assert passages.search("zebra") == []
    assert len(passages) == len(texts)


def test_nothing_is_written_on_the_screen(capfd):
    passages = Passages([Source(str(k), f"text number {k}") for k in range(200)])
    passages.search("number 7")
    assert capfd.readouterr() == ("", "")


def test_tokens_of_scripts_without_spaces_are_pairs():
    assert split_tokens("先喝茶 tea") == ["先", "先喝", "喝茶", "tea"]
    assert "학교" in split_tokens("학교에서는")


def test_arabic_articles_do_not_part_a_family_of_words():
    assert set(split_tokens("والمدرسة")) & set(split_tokens("مدرستنا المدرسة"))
    assert "مدرسة-" in split_tokens("المدرسة") and "مدرسة-" in split_tokens("بالمدرسة")
