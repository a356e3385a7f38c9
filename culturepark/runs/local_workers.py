"""Workers as processes of this machine. ``python -m culturepark.runs.local_workers`` is one of them.

Both sides exchange pickled tuples, each behind its length (4 bytes), over the worker's standard input and output. A
worker ends with its parent, however that ends: its input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import queue
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from culturepark import errors
from culturepark.llm.budget import Amount
from culturepark.runs.alone import run_alone
from culturepark.runs.crew import WorkerLost
from culturepark.runs.lending import Lender
from culturepark.runs.station import Job, Orders, Outcome, Station

_LENGTH = struct.Struct(">I")
_TELL_EVERY_S = 0.25
_ROOT = Path(__file__).resolve().parents[2]


class LocalWorker:
    """The parent's side of one worker process."""

    def __init__(self, orders: Orders, process: asyncio.subprocess.Process, lender: Lender) -> None:
        self.name = orders.name
        self._process, self._lender = process, lender
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._number = 0
        self._snapshot: dict[str, dict[str, Any]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._listen())
        self._send(("open", orders))

    @classmethod
    async def hire(cls, orders: Orders, lender: Lender) -> LocalWorker:
        """Start a process and wait until it is ready. Raises ``WorkerLost`` or what opening a run raises."""
        paths = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "culturepark.runs.local_workers",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            process_group=0,  # a Ctrl-C at the terminal is for the parent, which drains its workers
        )
        worker = cls(orders, process, lender)
        try:
            await worker._ready
        except BaseException:
            await worker.close()
            raise
        return worker

    async def do(self, job: Job) -> Outcome:
        """Have one job done; raises ``WorkerLost`` when the process ends before."""
        if self._reader.done():
            raise WorkerLost(self._describe_end())
        self._number += 1
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        number = self._number
        self._waiting[number] = future
        try:
            self._send(("do", number, job))
            return await future
        finally:
            self._waiting.pop(number, None)

    def shut(self) -> None:
        """Tell it to begin no new call."""
        self._send(("shut",))

    def forget(self, shard: int) -> None:
        """Tell it that a reply file is no longer needed."""
        self._send(("forget", shard))

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Calls and tokens it has reported so far."""
        return self._snapshot

    async def close(self) -> None:
        """End the process: it closes its files when its input closes, and is killed after ten seconds."""
        try:
            await self._end()
        finally:
            self._reader.cancel()
            if self._process.returncode is None:  # stopped at once while it was waited for
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            self._process._transport.close()  # type: ignore[attr-defined]  # else told as lost after the loop is closed

    async def _end(self) -> None:
        if self._process.stdin and not self._process.stdin.is_closing():
            self._send(("close",))
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._reader), 10)
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                await asyncio.wait_for(self._process.wait(), 5)
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _send(self, message: tuple[Any, ...]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):  # its end is noticed by the reader
            self._process.stdin.write(_pack(message))

    async def _listen(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            while True:
                (size,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
                self._take(pickle.loads(await stream.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._process.wait()
        finally:
            lost = WorkerLost(self._describe_end())
            if not self._ready.done():
                self._ready.set_exception(lost)
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(lost)

    def _take(self, message: tuple[Any, ...]) -> None:
        kind = message[0]
        if kind == "ready":
            if not self._ready.done():
                self._ready.set_result(None)
        elif kind == "refused":
            known = getattr(errors, message[1], errors.CultureParkError)
            if not self._ready.done():
                self._ready.set_exception(known(message[2]))
        elif kind == "done":
            future = self._waiting.get(message[1])
            if future is not None and not future.done():
                future.set_result(message[2])
        elif kind == "tally":
            self._snapshot = message[1]
            self._lender.note(self, message[2])
        elif kind == "gave":
            self._lender.give_back(self, message[1])

    def lend(self, amount: Amount) -> None:
        """Give it more to spend."""
        self._send(("lend", amount))

    def refuse(self) -> None:
        """Tell it that there is nothing more to spend."""
        self._send(("refuse",))

    def take_back(self) -> None:
        """Ask for what lies idle in its purse."""
        self._send(("take_back",))

    def _describe_end(self) -> str:
        code = self._process.returncode
        if code is None:
            return "it does not answer"
        return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _pack(message: tuple[Any, ...]) -> bytes:
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Do jobs until the input closes or says ``close``."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
    outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                head = source.read(_LENGTH.size)
                if len(head) < _LENGTH.size:
                    break
                body = source.read(_LENGTH.unpack(head)[0])
                loop.call_soon_threadsafe(inbox.put_nowait, pickle.loads(body))
        finally:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(inbox.put_nowait, ("close",))

    def write() -> None:
        try:
            while (chunk := outbox.get()) is not None:
                sink.write(chunk)
                sink.flush()
        except OSError:  # the parent is gone: the reader notices too
            return

    threading.Thread(target=read, daemon=True).start()
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    tell = lambda *message: outbox.put(_pack(message))  # noqa: E731
    try:
        await _work(inbox, tell)
    finally:
        outbox.put(None)
        await asyncio.to_thread(writer.join, 5)


async def _work(inbox: asyncio.Queue[tuple[Any, ...]], tell: Any) -> None:
    message = await inbox.get()
    if message[0] != "open":
        return
    loop = asyncio.get_running_loop()

    def report_soon() -> None:
        loop.call_soon(report_now)

    station = Station(message[1], report_soon)

    def report_now() -> None:
        tell("tally", station.snapshot(), station.borrowed.account())

    try:
        await station.open()
    except errors.CultureParkError as error:
        tell("refused", type(error).__name__, str(error))
        return
    tell("ready")
    tasks: set[asyncio.Task[None]] = set()

    async def do(number: int, job: Job) -> None:
        tell("done", number, await station.do(job))

    async def report() -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            report_now()

    reporter = asyncio.create_task(report())
    try:
        while (message := await inbox.get())[0] != "close":
            if message[0] == "do":
                task = asyncio.create_task(do(message[1], message[2]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            elif message[0] == "shut":
                station.shut()
            elif message[0] == "forget":
                station.forget(message[1])
            elif message[0] == "lend":
                station.borrowed.lend(message[1])
            elif message[0] == "refuse":
                station.borrowed.refuse()
            elif message[0] == "take_back":
                tell("gave", station.borrowed.give_back())
    finally:
        reporter.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, reporter, return_exceptions=True)
        await station.close()
        report_now()


def main() -> None:
    """Run one worker over standard input and output; whatever else prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent drains its workers
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Not sys.stdin: at the end the interpreter takes its lock, which the thread that still reads holds, and aborts.
    run_alone(serve(os.fdopen(os.dup(0), "rb"), sink))


if __name__ == "__main__":
    main()
