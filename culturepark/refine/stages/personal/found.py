"""What finders share: one form of digits and signs, the edges of a number, and what is no personal number."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import NamedTuple


class Found(NamedTuple):
    """One piece of personal data: what it is and how it is written."""

    kind: str
    value: str


_DIGITS = {
    c: str(unicodedata.digit(chr(c))) for c in range(0x660, sys.maxunicode) if unicodedata.category(chr(c)) == "Nd"
}
_WIDE = {c: chr(c - 0xFEE0) for c in range(0xFF01, 0xFF5F)}
_SIGNS = {
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63ー"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u2007\u2009\u202f\u3000"), " "),
    **dict.fromkeys(
        map(
            ord,
            "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff",
        )
    ),
    ord("\u3002"): ". ",
    ord("\u2019"): "'",
    ord("\u066b"): ",",
    ord("\u066c"): ",",
}
_TABLE: dict[int, str | None] = {**_WIDE, **_DIGITS, **_SIGNS}


def level(text: str) -> str:
    """The text with ASCII digits and signs and without invisible characters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_TABLE)


# Edges of a number: not inside a word, a decimal, a time or a longer number. Korean and Chinese words may touch it.
LEFT = r"(?<![A-Za-z0-9])(?<!\d[.,:/\-])(?<![$\u20ac\u00a3\u20a9\u00a5\u20ba\u09f3])"
RIGHT = r"(?![A-Za-z0-9])(?![.,:/\-]\d)"


def shape(pattern: str) -> re.Pattern[str]:
    """The pattern between the edges of a number."""
    return re.compile(f"{LEFT}(?:{pattern}){RIGHT}")


_COUNTED = re.compile(
    r"\s?(?:[%\u00b0$\u20ac\u00a3\u00a5\u20a9\u20ba\u09f3]|(?:euros?|dollars?|pounds?|won|yen|yuan|rmb|taka"
    r"|lira|liras\u0131?|tl|krw|usd|eur"
    r"|bdt|try|brl|ars|egp|pesos?|reais|d[o\u00f3]lares|dinars?|dirhams?|francs?|cents?|km|kg|cm|mm|meters?"
    r"|metres?|metros|meter"
    r"|people|persons?|inhabitants|voters|votes|years?|a\u00f1os|anos|jahre|y\u0131l|habitantes|personas"
    r"|pessoas|menschen|einwohner"
    r"|ki\u015fi|veces|vezes|votos|stimmen|oy|steps|millones|milh\u00f5es)\b"
    r"|원|만|억|명|년|표|元|块|万|亿|人|年|米|票"
    r"|হ\u09beজ\u09beর|ল\u09beখ|ক\u09cbট\u09bf|ট\u09beক\u09be|জন|বছর"
    r"|دينار|درهم|جنيه|ليرة|ريال|دولار"
    r"|ألف|مليون|شخص|نسمة|صوت|سنة|عام)",
    re.IGNORECASE,
)
_PRICED = re.compile(
    r"(?:[$\u20ac\u00a3\u20a9\u00a5\u20ba\u09f3]|\b(?:usd|eur|brl|bdt|krw|rmb|tl|egp|rs))\.?\s?$", re.IGNORECASE
)
_YEAR = r"(?:1[5-9]|20)\d\d"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?:{_DAY}[./\-] ?{_MONTH}|{_MONTH}[./\-] ?{_DAY})[./\-] ?(?:{_YEAR}|\d\d)\b"
    rf"|{_YEAR}[./\-]{_MONTH}(?:[./\-]{_DAY})?\b|{_YEAR}[ \-/.]{{1,3}}(?:{_YEAR}|\d\d)\b(?![ \-./]?\d)"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d{0,2}(?: \d{3})*(?: 000)+|[1-9]0{5,}")


def is_counted(text: str, start: int, end: int) -> bool:
    """Is the number at this place a price, a count or a measure?"""
    return bool(_COUNTED.match(text, end) or _PRICED.search(text, max(0, start - 6), start))


def is_plain_number(value: str) -> bool:
    """Is it a date, a span of years, or a big number with its thousands set apart?"""
    value = value.strip(" ()")
    return bool(_DATE.match(value) or _THOUSANDS.fullmatch(value))


def count_digits(text: str) -> int:
    """How many digits a text holds."""
    return sum(c.isdigit() for c in text)
