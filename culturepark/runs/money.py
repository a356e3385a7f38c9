"""What a run spends and may spend: prices, ledger and purse of one process, put together from its settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from culturepark.config import RunConfig
from culturepark.errors import DataError
from culturepark.llm.base import ChatClient, Request
from culturepark.llm.booking import Booker, BookingClient
from culturepark.llm.budget import (
    FLAGS,
    Amount,
    BudgetClient,
    Ceiling,
    Exhausted,
    Purse,
    count_spent,
    format_amount,
    make_ceiling,
    to_amount,
)
from culturepark.llm.ledger import Ledger, describe_spend
from culturepark.llm.meter import Meter
from culturepark.llm.prices import check_prices, find_price, format_money, list_unpriced, load_prices, to_picos
from culturepark.llm.spend import load_totals, merge, read_books, read_spend, sum_up
from culturepark.runs.identity import find_manifest

FOLDER = "spend"
_ENOUGH = 5  # accepted samples before a projection says anything
_SPARE = 10  # the ceiling that is proposed has a tenth of what the rest would cost to spare


class Money:
    """Prices, ledger and purse of one process of a run.

    ``limit`` wraps what lies below retry, ``book`` what lies right above a transport. A worker is given ``purse``, one
    that lives on what the leading process lends it.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        writer: str = "main",
        *,
        purse: Purse | None = None,
        is_batched: Callable[[Request], bool] = lambda request: False,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Open the ledger in a run's folder. Raises ``ConfigError`` or ``DataError`` for ceilings it cannot keep."""
        self._config = config
        self._prices = load_prices(config.prices)
        check_prices(config, self._prices)
        self.ledger = Ledger(
            folder / FOLDER,
            writer,
            durable=config.durability == "power",
            on_damage=lambda path, number, what: say(f"{path}, line {number} {what}."),
        )
        if purse is None:
            self._restore(folder, say)
        ceiling = make_ceiling(config)
        if self.ledger.unknown and not ceiling.is_open:
            self.ledger.close()
            raise DataError(
                f"{folder / FOLDER}: {self.ledger.unknown} damaged lines whose spending nobody knows, so no ceiling "
                "can be kept; restore the files, or leave out --max-cost, --max-tokens and --max-calls"
            )
        self.purse = purse or Purse(ceiling, count_spent(sum_up(self.ledger.totals())))
        self._limited = purse is not None or not ceiling.is_open
        # A judge with a server of its own has its own price and goes into no batch.
        self._meters = {
            False: Meter(lambda model: find_price(config, self._prices, model), is_batched),
            True: Meter(lambda model: find_price(config, self._prices, model, elsewhere=True)),
        }

    def _restore(self, folder: Path, say: Callable[[str], None]) -> None:
        """Spend files that are gone or cut must not make room in the purse: the manifest tells the least there was."""
        told = find_manifest(folder).get("spend", {})
        missing = self.ledger.restore(load_totals(told.get("models")) if isinstance(told, dict) else {})
        if missing:
            said = "their cost is taken from manifest.json"
            say(f"Damaged: {folder / FOLDER}: {missing} calls that were booked are not there any more; {said}.")

    def limit(self, inner: ChatClient, *, elsewhere: bool = False) -> ChatClient:
        """A client under the run's ceilings; without any ceiling the client itself."""
        return BudgetClient(inner, self.purse, self._meters[elsewhere]) if self._limited else inner

    def book(self, inner: ChatClient, *, elsewhere: bool = False) -> BookingClient:
        """A client whose calls are booked. ``elsewhere``: a judge's own server, whatever the engine."""
        return BookingClient(inner, self.ledger, self._meters[elsewhere])

    def booker(self) -> Booker:
        """Books calls one by one, for those that go out many at a time."""
        return Booker(self.ledger, self._meters[False])

    def recover(self, key: str) -> None:
        """A call counted as lost lives on in a batch and will be booked anew."""
        estimate = self.ledger.recover(key)
        if estimate is not None:
            self.purse.refund(to_amount(estimate))

    def snapshot(self) -> dict[str, Any]:
        """Everything spent so far, as plain numbers: by model and in all, with the ceilings and unpriced models."""
        config = self._config
        ceilings = {"usd": config.max_cost, "tokens": config.max_tokens, "calls": config.max_calls}
        return self.ledger.snapshot() | {"ceilings": ceilings, "unpriced": list_unpriced(config, self._prices)}

    def describe(self, accepted: int, calls: int) -> str:
        """One line for the screen; ``accepted`` samples and ``calls`` are those of all talks that are over."""
        unpriced = list_unpriced(self._config, self._prices)
        share = self._share_done(calls)
        return describe_funds(self.purse.spent, self.purse.ceiling, accepted, self._config.n, unpriced, share)

    def describe_end(self, accepted: int, calls: int) -> str:
        """Why the purse let no more calls through and how to go on, as ``ShortfallError`` should say it."""
        why = self.purse.exhausted or Exhausted("cost")
        share = self._share_done(calls)
        return describe_shortfall(why, self.purse.spent, self.purse.ceiling, accepted, self._config.n, share)

    def _share_done(self, calls: int) -> Fraction:
        """The share of all spending that went into talks that are over; the rest is in open ones and not lost."""
        spend = sum_up(self.ledger.totals())
        answered = spend.calls - spend.failed - spend.lost
        return min(Fraction(calls, answered), Fraction(1)) if answered else Fraction(1)

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()


def read_writer_spent(folder: Path, writer: str) -> Amount:
    """What one writer of a run has spent by its file: how a leader settles with a worker that died."""
    return count_spent(sum_up(read_spend(folder / FOLDER, writer)))


def snapshot_spend(folder: Path) -> dict[str, Any]:
    """What a run has spent, by the files in its folder; of a run at work, calls under way are among the lost ones."""
    books = read_books(folder / FOLDER)
    return describe_spend(merge([book.by_model() for book in books]), sum(book.unknown for book in books))


def describe_funds(
    spent: Amount, ceiling: Ceiling, accepted: int, n: int, unpriced: list[str], share: Fraction = Fraction(1)
) -> str:
    """One line on money and ceilings: ``$0.12 of $5.00 spent, about $1.40 for all 1,000 samples``.

    ``share`` of the spending is in talks that are over.
    """
    parts = []
    known = not unpriced
    if known and (spent.cost or ceiling.cost is not None):
        most = f" of {format_money(ceiling.cost)}" if ceiling.cost is not None else ""
        parts.append(f"{format_money(spent.cost)}{most} spent")
    elif unpriced:
        least = f"at least {format_money(spent.cost)} spent, " if spent.cost else ""
        parts.append(f"{least}price of {', '.join(unpriced)} unknown")
    for what in ("tokens", "calls"):
        most_of = getattr(ceiling, what)
        if most_of is not None:
            parts.append(f"{getattr(spent, what):,} of {most_of:,} {what}")
    if accepted >= _ENOUGH and known and spent.cost:
        whole = max(spent.cost, int(spent.cost * share * n / accepted))
        parts.append(f"about {format_money(whole)} for all {n:,} samples")
    return ", ".join(parts)


def describe_shortfall(
    why: Exhausted, spent: Amount, ceiling: Ceiling, accepted: int, n: int, share: Fraction = Fraction(1)
) -> str:
    """The one message of a run that reached a ceiling: done, missing, what the rest would cost, how to go on."""
    flag = FLAGS[why.what]
    over = "more was used than the server's replies were estimated at: " if why.over else ""
    told = (
        f"{accepted:,} of {n:,} samples, {n - accepted:,} missing: the ceiling of {format_amount(why.what, ceiling)} "
        f"({flag}) is reached, {over}{format_amount(why.what, spent)} used"
    )
    used = getattr(spent, why.what)
    if not accepted or not used:
        return f"{told}. No sample is accepted yet, so the rest cannot be estimated; go on with a higher {flag}"
    each = used * share / accepted
    rest = max(0, math.ceil(each * n) - used)  # what open talks have taken is not paid again
    taken = " (open talks have taken a part of it already)" if share < 1 else ""
    shown_each, shown_rest = (format_amount(why.what, Amount(**{why.what: k})) for k in (math.ceil(each), rest))
    return (
        f"{told}. At {shown_each} per sample the rest would take about {shown_rest} more{taken}; to go on, run "
        f"the same command with {flag} {_propose(why.what, used + rest + rest // _SPARE)}"
    )


def _propose(what: str, number: int) -> str:
    """A ceiling for a flag, rounded up to what people type."""
    if what == "cost":
        cents = to_picos(0.01)
        step = cents if number >= 10 * cents else 10 ** max(0, len(str(number)) - 2)
        dollars = -(-number // step) * step / 10**12
        return f"{dollars:.2f}" if step == cents else f"{dollars:.12f}".rstrip("0")
    step = 10 ** max(0, len(str(number)) - 2)
    return str(-(-number // step) * step)
