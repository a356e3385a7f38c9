"""The defect files keep their form: every language, every defect often enough, twins that differ where they should.

What a defect is made of is checked only where arithmetic can: check digits, runs of words, counts of letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher

import pytest

from tests.defects import FOLDER, LANGUAGES, Case, load_cases, load_facts, load_pairs, load_stances

LEAST = {
    "wrong_language": 6,
    "mixed_script": 6,
    "role_leak": 8,
    "as_an_ai": 6,
    "refusal": 8,
    "personal_data": 8,
    "real_person": 5,
    "stereotype": 10,
    "markup": 4,
    "harm": 4,
    "benchmark": 3,
}
PAIRS = {("near_copy", True): 8, ("near_copy", False): 6, ("paraphrase", True): 6, ("paraphrase", False): 6}
CASES = [(language, case) for language in LANGUAGES for case in load_cases(language)]
JOINERS = "\u200c\u200d"
by_language = pytest.mark.parametrize("language", LANGUAGES)


def of_defect(*defects: str) -> pytest.MarkDecorator:
    chosen = [(language, case) for language, case in CASES if case.defect in defects]
    return pytest.mark.parametrize(("language", "case"), chosen, ids=[case.id for _, case in chosen])


def measure_likeness(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b, autojunk=False).ratio()


def split_units(text: str, language: str) -> list[str]:
    """Words without marks at their ends; characters where words are not spaced."""
    words = [re.sub(r"^[^\w]+|[.,:;?!…。，：；？！।\"“”«»]+$", "", word) for word in text.casefold().split()]
    units = [re.sub(r"\W", "", word) for word in words] if language == "chinese" else words
    return [unit for unit in ("".join(units) if language == "chinese" else units) if unit]


def count_shared_run(case: Case, text: str, language: str) -> int:
    a, b = split_units(case.benchmark, language), split_units(text, language)
    return SequenceMatcher(None, a, b, autojunk=False).find_longest_match(0, len(a), 0, len(b)).size


def count_foreign_letters(text: str, main: str) -> Counter[str]:
    """Letters by script, those of the main script left out; compatibility radicals count as letters."""
    found = Counter(name_script(c) for c in text if c.isalpha() or is_radical(c))
    del found[main]
    return found


def is_radical(char: str) -> bool:
    return "RADICAL" in unicodedata.name(char, "")


def name_script(char: str) -> str:
    return unicodedata.name(char, "?").split()[0]


def list_hidden(text: str) -> list[str]:
    return [f"U+{ord(c):04X}" for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn") and c not in JOINERS]


def test_there_is_a_file_for_every_language() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(LANGUAGES)


def test_unknown_language_is_an_error() -> None:
    with pytest.raises(KeyError, match="klingon"):
        load_cases("klingon")


@by_language
def test_every_defect_is_planted_often_enough(language: str) -> None:
    found = Counter(case.defect for case in load_cases(language))
    assert set(found) == set(LEAST)
    assert {defect: n for defect, n in found.items() if n < LEAST[defect]} == {}


@by_language
def test_pairs_and_judge_examples_are_balanced(language: str) -> None:
    pairs = Counter((pair.kind, pair.same) for pair in load_pairs(language))
    assert set(pairs) == set(PAIRS) and all(pairs[kind] >= least for kind, least in PAIRS.items())
    relations = Counter(stance.relation for stance in load_stances(language))
    assert set(relations) == {"follows", "contradicts", "silent"} and min(relations.values()) >= 2
    verdicts = Counter(fact.verdict for fact in load_facts(language))
    assert set(verdicts) == {"supported", "contradicted", "unknown"} and min(verdicts.values()) >= 2


def test_ids_are_unique_over_all_files() -> None:
    ids = Counter(
        row.id
        for language in LANGUAGES
        for rows in (load_cases(language), load_pairs(language), load_stances(language), load_facts(language))
        for row in rows
    )
    assert [name for name, n in ids.items() if n > 1] == []


def test_no_text_is_used_twice() -> None:
    texts = Counter(text for _, case in CASES for text in (case.text, case.clean_twin))
    assert [text for text, n in texts.items() if n > 1] == []


@by_language
def test_no_text_is_empty_or_a_left_over_of_the_notation(language: str) -> None:
    texts = [text for case in load_cases(language) for text in (case.text, case.clean_twin)]
    texts += [text for pair in load_pairs(language) for text in (pair.a, pair.b)]
    texts += [text for stance in load_stances(language) for text in (stance.view, stance.text)]
    texts += [text for fact in load_facts(language) for text in (fact.fact, fact.text)]
    assert [t for t in texts if len(t) < 8 or t != t.strip() or re.search(r"§§|\[\[|\]\]|\{!|@@|@low@", t)] == []


@by_language
def test_twins_differ_but_share_the_surface(language: str) -> None:
    cases = load_cases(language)
    assert [c.id for c in cases if c.text.split() == c.clean_twin.split() or len(c.clean_twin) < 20] == []
    likeness = {c.id: measure_likeness(c.text, c.clean_twin) for c in cases if c.defect != "wrong_language"}
    assert {name: value for name, value in likeness.items() if value < 0.4} == {}


@by_language
def test_only_markup_cases_hide_characters(language: str) -> None:
    cases = load_cases(language)
    assert [c.id for c in cases if list_hidden(c.clean_twin)] == []
    assert [c.id for c in cases if c.defect != "markup" and list_hidden(c.text.replace("\n", ""))] == []
    assert [c.id for c in cases if c.defect != "markup" and "\ufffd" in c.text] == []


@of_defect("mixed_script")
def test_mixed_script_has_more_foreign_letters_than_its_twin(language: str, case: Case) -> None:
    main = Counter(name_script(c) for c in case.clean_twin if c.isalpha()).most_common(1)[0][0]
    planted, own = count_foreign_letters(case.text, main), count_foreign_letters(case.clean_twin, main)
    assert planted.total() > own.total() or set(planted) - set(own)


@of_defect("wrong_language")
def test_wrong_language_does_not_repeat_its_twin(language: str, case: Case) -> None:
    assert measure_likeness(case.text, case.clean_twin) < 0.8


@of_defect("benchmark")
def test_benchmark_text_repeats_the_question_and_the_twin_does_not(language: str, case: Case) -> None:
    assert count_shared_run(case, case.text, language) >= 15
    assert count_shared_run(case, case.clean_twin, language) < 8


@by_language
def test_only_benchmark_cases_carry_a_question(language: str) -> None:
    assert [c.id for c in load_cases(language) if bool(c.benchmark) != (c.defect == "benchmark")] == []


def test_addresses_are_reserved_for_examples() -> None:
    addresses = [
        a for _, case in CASES for t in (case.text, case.clean_twin) for a in re.findall(r"\S+@(\S+?\.\w+)", t)
    ]
    assert len(addresses) >= len(LANGUAGES)
    assert {a for a in addresses if not a.startswith("example.")} == set()


@of_defect("personal_data")
def test_planted_numbers_have_valid_check_digits(language: str, case: Case) -> None:
    for found in re.findall(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4})+(?: ?[A-Z0-9]{1,3})?\b", case.text):
        account = found.replace(" ", "")
        assert int("".join(str(int(c, 36)) for c in account[4:] + account[:4])) % 97 == 1, found
    for card in re.findall(r"\b\d{4} \d{4} \d{4} \d{4}\b", re.sub(r"[A-Z]{2}\d{2}[ A-Z0-9]+", "", case.text)):
        digits = [int(c) for c in reversed(card) if c != " "]
        assert sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0, card


@by_language
def test_copies_are_nearer_than_paraphrases(language: str) -> None:
    pairs = load_pairs(language)
    assert [pair.id for pair in pairs if pair.a == pair.b] == []
    near = [measure_likeness(p.a, p.b) for p in pairs if p.kind == "near_copy" and p.same]
    reworded = [measure_likeness(p.a, p.b) for p in pairs if p.kind == "paraphrase" and p.same]
    assert min(near) > max(reworded)
