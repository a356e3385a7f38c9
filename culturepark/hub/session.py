"""How ``huggingface_hub`` behaves during a push: it never waits for ever, prints nothing and uploads over plain HTTP.

The settings are the process's own and are put back afterwards.
"""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from culturepark.llm.faults import clean_message

TIMEOUT_S = 120.0
_WAIT = re.compile(r"(?:Rate limited\. Waiting|Retrying in) ([\d.]+)s")


class _WaitTeller(logging.Handler):
    """Passes on that the client waits; its other lines name signed URLs and are dropped."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of a wait."""
        if found := _WAIT.match(record.getMessage()):
            self._say(f"The Hub is busy; next try in {float(found[1]):.0f} s.")


@contextmanager
def hold_session(say: Callable[[str], None], secrets: tuple[str, ...] = ()) -> Iterator[None]:
    """Settings for the time of a push. Large files go over HTTP (LFS), whose state the Hub tells when asked again."""
    with ExitStack() as stack:
        stack.enter_context(_limit_waiting())
        stack.enter_context(_speak_through(say))
        stack.enter_context(_use_plain_uploads())
        stack.enter_context(_hide_bars())
        seen = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for text in dict.fromkeys(str(warning.message) for warning in seen):
                if "metadata" in text:
                    say(f"The Hub about the card: {clean_message(text, secrets)}")


@contextmanager
def _limit_waiting() -> Iterator[None]:
    """The client's own has no timeout at all."""
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    make: Callable[[], Any] = getattr(_http, "_GLOBAL_CLIENT_FACTORY", None) or _http.default_client_factory

    def make_client() -> Any:
        client = make()
        if client.timeout.read is None:
            client.timeout = TIMEOUT_S
        return client

    set_client_factory(make_client)
    try:
        yield
    finally:
        set_client_factory(make)


@contextmanager
def _speak_through(say: Callable[[str], None]) -> Iterator[None]:
    logger = logging.getLogger("huggingface_hub")
    before = logger.handlers[:], logger.propagate, logger.level
    logger.handlers[:], logger.propagate = [_WaitTeller(say)], False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[0], before[1]
        logger.setLevel(before[2])


@contextmanager
def _use_plain_uploads() -> Iterator[None]:
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


@contextmanager
def _hide_bars() -> Iterator[None]:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
