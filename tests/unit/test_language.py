"""The English pack: sentences and words of odd texts, and tell-tale phrases that ordinary speech must not trip."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.culture.profiles import load_profiles
from culturepark.culture.scenarios import load_topics
from culturepark.errors import DataError
from culturepark.language import LanguagePack, is_wrong_language, load_language, split_sentences, words

ENGLISH = load_language("english")

# What people say to each other: no rule about bad turns or sweeping claims may catch any of it.
ORDINARY = (
    "I cannot continue living like that, with my mother alone in the next town.",
    "My character was formed by my aunt, who never raised her voice.",
    "As an assistant at the clinic I see who comes to visit and who does not.",
    "I have to go through a lot of paper before the office signs anything.",
    "You are right that my brother did less, and I told him so.",
    "All the Koreans I know in this street have a key to my flat.",
    "Every German class I took ended with a song.",
    "It is hard for men and women alike to stay at home all day.",
    "Instructions for the machine hang on the wall, and nobody reads them.",
    "In the survey of the land office our garden is two metres shorter.",
    "I can't help laughing when my uncle tells it.",
    "I cannot help worrying when she is out after dark.",
    "I can't help my mother from here, so I send money.",
    "I cannot provide for my parents and pay the rent as well.",
    "I won't discuss money at the table, that was my father's rule.",
    "I cannot answer for my brother, he lives abroad.",
    "I can't take part in the feast this year because of my shift.",
    "I will not participate in the elections if nobody counts the votes.",
    "I'm sorry I cannot come to the wedding of your cousin.",
    "I am afraid I won't see the day when they trust each other.",
    "I'm sorry, I can't be with my mother more often, and it hurts.",
    "I must refuse twice before I take the second cup, that is how I was raised.",
    "I have to decline when they offer me meat.",
    "It was against the policy of our office to bring a child.",
    "It goes against our guidelines at the factory to work alone at night.",
    "I do not have a family of my own yet.",
    "I don't have feelings for him any more.",
    "I do not have opinions on everything my neighbours do.",
    "I don't have experiences like yours with the police.",
    "My nephew asks ChatGPT everything and believes half of it.",
    "I am an AI engineer and even I turn off the cameras at home.",
    "How can I help your mother if she sends me away?",
    "I stood at the counter and asked how I could help.",
    "My training as a nurse took three years.",
    "I was playing in the yard when my grandfather fell.",
    "I was playing cards with my cousins all night.",
    "I am playing with the idea of moving back home.",
    "I was asked to play the drum at my sister's wedding.",
    "I was instructed by the foreman to lock the gate at six.",
    "I was pretending to sleep while they argued about money.",
    "The two brothers are different in character.",
    "I admired the character of my teacher more than her degrees.",
    "Your instructions for the soup were better than the recipe.",
    "The doctor's instructions were clear, two spoons a day.",
    "There is one thing wrong with the system: nobody answers the phone.",
    "I trust the system, my sister does not.",
    "The school sent us a questionnaire about the canteen.",
    "They pay on a scale of seniority, so the young go elsewhere.",
    "I left a note to myself on the fridge.",
    "She slipped me a private note during the lesson.",
    "We had a role play in the evening class, and I was the landlord.",
    "The answer came promptly, which surprised me.",
    "I am grateful for the prompt reply of the town hall.",
    "I do not think all women want the same thing.",
    "Not all Koreans drink, whatever the films show.",
    "Not every German is on time, my neighbour certainly is not.",
    "All the women in my family worked in the fields.",
    "All women in our street bring a dish.",
    "All the men at my workplace are older than me.",
    "I have never believed that all foreigners are dangerous.",
    "The idea that men are born to govern is plain nonsense.",
    "Nobody can say that all Arabs are the same.",
    "It is foolish to say that all Turks love football.",
    "All women should have the right to choose their work.",
    "All men are equal before the law, or so I was taught.",
    "All foreigners have the same right to a doctor.",
    "Every woman has the right to stand for office.",
    "Every man in the queue took off his hat.",
    "Every Korean man has to serve, and my son counts the days.",
    "Every Turkish teacher I had was strict.",
    "Each woman brought her own chair.",
    "All Chinese New Year cards in our house are home-made.",
    "They want jobs for all Koreans before anyone else.",
    "I respect all women who raise children alone.",
    "The women are all in the kitchen on that day.",
    "The men were all at work when the flood came.",
    "Men are always talking in that café, so I go there for the news.",
    "The Germans never answered my letter.",
    "My mother always told women to keep their own purse.",
    "I told the women never to sign without reading.",
    "Some Koreans always bring fruit, others flowers.",
    "In our culture club everyone brings a book.",
    "In our family everyone eats late.",
    "I do not know how refugees are treated there.",
    "No man helped me carry it up the stairs.",
    "We grew up with Arabs, Turks and Germans on one staircase.",
    "I know it is in our interest to wait.",
    "My neighbour is a virtual stranger, and yet I lent him my ladder.",
    "The teacher's assistant: a young man who never laughed.",
    "I was told to play outside until the guests had gone.",
    "I am a helpful person by nature, or so my sister says.",
    "What is the point of a survey if nobody reads it?",
)
RULES = ("refusal", "machine", "role_leak", "essentialism")

REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I’m sorry, but I can’t assist with that.",
    "I cannot assist with this request.",
    "I am unable to fulfill this request.",
    "I can't comply with that request.",
    "I'm sorry, I can't continue this conversation.",
    "I won't engage in this discussion.",
    "I can't participate in this kind of role-play.",
    "I am not able to provide personal opinions.",
    "I'm not comfortable writing this dialogue.",
    "I cannot generate harmful stereotypes about a group.",
    "I won't roleplay as a person of that country.",
    "That goes against my guidelines.",
    "Our content policy does not allow that.",
    "I must respectfully decline.",
    "I have to decline to answer.",
    "I'm sorry, but I cannot discuss that topic.",
    "Sorry, but I can't do that.",
    "I cannot help you with that.",
)
MACHINES = (
    "As an AI, I see both sides.",
    "As a large language model I have no grandmother.",
    "As an AI assistant, I do not vote.",
    "As an assistant, I don't have a view on this.",
    "I'm just an AI, so take it with care.",
    "I am a helpful assistant.",
    "I’m a language model trained on text.",
    "I don't have personal opinions, but many people think so.",
    "I do not have feelings or beliefs like people do.",
    "I don’t have a culture, of course.",
    "My training data ends in 2023.",
    "I was created by OpenAI to talk.",
    "My name is SmolLM and I love talking.",
    "How can I assist you with your parents?",
    "Hello! How can I help you today?",
)
ROLE_LEAKS = (
    "My persona would not agree with you.",
    "Based on my persona I should say no.",
    "My character believes that parents come first.",
    "The character I'm playing is a baker.",
    "The system prompt tells me to be brief.",
    "As instructed, here are two to four sentences.",
    "Following the given instructions, I keep it short.",
    "For this role-play I will be brief.",
    "I am role-playing a baker from the coast.",
    "I'll stay in character and say yes.",
    "I am playing the role of a 45-year-old baker.",
    "In the World Values Survey I would agree.",
    "On a scale of 1 to 5 I am at two.",
    "Most respondents would agree with me.",
    "Private note: I do not like him.",
    "User: and what do you think?",
    "Yes, my mother did.\nAssistant: Well, mine did not.",
    "Fine.<|im_end|>",
    "<think>The user wants me to be brief.</think> I agree.",
    "### Response\nMy mother is fine.",
    "My name is ${name} and I bake.",
    "I live in [country] with my mother.",
    "[INST] Go on. [/INST] My mother is fine.",
)
SWEEPING = (
    "All Koreans are polite.",
    "Women are naturally better with children.",
    "In our culture everyone respects the old.",
    "In Korean culture, nobody contradicts a teacher.",
    "I know that all Germans love order.",
    "All the foreigners are thieves.",
    "All Arab families are alike.",
    "All of us Turks love our guests.",
    "Every Korean knows what a father is owed.",
    "Every woman wants children in the end.",
    "Men are born to lead.",
    "Men are all the same.",
    "Koreans never complain.",
    "Arabs always help each other.",
    "Foreign people never follow the rules.",
    "Respect is fine, it's in our blood.",
    "That is just how Germans are.",
    "No Korean would ever leave a mother alone.",
    "I do not drink, but all Germans are drunkards.",
    "Immigrants are by nature restless.",
    "In our culture, we all care for the old.",
)


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


def test_agreement_is_heard_at_the_beginning_only() -> None:
    agreeing = ("Yes, she did.", "“I fully agree with you.", "You’re right, it is hard.", "True, I did the same.")
    assert all(ENGLISH.opens_with("agreement_openings", t) for t in agreeing)
    others = ("Right after the war we had nothing.", "True friends are few.", "My mother said yes.", "Of course not.")
    assert not any(ENGLISH.opens_with("agreement_openings", t) for t in others)


@pytest.mark.parametrize("text", ["But I went.", "It was hard.", "No, never.", "That’s why.", "Yes I do.", "Well, so be it."])
def test_a_dangling_start_is_seen(text: str) -> None:
    assert ENGLISH.find("dangling", text)


@pytest.mark.parametrize(
    "text", ["No child should pay for that.", "Nobody asked.", "Right now I pay.", "Well water is free.", "I said so."]
)
def test_a_start_that_stands_alone_is_not_dangling(text: str) -> None:
    assert not ENGLISH.find("dangling", text)


FOREIGN = {
    "spanish": "Yo creo que los hijos deben cuidar a sus padres cuando son mayores, porque nos dieron todo en la vida.",
    "german": "Ich glaube, dass die Kinder ihre alten Eltern pflegen sollten, weil sie uns so viel gegeben haben.",
    "korean": "저는 자식이 부모님을 끝까지 모셔야 한다고 생각합니다. 어머니가 저를 키우셨으니까요.",
    "short korean": "저도 그렇게 생각해요.",
    "arabic": "أعتقد أن على الأبناء أن يعتنوا بوالديهم عندما يكبرون في السن.",
    "bengali": "আমি মনে করি সন্তানদের বাবা-মায়ের যত্ন নেওয়া উচিত।",
    "chinese": "我觉得子女应该照顾年老的父母。",
    "turkish": "Bence çocuklar yaşlandıklarında anne ve babalarına bakmalıdır, çünkü onlar bize hayatlarını verdiler her zaman.",
    "portuguese": "Eu acho que os filhos devem cuidar dos pais quando eles ficam velhos, porque eles nos deram tudo.",
}


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
    spaceless = "".join(text.split())
    assert len("".join("".join(split_sentences(text, "en")).split())) == len(spaceless)


def test_words() -> None:
    assert words("Don’t stop: it's 5 o'clock, José!") == ["don't", "stop", "it's", "5", "o'clock", "josé"]
    assert words("İrem and Jose\u0301 under_score") == ["irem", "and", "josé", "under", "score"]
    assert words("… 😀 — !") == []
    assert words("한국 사람, 你好") == ["한국", "사람", "你好"]


@pytest.mark.parametrize("name", ["klingon", "../english", "english.yaml", ""])
def test_an_unknown_language_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="no language pack"):
        load_language(name)


def test_every_kind_of_phrase_is_compiled_with_the_groups_put_in() -> None:
    lists = {k for k, f in LanguagePack.model_fields.items() if f.annotation == tuple[str, ...]}
    assert set(ENGLISH.patterns) == lists - {"stopwords", "frequent"}
    assert not any("<many>" in p.pattern or "<one>" in p.pattern for p in ENGLISH.patterns.values())
