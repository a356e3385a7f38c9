"""What a model server's error answer means: its message without secrets, and the error to raise for it.

Used by every transport, so that a refused key or a full context ends the same way through all of them.
"""

from __future__ import annotations

import base64
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from culturepark.errors import CallError, CultureParkError, EndpointError

RETRY_AFTER_CAP_S = 120.0
_MESSAGE_CHARS = 200
_KEY_LIKE = re.compile(r"\b(?:(?:sk|pk|rk|gsk|hf|xai|nvapi|csk)[-_][\w*.\-]{4,}|AIza[\w\-]{8,}|eyJ[\w\-.]{16,})")
# What stands behind such a word is a secret, whatever it looks like.
_CREDENTIAL = re.compile(
    r"(\b(?:bearer|basic)\s+|\b(?:api[_-]?key|access[_-]?token|token|secret|password|passwd|pwd)[\"']?\s*[:=]\s*[\"']?"
    r"|://[^\s/:@]+:)(?!\*\*\*)[^\s\"',;&@]{6,}",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_CONTEXT = re.compile(
    r"context[_ ]length|context window|context size|context_size|maximum context|prompt is too long"
    r"|too many (?:input )?tokens",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|not a valid model|unknown model|no such model"
    r"|model\b.{0,120}(?:does not exist|not found)",
    re.IGNORECASE,
)
# Codes of servers for money that is used up. Their messages alone are no proof: some say "quota" of limits a minute.
_QUOTA_CODE = re.compile(r"insufficient_(?:quota|balance|credits?|funds)|billing|payment_required", re.IGNORECASE)
_QUOTA = re.compile(
    r"insufficient[ _](?:account )?(?:balance|credits?|funds)|credit balance|out of credits?|no credits?\b"
    r"|billing (?:hard |soft )?limit|check your billing|account is not active|(?:spend|spending|usage|budget) limit"
    r"|budget has been exceeded",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(
    r"(?:invalid|incorrect|expired|revoked|disabled|deactivated)[ _](?:api[ _])?(?:key|token)"
    r"|api[ _]?key[ _](?:is )?(?:not valid|not found|invalid|expired|revoked|disabled|has been|was)",
    re.IGNORECASE,
)
_KEY_STATE = re.compile(r"\b(expired|revoked|disabled|deactivated|deleted|leaked)\b", re.IGNORECASE)
# Of a 403: this text was turned away, not the key.
_BLOCKED = re.compile(
    r"moderation|flagged|content[ _-]?(?:policy|filter|management|safety)|safety|guardrail|prompt (?:was )?blocked"
    r"|harmful|violat\w+ (?:our |the )?(?:usage|content|use)",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"\b(?:account|organi[sz]ation|project|subscription|api[ _]key)\b", re.IGNORECASE)
_RATE = re.compile(r"rate[ _-]?limit|too many requests", re.IGNORECASE)
_OVERLOADED = frozenset({408, 503, 504, 529})


class UnreachableError(CallError):
    """No connection could be made: not this call failed, the server is not there. Kind ``network``."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "network")


class OverloadError(CallError):
    """The server is there and has too much to do. Kind ``server``."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, "server", retry_after)


@dataclass(frozen=True, slots=True)
class Fault:
    """An error answer: ``message`` holds no secret, ``code`` joins the server's type and code."""

    status: int
    message: str = ""
    code: str = ""
    param: str = ""
    retry_after: float | None = None

    @property
    def is_context(self) -> bool:
        """Whether the request was longer than the model can read."""
        return self.status in (400, 413, 422) and bool(_CONTEXT.search(f"{self.code} {self.message}"))

    @property
    def is_unknown_model(self) -> bool:
        """Whether the server says that it has no such model."""
        return self.status in (400, 404, 422) and bool(_UNKNOWN_MODEL.search(f"{self.code} {self.message}"))


def show_url(url: str) -> str:
    """A URL for messages: without user, password, query and fragment, which may all hold secrets."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(unreadable URL)"
    if not host or "@" in parts.path:  # a raw "/" in a password moves the rest of it into the path
        return "(unreadable URL)"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _list_environment_secrets() -> Iterator[str]:
    """Values of environment variables that are named like secrets: a server may repeat another server's key."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _SECRET_NAME.search(name):
            yield value


def _write_forms(secret: str) -> Iterator[str]:
    """A secret as it may be repeated: plain, in a URL, in base64; nothing for one that is too short to be one."""
    if len(secret) >= 4:
        raw = secret.encode("utf-8", "surrogateescape")
        yield from (secret, quote(raw, safe=""), quote_plus(raw), base64.b64encode(raw).decode().rstrip("="))


def clean_message(text: str, secrets: Iterable[str] = ()) -> str:
    """At most 200 characters in one line, with every secret, and all that looks like one, masked.

    Secrets are those given, values of environment variables named like keys, and what stands behind "Bearer",
    "password=" and the like.
    """
    known = {form for secret in {*secrets, *_list_environment_secrets()} for form in _write_forms(secret)}
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _CREDENTIAL.sub(r"\1***", _KEY_LIKE.sub("***", text))
    text = " ".join(text.split())
    return text if len(text) <= _MESSAGE_CHARS else text[: _MESSAGE_CHARS - 3] + "..."


def read_retry_after(headers: Mapping[str, str], cap_s: float = RETRY_AFTER_CAP_S) -> float | None:
    """Seconds to wait as ``retry-after-ms`` or ``Retry-After`` asks, from 0 to ``cap_s``; None without."""
    lower = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _read_number(lower.get(name, ""))
        if seconds is not None:
            return min(max(seconds * unit, 0.0), cap_s)
    until = _read_date(lower.get("retry-after", ""))
    if until is None:
        return None
    # The server's own clock, where it is told, makes a wrong clock on either side harmless.
    now = _read_date(lower.get("date", "")) or time.time()
    return min(max(until - now, 0.0), cap_s)


def _read_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _read_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def read_fault(status: int, body: Any, headers: Mapping[str, str], secrets: Iterable[str] = ()) -> Fault:
    """Read an error answer in any of the shapes servers use; a body that is not JSON gives no message."""
    if isinstance(body, list) and body:
        body = body[0]
    outer = body if isinstance(body, dict) else {}
    inner = outer.get("error", outer.get("detail", outer))
    if isinstance(inner, list):
        inner = inner[0] if inner else {}
    if not isinstance(inner, dict):
        inner = {"message": inner}
    code, where = inner.get("code"), inner.get("loc")
    if 200 <= status < 300 and isinstance(code, int) and 400 <= code < 600:
        status = code  # gateways report the fault of the server behind them inside a 200
    param = inner.get("param") or (where[-1] if isinstance(where, list) and where else "")
    return Fault(
        status=status,
        message=clean_message(str(inner.get("message") or inner.get("msg") or ""), secrets),
        code=clean_message(f"{inner.get('type') or ''} {code or ''}".strip(), secrets),
        param=str(param),
        retry_after=read_retry_after(headers),
    )


def error_for(fault: Fault, where: str) -> CultureParkError:
    """The error to raise for an answer; ``where`` is ``the server at <shown URL>``."""
    status = fault.status
    said = f": {fault.message}" if fault.message else ""
    answered = f"{where} answered {status}{said}"
    if lasting := _find_lasting(fault, where, said):
        return EndpointError(lasting)
    if fault.is_unknown_model or status in (404, 405):
        return EndpointError(f"{answered}; check --model and --base-url (it usually ends in /v1)")
    if 300 <= status < 400:
        return EndpointError(f"{where} sends us to another address ({status}): put that one in --base-url")
    if status == 429 or (status == 403 and _RATE.search(fault.message)):
        return CallError(answered, "rate", fault.retry_after)
    if status in _OVERLOADED or (status >= 500 and "overloaded" in f"{fault.code} {fault.message}".lower()):
        return OverloadError(answered, fault.retry_after)
    if status in (409, 425) or status >= 500:
        return CallError(answered, "server", fault.retry_after)
    if status < 300:
        return CallError(f"{where} answered {status} without a usable reply{said}", "server")
    return CallError(answered, "context" if fault.is_context else "request")


def _find_lasting(fault: Fault, where: str, said: str) -> str:
    """Why no call can succeed until somebody mends it: the key or the money; empty when that is not the matter."""
    status, told = fault.status, f"{fault.code} {fault.message}"
    is_blocked = bool(_BLOCKED.search(told)) and not _ACCOUNT.search(told)
    spent = status == 402 or (status in (403, 429) and bool(_QUOTA_CODE.search(fault.code)))
    # A limit that names the time to wait is renewed by itself.
    may_tell = status in (400, 403) or (status == 429 and fault.retry_after is None)
    if spent or (may_tell and _QUOTA.search(told) and not fault.is_context):
        return f"{where} says the quota is used up ({status}){said}; add credit, then resume"
    if status == 401 or (status == 400 and _BAD_KEY.search(told)):
        state = _KEY_STATE.search(told)
        why = f", it is {state[1].lower()}" if state else ""
        return f"{where} refuses the API key ({status}){why}: set it in the variable named by --api-key-env"
    if status == 403 and not is_blocked and not _RATE.search(fault.message):
        hint = "set another one in the variable named by --api-key-env, or ask for access"
        return f"{where} refuses the API key (403){said}: {hint}"
    return ""
