"""The head of a card: a reader's four questions, answered from the figures."""

from __future__ import annotations

from collections.abc import Sequence

from culturepark.card.conditions import describe_use
from culturepark.card.facts import Facts
from culturepark.card.quality import is_self_judged, list_gaps
from culturepark.card.settings import Settings
from culturepark.card.text import escape, show_number, show_share

_GAPS = 4  # of them here; the others under Known gaps


def write_short(facts: Facts, settings: Settings) -> str:
    """May I use it, for what, how good is it, what is wrong with it."""
    gaps = "; ".join(list_gaps(facts)[:_GAPS])
    return "\n".join(
        [
            f"- **May I use this?** {describe_use(facts, settings)}",
            f"- **For what?** {_describe_purpose(facts)} Not for describing or judging people.",
            f"- **How good is it?** {_describe_worth(facts)}",
            f"- **What is wrong with it?** {escape(gaps, 900)}. All of it is under Known gaps.",
        ]
    )


def _describe_purpose(facts: Facts) -> str:
    whose = f"{escape(', '.join(sorted(facts.cultures)))}: {facts.rows} samples"
    if is_made_up(facts):
        return f"Trying out programs and formats, not training: a phrase book wrote it ({whose})."
    within = "within a culture" if len(facts.cultures) == 1 else "within and between cultures"
    return f"Fine-tuning and studying models on how views vary {within} ({whose})."


def _describe_worth(facts: Facts) -> str:
    fidelity = [f["js_mean"] for c, f in facts.manifest.get("fidelity", {}).items() if c in facts.cultures]
    known = [value for value in fidelity if value is not None]
    parts = [
        f"The answers given to the speakers lie {_span([show_number(v) for v in known])} from the survey's, by culture "
        "(Jensen-Shannon; 0 is equal); whether readers hear them in the texts was not measured"
        if known
        else "Distance to the survey: not measured"
    ]
    means = ((facts.measures.get("panel") or {}).get("fit") or {}).get("mean_score", {})
    if means and is_made_up(facts):
        parts.append("the scores of its judges are made up too")
    elif means:
        scores = _span([f"{mean:.2f}" for mean in means.values()])
        parts.append(f"{_name_judges(facts, len(means))} scored cultural fit {scores} of 5 before dropping")
    else:
        parts.append("no judge scored cultural fit")
    parts.append(f"{show_share(facts.counts.rejected, max(1, facts.counts.candidates))} of candidates were rejected")
    return "; ".join([*parts, "no person has reviewed it as far as this card knows."])


def _name_judges(facts: Facts, judges: int) -> str:
    if is_self_judged(facts):
        return "the model that wrote the talks"
    return "a model" if judges == 1 else f"{judges} models"


def is_made_up(facts: Facts) -> bool:
    """Did a phrase book write it?"""
    return bool(facts.config.get("engine") == "mock")


def _span(shown: Sequence[str]) -> str:
    least, most = min(shown), max(shown)
    return least if least == most else f"{least} to {most}"
