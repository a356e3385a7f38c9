"""Ctrl-C and SIGTERM while a run is worked on: the first drains it, the second stops it; none breaks into its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_PATIENCE = 3  # signals while files are written and servers closed; then the user really means it
_USUAL: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class _Closing:
    """A handler for the time in which what was made is saved."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, *_: object) -> None:
        self._seen += 1
        if self._seen > _PATIENCE:
            raise KeyboardInterrupt


@contextlib.contextmanager
def answer_interrupts(first: Callable[[], object], second: Callable[[], object]) -> Iterator[None]:
    """The first signal calls ``first``, the next one ``second``. Only in the main thread.

    After a signal others are borne with until ``restore_interrupts`` or ``hush_interrupts``.
    """
    loop = asyncio.get_running_loop()
    seen = 0

    def handle() -> None:
        nonlocal seen
        seen += 1
        (first if seen == 1 else second)()

    handled = []
    if _is_main_thread():
        for number in _USUAL:
            with contextlib.suppress(NotImplementedError):  # Windows loops have no signal handlers
                loop.add_signal_handler(number, handle)
                handled.append(number)
    try:
        yield
    finally:
        closing = _Closing()
        for number in handled:
            loop.remove_signal_handler(number)
            if seen:
                signal.signal(number, closing)


def restore_interrupts() -> None:
    """For a program that goes on after its run was interrupted: signals do what they usually do."""
    if _is_main_thread():
        for number, usual in _USUAL.items():
            if isinstance(signal.getsignal(number), _Closing):
                signal.signal(number, usual)


def hush_interrupts() -> None:
    """For a command that ends now because it was interrupted: another signal must not break into its last line."""
    if _is_main_thread():
        for number in _USUAL:
            signal.signal(number, signal.SIG_IGN)  # no function: Python itself would drop that one before its end


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
