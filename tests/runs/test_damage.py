"""A run damaged by hand: what is wrong is named, and the same command gives the very bytes of an undamaged run."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import culturepark
from culturepark.errors import ConfigError, CultureParkError, DataError
from culturepark.llm.base import Reply, Request
from culturepark.llm.scripted import ScriptedClient
from culturepark.runs.folder import Run, load_run
from culturepark.runs.journal import RunFolder
from tests.books import check_books

SETTINGS: dict[str, Any] = {
    "cultures": ["arab", "korean"],
    "n": 12,
    "turns": 2,
    "topics": ["parents_pride", "care_for_parents"],
    "claims_per_speaker": 2,
    "engine": "mock",
    "encoder": "none",
}
DATA = ("dialogues.jsonl", "samples.jsonl", "rejected.jsonl")
FILES = ("journal.jsonl", *DATA)
Damager = Callable[[Path], None]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that nobody touches."""
    path = tmp_path_factory.mktemp("damage") / "calm"
    culturepark.generate(output_dir=str(path), **SETTINGS)
    assert len(list(load_run(path).dialogues())) >= 4 and list(load_run(path).rejected())
    return path


@pytest.fixture(scope="module")
def half(calm: Path) -> Path:
    """The same run stopped half-way, with one more reply in its log than its commits needed."""
    path = calm.parent / "half"
    stop_after(path, 2)
    assert load_run(path).counts().dialogues == 2
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of all calls that reach the model."""
    keys: list[str] = []
    note_calls(monkeypatch, keys)
    return keys


def note_calls(patch: pytest.MonkeyPatch, keys: list[str]) -> None:
    """Add the key of each call that reaches the model."""
    real = ScriptedClient.reply

    async def reply(self: ScriptedClient, request: Request) -> Reply:
        keys.append(request.key)
        return await real(self, request)

    patch.setattr(ScriptedClient, "reply", reply)


def stop_after(path: Path, talks: int) -> None:
    """Begin the run and let the disk be full after so many of its talks."""
    write, left = RunFolder.write, [talks]

    def fail(self: RunFolder, commit: Any) -> dict[str, Any]:
        left[0] -= 1
        if left[0] < 0:
            raise DataError("the disk is full")
        return write(self, commit)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError, match="disk is full"):
        patch.setattr(RunFolder, "write", fail)
        culturepark.generate(output_dir=str(path), concurrency=1, **SETTINGS)


def copy(source: Path, folder: Path) -> Path:
    return Path(shutil.copytree(source, folder / "run"))


def run_again(path: Path) -> Run:
    return culturepark.generate(output_dir=str(path), progress="plain", **SETTINGS)


def same(path: Path, calm: Path) -> None:
    """All four files are those of the undamaged run, and the books add up."""
    for name in FILES:
        assert (path / name).read_bytes() == (calm / name).read_bytes(), name
    check_books(load_run(path))


def flip(name: str, share: float) -> Damager:
    def damage(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[int(share * (len(data) - 1))] ^= 1
        (path / name).write_bytes(data)

    return damage


def change(name: str, edit: Callable[[bytes], bytes]) -> Damager:
    def damage(path: Path) -> None:
        before = (path / name).read_bytes()
        after = edit(before)
        assert after != before
        (path / name).write_bytes(after)

    return damage


def drop(name: str) -> Damager:
    return lambda path: (path / name).unlink()


def swap(one: str, other: str) -> Damager:
    def damage(path: Path) -> None:
        (path / one).rename(path / "between")
        (path / other).rename(path / one)
        (path / "between").rename(path / other)

    return damage


def add_line(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:2], lines[0], *lines[2:]])


def drop_line(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:1], *lines[2:]])


# Damage to the outcome log and the data files, and what the screen must say of it.
DAMAGES: dict[str, tuple[Damager, str]] = {
    "a byte in samples": (flip("samples.jsonl", 0.5), "samples.jsonl: d00"),
    "the first byte of samples": (flip("samples.jsonl", 0.0), "samples.jsonl: d00"),
    "the last byte of rejected": (flip("rejected.jsonl", 1.0), "rejected.jsonl: d00"),
    "a byte in dialogues": (flip("dialogues.jsonl", 0.7), "dialogues.jsonl: d00"),
    "a byte in the journal": (flip("journal.jsonl", 0.5), "journal.jsonl: line "),
    "the journal's first line": (flip("journal.jsonl", 0.0), "journal.jsonl: line 1 is damaged"),
    "the journal's first line feed": (change("journal.jsonl", lambda d: d.replace(b"\n", b"X", 1)), "journal.jsonl"),
    "samples and rejected swapped": (swap("samples.jsonl", "rejected.jsonl"), "holds records of rejected.jsonl"),
    "dialogues and samples swapped": (swap("dialogues.jsonl", "samples.jsonl"), "holds records of samples.jsonl"),
    "no samples": (drop("samples.jsonl"), "samples.jsonl: d000000 cannot be read: the file is missing"),
    "no dialogues": (drop("dialogues.jsonl"), "dialogues.jsonl: d000000 cannot be read: the file is missing"),
    "empty samples": (
        change("samples.jsonl", lambda d: b""),
        "samples.jsonl: d000000 cannot be read: the file is empty",
    ),
    "half of the samples": (change("samples.jsonl", lambda d: d[: len(d) // 2]), "is cut off: the file ends too early"),
    "a line too many": (change("samples.jsonl", add_line), "samples.jsonl: d00"),
    "a line too few": (change("dialogues.jsonl", drop_line), "dialogues.jsonl: d00"),
    "lines at the end": (change("samples.jsonl", lambda d: d + d[-2000:]), "samples.jsonl: has more at its end"),
    "other line ends": (change("samples.jsonl", lambda d: d.replace(b"\n", b"\r\n")), "has other line ends"),
    "other line ends in the journal": (change("journal.jsonl", lambda d: d.replace(b"\n", b"\r\n")), "journal.jsonl"),
    "no journal": (drop("journal.jsonl"), "journal.jsonl: is missing"),
    "an empty journal": (change("journal.jsonl", lambda d: b""), "journal.jsonl: "),
    "a short journal": (
        change("journal.jsonl", lambda d: b"".join(d.splitlines(keepends=True)[:2])),
        "journal.jsonl: has lost its lines after the first 1 dialogues",
    ),
    "a journal line too few": (change("journal.jsonl", drop_line), "journal.jsonl: line 2 is damaged"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_finished_run_is_named_and_repaired_for_free(
    tmp_path: Path, calm: Path, asked: list[str], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = copy(calm, tmp_path)
    damage, words = DAMAGES[name]
    damage(path)
    run_again(path)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Damaged: ")]
    assert len(told) == 1 and words in told[0], told
    assert asked == []
    same(path, calm)
    assert load_run(path).find_damage() == []
    run_again(path)
    assert "Damaged" not in capsys.readouterr().err, "what is mended is not told again"


HALF = (
    "a byte in samples",
    "a byte in the journal",
    "the journal's first line",
    "dialogues and samples swapped",
    "no samples",
    "no journal",
    "a short journal",
)


@pytest.mark.parametrize("name", HALF)
def test_a_run_stopped_half_way_is_repaired_too(
    tmp_path: Path, calm: Path, half: Path, asked: list[str], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    once = copy(half, tmp_path / "once")
    run_again(once)
    needed, _ = list(asked), capsys.readouterr()
    asked.clear()
    path = copy(half, tmp_path / "damaged")
    damage, words = DAMAGES[name]
    damage(path)
    run_again(path)
    assert words in capsys.readouterr().err or name == "a short journal"
    assert sorted(asked) == sorted(needed), "only what nobody had asked before is asked"
    same(path, calm)


@pytest.mark.parametrize("name", DAMAGES)
def test_readers_find_it_and_say_which_command_repairs_it(tmp_path: Path, calm: Path, name: str) -> None:
    path = copy(calm, tmp_path)
    DAMAGES[name][0](path)
    found = load_run(path).find_damage()
    assert found and DAMAGES[name][1].split(": ")[0] in str(found[0])
    if name == "lines at the end":  # no reader looks at what no dialogue vouches for
        assert list(load_run(path).samples()) == list(load_run(calm).samples())
        return
    with pytest.raises(DataError, match="run the command that made this run again") as caught:
        run = load_run(path)
        run.counts()
        for read in (run.dialogues, run.samples, run.rejected):
            list(read())
    assert "\n" not in str(caught.value)


def test_nothing_is_destroyed(tmp_path: Path, calm: Path) -> None:
    path = copy(calm, tmp_path)
    flip("samples.jsonl", 0.5)(path)
    damaged = {name: (path / name).read_bytes() for name in FILES}
    run_again(path)
    kept = path / "damaged" / "1"
    for name in FILES:  # nothing was rejected from there on
        aside = (kept / name).read_bytes() if name != "rejected.jsonl" else b""
        assert bool(aside) == (name != "rejected.jsonl") and damaged[name].endswith(aside), name
    flip("journal.jsonl", 0.5)(path)
    run_again(path)
    assert (path / "damaged" / "2" / "journal.jsonl").is_file() and kept.is_dir()


def test_a_kill_leaves_no_damage(tmp_path: Path, calm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A torn journal line and data that no line vouches for yet are cut without a word."""
    path = copy(calm, tmp_path)
    lines = (path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (path / "manifest.json").unlink()
    (path / "journal.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:-20])
    run_again(path)
    assert "Damaged" not in capsys.readouterr().err and not (path / "damaged").exists()
    same(path, calm)


# --- Who the run is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [("manifest.json",), ("run.json",), ("manifest.json", "run.json")])
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_any_whole_part_tells_which_run_it_is(
    tmp_path: Path, calm: Path, asked: list[str], gone: tuple[str, ...], how: str
) -> None:
    path = copy(calm, tmp_path)
    for name in gone:
        (drop(name) if how == "missing" else flip(name, 0.4))(path)
    if "manifest.json" in gone:
        with pytest.raises(DataError, match=r"manifest.json: is (missing|damaged).*run the command that made"):
            load_run(path)
    created = load_run(calm).manifest["created"]
    run = run_again(path)
    assert asked == [] and run.state == "complete"
    assert run.manifest["created"] == created or "run.json" in gone
    same(path, calm)
    with pytest.raises(ConfigError, match="holds another run"):
        culturepark.generate(output_dir=str(path), **{**SETTINGS, "seed": 1})


def test_parts_that_tell_nothing_are_not_touched(tmp_path: Path, calm: Path) -> None:
    path = copy(calm, tmp_path)
    for name in ("manifest.json", "run.json", "journal.jsonl"):
        (path / name).unlink()
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match="holds parts of a run .*nothing whole says of which"):
        run_again(path)
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


def test_a_journal_of_another_run_is_not_trusted(tmp_path: Path, calm: Path, asked: list[str]) -> None:
    other = culturepark.generate(output_dir=str(tmp_path / "other"), **{**SETTINGS, "seed": 1})
    asked.clear()
    path = copy(calm, tmp_path)
    for name in FILES:
        shutil.copyfile(other.path / name, path / name)
    run_again(path)
    assert asked == []
    same(path, calm)


# --- The reply log ----------------------------------------------------------------------------------------------


def test_a_damaged_reply_costs_one_call(
    tmp_path: Path, half: Path, calm: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    once = copy(half, tmp_path / "once")
    run_again(once)
    needed = list(asked)
    asked.clear()
    path = copy(half, tmp_path / "damaged")
    (path / "journal.jsonl").unlink()
    flip("replies/00000.jsonl", 0.3)(path)
    run_again(path)
    assert len(asked) == len(needed) + 1
    same(path, calm)


def test_without_replies_what_is_committed_stays(tmp_path: Path, calm: Path, asked: list[str]) -> None:
    path = copy(calm, tmp_path)
    shutil.rmtree(path / "replies")
    run_again(path)
    assert asked == []
    same(path, calm)


# --- Any byte of any file -----------------------------------------------------------------------------------------


def pick_damages(path: Path, count: int) -> Iterator[tuple[str, str, int]]:
    """A file, what is done to it (flip, cut or insert) and where; drawn anew with each seed, the same in each test."""
    chance = random.Random(5)
    names = sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
    for number in range(count):
        name = names[number % len(names)]
        size = (path / name).stat().st_size
        yield name, chance.choice(("flip", "cut", "insert")), chance.randrange(max(1, size))


def test_any_byte_of_any_file_is_repaired_or_named(tmp_path: Path, calm: Path, asked: list[str]) -> None:
    """Readers give the right records or one line; the same command gives the same bytes."""
    right = [[r.model_dump() for r in read] for read in (load_run(calm).samples(), load_run(calm).rejected())]
    for number, (name, how, place) in enumerate(pick_damages(calm, 30)):
        path = copy(calm, tmp_path / str(number))
        data = (path / name).read_bytes()
        bits = random.Random(number)
        changed = {
            "flip": data[:place] + bytes([(data[place] if data else 0) ^ (1 << bits.randrange(8))]) + data[place + 1 :],
            "cut": data[:place],
            "insert": data[:place] + bytes([bits.randrange(256)]) + data[place:],
        }[how]
        (path / name).write_bytes(changed)
        case = (name, how, place)
        try:
            run = load_run(path)
            assert run.counts() == load_run(calm).counts(), case
            assert [[r.model_dump() for r in read] for read in (run.samples(), run.rejected())] == right, case
        except DataError as error:
            assert "\n" not in str(error), case
        try:
            run_again(path)
        except CultureParkError as error:
            raise AssertionError(f"{case}: {error}") from error
        assert asked == [], case
        same(path, calm)
