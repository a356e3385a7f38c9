"""Files: where data lies, YAML into records, lines that prove themselves, logs with a torn tail, safe replacing."""

from __future__ import annotations

import difflib
import errno
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
import yaml
from pydantic import BaseModel, ValidationError

from culturepark.errors import DataError

Model = TypeVar("Model", bound=BaseModel)
_PACKAGE = Path(__file__).resolve().parent


def find_data_folder(name: str) -> Path:
    """The folder ``personas`` or ``scenarios``: inside the installed package, else beside it in a checkout."""
    for folder in (_PACKAGE / "data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise DataError(f"the folder {name!r} is neither in the package nor beside it; install culturepark again")


def nearest(word: str, known: Iterable[str]) -> str:
    """``' (did you mean X?)'`` for the known name closest to ``word``, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def describe_invalid(error: ValidationError) -> str:
    """The first fault of a pydantic error in one line: which key, what is wrong."""
    faults = error.errors(include_url=False, include_input=False)
    # A key that is not known is often the misspelt name of one that is missing.
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in first["loc"])
    what = "is no known key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {what}{more}" if where else f"{what}{more}"


def read_yaml(path: Path) -> Any:
    """Read one YAML file safely. Raises ``DataError`` with the line for bad syntax or a missing file."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise DataError(f"{path}{line}: is not valid YAML ({getattr(error, 'problem', 'unreadable')})") from error


_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """A safe loader to which a key that stands twice is a fault: else the last one would win unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                told = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def load_yaml_model(path: Path, model: type[Model]) -> Model:
    """Read one YAML file into a record. Raises ``DataError`` naming file, key and fault."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: must hold keys and values")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path}: {describe_invalid(error)}") from error


_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is full",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reports an error",
    errno.EACCES: "no permission to write",
    errno.EPERM: "no permission to write",
}


def describe_fault(error: OSError) -> str:
    """Why a file could not be written, in a few words."""
    return _FAULTS.get(error.errno or 0, f"cannot be written ({error.strerror or error})")


def refuse_write(path: Path, error: OSError) -> DataError:
    """The error for a file of a run that cannot be written; the run goes on once that is mended."""
    return DataError(f"{path}: {describe_fault(error)}; free space or mend it, then resume")


def replace_file(path: Path, text: str, durable: bool = False) -> None:
    """Write a whole file so that a reader sees the old or the new text, never half of it.

    ``durable``: also after the power fails.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Force the names of new files to the disk, where the system can."""
    if os.name != "nt":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def encode_json(record: Any) -> bytes:
    """Compact JSON in UTF-8; what UTF-8 cannot hold becomes a question mark."""
    try:
        return orjson.dumps(record)
    except TypeError:  # half a character, a whole number above 64 bits, a key that is no text
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def decode_json(raw: bytes) -> Any:
    """What a JSON text says. Raises ``ValueError`` or ``RecursionError`` where it is none."""
    try:
        return orjson.loads(raw)
    except ValueError:  # the library's own parser takes half characters and endless numbers, and so does the world
        return json.loads(raw)


def dump_line(record: Any) -> bytes:
    """One JSON line, UTF-8, compact, ending in a line feed."""
    return encode_json(record) + b"\n"


def seal_line(record: Mapping[str, Any]) -> bytes:
    """One JSON line that proves itself: its last keys are ``len``, the bytes before them, and ``crc``, their CRC-32."""
    body = encode_json(record)[:-1]
    return b'%b,"len":%d,"crc":"%08x"}\n' % (body, len(body), zlib.crc32(body))


def unseal_line(raw: bytes) -> dict[str, Any] | None:
    """The record of a sealed line, or ``None`` when any byte of it is not as it was written."""
    end = raw.rfind(b',"len":')
    if end <= 0 or raw[end:] != b',"len":%d,"crc":"%08x"}\n' % (end, zlib.crc32(memoryview(raw)[:end])):
        return None
    try:
        record = decode_json(raw)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def cut_torn_tail(path: Path) -> int:
    """Cut an unfinished last line from an append-only log; returns the bytes cut (0: it was whole)."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    with path.open("rb+") as file:
        end = size
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            position = file.read(end - start).rfind(b"\n")
            if position >= 0:
                keep = start + position + 1
                break
            end = start
        else:
            keep = 0
        if keep < size:
            file.truncate(keep)
    return size - keep


def read_lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a log with their start offset, from the byte ``start`` on; a torn last line is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        offset = start
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield offset, line
            offset += len(line)


def parse_objects(lines: Iterable[str | bytes], path: Path) -> Iterator[dict[str, Any]]:
    """The JSON object of each line that is not empty. Raises ``DataError`` naming the file and the line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: is not JSON ({str(error)[:60]})") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: is not a JSON object")
        yield row
