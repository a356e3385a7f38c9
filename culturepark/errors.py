"""Every error the package raises on purpose, and the exit code each one ends the command with.

CultureParkError                 1
  ConfigError                    2   a flag, key or value is wrong: mend the configuration
  DataError                      3   a persona, scenario, survey or run file is wrong: mend the data
  EndpointError                  4   the model server (or the Hub) cannot be used now: mend or wait, then resume
  ShortfallError                 5   a ceiling was reached before n samples: raise it, then resume
  MissingPartError               6   an optional part is not installed: install it
  CallError                      1   one model call failed for good: its candidate ends as failed

Each message is one line that says what is wrong, where, and how to mend it. The command prints it
without a traceback. An interrupted command ends with 130.
"""

from __future__ import annotations


class CultureParkError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class ConfigError(CultureParkError):
    """The configuration is wrong."""

    exit_code = 2


class DataError(CultureParkError):
    """A data file (persona, scenario, survey, run folder) is wrong."""

    exit_code = 3


class EndpointError(CultureParkError):
    """The model server cannot be used now: the run stops at once and can be resumed."""

    exit_code = 4


class ShortfallError(CultureParkError):
    """A ceiling was reached before the run had n samples."""

    exit_code = 5


class MissingPartError(CultureParkError):
    """An optional part is not installed."""

    exit_code = 6


class CallError(CultureParkError):
    """One model call failed and may be tried again or given up.

    ``kind`` is one of ``rate``, ``server``, ``network``, ``timeout`` (worth another try),
    ``request`` and ``context`` (this request will never work). ``retry_after`` is in seconds.
    """

    def __init__(self, message: str, kind: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
