"""Keys planted in the environment and echoed by servers appear in no file and on no screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from culturepark.config import build_config
from culturepark.errors import EndpointError
from culturepark.runs.generate import execute
from culturepark.runs.progress import open_display
from tests.fakeserver import Answer, FakeServer

KEYS = ("sk-planted-first-0123456789abcdef", "secondPlantedKey0123456789")


def search(folder: Path, shown: str) -> list[str]:
    """Where a key turned up."""
    found = [
        str(path) for path in folder.rglob("*") if path.is_file() for key in KEYS if key.encode() in path.read_bytes()
    ]
    return found + [f"screen: {key}" for key in KEYS if key in shown]


def echo_keys(body: dict[str, Any]) -> Answer | None:
    """Now and then an error that repeats keys, which the next try does not meet."""
    echo_keys.asked += 1  # type: ignore[attr-defined]
    if echo_keys.asked % 7 == 0:  # type: ignore[attr-defined]
        return 500, {"error": {"message": f"upstream refused Bearer {KEYS[0]} and {KEYS[1]}"}}, {}
    return None


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_keys_that_servers_repeat_stay_unwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEYS[0])
    monkeypatch.setenv("SECOND_KEY", KEYS[1])
    echo_keys.asked = 0  # type: ignore[attr-defined]
    async with FakeServer(require_key=KEYS[0]) as first, FakeServer(require_key=KEYS[1]) as second:
        first.hook = second.hook = echo_keys
        given = {"cultures": "arab,korean", "topics": "family", "n": 12, "turns": 4, "model": "fake-model"}
        given |= {"base_url": f"{first.base_url}*2,{second.base_url}#SECOND_KEY", "encoder": "none"}
        given |= {"output_dir": str(tmp_path / "run"), "progress": "plain", "log_format": log_format}
        config = build_config(given)
        run = await execute(config, open_display(config))
        assert first.counts["served"] > 0 and second.counts["served"] > 0
    assert len(run) == 12
    shown = "".join(capsys.readouterr())
    assert "retry" in (tmp_path / "run" / "events.jsonl").read_text(encoding="utf-8")
    assert not search(tmp_path, shown)


async def test_a_refused_key_is_one_line_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEYS[0])
    async with FakeServer(require_key="another") as server:
        given = {"cultures": "arab", "n": 4, "model": "fake-model", "base_url": server.base_url, "encoder": "none"}
        config = build_config({**given, "output_dir": str(tmp_path / "run"), "progress": "plain"})
        with pytest.raises(EndpointError, match="refuses the API key") as caught:
            await execute(config, open_display(config))
        assert server.counts["requests"] <= 80, "the run stops at once"
    assert not search(tmp_path, str(caught.value) + "".join(capsys.readouterr()))
