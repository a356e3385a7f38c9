"""Exact dates of birth: day, month and year beside a word for being born.

Limits: a year alone, or a birthday without its year, names nobody and passes.
"""

from __future__ import annotations

import re

from culturepark.refine.stages.personal.found import Found

_MONTHS = (
    "jan(?:uar[yi]?|eiro)?|feb(?:ruar[yi]?)?|fev(?:ereiro)?|m[aä]r(?:ch|z)?|março|apr(?:il)?|abr(?:il)?"
    "|ma[iy]o?|june?|juni|junho|junio|july?|juli|julho|julio"
    "|aug(?:ust)?|ago(?:sto)?|sep(?:t(?:ember|iembre)?)?|set(?:embro|iembre)?|o[ck]t(?:ober|ubre)?|out(?:ubro)?"
    "|nov(?:ember|iembre|embro)?|de[cz](?:ember|embro)?|dic(?:iembre)?"
    "|enero|febrero|marzo|ocak|şubat|mart|nisan|mayıs|haziran|temmuz|ağustos|eylül|ekim|kasım|aralık"
    "|يناير|فبراير|مارس|أبريل|ابريل|إبريل|مايو|ماي|يونيو|يوليو|يوليوز|أغسطس|غشت|أوت|سبتمبر|شتنبر|أكتوبر|اكتوبر"
    "|نوفمبر|نونبر|ديسمبر|دجنبر"
    "|كانون الثاني|شباط|آذار|اذار|نيسان|أيار|ايار|حزيران|تموز|آب|أيلول|ايلول|تشرين الأول|تشرين الثاني|كانون "
    "الأول|جانفي|فيفري|أفريل|جوان|جويلية"
    "|জানুয়ারি|জানুয়ারি|জানুয়ারী|ফেব্রুয়ারি|ফেব্রুয়ারি|ফেব্রুয়ারী|মার্চ|এপ্রিল|মে|জুন|জুলাই|আগস্ট|আগষ্ট"
    "|সেপ্টেম্বর|অক্টোবর|নভেম্বর|ডিসেম্বর"
)
_YEAR = r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th|\.|º|°|ই|লা|শে)? ?(?:of |de |den |من )?(?:{_MONTHS})\.?,?(?: de | del | of |, "
    rf"| )?{_YEAR}|(?:{_MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?,? {_YEAR}"
    rf"|(?<!\d)\d{{1,2}}[./-] ?\d{{1,2}}[./-] ?(?:{_YEAR}|\d\d)(?!\d)|{_YEAR} ?[./-] ?\d{{1,2}} ?[./-] ?\d{{1,2}}(?!\d)"
    rf"|(?:{_YEAR}|\d\d) ?[年년] ?\d{{1,2}} ?[月월] ?\d{{1,2}} ?[日号일]",
    re.IGNORECASE,
)
_DATED = re.compile(rf"{_YEAR}|\d[./-] ?\d|\d ?[年년]")
_CUE = re.compile(
    r"\bborn\b|\bbirth(?:day|date)?\b|\bd\.?o\.?b\b|\bgeboren\w*|\bgeburts\w*|\bnac(?:í|i|ió|ido|ida|imiento)\b"
    r"|\bnasc(?:i|eu|ido|ida|imento)\b|\baniversário\b|\bcumpleaños\b"
    r"|\bdoğum\w*|\bdoğdu\w*|생년월일|생일|태어|출생|出生|生日|生于|ميلاد\w*|ولدت|ولد |مولود|জন্ম",
    re.IGNORECASE,
)


def find_birth(text: str) -> Found | None:
    """The first exact date of birth in a levelled text."""
    if not _DATED.search(text) or not _CUE.search(text):
        return None
    for m in _DATE.finditer(text):
        if _CUE.search(text, max(0, m.start() - 40), m.start()) or _CUE.search(text, m.end(), m.end() + 18):
            return Found("date of birth", m[0])
    return None
