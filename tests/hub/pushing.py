"""Files as an export leaves them, pushing them without a run, the command, and loading from the Hub."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from culturepark.cli import main
from culturepark.export.parquet import ParquetRows
from culturepark.export.records import read_export
from culturepark.hub.client import HubClient
from culturepark.hub.files import LocalFile
from culturepark.hub.push import Pushed, Pusher
from tests.hub.standin import TOKEN, HubStandin

Capture = pytest.CaptureFixture[str]
LICENCE = ["--license", "cc-by-nc-4.0"]
LOAD = """
import datasets, json, sys
out = {}
for name in json.loads(sys.argv[2]):
    loaded = datasets.load_dataset(sys.argv[1], name) if name else datasets.load_dataset(sys.argv[1])
    out[name] = {split: rows.to_list() for split, rows in loaded.items()}
print(json.dumps(out))
"""
CARD = """---
license: cc-by-nc-4.0
configs:
- config_name: all
  default: true
  data_files:
  - {split: train, path: data/messages/*/train-*.parquet}
  - {split: test, path: data/messages/*/test-*.parquet}
---
# A card
"""


def make_parquet(*texts: str) -> bytes:
    file = io.BytesIO()
    rows = ParquetRows(file, {"id": "text", "messages": "chat"})
    rows.write([{"id": str(k), "messages": [{"role": "user", "content": t}]} for k, t in enumerate(texts)])
    rows.finish()
    return file.getvalue()


def make_files(*more: str) -> list[LocalFile]:
    """A card, a record and Parquet files of two cultures."""
    named = {
        f"data/messages/{culture}/{split}-00000-of-00001.parquet": make_parquet(f"{culture} {split}", *more)
        for culture in ("arab", "korean")
        for split in ("train", "test")
    }
    top = {"README.md": CARD.encode(), "export.json": b'{"version":1}\n'}
    return [LocalFile(path, content) for path, content in {**top, **named}.items()]


def contents(files: list[LocalFile]) -> dict[str, bytes]:
    return {f.path: f.source if isinstance(f.source, bytes) else Path(f.source).read_bytes() for f in files}


def push(
    files: list[LocalFile],
    said: list[str] | None = None,
    *,
    repo_id: str = "org/name",
    token: str = TOKEN,
    tag: str = "run-1",
    may_move: bool = True,
    public: bool = False,
    branch: str = "main",
) -> Pushed:
    lines = said if said is not None else []
    pusher = Pusher(HubClient(repo_id, token), branch, lines.append, lambda seconds: lines.append(f"wait {seconds}"))
    return pusher.push(files, public, "a push", tag, may_move)


def assert_one_good_commit(hub: HubStandin, files: list[LocalFile], tag: str = "run-1") -> None:
    """Exactly one commit, holding exactly these files, and the tag on it."""
    made = hub.pushes()
    assert len(made) == 1, [c.title for c in made]
    there = hub.files()
    there.pop(".gitattributes")
    assert there == contents(files)
    assert hub.repos["org/name"].tags == {tag: made[0].oid}


def load(where: str, tmp_path: Path, *names: str, hub: HubStandin | None = None) -> Any:
    """What ``datasets`` finds in another process, which knows nothing of this package."""
    env = {**os.environ, "HF_HOME": str(tmp_path / "elsewhere"), "HF_HUB_OFFLINE": "0" if hub else "1"}
    if hub:
        env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    command = [sys.executable, "-c", LOAD, where, json.dumps(names or [""])]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def pushed_files(folder: Path) -> dict[str, bytes]:
    export = read_export(folder)
    assert export is not None
    names = [name for part in export.parts for name in part.files]
    names += [*export.extras, "CITATION.cff", "croissant.json", "export.json"]
    return {name: (folder / name).read_bytes() for name in names}


def call(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in err and TOKEN not in out + err
    return code, out, err
