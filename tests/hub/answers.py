"""What the stand-in for the Hub answers when it refuses, the names of its steps, and its hashes."""

from __future__ import annotations

import hashlib

from aiohttp import web


class Failed(web.HTTPException):
    status_code = 404

    def __init__(self, answer: web.Response) -> None:
        self.status_code = answer.status
        keep = {k: v for k, v in answer.headers.items() if k.startswith("X-")}
        super().__init__(headers=keep, text=answer.text, content_type="application/json")


def fail(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    marks = {"X-Error-Message": message, "X-Request-Id": "standin", **(headers or {})}
    if code:
        marks["X-Error-Code"] = code
    return web.json_response({"error": message}, status=status, headers=marks)


def name_step(request: web.Request) -> str:
    path = request.path
    for step in ("preupload", "commit", "revision", "tree", "resolve", "branch", "validate-yaml", "refs"):
        if f"/{step}" in path:
            return step
    if "/tag/" in path:
        return "tag" if request.method == "POST" else "untag"
    for mark, step in (
        ("/repos/create", "create"),
        ("/objects/batch", "batch"),
        ("/complete", "complete"),
        ("/verify", "verify"),
        ("/storage/", "put"),
        ("/api/datasets/", "info"),
    ):
        if mark in path:
            return step
    return "other"


def hash_text(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def hash_content(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
