"""The words of the wire format one server takes: what it refuses is said otherwise or left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from culturepark.llm.faults import Fault

_DROPPABLE = ("seed", "top_p", "temperature", "stop", "top_logprobs", "logprobs")
_REFUSES = re.compile(
    r"n[o']t support|unsupported|unknown|unrecogni[sz]ed|unexpected|unavailable|not (?:permitted|allowed)"
    r"|extra_forbidden|invalid parameter|cannot find|cannot both|deprecated|only the default",
    re.IGNORECASE,
)
_FORMAT = re.compile(
    r"response_?format|json_?schema|json_?object|json mode|structured output|grammar|guided|invalid schema",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Dialect:
    """What one model's server has refused so far, so that it is not sent again."""

    tokens_name: str = "max_tokens"
    format: str = "json_schema"  # then "json_object", then "none"
    dropped: set[str] = field(default_factory=set)

    def speak(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request body in the words this server takes."""
        said = {name: value for name, value in body.items() if name not in self.dropped}
        if self.tokens_name != "max_tokens" and "max_tokens" in said:
            said[self.tokens_name] = said.pop("max_tokens")
        if self.format != "json_schema" and "response_format" in said:
            said["response_format"] = {"type": self.format}
            if self.format == "none":
                del said["response_format"]
        return said

    def learn(self, sent: Mapping[str, Any], fault: Fault) -> bool:
        """Take in a refusal; True when the request is worth sending again in other words."""
        told = f"{fault.message} {fault.code} {fault.param}"
        if "max_tokens" in sent and "max_completion_tokens" in told:
            self.tokens_name = "max_completion_tokens"
            return True
        kind = (sent.get("response_format") or {}).get("type")
        if kind and _FORMAT.search(told):
            self.format = "json_object" if kind == "json_schema" else "none"
            return True
        for name in _DROPPABLE:
            if name in sent and _REFUSES.search(told) and re.search(rf"\b{name}\b", told):
                self.dropped.add(name)
                return True
        return False

    def describe(self) -> tuple[str, ...]:
        """What differs from the plain wire format, for people."""
        changes = [f"{name} is not sent" for name in sorted(self.dropped)]
        if self.tokens_name != "max_tokens":
            changes.append(f"max_tokens is sent as {self.tokens_name}")
        if self.format != "json_schema":
            changes.append(f"response_format is {self.format} instead of json_schema")
        return tuple(changes)
