"""Ceilings over real processes and servers: never passed, whoever spends, and the run goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from culturepark.runs.folder import load_run
from tests.books import check_books, read_data
from tests.resume.test_stops import FAULTS, finish, read_stats, serve, start, wait_for


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calm")
    with serve(folder, "--seed", "3") as url:
        code, _, err = finish(start(url, folder / "run"))
    assert code == 0, err
    return folder / "run"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_ceiling_on_calls_holds_over_retries_kills_and_workers(tmp_path: Path, calm: Path, workers: str) -> None:
    flags = ("--workers", workers, "--max-calls", "120")
    with serve(tmp_path, "--seed", "3", *FAULTS, "--latency-s", "0.02") as url:
        process = start(url, tmp_path / "run", *flags)
        wait_for(lambda: read_stats(url)["requests"] > 60, process)
        process.kill()
        process.communicate()
        code, _, err = finish(start(url, tmp_path / "run", *flags))
        assert code == 5, err
        assert "the ceiling of 120 calls (--max-calls) is reached" in err
        assert "go on with a higher --max-calls" in err or "run the same command with --max-calls" in err
        asked = read_stats(url)["requests"]
        assert 120 - 16 <= asked <= 120, "calls that a kill left unanswered count too"
        check_books(load_run(tmp_path / "run"))
        code, _, err = finish(start(url, tmp_path / "run", *flags))
        assert code == 5 and read_stats(url)["requests"] <= 120, err
        code, _, err = finish(start(url, tmp_path / "run", "--workers", workers, "--max-calls", "2000"))
        assert code == 0, err
        spend = load_run(tmp_path / "run").manifest["spend"]["all"]
        assert read_stats(url)["requests"] <= spend["calls"] <= read_stats(url)["requests"] + 8
    assert len(load_run(tmp_path / "run")) == 40


def test_money_is_counted_to_the_last_cent_and_held(tmp_path: Path, calm: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: {fake-model: {input: 1.0, cached: 0.5, output: 2.0}}\n", encoding="utf-8")
    with serve(tmp_path, "--seed", "3") as url:
        code, _, err = finish(start(url, tmp_path / "run", "--prices", str(prices), "--max-cost", "0.05"))
        assert code == 5, err
        assert "the ceiling of $0.0500 (--max-cost) is reached" in err
        spend = load_run(tmp_path / "run").manifest["spend"]["all"]
        assert 0.03 < spend["usd"] <= 0.05
        code, _, err = finish(start(url, tmp_path / "run", "--prices", str(prices), "--max-cost", "50"))
        assert code == 0, err
        assert read_stats(url)["answered_again"] == 0
    run = load_run(tmp_path / "run")
    assert read_data(run) == read_data(load_run(calm))
    spend, counts = run.manifest["spend"]["all"], run.counts()
    exact = (counts.input_tokens - counts.cached_tokens) * 1 + counts.cached_tokens * 0.5 + counts.output_tokens * 2
    assert spend["usd"] == pytest.approx(exact / 1e6, rel=1e-3)


def test_a_ceiling_in_money_without_a_price_never_starts(tmp_path: Path) -> None:
    with serve(tmp_path) as url:
        code, _, err = finish(start(url, tmp_path / "run", "--max-cost", "1"))
        assert read_stats(url)["requests"] == 0
    assert code == 2
    assert err.count("\n") == 1 and "no price is known for 'fake-model'" in err and "--prices FILE" in err
