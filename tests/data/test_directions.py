"""Every item's direction is pinned by a fact that must hold, and every topic fits its item's scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from culturepark.culture.profiles import load_profiles
from culturepark.culture.scenarios import Topic, load_scenes, load_topics
from culturepark.culture.surveys import Survey, load_surveys
from culturepark.language import words

FACTS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("directions.yaml").read_text(encoding="utf-8"))
TOPICS = load_topics()
SURVEY = load_surveys()["wvs7"]
BY_ITEM = {t.item: t for t in TOPICS.values()}


def agreement(topic: Topic, survey: Survey, country: str) -> float:
    shares = survey.shares(country, topic.item)
    assert shares is not None
    return sum(topic.agreement(c) * s for c, s in zip(shares.codes, shares.shares, strict=True))


def holds(fact: dict[str, Any], topic: Topic) -> bool:
    gap = agreement(topic, SURVEY, fact["higher"]) - agreement(topic, SURVEY, fact["lower"])
    return bool(gap >= fact["margin"])


def test_every_item_has_a_fact() -> None:
    assert sorted(f["item"] for f in FACTS) == sorted(BY_ITEM) and len(BY_ITEM) == 50


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f["item"])
def test_direction(fact: dict[str, Any]) -> None:
    topic = BY_ITEM[fact["item"]]
    assert holds(fact, topic), fact["why"]
    flipped = topic.model_copy(update={"agree_end": "low" if topic.agree_end == "high" else "high"})
    assert not holds(fact, flipped), "the fact would not notice a flipped scale"


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda t: t.id)
def test_a_topic_fits_its_item(topic: Topic) -> None:
    asked = {c: items[topic.item] for c, items in SURVEY.marginals.items() if topic.item in items}
    codes = sorted({code for shares in asked.values() for code in shares.codes})
    assert list(topic.codes) == codes
    assert topic.provenance == "own"
    assert len({p.label for p in topic.scale}) == len(topic.scale)
    assert all(9 <= len(words(p.view)) <= 32 for p in topic.scale)
    assert 14 <= len(topic.keywords) and topic.sensitive.endswith(".")


def culture_words() -> set[str]:
    found: set[str] = set()
    for profile in load_profiles().values():
        for country in profile.countries:
            found |= set(words(country.name)) | set(words(country.adjective))
    return found - {"south", "united", "states", "north"}


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda t: t.id)
def test_a_topic_names_no_culture_and_no_survey(topic: Topic) -> None:
    texts = (topic.title, topic.statement, topic.discuss, *topic.questions, *(p.view for p in topic.scale))
    found = {w for text in texts for w in words(text)}
    assert not found & culture_words()
    assert not found & {"survey", "questionnaire", "respondent", "wvs"}
    assert len(set(topic.questions)) == len(topic.questions)


def test_topics_do_not_repeat_each_other() -> None:
    """No two topics share eleven words in a row in what is asked or stated."""
    seen: dict[tuple[str, ...], str] = {}
    for topic in TOPICS.values():
        for text in (topic.statement, topic.discuss, *topic.questions):
            found = words(text)
            for i in range(len(found) - 10):
                run = tuple(found[i : i + 11])
                assert seen.setdefault(run, topic.id) == topic.id, f"{topic.id} and {seen[run]}: {' '.join(run)}"


def test_missing_answers_never_count() -> None:
    for items in SURVEY.marginals.values():
        for shares in items.values():
            assert min(shares.codes) >= 0
            assert sum(shares.shares) == pytest.approx(1)
    assert SURVEY.shares("CHN", "Q224") is None and SURVEY.shares("EGY", "Q36") is None


def test_every_theme_has_scenes_for_every_style() -> None:
    scenes = load_scenes().values()
    for theme in {t.theme for t in TOPICS.values()}:
        for style in ("cross", "within", "panel"):
            fitting = [s for s in scenes if style in s.styles and (not s.themes or theme in s.themes)]
            assert len(fitting) >= 4, (theme, style)
