"""The reply log in front of a client: what was answered once is never asked again.

One line a reply in ``<folder>/<shard:05d>.jsonl`` (a worker: ``<shard:05d>.<writer>.jsonl``), written with one system
call, so that killing the process loses at most the replies in flight. A shard has one process that asks for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from culturepark.errors import DataError
from culturepark.files import read_lines, refuse_write
from culturepark.llm.base import ChatClient, Reply, Request
from culturepark.llm.marks import Extent, Marks, read_shard_number
from culturepark.llm.reply_lines import (
    Logged,
    describe_file,
    dump_reply,
    make_storable,
    mend_tail,
    parse_reply,
    salvage_replies,
)

_log = logging.getLogger(__name__)
_SYNC_EVERY = 256
_SYNC_AFTER_S = 1.0
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


@dataclass(slots=True)
class _Shard:
    """One shard in memory: replies by key, then by request hash; ``path`` is the file this process appends to."""

    number: int
    path: Path
    replies: dict[str, dict[str, Reply]] = field(default_factory=dict)
    extent: Extent = field(default_factory=Extent)
    handle: int | None = None
    unsynced: int = 0

    def take(self, logged: Logged) -> None:
        """Remember a reply."""
        self.replies.setdefault(logged.key, {})[logged.hash] = logged.reply


class ReplyLog:
    """Replies by key and request hash, cut into shards; a shard is read when a key of it is first asked.

    ``writer`` names a worker's own files; those of all writers are read. ``on_damage`` is told, in one line a file,
    what cannot be trusted. ``durable`` syncs to disk every 256 replies or every second.
    """

    def __init__(
        self,
        folder: Path,
        shard_of: Callable[[str], int],
        *,
        durable: bool = False,
        writer: str = "",
        on_damage: Callable[[str], None] | None = None,
    ) -> None:
        self._folder, self.shard_of, self._durable, self._writer = folder, shard_of, durable, writer
        self._on_damage = on_damage or _log.warning
        self._shards: dict[int, _Shard] = {}
        self._marks: Marks | None = None
        self._strays: dict[int, list[Path]] | None = None
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
        reply = known.get(request_hash)
        if reply is None:
            self.stale += 1
            return None
        return reply if reply.replayed else replace(reply, replayed=True)

    def append(self, key: str, request_hash: str, reply: Reply) -> None:
        """Log one reply; it survives the end of this process once the call returns."""
        shard = self._shard(self.shard_of(key))
        line = dump_reply(shard.number, key, request_hash, reply)
        self._write(shard, line)
        shard.extent.add(line, _tokens(reply))
        shard.replies.setdefault(key, {})[request_hash] = reply

    def forget(self, shard_number: int) -> None:
        """All talks of a shard are committed: mark its file, free its memory; it is read again when asked."""
        shard = self._release(shard_number)
        if shard is None or not shard.extent.lines:
            return
        try:
            self._known_marks().write(shard.path.name, shard_number, shard.extent)
        except OSError as error:
            raise refuse_write(self._folder / "marks.jsonl", error) from error

    def reload(self, shard_number: int) -> None:
        """Read a shard anew when it is next asked: another process has written to it."""
        self._release(shard_number)

    def _release(self, shard_number: int) -> _Shard | None:
        shard = self._shards.pop(shard_number, None)
        if shard is not None and shard.handle is not None:
            self._sync_shard(shard)
            os.close(shard.handle)
        return shard

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
            self._release(number)

    def _shard(self, number: int) -> _Shard:
        shard = self._shards.get(number)
        if shard is None:
            try:
                self._known_marks()
                shard = self._shards[number] = self._load(number)
            except OSError as error:
                place = error.filename or self._folder / f"{number:05d}.jsonl"
                raise DataError(f"{place}: cannot be read or mended ({error.strerror}), see to it") from error
        return shard

    def _known_marks(self) -> Marks:
        """The marks of all writers; what they miss is told once."""
        if self._marks is None:
            self._marks = Marks(self._folder, self._writer)
            if missing := self._marks.find_missing():
                more = f" and {len(missing) - 1} more" if missing[1:] else ""
                self._on_damage(
                    f"{self._folder / missing[0]}{more}: missing or cut off since the shard ended; its talks are "
                    "done, so nothing is asked again for them"
                )
        return self._marks

    def _load(self, number: int) -> _Shard:
        own = self._folder / (f"{number:05d}.{self._writer}.jsonl" if self._writer else f"{number:05d}.jsonl")
        shard = _Shard(number, own)
        if mend_tail(own):
            self._on_damage(f"{own}: its last line is unfinished and cut; that call is made again where still needed")
        paths = sorted(p for p in self._folder.glob(f"{number:05d}*.jsonl") if read_shard_number(p) == number)
        foreign = [other for path in paths if (other := self._read_file(shard, path)) is not None]
        if foreign or not paths:
            for path in self._find_strays().get(number, ()):
                if path not in paths:
                    self._read_file(shard, path, stray=True)
        return shard

    def _read_file(self, shard: _Shard, path: Path, stray: bool = False) -> int | None:
        """Take what is good in a file; returns the number of another shard whose replies it holds, if it does."""
        bad: list[int] = []
        extent, marked = Extent(), self._known_marks().by_file.get(path.name)
        differs, foreign, turned = False, None, False
        for number, (_, raw) in enumerate(read_lines(path), start=1):
            logged = parse_reply(raw)
            found = [logged] if logged is not None else list(salvage_replies(raw))
            if logged is None:
                bad.append(number)
            turned = turned or (logged is not None and raw.endswith(b"\r\n"))
            for one in found:
                if one.shard in (None, shard.number):
                    shard.take(one)
                else:
                    foreign = one.shard
            extent.add(raw, _tokens(logged.reply) if logged is not None else None)
            if marked is not None and extent.size == marked.size:
                differs = extent.crc != marked.crc
                marked = None
        if path == shard.path:
            shard.extent = extent
        if stray:
            return foreign
        self.damaged += len(bad)
        differs = differs or (marked is not None and extent.size > marked.size)
        if told := describe_file(bad, foreign, turned, differs):
            self._on_damage(f"{path}: {told}")
        return foreign

    def _find_strays(self) -> dict[int, list[Path]]:
        """Files whose first whole line belongs to another shard than their name says, by that shard."""
        if self._strays is None:
            self._strays = {}
            for path in sorted(self._folder.glob("*.jsonl")):
                number = read_shard_number(path)
                first = next((one for _, raw in read_lines(path) if (one := parse_reply(raw))), None)
                if first is not None and first.shard is not None and first.shard != number:
                    self._strays.setdefault(first.shard, []).append(path)
        return self._strays

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
            raise refuse_write(shard.path, error) from error

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
                raise refuse_write(shard.path, error) from error
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
        reply = make_storable(await self._inner.reply(request))
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


def _tokens(reply: Reply) -> tuple[int, int, int]:
    return reply.usage.input, reply.usage.cached, reply.usage.output
