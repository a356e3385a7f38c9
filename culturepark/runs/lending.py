"""One purse for several workers: each lives on what it is lent, so that no ceiling is passed whoever spends.

A worker tells its account a few times a second, and at once when a call does not fit. The lender gives generous
shares while there is much left and single calls' worth near the end, takes back what lies idle elsewhere, and says no
only when nothing is under way anywhere that could come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from culturepark.llm.budget import Amount, Ceiling, Exhausted, Purse

_PARTS = ("cost", "tokens", "calls")


@dataclass(frozen=True, slots=True)
class Account:
    """A worker's purse: used since it was hired, under way, idle, and what the next call needs beyond that."""

    spent: Amount = Amount()
    under_way: Amount = Amount()
    idle: Amount = Amount()
    needed: Amount | None = None


class Borrower(Protocol):
    """A worker as the lender sees it."""

    name: str

    def lend(self, amount: Amount) -> None:
        """Give it more."""
        ...

    def refuse(self) -> None:
        """Tell it that there is no more."""
        ...

    def take_back(self) -> None:
        """Ask for what lies idle; it is handed to ``Lender.give_back``."""
        ...


@dataclass(slots=True)
class _Loan:
    borrower: Borrower
    lent: Amount = Amount()
    account: Account = field(default_factory=Account)
    asked_back: bool = False


class Lender:
    """Lends from a run's purse."""

    def __init__(self, purse: Purse) -> None:
        self._purse = purse
        self._loans: dict[str, _Loan] = {}
        self._refused = False

    def note(self, borrower: Borrower, account: Account) -> None:
        """A worker tells its account."""
        loan = self._loans.setdefault(borrower.name, _Loan(borrower))
        used = account.spent - loan.account.spent
        loan.account = account
        if used != Amount():
            loan.lent -= used
            self._purse.settle(used, used)
        self._serve()

    def give_back(self, borrower: Borrower, amount: Amount) -> None:
        """A worker hands back what lay idle."""
        loan = self._loans.get(borrower.name)
        if loan is None:  # settled by its file already
            return
        loan.asked_back = False
        loan.lent -= amount
        loan.account = Account(loan.account.spent, loan.account.under_way, Amount(), loan.account.needed)
        self._purse.settle(amount, Amount())
        self._serve()

    def close(self, name: str, spent: Amount) -> None:
        """A worker is gone; ``spent`` is what it used by its file, since it may not have told the last of it."""
        loan = self._loans.pop(name, None)
        lent, told = (loan.lent, loan.account.spent) if loan else (Amount(), Amount())
        self._purse.settle(lent, spent - told)
        self._serve()

    def _serve(self) -> None:
        """Lend to whoever needs it, or find out that nothing is left."""
        first = True
        for loan in self._loans.values():
            needed = loan.account.needed
            if needed is None:
                continue
            if self._refused or self._purse.exhausted:
                loan.borrower.refuse()
                continue
            if loan.asked_back:  # what it has is on its way here
                first = False
                continue
            least = _apply(lambda need, idle: max(0, need - idle), needed, loan.account.idle)
            amount = next((a for a in (_apply(max, least, self._share()), least) if self._purse.reserve(a)), None)
            if amount is not None:
                self._lend(loan, amount)
            elif not self._call_back(loan, first) and self._is_quiet():
                self._end(least)
            first = False

    def _lend(self, loan: _Loan, amount: Amount) -> None:
        loan.lent += amount
        account = loan.account
        loan.account = Account(account.spent, account.under_way, account.idle + amount, None)
        loan.borrower.lend(amount)

    def _share(self) -> Amount:
        """What one worker gets at a time: a part of what is left."""
        purse, parts = self._purse, 4 * max(1, len(self._loans))
        used = purse.spent + purse.reserved
        left = {p: 0 if (most := getattr(purse.ceiling, p)) is None else most - getattr(used, p) for p in _PARTS}
        return Amount(**{p: max(0, number // parts) for p, number in left.items()})

    def _call_back(self, needy: _Loan, first: bool) -> bool:
        """Ask others for what lies idle; says whether anything may come.

        Only the first in need may take from others in need: else they take from one another for ever.
        """
        waiting = False
        for loan in self._loans.values():
            if loan is not needy and loan.account.idle != Amount():
                waiting = True
                if not loan.asked_back and (first or loan.account.needed is None):
                    loan.asked_back = True
                    loan.borrower.take_back()
        return waiting

    def _is_quiet(self) -> bool:
        """Does all that is lent lie idle? What does not is under way, or told of late, and may come back."""
        parts = [p for p in _PARTS if getattr(self._purse.ceiling, p) is not None]
        return all(
            getattr(loan.lent, p) <= getattr(loan.account.idle, p) for loan in self._loans.values() for p in parts
        )

    def _end(self, amount: Amount) -> None:
        self._refused = True
        used = self._purse.spent + self._purse.reserved + amount
        self._purse.end(Exhausted(self._purse.ceiling.find_excess(used) or "cost"))
        for loan in self._loans.values():
            loan.borrower.refuse()


class _LentPurse(Purse):
    """A purse that asks for more where its replies cost more than they were estimated at."""

    def end(self, why: Exhausted) -> None:
        """Let no call start any more, unless more can be lent."""
        if not (why.over and self._ask_more is not None):
            super().end(why)


class Borrowed:
    """A worker's own purse, filled by a lender. ``tell`` is called when it should tell its account at once."""

    def __init__(self, ceiling: Ceiling, tell: Callable[[], None]) -> None:
        self._needed: Amount | None = None
        self._tell = tell
        empty = Ceiling(**{p: None if getattr(ceiling, p) is None else 0 for p in _PARTS})
        self.purse = _LentPurse(empty, ask_more=self._ask)

    def _ask(self, amount: Amount) -> bool:
        self._needed = amount
        self._tell()
        return True

    def account(self) -> Account:
        """What the lender should know."""
        return Account(self.purse.spent, self.purse.reserved, self._idle(), self._needed)

    def lend(self, amount: Amount) -> None:
        """More may be spent."""
        self._needed = None
        self.purse.widen(self._limited(amount))

    def refuse(self) -> None:
        """Nothing more comes."""
        self._needed = None
        self.purse.refuse()

    def give_back(self) -> Amount:
        """Hand over what lies idle."""
        idle = self._idle()
        self.purse.ceiling = self.purse.ceiling.widen(Amount() - idle)
        return idle

    def _idle(self) -> Amount:
        """What was lent and is neither spent nor under way."""
        used, ceiling = self.purse.spent + self.purse.reserved, self.purse.ceiling
        left = {p: 0 if (most := getattr(ceiling, p)) is None else most - getattr(used, p) for p in _PARTS}
        return Amount(**{p: max(0, number) for p, number in left.items()})

    def _limited(self, amount: Amount) -> Amount:
        return Amount(**{p: 0 if getattr(self.purse.ceiling, p) is None else getattr(amount, p) for p in _PARTS})


def _apply(choose: Callable[[int, int], int], one: Amount, other: Amount) -> Amount:
    """Two amounts part by part."""
    return Amount(**{p: choose(getattr(one, p), getattr(other, p)) for p in _PARTS})
