"""Failures of disk and memory as each package says them, in one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from culturepark.errors import ConfigError, DataError
from culturepark.training.failures import explain_failure, explaining_failures

FULL = Path("/dev/full")


def fail_plainly() -> None:
    with FULL.open("wb") as file:
        file.write(b"x" * 100_000)


def fail_in_safetensors() -> None:
    numpy: Any = pytest.importorskip("numpy")
    save: Any = pytest.importorskip("safetensors.numpy")
    save.save_file({"a": numpy.zeros(100_000)}, str(FULL))


def fail_in_torch() -> None:
    torch: Any = pytest.importorskip("torch")
    torch.save({"a": torch.zeros(100_000)}, str(FULL))


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("fail", [fail_plainly, fail_in_torch])
def test_a_full_disk_is_one_line_whoever_writes(fail: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the disk is full.*same command again") as caught:
        with explaining_failures(tmp_path):
            fail()
    assert "\n" not in str(caught.value)


def test_other_ways_to_say_it(tmp_path: Path) -> None:
    for error in (
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ):
        assert isinstance(explain_failure(error, tmp_path), DataError)
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")):
        assert isinstance(explain_failure(error, tmp_path), ConfigError)
    assert "--batch-size" in str(explain_failure(RuntimeError("CUDA out of memory."), tmp_path))


def test_a_mistake_of_ours_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        with explaining_failures(tmp_path):
            _ = 1 // 0
    with pytest.raises(DataError, match="as it is"):
        with explaining_failures(tmp_path):
            raise DataError("as it is")
