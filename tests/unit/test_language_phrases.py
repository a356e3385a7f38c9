"""The cheap search gives what one big alternation gives: on random patterns, and on the English pack."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culturepark.culture.scenarios import load_topics
from culturepark.language import list_languages, load_language, straighten
from culturepark.language.phrases import Phrases, fold, read_needs, split_alternatives
from tests.speech import MACHINES, ORDINARY, REFUSALS, ROLE_LEAKS, SWEEPING

ENGLISH = load_language("english")
LETTERS = "abkisſKİıςσ é"

atoms = st.sampled_from([*"abkis", "İ", "ı", "σ", " ", "\\b", "^", "$", "[ab]", "[^a]", "[a-c]", "\\w", ".", "ß", "한"])
some_patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,2}", "{0,2}", "??", "*+"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map(lambda one: f"(?:{one})[ab|)]"),
        inner.map(lambda one: f"(?={one})"),
        inner.map(lambda one: f"(?!{one})"),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"(?>{one})"),
    ),
    max_leaves=8,
)


def find_all(patterns: list[str], text: str) -> list[tuple[int, int]]:
    one = re.compile("|".join(f"(?:{p})" for p in patterns), re.IGNORECASE)
    return [m.span() for m in one.finditer(text)]


@settings(max_examples=1500, deadline=None)
@given(some_patterns, st.text(LETTERS + "한ß", max_size=12))
def test_what_a_pattern_needs_is_in_each_match(pattern: str, text: str) -> None:
    for match in re.finditer(pattern, text, re.IGNORECASE):
        for clause in read_needs(pattern):
            assert any(literal in fold(match.group(0)) for literal in clause), (pattern, clause, match)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("x(?:ab|c)+d", "xabcd"), ("(?:ab|cd){2}", "abcd"), ("x(?:ab)?c", "xc"), ("[ab]{2,}c", "abac")],
)
def test_repeated_pieces_need_no_more_than_is_there(pattern: str, text: str) -> None:
    assert [m.group() for m in Phrases([pattern]).scan(text)] == [text]


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("a|b", ["a", "b"]),
        ("(?:a|b)c|[|)]d|\\|e|", ["(?:a|b)c", "[|)]d", "\\|e", ""]),
        ("[]|(]a|[^]|]b|\\(c|d\\)", ["[]|(]a", "[^]|]b", "\\(c", "d\\)"]),
        ("(a)\\1|b", ["(a)\\1|b"]),
        ("(?i)a|b", ["(?i)a|b"]),
    ],
)
def test_patterns_are_cut_at_the_outermost_bars(pattern: str, parts: list[str]) -> None:
    assert split_alternatives(pattern) == parts


@settings(max_examples=800, deadline=None)
@given(
    st.lists(some_patterns.map(lambda p: f"(?:{p})[{LETTERS}]|[{LETTERS}](?:{p})"), min_size=1, max_size=4),
    st.text(LETTERS, max_size=15),
)
def test_scanning_gives_the_matches_of_one_alternation(patterns: list[str], text: str) -> None:
    phrases, spans = Phrases(patterns), find_all(patterns, text)
    assert [m.span() for m in phrases.scan(text)] == spans
    first = phrases.search(text)
    assert (first.span() if first else None) == next(iter(spans), None)
    assert phrases.begin(text) == bool(re.match("|".join(f"(?:{p})" for p in patterns), text, re.IGNORECASE))


def test_folding_makes_all_letters_equal_that_match_each_other() -> None:
    every = [chr(c) for c in range(0x20, 0x3000) if not 0xD800 <= c < 0xE000]
    text, missed = "".join(every), []
    for letter in every:
        if letter.isalpha():
            same = set(re.findall(re.escape(letter), text, re.IGNORECASE))
            missed += [(letter, other) for other in same if fold(letter) != fold(other)]
    assert missed == []


def make_sentences() -> list[str]:
    """Ordinary sentences, views and questions, and the same with a phrase in them that is to be caught."""
    dice = random.Random(7)
    plain = [*ORDINARY, *(t for topic in load_topics().values() for t in (*topic.questions, topic.statement))]
    plain += [p.view for topic in load_topics().values() for p in topic.scale]
    hits = [*REFUSALS, *MACHINES, *ROLE_LEAKS, *SWEEPING, "Yes, exactly.", "But still.", "*nods slowly*", "Goodbye!"]
    texts = list(plain)
    for text in plain:
        hit, other, tokens = dice.choice(hits), dice.choice(plain), text.split()
        at = dice.randrange(len(tokens) + 1)
        texts += [f"{text} {other}\n{hit}", " ".join((*tokens[:at], hit, *tokens[at:])), f"{hit} {text}".upper()]
        texts.append(" ".join(dice.sample(hit.split() + tokens, len(tokens))).replace("'", "\u2019"))
    return texts


def test_the_english_phrases_are_found_as_by_one_alternation() -> None:
    texts, found = make_sentences(), 0
    assert len(texts) > 2000
    for kind, phrases in ENGLISH.patterns.items():
        one = re.compile("|".join(f"(?:{s})" for s in phrases.sources), re.IGNORECASE) if phrases.sources else None
        for text in map(straighten, texts):
            spans = [m.span() for m in one.finditer(text)] if one else []
            assert [m.span() for m in phrases.scan(text)] == spans, (kind, text)
            found += len(spans)
    assert found > 2000


def test_an_empty_kind_matches_nothing() -> None:
    nothing = Phrases(())
    assert nothing.search("") is None
    assert nothing.search("anything") is None
    assert not nothing.begin("anything")


def test_most_english_phrases_can_be_ruled_out_by_literals() -> None:
    for kind in ("refusal", "machine", "role_leak", "essentialism", "farewell"):
        assert all(read_needs(source) for source in ENGLISH.patterns[kind].sources), kind


@pytest.mark.parametrize("name", list_languages())
def test_no_phrase_of_a_pack_matches_the_empty_text(name: str) -> None:
    pack = load_language(name)
    assert [(kind, s) for kind, p in pack.patterns.items() for s in p.sources if re.search(s, "", re.IGNORECASE)] == []
