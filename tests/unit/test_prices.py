"""Prices: which entry a model finds, exact sums, bills of calls, and faults of a user's file in one line."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from culturepark.config import RunConfig
from culturepark.errors import CallError, ConfigError, DataError, EndpointError
from culturepark.llm.base import Reply, Request, Sampling, Schema, Usage
from culturepark.llm.faults import Fault, UnreachableError, error_for
from culturepark.llm.gate import Draining
from culturepark.llm.meter import DEFAULT_OUTPUT, Bill, Meter, bill_error, bound_tokens
from culturepark.llm.prices import (
    FREE,
    PICOS,
    Price,
    check_prices,
    find_price,
    format_money,
    list_unpriced,
    load_prices,
    tell_how_to_add,
    to_picos,
)

PACKAGED = load_prices()


def write(folder: Path, text: str) -> Path:
    path = folder / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def own(folder: Path, text: str) -> Any:
    return load_prices(write(folder, text))


def request(text: str = "abc", **changes: Any) -> Request:
    values = {"key": "d1/turn", "purpose": "turn", "model": "m", "messages": ({"role": "user", "content": text},)}
    return Request(**{**values, **changes})


# --- Which entry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "entry"),
    [
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("openai:gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),  # dearer than what the name without its date costs
        ("openai:gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("azure/gpt-4o-mini", None),
        ("gpt-4o-mini-audio-preview", None),
        ("gpt-4o-mini-2024", None),
        ("my-gpt-4o-mini", None),
        ("GPT-4O-mini", None),
        ("", None),
    ],
)
def test_a_model_finds_its_entry_or_none(model: str, entry: str | None) -> None:
    found = PACKAGED.find(model)
    assert (found.name if found else None) == entry


def test_every_packaged_entry_says_when_and_how_it_is_known() -> None:
    names = [f"gpt-{n}" for n in ("3.5-turbo", "4o", "4o-mini", "4.1", "4.1-mini", "4.1-nano", "5", "5-mini", "5-nano")]
    for price in map(PACKAGED.find, names):
        assert price is not None and price.as_of and "check" in price.note
        assert 0 < price.cached <= price.input < price.output
        assert (
            price.batch is not None and price.batch.output * 2 == price.output and price.batch.input * 2 == price.input
        )


def test_the_users_file_goes_first(tmp_path: Path) -> None:
    text = (
        "prices:\n  gpt-4o: {input: 7, output: 8}\n  mine: {provider: here, input: 0, output: 0, as_of: 2026-01-02}\n"
    )
    book = own(tmp_path, text)
    for name in ("gpt-4o", "openai:gpt-4o", "gpt-4o-2024-08-06"):
        found = book.find(name)
        assert found and (found.input, found.cached, found.output) == (7 * 10**6, 7 * 10**6, 8 * 10**6)
    assert book.find("here/mine") == book.find("mine") == Price("mine", 0, 0, 0, as_of="2026-01-02")
    assert book.find("there/mine") is None
    assert book.find("gpt-4o-mini") == PACKAGED.find("gpt-4o-mini")


@pytest.mark.parametrize(
    ("batch", "wanted"), [("0.5", (500000, 50000, 1000000)), ("{input: 3, output: 4}", (3000000, 3000000, 4000000))]
)
def test_batch_is_a_factor_or_prices(tmp_path: Path, batch: str, wanted: tuple[int, int, int]) -> None:
    found = own(tmp_path, f"prices: {{m: {{input: 1, cached: 0.1, output: 2, batch: {batch}}}}}").find("m")
    assert (found.batch.input, found.batch.cached, found.batch.output) == wanted
    meter = Meter(lambda model: found, is_batched=lambda r: r.purpose == "extract")
    usage = Reply("x", usage=Usage(10, 0, 1))
    costs = [meter.bill(r, meter.estimate(r), usage).cost for r in (request(), request(purpose="extract"))]
    assert costs == [12_000_000, 10 * wanted[0] + wanted[2]]


def test_a_batch_price_is_rounded_up_to_a_whole_number(tmp_path: Path) -> None:
    found = own(tmp_path, "prices: {m: {input: 0.000001, output: 0.000003, batch: 0.5}}").find("m")
    assert (found.input, found.output, found.batch.input, found.batch.output) == (1, 3, 1, 2)


# --- Faults of a user's file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prices: {m: {input: -1, output: 2}}", "prices.m.input"),
        ("prices: {m: {input: 1}}", "prices.m.output"),
        ("prices: {m: {input: 1, output: dear}}", "prices.m.output"),
        ("prices: {m: {input: yes, output: 1}}", "must be a number"),
        ("prices: {m: {input: .nan, output: 1}}", "prices.m.input"),
        ("prices: {m: {input: .inf, output: 1}}", "prices.m.input"),
        ("prices: {m: {input: 0.0000001, output: 1}}", "prices.m.input"),
        ("prices: {m: {input: 1, ouput: 1, output: 1}}", "ouput"),
        ("prices: {m: {input: 1, output: 1, batch: 2}}", "batch"),
        ("prices: {m: 3}", "prices.m"),
        ("prices: {3: {input: 1, output: 1}}", "prices.3"),
        ("m: {input: 1, output: 1}", "prices"),
        ("currency: EUR\nprices: {}", "currency"),
        ("- 1", "must hold keys and values"),
        ("prices: {m: [", "not valid YAML"),
    ],
)
def test_a_wrong_file_gets_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        load_prices(path)
    assert str(path) in str(caught.value) and words in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_prices(tmp_path / "nowhere.yaml")


# --- Which models need a price ----------------------------------------------------------------------------


def config(**settings: Any) -> RunConfig:
    return RunConfig(**{"engine": "openai", "model": "gpt-4o-mini", **settings})


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, []),
        ({"refine_model": "strange"}, ["strange"]),
        ({"judges": ["gpt-4o", "odd@http://h:1/v1"]}, ["odd"]),
        ({"model": "strange", "refine_model": "strange", "judges": ["odd"]}, ["strange", "odd"]),
        ({"engine": "mock", "model": "mock", "judges": ["any"]}, []),
        ({"engine": "vllm", "model": "org/model"}, []),
        ({"engine": "vllm", "model": "org/model", "judges": ["org/model@http://h:1/v1"]}, ["org/model"]),
        ({"model": None}, []),
    ],
)
def test_models_without_a_price_are_named(settings: dict[str, Any], missing: list[str]) -> None:
    chosen = config(**settings)
    assert list_unpriced(chosen, PACKAGED) == missing
    check_prices(chosen, PACKAGED)  # without a ceiling in money nothing is refused
    capped = chosen.model_copy(update={"max_cost": 1.0})
    if missing:
        with pytest.raises(ConfigError) as caught:
            check_prices(capped, PACKAGED)
        told = str(caught.value)
        assert all(repr(m) in told for m in missing) and "--prices FILE" in told and "\n" not in told
    else:
        check_prices(capped, PACKAGED)


def test_the_told_way_to_add_a_price_works(tmp_path: Path) -> None:
    name = 'odd: "name"/7b'
    told = tell_how_to_add(name).split("'")[1].replace("X", "1").replace("Y", "2")
    chosen = config(model=name, max_cost=1)
    assert list_unpriced(chosen, PACKAGED) == [name]
    check_prices(chosen, own(tmp_path, told))


def test_what_runs_here_is_free_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    chosen = config(engine="vllm", model="gpt-4o")
    assert find_price(chosen, PACKAGED, "gpt-4o") is FREE
    book = own(tmp_path, "prices: {gpt-4o: {input: 1, output: 1}}")
    found = find_price(chosen, book, "gpt-4o")
    assert found and found.input == 10**6


# --- Money is exact ---------------------------------------------------------------------------------------


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 9999)), max_size=50),
)
def test_sums_never_drift(price_in: int, price_out: int, calls: list[tuple[int, int, int]]) -> None:
    """Against exact fractions of dollars, prices given in millionths of a dollar per million tokens."""
    price = Price("m", price_in, price_in // 2, price_out)
    total = sum(price.cost(Usage(i, c, o)) for i, c, o in calls)
    exact = sum(
        (Fraction(price_in) * (i - min(c, i)) + Fraction(price_in // 2) * min(c, i) + Fraction(price_out) * o)
        for i, c, o in calls
    )
    assert Fraction(total, PICOS) == exact / PICOS


def test_cents_that_floats_cannot_hold(tmp_path: Path) -> None:
    price = own(tmp_path, "prices: {m: {input: 0.1, cached: 0.01, output: 0.7}}").find("m")
    assert sum(price.cost(Usage(1, 0, 1)) for _ in range(1_000_000)) == to_picos(0.8)
    assert price.cost(Usage(10, 4, 0)) == 6 * 100_000 + 4 * 10_000
    assert price.cost(Usage(10, 40, 0)) == 10 * 10_000  # a server that counts more cached than read


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [(0, "$0.00"), (1234.5, "$1,234.50"), (1, "$1.00"), (0.25, "$0.2500"), (0.001, "$0.0010"), (0.000012, "$0.000012")],
)
def test_money_for_people(dollars: float, shown: str) -> None:
    assert format_money(to_picos(dollars)) == shown


# --- Estimates and bills ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abc", 1), ("abcd", 2), ("é" * 9, 3), ("어머니", 2), ("어머니a", 3)]
)
def test_tokens_are_bounded_by_script(text: str, tokens: int) -> None:
    assert bound_tokens(text) == tokens


def test_an_estimate_holds_everything_that_is_sent() -> None:
    meter = Meter(lambda model: Price("m", 1, 1, 100))
    plain = meter.estimate(request("x" * 300))
    assert plain == Bill(8 + 8 + 100, 0, DEFAULT_OUTPUT, 116 + 100 * DEFAULT_OUTPUT, "estimated")
    assert meter.estimate(request("x" * 300, prefill="y" * 30)).input == plain.input + 10
    two = ({"role": "user", "content": "x" * 300},) * 2
    assert meter.estimate(request(messages=two)).input == plain.input + 108
    schema = Schema("s", {"type": "object"})
    assert meter.estimate(request("x" * 300, schema=schema)).input == plain.input + 6
    for sampling, most in (
        (Sampling(max_tokens=50), 50),
        (Sampling(max_tokens=50, extra={"max_tokens": 70}), 70),
        (Sampling(max_tokens=50, extra={"max_completion_tokens": 90}), 90),
        (Sampling(max_tokens=50, extra={"n": 3}), 150),
    ):
        assert meter.estimate(request(sampling=sampling)).output == most


def test_a_bill_is_the_servers_count_or_else_the_estimate() -> None:
    meter = Meter(lambda model: Price("m", 3, 1, 10))
    asked = request("x" * 300)
    estimate = meter.estimate(asked)
    assert meter.bill(asked, estimate, Reply("x", usage=Usage(20, 5, 2))) == Bill(20, 5, 2, 15 * 3 + 5 + 20, "answered")
    assert meter.bill(asked, estimate, Reply("x")) == estimate


def test_an_unknown_price_is_no_price() -> None:
    meter = Meter(lambda model: None)
    asked = request()
    assert meter.estimate(asked).cost is None
    assert meter.bill(asked, meter.estimate(asked), Reply("x", usage=Usage(1, 0, 1))).cost is None


@pytest.mark.parametrize("usage", [Usage(5000, 0, 10), Usage(10, 0, 5000), Usage(5000, 0, 5000)])
def test_a_model_that_counts_more_is_estimated_higher_from_then_on(usage: Usage) -> None:
    meter = Meter(lambda model: Price("m", 1, 1, 1))
    asked, other = request("x" * 600), request("x" * 600, model="other")
    before = meter.estimate(other)
    for _ in range(2):  # two clients bill the same call
        meter.bill(asked, before, Reply("x", usage=usage))
    after = meter.estimate(asked)
    assert after.input >= usage.input and after.output >= usage.output
    assert (
        after.input <= max(before.input, 1.2 * usage.input) + 1
        and after.output <= max(before.output, 1.2 * usage.output) + 1
    )
    assert meter.estimate(other) == before


ESTIMATE = Bill(100, 0, 50, 7, "estimated")


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (CallError("busy", "rate"), "failed"),
        (CallError("500", "server"), "failed"),
        (CallError("bad", "request"), "failed"),
        (CallError("long", "context"), "failed"),
        (EndpointError("bad key"), "failed"),
        (CallError("no answer", "timeout"), "lost"),
        (CallError("broke", "network"), "lost"),
        (error_for(Fault(200), "the server"), "lost"),  # an answer was made and paid, but is not to be read
        (asyncio.CancelledError(), "lost"),
        (RuntimeError("bug"), "lost"),
        (UnreachableError("nobody there"), "unsent"),
        (Draining(), "unsent"),
    ],
    ids=str,
)
def test_how_an_error_is_billed(error: BaseException, how: str) -> None:
    bill = bill_error(ESTIMATE, error)
    assert bill.how == how
    kept = (bill.input, bill.output, bill.cost)
    assert kept == ((100, 50, 7) if how == "lost" else (0, 0, 0))
