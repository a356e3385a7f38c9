"""Sentences the language packs are tested with: a YAML file for each language, a line for each case."""

from __future__ import annotations

from pathlib import Path

import yaml

from culturepark.language import LanguagePack, load_language

RULES = ("refusal", "machine", "role_leak", "essentialism")
_AT_THE_START = ("agreement_openings", "gesture")


def read_cases(name: str, key: str) -> list[tuple[str, str]]:
    """Pairs of a kind of phrase and a text, from the lists called ``key``."""
    kinds = yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8"))
    return [
        (kind, line.replace("\u23ce", "\n"))
        for kind, lists in kinds.items()
        for line in lists.get(key, "").splitlines()
        if line.strip()
    ]


def is_caught(pack: LanguagePack, kind: str, text: str) -> bool:
    """Does the pack see this kind of phrase in the text, where the rules look for it?"""
    return pack.opens_with(kind, text) if kind in _AT_THE_START else bool(pack.find(kind, text))


def count_missed(name: str, kind: str) -> tuple[int, int]:
    """How many texts of the second list are not caught, and how many there are."""
    pack = load_language(name)
    texts = [text for one, text in read_cases(name, "more_hits") if one == kind]
    return sum(not is_caught(pack, kind, t) for t in texts), len(texts)


def list_false_alarms(name: str) -> list[tuple[str, str]]:
    """Clean texts of every kind, in which one of the four rules that drop sees something."""
    pack = load_language(name)
    clean = [text for key in ("clean", "more_clean") for _, text in read_cases(name, key)]
    return [(rule, text) for text in clean for rule in RULES if pack.find(rule, text)]
