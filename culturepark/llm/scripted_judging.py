"""What the scripted engine says as verifier, mender and judge: fixed shares of each answer, drawn from the hash."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from culturepark.files import find_data_folder, read_yaml
from culturepark.llm.scripted_phrases import Dice, Speech

UNKNOWN = -1
_SHARES: dict[str, Mapping[Any, float]] = {
    "stance": {"follows": 0.93, "silent": 0.04, "contradicts": 0.03},
    "keeps_meaning": {True: 0.9, False: 0.1},
    "harm": {1: 0.95, 2: 0.045, 4: 0.005},
    "fit": {5: 0.6, 4: 0.385, 2: 0.015},
    "complexity": {3: 0.25, 4: 0.35, 5: 0.25, 6: 0.15},
    "quality": {3: 0.2, 4: 0.4, 5: 0.3, 6: 0.1},
}
_VERDICTS = {"": 0.5, "unknown": 0.29, "supported": 0.2, "contradicted": 0.01}
_HOLDS = re.compile(r'^(\d+)\. .*?\bholds: "([^"]*)"', re.MULTILINE)
_HEAD = slice(1, 40)  # of a view: the first letter may be written small


def has_judgement(name: str, part: Mapping[str, Any]) -> bool:
    """Is this part of a schema an answer with a share of its own?"""
    shares = _SHARES.get(name)
    if shares is None:
        return False
    return (
        part.get("type") == "boolean"
        if True in shares and len(shares) == 2
        else set(shares) <= set(part.get("enum", ()))
    )


def give_judgement(name: str, dice: Dice) -> Any:
    """One of the answers, by its share."""
    return _draw(_SHARES[name], dice)


def _draw(shares: Mapping[Any, float], dice: Dice) -> Any:
    left = dice.below(1_000_000) / 1_000_000
    for answer, share in shares.items():
        left -= share
        if left < 0:
            return answer
    return answer


def give_statements(part: Mapping[str, Any], dice: Dice, speech: Speech) -> list[dict[str, Any]]:
    """Most claims make no statement that a source could tell about."""
    parts = part["items"]["properties"]
    sources = [s for s in parts["source"]["enum"] if s != "none"]
    verdict = _draw(_VERDICTS, dice)
    if not verdict:
        return []
    known = bool(sources) and verdict != "unknown"
    return [
        {
            "text": speech.say("note"),
            "kind": dice.pick(parts["kind"]["enum"]),
            "verdict": verdict if known else "unknown",
            "source": dice.pick(sources) if known else "none",
        }
    ]


def rewrite_claim(question: str, number: str, dice: Dice) -> str:
    """A sentence in the first person that holds the view the question gives for this claim."""
    view = next((found[2] for found in _HOLDS.finditer(question) if found[1] == number), "")
    if not view:
        return Speech(dice, ()).say("reason")
    small = view if view[1:2].isupper() or re.match(r"I\b", view) else view[:1].lower() + view[1:]
    return Speech(dice, (), "", {"view": small if small[-1] in ".!?" else small + "."}).say("stance")


def place_on_scale(after: str, said: str, codes: Sequence[int], dice: Dice) -> int:
    """The code a speaker holds at the end: that of the view quoted in ``said``, or one nearer to the middle."""
    scale = sorted(code for code in codes if code != UNKNOWN)
    code = next((c for head, c in _view_heads() if c in scale and head in said), None)
    if code is None or after == "unclear":
        return UNKNOWN if UNKNOWN in codes else dice.pick(codes)
    place = scale.index(code)
    if after == "moved" or dice.chance(0.05):
        middle = (len(scale) - 1) / 2
        place += (place < middle) - (place > middle)
    return scale[place]


@cache
def _view_heads() -> tuple[tuple[str, int], ...]:
    """How the view of each scale point begins, and its code."""
    topics = sorted((find_data_folder("scenarios") / "topics").glob("*.yaml"))
    return tuple((p["view"][_HEAD], p["code"]) for path in topics for p in read_yaml(path)["scale"])
