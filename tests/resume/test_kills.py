"""One run against a faulty server, killed at least 25 times at random moments: nothing is lost, nothing paid twice."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from culturepark.runs.folder import load_run
from tests.books import check_books, read_data
from tests.resume.kills import CONCURRENCY, FAULTS, kill_often, start_run
from tests.resume.nursery import Nursery
from tests.resume.test_stops import ENVIRONMENT, finish, read_stats, serve

N = 30
KILLS = 27
SEED = 3  # draws every kind of signal


def test_27_kills_over_one_run(tmp_path: Path) -> None:
    server = ("--seed", "4", *FAULTS, "--latency-s", "0.02")
    with serve(tmp_path, *server) as calm_url, serve(tmp_path, *server) as url:
        beside = start_run(calm_url, tmp_path / "calm", N)  # undisturbed, at the same time
        with closing(Nursery(tmp_path, ENVIRONMENT)) as nursery:
            # About nine calls a sample: so many a process that all kills fit into the run.
            done = kill_often(url, tmp_path / "killed", N, KILLS, SEED, 9 * N // (KILLS + 5), nursery)
        code, _, err = finish(start_run(url, tmp_path / "killed", N))
        assert code == 0, err
        code, _, err = finish(beside)
        assert code == 0, err
        stats = read_stats(url)
    assert not done.troubles, done.troubles
    assert done.kills >= 25 and done.signals["SIGKILL"] >= 20, done
    assert done.signals["SIGTERM"] and done.signals["SIGINT"] and done.early, done
    assert all(stats[f"fault_{kind}"] > 0 for kind in ("500", "429", "reset", "stall", "badjson")), stats
    assert stats["asked_again"] <= sum(done.in_flight), "more was asked twice than was in flight at the kills"
    # The server counts a call as in flight a moment longer than its client does: one that was reset or given up.
    assert sum(done.in_flight) <= CONCURRENCY * len(done.in_flight), done
    killed, calm = load_run(tmp_path / "killed"), load_run(tmp_path / "calm")
    assert killed.counts().accepted == len(killed) == N
    assert len({sample.id for sample in killed.samples()}) == N
    assert read_data(killed) == read_data(calm)
    check_books(killed)
