"""What the Hub stand-in keeps: repositories with commits, branches and tags, blobs, and planned faults."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """Spoils calls of one step: from the ``skip``-th on, ``times`` of them.

    ``cut`` closes the line instead of answering: ``before`` the work, ``after`` it, or ``late``: the answer is cut at
    once and the work done a moment later. ``body`` is sent as it is.
    """

    step: str
    status: int = 0
    times: int = 1
    skip: int = 0
    cut: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def is_due(self) -> bool:
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class Blob:
    """A file's content; ``lfs`` says how it is kept."""

    content: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()

    @property
    def oid(self) -> str:
        stored = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()

    def describe(self, path: str) -> dict[str, Any]:
        about: dict[str, Any] = {"type": "file", "path": path, "size": len(self.content), "oid": self.oid}
        if self.lfs:
            size = len(self.content)
            about["lfs"] = {"oid": self.sha256, "size": size, "pointerSize": len(self.pointer)}
        return about


@dataclass
class Commit:
    oid: str
    parent: str
    title: str
    tree: dict[str, Blob]


@dataclass
class Repo:
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def find(self, revision: str) -> Commit | None:
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        return self.commits.get(oid)

    def commit(self, branch: str, title: str, tree: dict[str, Blob]) -> Commit:
        parent = self.branches.get(branch, "")
        oid = hashlib.sha1(f"{len(self.commits)}|{parent}|{branch}|{title}|{sorted(tree)}".encode()).hexdigest()
        made = Commit(oid, parent, title, tree)
        self.commits[oid] = made
        self.branches[branch] = oid
        return made
