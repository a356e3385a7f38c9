"""A small reader of GGUF model files: their settings and their weights as plain arrays.

Knows the weight types F32, F16, Q8_0 and Q4_1, which is what the embedded model is made of. Layout after the GGUF
specification, version 3. Everything read is data; nothing in the file is run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from culturepark.errors import DataError

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_BLOCK = 32  # weights in a block of a quantised type
_MOST = 1 << 28  # no list or text of a sound file is longer

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class Gguf:
    """An open model file. ``settings`` are its key-value pairs; weights are read when asked for."""

    def __init__(self, path: Path) -> None:
        """Read the head. Raises ``DataError`` when it is no GGUF file that this reader knows."""
        self._path, self._place = path, 0
        try:
            self._data = np.memmap(path, dtype=np.uint8, mode="r")
            self._raw = memoryview(self._data)  # type: ignore[arg-type]
            if bytes(self._raw[:4]) != b"GGUF" or self._number("I", 4) not in (2, 3):
                raise DataError(f"{path}: is not a GGUF file of version 2 or 3")
            tensors, pairs = self._number("Q"), self._number("Q")
            self.settings: dict[str, Any] = {self._text(): self._value(self._number("I")) for _ in range(pairs)}
            self._tensors = dict(self._describe() for _ in range(tensors))
        except (OSError, ValueError, struct.error, KeyError, OverflowError) as error:
            raise DataError(f"{path}: cannot be read as a GGUF file ({error})") from error
        step = int(self.settings.get("general.alignment", 32))
        self._start = -(-self._place // step) * step

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the weights, in file order."""
        return tuple(self._tensors)

    def weights(self, name: str) -> Floats:
        """One weight as a float32 array, outermost axis first."""
        shape, kind, offset = self._tensors[name]
        if kind not in _READERS:
            raise DataError(f"{self._path}: weights {name} are of a type this reader does not know ({kind})")
        size, read = _READERS[kind]
        count = int(np.prod(shape))
        start = self._start + offset
        data = self._data[start : start + count * size // (_BLOCK if kind > 1 else 1)]
        return read(np.asarray(data)).reshape(shape)

    def _describe(self) -> tuple[str, tuple[tuple[int, ...], int, int]]:
        name = self._text()
        shape = tuple(self._number("Q") for _ in range(self._number("I")))
        return name, (shape[::-1], self._number("I"), self._number("Q"))

    def _number(self, code: str, at: int | None = None) -> Any:
        if at is not None:
            self._place = at
        (value,) = struct.unpack_from("<" + code, self._raw, self._place)
        self._place += struct.calcsize("<" + code)
        return value

    def _text(self) -> str:
        size = self._number("Q")
        if size > _MOST:
            raise ValueError("a text is too long")
        text = bytes(self._raw[self._place : self._place + size]).decode("utf-8")
        self._place += size
        return text

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind != _LIST:
            return self._number(_NUMBERS[kind])
        inner, count = self._number("I"), self._number("Q")
        if count > _MOST:
            raise ValueError("a list is too long")
        if inner in _NUMBERS:
            values = struct.unpack_from(f"<{count}{_NUMBERS[inner]}", self._raw, self._place)
            self._place += struct.calcsize(f"<{count}{_NUMBERS[inner]}")
            return list(values)
        return [self._value(inner) for _ in range(count)]


def _read_float32(data: Bytes) -> Floats:
    return data.view(np.float32).copy()


def _read_float16(data: Bytes) -> Floats:
    return data.view(np.float16).astype(np.float32)


def _read_q8_0(data: Bytes) -> Floats:
    blocks = data.reshape(-1, 34)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    found: Floats = blocks[:, 2:].copy().view(np.int8).astype(np.float32) * scale
    return found


def _read_q4_1(data: Bytes) -> Floats:
    blocks = data.reshape(-1, 20)
    scale, least = (blocks[:, k : k + 2].copy().view(np.float16).astype(np.float32) for k in (0, 2))
    packed = blocks[:, 4:]
    found: Floats = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) * scale + least
    return found


# type -> bytes of a weight (of a block of 32, where quantised), reader
_READERS: dict[int, tuple[int, Callable[[Bytes], Floats]]] = {
    0: (4, _read_float32),
    1: (2, _read_float16),
    3: (20, _read_q4_1),
    8: (34, _read_q8_0),
}
