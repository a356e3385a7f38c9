"""Rules that end a talk, each on natural text, and talk that must go on."""

from __future__ import annotations

import pytest

from culturepark.dialogue.stops import collapses, find_stop, is_off_topic, repeats, touches_topic
from culturepark.records import Persona
from tests.builders import ENGLISH, TOPIC, make_people, make_turns

TALK = (
    "My mother lives two floors below us, and I carry her soup down every evening.",
    "We paid a nurse for my father, because none of us could lift him any more.",
    "A stranger nursing her would break her heart, so my wife and I take turns.",
    "I held his hand on Sundays instead, and we talked more than in all the years before.",
    "Last winter I slept on my mother's sofa for a month and nearly lost my job over it.",
    "My boss gave me a week, and after that the home was the only door still open.",
)


def stop_after(*texts: str, limit: int = 12, people: dict[str, Persona] | None = None, speakers: str = "ab") -> str:
    turns = make_turns(*texts, speakers=speakers)
    return find_stop(turns, limit, TOPIC, people or make_people(), ENGLISH)


def test_a_natural_talk_goes_on_to_its_limit() -> None:
    assert [stop_after(*TALK[:k], limit=6) for k in range(1, 7)] == [""] * 5 + ["turn_limit"]


def test_nothing_said_is_no_end() -> None:
    assert stop_after() == ""
    assert stop_after("Welcome. Hassan, who cooks?", speakers="m", limit=1) == ""


def test_the_limit_counts_speeches_only() -> None:
    assert stop_after("Who begins?", TALK[0], TALK[1], speakers="mab", limit=3) == ""
    assert stop_after("Who begins?", TALK[0], TALK[1], speakers="mab", limit=2) == "turn_limit"


@pytest.mark.parametrize(
    ("bye", "stop"),
    [
        ("That is my bus, and my mother waits. Goodbye, Min-jun.", "farewell"),
        ("My father needs his pills. I will see you on Friday.", "farewell"),
        ("We said goodbye to my father in March, and the house is still full of him.", ""),
        ("I take care of my mother, and she takes care of my temper.", ""),
    ],
)
def test_farewell(bye: str, stop: str) -> None:
    assert stop_after(*TALK[:3], bye) == stop


def test_a_farewell_comes_no_earlier_than_everyone_has_spoken() -> None:
    bye = "That is my bus, and my mother waits. Goodbye, Min-jun."
    assert stop_after(*TALK[:2], bye) == ""
    four = make_people(4)
    assert stop_after(*TALK[:3], bye, people=four, speakers="abcd") == "farewell"


def test_repetition() -> None:
    again = "Well, I carry her soup down every evening, for my mother lives two floors below us."
    assert stop_after(*TALK[:2], again) == "repetition"
    assert stop_after(*TALK, again, limit=7) == "repetition"
    assert stop_after(*TALK[:2], "My mother lives alone now, and my brother brings her soup.") == ""


def test_repetition_is_measured_on_the_last_turn() -> None:
    assert repeats(make_turns(TALK[0], TALK[0]))
    assert not repeats(make_turns(TALK[0], TALK[0], TALK[1]))
    assert not repeats(make_turns("Yes, yes.", "Yes, yes."))  # too short to have a triple
    assert not repeats(make_turns(TALK[0]))


def test_a_shared_view_is_repetition_only_in_the_same_mouth() -> None:
    view = make_people()["b"].stance.view
    mine, yours = f"My mother? {view}", f"And mine, I say: {view}"
    assert stop_after(mine, yours) == ""
    assert stop_after(mine, yours, TALK[2], f"As I said. {view}") == "repetition"
    assert repeats(make_turns(mine, yours))


FOOTBALL = (
    "The striker missed twice before half time, and the whole stand groaned.",
    "They changed the coach in autumn, and since then nobody passes the ball.",
    "I watched the match on a small screen with bad sound.",
)


def test_off_topic_takes_three_turns() -> None:
    assert stop_after(TALK[0], *FOOTBALL) == "off_topic"
    assert stop_after(TALK[0], *FOOTBALL[:2]) == ""
    assert stop_after(*FOOTBALL[:2], "My father would have laughed at that striker.") == ""


@pytest.mark.parametrize(
    ("text", "touches"),
    [
        ("Her grandmothers? No, her elderly aunts.", True),
        ("He is in the ageing ward.", True),
        ("We nursed him for years.", True),
        ("Someone has to visit.", False),
        ("The gold price rose.", False),
        ("", False),
    ],
)
def test_words_of_the_topic(text: str, touches: bool) -> None:
    topic = TOPIC.model_copy(update={"discuss": "Talk about it."})
    assert touches_topic(text, topic, ENGLISH) is touches


def test_off_topic_needs_a_stretch() -> None:
    assert not is_off_topic(make_turns(*FOOTBALL[:2]), TOPIC, ENGLISH)
    assert is_off_topic(make_turns(*FOOTBALL), TOPIC, ENGLISH)


AGREEING = (
    "Yes, my mother would say the same about duty.",
    "You’re right, a nurse is no daughter.",
    "I completely agree, the old need their own bed.",
    "Exactly, my father wanted that as well.",
)


def test_collapse() -> None:
    assert stop_after(*AGREEING) == "collapse"
    assert stop_after(TALK[0], *AGREEING) == "collapse"
    assert stop_after(*AGREEING[:3]) == ""


@pytest.mark.parametrize(
    "turn",
    [
        "Yes, but my father never asked for it.",
        "Exactly, although a nurse costs more than I earn as a son of old parents.",
        "You are right about duty, and I am not sure my sister sees her mother.",
        "My father wanted that as well.",
    ],
)
def test_one_own_word_is_no_collapse(turn: str) -> None:
    assert stop_after(*AGREEING[:3], turn) == ""


@pytest.mark.parametrize(("codes", "far"), [((1, 5), True), ((1, 3), True), ((1, 2), False), ((1, None), False)])
def test_only_people_who_began_far_apart_collapse(codes: tuple[int, int | None], far: bool) -> None:
    assert collapses(make_turns(*AGREEING), TOPIC, make_people(2, codes), ENGLISH) is far
