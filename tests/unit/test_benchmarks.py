"""Items of benchmark files are found wherever they stand in a text; everyday words that items also hold are not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from culturepark.errors import DataError
from culturepark.language import find_language
from culturepark.refine.candidate import KEPT, Candidate, StageContext
from culturepark.refine.encoder import Encoder, Engine, open_encoder
from culturepark.refine.stages.benchmarks import Benchmarks, check, hash_grams
from tests.copies import QUARTETS

# Made-up items; the text says one of them in passing.
ITEMS = {
    "en": (
        "Which of these four villages lies furthest from the lighthouse that Miriam paints every autumn afternoon?",
        "My cousin teased me: which of these four villages lies furthest from the lighthouse that Miriam paints every autumn afternoon, and I had no idea.",
        "My cousin asked me which of the villages lies furthest from the lighthouse, and I told her that Miriam paints it in autumn.",
    ),
    "es": (
        "¿Cuál de las siguientes herramientas usaría primero un relojero para abrir la caja de un reloj antiguo de bolsillo?",
        "En el curso preguntaron cuál de las siguientes herramientas usaría primero un relojero para abrir la caja de un reloj antiguo de bolsillo, y dudé.",
        "Mi tío es relojero y para abrir la caja de un reloj antiguo usa primero una herramienta que heredó de su padre.",
    ),
    "pt": (
        "Qual dos quatro pescadores da lenda voltou ao porto antes da lua cheia com a rede completamente vazia?",
        "Lembro da prova: qual dos quatro pescadores da lenda voltou ao porto antes da lua cheia com a rede completamente vazia. Eu errei.",
        "Na lenda do meu avô, um dos pescadores voltou ao porto com a rede vazia, e por isso eu confio em quem perde.",
    ),
    "de": (
        "Welche der folgenden Brücken wurde nach dem großen Hochwasser zuerst von den Zimmerleuten der Nachbarstadt wieder aufgebaut?",
        "In der Prüfung stand: Welche der folgenden Brücken wurde nach dem großen Hochwasser zuerst von den Zimmerleuten der Nachbarstadt wieder aufgebaut? Das war schwer.",
        "Nach dem großen Hochwasser wurde unsere Brücke von den Zimmerleuten der Nachbarstadt wieder aufgebaut, seitdem helfe ich dort.",
    ),
    "tr": (
        "Aşağıdaki dört terziden hangisi düğün kumaşını kesmeden önce mutlaka annesinin eski makasını bileyip üç kez dua eder?",
        "Sınavda şunu sordular: aşağıdaki dört terziden hangisi düğün kumaşını kesmeden önce mutlaka annesinin eski makasını bileyip üç kez dua eder, şaşırdım.",
        "Teyzem terzidir, düğün kumaşını kesmeden önce mutlaka annesinin eski makasını biler.",
    ),
    "ar": (
        "أي من السفن الأربع التالية وصلت إلى الميناء القديم قبل العاصفة حاملة صناديق التمر والزجاج الأزرق؟",
        "سألني المعلم أي من السفن الأربع التالية وصلت إلى الميناء القديم قبل العاصفة حاملة صناديق التمر والزجاج الأزرق فلم أعرف.",
        "كان جدي يقول إن السفن تصل إلى الميناء القديم قبل العاصفة، ولذلك نثق بالبحارة.",
    ),
    "ko": (
        "다음 네 마을 가운데 등대에서 가장 먼 곳에 있으며 가을마다 화가가 찾아와 그림을 그리는 마을은 어디인가?",
        "시험에 다음 네 마을 가운데 등대에서 가장 먼 곳에 있으며 가을마다 화가가 찾아와 그림을 그리는 마을은 어디인가 하고 나왔어요.",
        "우리 마을은 등대에서 먼 곳에 있지만 가을마다 화가가 찾아와서 이웃끼리 반갑게 맞이해요.",
    ),
    "zh": (
        "下列四位裁缝当中，哪一位在剪开婚礼布料之前一定要先磨利母亲留下的旧剪刀？",
        "考试的时候问我下列四位裁缝当中哪一位在剪开婚礼布料之前一定要先磨利母亲留下的旧剪刀，我答不上来。",
        "我姑姑是裁缝，剪婚礼布料之前她总要磨一磨母亲留下的旧剪刀。",
    ),
    "bn": (
        "নিচের চারটি গ্রামের মধ্যে কোনটি বাতিঘর থেকে সবচেয়ে দূরে এবং কোন গ্রামে প্রতি শরতে চিত্রকর ছবি আঁকতে আসেন?",
        "পরীক্ষায় এসেছিল নিচের চারটি গ্রামের মধ্যে কোনটি বাতিঘর থেকে সবচেয়ে দূরে এবং কোন গ্রামে প্রতি শরতে চিত্রকর ছবি আঁকতে আসেন, আমি পারিনি।",
        "আমাদের গ্রাম বাতিঘর থেকে দূরে, তবু প্রতি শরতে একজন চিত্রকর আসেন।",
    ),
}


def load(folder: Path, *rows: object, encoder: Encoder | None = None) -> Benchmarks:
    path = folder / "exam.jsonl"
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return Benchmarks.load([path], encoder)


@pytest.fixture
def all_items(tmp_path) -> Benchmarks:
    return load(tmp_path, *({"question": item} for item, _, _ in ITEMS.values()))


@pytest.mark.parametrize("tag", ITEMS)
def test_an_item_in_a_text_is_found(all_items, tag):
    row = list(ITEMS).index(tag) + 1
    assert all_items.find(ITEMS[tag][1], tag).startswith(f"exam.jsonl, row {row}: ")
    assert all_items.find(ITEMS[tag][0], tag).startswith(f"exam.jsonl, row {row}: ")


@pytest.mark.parametrize("tag", ITEMS)
def test_the_same_matter_in_own_words_is_not_found(all_items, tag):
    assert all_items.find(ITEMS[tag][2], tag) == ""


@pytest.mark.parametrize(("tag", "rows"), QUARTETS.items())
def test_everyday_texts_are_not_found(all_items, tag, rows):
    assert [text for row in rows for text in row if all_items.find(text, tag)] == []


def test_the_evidence_shows_the_shared_words(all_items):
    assert all_items.find(ITEMS["en"][1], "en").endswith(
        "which of these four villages lies furthest from the lighthouse that miriam paints"
    )


def test_thirteen_words_are_needed_of_a_long_item(tmp_path):
    words = [f"word{k}" for k in range(30)]
    made = load(tmp_path, {"text": " ".join(words)})
    for start in (0, 9, 17):
        assert made.find(f"so {' '.join(words[start : start + 13])} it was", "en")
        assert not made.find(f"so {' '.join(words[start : start + 12])} it was", "en")


def test_eight_words_are_needed_of_a_middle_item(tmp_path):
    words = [f"word{k}" for k in range(12)]
    made = load(tmp_path, {"text": " ".join(words)})
    assert made.find(f"so {' '.join(words[3:11])} it was", "en")
    assert not made.find(f"so {' '.join(words[3:10])} it was", "en")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Who carved the seven doors?", True),
        ("They asked: who carved the seven doors? I was silent.", True),
        ("Once more, «Who carved the seven doors» was the question", True),
        ("I wonder who carved the seven doors in our street.", False),
        ("Who carved the seven doors of Fez?", False),
        ("Nobody knows who carved the seven doors.", False),
        ("Who carved the doors?", False),
    ],
)
def test_a_short_item_must_be_a_clause_of_its_own(tmp_path, text, found):
    assert bool(load(tmp_path, {"q": "Who carved the seven doors?"}).find(text, "en")) is found


def test_items_under_four_words_are_passed_over(tmp_path):
    made = load(tmp_path, {"q": "Strongly agree", "a": ["Yes", "Not at all", "C"], "n": 12, "t": True, "x": None})
    assert len(made) == 0 and not made.find("Not at all. Yes. Strongly agree.", "en")


@pytest.mark.parametrize(
    ("item", "text", "found"),
    [
        ("请问谁雕刻了七扇门", "老师说：请问谁雕刻了七扇门？我不知道。", True),
        ("请问谁雕刻了七扇门", "我常常请问谁雕刻了七扇门上的花。", False),
        ("谁雕刻了门", "谁雕刻了门？", False),
        ("请问究竟是谁雕刻了村口那七扇木门", "他想问请问究竟是谁雕刻了村口那七扇木门来着", True),
    ],
)
def test_short_items_without_spaces(tmp_path, item, text, found):
    assert bool(load(tmp_path, {"q": item}).find(text, "zh")) is found


def test_twenty_characters_are_needed_without_spaces(tmp_path):
    item = ITEMS["zh"][0].replace("，", "").replace("？", "")
    made = load(tmp_path, {"q": item})
    assert made.find(f"他说{item[5:25]}吧", "zh")
    assert not made.find(f"他说{item[5:24]}吧", "zh")


def test_spelling_and_digits_do_not_hide_an_item(tmp_path):
    made = load(tmp_path, {"q": "In 1952 the Café’s owner counted ３１ empty bottles before the feast began"})
    assert made.find("IN 1952, the cafe\u0301's owner — counted 31 empty bottles... before the feast began!", "en")
    assert not made.find("In 1953 the owner counted 31 full bottles before the feast began", "en")


def test_every_kind_of_file_is_read(tmp_path):
    item = ITEMS["en"][0]
    nested = {"meta": {"version": 1}, "data": [{"x": "short"}, {"q": {"deep": [item]}}]}
    (tmp_path / "a.json").write_text(json.dumps(nested), "utf-8")
    (tmp_path / "b.json").write_text(json.dumps([{"q": "none"}, {"q": item}]), "utf-8")
    with (tmp_path / "c.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "question"], ["1", "short"], ["2", f'{item} "quoted", and\nmore']])
    (tmp_path / "d.tsv").write_text(f"id\tquestion\n1\tshort\n2\t{item}\n", "utf-8")
    (tmp_path / "e.txt").write_text(f"A first line.\n{item}\n", "utf-8")
    words = item.split()
    wrapped = "\n".join(" ".join(words[k : k + 6]) for k in range(0, len(words), 6))
    (tmp_path / "f.txt").write_text(f"\ufeffAnother line.\n\n{wrapped}\n\nThe end.\n", "utf-8")
    (tmp_path / "g.txt").write_text(wrapped, "utf-8")
    rows = {"a.json": 2, "b.json": 2, "c.csv": 2, "d.tsv": 2, "e.txt": 2, "f.txt": 3, "g.txt": 1}
    for name, row in rows.items():
        found = Benchmarks.load([tmp_path / name]).find(ITEMS["en"][1], "en")
        assert found.startswith(f"{name}, row {row}: "), name
    assert Benchmarks.load([tmp_path / name for name in rows]).find(ITEMS["en"][1], "en").startswith("a.json, ")


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.parquet", b"PAR1", "write it again"),
        ("a", b"text", "write it again"),
        ("a.jsonl", b'{"q": "x"}\n{broken\n', "not valid JSONL"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.txt", b"\xff\xfe\x00", "UTF-8"),
        ("a.csv", b'"' + b"x" * 200_000, "not valid CSV"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, name, content, wanted):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=wanted):
        Benchmarks.load([tmp_path / name])


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Benchmarks.load([tmp_path / "none.jsonl"])


@pytest.mark.parametrize("content", ["", "\n\n", "[]", '"one string of only few words"'])
def test_a_file_without_items_finds_nothing(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(content, "utf-8")
    assert Benchmarks.load([tmp_path / "a.jsonl"]).find("Any text of some words.", "en") == ""


@pytest.mark.parametrize("text", ["", " ", "...", "one"])
def test_empty_texts_hold_nothing(all_items, text):
    assert all_items.find(text, "en") == ""


def test_hashes_of_runs_are_those_of_the_same_run_elsewhere():
    words = np.random.RandomState(1).randint(0, 2**62, 300).astype(np.uint64)
    whole = hash_grams(words, 13)
    assert len(np.unique(whole)) == len(whole) == 288
    for start in (0, 1, 150, 287):
        assert hash_grams(words[start : start + 13], 13)[0] == whole[start]
        assert hash_grams(words[start : start + 13][::-1], 13)[0] != whole[start]
    assert len(hash_grams(words[:12], 13)) == 0


def test_a_reworded_item_is_found_by_meaning_only_when_very_near(tmp_path):
    encoder = open_encoder("auto")
    reworded = ITEMS["en"][0].replace("Which of these four", "Which one of the four").replace("every", "each")
    reworded = reworded.replace("lies", "is").replace("these", "the").replace("furthest from", "farthest from")
    plain, near = load(tmp_path, {"q": ITEMS["en"][0]}), load(tmp_path, {"q": ITEMS["en"][0]}, encoder=encoder)
    assert plain.find(reworded, "en") == ""
    assert near.find(reworded, "en").startswith("exam.jsonl, row 1: cosine 0.9")
    assert near.find(ITEMS["en"][2], "en") == ""
    assert near.find(reworded, "xx") == ""


def test_meaning_names_the_right_row_of_many(tmp_path):
    def embed(texts):
        angles = np.radians([float(t.split()[-1]) for t in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    toy = Encoder([Engine("toy", frozenset(), 0.5, 0.5, embed)])
    rows = [{"q": f"item number {k} stands at {k * 60}"} for k in range(6)]
    assert load(tmp_path, *rows, encoder=toy).find("all other words 185", "en") == "exam.jsonl, row 4: cosine 1.00"
    assert load(tmp_path, *rows, encoder=toy).find("all other words 210", "en") == ""


def make_candidate(question: str, text: str) -> Candidate:
    return Candidate("new", text, question, "korean", "KR", "trust", 1, "opinion")


def test_the_stage_checks_question_and_answer(all_items):
    pack = find_language("en")
    assert pack is not None
    context = StageContext(pack, tools={"benchmarks": all_items})
    fine, item = "I would ask my aunt about it first.", ITEMS["en"][0]
    for candidate in (make_candidate(item, fine), make_candidate("What then?", f"{fine} {item}")):
        ruling = check(candidate, context)
        assert ruling.reason == "benchmark" and ruling.evidence.startswith("exam.jsonl, row 1: ")
    assert check(make_candidate("What then?", fine), context) == KEPT
    assert check(make_candidate(item, fine), replace(context, tools={})) == KEPT
