"""The English pack: sentences and words of odd texts, and tell-tale phrases that ordinary speech must not trip."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.culture.profiles import load_profiles
from culturepark.culture.scenarios import load_topics
from culturepark.errors import DataError
from culturepark.language import LanguagePack, is_wrong_language, load_language, split_sentences, words
from tests.speech import FOREIGN, MACHINES, ORDINARY, REFUSALS, ROLE_LEAKS, SWEEPING

ENGLISH = load_language("english")
RULES = ("refusal", "machine", "role_leak", "essentialism")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_speech_trips_no_rule(text: str) -> None:
    tripped = {rule: ENGLISH.find(rule, text) for rule in RULES}
    assert not any(tripped.values()), tripped


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *(("refusal", text) for text in REFUSALS),
        *(("machine", text) for text in MACHINES),
        *(("role_leak", text) for text in ROLE_LEAKS),
        *(("essentialism", text) for text in SWEEPING),
    ],
)
def test_tell_tale_phrases_are_found(rule: str, text: str) -> None:
    assert ENGLISH.find(rule, text)


@pytest.mark.parametrize(("rule", "texts"), [("refusal", REFUSALS), ("machine", MACHINES), ("essentialism", SWEEPING)])
def test_curly_apostrophes_hide_nothing(rule: str, texts: tuple[str, ...]) -> None:
    missed = [t for t in texts if not ENGLISH.find(rule, t.replace("'", "\u2019"))]
    assert missed == []


def test_our_own_facts_views_and_questions_trip_no_rule() -> None:
    topics, profiles = load_topics().values(), load_profiles().values()
    spoken = [text for t in topics for text in (*t.questions, *(p.view for p in t.scale))]
    spoken += [fact.text for p in profiles for fact in p.facts]
    assert len(spoken) > 500
    assert [(rule, text) for text in spoken for rule in RULES if ENGLISH.find(rule, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Goodbye, Hassan, and greet your mother.",
        "It was good to talk. See you tomorrow!",
        "I will see you on Friday, then.",
        "Take care.",
        "Take care of yourself, my friend.",
        "Well, good night then.",
        "I really have to go now.",
        "It was a pleasure and we will see you on Monday at the office as always",
        "That is my bus. Bye!",
        "Thank you. Until next time.",
        "Safe travels, Hassan.",
    ],
)
def test_a_farewell_is_heard(text: str) -> None:
    assert ENGLISH.find("farewell", text)


@pytest.mark.parametrize(
    "text",
    [
        "We said goodbye at the airport and I cried all the way home.",
        "I have to go through a lot before she trusts me.",
        "I have to go to the office on Friday.",
        "Somebody has to wash her, cook for her, take care.",
        "I take care of my father at night and my sister by day.",
        "Taking care is work, too.",
        "People see you in a different light when you are poor.",
        "I see you at the market every week.",
        "They see you there and talk.",
        "At the farewell for my uncle everyone sang.",
        "My daughter kisses me good night.",
        "I put it off until next time, and then it was too late.",
        "I must go now and then to the town hall.",
        "Would you leave your mother in a home?",
    ],
)
def test_speech_about_partings_is_no_farewell(text: str) -> None:
    assert not ENGLISH.find("farewell", text)


def test_contrast_is_heard() -> None:
    against = ("I see, but no.", "I’m not so sure.", "I don't think that is fair.", "I cannot accept it.")
    assert all(ENGLISH.find("contrast", t) for t in against)
    assert not any(ENGLISH.find("contrast", t) for t in ("I think so.", "My mother butters bread.", "I am sure."))


def test_agreement_is_heard_at_the_beginning_only() -> None:
    agreeing = ("Yes, she did.", "“I fully agree with you.", "You’re right, it is hard.", "True, I did the same.")
    praising = ("I couldn’t agree more.", "Well said.", "What a lovely thought.", "That's a good point, it is hard.")
    assert all(ENGLISH.opens_with("agreement_openings", t) for t in agreeing + praising)
    others = ("Right after the war we had nothing.", "True friends are few.", "My mother said yes.", "Of course not.")
    assert not any(ENGLISH.opens_with("agreement_openings", t) for t in others)


@pytest.mark.parametrize(
    "text", ["But I went.", "It was hard.", "No, never.", "That’s why.", "Yes I do.", "Well, so be it."]
)
def test_a_dangling_start_is_seen(text: str) -> None:
    assert ENGLISH.find("dangling", text)


@pytest.mark.parametrize(
    "text", ["No child should pay for that.", "Nobody asked.", "Right now I pay.", "Well water is free.", "I said so."]
)
def test_a_start_that_stands_alone_is_not_dangling(text: str) -> None:
    assert not ENGLISH.find("dangling", text)


@pytest.mark.parametrize("name", FOREIGN)
def test_other_languages_are_wrong(name: str) -> None:
    assert is_wrong_language(FOREIGN[name], ENGLISH)


@pytest.mark.parametrize(
    "text",
    [
        "My grandmother said 밥 먹었어 instead of asking how I was, and I still hear it.",
        "At home we say inshallah, إن شاء الله, and then we do the work anyway.",
        "Oma said Feierabend at five, and nobody in the shop dared to ask for more.",
        "She calls it sobremesa, the hour after lunch when nobody leaves the table.",
        "Sí, claro.",
        "My father sang Ich hatt einen Kameraden and we sang the old über allen Gipfeln ist Ruh for him.",
        "Kim, Hassan, Ayşe, José, Jürgen, Fatma and Maria Pereira came.",
        "Das denke ich auch.",  # too short to tell
        "Ich glaube, my Onkel schreibt noch jeden Sonntag einen Brief.",  # short, and an English word in it
        "",
        "😀😀😀",
        "Naïve, a café, my fiancée: Zoë, José and Jürgen in São Paulo and Köln.",
        "Rice, lentils, fish, tea, bread, salt, oil, onions, garlic, lemons, dates, olives, chickpeas and honey.",
    ],
)
def test_english_with_foreign_words_is_right(text: str) -> None:
    assert not is_wrong_language(text, ENGLISH)


def test_all_ordinary_sentences_are_english() -> None:
    assert [t for t in ORDINARY if is_wrong_language(t, ENGLISH)] == []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Kim saw Mr. Park at 3.5 km. He left.", ["Dr. Kim saw Mr. Park at 3.5 km.", "He left."]),
        ("I ate e.g. rice. It was good.", ["I ate e.g. rice.", "It was good."]),
        ("She smiled 😀 and left. 🎉 Nobody knew!", ["She smiled 😀 and left.", "🎉 Nobody knew!"]),
        ("One line\nAnother line", ["One line", "Another line"]),
        ("First.\r\n\r\n  Second.  ", ["First.", "Second."]),
        ("  \n \t\n", []),
        ("", []),
        ("My neighbour calls me أخي. I like that.", ["My neighbour calls me أخي.", "I like that."]),
        ("No end", ["No end"]),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, "en") == sentences


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.text("aA. !?\n\"'😀é한ع", max_size=60))
def test_sentences_are_pieces_of_the_text_in_order(text: str) -> None:
    position = 0
    for sentence in split_sentences(text, "en-US"):
        assert sentence.strip() == sentence != ""
        position = text.index(sentence, position) + len(sentence)
    assert "".join("".join(split_sentences(text, "en")).split()) == "".join(text.split())


def test_words() -> None:
    assert words("Don’t stop: it's 5 o'clock, José!") == ["don't", "stop", "it's", "5", "o'clock", "josé"]
    assert words("İrem and Jose\u0301 under_score") == ["irem", "and", "josé", "under", "score"]
    assert words("… 😀 — !") == []
    assert words("한국 사람, 你好") == ["한국", "사람", "你", "好"]


@pytest.mark.parametrize("name", ["klingon", "../english", "english.yaml", ""])
def test_an_unknown_language_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="no language pack"):
        load_language(name)


def test_every_kind_of_phrase_is_compiled_with_the_groups_put_in() -> None:
    lists = {k for k, f in LanguagePack.model_fields.items() if f.annotation == tuple[str, ...]}
    assert set(ENGLISH.patterns) == lists - {"stopwords", "frequent", "clause_breaks", "scripts_allowed"}
    assert not any("<many>" in s or "<one>" in s for p in ENGLISH.patterns.values() for s in p.sources)
