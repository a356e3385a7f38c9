"""Gates: where a claim points, what it may say, and which questions can be asked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.culture.profiles import load_profiles
from culturepark.records import Shift, Turn
from culturepark.refine.agent import RawClaim
from culturepark.refine.gates import (
    GATES,
    Candidate,
    GateContext,
    check_question,
    make_candidate,
    run_gates,
    says_name,
    to_claim,
    widen,
)
from culturepark.refine.samples import culture_labels
from culturepark.refine.sentences import Sentence, number_sentences, render_transcript
from tests.builders import ENGLISH, NAMES, make_dialogue, make_turns
from tests.speech import FOREIGN, MACHINES, REFUSALS, SWEEPING

TURNS = make_turns(
    "Hello Min-jun. I wash my mother's hair every Friday. My sister cooks for her.",
    "We paid a nurse. My father wanted it so.",
    "I could not let a stranger into her kitchen. Would you?",
)
SENTENCES = number_sentences(TURNS, ENGLISH)
LABELS = {"korean": "korean", "korea": "korean", "egypt": "arab", "egyptian": "arab"}


def claim(*numbers: int, speaker: str = "a") -> RawClaim:
    return RawClaim(speaker, "custom", numbers, "")


def context(min_words: int = 4, max_words: int = 60) -> GateContext:
    return GateContext(make_dialogue(TURNS), ENGLISH, NAMES[:2], min_words, max_words)


def point(*numbers: int, speaker: str = "a") -> Candidate:
    return make_candidate(claim(*numbers, speaker=speaker), SENTENCES, ENGLISH, NAMES[:2])


def judge(answer: str, min_words: int = 4, max_words: int = 60) -> tuple[str, str]:
    """Where an answer fell and why; empty where it stays."""
    sentence = Sentence(1, 0, "a", answer, True)
    last = run_gates(Candidate(claim(1), (sentence,), answer), context(min_words, max_words))[-1]
    return (last.stage, last.reason) if not last.kept else ("", "")


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
def test_a_claim_that_points_elsewhere_is_dropped(numbers: tuple[int, ...], speaker: str) -> None:
    candidate = point(*numbers, speaker=speaker)
    verdicts = run_gates(candidate, context())
    assert [(v.stage, v.kept, v.reason) for v in verdicts] == [("pointing", False, "points_nowhere")]
    assert str(list(numbers)) in verdicts[0].evidence and candidate.answer == ""


def test_duplicate_and_unordered_numbers_count_once_and_in_order() -> None:
    assert point(3, 2, 3, 2).answer == "I wash my mother's hair every Friday. My sister cooks for her."
    assert [s.number for s in point(3, 2, 3).sentences] == [2, 3]


def test_only_one_turn_is_quoted() -> None:
    assert {s.turn for s in point(2, 3, 6).sentences} == {0}


_TEXT = st.text(st.sampled_from("abcd IMDr.?!,'\"\n é😀한ع\u200f\u2028-:$"), min_size=1, max_size=60).filter(
    lambda t: bool(t.strip())
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_TEXT, min_size=1, max_size=6), st.lists(st.integers(-2, 25), max_size=5), st.sampled_from("ab"))
def test_every_quote_stands_in_its_turn_word_for_word(texts: list[str], numbers: list[int], speaker: str) -> None:
    turns: list[Turn] = make_turns(*texts)
    sentences = number_sentences(turns, ENGLISH)
    raw = RawClaim(speaker, "norm", tuple(numbers), "")
    candidate = widen(make_candidate(raw, sentences, ENGLISH, NAMES[:2]), sentences, context(min_words=9))
    found = to_claim(candidate, "Why?")
    said = {s.number: s.text for s in sentences}
    for quote in found.quotes:
        assert turns[quote.turn].speaker == speaker
        assert all(text and text in turns[quote.turn].text for text in quote.texts)
        assert [said[n] for n in quote.sentences] == list(quote.texts)
    assert candidate.answer == " ".join(t for q in found.quotes for t in q.texts)
    if candidate.sentences:
        assert set(numbers) <= set(said)


def test_claims_on_real_talk_are_exact_too() -> None:
    found = to_claim(point(2, 3), "What do you do on Fridays?")
    assert [(q.turn, q.sentences) for q in found.quotes] == [(0, (2, 3))]
    assert found.quotes[0].texts == ("I wash my mother's hair every Friday.", "My sister cooks for her.")
    assert (found.speaker, found.kind, found.question) == ("a", "custom", "What do you do on Fridays?")


GOOD = "I wash my mother's hair every Friday, because she did it for me."


def test_a_good_answer_passes_every_gate() -> None:
    sentence = Sentence(1, 0, "a", GOOD, True)
    verdicts = run_gates(Candidate(claim(1), (sentence,), GOOD), context())
    assert [v.stage for v in verdicts] == list(GATES) and all(v.kept and not v.reason for v in verdicts)


@pytest.mark.parametrize(
    ("answer", "fell"),
    [
        *((text, ("refusal", "refusal")) for text in REFUSALS),
        *((text, ("refusal", "as_an_ai")) for text in MACHINES),
        *((text, ("essentialism", "essentialism")) for text in SWEEPING),
        (f"{GOOD} My persona agrees.", ("refusal", "role_leak")),
        ("Min-jun and I wash her hair every Friday.", ("standing_alone", "not_standalone")),
        ("I wash her hair, Hassan told me to.", ("standing_alone", "not_standalone")),
        ("I wash her hair every Friday. Would you?", ("standing_alone", "not_standalone")),
        ("That is why I wash her hair every Friday.", ("standing_alone", "not_standalone")),
        ("But I wash her hair every Friday.", ("standing_alone", "not_standalone")),
        ("I wash hair.", ("length", "too_short")),
        ("I wash her hair. " * 20, ("length", "too_long")),
        ("Mothers deserve clean hair every Friday.", ("first_person", "not_first_person")),
    ],
)
def test_a_bad_answer_falls_at_its_gate(answer: str, fell: tuple[str, str]) -> None:
    assert judge(answer, min_words=4 if fell[0] == "length" else 1) == fell


@pytest.mark.parametrize(
    ("shift", "reason"),
    [
        (Shift(speaker="a", before=1, after="moved", sentence=2), "stance_moved"),
        (Shift(speaker="a", before=1, after="moved", sentence=3), "stance_moved"),
        (Shift(speaker="a", before=1, after="moved", sentence=4), ""),
        (Shift(speaker="a", before=1, after="moved"), ""),
        (Shift(speaker="a", before=1, after="unclear", sentence=2), ""),
        (Shift(speaker="b", before=1, after="moved", sentence=2), ""),
    ],
)
def test_words_said_after_a_change_of_mind_do_not_stand_for_the_stance(shift: Shift, reason: str) -> None:
    dialogue = make_dialogue(TURNS, shifts=(shift,))
    last = run_gates(point(2, 3), GateContext(dialogue, ENGLISH, NAMES[:2], 4, 60))[-1]
    assert last.reason == reason


@pytest.mark.parametrize("name", ["spanish", "german", "korean", "arabic"])
def test_an_answer_in_another_language_falls(name: str) -> None:
    sentence = Sentence(1, 0, "a", FOREIGN[name], True)
    reason, evidence = GATES["language"](Candidate(claim(1), (sentence,), FOREIGN[name]), context())
    assert reason == "wrong_language" and evidence in FOREIGN[name]


@pytest.mark.parametrize(("count", "reason"), [(4, "too_short"), (5, ""), (8, ""), (9, "too_long")])
def test_the_length_bounds_belong_to_the_range(count: int, reason: str) -> None:
    assert judge("I " + "w " * (count - 1), 5, 8)[1] == reason


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
        (
            "¿Quién cuida de los padres cuando ya son viejos y no pueden valerse por sí mismos en casa?",
            "wrong_language",
        ),
        ("어머니를 누가 돌봐야 한다고 생각하십니까?", "wrong_language"),
    ],
)
def test_questions(question: str, fault: str) -> None:
    assert check_question(question, NAMES[:2], LABELS, ENGLISH) == fault


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
