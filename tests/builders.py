"""Small personas, topics, dialogues and contexts for tests, and a model that answers from a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from culturepark.culture.scenarios import ScalePoint, Scene, Topic, Want
from culturepark.dialogue.state import DialogueContext
from culturepark.language import load_language
from culturepark.llm.base import Reply, Request, Sampling, Usage
from culturepark.prompts import Prompts
from culturepark.records import Dialogue, Persona, Seed, Stance, Turn
from culturepark.refine.agent import ReadingContext
from culturepark.refine.sentences import number_sentences

ENGLISH = load_language("english")
FULL = Prompts("full")
NAMES = ("Hassan", "Min-jun", "Aylin", "Paula")
VIEWS = ("VIEW-OF-A: care is owed.", "VIEW-OF-B: care is a gift.", "VIEW-OF-C: it depends.", "VIEW-OF-D: ask them.")
SEATS = ("a", "b", "c", "d")

TOPIC = Topic(
    id="care",
    survey="wvs7",
    item="Q38",
    theme="family",
    title="Looking after parents",
    statement="Grown children owe care to ageing parents.",
    agree_end="low",
    scale=tuple(
        ScalePoint(code=k, label=label, view=f"View number {k}.")
        for k, label in enumerate(("Strongly agree", "Agree", "Undecided", "Disagree", "Strongly disagree"), 1)
    ),
    discuss="Talk about who washes, feeds and visits the old.",
    questions=tuple(f"What would you do for an old neighbour in case {k}?" for k in range(1, 9)),
    keywords=("parent", "mother", "father", "nurse", "old", "elder", "sick", "duty"),
    sensitive="Carers may be tired.",
    tags=("parents", "care"),
    provenance="own",
)
SCENE = Scene(
    id="kitchen",
    title="A kitchen",
    place="a kitchen at night",
    relationship="neighbours",
    occasion="The kettle is on.",
    mood="calm",
    wants=tuple(Want(text=f"WANT-OF-{seat.upper()}") for seat in SEATS),
    styles=("cross", "within", "panel"),
    provenance="own",
)


def make_persona(seat: str, code: int | None = 1, **changes: Any) -> Persona:
    k = SEATS.index(seat)
    view = VIEWS[k] if code is not None else ""
    stance = Stance(
        topic="care", item="Q38", code=code, label=f"answer {code}", view=view, origin="quota" if code else "none"
    )
    related = Stance(topic="pride", item="Q1", code=1, label="x", view=f"RELATED-OF-{seat.upper()}", origin="copula")
    values: dict[str, Any] = {
        "id": f"d1-{seat}",
        "culture": ("arab", "korean", "turkish", "german")[k],
        "country": ("EGY", "KOR", "TUR", "DEU")[k],
        "country_name": ("Egypt", "South Korea", "Turkey", "Germany")[k],
        "name": NAMES[k],
        "gender": "male" if k < 2 else "female",
        "age": 30 + k,
        "age_band": "30-44",
        "setting": "city",
        "home": f"the old quarter {seat}",
        "education": "secondary",
        "occupation": f"a baker {seat}",
        "household": "with two sons",
        "interests": ("chess", "tea"),
        "religiosity": "somewhat religious",
        "style": "ask many questions",
        "style_id": "asker",
        "facts": (f"f{seat}",),
        "fact_texts": (f"FACT-OF-{seat.upper()}",),
        "stance": stance,
        "related": (related,),
        "answers": {"Q38": code} if code else {},
        "draw": {"seed": 1},
    }
    return Persona(**{**values, **changes})


def make_people(n: int = 2, codes: Sequence[int | None] = (1, 5, 3, 2)) -> dict[str, Persona]:
    return {seat: make_persona(seat, code) for seat, code in zip(SEATS[:n], codes, strict=False)}


def make_turns(*texts: str, speakers: str = "ab") -> list[Turn]:
    """Turns of speakers in rotation; ``m`` is the moderator."""
    turns = []
    for index, text in enumerate(texts):
        seat = speakers[index % len(speakers)]
        speaker = "moderator" if seat == "m" else seat
        name = "Moderator" if seat == "m" else NAMES[SEATS.index(seat)]
        turns.append(Turn(index=index, speaker=speaker, name=name, text=text, request=f"r{index}", model="fake"))
    return turns


def make_dialogue(turns: Sequence[Turn], n: int = 2, **changes: Any) -> Dialogue:
    people = make_people(n)
    seeds = {
        seat: Seed(
            survey="wvs7", item="Q38", topic="care", country=p.country, code=1, label="x", share=0.5, n_valid=100
        )
        for seat, p in people.items()
    }
    values: dict[str, Any] = {
        "id": "d000001",
        "slot": 1,
        "attempt": 1,
        "status": "finished",
        "style": "cross",
        "topic": "care",
        "scene": "kitchen",
        "language": "en",
        "personas": people,
        "seeds": seeds,
        "turns": tuple(turns),
        "prompts": {"speaker": "abc"},
    }
    return Dialogue(**{**values, **changes})


@dataclass
class Fake:
    """A model that answers from a function of the request and keeps every request."""

    answer: Callable[[Request], str | Reply | Exception]
    requests: list[Request] = field(default_factory=list)

    async def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        answer = self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(answer, usage=Usage(10, 4, 5), model="fake-1")

    async def close(self) -> None:
        return None


def make_context(client: Any, n: int = 2, **changes: Any) -> DialogueContext:
    context = DialogueContext(
        id="d000001",
        client=client,
        model="fake",
        sampling=Sampling(temperature=1.0, max_tokens=200),
        prompts=FULL,
        language=ENGLISH,
        topic=TOPIC,
        scene=SCENE,
        personas=make_people(n),
        turns=6,
        seed=7,
    )
    return replace(context, **changes)


def make_reading(
    client: Any, dialogue: Dialogue, wanted: Mapping[str, int] | None = None, prompts: Prompts = FULL
) -> ReadingContext:
    return ReadingContext(
        client=client,
        model="fake",
        sampling=Sampling(temperature=0.0),
        prompts=prompts,
        language=ENGLISH,
        topic=TOPIC,
        dialogue=dialogue,
        sentences=number_sentences(dialogue.turns, ENGLISH),
        wanted=wanted or {"a": 2, "b": 2},
    )
