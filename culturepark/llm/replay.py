"""The reply log in front of a client: what was answered once is never asked again.

One line a reply in ``<folder>/<shard:05d>.jsonl``, written with one system call, so that killing the
process loses at most the replies in flight. One process writes to a shard at a time.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from culturepark.errors import DataError
from culturepark.files import cut_torn_tail, dump_line, read_lines
from culturepark.llm.base import ChatClient, Reply, Request, Usage

_log = logging.getLogger(__name__)
_SYNC_EVERY = 256
_SYNC_AFTER_S = 1.0
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is full",
    errno.EROFS: "the disk is read-only",
}
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


@dataclass(slots=True)
class _Shard:
    """One log file in memory: replies by key, then by request hash."""

    path: Path
    replies: dict[str, dict[str, Reply]] = field(default_factory=dict)
    handle: int | None = None
    unsynced: int = 0


class ReplyLog:
    """Replies by key and request hash, one append-only file a shard, read when a key of it is first asked.

    ``on_damage`` is told the file and the line number of each line that cannot be trusted.
    ``durable`` syncs to disk every 256 replies or every second.
    """

    def __init__(
        self,
        folder: Path,
        shard_of: Callable[[str], int],
        *,
        durable: bool = False,
        on_damage: Callable[[Path, int], None] | None = None,
    ) -> None:
        self._folder, self.shard_of, self._durable = folder, shard_of, durable
        self._on_damage = on_damage or _warn_of_damage
        self._shards: dict[int, _Shard] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._synced_at = time.monotonic()
        self._sync_error: DataError | None = None
        self.damaged = 0
        self.stale = 0

    def find(self, key: str, request_hash: str) -> Reply | None:
        """The logged reply, or None; a key known only with other hashes counts as stale."""
        known = self._shard(self.shard_of(key)).replies.get(key)
        if known is None:
            return None
        if request_hash not in known:
            self.stale += 1
        return known.get(request_hash)

    def append(self, key: str, request_hash: str, reply: Reply) -> None:
        """Log one reply; it survives the end of this process once the call returns."""
        shard = self._shard(self.shard_of(key))
        content = _as_json(reply)
        checksum = _checksum(key, request_hash, content)
        line = dump_line({"key": key, "hash": request_hash, "crc": checksum, "reply": content})
        self._write(shard, line)
        shard.replies.setdefault(key, {})[request_hash] = replace(reply, replayed=True)

    def forget(self, shard_number: int) -> None:
        """Free the memory of a shard and close its file; it is read again when asked."""
        shard = self._shards.pop(shard_number, None)
        if shard is not None and shard.handle is not None:
            self._sync_shard(shard)
            os.close(shard.handle)

    def sync(self) -> None:
        """Force all written replies to the disk when ``durable``."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for shard in self._shards.values():
            self._sync_shard(shard)
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Sync and close every file."""
        self.sync()
        for number in list(self._shards):
            self.forget(number)

    def _shard(self, number: int) -> _Shard:
        shard = self._shards.get(number)
        if shard is None:
            shard = self._shards[number] = self._load(self._folder / f"{number:05d}.jsonl")
        return shard

    def _load(self, path: Path) -> _Shard:
        shard = _Shard(path)
        try:
            cut_torn_tail(path)
            for number, (_, line) in enumerate(read_lines(path), start=1):
                record = _read_line(line)
                if record is None:
                    self.damaged += 1
                    self._on_damage(path, number)
                else:
                    key, request_hash, reply = record
                    shard.replies.setdefault(key, {})[request_hash] = reply
        except OSError as error:
            raise DataError(f"{path}: cannot be read or mended ({error.strerror}), see to it") from error
        return shard

    def _write(self, shard: _Shard, line: bytes) -> None:
        if self._sync_error is not None:
            raise self._sync_error
        try:
            if shard.handle is None:
                shard.path.parent.mkdir(parents=True, exist_ok=True)
                shard.handle = os.open(shard.path, _APPEND, 0o644)
            _write_whole(shard.handle, line)
            shard.unsynced += 1
            if self._durable:
                self._plan_sync(shard)
        except OSError as error:
            raise _write_error(shard.path, error) from error

    def _plan_sync(self, shard: _Shard) -> None:
        if shard.unsynced >= _SYNC_EVERY:
            self._sync_shard(shard)
        if time.monotonic() - self._synced_at >= _SYNC_AFTER_S:
            self.sync()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(_SYNC_AFTER_S, self._sync_later)
            except RuntimeError:  # without a loop the next append or close syncs
                return

    def _sync_later(self) -> None:
        try:
            self.sync()
        except DataError as error:  # nobody awaits a timer: the next reply tells
            self._sync_error = error

    def _sync_shard(self, shard: _Shard) -> None:
        if self._durable and shard.handle is not None and shard.unsynced:
            try:
                os.fsync(shard.handle)
            except OSError as error:
                raise _write_error(shard.path, error) from error
        shard.unsynced = 0


class ReplayClient:
    """Answers from the log when key and request are known there; else asks and logs."""

    def __init__(self, inner: ChatClient, log: ReplyLog) -> None:
        self._inner = inner
        self.log = log

    async def reply(self, request: Request) -> Reply:
        """The logged reply with ``replayed`` set, or a new one as the log will give it back."""
        request_hash = request.hash()
        logged = self.log.find(request.key, request_hash)
        if logged is not None:
            return logged
        reply = _as_stored(await self._inner.reply(request))
        self.log.append(request.key, request_hash, reply)
        return reply

    async def close(self) -> None:
        """Close the log and the inner client."""
        try:
            self.log.close()
        finally:
            await self._inner.close()


def _write_whole(handle: int, line: bytes) -> None:
    """Append one line; when only a part fits, that part is cut off again."""
    written = os.write(handle, line)
    if written == len(line):
        return
    start = os.fstat(handle).st_size - written
    try:
        while written < len(line):
            written += os.write(handle, line[written:])
    except OSError:
        os.ftruncate(handle, start)
        raise


def _write_error(path: Path, error: OSError) -> DataError:
    fault = _FULL.get(error.errno or 0, f"cannot be written ({error.strerror})")
    return DataError(f"{path}: {fault}; free space or mend it, then resume")


def _as_stored(reply: Reply) -> Reply:
    """The reply as UTF-8 can hold it, so that a resumed run builds on the very same text."""
    text, model, refusal = (_storable(part) for part in (reply.text, reply.model, reply.refusal))
    return replace(reply, text=text, model=model, refusal=refusal)


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _as_json(reply: Reply) -> dict[str, Any]:
    usage = {"input": reply.usage.input, "cached": reply.usage.cached, "output": reply.usage.output}
    content = {
        "text": reply.text,
        "finish": reply.finish,
        "usage": usage,
        "model": reply.model,
        "refusal": reply.refusal,
    }
    return content | {"digits": [[place, list(row)] for place, row in reply.digits]} if reply.digits else content


def _checksum(key: str, request_hash: str, reply: Any) -> str:
    return f"{zlib.crc32(dump_line([key, request_hash, reply]).rstrip()):08x}"


def _read_line(line: bytes) -> tuple[str, str, Reply] | None:
    """Key, hash and reply of one line; None when it is not what was written."""
    try:
        record = json.loads(line)
        key, request_hash, content = record["key"], record["hash"], record["reply"]
        if record["crc"] != _checksum(key, request_hash, content):
            return None
        reply = Reply(
            text=content["text"],
            finish=content["finish"],
            usage=Usage(**content["usage"]),
            model=content["model"],
            refusal=content["refusal"],
            replayed=True,
            digits=tuple((int(place), tuple(map(float, row))) for place, row in content.get("digits", ())),
        )
    except (ValueError, KeyError, TypeError):
        return None
    return key, request_hash, reply


def _warn_of_damage(path: Path, number: int) -> None:
    _log.warning("%s, line %d: damaged, its reply is asked for again", path, number)
