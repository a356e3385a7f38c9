"""A larger mock run: what a sample costs in calls, whether filters favour a culture, and what the report tells of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from culturepark.language import words
from culturepark.llm.base import Request
from culturepark.runs.folder import Run
from culturepark.runs.journal import read_journal
from tests.books import check_books
from tests.judging import answer_all, is_about, twist_mock

Make = Callable[..., Run]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, run_once: Make) -> Run:
    """A thousand samples of two cultures with the settings that are there without a word."""
    return run_once(tmp_path_factory.mktemp("economy") / "run", n=1000)


@pytest.mark.slow
def test_a_sample_costs_at_most_two_calls(large: Run) -> None:
    """All calls of all talks are counted, those of rejected candidates and second tries among them."""
    lines = list(read_journal(large.path))
    assert sum(line["accepted"] for line in lines) == 1000
    assert sum(line["calls"] for line in lines) / 1000 <= 2.0
    by_purpose = Counter({purpose: 0 for purpose in ("note", "turn", "extract", "verify", "harm", "fit")})
    for line in lines:
        by_purpose.update({purpose: numbers[0] for purpose, numbers in line["usage"].items()})
    assert by_purpose.total() == sum(line["calls"] for line in lines) and min(by_purpose.values()) > 0
    assert large.manifest["per_sample"]["all"]["calls"] == pytest.approx(by_purpose.total() / 1000)
    talks = len(lines)
    assert max(by_purpose[p] for p in ("extract", "harm", "fit")) <= talks, "one call for all claims of a talk"


@pytest.mark.slow
def test_a_large_run_adds_up_and_keeps_both_cultures_alike(large: Run) -> None:
    check_books(large)
    manifest, candidates = large.manifest, Counter[str]()
    candidates.update(s.culture for s in large.samples())
    candidates.update(r.culture for r in large.rejected())
    assert manifest["keep_rates"] == {c: round(500 / candidates[c], 4) for c in ("arab", "korean")}
    low, high = sorted(manifest["keep_rates"].values())
    assert manifest["keep_ratio"] == pytest.approx(high / low, abs=0.002) and manifest["keep_ratio"] < 1.5
    assert manifest["alarms"] == []
    assert len({" ".join(words(s.messages[-1]["content"])) for s in large.samples()}) == 1000


@pytest.mark.slow
def test_the_report_tells_what_the_journal_counts(large: Run) -> None:
    counts, report = large.counts(), (large.path / "report.md").read_text(encoding="utf-8")
    rows = {}
    for line in report.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3:
            rows[cells[0]] = cells[1]
    assert rows["candidates"] == str(counts.candidates) and rows["accepted"] == "1000"
    assert rows["rejected"] == str(counts.rejected) and rows["failed"] == str(counts.failed)
    for reason, number in counts.reasons.items():
        assert rows[f"not used: {reason}"] == str(number)
    for stage, cultures in counts.stages.items():
        seen, dropped = (sum(numbers[k] for numbers in cultures.values()) for k in (0, 1))
        assert rows[f"dropped by {stage}"] == f"{dropped} of {seen}"
    for form, number in counts.forms.items():
        assert rows[f"form {form}"] == str(number)
    assert rows["all"] == f"{counts.calls / 1000:.2f} calls"
    headings = [line[3:] for line in report.splitlines() if line.startswith("## ")]
    wanted = ("Candidates", "Samples", "Opinions", "Diversity", "Checked statements", "Judges", "Balance", "Stages")
    assert all(any(heading.startswith(name) for heading in headings) for name in wanted)


def find_koreans_unfit(request: Request) -> str | None:
    """Every first talk among Koreans is a caricature; the one that replaces it is not."""
    if is_about(request, "fit") and "-" not in request.key.partition("/")[0]:
        return answer_all(request, fit=1 if "Korea" in request.messages[-1]["content"] else 5)
    return answer_all(request) if is_about(request, "fit", "harm", "verify") else None


@pytest.mark.slow
def test_an_alarm_is_raised_when_one_culture_is_filtered_away(tmp_path: Path, run_once: Make) -> None:
    with pytest.MonkeyPatch.context() as patch:
        twist_mock(patch, find_koreans_unfit)
        run = run_once(tmp_path / "run", n=80, style="within", topics=["family"])
    rates = run.manifest["keep_rates"]
    assert rates["arab"] / rates["korean"] > 1.5
    (alarm,) = run.manifest["alarms"]
    assert "arab" in alarm and "korean" in alarm and alarm in (run.path / "report.md").read_text(encoding="utf-8")
