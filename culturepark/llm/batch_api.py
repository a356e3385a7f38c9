"""The OpenAI batch protocol: upload a file of requests, make a batch, look at it, read its answers.

One call is one try; who calls decides about more. Answers come without secrets.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from culturepark.errors import CallError, CultureParkError, EndpointError
from culturepark.llm.base import Reply, Request
from culturepark.llm.faults import Fault, error_for
from culturepark.llm.http import HttpClient

ENDPOINT = "/v1/chat/completions"
MAX_LINES = 50_000  # a file's limits; it may hold 200 MB, but is put together in memory
MAX_BYTES = 64_000_000
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_PAGES = 20
_MARK = "culturepark_wave"


class BatchGoneError(CallError):
    """The server does not know this batch or file any more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "server")


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How a batch stands; ``code`` and ``message`` say why it failed."""

    id: str
    status: str
    output_file: str = ""
    error_file: str = ""
    code: str = ""
    message: str = ""

    @property
    def is_over(self) -> bool:
        """Will nothing more come of it?"""
        return self.status in _ENDED

    @property
    def is_limit(self) -> bool:
        """Was it refused because too much waits at the server already?"""
        told = f"{self.code} {self.message}".lower()
        return self.status == "failed" and any(word in told for word in ("enqueued", "token_limit", "rate_limit"))


@dataclass(frozen=True, slots=True)
class LineFault:
    """A request of a batch that was not answered: ``code`` is the batch's own word for it, if it has one."""

    fault: Fault
    code: str = ""


class BatchApi:
    """The batch side of one server."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    def make_line(self, name: str, request: Request) -> bytes:
        """One line of an input file."""
        line = {"custom_id": name, "method": "POST", "url": ENDPOINT, "body": self.http.make_body(request)}
        return json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    async def upload(self, wave: str, lines: Iterable[bytes]) -> str:
        """Upload an input file; returns its id."""
        edge = f"culturepark-{secrets.token_hex(12)}"
        field = f'--{edge}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        named = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{wave}.jsonl"\r\n'
        kind = "Content-Type: application/jsonl\r\n\r\n"
        body = b"".join([f"{field}{named}{kind}".encode(), *lines, f"\r\n--{edge}--\r\n".encode()])
        answer = await self._ask("POST", "/files", body, f"multipart/form-data; boundary={edge}")
        return _need_id(answer, self.http.where)

    async def create(self, wave: str, file: str) -> BatchStatus:
        """Make a batch of an uploaded file."""
        asked = {
            "input_file_id": file,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {_MARK: wave},
        }
        return self._read_status(await self._ask("POST", "/batches", json.dumps(asked).encode()))

    async def find(self, wave: str, file: str) -> BatchStatus | None:
        """The batch that was made for a wave, though its id never came back; ``None`` when there is none."""
        after = ""
        for _ in range(_PAGES):
            answer = await self._ask("GET", "/batches", query=f"limit=100{after}")
            entries = [entry for entry in answer.get("data") or () if isinstance(entry, dict)]
            for entry in entries:
                mark = entry.get("metadata")
                if entry.get("input_file_id") == file or (isinstance(mark, dict) and mark.get(_MARK) == wave):
                    return self._read_status(entry)
            if not answer.get("has_more") or not entries:
                return None
            after = f"&after={quote(str(entries[-1].get('id')), safe='')}"
        return None

    async def look(self, batch: str) -> BatchStatus:
        """How a batch stands now. Raises ``BatchGoneError`` when the server does not know it."""
        path = f"/batches/{quote(batch, safe='')}"
        return self._read_status(await self._ask("GET", path, gone=f"the batch {batch}"))

    async def read_answers(self, file: str) -> Iterator[tuple[str, Reply | LineFault]]:
        """The answers in an output or error file by custom id, in no order; lines that are no answers are left out."""
        path = f"/files/{quote(file, safe='')}/content"
        raw = await self._send("GET", path, gone=f"the answers ({file})")
        return self._read_lines(raw)

    def _read_lines(self, raw: bytes) -> Iterator[tuple[str, Reply | LineFault]]:
        for part in raw.splitlines():
            try:
                line = json.loads(part)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict) and isinstance(line.get("custom_id"), str):
                yield line["custom_id"], self._read_answer(line)

    def _read_answer(self, line: Mapping[str, Any]) -> Reply | LineFault:
        response = line.get("response")
        response = response if isinstance(response, dict) else {}
        status, body = response.get("status_code"), response.get("body")
        status = status if isinstance(status, int) else 200 if body else 500
        choices = body.get("choices") if isinstance(body, dict) else None
        if 200 <= status < 300 and isinstance(choices, list) and choices and isinstance(choices[0], dict):
            if isinstance(choices[0].get("message"), dict) and isinstance(body, dict):
                return self.http.read(body)
        error = line.get("error")
        if isinstance(error, dict) and (error.get("code") or error.get("message")):
            given = response.get("status_code")
            fault = self.http.read_fault(given if isinstance(given, int) else 500, {"error": error}, {})
            return LineFault(fault, str(error.get("code") or ""))
        return LineFault(self.http.read_fault(status, body, {}))

    def _read_status(self, answer: Mapping[str, Any]) -> BatchStatus:
        errors = answer.get("errors")
        found = errors.get("data") if isinstance(errors, dict) else errors
        first = found[0] if isinstance(found, list) and found else {}
        fault = self.http.read_fault(400, {"error": first}, {})
        return BatchStatus(
            _need_id(answer, self.http.where),
            str(answer.get("status") or ""),
            str(answer.get("output_file_id") or ""),
            str(answer.get("error_file_id") or ""),
            fault.code,
            fault.message,
        )

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", *, query: str = "", gone: str = ""
    ) -> dict[str, Any]:
        raw = await self._send(method, path, body, kind, query=query, gone=gone)
        answer = _parse(raw)
        if not isinstance(answer, dict):
            raise CallError(f"{self.http.where} answered {path} without JSON", "server")
        return answer

    async def _send(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", *, query: str = "", gone: str = ""
    ) -> bytes:
        url = self.http.url_of(path)
        if query:
            url += ("&" if "?" in url else "?") + query
        status, headers, raw = await self.http.exchange(method, url, body, kind)
        if 200 <= status < 300:
            return raw
        fault = self.http.read_fault(status, _parse(raw), headers)
        if status == 404 and gone:
            raise BatchGoneError(f"{self.http.where} does not know {gone} any more")
        if status in (404, 405, 501) and not fault.is_unknown_model:
            raise EndpointError(f"{self.http.where} has no batch API ({method} {path}: {status}); leave out --batch")
        raise error_for(fault, self.http.where)


def name_request(request: Request) -> str:
    """The ``custom_id`` of a request: the same in every sitting, and short enough for every server (64)."""
    return hashlib.sha256(f"{request.key}\0{request.hash()}".encode()).hexdigest()[:32]


def explain_line(found: LineFault, where: str) -> CultureParkError:
    """The error for a request that a batch left unanswered."""
    if found.code == "batch_expired":
        return CallError(f"{where} did not get to this request before its batch expired", "timeout")
    if found.code == "request_timeout":
        return CallError(f"{where}: the model did not answer this request of a batch in time", "timeout")
    if found.code == "batch_cancelled":
        return EndpointError(f"a batch was cancelled at {where}; run again to send the rest of it anew")
    return error_for(found.fault, where)


def explain_refusal(status: BatchStatus, where: str) -> EndpointError:
    """The error for a batch that was refused as a whole."""
    said = ": ".join(filter(None, (status.code, status.message))) or "no reason given"
    if "quota" in said or "billing" in said:
        return EndpointError(f"{where} says the quota is used up ({said}); add credit, then resume")
    return EndpointError(f"{where} refused a batch ({said}); mend that (--model?) or leave out --batch, then resume")


def copy_error(error: Exception) -> Exception:
    """The same error once more: each waiter needs its own, for those who catch it may add to it."""
    fresh = copy(error) if not isinstance(error, CallError) else CallError(str(error), error.kind, error.retry_after)
    return fresh.with_traceback(None)


def _need_id(answer: Mapping[str, Any], where: str) -> str:
    found = answer.get("id")
    if not isinstance(found, str) or not found:
        raise CallError(f"{where} answered a batch call without an id", "server")
    return found


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
