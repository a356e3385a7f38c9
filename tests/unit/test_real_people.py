"""Real people: who must be found in nine languages, and which names and titles are everyday talk."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from culturepark.language import load_language
from culturepark.refine.candidate import Candidate, StageContext
from culturepark.refine.stages import people
from culturepark.refine.stages.real_people import check

KNOWN = frozenset(
    (
        "Ahmed",
        "Abdul Karim",
        "Maria Clara",
        "Juan Carlos",
        "Min-jun",
        "Egypt",
        "South Korea",
        "Porto",
        "İstanbul",
        "Angela",
    )
)

_EXAMPLES = yaml.safe_load((Path(__file__).parents[1] / "data" / "real_people.yaml").read_text(encoding="utf-8"))
HITS: dict[str, list[str]] = _EXAMPLES["hits"]
CLEAN: dict[str, list[str]] = _EXAMPLES["clean"]


def find(name: str, text: str, names: tuple[str, ...] = (), known: frozenset[str] = KNOWN) -> tuple[str, str]:
    context = StageContext(load_language(name), names=names, known_names=known)
    ruling = check(Candidate("c1", text, "", "arab", "EGY", "care", 1, "opinion"), context)
    return ruling.reason, ruling.evidence


def test_every_language_has_enough_examples() -> None:
    assert HITS.keys() == CLEAN.keys() and len(HITS) == 9
    assert all(len(texts) >= 3 for texts in HITS.values()) and all(len(texts) >= 6 for texts in CLEAN.values())


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HITS.items() for text in texts])
def test_real_people_are_found(name: str, text: str) -> None:
    reason, evidence = find(name, text)
    assert reason == "real_person"
    assert evidence.split()[-1].removesuffix("'") in people.level_names(text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in CLEAN.items() for text in texts])
def test_everyday_names_pass(name: str, text: str) -> None:
    assert find(name, text) == ("", "")


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("I met Volodymyr Zelenskyy at the baths.", "Volodymyr Zelenskyy"),
        ("Beyonce wrote to my niece.", "Beyonce"),
        ("ELON MUSK lives in my street.", "ELON MUSK"),
        ("We voted for Merkel, or against her.", "Merkel"),
        ("I saw Kim Jong-un at the station and laughed.", "Kim Jong-un"),
    ],
)
def test_spellings_of_one_name(text: str, evidence: str) -> None:
    assert find("english", text) == ("real_person", evidence)


def test_people_at_the_table_and_known_names_pass() -> None:
    text = "I asked Diego Maradona, my neighbour, about it."
    assert find("english", text)[0] == "real_person"
    assert find("english", text, names=("Diego Maradona",))[0] == ""
    assert find("english", text, known=frozenset(("Diego Maradona",)))[0] == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Einstein hangs on the wall of our school.", False),
        ("Einstein told people to eat slowly.", True),
        ("We read a book about Gandhi.", False),
        ("My father quotes what Gandhi wrote about salt.", True),
    ],
)
def test_people_of_the_last_centuries_may_be_named_but_not_quoted(text: str, found: bool) -> None:
    assert (find("english", text)[0] == "real_person") is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("She plays songs of Shakira at the stall.", False),
        ("We saw a film with Tom Hanks twice.", False),
        ("In his book Barack Obama says that mothers know best.", True),
        ("Our clinic is in Barack Obama Avenue.", False),
    ],
)
def test_works_and_streets_are_not_the_person(text: str, found: bool) -> None:
    assert (find("english", text)[0] == "real_person") is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("My doctor, Dr. Hassan, says rest is best.", False),
        ("Imam Yusuf says that a guest is a gift.", False),
        ("Professor Lena Halvorsen says that a guest is a gift.", True),
        ("Queen Victoria hung in the hall.", False),
        ("Senator Blythe shook my hand.", True),
        ("My cousin Karim Ahmed said no.", False),
        ("I asked Maria Clara about it and she said yes.", False),
        ("Yesterday Karl Ostrander said the road is shut.", True),
        ("Then Ostrander said the road is shut.", False),
    ],
)
def test_titles_and_verbs_of_saying(text: str, found: bool) -> None:
    assert (find("english", text)[0] == "real_person") is found


def test_the_list_is_names_only() -> None:
    words = people.load_words()
    names = [name for line in words.people for name in line]
    assert len(names) > 2000 and len(words.people) > 300
    assert all(name.strip() == name and 2 <= len(name) <= 45 for name in names)
    assert not [name for name in names if name.isascii() and name.islower()]
