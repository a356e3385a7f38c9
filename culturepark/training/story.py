"""What a training leaves to read: the model card with its data's lineage, and answers before and after."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import yaml

from culturepark.card.settings import settle
from culturepark.card.terms import list_cautions, list_models
from culturepark.culture.scenarios import Topic
from culturepark.errors import CultureParkError
from culturepark.runs.folder import Run
from culturepark.training.embedded import LICENCE
from culturepark.version import __version__

Answers = Sequence[Mapping[str, str]]
_PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def list_versions() -> dict[str, str]:
    """Versions of what trains."""
    found = {"culturepark": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def trace_data(run: Run, culture: str | None, counts: Mapping[str, Any], mixed: int) -> dict[str, Any]:
    """Where the training data comes from: the run, its models, its survey, its rows."""
    config = run.manifest.get("config", {})
    return {
        "run": run.manifest.get("run_id") or run.path.name,
        "fingerprint": run.manifest.get("fingerprint", ""),
        "software": run.manifest.get("versions", {}).get("culturepark", ""),
        "seed": config.get("seed"),
        "engine": config.get("engine"),
        "model": config.get("model"),
        "refine_model": config.get("refine_model") or config.get("model"),
        "judges": list(config.get("judges") or ()),
        "culture": culture or "all",
        "rows": dict(counts),
        "general_rows": mixed,
        **_read_terms(run),
        "survey": "World Values Survey wave 7 (2017-2022), unweighted shares; non-profit use, with citation",
    }


def _read_terms(run: Run) -> dict[str, Any]:
    """The licence stated for the data, and what models' terms ask of whoever trains on it."""
    try:
        licence = settle(run.path).licence
    except CultureParkError:  # somebody else's README: it must not end a training that is done
        licence = None
    named = licence.name or licence.id if licence else ""
    return {"licence": named, "terms": list_cautions(list_models(run), licence)}


def choose_questions(topics: Sequence[Topic], count: int) -> list[tuple[str, str]]:
    """One question of each of the first topics, as topic and words."""
    return [(topic.id, topic.questions[0]) for topic in topics[:count]]


def write_answers(answers: Answers) -> str:
    """Answers side by side as Markdown."""
    rows = ["| topic | question | before | after |", "| --- | --- | --- | --- |"]
    rows += [f"| {a['topic']} | {_cell(a['question'])} | {_cell(a['before'])} | {_cell(a['after'])} |" for a in answers]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    flat = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return flat.replace("<", "&lt;").replace(">", "&gt;") or "(nothing)"


def write_model_card(facts: Mapping[str, Any], answers: Answers) -> str:
    """The README of an adapter: Hub metadata, what it is and is not for, data, training, what changed."""
    data, base = facts["data"], facts["base_model"]
    head: dict[str, Any] = {"library_name": "peft", "pipeline_tag": "text-generation", "language": facts["languages"]}
    if "/" in base:
        head["base_model"] = base
    if facts["base_model_given"] == "embedded":
        head["license"] = LICENCE
    head["tags"] = [
        "culturepark",
        "lora",
        "culture",
        "base_model:adapter",
        *(["dpo"] if "dpo" in facts["method"] else ["sft"]),
    ]
    whose = "several cultures" if data["culture"] == "all" else f"the culture {data['culture']!r}"
    return "\n".join(
        [
            "---",
            yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip(),
            "---",
            "",
            f"# {base}, with a LoRA adapter for {whose}",
            "",
            f"Trained by CulturePark {__version__} on dialogues of synthetic persons whose opinions follow measured "
            "survey answers.",
            "",
            "**Not for**: speaking for a people or a person, predicting what somebody thinks, or any decision about "
            "people. Its words are made by models; nobody of the culture has approved them.",
            "",
            *_describe_data(data),
            *_describe_training(facts),
            *_describe_change(facts, answers),
            "## Use",
            "",
            "```python",
            "from peft import PeftModel",
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            f'model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{base}"), "THIS_FOLDER")',
            'tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")',
            "```",
            "",
        ]
    )


def _describe_data(data: Mapping[str, Any]) -> list[str]:
    rows = [f"| {kind} | {split} | {n} |" for kind, part in data["rows"].items() for split, n in part.items()]
    judges = ", ".join(data["judges"]) or "the refining model"
    return [
        "## Data",
        "",
        f"- Run `{data['run']}` of CulturePark {data['software']}, seed {data['seed']}, fingerprint "
        f"`{data['fingerprint']}`.",
        f"- Talks written by `{data['model'] or data['engine']}`, read by `{data['refine_model'] or data['engine']}`, "
        f"judged by {judges}: their makers' terms go with the data.",
        f"- Survey: {data['survey']}.",
        f"- Licence of the data: {data['licence'] or 'not stated yet; state one before you pass on data or adapter'}.",
        *(f"- {term}" for term in data["terms"]),
        f"- General rows mixed in: {data['general_rows']}.",
        "",
        "| kind | split | rows |",
        "| --- | --- | --- |",
        *rows,
        "",
        f"Splits: {data['split']}; no person and no talk is on two sides. Topics of the test that were not trained on: "
        f"{', '.join(data['held_out_topics']) or 'none'}.",
        "",
    ]


def _describe_training(facts: Mapping[str, Any]) -> list[str]:
    keys: tuple[str, ...] = (
        "method",
        "epochs",
        "learning_rate",
        "batch_size",
        "accumulate",
        "max_length",
        "lora_r",
        "lora_alpha",
        "seed",
    )
    if facts["settings"]["max_steps"]:  # it ends there, however many passes were asked for
        keys = tuple("max_steps" if key == "epochs" else key for key in keys)
    shown = ", ".join(f"{key} {facts['settings'][key]}" for key in keys)
    versions = ", ".join(f"{k} {v}" for k, v in facts["versions"].items())
    losses = [
        f"- {name}: loss {first:.3f} at the start, {last:.3f} at the end" for name, first, last in facts["losses"]
    ]
    return [
        "## Training",
        "",
        f"LoRA on all linear layers{' of a 4-bit base (QLoRA)' if facts['quantised'] else ''}; loss on the assistant's "
        f"words alone; {facts['steps']} steps; {shown}. {versions}.",
        "",
        *losses,
        "",
        "![training curve](curve.svg)",
        "",
        *([*(f"- {remark}" for remark in facts["remarks"]), ""] if facts["remarks"] else []),
    ]


def _describe_change(facts: Mapping[str, Any], answers: Answers) -> list[str]:
    lines = ["## What changed", ""]
    fit = facts["survey_fit"]
    if fit.get("probes"):
        lines += [
            f"{fit['probes']} survey items that no training row is about, answered by option probabilities "
            "(two orders, averaged), against the survey:",
            "",
            "| | before | after | shift toward the survey |",
            "| --- | --- | --- | --- |",
            f"| Jensen-Shannon distance | {fit['before']['distance']:.3f} | {fit['after']['distance']:.3f} | "
            f"{_sign(fit['shift']['distance'])} |",
            f"| gap of the expected answer (share of the scale) | {fit['before']['gap']:.3f} | "
            f"{fit['after']['gap']:.3f} | {_sign(fit['shift']['gap'])} |",
            "",
            f"Nearer on {fit['nearer']} of {fit['probes']} items; each one is in `survey_fit.jsonl`.",
            "",
        ]
    if answers:
        lines += ["Likeliest answers to questions about topics that were not trained on:", "", write_answers(answers)]
    return lines


def _sign(change: float) -> str:
    return f"{change:+.3f}" if round(change, 3) else "0.000"
