"""What models cost: prices by model, from the packaged file and the user's own.

Money is whole picodollars (10**-12 USD): a price per million tokens with up to six decimals is then a whole number
a token, and no sum ever drifts. An unknown price is ``None``, never a guess.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from culturepark.config import RunConfig, split_judge
from culturepark.errors import ConfigError
from culturepark.files import load_yaml_model
from culturepark.llm.base import Usage

PICOS = 10**12
FREE_ENGINES = ("local", "mock", "vllm")

_PACKAGED = Path(__file__).with_name("prices.yaml")
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):  # YAML reads "on" and "yes" as true
        raise ValueError("must be a number")
    return value


def _show_date(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date) else value


Dollars = Annotated[Decimal, Field(ge=0, le=10**6, decimal_places=6), BeforeValidator(_refuse_bool)]
Factor = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6), BeforeValidator(_refuse_bool)]


class Rates(BaseModel):
    """USD per million tokens; ``cached`` input costs what input costs unless given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Dollars
    cached: Dollars | None = None
    output: Dollars


class Entry(Rates):
    """One model's prices; ``batch`` is a factor on them or prices of its own."""

    batch: Rates | Factor | None = None
    provider: str = ""
    as_of: Annotated[str, BeforeValidator(_show_date)] = ""
    note: str = ""


class PriceFile(BaseModel):
    """A file of prices by model name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: Literal["USD"] = "USD"
    prices: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Price:
    """Picodollars a token; ``batch`` is the price through the batch API, where that is another one."""

    name: str
    input: int
    cached: int
    output: int
    as_of: str = ""
    note: str = ""
    batch: Price | None = None

    def cost(self, usage: Usage) -> int:
        """What these tokens cost, in picodollars."""
        cached = min(usage.cached, usage.input)
        return (usage.input - cached) * self.input + cached * self.cached + usage.output * self.output


FREE = Price("served here", 0, 0, 0)


class PriceBook:
    """Prices by model; the user's file goes before the packaged one."""

    def __init__(self, packaged: PriceFile, own: PriceFile | None = None) -> None:
        self._packaged = packaged.prices
        # An entry of the user's for a packaged model is found under the same names.
        known = {name: entry.provider for name, entry in packaged.prices.items()}
        entries = own.prices if own else {}
        self._own = {
            n: e if e.provider else e.model_copy(update={"provider": known.get(n, "")}) for n, e in entries.items()
        }

    def find(self, model: str, *, own_only: bool = False) -> Price | None:
        """The price of a model, or ``None``: then nobody knows it."""
        for layer in (self._own,) if own_only else (self._own, self._packaged):
            for name, provider in _other_names(model):
                entry = layer.get(name)
                if entry is not None and provider in ("", entry.provider):
                    return _make_price(name, entry)
        return None


def _other_names(model: str) -> Iterator[tuple[str, str]]:
    """(name, provider it was stripped of) under which a model may be listed, the exact one first."""
    found = re.match(r"([a-z0-9_.-]+)[/:](.+)", model)
    names = [(model, "")] + ([(found[2], found[1])] if found else [])
    yield from names
    yield from ((_DATE.sub("", name), provider) for name, provider in names if _DATE.search(name))


def _make_price(name: str, entry: Entry) -> Price:
    price = _read_rates(name, entry, Decimal(1))
    batch = None
    if isinstance(entry.batch, Rates):
        batch = _read_rates(name, entry.batch, Decimal(1))
    elif entry.batch is not None:
        batch = _read_rates(name, entry, entry.batch)
    return replace(price, as_of=entry.as_of, note=entry.note, batch=batch)


def _read_rates(name: str, rates: Rates, factor: Decimal) -> Price:
    cached = rates.input if rates.cached is None else rates.cached
    read, again, written = (
        int((d * factor * 10**6).to_integral_value(ROUND_CEILING)) for d in (rates.input, cached, rates.output)
    )
    return Price(name, read, again, written)


def load_prices(file: str | Path | None = None) -> PriceBook:
    """The packaged prices with the user's before them. Raises ``DataError`` naming file, key and fault."""
    own = load_yaml_model(Path(file), PriceFile) if file else None
    return PriceBook(load_yaml_model(_PACKAGED, PriceFile), own)


def find_price(config: RunConfig, book: PriceBook, model: str, *, elsewhere: bool = False) -> Price | None:
    """The price of a model of a run. What runs on this machine is free; ``elsewhere``: a judge with its own server."""
    if config.engine in FREE_ENGINES and not elsewhere:
        return book.find(model, own_only=True) or FREE
    return book.find(model)


def list_unpriced(config: RunConfig, book: PriceBook) -> list[str]:
    """Models of a run (talk, refinement, judges) without a known price."""
    named = [(name, False) for name in (config.model, config.refine_model) if name]
    judges = (split_judge(judge) for judge in config.judges)
    named += [(name, url is not None) for name, url, _ in judges]
    return [m for m, away in dict.fromkeys(named) if find_price(config, book, m, elsewhere=away) is None]


def check_prices(config: RunConfig, book: PriceBook) -> None:
    """Refuse a ceiling in money that could not be kept. Raises ``ConfigError``."""
    missing = list_unpriced(config, book)
    if config.max_cost is not None and missing:
        names = ", ".join(repr(name) for name in dict.fromkeys(missing))
        raise ConfigError(
            f"--max-cost: no price is known for {names}. {tell_how_to_add(missing[0])}; or use --max-tokens"
        )


def tell_how_to_add(model: str) -> str:
    """How a user gives a model a price, in one line."""
    entry = f"prices: {{{json.dumps(model, ensure_ascii=False)}: {{input: X, output: Y}}}}"
    return f"Write a YAML file with '{entry}' (USD per million tokens, 0 for your own server), then --prices FILE"


def to_picos(dollars: float) -> int:
    """A sum of money as a user wrote it, in whole picodollars."""
    return int((Decimal(str(dollars)) * PICOS).to_integral_value(ROUND_FLOOR))


def format_money(picos: int) -> str:
    """Money for people: ``$12.34``, ``$0.0123``, ``$0.000012``."""
    dollars = Decimal(picos) / PICOS
    if dollars >= 1 or not picos:
        return f"${dollars:,.2f}"
    return f"${dollars:.4f}" if dollars >= Decimal("0.001") else f"${dollars:.6f}"
