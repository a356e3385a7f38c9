"""Servers and judges as a user writes them, and how to tell a pasted key from a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

VARIABLE = re.compile("[A-Z][A-Z0-9_]{1,40}")
_SECRET_NAME = re.compile(
    "(^|-)(api-?key|(access|auth|api|hf|bearer|secret)-token|token|secret|passw(or)?d|authorization)$"
)
KEY_STARTS = ("sk-", "sk_", "gsk_", "hf_", "AIza", "xai-")


def looks_like_a_key(value: str) -> bool:
    """Is this a key pasted where a variable's name belongs? Keys are long and mix cases and digits."""
    kinds = (str.isupper, str.islower, str.isdigit)
    mixed = all(any(kind(c) for c in value) for kind in kinds)
    return value.startswith("sk_") or len(value) > 64 or (len(value) >= 20 and (mixed or value.startswith("gsk_")))


def names_secret(name: str) -> bool:
    """Is this the name of a flag or key whose value is a secret?"""
    return bool(_SECRET_NAME.search(name.lower().replace("_", "-")))


def holds_secret(value: Any) -> bool:
    """Is there a secret anywhere in a value of JSON, by its name or its look?"""
    if isinstance(value, dict):
        return any((part and names_secret(str(name))) or holds_secret(part) for name, part in value.items())
    if isinstance(value, list):
        return any(holds_secret(part) for part in value)
    return isinstance(value, str) and len(value) >= 20 and value.startswith(KEY_STARTS)


@dataclass(frozen=True, slots=True)
class Server:
    """One of the servers that share a run; ``variable`` names the one that holds its key, where it has its own."""

    url: str
    weight: float = 1.0
    variable: str | None = None


def split_servers(text: str) -> tuple[Server, ...]:
    """The servers of a base URL: ``URL[#VARIABLE][*WEIGHT]``, several joined by commas. Raises ``ValueError``."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        rest, star, weight = part.rpartition("*")
        if not star:
            rest, weight = part, "1"
        url, sharp, variable = rest.partition("#")
        try:
            number = float(weight)
        except ValueError:
            number = 0.0
        if not 0 < number <= 1000:
            raise ValueError("a weight must be a number above 0, as in http://host:port/v1*2")
        found.append(Server(url.strip().rstrip("/"), number, variable.strip() if sharp else None))
    return tuple(found)


def check_url(value: str) -> None:
    """Raise ``ValueError`` for what is no plain address; its message repeats nothing of it."""
    try:
        parts = urlsplit(value)
    except ValueError:  # its message may repeat the address
        raise ValueError("must look like http://host:port/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must look like http://host:port/v1")
    # A raw "/" in a password moves the rest of it, with the "@", into the path.
    hidden = "@" in value or any(part.startswith(KEY_STARTS) for part in parts.path.split("/"))
    if hidden or parts.query or parts.fragment:
        raise ValueError("must not hold a key or password: name a variable with --api-key-env")


def split_judge(text: str) -> tuple[str, str | None, str | None]:
    """A judge's model, server and the variable that holds its key, from ``MODEL[@URL[#VARIABLE]]``."""
    head, mark, rest = text.partition("@http")
    if not mark:
        return text.strip(), None, None
    url, sharp, variable = f"http{rest}".partition("#")
    return head.strip(), url.rstrip("/"), variable if sharp else None
