"""A resumed run knows what an undisturbed one knows, from ``recall.bin`` or, where that does not hold, from its data."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from culturepark.config import RunConfig
from culturepark.errors import DataError
from culturepark.files import seal_line, unseal_line
from culturepark.refine.encoder import Encoder, Engine
from culturepark.runs import journal, memory, recall, tools
from culturepark.runs import sieve as sieve_module
from culturepark.runs.counts import Counts
from culturepark.runs.folder import Run
from culturepark.runs.journal import RunFolder, read_journal
from culturepark.runs.recall import Mark, Recall
from culturepark.runs.sieve import Sieve
from tests.unit.test_sieve import WASH, make_sieve, plan_talks, read_all, settle, tell, work

END = len(plan_talks())
SETTINGS: list[dict[str, Any]] = [
    {},
    {"encoder": "auto", "select": "farthest", "semantic_copy": 0.95},
    {"skip": ("near_copies",)},
]
NAMES = ["words", "meanings", "same"]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder by word lengths, for every setting but ``none``."""

    def embed(texts: Any) -> Any:
        return np.array([[len(t), t.count("e"), t.count(" ")] for t in texts], dtype=np.float32)

    encoder = Encoder((Engine("toy", frozenset({"en"}), 0.9, 0.9, embed),))
    monkeypatch.setattr(tools, "open_encoder", lambda name: None if name == "none" else encoder)
    monkeypatch.setattr(journal, "CHECKPOINT_EVERY", 2)


def open_run(path: Path, config: RunConfig) -> tuple[Sieve, list[int]]:
    """A sieve that knows what the run has, and how many dialogues it did not have to read again."""
    starts: list[int] = []
    real = memory.reread

    def note(folder: Path, start: Mark) -> Any:
        starts.append(start.dialogues)
        return real(folder, start)

    folder, sieve = RunFolder(path), make_sieve(config)
    memory.reread, kept = note, memory.reread
    try:
        sieve.restore(folder)
    finally:
        memory.reread = kept
        folder.close()
    return sieve, starts


def know(sieve: Sieve) -> dict[str, Any]:
    """All that a sieve compares with, to be held against another's."""
    index, own = sieve._tools.near_copies, sieve._memory
    made: dict[str, Any] = {"near": index.dump(0, len(index)), "committed": own._committed}
    made["words"] = np.sort(np.concatenate((own._texts._sorted, np.array(list(own._texts._fresh), dtype=np.uint64))))
    made["words"] = made["words"].tolist()
    meanings = sieve._tools.meanings
    for topic, cells in (meanings._topics if meanings else {}).items():
        made[topic] = [(key, cell.forgotten, cell.ids, cell.texts) for key, cell in cells.items()]
    return made


def forget(path: Path) -> None:
    (path / recall.NAME).unlink()


def empty(path: Path) -> None:
    (path / recall.NAME).write_bytes(b"")


def halve(path: Path) -> None:
    raw = (path / recall.NAME).read_bytes()
    (path / recall.NAME).write_bytes(raw[: len(raw) // 2])


def age(path: Path) -> None:
    """As an older culturepark would have left it: every line seals, only the version is another."""
    opened, made = Recall(path), b""
    raw, start = (path / recall.NAME).read_bytes(), 0
    for stretch in opened.stretches:
        head, _, rest = raw[start : stretch.end].partition(b"\n")
        record = unseal_line(head + b"\n") or {}
        told = {k: v for k, v in record.items() if k not in ("len", "crc")}
        made += seal_line({**told, "recall": "1/0.0.1/64/16/1"}) + rest
        start = stretch.end
    opened.close()
    (path / recall.NAME).write_bytes(made)


def swell(path: Path) -> None:
    with (path / recall.NAME).open("ab") as file:
        file.write(b"half a stretch, and then the power went")


def exchange(path: Path) -> None:
    """The file of another run, whose journal is another."""
    other = path.with_name(f"{path.name}-other")
    work(other, settle(near_copy=0.99), plan_talks()[::-1], 0, END)
    shutil.copyfile(other / recall.NAME, path / recall.NAME)


def leave(path: Path) -> None:
    """Nothing happens to it."""


DAMAGES: list[tuple[Callable[[Path], None], int]] = [
    (leave, 6),
    (swell, 6),
    (halve, 2),
    (forget, 0),
    (empty, 0),
    (age, 0),
    (exchange, 0),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=NAMES)
@pytest.mark.parametrize(("damage", "known"), DAMAGES, ids=[d.__name__ for d, _ in DAMAGES])
def test_all_is_known_again_and_only_what_is_missing_is_read(
    tmp_path: Path, settings: dict[str, Any], damage: Callable[[Path], None], known: int
) -> None:
    config = settle(**settings)
    work(tmp_path / "run", config, plan_talks(), 0, END)
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path / "run", whole)
    (whole / recall.NAME).unlink()
    expected, starts = open_run(whole, config)
    assert starts == [0]
    damage(tmp_path / "run")
    found, starts = open_run(tmp_path / "run", config)
    assert know(found) == know(expected)
    assert starts == [known] if damage is not halve else 0 < starts[0] < 6
    again, starts = open_run(tmp_path / "run", config)
    assert starts == [6] and know(again) == know(expected)  # what was missing is kept by now


@pytest.mark.parametrize("settings", SETTINGS, ids=NAMES)
@pytest.mark.parametrize("damage", [leave, forget, halve], ids=["kept", "lost", "halved"])
def test_a_run_stopped_anywhere_gives_the_same_bytes(
    tmp_path: Path, settings: dict[str, Any], damage: Callable[[Path], None]
) -> None:
    config = settle(**settings)
    work(tmp_path / "whole", config, plan_talks(), 0, END)
    for stop in range(END):
        path = tmp_path / f"stopped-{stop}"
        work(path, config, plan_talks(), 0, stop)
        damage(path)
        work(path, config, plan_talks(), stop, END)
        assert read_all(path) == read_all(tmp_path / "whole"), stop
        assert (path / recall.NAME).read_bytes() == (tmp_path / "whole" / recall.NAME).read_bytes(), stop


def test_any_byte_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    config = settle(**SETTINGS[1])
    work(tmp_path, config, plan_talks(), 0, END)
    expected, _ = open_run(tmp_path, config)
    opened = Recall(tmp_path)
    ends = [s.end for s in opened.stretches]
    parts = [place for stretch in opened.stretches for place in stretch.parts.values()]
    opened.close()
    raw = (tmp_path / recall.NAME).read_bytes()
    for position in [40, *(start + size // 2 for start, size, _ in parts if size)]:
        wrong = bytearray(raw)
        wrong[position] ^= 4
        (tmp_path / recall.NAME).write_bytes(wrong)
        found, starts = open_run(tmp_path, config)
        assert starts == [2 * sum(end <= position for end in ends)]
        assert know(found) == know(expected), position
        assert (tmp_path / recall.NAME).read_bytes() == raw, position


def test_the_short_lines_lead_to_the_same_counts(tmp_path: Path) -> None:
    work(tmp_path, settle(), plan_talks(), 0, END)
    right, found = Counts(), Counts()
    folder = RunFolder(tmp_path)
    try:
        lines = list(folder.lines)
    finally:
        folder.close()
    for line, short in zip(read_journal(tmp_path), lines, strict=True):
        right.add(line)
        found.add(short)
        assert (short["id"], short["missing"]) == (line["id"], line["missing"])
        assert (found.candidates, found.dialogues) == (right.candidates, right.dialogues)
    assert [("brief" in line) for line in lines] == [True] * 6 + [False]
    assert found == right == folder.counts == Run(tmp_path).counts()


def test_a_journal_that_was_cut_back_takes_the_stretches_beyond_with_it(tmp_path: Path) -> None:
    work(tmp_path, settle(), plan_talks(), 0, END)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "checkpoint.json").unlink()
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:4]))  # three dialogues
    _, starts = open_run(tmp_path, settle())
    assert starts == [2]


def test_a_disk_that_takes_no_stretch_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work(tmp_path / "whole", settle(), plan_talks(), 0, END)

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(recall.os, "pwrite", fail)
        work(tmp_path / "full", settle(), plan_talks(), 0, END)
    assert read_all(tmp_path / "full") == read_all(tmp_path / "whole")
    found, starts = open_run(tmp_path / "full", settle())
    assert starts == [0] and know(found) == know(open_run(tmp_path / "whole", settle())[0])


def test_places_that_forget_are_the_same_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tools.Meanings
    monkeypatch.setattr(tools, "Meanings", lambda encoder, same: real(encoder, same, most=2))
    config = settle(**{**SETTINGS[1], "semantic_copy": 1.0})
    work(tmp_path, config, plan_talks(), 0, END)
    quick, starts = open_run(tmp_path, config)
    (tmp_path / recall.NAME).unlink()
    slow, _ = open_run(tmp_path, config)
    assert starts == [6] and know(quick) == know(slow)
    assert slow._tools.meanings is not None
    cells = [cell for places in slow._tools.meanings._topics.values() for cell in places.values()]
    assert sum(cell.forgotten for cell in cells) and sum(len(cell.ids) for cell in cells) == 2


@pytest.mark.parametrize("known", [0, 6])
def test_a_long_run_is_taken_in_beside_the_first_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    work(tmp_path, settle(), plan_talks(), 0, END)
    expected, _ = open_run(tmp_path, settle())
    if not known:
        forget(tmp_path)
    monkeypatch.setattr(sieve_module, "_LONG", 3)
    may_go, real = threading.Event(), memory.reread

    def wait(folder: Path, start: Mark) -> Any:
        assert may_go.wait(60) and start.dialogues == known
        return real(folder, start)

    monkeypatch.setattr(memory, "reread", wait)
    folder, sieve = RunFolder(tmp_path), make_sieve(settle())
    try:
        sieve.restore(folder)
        assert folder.keep is None  # it is under way
        may_go.set()
        _, draft = tell({"a": [WASH]}, number=9)
        sieve.screen(draft)  # waits; all of it is there already, so that nothing is left
        assert folder.keep is not None and not draft.live()
    finally:
        may_go.set()
        folder.close()
    assert know(sieve) == know(expected)


def test_damage_found_beside_the_first_calls_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work(tmp_path, settle(), plan_talks(), 0, END)
    forget(tmp_path)
    monkeypatch.setattr(sieve_module, "_LONG", 3)
    folder, sieve = RunFolder(tmp_path), make_sieve(settle())
    raw = (tmp_path / "samples.jsonl").read_bytes()
    (tmp_path / "samples.jsonl").write_bytes(raw.replace(b"mother", b"mOther", 1))
    try:
        sieve.restore(folder)
        with pytest.raises(DataError, match="samples.jsonl: the part of d000001 is damaged"):
            sieve.settle()
    finally:
        folder.close()
