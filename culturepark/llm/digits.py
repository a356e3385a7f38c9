"""How sure a model was of each digit it wrote, out of the log-probabilities of an OpenAI-compatible reply."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

Digits = tuple[tuple[int, tuple[float, ...]], ...]


def read_digits(choice: Mapping[str, Any], text: str) -> Digits:
    """Place in ``text`` and probabilities of 0 to 9 for each token that is one digit; empty where none are given.

    Tokens must spell ``text`` or end with it (thoughts or a prefill may stand before); else they are not trusted.
    """
    given = choice.get("logprobs")
    tokens = given.get("content") if isinstance(given, dict) else None
    if not isinstance(tokens, list):
        return ()
    found: list[tuple[int, tuple[float, ...]]] = []
    raw = bytearray()
    for token in tokens:
        if not isinstance(token, dict) or not isinstance(token.get("token"), str):
            return ()
        word = _bytes_of(token)
        digit = word.strip()
        if len(digit) == 1 and digit.isdigit():
            place = len(raw) + word.index(digit)
            found.append((place, _spread(token, digit.decode())))
        raw += word
    whole = text.encode("utf-8", "surrogatepass")
    if not raw.endswith(whole):
        return ()
    start = len(raw) - len(whole)
    # Bytes to characters: what stands before a digit is whole text.
    return tuple((len(raw[start:place].decode("utf-8", "replace")), row) for place, row in found if place >= start)


def _bytes_of(token: Mapping[str, Any]) -> bytes:
    given = token.get("bytes")
    if isinstance(given, list) and all(type(b) is int and 0 <= b < 256 for b in given):
        return bytes(given)
    return str(token["token"]).encode("utf-8", "surrogatepass")


def _spread(token: Mapping[str, Any], own: str) -> tuple[float, ...]:
    """Probabilities of the ten digits at one place, as listed; the token itself counts if it is not."""
    row = [0.0] * 10
    for word, logprob in _alternatives(token):
        if len(word) == 1 and word in "0123456789":
            row[int(word)] += _read_probability(logprob)
    if not row[int(own)]:
        row[int(own)] = _read_probability(token.get("logprob"))
    return tuple(round(min(1.0, p), 6) for p in row)


def _alternatives(token: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    given = token.get("top_logprobs")
    for other in given if isinstance(given, list) else ():
        if isinstance(other, dict) and isinstance(other.get("token"), str):
            yield other["token"].strip(), other.get("logprob")


def _read_probability(logprob: Any) -> float:
    if not isinstance(logprob, (int, float)) or logprob != logprob:  # not a number, or NaN
        return 0.0
    return math.exp(min(0.0, max(-1000.0, logprob)))


def expect_grade(row: tuple[float, ...], lowest: int, highest: int) -> float | None:
    """Expected value over the grades ``lowest`` to ``highest``, as DEITA takes it; ``None`` without any of them."""
    part = row[lowest : highest + 1]
    total = sum(part)
    return sum(k * p for k, p in enumerate(part, lowest)) / total if total > 0 else None
