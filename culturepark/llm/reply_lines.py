"""Replies as lines of a log: sealed with length and checksum, each naming the shard it belongs to.

Lines of schema version 1 (a checksum over parts, no shard) are still read.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from culturepark.files import cut_torn_tail, dump_line, read_lines, seal_line, unseal_line
from culturepark.llm.base import Reply, Usage

_WHOLE = re.compile(rb'\{"shard":\d+,"key":.*?,"len":\d+,"crc":"[0-9a-f]{8}"\}')


class Logged(NamedTuple):
    """A reply as it was logged; ``shard`` is ``None`` in lines of version 1."""

    shard: int | None
    key: str
    hash: str
    reply: Reply


def dump_reply(shard: int, key: str, request_hash: str, reply: Reply) -> bytes:
    """One line of the log."""
    return seal_line({"shard": shard, "key": key, "hash": request_hash, "reply": _as_json(reply)})


def parse_reply(raw: bytes) -> Logged | None:
    """The reply of one line; ``None`` when it is not what was written. Changed line ends do no harm."""
    record = unseal_line(raw[:-2] + b"\n" if raw.endswith(b"\r\n") else raw) or _unseal_first(raw)
    if record is None:
        return None
    try:
        content = record["reply"]
        reply = Reply(
            text=content["text"],
            finish=content["finish"],
            usage=Usage(**content["usage"]),
            model=content["model"],
            refusal=content["refusal"],
            replayed=True,
            digits=tuple((int(place), tuple(map(float, row))) for place, row in content.get("digits", ())),
        )
        return Logged(record.get("shard"), record["key"], record["hash"], reply)
    except (ValueError, KeyError, TypeError):
        return None


def salvage_replies(raw: bytes) -> Iterator[Logged]:
    """Whole replies inside a damaged line, such as two that lost the line feed between them."""
    for match in _WHOLE.finditer(raw):
        logged = parse_reply(match.group() + b"\n")
        if logged is not None:
            yield logged


def make_storable(reply: Reply) -> Reply:
    """The reply as UTF-8 can hold it, so that a resumed run builds on the very same text."""
    try:
        for part in (reply.text, reply.model, reply.refusal):
            part.encode("utf-8")
    except UnicodeEncodeError:
        parts = (part.encode("utf-8", "replace").decode("utf-8") for part in (reply.text, reply.model, reply.refusal))
        text, model, refusal = parts
        return replace(reply, text=text, model=model, refusal=refusal)
    return reply


def mend_tail(path: Path) -> bool:
    """Cut an unfinished last line; one that lacks nothing but its line feed gets it back. Raises ``OSError``.

    Returns whether something was cut.
    """
    if not path.exists():
        return False
    end = sum(len(raw) for _, raw in read_lines(path))
    with path.open("rb+") as file:
        file.seek(end)
        tail = file.read()
        if tail and parse_reply(tail + b"\n") is not None:
            file.write(b"\n")
            return False
    return cut_torn_tail(path) > 0


def describe_file(bad: list[int], foreign: int | None, turned: bool, differs: bool) -> str:
    """What is wrong with a file of replies, in a few words; nothing when it is whole."""
    if foreign is not None:
        return f"holds replies of shard {foreign} (files swapped or renamed?); they are used where they belong"
    if bad:
        shown = ", ".join(map(str, bad[:5])) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        return f"line {shown}: damaged, asked for again where still needed"
    if turned:
        return "has other line ends than were written; the replies are whole and are used"
    return "is not as it was when its shard ended; what is whole in it is used" if differs else ""


def _as_json(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    content: dict[str, Any] = {
        "text": reply.text,
        "finish": reply.finish,
        "usage": {"input": usage.input, "cached": usage.cached, "output": usage.output},
        "model": reply.model,
        "refusal": reply.refusal,
    }
    if reply.digits:
        content["digits"] = [[place, list(row)] for place, row in reply.digits]
    return content


def _unseal_first(raw: bytes) -> dict[str, Any] | None:
    """A line of version 1: its checksum is over key, hash and reply as they are written."""
    try:
        record = json.loads(raw)
        parts = dump_line([record["key"], record["hash"], record["reply"]]).rstrip()
        whole = record["crc"] == f"{zlib.crc32(parts):08x}" and "shard" not in record
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if whole else None
