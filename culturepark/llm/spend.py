"""What a run has spent, as its spend files tell: totals by model, and calls that were never answered.

Reading never changes a file; ``llm/ledger`` writes them. A torn last line is as if it was never written; a damaged
line is named, and its call counts at its estimate where that can still be read. Lines carry their number in the file
(``line``, from 0), so that one taken out or put in twice is noticed, the last ones excepted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from culturepark.errors import DataError
from culturepark.files import seal_line, unseal_line
from culturepark.llm.meter import Bill


@dataclass(slots=True)
class Spend:
    """What was spent, on one model or on all.

    ``calls`` counts every call that went out; among them ``failed`` (an error answer, not paid), ``lost`` (never
    answered: at the estimate), ``estimated`` (the server told no usage) and ``unpriced`` (price unknown: not in
    ``cost``). ``cost`` is in picodollars; ``ms`` is the time spent waiting for answers.
    """

    calls: int = 0
    failed: int = 0
    lost: int = 0
    estimated: int = 0
    unpriced: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    cost: int = 0
    ms: int = 0

    def add(self, bill: Bill, ms: int = 0) -> None:
        """Count one call; one that never left is none."""
        if bill.how == "unsent":
            return
        self.calls += 1
        if bill.how == "failed":
            self.failed += 1
        elif bill.how == "lost":
            self.lost += 1
        elif bill.how == "estimated":
            self.estimated += 1
        if bill.cost is None:
            self.unpriced += 1
        else:
            self.cost += bill.cost
        self.input += bill.input
        self.cached += bill.cached
        self.output += bill.output
        self.ms += ms

    def add_all(self, other: Spend) -> None:
        """Count what another one has counted."""
        for name, number in asdict(other).items():
            setattr(self, name, getattr(self, name) + number)


Totals = Mapping[str, Spend]


def find_excess(more: Spend, less: Spend) -> Spend:
    """What one total has beyond another, number by number; nothing is below zero. Lost calls are left out."""
    whole = {name: max(0, number - getattr(less, name)) for name, number in asdict(more).items()}
    whole["calls"] = max(0, (more.calls - more.lost) - (less.calls - less.lost))
    return Spend(**whole | {"lost": 0})


def load_totals(models: Any) -> dict[str, Spend]:
    """Totals by model as a manifest tells them; what has another shape is left out."""
    names, found = {spot.name for spot in fields(Spend)}, {}
    for model, numbers in models.items() if isinstance(models, dict) else ():
        known = {k: v for k, v in numbers.items() if k in names} if isinstance(numbers, dict) else {}
        if known and all(isinstance(number, int) for number in known.values()):
            found[str(model)] = Spend(**known)
    return found


def sum_up(totals: Totals) -> Spend:
    """One total over all models."""
    whole = Spend()
    for spend in totals.values():
        whole.add_all(spend)
    return whole


def merge(parts: Sequence[Totals]) -> dict[str, Spend]:
    """Totals by model over several writers."""
    found: dict[str, Spend] = {}
    for part in parts:
        for model, spend in part.items():
            found.setdefault(model, Spend()).add_all(spend)
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that went out and has no answer yet."""

    key: str
    model: str
    estimate: Bill


@dataclass
class Book:
    """One spend file in memory.

    ``damage`` has line numbers and what was made of each; ``unknown`` counts lines whose spending nobody knows.
    """

    totals: dict[str, Spend] = field(default_factory=dict)
    open: dict[int, Asked] = field(default_factory=dict)
    next: int = 0
    lines: int = 0
    torn: bool = False
    unknown: int = 0
    damage: list[tuple[int, str]] = field(default_factory=list)

    def count(self, model: str, bill: Bill, ms: int) -> None:
        """Count one call that has ended."""
        spend = self.totals.get(model)
        if spend is None:
            spend = self.totals[model] = Spend()
        spend.add(bill, ms)

    def by_model(self) -> dict[str, Spend]:
        """Totals by model, with what was asked and never answered as lost."""
        lost: dict[str, Spend] = {}
        for asked in self.open.values():
            said = asked.estimate
            lost.setdefault(asked.model, Spend()).add(Bill(said.input, 0, said.output, said.cost, "lost"))
        return merge((self.totals, lost))


def read_spend(folder: Path, writer: str = "*") -> dict[str, Spend]:
    """Totals by model over all writers of a run, or of one; of a run at work, calls under way are among the lost."""
    return merge([book.by_model() for book in read_books(folder, writer)])


def read_books(folder: Path, writer: str = "*") -> list[Book]:
    """The spend files of a run."""
    return [read_book(path) for path in list_books(folder, writer)]


def list_books(folder: Path, writer: str = "*") -> list[Path]:
    """The spend files of a run, one a writer."""
    return sorted(folder.glob(f"{writer}.jsonl"))


def read_book(path: Path) -> Book:
    """Read one spend file. Raises ``DataError`` when it cannot be read at all."""
    book = Book()
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return book
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), see to it") from error
    *lines, rest = raw.split(b"\n")
    book.lines, book.torn = len(lines), bool(rest)
    start = _take_totals(book, lines[:2])
    trace = _Trace(book.next, set(range(2 if start else 0)))
    for number, line in enumerate(lines[start:], start + 1):
        record, whole = _parse(line)
        if record is not None and whole and trace.is_copy(record):
            book.damage.append((number, "is there twice and counts once"))
            continue
        trace.note(number, record if whole else None)
        if record is None or not _take(book, record, whole):
            book.unknown += 1
            book.damage.append((number, "is damaged; what it booked is not known"))
        elif not whole:
            book.damage.append((number, "is damaged; its call counts at its estimate"))
    if missing := trace.count_missing():
        unknown = min(missing, trace.count_unseen(book.next))
        cost = (
            f"what {unknown} of them booked is not known" if unknown else "their calls count, at most at the estimate"
        )
        book.unknown += unknown
        book.damage.append((trace.gap, f"comes after missing lines ({missing}); {cost}"))
    return book


@dataclass
class _Trace:
    """What the numbers in the lines of a file tell of lines that are not there any more.

    ``first`` is the number of the first call in the file, ``places`` are the lines that were seen.
    """

    first: int
    places: set[int]
    calls: set[int] = field(default_factory=set)
    others: int = 0  # lines without a number to be trusted
    after_ask: int = 0  # lines since the last ask, and the place of that
    last_ask: int = -1
    gap: int = 0  # the first line with others missing before it

    def is_copy(self, record: dict[str, Any]) -> bool:
        """Was the line seen already?"""
        return record.get("line") in self.places

    def note(self, number: int, record: dict[str, Any] | None) -> None:
        """Take in one line; ``None`` is a damaged one."""
        self.after_ask += 1
        place = record.get("line") if record else None
        if record is None or not isinstance(place, int):
            self.others += 1
            return
        self.places.add(place)
        self.gap = self.gap or (number if place >= number else 0)
        self.calls.add(record.get("ask", record.get("end", -1)))
        if "ask" in record:
            self.last_ask, self.after_ask = place, 0

    def count_missing(self) -> int:
        """Lines that were written before the last one and are gone."""
        return max(0, max(self.places, default=-1) + 1 - len(self.places) - self.others)

    def count_unseen(self, end: int) -> int:
        """Calls up to ``end`` nothing tells of, and as many as may have begun after the last ask."""
        unseen = end - self.first - sum(self.first <= number < end for number in self.calls)
        return unseen + max(0, max(self.places, default=-1) - self.last_ask - self.after_ask)


def seal_totals(book: Book) -> bytes:
    """The totals line, twice: it stands for thousands of calls, and one damaged copy must not lose them."""
    totals = {model: asdict(spend) for model, spend in sorted(book.totals.items())}
    return seal_line({"totals": totals, "next": book.next, "unknown": book.unknown}) * 2


def _take_totals(book: Book, lines: list[bytes]) -> int:
    """Take in the totals a compacted file begins with; returns how many lines they are."""
    parsed = [_parse(line) for line in lines]
    good = [record for record, whole in parsed if whole and record is not None and "totals" in record]
    if not good:
        return 0
    book.totals = {model: Spend(**numbers) for model, numbers in good[0]["totals"].items()}
    book.next, book.unknown = good[0]["next"], good[0]["unknown"]
    book.damage += [(k, "is damaged; its copy is used") for k, (_, whole) in enumerate(parsed, 1) if not whole]
    if len(good) == 1 and all(whole for _, whole in parsed):
        book.damage.append((1, "had a copy, which is missing; nothing is lost by that"))
        return 1
    return len(lines)


def _parse(line: bytes) -> tuple[dict[str, Any] | None, bool]:
    """The record of a line, and whether its checksum holds."""
    record = unseal_line(line + b"\n")
    if record is not None:
        return record, True
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None, False
    return (found if isinstance(found, dict) else None), False


def _take(book: Book, record: dict[str, Any], whole: bool) -> bool:
    """Count one record; says whether it could be read. A damaged one may open a call, but settles none."""
    try:
        if "ask" in record:
            number = _count(record["ask"])
            book.open[number] = Asked(str(record["key"]), str(record["model"]), _read_bill(record, "estimated"))
        elif "end" in record:
            number = _count(record["end"])
            if whole:
                book.open.pop(number, None)
                book.count(record["model"], _read_bill(record, record["how"]), record["ms"])
        else:
            return False
    except (KeyError, TypeError, ValueError):
        return False
    book.next = max(book.next, number + 1)
    return True


def _read_bill(record: dict[str, Any], how: Any) -> Bill:
    cost = record["cost"]
    numbers = (_count(record["input"]), _count(record.get("cached", 0)), _count(record["output"]))
    return Bill(*numbers, None if cost is None else _count(cost), how)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value
