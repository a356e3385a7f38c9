"""The half of the stand-in for the Hub that takes files in: pre-upload, large files, commits."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.hub.answers import fail, hash_content, hash_text
from tests.hub.repos import Blob, Commit, Repo

SAMPLE_LFS = (".parquet", ".arrow", ".bin", ".zip")  # as in the .gitattributes of a fresh dataset repository


class Uploads(ABC):
    """``part_size`` above 0: larger files go up in parts of so many bytes."""

    def __init__(self, token: str, part_size: int) -> None:
        self.token, self.part_size = token, part_size
        self.hold_after = -1  # so many large files come in, the others are kept waiting until it is -1 again
        self.held = threading.Event()
        self.before_commit: Callable[[], None] | None = None  # called once
        self.stored: dict[str, bytes] = {}  # large files by SHA-256
        self.parts: dict[str, dict[int, bytes]] = {}
        self.uploads: Counter[str] = Counter()  # bytes of large files that came in, by SHA-256
        self.url = ""

    @abstractmethod
    def _repo(self, request: web.Request) -> Repo: ...

    @abstractmethod
    def _revision(self, request: web.Request) -> tuple[Repo, Commit]: ...

    @abstractmethod
    def _check_write(self, request: web.Request) -> None: ...

    async def _preupload(self, request: web.Request) -> web.Response:
        _, commit = self._revision(request)
        self._check_write(request)
        ignore = commit.tree[".gitignore"].content.decode().split() if ".gitignore" in commit.tree else []
        rows = []
        for file in (await request.json())["files"]:
            old = commit.tree.get(file["path"])
            large = file["path"].endswith(SAMPLE_LFS) or file["size"] > 10_000_000
            oid = (old.sha256 if old.lfs else old.oid) if old else None
            ignored = any(file["path"].endswith(word.lstrip("*")) for word in ignore)
            mode = "lfs" if large else "regular"
            rows.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": ignored, "oid": oid})
        return web.json_response({"files": rows, "commitOid": commit.oid})

    async def _batch(self, request: web.Request) -> web.Response:
        self._repo(request)
        self._check_write(request)
        rows: list[dict[str, Any]] = []
        for item in (await request.json())["objects"]:
            oid, size = item["oid"], item["size"]
            row = {"oid": oid, "size": size, "authenticated": True}
            if oid not in self.stored:
                where = f"{self.url}/storage/{oid}"
                upload: dict[str, Any] = {"href": f"{where}?X-Amz-Signature=deadbeef"}
                if self.part_size and size > self.part_size:
                    count = -(-size // self.part_size)
                    header = {str(k): f"{where}/{k}?X-Amz-Signature=deadbeef" for k in range(1, count + 1)}
                    upload = {"href": f"{where}/complete", "header": {"chunk_size": str(self.part_size), **header}}
                row["actions"] = {"upload": upload, "verify": {"href": f"{where}/verify"}}
            rows.append(row)
        return web.json_response({"transfer": "multipart" if self.part_size else "basic", "objects": rows})

    async def _put(self, request: web.Request) -> web.Response:
        oid, part = request.match_info["oid"], request.match_info.get("part")
        content = await request.read()
        while 0 <= self.hold_after <= len(self.stored):
            self.held.set()
            await asyncio.sleep(0.01)
        self.uploads[oid] += len(content)
        if part:
            self.parts.setdefault(oid, {})[int(part)] = content
        elif hash_content(content) != oid:
            return web.Response(status=400, text="BadDigest")
        else:
            self.stored[oid] = content
        return web.Response(headers={"ETag": f'"{hash_text(content.hex())}"'})

    async def _complete(self, request: web.Request) -> web.Response:
        oid = request.match_info["oid"]
        asked = [part["partNumber"] for part in (await request.json())["parts"]]
        content = b"".join(self.parts.get(oid, {}).get(number, b"") for number in asked)
        if hash_content(content) != oid:
            return fail(400, "the parts do not make the file", "")
        self.stored[oid] = content
        return web.json_response({})

    async def _verify(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return fail(401, "Invalid credentials in Authorization header", "")
        oid = request.match_info["oid"]
        return web.json_response({}) if oid in self.stored else fail(404, "not there", "")

    async def _commit(self, request: web.Request) -> web.Response:
        repo, commit = self._revision(request)
        self._check_write(request)
        branch = request.match_info["rev"]
        if self.before_commit is not None:
            interfere, self.before_commit = self.before_commit, None
            interfere()
        lines = [json.loads(line) for line in (await request.read()).splitlines()]
        header = lines[0]["value"]
        if branch not in repo.branches:
            return fail(404, f"{branch} is no branch", "RevisionNotFound")
        if header.get("parentCommit") and header["parentCommit"] != repo.branches[branch]:
            return fail(412, "A commit has happened since. Please refresh and try again.", "")
        tree = dict(commit.tree)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                tree[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.stored:
                    return fail(400, f"LFS object {value['oid']} is not there", "")
                tree[value["path"]] = Blob(self.stored[value["oid"]], True)
            elif line["key"] == "deletedFile":
                if tree.pop(value["path"], None) is None:
                    return fail(404, "A file with this name doesn't exist", "EntryNotFound")
            else:
                return fail(400, f"unknown operation {line['key']}", "")
        made = repo.commit(branch, header["summary"], tree)
        url = f"{self.url}{request.path}".replace(f"commit/{branch}", f"commit/{made.oid}").replace("/api", "")
        return web.json_response({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})
