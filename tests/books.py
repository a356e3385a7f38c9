"""Does a run add up? Every candidate in exactly one place, and every count what the records say."""

from __future__ import annotations

from collections import Counter

from culturepark.runs.folder import Run

DATA = ("samples.jsonl", "rejected.jsonl", "dialogues.jsonl")


def read_data(run: Run) -> dict[str, bytes]:
    """The three data files, byte for byte."""
    return {name: (run.path / name).read_bytes() for name in DATA}


def check_books(run: Run) -> None:
    """Fail where ids repeat, or where journal, manifest and records tell different numbers."""
    samples, rejected, dialogues = list(run.samples()), list(run.rejected()), list(run.dialogues())
    spare = [claim.id for d in dialogues for claim in d.spare]
    names = [*(s.id for s in samples), *(r.id for r in rejected), *spare]
    assert not [name for name, count in Counter(names).items() if count > 1]
    counts, told = run.counts(), run.manifest["counts"]
    assert counts.accepted == len(samples) == told["accepted"]
    assert counts.candidates == len(samples) + len(rejected) == told["candidates"]
    assert counts.failed == sum(r.status == "failed" for r in rejected) == told["failed"]
    assert counts.rejected == sum(r.status == "rejected" for r in rejected) == told["rejected"]
    assert counts.reasons == Counter(r.reason for r in rejected) == Counter(told["reasons"])
    assert counts.forms == Counter(s.form for s in samples) == Counter(told["forms"])
    assert counts.dialogues == len(dialogues) == len({d.id for d in dialogues})
    _check_verdicts(run)
    usage = [sum(numbers[k] for numbers in counts.usage.values()) for k in range(4)]
    assert usage == [counts.calls, counts.input_tokens, counts.cached_tokens, counts.output_tokens]
    assert counts.calls == sum(d.calls for d in dialogues) == told["calls"]


def _check_verdicts(run: Run) -> None:
    """Nothing goes on after it was dropped, and the stages' numbers are those of the records."""
    seen: Counter[tuple[str, str]] = Counter()
    dropped: Counter[tuple[str, str]] = Counter()
    for sample in run.samples():
        assert all(v.kept and not v.reason for v in sample.verdicts)
        seen.update((v.stage, sample.culture) for v in sample.verdicts)
    for record in run.rejected():
        assert [v.kept for v in record.verdicts] == [True] * (len(record.verdicts) - 1) + [False]
        assert (record.verdicts[-1].stage, record.verdicts[-1].reason) == (record.stage, record.reason)
        seen.update((v.stage, record.culture) for v in record.verdicts)
        dropped[record.stage, record.culture] += 1
    told = {
        (stage, culture): tuple(numbers)
        for stage, cultures in run.manifest["counts"]["stages"].items()
        for culture, numbers in cultures.items()
    }
    assert told == {key: (number, dropped[key]) for key, number in seen.items()}
    counts = run.counts()
    assert sum(lost for _, lost in told.values()) == counts.rejected + counts.failed == dropped.total()
