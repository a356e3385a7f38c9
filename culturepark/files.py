"""Files: where data lies, YAML into records, append-only logs with their torn tail cut, safe replacing."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

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
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {what}{more}" if where else f"{what}{more}"


def read_yaml(path: Path) -> Any:
    """Read one YAML file safely. Raises ``DataError`` with the line for bad syntax or a missing file."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise DataError(f"{path}{line}: is not valid YAML ({getattr(error, 'problem', 'unreadable')})") from error


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml_model(path: Path, model: type[Model]) -> Model:
    """Read one YAML file into a record. Raises ``DataError`` naming file, key and fault."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: must hold keys and values")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path}: {describe_invalid(error)}") from error


def replace_file(path: Path, text: str) -> None:
    """Write a whole file so that a reader sees the old or the new text, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def dump_line(record: Any) -> bytes:
    """One JSON line, UTF-8, compact, ending in a line feed."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


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


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a log with their start offset; a torn last line is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        offset = 0
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
