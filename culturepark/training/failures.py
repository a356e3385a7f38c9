"""What went wrong in a training, in one line: a full disk, too little memory; each package says it its own way."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from culturepark.errors import ConfigError, CultureParkError, DataError
from culturepark.files import describe_fault

_FULL: tuple[str, ...] = (
    "No space left",
    "os error 28",
    "Disk quota",
    "os error 122",
    "PytorchStreamWriter",
    "file write failed",
)
_FULL += ("inline_container", "iostream error")  # what torch.save says of a full disk
_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@contextmanager
def explaining_failures(folder: Path) -> Iterator[None]:
    """Turn a failure of disk or memory into one of our errors; others go on as they are."""
    try:
        yield
    except CultureParkError:
        raise
    except Exception as error:
        known = explain_failure(error, folder)
        if known is None:
            raise
        raise known from error


def explain_failure(error: BaseException, folder: Path) -> CultureParkError | None:
    """The line for an error of writing or of memory, ``None`` for any other."""
    said = str(error)
    again = "what was good before is untouched; make room and run the same command again"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES):
        return DataError(f"{folder}: {describe_fault(error)}; {again}")
    if any(mark in said for mark in _FULL):
        return DataError(f"{folder}: the disk is full; {again}")
    if isinstance(error, MemoryError) or any(mark in said.lower() for mark in _MEMORY):
        return ConfigError(
            "the training ran out of memory; lower --batch-size (and raise --accumulate) or --max-length, "
            "or take a smaller --base-model"
        )
    return None
