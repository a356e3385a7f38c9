"""Form: broken Unicode, markup and emptiness must be caught; typographic and emoji-rich speech must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.language import load_language
from culturepark.refine.candidate import Candidate, StageContext
from culturepark.refine.stages.form import check, find_bad_unicode, find_markup

GOOD = {
    "english": "I wash my mother’s hair — every Friday … “as she did mine”, she says.",
    "german": "„So ein Spaß“, sagte sie – na ja … Ärger gab’s schon.",
    "spanish": "¿Él? ¡Ánimo! «No sé», decía mi tía, el 2.º piso…",
    "portuguese": "É… “manhã”, dizia a avó — não é? É… à IRMÃ.",
    "turkish": "Yaşarız işte — İstanbul’da, güç bela…",
    "korean": "어머니가 “밥 먹었니?” 하신다 … ㅋㅋ",
    "chinese": "我妈说：“回家吃饭。”《红楼梦》……",
    "arabic": "قالت أمي: «كُلْ»\u200f ومِنْ بَعْدُ…",
    "bengali": "মা বলেন, “খাও।” র\u200d্যাব এসেছিল।",
}
BROKEN = {
    "replacement": "I wash her ha\ufffdr.",
    "surrogate": "I wash her hair \ud83d.",
    "private use": "I wash \ue000 her hair.",
    "private plane": "I wash \U000f0001 her hair.",
    "control": "I wash\x07 her hair.",
    "second control": "I wash\x85 her hair.",
    "bidi override": "I wash \u202eriah reh.",
    "bidi isolate": "I wash \u2067her\u2069 hair.",
    "direction in a left-to-right text": "I wash\u200f her hair.",
    "zero width": "I wa\u200bsh her hair.",
    "joiner": "I wa\u200dsh her hair.",
    "non-joiner": "I wa\u200csh her hair.",
    "word joiner": "I wa\u2060sh her hair.",
    "byte order": "\ufeffI wash her hair.",
    "soft hyphen": "I wa\u00adsh her hair.",
    "filler": "I wash \u3164 her hair.",
    "tag": "I wash\U000e0041 her hair.",
    "noncharacter": "I wash \ufdd0 her hair.",
    "mathematical letters": "I wash her \U0001d421\U0001d41a\U0001d422\U0001d42b.",
    "buried letter": "I wash he\u0301\u0302\u0303\u0304r hair.",
    "radical": "\u2f08\u2ff0 I wash her hair.",
    "garbled apostrophe": "I wash my mother\u00e2\u20ac\u2122s hair.",
    "garbled e": "We had caf\u00c3\u00a9 after.",
    "garbled arabic": "\u00d8\u00a3\u00d9\u2026\u00d9\u0160",
    "garbled korean": "\u00ec\u2013\u00b4\u00eb\u00a8\u00b8\u00eb\u2039\u02c6",
    "garbled chinese": "\u00e6\u02c6\u2018\u00e5\u00a6\u02c6",
    "garbled bengali": "\u00e0\u00a6\u00ae\u00e0\u00a6\u00be",
    "garbled turkish": "Ya\u00c5\u0178ar\u00c4\u00b1z",
    "garbled emoji": "I laughed \u00f0\u0178\u02dc\u20ac.",
    "lost chinese": "\u6211\u951f\u65a4\u62f7\u5988",
    "korean bytes": "\u00be\u00c8\u00b3\u00e7\u00c7\u00cf\u00bc\u00bc\u00bf\u00e4",
}
MARKED = (
    "<p>I wash her hair.</p>",
    "I wash her hair.<br/>",
    "I wash &amp; comb her hair.",
    "I wash <b>her</b> hair.",
    "<!-- note --> I wash her hair.",
    "```python\nwash()\n```",
    "I call `wash(hair)` on Fridays.",
    "# My mother\nI wash her hair.",
    "Fine. ## Answer I wash her hair.",
    "**Family** comes first for me.",
    "I wash __her__ hair.",
    "| day | task |\n|---|---|\n| Friday | hair |",
    "day | task | who\nFriday | hair | me",
    "See [my page](http://example.org/wash) for it.",
    "I wash her hair.[3]",
    "- I wash her hair.\n- I cook for her.",
    "* I wash her hair.\n* I cook for her.",
    "1. I wash her hair.\n2. I cook for her.",
    "Two things. 1. I wash her hair. 2. I cook for her.",
    "1) I wash her hair. 2) I cook for her.",
    "\u2022 I wash her hair.",
    "> I wash her hair.",
    '{"answer": "I wash her hair."}',
    '"answer": "I wash her hair."',
    'I wash her hair."}',
    "['hair', 'soup']",
    "---\nanswer: I wash her hair.",
    "answer: I wash her hair.\nreason: she did mine.",
    r"\textbf{I} wash her hair.",
    r"\begin{itemize} I wash her hair.",
    "$$ x = 1 $$ I wash her hair.",
    r"I wash her hair.\nShe sings.",
    r"She said \"wash\" to me.",
    r"caf\u00e9 and hair",
)
PLAIN = (
    "I paid $5 and got $2 back, 3 < 5 after all, and 7 > 2.",
    "Her hair \u2013 grey now \u2013 is long. She said: wash it, please.",
    'Words like "honour", "duty", and "shame" mean little to me.',
    "My mother & my father, i.e. both, came at 7:45 for 2.5 hours.",
    "I was no. 1. Then my sister came.",
    "- A dash at the head - and one inside - make no list.",
    "We won 3-2 - what a night - and sang.",
    "*laughs* I never could cook.",
    "I love her <3 and she knows it :)",
    "She is 84. 85 is next.",
    "Note: I wash her hair (on Fridays) [really].",
    "I said: 'wash'. 'Now?' 'Yes, now.'",
    "Is it #1 in my life? Yes, with #family first.",
    "My snake_case nephew types with one_hand.",
    "AT&T; was my first job? No, the mill was.".replace(";", ""),
    "On one side tea/coffee, on the other water and/or milk.",
    "Am Sonntag war der 1. Mai. Am Montag war der 2. Mai, und ich schlief.",
)


def ask(text: str, name: str = "english") -> tuple[str, str]:
    ruling = check(Candidate("c1", text, "", "arab", "EGY", "care", 1, "opinion"), StageContext(load_language(name)))
    return ruling.reason, ruling.evidence


@pytest.mark.parametrize(("name", "text"), GOOD.items())
def test_clean_typography_passes(name: str, text: str) -> None:
    assert ask(text, name) == ("", "")


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("name", ["english", "korean"])
def test_broken_unicode_is_caught(kind: str, name: str) -> None:
    reason, evidence = ask(BROKEN[kind], name)
    assert reason == "bad_unicode"
    evidence.encode()  # the evidence itself can be written down


def test_the_evidence_names_code_points() -> None:
    assert ask("I wa\u200bsh \u202e her hair.")[1] == "U+200B"


@pytest.mark.parametrize(
    ("name", "broken"), [("bengali", False), ("arabic", False), ("english", True), ("turkish", True), ("korean", True)]
)
def test_joiners_belong_to_scripts_that_use_them(name: str, broken: bool) -> None:
    assert bool(find_bad_unicode("a\u200cb c\u200dd", load_language(name))) is broken


@pytest.mark.parametrize(("name", "broken"), [("arabic", False), ("bengali", True), ("english", True)])
def test_direction_marks_belong_to_scripts_from_right_to_left(name: str, broken: bool) -> None:
    assert bool(find_bad_unicode("a\u200fb", load_language(name))) is broken


@pytest.mark.parametrize(
    "emoji",
    [
        "\U0001f600",
        "\u2764\ufe0f",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "\U0001f44d\U0001f3fd",
    ],
)
def test_emoji_are_no_fault(emoji: str) -> None:
    assert ask(f"I wash her hair {emoji} on Fridays.") == ("", "")


@pytest.mark.parametrize("text", MARKED)
def test_markup_is_caught(text: str) -> None:
    assert ask(text)[0] == "markup"


@pytest.mark.parametrize("text", PLAIN)
def test_plain_speech_is_not_markup(text: str) -> None:
    assert find_markup(text) == ""


@pytest.mark.parametrize("text", ["", "  \n", "...", "\u2026 !?", "42", "\U0001f600"])
def test_a_text_without_a_letter_is_empty(text: str) -> None:
    assert ask(text)[0] == "empty"


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_answered_and_its_evidence_can_be_written(text: str) -> None:
    for name in ("english", "arabic"):
        reason, evidence = ask(text, name)
        assert reason in ("", "empty", "bad_unicode", "markup") and bool(reason) >= bool(evidence)
        evidence.encode()


@given(
    st.text(
        st.sampled_from("\u00e9\u00fc\u00df\u00c9\u00c3\u00e3\u2019\u201d\u2026\u2014\u00ab\u00bb aeio.,"), max_size=12
    )
)
def test_one_letter_and_one_quotation_mark_are_not_garbled(text: str) -> None:
    single = text[:1] + "\u201d"
    assert find_bad_unicode(single, load_language("portuguese")) == ""


@given(st.sampled_from(sorted(GOOD)))
def test_any_text_read_in_the_wrong_code_is_caught(name: str) -> None:
    pack = load_language(name)
    wrong = GOOD[name].replace("\u200d", "").replace("\u200f", "").encode("utf-8").decode("latin-1")
    assert find_bad_unicode(wrong, pack)
