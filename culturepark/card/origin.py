"""Sections about where the data comes from: sources, process, models, prompts, settings, the command."""

from __future__ import annotations

from culturepark.card.command import list_unsaid, write_command
from culturepark.card.facts import Facts
from culturepark.card.terms import find_model_terms, find_survey_terms, list_models
from culturepark.card.text import Markup, escape, fence, fold, make_table, quote_code

_OLD_YEARS = 5  # norms older than this at the day of the run are named
_DECODING = ("temperature", "top_p", "reply_tokens", "frequency_penalty", "presence_penalty", "prompt_size")
_NOT_PROMPTS = frozenset({"personas", "scenarios"})
_PROVENANCE = {
    "read": "terms or a quotation of them were read",
    "notes": "from the project's reference notes",
    "recalled": "from common knowledge, not looked up",
}


def write_sources(facts: Facts) -> str:
    """Every source of the seeds with its terms, dates and whether it may be handed on."""
    rows = []
    made = int(str(facts.manifest["created"])[:4])
    old = []
    for name, number in facts.surveys.most_common():
        terms = find_survey_terms(name)
        years = f"{terms.years[0]} to {terms.years[1]}" if terms.years else "unknown"
        rows.append(
            (
                f"{terms.name} ({number} samples)",
                years,
                terms.terms,
                terms.redistribution,
                _PROVENANCE[terms.provenance],
            )
        )
        if terms.years and made - terms.years[0] > _OLD_YEARS:
            old.append(f"{terms.name}: up to {made - terms.years[0]} years at the day of the run")
    files = facts.manifest.get("files", {})
    rows.append(
        (
            "Culture profiles, topics and scenes",
            "2020s",
            "this project's own work (Apache-2.0), or the maker's own files where so told",
            "yes, they are part of the program",
            f"profiles {files.get('personas', '-')}, topics and scenes {files.get('scenarios', '-')} (hashes)",
        )
    )
    table = make_table(("source", "years of the figures", "licence and terms", "redistribution", "basis"), rows)
    flag = f"Norms older than {_OLD_YEARS} years: {escape('; '.join(old))}." if old else ""
    return "\n\n".join(filter(None, (table, flag)))


def write_process(facts: Facts) -> str:
    """How the data was made, told so that it can be made again."""
    config = facts.config
    talks = (
        "Two synthetic people talk after the protocol of the CulturePark paper (preset classic)"
        if config["preset"] == "classic"
        else "Synthetic people talk about a survey topic in an everyday scene"
    )
    steps = [
        f"1. Answers of a survey's population are shared out over persons (weighting: {escape(config['weighting'])}); "
        "each person is drawn from a culture profile and given an answer; further answers follow the survey's rank "
        "correlations.",
        f"2. {talks} ({facts.counts.finished} talks finished).",
        "3. A refinement agent points at what was voiced; its words are taken over as they were said"
        f"{_tell_repairs(facts)}.",
        f"4. Stages check each candidate {_list_checks(facts)}.",
        "5. What passes becomes a sample until the plan's share of each answer is reached.",
    ]
    if facts.is_refined:
        steps.append(
            "6. The talks are those of an earlier run; only the refinement was done again, with other settings."
        )
    return "\n\n".join(["\n".join(steps), _write_models(facts), _write_settings(facts), _write_prompts(facts)])


def _tell_repairs(facts: Facts) -> str:
    mended = facts.tags["repaired"]
    return (
        f", but for {mended} samples (tag `repaired`): they contradicted the given answer and were reworded by a model"
        if mended
        else ""
    )


def _list_checks(facts: Facts) -> str:
    """Which kinds of checks have seen candidates."""
    ran = set(facts.counts.stages)
    kinds = [
        "by rules",
        *(["by verification against the given answer and facts"] if ran & {"stance", "claims"} else []),
        *(["by judges (models)"] if ran & {"harm", "fit"} and facts.measures.get("panel") else []),
    ]
    return " and ".join(kinds) if len(kinds) < 3 else f"{', '.join(kinds[:-1])}, and {kinds[-1]}"


def _write_models(facts: Facts) -> str:
    rows = []
    for model, roles in list_models(facts.run).items():
        terms = find_model_terms(model)
        basis = _PROVENANCE[terms.provenance] if terms.outputs != "unknown" else "-"
        rows.append((Markup(quote_code(model)), ", ".join(roles), terms.terms, terms.note, basis))
    table = make_table(("model", "what it did", "licence or terms", "on outputs", "basis"), rows)
    served = ", ".join(quote_code(name) for name, _ in facts.models.most_common())
    return f"{table}\n\nNames the server gave in its replies: {served}." if served else table


def _write_settings(facts: Facts) -> str:
    config, versions = facts.config, facts.manifest.get("versions", {})
    rows = [("seed", str(config["seed"])), ("engine", str(config.get("engine")))]
    rows += [(f"decoding: {key}", str(config[key])) for key in _DECODING if config.get(key) is not None]
    rows += [(f"version: {name}", str(found)) for name, found in versions.items()]
    rows.append(("run identifier (fingerprint of settings, data files and prompts)", facts.run_id))
    return fold("Decoding settings, seed and code version", make_table(("what", "value"), rows))


def _write_prompts(facts: Facts) -> str:
    """Prompts by hash: their words are files of the program's version named above."""
    hashes = {k: v for k, v in facts.manifest.get("files", {}).items() if k not in _NOT_PROMPTS}
    rows = [(Markup(quote_code(name)), Markup(quote_code(found))) for name, found in hashes.items()]
    own = " The maker used prompts of their own; ask them for the words." if facts.config.get("prompts") else ""
    return fold(
        f"Prompts ({len(rows)}; the exact words are the files of these names in culturepark/prompts of that version)",
        make_table(("prompt", "hash"), rows) + own,
    )


def write_again(facts: Facts) -> str:
    """The command that makes the data again."""
    parts = [fence(write_command(facts.run), "bash")]
    unsaid = list_unsaid(facts.run)
    if unsaid:
        parts.append("Not in the command: " + escape("; ".join(unsaid), 900) + ".")
    parts.append(
        "The same settings give the same plan, persons and checks; a model behind a server may still answer otherwise."
    )
    return "\n\n".join(parts)
