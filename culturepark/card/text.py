"""Text for a card: words of surveys, personas and models become plain Markdown that no reader's browser obeys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_JOINERS = "\u200c\u200d"  # part of the spelling in Arabic and Bengali script
_MARKS = re.compile(r"([\\`*_{}\[\]#|~$@!])")
_LINKS = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")
_LISTS = re.compile(r"^([-+=]|\d+[.)])(?=\s)")
_SECRETS = re.compile(r"\b(?:sk-|sk_|gsk_|hf_|AIza|xai-)[A-Za-z0-9_\-]{12,}")


class Markup(str):
    """Text that is Markdown already."""

    __slots__ = ()


def flatten(text: object, most: int = 400) -> str:
    """One line without anything a terminal or browser would obey, cut to ``most`` characters."""
    flat = " ".join(str(text).split())
    flat = "".join(c for c in flat if c.isprintable() or c in _JOINERS)
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def escape(text: object, most: int = 400) -> Markup:
    """Any text as Markdown that shows it as it is: no markup, HTML, link or mention."""
    if isinstance(text, Markup):
        return text
    flat = _MARKS.sub(r"\\\1", flatten(text, most))
    flat = _LISTS.sub(lambda m: f"{m[1][:-1]}\\{m[1][-1]}", flat)
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(_LINKS.sub(lambda m: f"{m[1]}\\{m[2]}", flat))


def quote_code(text: object, most: int = 200) -> Markup:
    """Text as a code span that also stands inside a table."""
    flat = flatten(text, most).replace("`", "'").replace("|", "\\|").strip()
    return Markup(f"`{flat}`" if flat else "-")


def fence(text: str, language: str = "") -> str:
    """A block of code that its own content cannot end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    bar = "`" * max(3, longest + 1)
    return f"{bar}{language}\n{text.rstrip()}\n{bar}"


def make_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; cells that are no ``Markup`` are escaped."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def fold(summary: str, body: str) -> str:
    """Something long that opens on a click."""
    return f"<details>\n<summary>{escape(summary)}</summary>\n\n{body}\n\n</details>"


def show_number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def show_share(part: float, whole: float) -> str:
    """A share in percent, one digit behind the point."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def strip_secrets(text: str) -> str:
    """The text without anything that looks like an access key."""
    return _SECRETS.sub("[removed]", text)
