"""Runs whose samples a test writes by itself, without a folder of data behind them."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from culturepark.records import Dialogue, Sample
from culturepark.runs.folder import Run
from tests.builders import make_dialogue, make_persona, make_turns

_CHANCE = random.Random(0)
WORDS = ["".join(_CHANCE.choices(ascii_lowercase, k=_CHANCE.randint(2, 9))) for _ in range(900)]


class MadeRun(Run):
    """A run that has just these samples and talks."""

    def __init__(self, path: Path, samples: Sequence[Sample], talks: Sequence[Dialogue] = (), n: int = 0) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.made, self.talks = path, list(samples), list(talks)
        config = {"near_copy": 0.7, "n": n}
        self.manifest = {"fingerprint": "0123456789abcdef", "state": "complete", "config": config, "counts": {}}

    def samples(self) -> Iterator[Sample]:
        """As of a real run, the file of the samples is another one when they are others."""
        file, text = self.path / "samples.jsonl", json.dumps([s.id for s in self.made])
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
        return iter(self.made)

    def dialogues(self) -> Iterator[Dialogue]:
        return iter(self.talks)


_NUMBERS = itertools.count()


def make_text(seed: object, length: int = 40) -> str:
    """Words that no other seed has in this order."""
    return " ".join(random.Random(f"{seed}").choices(WORDS, k=length))


def make_sample(dialogue: str = "d1", topic: str = "care", text: str = "", **changes: Any) -> Sample:
    """A sample of a talk; without ``text`` it says something of its own."""
    number = next(_NUMBERS)
    culture = changes.get("culture", "arab")
    values: dict[str, Any] = {
        "id": f"{dialogue}-a{number}",
        "messages": (
            {"role": "user", "content": f"What of {topic}?"},
            {"role": "assistant", "content": text or make_text((number, dialogue))},
        ),
        "culture": culture,
        "country": {"arab": "EGY", "korean": "KOR"}.get(culture, "DEU"),
        "language": "en",
        "topic": topic,
        "theme": "family",
        "answer": 1,
        "answer_label": "Agree",
        "kind": "opinion",
        "form": "single",
        "lineage": {
            "dialogue": dialogue,
            "persona": changes.pop("persona", f"{dialogue}-a"),
            "survey": {"survey": "wvs7", "item": "Q38", "share": 0.5, "n_valid": 100},
        },
        "verdicts": (),
    }
    return Sample(**{**values, **changes})


def make_pair(dialogue: str = "d1", rejected: str = "", **changes: Any) -> Sample:
    """A preference pair."""
    sample = make_sample(dialogue, form="preference", origin="culture", **changes)
    other = {"role": "assistant", "content": rejected or make_text(("rejected", sample.id))}
    return sample.model_copy(update={"rejected": (other,)})


def make_many(
    topics: int = 10, talks: int = 4, each: int = 2, cultures: Sequence[str] = ("arab", "korean")
) -> list[Sample]:
    """``topics`` x ``talks`` talks, each with ``each`` samples of every culture."""
    return [
        make_sample(f"t{t}d{d}", f"topic{t}", culture=culture, persona=f"t{t}d{d}-{culture}")
        for t in range(topics)
        for d in range(talks)
        for culture in cultures
        for _ in range(each)
    ]


def make_talk(id: str, *countries: str) -> Dialogue:
    """A talk of people from these countries."""
    people = {seat: make_persona(seat, country=c) for seat, c in zip("abcd", countries, strict=False)}
    return make_dialogue(make_turns("Hello."), n=2, id=id, personas=people)
