"""What went wrong with a step of a push, whether another try is worth it, and the one line for the user."""

from __future__ import annotations

from typing import Literal

from culturepark.errors import ConfigError, CultureParkError, EndpointError

# busy: worth another try. moved: the branch is not where we thought. The others end the push.
Kind = Literal["busy", "moved", "exists", "auth", "forbidden", "missing", "request"]
_AGAIN = "run the same command again to go on"


class HubFault(Exception):
    """A step failed. ``message`` holds no secret; ``retry_after`` is in seconds."""

    def __init__(self, kind: Kind, message: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.status, self.retry_after = kind, message, status, retry_after


def read_kind(status: int) -> Kind:
    """What a status means for a push."""
    if status in (408, 425, 429) or status >= 500:
        return "busy"
    kinds: dict[int, Kind] = {
        401: "auth",
        402: "forbidden",
        403: "forbidden",
        404: "missing",
        409: "exists",
        412: "moved",
    }
    return kinds.get(status, "request")


def error_for(fault: HubFault, repo_id: str, doing: str) -> CultureParkError:
    """The error that ends the push, in one line."""
    said = f" ({fault.message})" if fault.message else ""
    if fault.kind == "auth":
        return EndpointError(
            f"the Hub refuses the token{said}; set HF_TOKEN to one with write access, or log in with 'hf auth login'"
        )
    if fault.kind == "forbidden":
        return EndpointError(
            f"the token may not write to {repo_id}{said}; use one with write access to it, or another --repo-id"
        )
    if fault.kind == "missing":
        return EndpointError(f"{repo_id} is not on the Hub, or the token may not see it{said}, {doing}; {_AGAIN}")
    if fault.kind in ("moved", "exists"):
        return EndpointError(f"{repo_id} keeps changing while it is pushed to{said}; {_AGAIN}")
    if fault.kind == "busy":
        return EndpointError(f"the Hub does not answer as it should{said}, {doing}; {_AGAIN}")
    return ConfigError(f"the Hub turned the push to {repo_id} down{said}, {doing}")
