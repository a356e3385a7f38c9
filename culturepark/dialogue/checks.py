"""Pure rules that catch a bad turn. Each returns a reason code or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from culturepark.dialogue.repetition import shares_run
from culturepark.language import LanguagePack, is_wrong_language, split_sentences, words
from culturepark.language.phrases import fold
from culturepark.llm.base import Reply

# What the model is told when a turn is sent back, by reason code.
ASK_AGAIN = {
    "empty": "it was empty",
    "cut_off": "it was too long and broke off",
    "filtered": "the server held it back",
    "refusal": "it declined to speak; this is an everyday talk between people about their own lives",
    "as_an_ai": "it spoke as a program, not as the person you are",
    "role_leak": "it spoke about the set-up instead of staying in the talk",
    "speaks_for_other": "it wrote the other person's words too",
    "wrong_language": "it was in the wrong language",
    "copies_prompt": "it repeated the instructions word for word",
    "echo": "it repeated what was said before word for word",
}


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A turn's text after harmless wrapping was taken off, and which wrapping it was."""

    text: str
    flags: tuple[str, ...]


def clean_turn(text: str, reply: Reply, own_name: str, language: LanguagePack) -> Cleaned:
    """Take off the speaker's own name in front, enclosing quotes and stage directions; cut a torn last sentence."""
    flags = []
    text = text.strip()
    prefix = rf"^[\*_\[(]*{re.escape(own_name)}[\*_\])]*(?: \([^)\n]{{1,40}}\))?\s*[:\uff1a]\**[^\S\n]*"
    named = ":" in text or "\uff1a" in text
    without = re.sub(prefix, "", text, flags=re.IGNORECASE | re.MULTILINE).strip() if named else text
    if without != text:
        text, flags = without, ["own_name_prefix"]
    without = _drop_gestures(text, language)
    if without != text:
        text = without
        flags.append("stage_directions")
    if re.fullmatch('["\u201c][^"\u201c\u201d]+["\u201d]', text):
        text = text[1:-1].strip()
        flags.append("enclosing_quotes")
    if reply.finish == "length":
        sentences = split_sentences(text, language.tag)
        if len(sentences) > 1 and sum(len(words(s)) for s in sentences[:-1]) >= 6:
            text = text[: text.rindex(sentences[-1])].strip()
            flags.append("torn_end_cut")
    return Cleaned(text, tuple(flags))


_ASIDE = re.compile(r"(?<!\*)\*([^*\n]{1,80})\*(?!\*)|\(([^()\n]{1,80})\)")


def _drop_gestures(text: str, language: LanguagePack) -> str:
    """The text without asides that tell what the body does; of a stressed *word* only the stars go."""

    def replace(aside: re.Match[str]) -> str:
        starred, inner = aside[1] is not None, aside[1] or aside[2]
        before, after = text[: aside.start()].rstrip(" "), text[aside.end() :].lstrip(" ")
        starts, short = not before or before[-1] in '.!?\u2026"\u201d\n', len(words(inner)) <= 3
        gesture = language.opens_with("gesture", inner) and (starred or starts or short)
        told = starts and len(words(inner)) > 1 and (not after or after[0].isupper() or after[0] in '"\u201c\n')
        if gesture or (told and not language.find("first_person", inner)):
            return ""
        return inner if starred else aside[0]

    without = _ASIDE.sub(replace, text)
    return text if without == text else re.sub(r" +(?=[ .,!?;]|$)", "", without, flags=re.MULTILINE).strip()


def find_fault(
    cleaned: Cleaned,
    reply: Reply,
    others: list[str],
    said_before: list[str],
    instructions: tuple[str, ...],
    language: LanguagePack,
) -> str:
    """Why a turn cannot stay, as a reason code; empty if it can.

    ``others`` are the names at the table, ``said_before`` earlier turns, ``instructions`` the prompt
    text that must not be repeated.
    """
    text = cleaned.text
    if reply.refusal:
        return "refusal"
    if reply.finish == "filter":
        return "filtered"
    if not words(text):
        return "empty"
    if reply.finish == "length" and "torn_end_cut" not in cleaned.flags:
        return "cut_off"
    if language.find("machine", text):
        return "as_an_ai"
    if language.find("refusal", text):
        return "refusal"
    if any(speaks_as(name, text) for name in others):
        return "speaks_for_other"
    if language.find("role_leak", text):
        return "role_leak"
    if is_wrong_language(text, language):
        return "wrong_language"
    if shares_run(text, instructions, 10):
        return "copies_prompt"
    if shares_run(text, said_before, 12):
        return "echo"
    return ""


def speaks_as(name: str, text: str) -> bool:
    """Does a line, or a sentence inside the text, begin with a name and a colon?"""
    if (":" not in text and "\uff1a" not in text) or fold(name) not in fold(text):
        return False
    begins, aside = r"(?:^|\n|[.!?\u2026\"\u201d)]\s)\W{0,6}", r"\W{0,3}(?:\([^)\n]{1,40}\)\W{0,2})?"
    return bool(re.search(rf"{begins}{re.escape(name)}{aside}\s*[:\uff1a]", text, re.IGNORECASE))
