"""What rate-limit headers say: how much a server still lets through, and when that is renewed.

Reads OpenAI's and Anthropic's headers, the plain ``X-RateLimit-*`` ones, and both forms of the
``RateLimit`` draft of the IETF. What cannot be read is taken as not said.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

RESET_CAP_S = 120.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DRAFT = re.compile(r"\b(remaining|reset|r|t)\s*=\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
# What is counted, and the headers of what is left of it and when it is renewed, without case.
_NAMES = (
    ("requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("requests", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("tokens", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("tokens", "anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("tokens", "anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("requests", "x-ratelimit-remaining", "x-ratelimit-reset"),
    ("requests", "ratelimit-remaining", "ratelimit-reset"),
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """``left`` of ``unit`` (``requests`` or ``tokens``) may still be used in the next ``reset_s`` seconds."""

    unit: str
    left: float
    reset_s: float


def read_allowances(headers: Mapping[str, str]) -> tuple[Allowance, ...]:
    """Every allowance the headers of an answer tell in full; most servers tell none."""
    found = {low: value for name, value in headers.items() if "ratelimit" in (low := name.lower())}
    if not found:
        return ()
    now = _read_now(headers)
    read = [
        Allowance(unit, left, reset)
        for unit, remaining, renewal in _NAMES
        if (left := _read_count(found.get(remaining, ""))) is not None
        and (reset := read_reset(found.get(renewal, ""), now)) is not None
    ]
    if "ratelimit" in found:
        read.extend(_read_draft(found["ratelimit"]))
    return tuple(read)


def read_reset(text: str, now: float | None = None) -> float | None:
    """Seconds, at most ``RESET_CAP_S``, until a reset told as ``20ms``, ``6m0s``, ``30``, a date or seconds since 1970.

    ``now`` is the server's own clock. None if unreadable.
    """
    text = text.strip()
    now = time.time() if now is None else now
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return _clamp(sum(float(number) * _UNITS[unit] for number, unit in parts))
    number = _read_count(text)
    if number is not None:
        if number > 1e11:  # milliseconds since 1970
            number /= 1000
        return _clamp(number - now if number > 1e8 else number)
    try:
        moment = datetime.fromisoformat(text)
        return _clamp(moment.timestamp() - now) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _read_draft(text: str) -> list[Allowance]:
    """The draft's one header, in its older form ``limit=9, remaining=5, reset=30`` or as ``"day";r=5;t=30, ...``."""
    found = []
    for policy in text.split(",") if ";" in text else [text]:
        values = {name.lower()[0:3]: float(value) for name, value in _DRAFT.findall(policy)}
        left, reset = values.get("rem", values.get("r")), values.get("res", values.get("t"))
        if left is not None and reset is not None:
            found.append(Allowance("requests", left, _clamp(reset)))
    return found


def _read_count(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _read_now(headers: Mapping[str, str]) -> float:
    for name, value in headers.items():
        if name.lower() == "date":
            try:
                return parsedate_to_datetime(value).timestamp()
            except (ValueError, OverflowError, TypeError):
                break
    return time.time()


def _clamp(seconds: float) -> float:
    return min(max(seconds, 0.0), RESET_CAP_S)
