"""What the programs that read an export ask of a row and of a file; a row that breaks a rule is left out and counted.

Limits: tokens are estimated from characters, since every trainer counts with another tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from culturepark.export.formats import Row
from culturepark.export.records import Part
from culturepark.records import Sample

Messages = Sequence[Mapping[str, str]]
OPENAI_ROW_TOKENS, OPENAI_LEAST_ROWS, OPENAI_FILE_BYTES = 65_536, 10, 512_000_000
_LETTERS, _OTHERS, _AROUND = 4.0, 1.6, 4  # characters a token in ASCII, elsewhere; tokens around a message


def find_fault(sample: Sample) -> str:
    """What makes a sample's chat unfit for every trainer, in one word; empty where nothing does.

    The roles are an optional system message, then user and assistant in turn; the assistant has the last word.
    """
    fault = _find_chat_fault(sample.messages)
    if not fault and sample.rejected:
        if [m.get("role") for m in sample.rejected] != ["assistant"] or not _says(sample.rejected[0]):
            return "bad_rejected_answer"
        if sample.rejected[0]["content"].strip() == sample.messages[-1]["content"].strip():
            return "equal_answers"
    return fault


def _find_chat_fault(messages: Messages) -> str:
    talk = messages[1:] if messages and messages[0].get("role") == "system" else messages
    if len(talk) < 2 or len(talk) % 2:
        return "bad_roles"
    if any(m.get("role") != ("user", "assistant")[k % 2] for k, m in enumerate(talk)):
        return "bad_roles"
    return "" if all(map(_says, messages)) else "empty_message"


def _says(message: Mapping[str, str]) -> bool:
    return bool(message.get("content", "").strip())


def estimate_tokens(messages: Messages) -> int:
    """About how many tokens a chat has for a large model's tokenizer."""
    total = 0.0
    for message in messages:
        text = message["content"]
        plain = sum(map(str.isascii, text)) if not text.isascii() else len(text)
        total += plain / _LETTERS + (len(text) - plain) / _OTHERS + _AROUND
    return round(total)


class OpenAiRules:
    """The rules of OpenAI's fine-tuning files; tokens are counted over the rows that keep them."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}

    def take(self, row: Row, split: str) -> str:
        """What is wrong with a row, in one word; empty where nothing is."""
        tokens = estimate_tokens(row["messages"])
        if tokens > OPENAI_ROW_TOKENS:
            return "too_long"
        self._tokens[split] = self._tokens.get(split, 0) + tokens
        return ""

    def describe(self, parts: Sequence[Part]) -> Iterator[str]:
        """What the user should know of the files."""
        own = [part for part in parts if part.format == "openai"]
        if own:
            counted = ", ".join(f"{split} {n}" for split, n in sorted(self._tokens.items()))
            yield f"openai: about {counted} tokens an epoch, by estimate"
        few = [part.culture for part in own if part.split == "train" and part.rows < OPENAI_LEAST_ROWS]
        if few:
            yield f"openai: a training file needs {OPENAI_LEAST_ROWS} rows at least, not so many have {', '.join(few)}"
        for part in own:
            if part.bytes > OPENAI_FILE_BYTES:
                yield f"openai: {part.files[0]} is over {OPENAI_FILE_BYTES // 1_000_000} MB, too large for one upload"
