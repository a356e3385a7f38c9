"""Calls that fail for good: counted and gone on with, or a stop; later given another try without paying twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from culturepark.config import build_config
from culturepark.errors import EndpointError
from culturepark.runs.events import read_events
from culturepark.runs.folder import Run
from culturepark.runs.generate import execute
from culturepark.runs.progress import Silent
from tests.books import check_books, read_data
from tests.fakeserver import Answer, FakeServer

REFUSED = (400, {"error": {"message": "this prompt cannot be served", "type": "invalid_request_error"}}, {})


def refuse_some(body: dict[str, Any]) -> Answer | None:
    """A fault that sticks to one in forty prompts."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    return REFUSED if digest[0] % 40 == 0 else None


async def make(server: FakeServer, folder: Path, **more: Any) -> Run:
    given = {"cultures": "arab,korean", "topics": "family", "n": 24, "turns": 4, "model": "fake-model", **more}
    config = build_config(
        {**given, "base_url": server.base_url, "concurrency": 8, "encoder": "none", "output_dir": str(folder)}
    )
    return await execute(config, Silent())


async def test_failed_candidates_get_another_try_and_the_run_is_as_if_they_never_failed(tmp_path: Path) -> None:
    async with FakeServer() as server:
        calm = await make(server, tmp_path / "calm")
    async with FakeServer() as server:
        server.hook = refuse_some
        run = await make(server, tmp_path / "run")
        counts = run.counts()
        assert counts.failed > 0 and counts.accepted == 24
        assert counts.reasons["call_request"] == counts.failed
        check_books(run)
        told = [event for event in read_events(run.path) if event["kind"] == "failed"]
        assert len(told) >= 1 and all("cannot be served" in event["what"] for event in told)
        server.hook = None
        answered = server.counts["served"]
        again = await make(server, tmp_path / "run", retry_failed=True)
        assert server.counts["answered_again"] == 0
        assert server.counts["served"] - answered < answered / 4, "only what had failed is asked"
    assert read_data(again) == read_data(calm)
    assert again.counts().failed == 0 and again.state == "complete"
    check_books(again)


async def test_retry_failed_leaves_a_run_without_failures_alone(tmp_path: Path) -> None:
    async with FakeServer() as server:
        before = read_data(await make(server, tmp_path / "run"))
        asked = server.counts["requests"]
        after = await make(server, tmp_path / "run", retry_failed=True)
        assert server.counts["requests"] == asked
    assert read_data(after) == before


async def test_on_error_stop_stops_at_the_first_failure_and_goes_on_later(tmp_path: Path) -> None:
    async with FakeServer() as server:
        calm = await make(server, tmp_path / "calm")
    async with FakeServer() as server:
        server.hook = refuse_some
        with pytest.raises(EndpointError, match="failed: call_request.*--on-error stop"):
            await make(server, tmp_path / "run", on_error="stop")
        assert Run(tmp_path / "run").counts().failed == 0
        server.hook = None
        run = await make(server, tmp_path / "run", on_error="stop")
        assert server.counts["answered_again"] == 0
    assert read_data(run) == read_data(calm)
