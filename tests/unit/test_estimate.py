"""Estimates and what is told of money: pilots with intervals, offline forecasts, the screen's line, the last message."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from culturepark.cli import main
from culturepark.config import RunConfig
from culturepark.errors import CallError, ConfigError, DataError
from culturepark.llm.base import Reply, Request, Sampling, Usage
from culturepark.llm.budget import Amount, Ceiling, Exhausted
from culturepark.llm.gate import Draining
from culturepark.llm.ledger import Ledger
from culturepark.llm.meter import Bill
from culturepark.llm.prices import load_prices, to_picos
from culturepark.runs.estimate import (
    TalkCost,
    cost_talk,
    describe_forecast,
    forecast_offline,
    forecast_pilot,
)
from culturepark.runs.generate import prepare_offline
from culturepark.runs.journal import Counts
from culturepark.runs.money import Money, describe_funds, describe_shortfall, read_writer_spent, snapshot_spend
from culturepark.runs.page import list_rows, list_spend
from culturepark.runs.pilot import estimate_offline, hold_pilot, spread
from culturepark.runs.progress import Plain, Silent, View
from culturepark.runs.runner import Progress
from tests.builders import Fake
from tests.unit.test_page import MANIFEST

BOOK = load_prices()
CONFIG = RunConfig(engine="openai", model="gpt-4o-mini", refine_model="gpt-4o", n=1000, concurrency=10)
USD = 10**12


def talk(accepted: int, calls: int = 10, **changes: Any) -> TalkCost:
    values = {"input": 1000 * calls, "cached": 100 * calls, "output": 50 * calls, "cost": calls * USD, "style": "cross"}
    return TalkCost(accepted, calls, **{**values, **changes})


def prices(folder: Path, text: str) -> str:
    (folder / "prices.yaml").write_text(text)
    return str(folder / "prices.yaml")


# --- What a talk costs ------------------------------------------------------------------------------------


def test_each_purpose_is_priced_by_its_model() -> None:
    usage = {"turn": (6, 1000, 400, 100), "extract": (1, 500, 0, 50), "harm": (1, 200, 0, 10)}
    found = cost_talk(usage, 3, CONFIG, BOOK)
    mini, big = BOOK.find("gpt-4o-mini"), BOOK.find("gpt-4o")
    assert mini and big
    exact = mini.cost(Usage(1000, 400, 100)) + big.cost(Usage(500, 0, 50)) + big.cost(Usage(200, 0, 10))
    assert (found.accepted, found.calls, found.input, found.cached, found.output) == (3, 8, 1700, 400, 160)
    assert found.cost == exact


def test_judges_share_what_they_were_asked() -> None:
    judged = {"harm": (2, 2000, 0, 200)}
    config = CONFIG.model_copy(update={"judges": ("gpt-4o", "gpt-4o-mini@http://h:1/v1")})
    mini, big = BOOK.find("gpt-4o-mini"), BOOK.find("gpt-4o")
    assert mini and big
    both = mini.cost(Usage(2000, 0, 200)) + big.cost(Usage(2000, 0, 200))
    assert cost_talk(judged, 1, config, BOOK).cost == both // 2
    unknown = config.model_copy(update={"judges": ("odd",)})
    assert cost_talk(judged, 1, unknown, BOOK).cost is None
    assert cost_talk({"turn": (1, 10, 0, 1)}, 1, unknown, BOOK).cost is not None


@pytest.mark.parametrize(("batch", "halved"), [("off", ()), ("refine", ("extract",)), ("all", ("turn", "extract"))])
def test_batched_purposes_cost_the_batch_price(batch: str, halved: tuple[str, ...]) -> None:
    config = CONFIG.model_copy(update={"batch": batch, "refine_model": None})
    for purpose in ("turn", "extract"):
        usage = {purpose: (1, 100, 0, 10)}
        full = cost_talk(usage, 1, CONFIG.model_copy(update={"refine_model": None}), BOOK).cost
        assert full and cost_talk(usage, 1, config, BOOK).cost == (full // 2 if purpose in halved else full)


# --- From a pilot -----------------------------------------------------------------------------------------


def test_a_pilot_scales_by_what_was_accepted() -> None:
    talks = [talk(4), talk(2), talk(0), talk(4)]
    figures = forecast_pilot(talks, CONFIG, BOOK, mean_call_s=2.0).figures
    assert figures["calls"].value == 1000 * 40 / 10 and figures["cost"].value == 4000 * USD
    assert figures["seconds"].value == 4000 * 2.0 / 10
    for figure in figures.values():
        assert figure.low is not None and figure.high is not None and figure.low < figure.value < figure.high


def test_equal_talks_have_no_spread_and_more_talks_less() -> None:
    calls = forecast_pilot([talk(4)] * 6, CONFIG, BOOK, None).figures["calls"]
    assert calls.low == calls.value == calls.high == 2500

    def width(copies: int) -> float:
        found = forecast_pilot([talk(k % 5) for k in range(5)] * copies, CONFIG, BOOK, None).figures["calls"]
        assert found.low is not None and found.high is not None
        return found.high - found.low

    assert width(20) < 0.6 * width(2)


@pytest.mark.parametrize("pilot", [4, 6, 20])
@pytest.mark.parametrize("whole", [8, 100])
def test_the_interval_holds_what_a_run_takes_about_nine_times_in_ten(pilot: int, whole: int) -> None:
    """Small pilots, and runs short and long, out of one population of talks."""
    import random

    dice = random.Random(5)
    population = [talk(dice.randrange(1, 8), 6 + dice.randrange(9)) for _ in range(4000)]
    hits = 0
    for _ in range(300):
        run = dice.sample(population, whole)
        config = CONFIG.model_copy(update={"n": sum(t.accepted for t in run)})
        found = forecast_pilot(dice.sample(population, pilot), config, BOOK, None).figures["calls"]
        assert found.low is not None and found.high is not None
        hits += found.low <= sum(t.calls for t in run) <= found.high
    assert 255 <= hits <= 288


def test_one_talk_has_no_interval_and_no_end_is_below_nothing() -> None:
    assert forecast_pilot([talk(4)], CONFIG, BOOK, None).figures["calls"].low is None
    wide = forecast_pilot([talk(1, 40), talk(7, 4)], CONFIG, BOOK, None).figures["calls"]
    assert wide.low == 0.0 and wide.high is not None and wide.high > 2 * wide.value


def test_a_short_run_has_no_more_calls_in_flight_than_talks() -> None:
    few = CONFIG.model_copy(update={"n": 8, "concurrency": 64})
    forecast = forecast_pilot([talk(4, 10)] * 6, few, BOOK, 2.0)
    assert forecast.figures["seconds"].value == 20 * 2.0 / 2 and "2 are always in flight" in forecast.remarks[1]
    offline = forecast_offline([talk(4, 10)], {"cross": 3}, few, BOOK)
    assert offline.figures["seconds"].value == 30 * 2.0 / 3


def test_a_ceiling_in_money_without_a_price_is_told_before_the_run() -> None:
    unknown = CONFIG.model_copy(update={"model": "odd", "max_cost": 1.0})
    remarks = forecast_offline([talk(4, 10)], {"cross": 3}, unknown, BOOK).remarks
    assert any("odd" in r and "with --max-cost the run does not start without it" in r for r in remarks)


@pytest.mark.parametrize(
    ("talks", "words", "absent"),
    [
        ([talk(3)] * 6, "6 dialogues are few", "none of"),
        ([talk(3)] * 10, "retries", "are few"),
        ([talk(0)] * 6, "none of the pilot's 6 dialogues", "are few"),
        ([talk(3, cost=None)] * 6, "calls", "money"),
        ([talk(3)], "calls", "interval)"),
    ],
)
def test_what_a_pilot_cannot_tell_is_said(talks: list[TalkCost], words: str, absent: str) -> None:
    text = "\n".join(describe_forecast(forecast_pilot(talks, CONFIG, BOOK, 1.0)))
    assert words in text and absent not in text


def test_time_says_what_it_assumes() -> None:
    text = "\n".join(describe_forecast(forecast_pilot([talk(4)] * 10, CONFIG, BOOK, 1.5)))
    assert "if a call takes 1.5 s as in the pilot and 10 are always in flight" in text and "6 min 15 s" in text
    unmeasured = forecast_pilot([talk(4)] * 10, CONFIG, BOOK, None)
    assert "seconds" not in unmeasured.figures
    waves = forecast_pilot([talk(4)] * 10, CONFIG.model_copy(update={"batch": "all"}), BOOK, 1.5)
    assert "seconds" not in waves.figures and "batch queue" in "\n".join(waves.remarks)


def test_an_unpriced_model_is_named() -> None:
    config = CONFIG.model_copy(update={"model": "odd"})
    text = "\n".join(describe_forecast(forecast_pilot([talk(4, cost=None)] * 10, config, BOOK, 1.0)))
    assert "price unknown: add odd to --prices" in text and "money" not in text


@pytest.mark.parametrize(
    ("count", "wanted"), [(1, (0,)), (3, (0, 3, 6)), (10, tuple(range(10))), (99, tuple(range(10)))]
)
def test_a_pilot_is_spread_over_the_plan(count: int, wanted: tuple[int, ...]) -> None:
    assert spread(range(10), count) == wanted  # type: ignore[arg-type,comparison-overlap]


async def test_a_real_pilot_measures_its_talks(tmp_path: Path) -> None:
    own = prices(tmp_path, "prices: {mock: {input: 1, output: 2}}")
    config = RunConfig(engine="mock", encoder="none", n=500, prices=own, workers=3)
    pilot = await hold_pilot(config, 4, tmp_path / "run", Silent())
    assert len(pilot.talks) == 4
    accepted = sum(t.accepted for t in pilot.talks)
    given, calls = pilot.forecast.figures["calls"], sum(t.calls for t in pilot.talks)
    assert accepted > 4 and given.value == pytest.approx(500 * calls / accepted)
    exact = sum(t.input + 2 * t.output for t in pilot.talks) * 10**6
    assert pilot.forecast.figures["cost"].value == pytest.approx(500 * exact / accepted)
    assert pilot.forecast.n == 500 and given.low and given.low <= given.value


async def test_a_pilot_that_gives_nothing_ends_and_says_so(tmp_path: Path) -> None:
    config = RunConfig(engine="mock", encoder="none", n=500, max_words=10)
    pilot = await hold_pilot(config, 2, tmp_path / "run", Silent())
    assert len(pilot.talks) == 2 and pilot.forecast.figures == {}  # no talk is held in the place of another
    assert describe_forecast(pilot.forecast)[-1].startswith("  none of the pilot's 2 dialogues")


# --- Offline ----------------------------------------------------------------------------------------------


def test_offline_counts_each_style_by_its_own_talks() -> None:
    talks = [talk(4, 10), talk(4, 20), talk(4, 100, style="panel")]
    figures = forecast_offline(talks, {"cross": 10, "panel": 1}, CONFIG, BOOK).figures
    assert figures["calls"].value == 10 * 15 + 100 and "cached" not in figures
    assert all(figure.low is None for figure in figures.values())


async def test_the_offline_forecast_is_near_a_mock_run(tmp_path: Path, run_once: Callable[..., Any]) -> None:
    settings: dict[str, Any] = {"n": 60, "cultures": ("arab", "korean"), "engine": "mock", "encoder": "none"}
    config = RunConfig(**settings, model="mock", prices=prices(tmp_path, "prices: {mock: {input: 1, output: 2}}"))
    forecast = await estimate_offline(prepare_offline(config))
    counts = run_once(tmp_path / "run", **settings).counts()
    figures = forecast.figures
    planned = counts.calls * 60 / counts.candidates  # the forecast is without rejects
    assert 0.8 * planned < figures["calls"].value < 1.25 * planned
    read = counts.input_tokens * 60 / counts.candidates
    assert 0.8 * read < figures["input"].value < 1.35 * read
    assert figures["cost"].value == pytest.approx((figures["input"].value + 2 * figures["output"].value) * 10**6)
    assert "rough" in forecast.remarks[0]


def test_dry_run_prints_an_estimate_and_asks_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["generate", "--dry-run", "--n", "50", "--engine", "openai", "--model", "odd", "--base-url"]
    assert main([*arguments, "http://127.0.0.1:9/v1", "-o", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "Plan: 50 samples" in out and "Estimate for 50 samples:" in out and "tokens in" in out
    assert "price unknown: add odd to --prices" in out and not (tmp_path / "run").exists()


def test_preview_estimate_keeps_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    flags = ["--engine", "mock", "--encoder", "none", "--n", "200", "--progress", "none"]
    assert main(["preview", "--estimate", "--pilot", "3", *flags]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Pilot: 3 dialogues, ") and "Estimate for 200 samples (90 % interval):" in out
    assert " to " in out and not list(tmp_path.iterdir())
    assert main(["preview", "--estimate", "--pilot", "0", *flags]) == 2


# --- Money of a run ---------------------------------------------------------------------------------------


def money(folder: Path, **settings: Any) -> Money:
    given: dict[str, Any] = {"engine": "openai", "model": "gpt-4o-mini", "n": 100, **settings}
    return Money(RunConfig(**given), folder)


def ask(key: str = "d1/t", model: str = "gpt-4o-mini") -> Request:
    return Request(key, "turn", model, ({"role": "user", "content": "hello"},), Sampling(max_tokens=20))


async def test_ceilings_outlive_a_sitting(tmp_path: Path) -> None:
    for sitting in range(3):
        held = money(tmp_path, max_calls=5)
        client = held.limit(held.book(Fake(lambda asked: Reply("x", usage=Usage(10, 0, 2)))))
        done = 0
        for k in range(2):
            try:
                await client.reply(ask(f"d{sitting}{k}/t"))
                done += 1
            except Draining:
                assert sitting == 2 and held.purse.exhausted == Exhausted("calls")
        assert done == (1 if sitting == 2 else 2)
        held.close()
    assert snapshot_spend(tmp_path)["all"]["calls"] == 5


async def test_without_a_ceiling_spending_is_booked_all_the_same(tmp_path: Path) -> None:
    held = money(tmp_path, model="odd")
    inner = Fake(lambda asked: Reply("x", usage=Usage(10, 0, 2)))
    assert held.limit(inner) is inner
    await held.book(inner).reply(ask(model="odd"))
    found = held.snapshot()
    assert found["unpriced"] == ["odd"] and found["all"]["unpriced"] == found["all"]["calls"] == 1
    held.close()


async def test_a_judge_elsewhere_has_its_own_price(tmp_path: Path) -> None:
    held = money(tmp_path, engine="vllm", model="m", judges=("gpt-4o@http://h:1/v1",), max_cost=1.0)
    inner = Fake(lambda asked: Reply("x", usage=Usage(10, 0, 2)))
    await held.book(inner).reply(ask(model="m"))
    assert held.snapshot()["all"]["cost"] == 0
    await held.book(inner, elsewhere=True).reply(ask(model="gpt-4o"))
    assert held.snapshot()["all"]["cost"] == 45 * 10**6
    held.close()
    assert read_writer_spent(tmp_path, "main") == Amount(45 * 10**6, 24, 2)
    assert read_writer_spent(tmp_path, "w0") == Amount()


def test_a_price_that_is_unknown_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--max-cost: no price is known for 'odd'"):
        money(tmp_path, model="odd", max_cost=1.0)
    assert not list(tmp_path.iterdir())


def test_unreadable_spending_and_a_ceiling_do_not_go_together(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spend")
    ledger.settle(ledger.ask("d/t", "m", Bill(1, 0, 1, 1, "estimated")), Bill(1, 0, 1, 1))
    ledger.close()
    with (tmp_path / "spend" / "main.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\n")
    with pytest.raises(DataError, match="nobody knows"):
        money(tmp_path, max_tokens=100)
    held = money(tmp_path)
    assert held.snapshot()["unknown_lines"] == 1
    held.close()


async def test_a_call_that_lives_on_in_a_batch_is_given_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spend")
    ledger.ask("d/t", "gpt-4o-mini", Bill(50, 0, 50, 70, "estimated"))
    ledger.close()
    held = money(tmp_path, max_calls=5)
    assert held.purse.spent == Amount(70, 100, 1)
    held.recover("d/t")
    held.recover("other/t")
    assert held.purse.spent == Amount() and held.snapshot()["all"]["calls"] == 0
    held.close()


async def test_failed_calls_take_calls_but_no_tokens(tmp_path: Path) -> None:
    held = money(tmp_path, max_calls=5)
    client = held.limit(held.book(Fake(lambda asked: CallError("busy", "rate"))))
    with pytest.raises(CallError):
        await client.reply(ask())
    assert held.purse.spent == Amount(0, 0, 1)
    held.close()


# --- What people read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spent", "ceiling", "accepted", "unpriced", "text"),
    [
        (Amount(), Ceiling(), 0, [], ""),
        (Amount(to_picos(0.5), 9, 9), Ceiling(), 0, [], "$0.5000 spent"),
        (Amount(to_picos(0.5), 9, 9), Ceiling(), 50, [], "$0.5000 spent, about $1.00 for all 100 samples"),
        (Amount(to_picos(2)), Ceiling(to_picos(5)), 2, [], "$2.00 of $5.00 spent"),
        (Amount(0, 1200, 7), Ceiling(None, 5000, 9), 50, [], "1,200 of 5,000 tokens, 7 of 9 calls"),
        (Amount(0, 1, 1), Ceiling(), 50, ["odd"], "price of odd unknown"),
        (Amount(to_picos(1), 1, 1), Ceiling(), 50, ["odd"], "at least $1.00 spent, price of odd unknown"),
    ],
)
def test_the_line_on_the_screen(spent: Amount, ceiling: Ceiling, accepted: int, unpriced: list[str], text: str) -> None:
    assert describe_funds(spent, ceiling, accepted, 100, unpriced) == text


def test_what_open_talks_have_taken_is_not_counted_twice() -> None:
    """40 of 100 calls are in talks that are over: they made 20 of 100 samples, so all take 2 calls each."""
    spent, share = Amount(to_picos(1), 0, 100), Fraction(40, 100)
    assert "about $2.00 for all" in describe_funds(spent, Ceiling(), 20, 100, [], share)
    text = describe_shortfall(Exhausted("calls"), spent, Ceiling(calls=100), 20, 100, share)
    assert "At 2 calls per sample the rest would take about 100 calls more" in text and "--max-calls 210" in text
    late = describe_shortfall(Exhausted("calls"), spent, Ceiling(calls=100), 99, 100, share)
    assert "about 0 calls more" in late


async def test_the_share_of_open_talks_is_known_from_the_books(tmp_path: Path) -> None:
    held = money(tmp_path, max_calls=20, n=10)
    answers = iter([CallError("busy", "rate"), *[Reply("x", usage=Usage(10, 0, 2))] * 10, CallError("slow", "timeout")])
    client = held.limit(held.book(Fake(lambda asked: next(answers))))
    for k in range(12):
        try:
            await client.reply(ask(f"d{k}/t"))
        except CallError:
            assert k in (0, 11)
    assert held.purse.spent.calls == 12
    assert held.describe(5, 5).endswith("12 of 20 calls, about $0.000042 for all 10 samples")
    held.purse.exhausted = Exhausted("calls")
    assert "At 2 calls per sample the rest would take about 0 calls more" in held.describe_end(5, 5)
    held.close()


def test_the_screen_shows_the_line() -> None:
    view = View(Progress(10, Counts()), 1, 2, 3, 0.0, 0.0, None, 0.0, "$1.00 of $5.00 spent")
    stream = io.StringIO()
    Plain(stream).update(view)
    assert stream.getvalue().rstrip().endswith("; $1.00 of $5.00 spent")


@pytest.mark.parametrize(
    ("why", "spent", "ceiling", "accepted", "words"),
    [
        (
            Exhausted("cost"),
            Amount(to_picos(4.9)),
            Ceiling(to_picos(5)),
            700,
            ("700 of 1,000 samples, 300 missing", "$5.00 (--max-cost)", "$4.90 used", "$0.0070 per sample", "$2.10 more", "--max-cost 7.21"),
        ),
        (
            Exhausted("calls"),
            Amount(0, 0, 200),
            Ceiling(calls=200),
            100,
            ("200 calls (--max-calls)", "2 calls per sample", "1,800 calls more", "--max-calls 2200"),
        ),
        (Exhausted("tokens"), Amount(0, 50, 2), Ceiling(tokens=60), 0, ("No sample is accepted yet", "higher --max-tokens")),
        (Exhausted("cost", over=True), Amount(to_picos(6)), Ceiling(to_picos(5)), 900, ("more was used than", "$6.00 used")),
        (Exhausted("cost"), Amount(to_picos(0.0009)), Ceiling(to_picos(0.001)), 500, ("--max-cost 0.0019",)),
    ],
)  # fmt: skip
def test_the_last_message_says_all_it_should(
    why: Exhausted, spent: Amount, ceiling: Ceiling, accepted: int, words: tuple[str, ...]
) -> None:
    text = describe_shortfall(why, spent, ceiling, accepted, 1000)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    partly = describe_shortfall(why, spent, ceiling, accepted, 1000, Fraction(1, 2))
    assert ("open talks have taken a part" in partly) == bool(accepted) and "open talks" not in text


def test_status_and_report_show_the_spending(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spend")
    ledger.settle(ledger.ask("d/t", "m", Bill(1, 0, 1, 1, "estimated")), Bill(10, 4, 2, 3 * USD))
    ledger.settle(ledger.ask("e/t", "odd", Bill(1, 0, 1, None, "estimated")), Bill(10, 0, 2, None))
    ledger.ask("f/t", "m", Bill(1, 0, 1, USD, "estimated"))
    ledger.close()
    spend = snapshot_spend(tmp_path)
    assert list_spend(spend) == [
        ("spent", "$4.0000   3 calls, 21 tokens in (4 cached), 5 out, 1 never answered (at their estimate), 1 without a price"),
        ("spent on m", "$4.0000   2 calls, 11 tokens in (4 cached), 3 out, 1 never answered (at their estimate)"),
        ("spent on odd", "price unknown   1 calls, 10 tokens in (0 cached), 2 out, 1 without a price"),
    ]  # fmt: skip
    rows = {(r.heading, r.name): r.value for r in list_rows({**MANIFEST, "spend": spend})}
    assert rows["Money", "all models"] == "$4.0000" and rows["Money", "per accepted sample"] == "$0.400000"
    assert not [r for r in list_rows(MANIFEST) if r.heading == "Money"]
    assert list_spend(snapshot_spend(tmp_path / "nowhere")) == []
