"""A screen that may go away: a closed terminal, a reader that ended or a full log disk never ends a run."""

from __future__ import annotations

from typing import Any, TextIO, cast


class _Outlet:
    """Writes to a stream for as long as that works; of a stream that is closed or gone it only asks what it was."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text) if self._stream is not None else len(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            if self._stream is not None:
                self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_outlet(stream: TextIO | None) -> TextIO:
    """The stream, or nothing where there is none, as one that can always be written to."""
    return stream if isinstance(stream, _Outlet) else cast(TextIO, _Outlet(stream))
