"""Personal data: what must be found in nine languages, and the everyday numbers that must not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.errors import MissingPartError
from culturepark.language import load_language
from culturepark.refine.candidate import KEPT, Candidate, StageContext
from culturepark.refine.presidio import open_presidio
from culturepark.refine.stages.personal import checksums
from culturepark.refine.stages.personal.found import Found, level
from culturepark.refine.stages.personal_data import check, find_personal_data, mask

_EXAMPLES = yaml.safe_load((Path(__file__).parents[1] / "data" / "personal_data.yaml").read_text(encoding="utf-8"))
HITS: dict[str, list[str]] = _EXAMPLES["hits"]
CLEAN: dict[str, list[str]] = _EXAMPLES["clean"]
_FLAT_HITS = [(name, text) for name, texts in HITS.items() for text in texts]
_FLAT_CLEAN = [(name, text) for name, texts in CLEAN.items() for text in texts]


def test_every_language_has_enough_examples() -> None:
    assert HITS.keys() == CLEAN.keys() and len(HITS) == 9
    assert all(len(texts) >= 8 for texts in HITS.values()) and all(len(texts) >= 12 for texts in CLEAN.values())


@pytest.mark.parametrize(("name", "text"), _FLAT_HITS)
def test_personal_data_is_found(name: str, text: str) -> None:
    assert find_personal_data(text, load_language(name)) is not None


@pytest.mark.parametrize(("name", "text"), _FLAT_CLEAN)
def test_everyday_numbers_pass(name: str, text: str) -> None:
    assert find_personal_data(text, load_language(name)) is None


def ask(text: str, tools: dict[str, object] | None = None, name: str = "english") -> tuple[str, str]:
    context = StageContext(load_language(name), tools=tools or {})
    ruling = check(Candidate("c1", text, "", "arab", "EGY", "care", 1, "opinion"), context)
    return ruling.reason, ruling.evidence


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("Write to rosa.bell@example.org today.", "e-mail r***@***"),
        ("Ring me at +49 171 2345678 tonight.", "phone +***"),
        ("We still live at 48 Orchard Lane.", "address 4***"),
    ],
)
def test_the_value_is_masked(text: str, evidence: str) -> None:
    assert ask(text) == ("personal_data", evidence)


@given(st.text(min_size=1, max_size=30))
def test_a_mask_shows_one_character_at_most(value: str) -> None:
    shown = mask(Found("e-mail", value)).removeprefix("e-mail ")
    assert len(shown.replace("***@***", "").strip()) <= 1


class Second:
    """Stands in for the analyser of the extra."""

    def __init__(self, *kinds: str) -> None:
        self.kinds, self.asked = list(kinds), 0

    def find(self, text: str, tag: str) -> list[str]:
        self.asked += 1
        return self.kinds


def test_the_analyser_is_asked_only_where_the_rules_find_nothing() -> None:
    second = Second("us_bank_number")
    assert ask("My mother grows beans.", {"presidio": second}) == ("personal_data", "us_bank_number")
    assert ask("Write to rosa@example.org.", {"presidio": second})[1] == "e-mail r***@***" and second.asked == 1
    assert ask("My mother grows beans.", {"presidio": Second()}) == ("", "")
    assert KEPT.reason == ask("My mother grows beans.")[0]


def test_an_analyser_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(MissingPartError, match=r"culturepark\[presidio\]"):
        open_presidio()


@pytest.mark.parametrize(
    ("is_valid", "good"),
    [
        (checksums.is_card, "4111111111111111"),
        (checksums.is_card, "378282246310005"),
        (checksums.is_iban, "GB82WEST12345698765432"),
        (checksums.is_chinese_id, "11010519491231002X"),
        (checksums.is_cpf, "52998224725"),
        (checksums.is_cnpj, "11222333000181"),
        (checksums.is_cuit, "20123456786"),
        (checksums.is_turkish_id, "10000000146"),
        (checksums.is_german_tax_id, "86095742719"),
        (checksums.is_spanish_id, "12345678Z"),
        (checksums.is_spanish_id, "X1234567L"),
        (checksums.is_portuguese_tax_id, "123456789"),
    ],
)
def test_check_digits_notice_one_wrong_digit(is_valid: Callable[[str], bool], good: str) -> None:
    assert is_valid(good)
    for at, digit in enumerate(good):
        if digit.isdigit():
            assert not is_valid(good[:at] + str((int(digit) + 1) % 10) + good[at + 1 :])


@pytest.mark.parametrize(
    ("is_valid", "value", "valid"),
    [
        (checksums.is_korean_id, "8001012345678", True),
        (checksums.is_korean_id, "8013012345678", False),
        (checksums.is_korean_id, "8001019345678", False),
        (checksums.is_egyptian_id, "28503151234567", True),
        (checksums.is_egyptian_id, "28513151234567", False),
        (checksums.is_egyptian_id, "18503151234567", False),
        (checksums.is_card, "1111111111111117", False),
        (checksums.is_cpf, "11111111111", False),
    ],
)
def test_shapes_without_check_digits(is_valid: Callable[[str], bool], value: str, valid: bool) -> None:
    assert is_valid(value) is valid


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("english", "It is oh one two, five five five, seven four four.", True),
        ("english", "We counted one, two, three, four, five, six, seven and ran.", False),
        ("german", "Also null eins sieben eins, zwei drei neun vier, das merkst du dir.", True),
        ("german", "Wir zählten sieben, sechs, fünf, vier, drei, zwei, eins.", False),
        ("korean", "공일공에 이삼사오에 육칠팔구로 연락 주세요.", True),
        ("chinese", "我的号码是幺三八零零二四六八幺三。", True),
        ("chinese", "一二三四五六七，我们数着台阶。", False),
        ("arabic", "رقمي صفر واحد صفر خمسة خمسة سبعة ستة أربعة.", True),
        ("bengali", "নম্বরটা শূন্য এক সাত এক দুই পাঁচ চার চার।", True),
        ("turkish", "Sıfır beş üç iki, dört dört bir, sonra iki bir.", True),
        ("spanish", "Es el seis uno dos, tres cuatro, nueve nueve.", True),
        ("portuguese", "Anota: nove oito sete meia, cinco quatro três três.", True),
    ],
)
def test_figures_in_words(name: str, text: str, found: bool) -> None:
    assert (find_personal_data(text, load_language(name)) is not None) is found


@given(st.text(st.sampled_from("0123456789٠١٩۴৫０９ -.+()")))
def test_levelling_changes_how_digits_look_and_no_more(text: str) -> None:
    assert [int(c) for c in level(text) if c.isdigit()] == [int(c) for c in text if c.isdigit()]
    assert level(level(text)) == level(text)


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("0123456789 +-./:@()abcXYZ年로شارع路号রোড,"), max_size=80), st.sampled_from(sorted(HITS))
)
def test_any_text_is_answered(text: str, name: str) -> None:
    found = find_personal_data(text, load_language(name))
    assert found is None or found.value
