"""A small stand-in for OpenAI's fine-tuning service: files, jobs and events, with faults on order."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

from aiohttp import web


class Service:
    """Runs in a thread on loopback. ``lose`` holds (method, path end) pairs that are done, but whose answer is lost."""

    def __init__(self, steps: int = 3, fate: str = "succeeded") -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.looks: Counter[str] = Counter()
        self.calls: list[tuple[str, str]] = []
        self.keys: set[str] = set()
        self.lose: list[tuple[str, str]] = []
        self.refuse: list[tuple[int, str]] = []
        self.steps, self.fate = steps, fate
        self.url = ""

    def __enter__(self) -> Service:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(middlewares=[self._faults])
        app.router.add_get("/v1/files", self._list_files)
        app.router.add_post("/v1/files", self._take_file)
        app.router.add_get("/v1/fine_tuning/jobs", self._list_jobs)
        app.router.add_post("/v1/fine_tuning/jobs", self._start_job)
        app.router.add_get("/v1/fine_tuning/jobs/{id}", self._show_job)
        app.router.add_get("/v1/fine_tuning/jobs/{id}/events", self._list_events)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    @web.middleware
    async def _faults(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        key = request.headers.get("Authorization", "")
        self.keys.add(key)
        if self.refuse:
            status, words = self.refuse.pop(0)
            return web.json_response({"error": {"message": f"{words} {key}", "type": "x"}}, status=status)
        answer: web.StreamResponse = await handler(request)
        for rule in self.lose:
            if request.method == rule[0] and request.path.endswith(rule[1]):
                self.lose.remove(rule)
                assert request.transport
                request.transport.close()
                break
        return answer

    async def _list_files(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.files.values()), "has_more": False})

    async def _take_file(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField) and form["purpose"] == "fine-tune"
        content = file.file.read()
        name = f"file-{len(self.files)}"
        self.files[name] = {"id": name, "object": "file", "bytes": len(content), "created_at": 1}
        self.files[name] |= {"filename": file.filename, "purpose": "fine-tune", "status": "processed"}
        self.contents[name] = content
        return web.json_response(self.files[name])

    async def _list_jobs(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.jobs.values()), "has_more": False})

    async def _start_job(self, request: web.Request) -> web.Response:
        given = await request.json()
        name = f"ftjob-{len(self.jobs)}"
        self.jobs[name] = {"id": name, "object": "fine_tuning.job", "status": "queued", "created_at": 1}
        self.jobs[name] |= {"fine_tuned_model": None, "trained_tokens": None, "error": None, "result_files": []}
        self.jobs[name] |= {"hyperparameters": {}, "organization_id": "o", **given}
        return web.json_response(self.jobs[name])

    async def _show_job(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in self.jobs:
            return web.json_response({"error": {"message": f"no job {name}"}}, status=404)
        job = self.jobs[name]
        self.looks[name] += 1
        if self.looks[name] >= self.steps:
            job["status"] = self.fate
            if self.fate == "succeeded":
                job |= {"fine_tuned_model": f"ft:{job['model']}:x", "trained_tokens": 123}
            else:
                job["error"] = {"code": "bad", "message": "row 3 is bad\nsecond line", "param": None}
        else:
            job["status"] = "running"
        return web.json_response(job)

    async def _list_events(self, request: web.Request) -> web.Response:
        seen = self.looks[request.match_info["id"]]
        events = [
            {"id": f"e{k}", "object": "fine_tuning.job.event", "created_at": k, "level": "info", "message": f"step {k}"}
            for k in range(seen)
        ]
        return web.json_response({"object": "list", "data": events[::-1], "has_more": False})
