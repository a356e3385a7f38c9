"""Every rule for a bad turn: what it catches, what it must let pass, and what is only cleaned."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.dialogue.checks import ASK_AGAIN, Cleaned, clean_turn, find_fault
from culturepark.dialogue.repetition import shares_run
from culturepark.language import load_language
from culturepark.llm.base import Finish, Reply
from tests.speech import FOREIGN, MACHINES, ORDINARY, REFUSALS, ROLE_LEAKS

ENGLISH = load_language("english")
PROMPT = (
    "Two to four plain spoken sentences each time, in English. No lists, no stage directions, "
    "no name in front of your words. Give reasons from life."
)
SAID = "My mother lived with us for nine years and I washed her hair every Friday before the prayer."


def judge(
    text: str,
    finish: Finish = "stop",
    refusal: str = "",
    others: tuple[str, ...] = ("Hassan", "Min-jun"),
    said: tuple[str, ...] = (SAID,),
    own: str = "Ji-woo",
) -> str:
    """The fault of a reply as the graph sees it: cleaned first, then checked."""
    reply = Reply(text, finish, refusal=refusal)
    return find_fault(clean_turn(text, reply, own, ENGLISH), reply, list(others), list(said), (PROMPT,), ENGLISH)


def clean(text: str, finish: Finish = "stop", own: str = "Ji-woo") -> Cleaned:
    return clean_turn(text, Reply(text, finish), own, ENGLISH)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_speech_passes(text: str) -> None:
    assert judge(text) == ""


@pytest.mark.parametrize(
    "text",
    ["", " \n ", "...", "—", "😀😀", '""', "*", "**", "Ji-woo:", "*sighs*", "(She nods slowly.)", "Ji-woo: *laughs*"],
)
def test_nothing_said_is_empty(text: str) -> None:
    assert judge(text) == "empty"


@pytest.mark.parametrize("text", ["Yes.", "No 😀", "5", "그래", "Ji-woo: Never.", "*sighs* Fine."])
def test_a_word_is_not_empty(text: str) -> None:
    assert judge(text) in ("", "wrong_language")


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text: str) -> None:
    assert judge(text) == "refusal"
    alone = text.startswith("Sorry")  # in the middle of a talk it may stand for anything
    assert judge(f"Thank you for asking. {text}") == ("" if alone else "refusal")


@pytest.mark.parametrize("text", MACHINES)
def test_programs(text: str) -> None:
    assert judge(text) == "as_an_ai"


@pytest.mark.parametrize("text", ROLE_LEAKS)
def test_role_leaks(text: str) -> None:
    assert judge(text) == "role_leak"


def test_the_servers_own_word_counts() -> None:
    assert judge("I think so too.", refusal="I cannot do this.") == "refusal"
    assert judge("I think so too.", finish="filter") == "filtered"
    assert judge("", finish="filter") == "filtered"
    assert judge("I think so too.", finish="other") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Hassan: In my house it was never a question.",
        "I see. \nHassan: Well, my father did.",
        "I see that. Hassan: Well, my father did.",
        "She did. Min-jun: But who paid for it?",
        "**Hassan:** My father did.",
        "[Min-jun]: My father did.",
        "HASSAN： My father did.",
        "Hassan (laughing): My father did.",
        "Ji-woo: I see.\nHassan: My father did.",
        '"I see."\n"Hassan": "My father did."',
    ],
)
def test_words_of_another(text: str) -> None:
    assert judge(text) == "speaks_for_other"


@pytest.mark.parametrize(
    "text",
    [
        "You put it well, Hassan: it is the nights that wear you out.",
        "Hassan, my father did all of it.",
        "I agree with Hassan and with Min-jun. Both of you have nursed someone.",
        "There are two things I want, Hassan said, and he was right.",
        "Hassan said it: nobody warns you.",
        "There were three of us: Hassan, Min-jun and I.",
        "I met a Hassanein once: a baker.",
        "One thing I know for sure: she never asked.",
    ],
)
def test_talk_to_another_is_fine(text: str) -> None:
    assert judge(text) == ""


@pytest.mark.parametrize("name", FOREIGN)
def test_wrong_language(name: str) -> None:
    assert judge(FOREIGN[name]) == "wrong_language"


def test_copies_of_the_prompt() -> None:
    assert judge("I mind stage directions, no name in front of your words.") == ""
    assert judge("So, no lists, no stage directions, NO name in front of your words!") == "copies_prompt"
    ten = "stage directions, no name in front of your words. Give"
    assert judge(f"I mind {ten}!") == "copies_prompt"
    assert judge(f"I mind {ten.removesuffix(' Give')}, and give.") == ""
    assert judge("Each time in English, no lists. I talk in two to four plain sentences, with a reason.") == ""


def test_echo() -> None:
    assert judge(f"You told us: {SAID}") == "echo"
    assert judge("My mother lived with us for nine years, and I washed her hair every Sunday.") == "echo"
    assert judge("I say, my mother lived with us for nine years and I washed her") == "echo"
    assert judge("I say, my mother lived with us for nine years and I washed too.") == ""
    assert judge("My mother lived with us for nine years too, and my sister washed her hair.") == ""
    assert judge(SAID, said=()) == ""


@pytest.mark.parametrize(
    ("shared", "length", "found"),
    [("a b c d", 4, True), ("a b c d", 5, False), ("A, b; C! d?", 4, True), ("", 1, False), ("ab c d", 3, False)],
)
@pytest.mark.parametrize("frame", ["x {} y", "{} y", "x {}"])
def test_runs_of_words(shared: str, length: int, found: bool, frame: str) -> None:
    assert shares_run(frame.format(shared), [f"z {shared.replace('ab', 'b')} w"], length) is found


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Ji-woo: I said no.", "I said no."),
        ("ji-woo : I said no.", "I said no."),
        ("**Ji-woo:** I said no.", "I said no."),
        ("[Ji-woo]: I said no.", "I said no."),
        ("Ji-woo： I said no.", "I said no."),
        ("Ji-woo (smiling): I said no.", "I said no."),
        ("Ji-woo: I said no.\nJi-woo: And I meant it.", "I said no.\nAnd I meant it."),
    ],
)
def test_the_own_name_in_front_is_taken_off(text: str, cleaned: str) -> None:
    assert clean(text) == Cleaned(cleaned, ("own_name_prefix",))


@pytest.mark.parametrize(
    "text", ["Ji-woo is my name.", "Call me Ji-woo: all do.", "I, Ji-woo: a baker.", "Ji-woos: many."]
)
def test_the_own_name_elsewhere_stays(text: str) -> None:
    assert clean(text) == Cleaned(text, ())


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("*sighs* It is hard.", "It is hard."),
        ("It is hard *sighs*.", "It is hard."),
        ("It is hard *shakes his head*.", "It is hard."),
        ("*Smiles and pours tea* Sit down.", "Sit down."),
        ("It is hard. *a long silence* Nobody helps.", "It is hard. Nobody helps."),
        ("Well, *laughs softly* I tried.", "Well, I tried."),
        ("(shaking head) I tried.", "I tried."),
        ("(She looks out of the window.) I tried.", "I tried."),
        ("I tried (laughs), and failed.", "I tried, and failed."),
    ],
)
def test_stage_directions_are_taken_out(text: str, cleaned: str) -> None:
    assert clean(text) == Cleaned(cleaned, ("stage_directions",))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("I *really* mean it.", "I really mean it."),
        ("*My* mother never asked.", "My mother never asked."),
        ("It was *her* house, not *his*.", "It was her house, not his."),
        ("Nobody asked *me*.", "Nobody asked me."),
        ("*Nobody* I know does that.", "Nobody I know does that."),
    ],
)
def test_stressed_words_stay(text: str, cleaned: str) -> None:
    assert clean(text).text == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "My aunt (the one by the sea) never asked.",
        "(I say so as a father.) It is hard.",
        "She took two jobs (cleaning and sewing) for us.",
        "We stayed (looking back, far too long) on the coast.",
        "Five * three is fifteen.",
        "I was ... well, young.",
    ],
)
def test_other_asides_stay(text: str) -> None:
    assert clean(text) == Cleaned(text, ())


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [('"I said no."', "I said no."), ("“I said no.”", "I said no."), ('Ji-woo: "I said no."', "I said no.")],
)
def test_enclosing_quotes_are_taken_off(text: str, cleaned: str) -> None:
    assert clean(text).text == cleaned
    assert clean(text).flags[-1] == "enclosing_quotes"


@pytest.mark.parametrize("text", ['"No," she said, "never."', '"No," she said.', '""', "I said “no”"])
def test_inner_quotes_stay(text: str) -> None:
    assert clean(text) == Cleaned(text, ())


def test_a_torn_end_is_cut_where_enough_is_left() -> None:
    torn = "My mother lived with us for years. I washed her hair and"
    assert clean(torn, "length") == Cleaned("My mother lived with us for years.", ("torn_end_cut",))
    assert judge(torn, "length") == ""
    assert clean(torn) == Cleaned(torn, ())


@pytest.mark.parametrize(
    "text", ["I think that my", "Yes. I think that my", "No. No. No. I think that my", "Dr. Kim told me"]
)
def test_too_little_before_a_torn_end_is_cut_off(text: str) -> None:
    assert judge(text, "length") == "cut_off"
    assert judge(text) == ""


@pytest.mark.parametrize(
    "piece", ["\n", " ", "then ", "well, ", "*", "(", '"', "softly ", "all ", "i'm sorry, but i can't "]
)
def test_a_model_that_runs_wild_costs_no_time(piece: str) -> None:
    text, start = "I " + piece * (15000 // len(piece)) + "see", time.process_time()
    judge(text)
    for kind in ENGLISH.patterns:
        ENGLISH.find(kind, text)
    assert time.process_time() - start < 3  # seconds; it takes a tenth, and quadratic patterns take ten


def test_the_model_is_told_what_was_wrong() -> None:
    faults = {
        judge(""),
        judge("I think that my", "length"),
        judge("Fine.", "filter"),
        judge(REFUSALS[0]),
        judge(MACHINES[0]),
        judge(ROLE_LEAKS[0]),
        judge("Hassan: Yes."),
        judge(FOREIGN["arabic"]),
        judge(PROMPT),
        judge(SAID),
    }
    assert faults == set(ASK_AGAIN)


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_shared_runs_are_found_wherever_they_begin(data: st.DataObject) -> None:
    letters = st.lists(st.sampled_from("abcde"), max_size=20)
    other = data.draw(letters)
    taken = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 14))
    text = [*data.draw(letters), *other[taken[0] : sum(taken)], *data.draw(letters)]
    length = data.draw(st.integers(3, 12))
    runs = {tuple(other[k : k + length]) for k in range(len(other) - length + 1)}
    shared = any(tuple(text[k : k + length]) in runs for k in range(len(text) - length + 1))
    assert shares_run(" ".join(text), [" ".join(other)], length) is shared
