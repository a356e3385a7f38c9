"""A run killed again and again that goes on with another ``--batch`` each time: nothing in a batch is paid twice."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from culturepark.llm.batch_journal import BatchJournal
from culturepark.llm.spend import read_spend, sum_up
from culturepark.runs.folder import load_run
from tests.books import check_books, read_data
from tests.resume.test_batch_kills import SMALL, serve_batches
from tests.resume.test_stops import finish, read_stats, start, wait_for

FLAGS = (*SMALL, "--concurrency", "1", "--batch-every", "0.05")
MODES = (("--batch", "all"), ("--batch", "off"), ("--batch", "refine"), ("--batch", "off"))


def wait_until_more(url: str, name: str, more: int, process: subprocess.Popen[str]) -> None:
    before = read_stats(url)[name]
    wait_for(lambda: read_stats(url)[name] > before + more, process)


def test_killed_and_resumed_with_another_mode_each_time(tmp_path: Path) -> None:
    with serve_batches(tmp_path, "--batch-s", "0.5", "--latency-s", "0.02") as url:
        taken_up = 0
        for mode in MODES:
            process = start(url, tmp_path / "run", *FLAGS, *mode)
            name, more = ("served", 5) if "off" in mode else ("looks", 12)
            wait_until_more(url, name, more, process)
            process.send_signal(signal.SIGKILL)
            _, err = process.communicate(60)
            taken_up += "Taking up" in err
        code, _, err = finish(start(url, tmp_path / "run", *SMALL, "--batch", "refine", "--batch-every", "0.05"))
        assert code == 0, err
        stats = read_stats(url)
        assert taken_up >= 1, "a later sitting found batches of an earlier one"
        # One live call at a time: only that may have been under way at a kill.
        assert stats["answered_again"] <= len(MODES)
        spent = sum_up(read_spend(tmp_path / "run" / "spend"))
        assert spent.lost <= len(MODES) and spent.calls - spent.lost <= stats["served"] <= spent.calls
        code, _, err = finish(start(url, tmp_path / "calm", *SMALL))
        assert code == 0, err
    run, calm = load_run(tmp_path / "run"), load_run(tmp_path / "calm")
    assert read_data(run) == read_data(calm)
    check_books(run)
    assert BatchJournal(run.path / "batches.jsonl").open_waves() == []
