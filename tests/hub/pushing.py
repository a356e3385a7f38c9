"""Files as an export leaves them, and pushing them without a run."""

from __future__ import annotations

import io
from pathlib import Path

from culturepark.export.parquet import ParquetRows
from culturepark.hub.client import HubClient
from culturepark.hub.files import LocalFile
from culturepark.hub.push import Pushed, Pusher
from tests.hub.standin import TOKEN, HubStandin

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
