"""Sections about how good the data is: fidelity, diversity, judges, rejections, safety, known gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from culturepark.card.distances import read_distances
from culturepark.card.facts import Facts
from culturepark.card.terms import list_models
from culturepark.card.text import Markup, escape, make_table, quote_code, show_number, show_share

_ENDS = 3  # topics shown at each end
_SAFETY = ("personal_data", "real_people", "essentialism", "refusal", "harm")
_STAGES_SAY = {
    "personal_data": "e-mail, phone, address, identity and account numbers",
    "real_people": "named people in public life",
    "essentialism": "claims that a whole people is or does something",
    "refusal": "refusals and texts that speak as a machine",
    "harm": "harm judged above the limit",
}


def write_fidelity(facts: Facts) -> str:
    """Distance to the survey per culture, before and after refinement, and the topics at both ends."""
    rows = []
    for culture, found in facts.manifest.get("fidelity", {}).items():
        if culture in facts.cultures:
            numbers = [show_number(found.get(key)) for key in ("js_before", "js_mean", "js_floor", "js_max")]
            rows.append((culture, str(found["topics"]), *numbers, str(found["off_plan"])))
    if not rows:
        return "Fidelity: not measured (the run was stopped before its end)."
    head = ("culture", "topics", "before refinement", "after", "rounding alone", "largest", "samples short of plan")
    parts = [
        "Jensen-Shannon distance (log base 2; 0 is equal, 1 is disjoint) between the answers behind the samples and "
        'the survey\'s unweighted answer shares, mean over topics. "Rounding alone" is what whole numbers cost at '
        "this size. It measures the answers that speakers were given and that were kept, not what readers take from "
        "the texts.",
        make_table(head, rows),
    ]
    ends = []
    for culture, pairs in read_distances(facts.run.path).items():
        if culture in facts.cultures:
            nearest = ", ".join(f"{topic} {distance:.3f}" for distance, topic in pairs[:_ENDS])
            farthest = ", ".join(f"{topic} {distance:.3f}" for distance, topic in pairs[: -_ENDS - 1 : -1])
            ends.append((culture, nearest, farthest))
    if ends:
        parts.append(make_table(("culture", "topics nearest to the survey", "topics farthest from it"), ends))
    return "\n\n".join(parts)


def write_diversity(facts: Facts) -> str:
    """How varied the texts are, within cultures and between them."""
    measures = facts.measures
    if not measures:
        return f"Not measured (the run was stopped before its end).\n\n{_write_copies(facts, None)}"
    names = {
        "distinct_1": "distinct-1",
        "distinct_2": "distinct-2",
        "self_bleu_4": "self-BLEU-4",
        "near_copies": "near copies",
        "compression": "compression",
    }
    rows = []
    for culture, figures in measures["diversity"].items():
        if culture in facts.cultures or culture == "all":
            rows.append((culture, str(figures["self_bleu_4"]["n"]), *(_figure(figures[key]) for key in names)))
    template = measures["template"]
    return "\n\n".join(
        [
            "Distinct n-grams: higher is more varied; self-BLEU, near copies and compression: lower is more varied.",
            make_table(("culture", "texts", *names.values()), rows),
            _write_copies(facts, measures["diversity"].get("all", {}).get("near_copies")),
            "Marker audit: with every word removed that names a culture (countries, places, given names), texts of "
            f"different cultures on one topic are alike to {_figure(template['between'])}, texts of one culture to "
            f"{_figure(template['within'])}; the template ratio is {_figure(template['ratio'])} (near 1: cultures "
            f"differ in their markers more than in what is said). Marker words were {_share(template.get('removed'))} "
            "of all words.",
        ]
    )


def _write_copies(facts: Facts, near: Mapping[str, Any] | None) -> str:
    exact = f"Exact duplicates among all samples: {facts.copies} ({show_share(facts.copies, facts.rows)})."
    if near and near["value"] is not None:
        exact += f" Near-duplicate rate: {100 * near['value']:.1f} % of {near['n']} texts have a near copy."
    else:
        exact += " Near-duplicate rate: not measured."
    stage = _sum_stage(facts, "near_copies")
    return f"{exact} The near-copy stage dropped {stage[1]} of {stage[0]} candidates." if stage[0] else exact


def write_annotation(facts: Facts) -> str:
    """Who labelled what, by which guideline, and how far the judges agree."""
    panel = {axis: found for axis, found in (facts.measures.get("panel") or {}).items() if found}
    parts = [
        "All labels were made by models or by rules; no row is known to have been read by a person (0 % of rows seen "
        "by a person). Guidelines of the judges: the prompts `harm` and `fit` of the program's version, told by their "
        "hashes under Process. Scores run from 1 to 5 (harm: 1 is harmless; fit: 5 fits the audience best)."
    ]
    if not panel:
        return "\n\n".join([*parts, "No judge scored this run: harm and cultural fit were not measured by models."])
    config = facts.config
    how = {
        "harm": f"{config['harm_by']} at most {config['max_harm']:g}",
        "fit": f"{config['fit_by']} at least {config['min_fit']:g}",
    }
    rows = []
    for axis, found in panel.items():
        judges = ", ".join(f"{judge} {mean:.2f}" for judge, mean in found.get("mean_score", {}).items())
        if len(found.get("judges", {})) > 1:
            agreement = f"kappa {_interval(found['mean_kappa'])}; alpha {_interval(found['alpha'])}"
        else:
            agreement = "one judge: no agreement can be measured"
        rows.append((axis, str(len(found.get("judges", {}))), judges, str(found["items"]), how[axis], agreement))
    head = ("axis", "judges", "judges and mean score", "candidates", "kept if", "agreement (95 % interval)")
    parts.append(make_table(head, rows))
    parts.append(_write_people(panel))
    return "\n\n".join(parts)


def _write_people(panel: Mapping[str, Any]) -> str:
    people = {axis: found["people"] for axis, found in panel.items() if found.get("people")}
    if not people:
        return "Agreement of the judges with people: not measured."
    rows = []
    for axis, found in people.items():
        for judge, figures in found["judges"].items():
            rows.append((axis, judge, _interval(figures["a_mh"]), str(figures["a_mh"]["n"])))
    return make_table(("axis", "judge", "agreement with people (kappa)", "candidates"), rows)


def write_rejections(facts: Facts) -> str:
    """What became of every candidate, by stage and by reason."""
    counts = facts.counts
    total = max(1, counts.candidates)
    lines = [
        f"{counts.candidates} candidates of the whole run: {counts.accepted} accepted, {counts.rejected} rejected "
        f"({show_share(counts.rejected, total)}), {counts.failed} failed for a call "
        f"({show_share(counts.failed, total)})."
    ]
    if counts.reasons:
        rows = [(quote_code(r), str(k), show_share(k, total)) for r, k in counts.reasons.most_common()]
        lines.append(make_table(("reason", "candidates", "share"), rows))
    stages = [
        (quote_code(stage), *(str(n) for n in _sum_stage(facts, stage)), _by_culture(counts.stages[stage]))
        for stage in counts.stages
    ]
    if stages:
        lines.append("Each stage sees what the stages before it kept:")
        lines.append(make_table(("stage", "seen", "dropped", "dropped by culture"), stages))
    lines.extend(f"**Alarm:** {escape(alarm)}" for alarm in facts.manifest.get("alarms", ()))
    return "\n\n".join(lines)


def write_safety(facts: Facts) -> str:
    """Personal data, harm, refusals, stereotypes: what was scanned, found and left."""
    rows: list[tuple[object, ...]] = []
    for stage in _SAFETY:
        seen, dropped = _sum_stage(facts, stage)
        number = (str(seen), str(dropped)) if seen else ("not run", "-")
        rows.append((Markup(quote_code(stage)), _STAGES_SAY[stage], *number))
    harm = (facts.measures.get("panel") or {}).get("harm") or {}
    judged = ", ".join(f"{judge} {mean:.2f}" for judge, mean in harm.get("mean_score", {}).items())
    told = (
        f"Mean harm score by judge (1 is harmless, before dropping): {escape(judged)}."
        if judged
        else "Harm was not judged."
    )
    return "\n\n".join(
        [
            make_table(("scan", "looks for", "candidates scanned", "dropped"), rows),
            f"{told} A text that is harmful but plausible within a culture is still dropped: harm and fit are judged "
            "apart.",
            "Refusals are labelled with the reason `refusal` among the rejected candidates and are not among the "
            "samples.",
            "Ethical risk: samples show drawn persons, and many of them together may still read as a stereotype; "
            "statements about a whole people are dropped by rule, which does not find every one (essentialism). "
            "Answers that a survey's majority gave may be unkind to minorities inside the culture. Names are given "
            "names common in the country and belong to nobody.",
        ]
    )


def write_contamination(facts: Facts) -> str:
    """Which benchmarks the data was checked against."""
    seen, dropped = _sum_stage(facts, "benchmarks")
    text = (
        "Samples are built from survey items. Do not evaluate on questionnaires or tests that use the same items: "
        f"{_list_items(facts)}."
    )
    if seen:
        number = len(facts.config.get("decontaminate") or ())
        return (
            f"Checked against {number or 'the given'} benchmark file(s): {dropped} of {seen} candidates dropped. {text}"
        )
    return f"Benchmarks used here: none; decontamination against benchmarks was not run (0 files checked). {text}"


def _list_items(facts: Facts) -> str:
    """The survey items behind the topics in the data; of topics whose files are gone, the topics."""
    asked = sorted({topic for _, topic in facts.answers})
    named = {f"{facts.topics[t].survey} {facts.topics[t].item}" if t in facts.topics else t for t in asked}
    return escape(", ".join(sorted(named, key=lambda name: (len(name), name))), 2000)


def is_self_judged(facts: Facts) -> bool:
    """Is the model that wrote the talks their only judge?"""
    roles = list_models(facts.run)
    judges = {model for model, parts in roles.items() if "judged" in parts}
    return bool(judges) and judges == {model for model, parts in roles.items() if "wrote the talks" in parts}


def list_gaps(facts: Facts) -> list[str]:
    """What is known to be missing or weak, from the figures."""
    gaps = []
    for culture, topics in facts.manifest.get("plan", {}).get("not_asked", {}).items():
        if topics and culture in facts.cultures:
            gaps.append(f"{culture}: the survey did not ask {len(topics)} topic(s) there: {', '.join(topics)}")
    # What a remark advises (after the semicolon) is for who runs the program, not for who reads the data's card.
    gaps += [str(remark).split("; choose with --")[0] for remark in facts.manifest.get("plan", {}).get("remarks", ())]
    wanted = facts.config["n"]
    if facts.counts.accepted < wanted:
        gaps.append(
            f"the run has {facts.counts.accepted} of {wanted} samples asked for (state {facts.manifest['state']})"
        )
    unjudged = facts.tags["unjudged"]
    if unjudged:
        gaps.append(f"{unjudged} samples were checked by rules only, since the model is too small to judge")
    if facts.config.get("engine") == "mock":
        gaps.append("made with a phrase book instead of a model: for trying things out, not for training")
    elif is_self_judged(facts):
        gaps.append("the judges' scores come from the model that wrote the talks: it may like its own words")
    if facts.tags["repaired"]:
        gaps.append(f"{facts.tags['repaired']} samples are reworded by a model after the talk (tag repaired)")
    if facts.tags["unknown_facts"]:
        gaps.append(f"{facts.tags['unknown_facts']} samples hold a statement no source at hand speaks of")
    if len(facts.cultures) == 1:
        gaps.append("one culture only: nothing here tells it from others")
    if set(facts.languages) == {"en"}:
        gaps.append("all texts are in English, whatever people of these cultures speak at home")
    gaps.append(
        "survey shares are unweighted; nobody from the cultures has reviewed the texts as far as this card knows"
    )
    gaps.append(
        "no variants in other wording, with typing errors, dialect or mixed languages: robustness is not measured"
    )
    return gaps


def _sum_stage(facts: Facts, stage: str) -> tuple[int, int]:
    by_culture = facts.counts.stages.get(stage, {}).values()
    return sum(n[0] for n in by_culture), sum(n[1] for n in by_culture)


def _by_culture(stage: Mapping[str, list[int]]) -> str:
    return ", ".join(f"{c} {d} of {s}" for c, (s, d) in sorted(stage.items()))


def _figure(figure: Mapping[str, Any] | None) -> str:
    return show_number(figure["value"] if figure else None)


def _share(figure: Mapping[str, Any] | None) -> str:
    return "-" if not figure or figure["value"] is None else f"{100 * figure['value']:.2f} %"


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"- ({figure.get('reason') or 'not defined'})"
    text = f"{figure['value']:.3f}"
    return text + (f" ({figure['low']:.3f} to {figure['high']:.3f})" if figure.get("low") is not None else "")
