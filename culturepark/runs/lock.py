"""The lock of a folder that is worked on: it ends with the process that holds it, however that ends."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import IO

from culturepark.errors import ConfigError, DataError
from culturepark.files import describe_fault


def take_lock(path: Path, what: str = "run", flag: str = "--output-dir") -> IO[bytes]:
    """Take an advisory lock and write into its file who holds it; a dead process holds none.

    Raises ``ConfigError`` naming the process that holds it, and ``DataError`` when the folder cannot be written.
    """
    try:
        file = path.open("ab+")
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder where the lock should be; remove it") from error
    except OSError as error:
        raise DataError(f"{path.parent}: {describe_fault(error)}; choose another {flag}") from error
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such lock on this system: the user keeps two processes apart
        return file
    except BlockingIOError as error:
        holder = _read_holder(file)
        file.close()
        raise ConfigError(
            f"{path.parent}: another process is working on this {what}{holder}; wait for it or choose another {flag}"
        ) from error
    except OSError:  # a file system without locks: likewise
        return file
    _write_holder(file)
    return file


def _read_holder(file: IO[bytes]) -> str:
    """`` (4711 on host)`` as its lock file says, or nothing."""
    file.seek(0)
    parts = file.read(200).decode("utf-8", "replace").split()
    shown = len(parts) == 2 and parts[0].isdigit() and parts[1].isprintable()
    return f" ({parts[0]} on {parts[1]})" if shown else ""


def _write_holder(file: IO[bytes]) -> None:
    try:
        file.truncate(0)
        file.write(f"{os.getpid()} {socket.gethostname() or '-'}\n".encode())
        file.flush()
    except OSError:  # on a full disk the lock holds all the same, it only says less
        return
