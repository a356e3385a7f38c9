"""The fake server with a batch API: answers in no order, lines that fail or expire, queues that are full.

Answers are those of the same call made live. ``answered_again`` counts them over both ways, so it tells what was paid
twice. A batch is over ``batch_s`` seconds after it was made, whether anybody looks or not.

    python tests/batchserver.py --port-file port.txt --batch-s 0.3 --p-expire 0.1
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakeserver import FakeServer, make_completion, read_arguments, serve

_STEPS = ("validating", "in_progress", "in_progress", "finalizing")


@dataclass
class _Batch:
    id: str
    file: str
    lines: list[dict[str, Any]]
    metadata: dict[str, str]
    made: float
    status: str = ""
    code: str = ""
    output: str | None = None
    error: str | None = None


@dataclass
class BatchServer(FakeServer):
    """``lose``: so many answers to POST /batches are lost after the batch was made. ``refuse``: the code with which
    every batch fails. ``queue``: requests it takes at a time (0: any number). ``no_api``: it has no batch API."""

    batch_s: float = 0.05
    p_expire: float = 0.0
    p_line_500: float = 0.0
    p_line_400: float = 0.0
    p_poll_500: float = 0.0
    lose: int = 0
    refuse: str = ""
    queue: int = 0
    no_api: int = 0
    refuse_word: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.batches: dict[str, _Batch] = {}
        self.files: dict[str, bytes] = {}
        self.sizes: list[int] = []
        self._polls = random.Random(self.seed)
        self._tries: dict[str, int] = {}

    def add_routes(self, app: web.Application) -> None:
        """Files and batches."""
        if self.no_api:
            return
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._content)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{id}", self._look)

    def stats(self) -> dict[str, Any]:
        """``paid`` counts answers, live or in a batch; ``lost`` POSTs whose answer never went out."""
        names = ("uploads", "batches", "lines", "expired", "failed_lines", "lost", "looks", "fault_poll")
        return super().stats() | {name: self.counts[name] for name in names} | {"sizes": self.sizes}

    async def _upload(self, request: web.Request) -> web.Response:
        if refused := self._refuse_key(request):
            return refused
        form = await request.post()
        assert form["purpose"] == "batch"
        part = form["file"]
        assert isinstance(part, web.FileField)
        self.counts["uploads"] += 1
        name = f"file-{len(self.files)}"
        self.files[name] = part.file.read()
        return web.json_response({"id": name, "object": "file", "purpose": "batch"})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refuse_key(request):
            return refused
        asked = await request.json()
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        batch = _Batch(
            f"batch-{len(self.batches)}", asked["input_file_id"], lines, asked.get("metadata") or {}, time.monotonic()
        )
        names = [line["custom_id"] for line in lines]
        waiting = sum(len(other.lines) for other in self.batches.values() if not self._is_over(other))
        if asked["endpoint"] != "/v1/chat/completions" or len(set(names)) < len(names):
            batch.status, batch.code = "failed", "invalid"
        elif len({line["body"]["model"] for line in lines}) > 1:
            batch.status, batch.code = "failed", "mismatched_model"
        elif self.refuse:
            batch.status, batch.code = "failed", self.refuse
        elif self.queue and waiting + len(lines) > self.queue:
            batch.status, batch.code = "failed", "token_limit_exceeded"
        self.batches[batch.id] = batch
        self.counts["batches"] += 1
        if not batch.status:
            self.counts["lines"] += len(lines)
            self.sizes.append(len(lines))
        if self.counts["lost"] < self.lose:
            self.counts["lost"] += 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(self._show(batch))

    async def _list(self, request: web.Request) -> web.Response:
        newest = list(reversed(self.batches.values()))
        after = request.query.get("after")
        if after:
            newest = newest[[batch.id for batch in newest].index(after) + 1 :]
        page = newest[: min(2, int(request.query["limit"]))]  # small pages, so that paging is tried
        return web.json_response({"data": [self._show(b) for b in page], "has_more": len(newest) > len(page)})

    async def _look(self, request: web.Request) -> web.Response:
        self.counts["looks"] += 1
        if self._polls.random() < self.p_poll_500:
            self.counts["fault_poll"] += 1
            return web.json_response({"error": {"message": "The server had an error."}}, status=500)
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return web.json_response({"error": {"message": "No such batch"}}, status=404)
        return web.json_response(self._show(batch))

    async def _content(self, request: web.Request) -> web.Response:
        raw = self.files.get(request.match_info["id"])
        if raw is None:
            return web.json_response({"error": {"message": "No such file"}}, status=404)
        return web.Response(body=raw, content_type="application/octet-stream")

    def _is_over(self, batch: _Batch) -> bool:
        return bool(batch.status) or time.monotonic() - batch.made >= self.batch_s

    def _show(self, batch: _Batch) -> dict[str, Any]:
        if not batch.status and self._is_over(batch):
            self._work(batch)
        share = (time.monotonic() - batch.made) / max(self.batch_s, 1e-9)
        failed = {"object": "list", "data": [{"code": batch.code, "message": "It cannot be done.", "line": None}]}
        return {
            "id": batch.id,
            "object": "batch",
            "input_file_id": batch.file,
            "status": batch.status or _STEPS[min(int(4 * share), 3)],
            "metadata": batch.metadata,
            "output_file_id": batch.output,
            "error_file_id": batch.error,
            "errors": failed if batch.status == "failed" else None,
        }

    def _work(self, batch: _Batch) -> None:
        good, bad = [], []
        for line in batch.lines:
            answer = self._answer_line(line)
            (good if answer["error"] is None and answer["response"]["status_code"] == 200 else bad).append(answer)
        expired = any((answer["error"] or {}).get("code") == "batch_expired" for answer in bad)
        batch.status = "expired" if expired else "completed"
        for kind, answers in (("output", good), ("error", bad)):
            if answers:
                random.Random(batch.id).shuffle(answers)
                name = f"file-{len(self.files)}"
                self.files[name] = b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)
                setattr(batch, kind, name)

    def _answer_line(self, line: dict[str, Any]) -> dict[str, Any]:
        body = line["body"]
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        draw = random.Random(f"{self.seed}:{digest}:{self._tries.get(digest, 0)}").random()
        self._tries[digest] = self._tries.get(digest, 0) + 1
        found: dict[str, Any] = {"id": f"r-{digest[:8]}", "custom_id": line["custom_id"], "response": None}
        if draw < self.p_expire:
            self.counts["expired"] += 1
            return found | {"error": {"code": "batch_expired", "message": "Not executed in time."}}
        status, content = 200, make_completion(body, digest)
        if self.refuse_word and self.refuse_word in body:
            told = f"Unsupported parameter: '{self.refuse_word}' is not supported. Use 'max_completion_tokens' instead."
            status, content = 400, {"error": {"message": told, "param": self.refuse_word}}
        elif draw < self.p_expire + self.p_line_500:
            status, content = 500, {"error": {"message": "The server had an error."}}
        elif draw < self.p_expire + self.p_line_500 + self.p_line_400:
            status, content = 400, {"error": {"message": "This prompt cannot be read."}}
        if status == 200:
            self.counts["answered_again"] += digest in self._answered
            self._answered.add(digest)
            self.counts["served"] += 1
        else:
            self.counts["failed_lines"] += 1
        return found | {"error": None, "response": {"status_code": status, "request_id": "q", "body": content}}


if __name__ == "__main__":
    asyncio.run(serve(*read_arguments(BatchServer)))
