"""Telephone numbers: international ones, the national shapes of the project's countries, others beside a cue word.

Limits: emergency and service numbers of up to five digits pass, and so do numbers of eight digits without a cue.
"""

from __future__ import annotations

import re

from culturepark.refine.stages.personal.found import (
    Found,
    count_digits,
    is_counted,
    is_plain_number,
    shape,
)

_GAP = r"[ .\-/()]{0,2}"


_INTERNATIONAL = shape(r"(?:\(?\+ ?|00 ?)[1-9]\d{0,2}(?:[ .\-/()]{0,3}\d){6,12}")
_NATIONAL = (
    shape(rf"\(?0[1-9](?:{_GAP}\d){{7,10}}"),  # most of the world: a zero, then the area
    shape(
        r"0[1-9][ \-/]\d{3}[ -]?\d{3}|\(?0\d{2,4}\)?(?: ?[/-] ?|(?<=\)) )\d{4,8}(?:[ -]\d{1,4})?"
    ),  # Lebanon, Germany
    shape(r"(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}|555-\d{4}"),  # North America, Chinese service
    shape(r"(?:86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}"),  # China
    shape(r"1[5-8]\d\d-\d{4}|(?:010|02)[ .-]?\d{3,4}[ .-]?\d{4}"),  # Korea
    shape(
        r"(?:\(?[1-9]\d\)?[ -]?)?9 ?\d{4}[-. ]\d{4}|\(?[1-9]\d\)?[ -][2-5]\d{3}[- ]\d{4}|0[38]00[ -]\d{3}[ -]\d{4}"
    ),  # Brazil
    shape(r"\(?(?:11|[23]\d{2,3})\)?[ -](?:15[ -])?\d{3,4}[ -]\d{4}|15[ -]\d{4}[ -]\d{4}"),  # Argentina
    shape(
        r"(?:90 )?\(?[2-5]\d{2}\)?[ .-]\d{3}[ .-]\d{2}[ .-]?\d{2}|444[ -]\d[ -]\d{3}|444[ -]\d{2}[ -]\d{2}"
    ),  # Turkey
    shape(r"[6-9]\d{2}(?:[ .-]\d{2}){3}|[89]\d[ .-]\d{3}(?:[ .-]\d{2}){2}"),  # Spain
)
_LOCAL = {
    "es": (shape(r"[67]\d{8}|[6-9]\d{2}[ .-]\d{3}[ .-]\d{3}"),),
    "pt": (shape(r"9[1236]\d ?\d{3} ?\d{3}|2[1-9]\d[ .-]\d{3}[ .-]\d{3}|2[12](?:[ .-]\d{3})[ .-]\d{2}[ .-]?\d{2}"),),
    "ar": (shape(r"[24579]\d[ .\-/]\d{3}[ .-]?\d{3}"), shape(r"[24579]\d(?: \d{2}){3}")),
    "bn": (shape(r"(?:880)?1[3-9]\d{2}[ -]?\d{3}[ -]?\d{3}"),),
}
_COMPACT = re.compile(rf"\d(?:{_GAP}\d){{5}}")
_NUMBER = shape(rf"\(?\+?\d(?:{_GAP}\d){{5,14}}")
_BEFORE = re.compile(
    r"\b(?:phone|mobile|cell(?:phone)?|what'?s ?app|call (?:me|him|her|us|them|this)|text me|ring me|dial"
    r"|reach me|tel|fax|hotline"
    r"|(?:my|his|her|the) number|telefon\w*|handy\w*|mobil|durchwahl|rufnummer|(?:meine|unter der|ihre) nummer"
    r"|erreich\w*"
    r"|tel[eé]fono|m[oó]vil|celular|ll[aá]m[ae]\w*|(?:mi|su|al|el|o meu|meu|ao) n[uú]mero|telefone|telem[oó]vel"
    r"|ligu?[aue]\w{0,3}|zap"
    r"|cep|numara\w*|ara(?:y[ıi]n|yabilir|rsan|s[ıi]n)\w*)\b"
    r"|전화|핸드폰|휴대폰|연락처|연락|번호|电话|手机|号码|微信|拨打|联系|打给|致电"
    r"|هاتف|جوال|موبايل|تليفون|تلفون|رقمي|رقمه|الرقم|اتصل|واتس|محمول|ফোন|মোবাইল|নম্বর|নাম্বার|কল |হোয়াটস|যোগাযোগ",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r".{0,14}?(?:전화|연락|번으로|\bara(?:y|s|r|d)|is my (?:number|phone|cell)|নম্বরে|নাম্বারে|打电话)", re.IGNORECASE
)

_FIGURES = {
    "en": "zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|double|triple",
    "de": "null|eins|zwei|zwo|drei|vier|fünf|sechs|sieben|acht|neun",
    "es": "cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve",
    "pt": "zero|um|dois|três|quatro|cinco|seis|meia|sete|oito|nove",
    "tr": "sıfır|bir|iki|üç|dört|beş|altı|yedi|sekiz|dokuz",
    "ar": "صفر|واحد|اثنان|اثنين|اتنين|ثلاثة|تلاتة|أربعة|اربعة|خمسة|ستة|سبعة|ثمانية|تمانية|تسعة",
    "bn": "শূন্য|শুন্য|এক|দুই|তিন|চার|পাঁচ|ছয়|ছয়|সাত|আট|নয়|নয়",
}
_SYLLABLES = {"ko": tuple("공영일이삼사오육칠팔구"), "zh": tuple("零〇幺一二三四五六七八九")}
_SPOKEN = {
    tag: re.compile(rf"(?<!\w)(?:{words})(?:[ ,.\-،]{{1,3}}(?:{words})){{6,}}(?!\w)", re.IGNORECASE)
    for tag, words in _FIGURES.items()
}
_KOREAN = "[공영일이삼사오육칠팔구]"
_SPOKEN["ko"] = re.compile(
    rf"(?<![가-힣]){_KOREAN}{{3}}[에의 ,\-]{{1,2}}{_KOREAN}{{3,4}}[에의 ,\-]{{1,2}}{_KOREAN}{{4}}"
)
_SPOKEN["zh"] = re.compile(r"[零〇幺一二三四五六七八九]{7,}|(?:[零〇幺一二三四五六七八九][ ，、]){6,}")


def find_phone(text: str, tag: str) -> Found | None:
    """The first telephone number in a levelled text; ``tag`` is the language's (``es``)."""
    if not _COMPACT.search(text):
        return None
    for pattern in (_INTERNATIONAL, *_NATIONAL, *_LOCAL.get(tag, ())):
        for m in pattern.finditer(text):
            if not is_plain_number(m[0].lstrip("+")) and not is_counted(text, m.start(), m.end()):
                return Found("phone", m[0])
    for m in _NUMBER.finditer(text):
        if is_plain_number(m[0]) or is_counted(text, m.start(), m.end()) or count_digits(m[0]) > 15:
            continue
        if _BEFORE.search(text, max(0, m.start() - 40), m.start()) or _AFTER.match(text, m.end()):
            return Found("phone", m[0])
    return None


def find_spoken_phone(text: str, tag: str) -> Found | None:
    """Seven figures or more in words, one after the other."""
    low = text.lower()
    figures = _SYLLABLES.get(tag) or tuple(_FIGURES.get(tag, "").split("|"))
    if tag not in _SPOKEN or sum(map(low.count, figures)) < 7:
        return None
    for m in _SPOKEN[tag].finditer(low):
        said = [figures.index(f) for f in re.findall("|".join(figures), m[0])]
        steps = [b - a for a, b in zip(said, said[1:], strict=False)]
        if not all(0 < s < 4 for s in steps) and not all(-4 < s < 0 for s in steps):  # counting up or down
            return Found("phone", text[m.start() : m.end()])
    return None
