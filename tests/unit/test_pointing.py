"""Where a claim points, what it quotes, and which questions can be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.culture.profiles import load_profiles
from culturepark.language import load_language
from culturepark.records import Turn
from culturepark.refine.agent import RawClaim
from culturepark.refine.pointing import Pointed, check_question, make_candidate, says_name, to_claim, widen
from culturepark.refine.samples import culture_labels
from culturepark.refine.sentences import Sentence, number_sentences, render_transcript
from tests.builders import ENGLISH, NAMES, make_turns

TURNS = make_turns(
    "Hello Min-jun. I wash my mother's hair every Friday. My sister cooks for her.",
    "We paid a nurse. My father wanted it so.",
    "I could not let a stranger into her kitchen. Would you?",
)
SENTENCES = number_sentences(TURNS, ENGLISH)
LABELS = {"korean": "korean", "korea": "korean", "egypt": "arab", "egyptian": "arab"}
GOOD = "I wash my mother's hair every Friday, because she did it for me."


def claim(*numbers: int, speaker: str = "a") -> RawClaim:
    return RawClaim(speaker, "custom", numbers, "")


def point(*numbers: int, speaker: str = "a") -> Pointed:
    return make_candidate(claim(*numbers, speaker=speaker), SENTENCES, ENGLISH, NAMES[:2])


def test_sentences_are_numbered_through_the_talk() -> None:
    assert [(s.number, s.turn, s.speaker) for s in SENTENCES] == [
        (1, 0, "a"), (2, 0, "a"), (3, 0, "a"), (4, 1, "b"), (5, 1, "b"), (6, 2, "a"), (7, 2, "a")
    ]  # fmt: skip
    shown = render_transcript(TURNS, SENTENCES).splitlines()
    assert shown[3] == "[4] Min-jun: We paid a nurse." and len(shown) == 7


@pytest.mark.parametrize("flag", ["repetition", "off_topic"])
def test_a_turn_that_ended_the_talk_badly_is_shown_but_not_used(flag: str) -> None:
    turns = [*TURNS[:2], TURNS[2].model_copy(update={"flags": ("own_name_prefix", flag)})]
    assert [s.usable for s in number_sentences(turns, ENGLISH)] == [True] * 5 + [False] * 2
    assert len(render_transcript(turns, number_sentences(turns, ENGLISH)).splitlines()) == 7


def test_the_moderators_words_are_nobodys_claim() -> None:
    found = number_sentences(make_turns("Who cooks?", "I cook.", speakers="ma"), ENGLISH)
    assert [s.usable for s in found] == [False, True]


@pytest.mark.parametrize(
    ("numbers", "speaker"),
    [
        ((4,), "a"),
        ((2, 4), "a"),
        ((0,), "a"),
        ((8,), "a"),
        ((-1,), "a"),
        ((2, 99), "a"),
        ((), "a"),
        ((2,), "b"),
        ((10**20,), "b"),
    ],
)
def test_a_claim_that_points_elsewhere_has_no_words(numbers: tuple[int, ...], speaker: str) -> None:
    pointed = point(*numbers, speaker=speaker)
    assert (pointed.sentences, pointed.answer) == ((), "") and to_claim(pointed, "Why?").quotes == ()


def test_duplicate_and_unordered_numbers_count_once_and_in_order() -> None:
    assert point(3, 2, 3, 2).answer == "I wash my mother's hair every Friday. My sister cooks for her."
    assert [s.number for s in point(3, 2, 3).sentences] == [2, 3]


def test_only_one_turn_is_quoted() -> None:
    assert {s.turn for s in point(2, 3, 6).sentences} == {0}


def test_sentences_that_answer_the_partner_are_left_out_at_either_end() -> None:
    assert point(1, 2).answer == "I wash my mother's hair every Friday."
    assert point(6, 7).answer == "I could not let a stranger into her kitchen."


def test_a_hanging_start_takes_the_sentence_before_along() -> None:
    sentences = number_sentences(make_turns("My sister cooks. That is why I wash. I like it."), ENGLISH)
    found = make_candidate(claim(2, 3), sentences, ENGLISH, ())
    assert [s.number for s in found.sentences] == [1, 2, 3]


def test_a_short_claim_is_widened_by_what_follows_and_stands_alone() -> None:
    sentences = number_sentences(make_turns("I wash. I comb. Ask Min-jun. I sing."), ENGLISH)
    start = make_candidate(claim(1), sentences, ENGLISH, ())
    assert widen(start, sentences, ENGLISH, 3, ()).answer == "I wash. I comb."
    assert widen(start, sentences, ENGLISH, 9, NAMES[:2]).answer == "I wash. I comb."
    assert widen(start, sentences, ENGLISH, 2, ()) is start


def test_sentences_of_an_unspaced_language_are_joined_without_a_space() -> None:
    chinese = load_language("chinese")
    sentences = number_sentences(make_turns("我给妈妈洗头。我也做饭。"), chinese)
    assert make_candidate(claim(1, 2), sentences, chinese, ()).answer == "我给妈妈洗头。我也做饭。"


_TEXT = st.text(st.sampled_from("abcd IMDr.?!,'\"\n é😀한ع\u200f\u2028-:$"), min_size=1, max_size=60).filter(
    lambda t: bool(t.strip())
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_TEXT, min_size=1, max_size=6), st.lists(st.integers(-2, 25), max_size=5), st.sampled_from("ab"))
def test_every_quote_stands_in_its_turn_word_for_word(texts: list[str], numbers: list[int], speaker: str) -> None:
    turns: list[Turn] = make_turns(*texts)
    sentences = number_sentences(turns, ENGLISH)
    raw = RawClaim(speaker, "norm", tuple(numbers), "")
    pointed = widen(make_candidate(raw, sentences, ENGLISH, NAMES[:2]), sentences, ENGLISH, 9, NAMES[:2])
    found = to_claim(pointed, "Why?")
    said = {s.number: s.text for s in sentences}
    for quote in found.quotes:
        assert turns[quote.turn].speaker == speaker
        assert all(text and text in turns[quote.turn].text for text in quote.texts)
        assert [said[n] for n in quote.sentences] == list(quote.texts)
    assert pointed.answer == " ".join(t for q in found.quotes for t in q.texts)
    if pointed.sentences:
        assert set(numbers) <= set(said)


def test_claims_on_real_talk_are_exact_too() -> None:
    raw = replace(claim(2, 3), reasons=(6,))
    pointed = make_candidate(raw, SENTENCES, ENGLISH, NAMES[:2])
    found = to_claim(pointed, "What do you do on Fridays?", "d000001-a1")
    assert [(q.turn, q.sentences) for q in found.quotes] == [(0, (2, 3))]
    assert found.quotes[0].texts == ("I wash my mother's hair every Friday.", "My sister cooks for her.")
    assert (found.speaker, found.kind, found.question) == ("a", "custom", "What do you do on Fridays?")
    assert (found.id, found.reasons) == ("d000001-a1", (6,))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("Said", "My father said so.", False),
        ("Said", "I asked Said about it.", True),
        ("Joy", "I felt joy that day.", False),
        ("So-young", "I was so young then.", False),
        ("So-young", "I asked So-young's mother.", True),
        ("Ana", "Bananas are dear.", False),
        ("Ana", "Analysis is hard.", False),
        ("İrem", "I was there.", False),
        ("İrem", "I saw İrem there.", True),
        ("지우", "지우는 매일 와요.", True),
        ("지우", "지우개를 샀어요.", False),
        ("지우", "지우한테도 물었어요.", True),
        ("민준", "민준이가 그랬어요.", True),
        ("أحمد", "سألت أحمد عن الأمر.", True),
        ("أحمد", "وأحمد قال نعم.", True),
        ("أحمد", "احمد الله على ذلك.", True),
        ("سالم", "المسالم لا يتشاجر.", False),
        ("রহিম", "রহিমের মা এলেন।", True),
        ("রহিম", "রহিমা এলেন।", False),
        ("小梅", "我和小梅一起去。", True),
        ("小梅", "我买了小青梅。", False),
    ],
)
def test_names_are_told_from_words(name: str, text: str, says: bool) -> None:
    assert says_name(name, text) is says


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        ("Who washes your mother's hair, and why?", ""),
        ("Who washes your mother's hair, and why", "no_question_mark"),
        ("", "no_question_mark"),
        ("And why is it?", ""),
        ("Why is it?", "length"),
        ("Why " + "so " * 45 + "much?", "length"),
        ("What would you tell Min-jun about the nurse?", "names_a_speaker"),
        ("What would you tell Hassan about the nurse?", "names_a_speaker"),
        ("What do Korean sons do for their mothers?", "names_a_culture"),
        ("How is it done in EGYPT these days?", "names_a_culture"),
        ("What would your persona say about it?", "role_leak"),
        ("What would you answer as an AI model?", "role_leak"),
        ("What would **you** say about the nurse?", "bad_form"),
        ("Would you write to rosa@example.org about it?", "personal_data"),
        ("What would you ask Angela Merkel about it?", "names_a_person"),
        (
            "¿Quién cuida de los padres cuando ya son viejos y no pueden valerse por sí mismos en casa?",
            "wrong_language",
        ),
        ("어머니를 누가 돌봐야 한다고 생각하십니까?", "wrong_language"),
    ],
)
def test_questions(question: str, fault: str) -> None:
    assert check_question(question, NAMES[:2], LABELS, ENGLISH) == fault


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("arabic", "من يعتني بأمك في مرضها ولماذا؟"),
        ("chinese", "你母亲生病的时候谁来照顾她？"),
        ("korean", "어머니가 편찮으시면 누가 돌보나요?"),
    ],
)
def test_questions_in_other_scripts(name: str, question: str) -> None:
    assert check_question(question, NAMES[:2], LABELS, load_language(name)) == ""


def test_labels_are_words_that_name_a_culture() -> None:
    names = {
        p.id: [p.name, *p.aliases, *(c.name for c in p.countries), *(c.adjective for c in p.countries)]
        for p in load_profiles().values()
    }
    labels = culture_labels(names)
    assert {"arab", "korean", "korea", "german", "brazil", "argentina", "turkish", "bangladesh"} <= set(labels)
    assert labels["egyptian"] == "arab" and all(len(w) > 3 for w in labels)
    everyday = "Who in the south keeps united with people who move from one republic or one of the states to the world?"
    assert check_question(everyday, NAMES, labels, ENGLISH) == ""


def test_a_sentence_of_nobody_else_is_needed_to_point() -> None:
    other = Sentence(1, 0, "a", GOOD, False)
    assert make_candidate(claim(1), (other,), ENGLISH, ()).sentences == ()
