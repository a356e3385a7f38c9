"""The time as run files tell it: UTC, to the second."""

from __future__ import annotations

import time


def read_clock() -> str:
    """Now, as in ``2026-01-31T12:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
