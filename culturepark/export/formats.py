"""The formats a sample can take, one row each in ``FORMATS``: what its file is, and how a sample becomes a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from culturepark.errors import ConfigError
from culturepark.files import dump_line, nearest
from culturepark.records import Sample

Row = dict[str, Any]
# What a column holds: chat is a list of role and content, said one of from and value.
Kind = Literal["text", "whole", "real", "texts", "chat", "said", "verdicts"]
LINEAGE = ("dialogue", "speaker", "persona", "style", "scene", "model", "refine_model", "software")
ABOUT = ("culture", "country", "language", "topic", "theme")
_SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt"}


@dataclass(frozen=True, slots=True)
class Format:
    """One format. ``make`` gives ``None`` for a sample that has no such form; ``columns`` are its columns' kinds."""

    name: str
    file: Literal["parquet", "jsonl"]
    help: str
    make: Callable[[Sample], Row | None]
    columns: dict[str, Kind]


def make_messages(sample: Sample) -> Row:
    """A chat as TRL's ``SFTTrainer`` takes it, with what tells samples apart."""
    about = {name: getattr(sample, name) for name in ABOUT}
    rest = {"answer": sample.answer, "answer_label": sample.answer_label, "kind": sample.kind, "form": sample.form}
    return {"id": sample.id, "messages": list(sample.messages), **about, **rest}


def make_preference(sample: Sample) -> Row | None:
    """A pair as TRL's ``DPOTrainer`` takes it: conversational, with the prompt by itself."""
    if not sample.rejected:
        return None
    sides = {"prompt": list(sample.messages[:-1]), "chosen": [sample.messages[-1]], "rejected": list(sample.rejected)}
    return {"id": sample.id, **sides, **{name: getattr(sample, name) for name in ABOUT}, "origin": sample.origin}


def make_sharegpt(sample: Sample) -> Row:
    """``conversations`` of ``from`` (system, human, gpt) and ``value``."""
    said = [{"from": _SHAREGPT[m["role"]], "value": m["content"]} for m in sample.messages]
    return {"id": sample.id, "conversations": said, **{name: getattr(sample, name) for name in ABOUT}}


def make_alpaca(sample: Sample) -> Row:
    """Instruction, input, output and system; all are text. What was said before the last question is the input."""
    system = "\n".join(m["content"] for m in sample.messages if m["role"] == "system")
    talk = [m for m in sample.messages[:-1] if m["role"] != "system"]
    before = "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in talk[:-1])
    row = {"instruction": talk[-1]["content"], "input": before, "output": sample.messages[-1]["content"]}
    return {"id": sample.id, **row, "system": system, **{name: getattr(sample, name) for name in ABOUT}}


def make_openai(sample: Sample) -> Row:
    """``messages`` and nothing else: the fine-tuning service refuses other keys."""
    return {"messages": [{"role": m["role"], "content": m["content"]} for m in sample.messages]}


def make_full(sample: Sample) -> Row:
    """Everything that is known of a sample; what has many shapes (findings, lineage) is JSON text."""
    story, seed = sample.lineage, sample.lineage.get("survey") or {}
    plain = sample.model_dump(mode="json", exclude={"findings", "lineage"})
    return {
        **plain,
        "survey": _text(seed.get("survey")),
        "item": _text(seed.get("item")),
        "survey_share": seed.get("share"),
        "survey_n": seed.get("n_valid"),
        **{name: _text(story.get(name)) for name in LINEAGE},
        "findings": _text(sample.findings.model_dump(mode="json")),
        "lineage": _text(story),
    }


def _text(value: Any) -> str:
    """A value of unknown shape as text: words as they are, nothing as nothing, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else dump_line(value).decode("utf-8").strip()


def _texts(*names: str) -> dict[str, Kind]:
    return dict.fromkeys(names, "text")


_ABOUT = _texts(*ABOUT)
_ANSWER: dict[str, Kind] = {"answer": "whole", **_texts("answer_label", "kind", "form")}
_FULL: dict[str, Kind] = {
    "version": "whole",
    "id": "text",
    "messages": "chat",
    **_ABOUT,
    **_ANSWER,
    "rejected": "chat",
    **_texts("origin", "survey", "item"),
    "survey_share": "real",
    "survey_n": "whole",
    **_texts(*LINEAGE),
    "tags": "texts",
    "verdicts": "verdicts",
    **_texts("findings", "lineage"),
}
_PAIR: dict[str, Kind] = {"prompt": "chat", "chosen": "chat", "rejected": "chat"}
FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            "messages",
            "parquet",
            "chats for TRL's SFTTrainer and most trainers",
            make_messages,
            {"id": "text", "messages": "chat", **_ABOUT, **_ANSWER},
        ),
        Format(
            "preference",
            "parquet",
            "prompt, chosen and rejected for TRL's DPOTrainer",
            make_preference,
            {"id": "text", **_PAIR, **_ABOUT, "origin": "text"},
        ),
        Format("parquet", "parquet", "whole samples with survey item, verdicts and lineage", make_full, _FULL),
        Format(
            "sharegpt",
            "jsonl",
            "conversations for LLaMA-Factory and Axolotl",
            make_sharegpt,
            {"id": "text", "conversations": "said", **_ABOUT},
        ),
        Format(
            "alpaca",
            "jsonl",
            "instruction, input and output for LLaMA-Factory and Axolotl",
            make_alpaca,
            {**_texts("id", "instruction", "input", "output", "system"), **_ABOUT},
        ),
        Format("openai", "jsonl", "files for OpenAI's fine-tuning service", make_openai, {"messages": "chat"}),
    )
}


def choose_formats(names: Iterable[str]) -> tuple[Format, ...]:
    """The formats of these names, each once, in the order given. Raises ``ConfigError`` for one that is none."""
    found: dict[str, Format] = {}
    for name in names:
        if name not in FORMATS:
            hint = nearest(name, FORMATS)
            raise ConfigError(f"there is no format {name!r}{hint}; there are: {', '.join(FORMATS)}")
        found[name] = FORMATS[name]
    if not found:
        raise ConfigError(f"no format is given; there are: {', '.join(FORMATS)}")
    return tuple(found.values())


def choose_primary(formats: Sequence[Format]) -> str:
    """The format whose configurations get the plain names: the first that the Hub shows well, else the first."""
    return next((f.name for f in formats if f.file == "parquet"), formats[0].name)
