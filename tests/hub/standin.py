"""A stand-in for the Hugging Face Hub on loopback: what its client asks for when it pushes a dataset and loads it back.

Speaks the real protocol of creating repositories, pre-upload, large files (basic and multipart), commits as
NDJSON, tags, branches, trees and downloads; says no Xet. A ``Fault`` of the plan spoils the so-manieth calls of a
step, or cuts the line after the work was done. Everything is kept in memory; one thread of its own.

    with HubStandin(token="hf_x") as hub:
        hub.faults.append(Fault("commit", status=503))
        ... hub.url ...
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.hub.answers import Failed, fail, hash_text, name_step
from tests.hub.repos import Blob, Commit, Fault, Repo
from tests.hub.uploads import Uploads

TOKEN = "hf_standinTokenABCDEFGHIJKLMN"
_STARTED = "2026-01-01T00:00:00.000Z"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HubStandin(Uploads):
    """The server. ``pushes`` is the number of commits after a repository's first, empty one."""

    def __init__(self, token: str = TOKEN, part_size: int = 0) -> None:
        super().__init__(token, part_size)
        self.waits: list[float] = []  # what the client would have waited
        self.namespaces = {"org", "me"}
        self.readable_only: set[str] = set()
        self.faults: list[Fault] = []
        self.repos: dict[str, Repo] = {}
        self.calls: Counter[str] = Counter()
        self.seen_paths: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="hub-standin", daemon=True)

    def __enter__(self) -> HubStandin:
        self._thread.start()
        self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def pushes(self, repo_id: str = "org/name") -> list[Commit]:
        return [c for c in self.repos[repo_id].commits.values() if c.title != "initial commit"]

    def files(self, repo_id: str = "org/name", revision: str = "main") -> dict[str, bytes]:
        found = self.repos[repo_id].find(revision)
        return {path: blob.content for path, blob in found.tree.items()} if found else {}

    def make_repo(self, repo_id: str = "org/name", private: bool = False, **files: bytes) -> Repo:
        repo = self.repos[repo_id] = Repo(private)
        tree = {".gitattributes": Blob(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n", False)}
        repo.commit("main", "initial commit", tree)
        if files:
            repo.commit("main", "by hand", {**tree, **{k: Blob(v, False) for k, v in files.items()}})
        return repo

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 30, middlewares=[self._spoil])
        ref, path = r"{rev}", r"{path:.+}"
        api = r"/api/datasets/{org}/{name}"
        rows: list[tuple[str, str, Handler]] = [
            ("GET", "/api/whoami-v2", self._whoami),
            ("POST", "/api/validate-yaml", self._validate),
            ("POST", "/api/repos/create", self._create),
            ("GET", api, self._info),
            ("GET", f"{api}/revision/{ref}", self._info),
            ("GET", f"{api}/tree/{ref}", self._tree),
            ("GET", f"{api}/tree/{ref}/{path}", self._tree),
            ("POST", f"{api}/paths-info/{ref}", self._paths),
            ("GET", f"{api}/refs", self._refs),
            ("POST", f"{api}/preupload/{ref}", self._preupload),
            ("POST", f"{api}/commit/{ref}", self._commit),
            ("POST", f"{api}/tag/{ref}", self._tag),
            ("DELETE", f"{api}/tag/{ref}", self._untag),
            ("POST", f"{api}/branch/{ref}", self._branch),
            ("POST", r"/datasets/{org}/{name}.git/info/lfs/objects/batch", self._batch),
            ("PUT", r"/storage/{oid}", self._put),
            ("PUT", r"/storage/{oid}/{part:\d+}", self._put),
            ("POST", r"/storage/{oid}/complete", self._complete),
            ("POST", r"/storage/{oid}/verify", self._verify),
            ("GET", rf"/datasets/{{org}}/{{name}}/resolve/{ref}/{path}", self._resolve),
            ("HEAD", rf"/datasets/{{org}}/{{name}}/resolve/{ref}/{path}", self._resolve),
        ]
        for method, route, handler in rows:
            app.router.add_route(method, route, handler)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    # --- faults and rights -------------------------------------------------------------------------------------

    @web.middleware
    async def _spoil(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        step = name_step(request)
        self.calls[step] += 1
        self.seen_paths.append(f"{request.method} {request.path}")
        for fault in self.faults:
            if fault.step == step and fault.is_due():
                return await self._do_fault(fault, request, handler)
        if not request.path.startswith("/storage/"):
            given = request.headers.get("Authorization", "")
            if given and given != f"Bearer {self.token}":
                return fail(401, "Invalid credentials in Authorization header", "")
            if not given and request.method != "GET" and request.method != "HEAD":
                return fail(401, "Invalid username or password.", "")
        return await handler(request)

    async def _do_fault(self, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        if fault.cut == "after":
            await handler(request)
        if fault.cut == "late":
            await request.read()
            asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(handler(request)))
        if fault.cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        await request.read()
        if fault.body:
            return web.Response(status=fault.status, text=fault.body, headers=fault.headers)
        return fail(fault.status, f"planned fault {fault.status}", "", fault.headers)

    def _repo(self, request: web.Request) -> Repo:
        repo = self.repos.get(f"{request.match_info['org']}/{request.match_info['name']}")
        hidden = repo is not None and repo.private and "Authorization" not in request.headers
        if repo is None or hidden:
            raise Failed(fail(404, "Repository not found", "RepoNotFound"))
        return repo

    def _revision(self, request: web.Request) -> tuple[Repo, Commit]:
        repo = self._repo(request)
        revision = request.match_info.get("rev", "main")
        found = repo.find(revision)
        if found is None:
            raise Failed(fail(404, f"Invalid rev id: {revision}", "RevisionNotFound"))
        return repo, found

    def _check_write(self, request: web.Request) -> None:
        repo_id = f"{request.match_info['org']}/{request.match_info['name']}"
        if repo_id in self.readable_only:
            raise Failed(fail(403, "Forbidden: you must have write access to this repository", ""))

    # --- repositories ------------------------------------------------------------------------------------------

    async def _whoami(self, request: web.Request) -> web.Response:
        return web.json_response({"type": "user", "name": "me", "orgs": [{"name": "org"}], "auth": {}})

    async def _validate(self, request: web.Request) -> web.Response:
        content = (await request.json())["content"]
        if "bad_metadata" in content:
            return web.json_response({"errors": [{"message": '"license" must be one of [...]'}]}, status=400)
        return web.json_response({"errors": [], "warnings": []})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        org = asked.get("organization") or "me"
        repo_id = f"{org}/{asked['name']}"
        url = f"{self.url}/datasets/{repo_id}"
        if org not in self.namespaces:
            return fail(403, f'You don\'t have the rights to create a dataset under the namespace "{org}"', "")
        if repo_id in self.repos:
            return web.json_response({"error": "You already created this dataset repo", "url": url}, status=409)
        self.make_repo(repo_id, private=asked.get("visibility") == "private" or asked.get("private") is True)
        return web.json_response({"url": url, "name": repo_id, "id": "1"})

    async def _info(self, request: web.Request) -> web.Response:
        repo, commit = self._revision(request)
        repo_id = f"{request.match_info['org']}/{request.match_info['name']}"
        about = {"_id": "1", "id": repo_id, "private": repo.private, "sha": commit.oid, "lastModified": _STARTED}
        siblings = [{"rfilename": path} for path in commit.tree]
        return web.json_response({**about, "tags": [], "gated": False, "disabled": False, "siblings": siblings})

    async def _tree(self, request: web.Request) -> web.Response:
        _, commit = self._revision(request)
        top = request.match_info.get("path", "")
        recursive = request.query.get("recursive", "").lower() == "true"
        prefix = f"{top}/" if top else ""
        inside = {p[len(prefix) :]: b for p, b in commit.tree.items() if p.startswith(prefix)}
        if top and not inside:
            return fail(404, f"{top} does not exist", "EntryNotFound")
        folders = {"/".join(p.split("/")[:k]) for p in inside for k in range(1, p.count("/") + 1)}
        rows = [{"type": "directory", "path": prefix + f, "size": 0, "oid": hash_text(f)} for f in sorted(folders)]
        rows += [blob.describe(prefix + path) for path, blob in sorted(inside.items())]
        rows = [r for r in rows if recursive or "/" not in str(r["path"])[len(prefix) :]]
        page = int(request.query.get("cursor", "0"))
        headers = {}
        if len(rows) > page + 1000:
            headers["Link"] = f'<{self.url}{request.path}?recursive={recursive}&cursor={page + 1000}>; rel="next"'
        return web.json_response(rows[page : page + 1000], headers=headers)

    async def _paths(self, request: web.Request) -> web.Response:
        _, commit = self._revision(request)
        asked = (await request.post()).getall("paths", [])
        return web.json_response([commit.tree[str(p)].describe(str(p)) for p in asked if str(p) in commit.tree])

    async def _refs(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        rows = {
            key: [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": c} for n, c in found.items()]
            for key, kind, found in (("branches", "heads", repo.branches), ("tags", "tags", repo.tags))
        }
        return web.json_response({**rows, "converts": []})

    async def _tag(self, request: web.Request) -> web.Response:
        repo, commit = self._revision(request)
        self._check_write(request)
        name = (await request.json())["tag"]
        if name in repo.tags:
            return fail(409, f"Tag reference exists already: refs/tags/{name}", "")
        repo.tags[name] = commit.oid
        return web.json_response({})

    async def _untag(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        if repo.tags.pop(request.match_info["rev"], None) is None:
            return fail(404, "no such tag", "RevisionNotFound")
        return web.json_response({})

    async def _branch(self, request: web.Request) -> web.Response:
        repo = self._repo(request)
        name = request.match_info["rev"]
        if name in repo.branches:
            return fail(409, f"Reference exists already: refs/heads/{name}", "")
        repo.branches[name] = repo.branches["main"]
        return web.json_response({})

    # --- downloads ---------------------------------------------------------------------------------------------

    async def _resolve(self, request: web.Request) -> web.Response:
        _, commit = self._revision(request)
        path = request.match_info["path"]
        headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        blob = commit.tree.get(path)
        if blob is None:
            return fail(404, "Entry not found", "EntryNotFound", headers)
        headers["ETag"] = f'"{blob.sha256 if blob.lfs else blob.oid}"'
        content, status = blob.content, 200
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", "")):
            start, end = int(wanted[1]), int(wanted[2] or len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            content, status = content[start : end + 1], 206
        return web.Response(body=content, status=status, headers=headers, content_type="application/octet-stream")
