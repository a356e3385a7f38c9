"""One run killed hundreds of times against a faulty server, beside the same run left in peace: one table.

    python -m bench.kills --kills 200 --n 120 --seed 1

Each process is ended after a random number of calls, about as many as let all kills fall inside one run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from culturepark.runs.folder import load_run
from tests.books import check_books, read_data
from tests.resume.kills import FAULTS, kill_often, start_run
from tests.resume.nursery import Nursery
from tests.resume.test_stops import ENVIRONMENT, read_stats, serve


def main() -> int:
    """Run both and compare; 0 when nothing was lost, doubled or paid twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--n", type=int, default=120, help="samples of the run")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills and of the faults")
    parser.add_argument("--latency-s", type=float, default=0.02)
    parser.add_argument("--folder", type=Path, help="keep both runs here")
    parser.add_argument("--whole", action="store_true", help="start every process from nothing, not by a fork")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        return compare(options, options.folder or Path(temporary))


def compare(options: argparse.Namespace, folder: Path) -> int:
    """The calm run, the killed run, and the table."""
    folder.mkdir(parents=True, exist_ok=True)
    server = ("--seed", str(options.seed), *FAULTS, "--latency-s", str(options.latency_s))
    with serve(folder, *server) as url:
        finish(start_run(url, folder / "calm", options.n))
        calm_stats = read_stats(url)
    began = time.monotonic()
    with serve(folder, *server) as url, closing(Nursery(folder, ENVIRONMENT)) as nursery:
        done = kill_often(
            url,
            folder / "killed",
            options.n,
            options.kills,
            options.seed,
            calm_stats["requests"],
            None if options.whole else nursery,
        )
        finish(start_run(url, folder / "killed", options.n))
        stats = read_stats(url)
    seconds = time.monotonic() - began
    killed, calm = load_run(folder / "killed"), load_run(folder / "calm")
    check_books(killed)
    equal = read_data(killed) == read_data(calm)
    faults = ", ".join(f"{name[6:]} {stats[name]}" for name in stats if name.startswith("fault_") and stats[name])
    rows = {
        "kills": f"{done.kills} ({', '.join(f'{name} {count}' for name, count in sorted(done.signals.items()))})",
        "kills before the first call": done.early,
        "n": options.n,
        "accepted": len(killed),
        "ids": len({sample.id for sample in killed.samples()}),
        "calls at the server": f"{stats['requests']} (calm: {calm_stats['requests']})",
        "faults": faults,
        "asked again without a fault": f"{stats['asked_again']} (calm: {calm_stats['asked_again']})",
        "in flight at the kills": sum(done.in_flight),
        "most in flight at one kill": max(done.in_flight, default=0),
        "bytes equal": "yes" if equal else "no",
        "seconds": f"{seconds:.0f}",
    }
    for name, value in rows.items():
        print(f"{name:<30} {value}")
    for trouble in done.troubles:
        print(trouble)
    paid_twice = stats["asked_again"] - calm_stats["asked_again"] > sum(done.in_flight)
    whole = len(killed) == len({sample.id for sample in killed.samples()}) == options.n
    return int(paid_twice or not whole or not equal or bool(done.troubles))


def finish(process: object) -> None:
    """Wait for a run that must end well."""
    import subprocess

    assert isinstance(process, subprocess.Popen)
    out, err = process.communicate(timeout=600)
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}: {err[-600:] or out[-600:]}")


if __name__ == "__main__":
    sys.exit(main())
