"""Talks held to know what a run will take: a few real ones in a scratch folder, or a few without any model."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from culturepark.config import RunConfig, split_judge
from culturepark.errors import ShortfallError
from culturepark.llm.base import Reply, Request
from culturepark.llm.meter import bound_tokens
from culturepark.llm.prices import load_prices
from culturepark.llm.scripted import ScriptedClient
from culturepark.llm.spend import read_spend, sum_up
from culturepark.refine.judges import Judge
from culturepark.runs.estimate import Forecast, TalkCost, cost_talk, forecast_offline, forecast_pilot
from culturepark.runs.folder import Run
from culturepark.runs.generate import Prepared, check_folder, open_folder, prepare
from culturepark.runs.money import FOLDER
from culturepark.runs.plan import Slot
from culturepark.runs.progress import Display
from culturepark.runs.sitting import Sitting
from culturepark.runs.tools import Toolbox
from culturepark.runs.work import ModelSetup, Workshop

_TYPICAL = 0.75  # of the upper bound of a text's tokens: about 4 characters of Latin script a token


@dataclass(frozen=True)
class Pilot:
    """A pilot's talks and what they say of the whole run; ``usd`` is what the pilot itself has cost, if known."""

    talks: Sequence[TalkCost]
    forecast: Forecast
    usd: float | None


async def hold_pilot(config: RunConfig, talks: int, folder: Path, display: Display) -> Pilot:
    """Hold the first talks of the real plan, spread evenly over it, and forecast the run from them.

    Works in ``folder``, under the run's own ceilings; nothing is batched and no workers are started.
    """
    try:
        prepared = await prepare(config)
        real = prepared.config
        slots = spread(prepared.plan.slots, talks)
        wanted = sum(slot.wanted for slot in slots)
        here = {"output_dir": str(folder), "n": wanted, "workers": 1, "executor": "local", "batch": "off"}
        cut = replace(
            prepared,
            config=real.model_copy(update=here),
            plan=replace(prepared.plan, slots=slots, remarks=()),
            path=folder,
            max_candidates=wanted,  # no replacements: a talk that gave nothing is part of what is measured
        )
        fresh = check_folder(cut)
        opened = open_folder(cut, display.say)
        try:
            with contextlib.suppress(ShortfallError):
                await Sitting(cut, opened, display, fresh).hold()
        finally:
            opened.close()
    finally:
        display.close()
    return read_pilot(Run(folder), real)


def read_pilot(run: Run, config: RunConfig) -> Pilot:
    """The forecast of a run of this configuration from the talks of another."""
    book = load_prices(config.prices)
    accepted = Counter(sample.lineage["dialogue"] for sample in run.samples())
    talks = [cost_talk(d.usage, accepted[d.id], config, book, d.style) for d in run.dialogues()]
    spend = sum_up(read_spend(run.path / FOLDER))
    answered = spend.calls - spend.failed - spend.lost
    mean_call_s = spend.ms / answered / 1000 if answered else None
    usd = None if spend.unpriced or not spend.calls else spend.cost / 10**12
    return Pilot(talks, forecast_pilot(talks, config, book, mean_call_s), usd)


def spread(slots: Sequence[Slot], count: int) -> tuple[Slot, ...]:
    """So many slots, evenly over the plan, in its order."""
    count = min(count, len(slots))
    return tuple(slots[k * len(slots) // count] for k in range(count))


async def estimate_offline(prepared: Prepared, talks: int = 6) -> Forecast:
    """A rough forecast without any call: a few planned talks with the run's own prompts and a phrase book."""
    config = prepared.config
    book = load_prices(config.prices)
    planned = Counter(slot.style for slot in prepared.plan.slots)
    each = max(1, talks // len(planned))
    chosen = [s for style in planned for s in spread([s for s in prepared.plan.slots if s.style == style], each)]
    # What looks at texts only, and loads models for it, asks nothing.
    idle = {"encoder": "none", "decontaminate": (), "ifd_model": None, "pii": "core"}
    tools = Toolbox(config.model_copy(update=idle), prepared.sources.profiles)
    found = [await _hold_offline(prepared, tools, position, slot) for position, slot in enumerate(chosen)]
    costs = [cost_talk(usage, slot.wanted, config, book, slot.style) for slot, usage in zip(chosen, found, strict=True)]
    return forecast_offline(costs, planned, config, book)


async def _hold_offline(prepared: Prepared, tools: Toolbox, position: int, slot: Slot) -> dict[str, list[int]]:
    """Calls, input, cached and output tokens of one talk by purpose."""
    config = prepared.config
    client = _Counted()
    model = config.model or "model"
    setup = ModelSetup(model, config.refine_model or model, prepared.prompts.size)
    names = [split_judge(judge)[0] for judge in config.judges] or [setup.refine_model]
    if config.engine != "local" or config.judges:
        setup = replace(setup, panel=tuple(Judge(name, client, name) for name in names))
    workshop = Workshop(config, prepared.sources, setup, client, prepared.prompts, tools)
    await workshop.examine(position, await workshop.talk(position, slot))
    return client.usage


@dataclass
class _Counted:
    """A phrase book that counts characters as tokens."""

    inner: ScriptedClient = field(default_factory=lambda: ScriptedClient(fault_rate=0.0, badjson_rate=0.0))
    usage: dict[str, list[int]] = field(default_factory=dict)

    async def reply(self, request: Request) -> Reply:
        reply = await self.inner.reply(request)
        texts = [message["content"] for message in request.messages]
        schema = [str(request.schema.body)] if request.schema else []
        counts = self.usage.setdefault(request.purpose, [0, 0, 0, 0])
        counts[0] += 1
        counts[1] += sum(round(_TYPICAL * bound_tokens(text)) for text in (*texts, *schema))
        counts[3] += round(_TYPICAL * bound_tokens(reply.text))
        return reply

    async def close(self) -> None:
        return None
