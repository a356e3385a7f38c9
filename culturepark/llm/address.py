"""A server's address and credentials: what is sent to it, and what must never be shown."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit, urlunsplit

from culturepark.errors import ConfigError

_SHORTEST = 8  # what is shorter may stand in a reply by chance


def split_base(base_url: str) -> tuple[str, str]:
    """The base URL without userinfo and trailing slash, and the userinfo."""
    try:
        parts = urlsplit(base_url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or "@" in parts.path:
        raise ConfigError("base_url is not a URL: it must look like http://127.0.0.1:8000/v1")
    userinfo, _, host = parts.netloc.rpartition("@")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return urlunsplit((parts.scheme, host, path, parts.query, "")), userinfo


def make_headers(base: str, userinfo: str, key: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The headers of every request, and all texts that must never be shown."""
    if key and userinfo:
        raise ConfigError("the base URL holds a user and an API key is set too: leave one of them out")
    if not (key.isascii() and key.isprintable()):
        hint = "set it again in the variable named by --api-key-env"
        raise ConfigError(f"the API key holds characters that no key has: {hint}")
    query = urlsplit(base).query
    raw = [part.partition("=")[2] for part in query.split("&")]  # as a server repeats the address it was asked at
    secrets = [*raw, *(value for _, value in parse_qsl(query))]
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if userinfo:
        token = base64.b64encode(unquote(userinfo).encode()).decode()
        headers["Authorization"] = f"Basic {token}"
        password = userinfo.partition(":")[2]
        secrets += [token, userinfo, unquote(userinfo), password, unquote(password)]
    elif key:
        headers["Authorization"] = f"Bearer {key}"
        secrets.append(key)
    return headers, tuple(secret for secret in secrets if secret)


def find_credentials(base: str, userinfo: str, key: str) -> tuple[str, ...]:
    """The secrets that no reply holds by chance, the longest first; the version of an API is none of them."""
    found = {key}
    if userinfo:
        password = userinfo.partition(":")[2]
        found |= {base64.b64encode(unquote(userinfo).encode()).decode(), password, unquote(password)}
    for part in urlsplit(base).query.split("&"):
        name, _, value = part.partition("=")
        if not name.lower().endswith("version"):
            found |= {value, unquote_plus(value)}
    return tuple(sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True))
