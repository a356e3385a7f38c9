"""Numbers that name one person or account: identity cards, tax, insurance, passports, plates, cards, banks.

A shape with check digits counts by itself; any other number only beside a cue word.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from culturepark.refine.stages.personal import checksums
from culturepark.refine.stages.personal.found import (
    LEFT,
    RIGHT,
    Found,
    count_digits,
    is_counted,
    is_plain_number,
    shape,
)

_TO_DIGITS = re.compile(r"[^0-9A-Za-z]")


def _always(value: str) -> bool:
    return True


_CHECKED: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("identity number", shape(r"\d{6} ?- ?[1-8]\d{6}|\d{13}"), checksums.is_korean_id),
    ("identity number", shape(r"\d{6} ?- ?[1-8][*x•]{6}|\d{6}-[1-8](?=[*x•])"), _always),
    ("identity number", shape(r"\d{6} ?\d{8} ?\d{3}[\dXx]"), checksums.is_chinese_id),
    ("identity number", shape(r"\d{3}\.\d{3}\.\d{3}-\d{2}|\d{3} \d{3} \d{3}-\d{2}"), _always),  # CPF as it is written
    ("identity number", shape(r"\d{9}-?\d{2}"), checksums.is_cpf),
    ("tax number", shape(r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}"), _always),  # CNPJ as it is written
    ("tax number", shape(r"\d{14}"), checksums.is_cnpj),
    ("tax number", shape(r"(?:20|2[347]|3[034])-\d{2}\.?\d{3}\.?\d{3}-\d"), _always),  # CUIT as it is written
    ("tax number", shape(r"\d{11}"), checksums.is_cuit),
    ("identity number", shape(r"\d{3} ?\d{3} ?\d{3} ?\d{2}|\d{11}"), checksums.is_turkish_id),
    ("tax number", shape(r"\d{2} ?\d{3} ?\d{3} ?\d{3}|\d{11}"), checksums.is_german_tax_id),
    (
        "identity number",
        shape(r"(?:\d{2}\.?\d{3}\.?\d{3}|[XYZ][- ]?\d{7})(?:[- ]?[A-Z]|[a-z])"),
        checksums.is_spanish_id,
    ),
    ("identity number", shape(r"\d{14}|[23] ?\d{6} ?\d{2} ?\d{5}"), checksums.is_egyptian_id),
    ("social security number", shape(r"\d{3}-\d{2}-\d{4}"), _always),
    (
        "insurance number",
        shape(r"\d{2} ?(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2} ?[A-Z] ?\d{3}"),
        _always,
    ),  # Germany
    ("identity number", shape(r"\d{8} ?\d ?[A-Z]{2}\d"), _always),  # Portuguese citizen card
    (
        "card number",
        shape(r"\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5}|\d{13,19}"),
        checksums.is_card,
    ),
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}", re.IGNORECASE)

_ID_CUES = (
    r"\b(?:national id\w*|identity (?:card|number|no)|id (?:card|number|no|is)|my id|nid|dni|nie|cin|cpf|rg|nif"
    r"|cuit|cuil|ssn|social security"
    r"|tax (?:id|number|no)|insurance (?:number|no|card)|(?:driver'?s|driving) licen[cs]e|student (?:id|number)"
    r"|membership (?:number|no)"
    r"|(?:t\.? ?c\.? ?)?kimlik\w*|vatandaşlık n\w+|vergi n\w+|sicil n\w+|ehliyet\w*|sgk"
    r"|(?:personal)?ausweis\w*|steuer-?(?:id\w*|nummer)|(?:sozial|renten|kranken)versicherung\w*"
    r"|führerschein\w*|matrikel\w*|kundennummer"
    r"|documento|c[eé]dula|carn[eé]t?|seguridad social|seguro social|cart[aã]o d[eo] cidad[aã]o"
    r"|bilhete de identidade|contribuinte"
    r"|identidade|n[uú]mero de identidad|carteira|t[ií]tulo de eleitor|pis|cnh|sus)\b"
    r"|주민(?:등록)?번호|주민등록|외국인등록|운전면허|학번|사번|보험 ?번호|身份证|身分证|社保|驾驶证|学号|工号|医保"
    r"|الرقم القومي|رقمي القومي|الرقم الوطني|رقمي الوطني|رقم وطني|البطاقة|بطاقت\w*|هويت\w*|الهوية|بطاقة|رخصة|الضمان"
    r"|জাতীয় পরিচয়|জাতীয় পরিচয়|এনআইডি|ভোটার|পরিচয়পত্র|পরিচয়পত্র|লাইসেন্স|টিআইএন"
)
_BANK_CUES = (
    r"\b(?:iban|bank\w*|banco|banka\w*|account (?:number|no)|sort code|routing number|kontonummer"
    r"|bankverbindung|konto|cuenta|cbu|conta|ag[eê]ncia|pix"
    r"|hesap\w*|credit card|debit card|card number|kreditkarte\w*|tarjeta|cart[aã]o|kart\w*)\b"
    r"|계좌|통장|카드|은행|账号|账户|卡号|银行|حساب|بطاق|آيبان|ايبان|بنك|مصرف|হিসাব|অ্যাকাউন্ট|একাউন্ট|কার্ড|ব্যাংক"
)
_PASS_CUES = r"\b(?:passport\w*|reisepass\w*|passnummer|pasaporte|passaporte|pasaport\w*)\b|여권|护照|جواز|পাসপোর্ট"
_PLATE_CUES = (
    r"\b(?:(?:number|licen[cs]e) plate|plate (?:is|number)|registration|kennzeichen|nummernschild|matr[ií]cula"
    r"|patente|chapa|placas?|plaka\w*)\b"
    r"|차량 ?번호|번호판|차 번호|车牌|牌照|لوحة|لوحات|নম্বর ?প্লেট|নাম্বার ?প্লেট|গাড়ির নম্বর|গাড়ির নম্বর"
)
_CUED = (
    (
        "identity number",
        re.compile(_ID_CUES, re.I),
        re.compile(
            rf"{LEFT}[A-Z]{{0,3}}[ -]?\d(?:[ .\-/]?[A-Z]{{0,2}}\d){{5,18}}[A-Z]?{RIGHT}"
            rf"|{LEFT}[LMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{{8}}\d?{RIGHT}"
        ),
    ),
    (
        "account number",
        re.compile(_BANK_CUES, re.I),
        re.compile(rf"{LEFT}(?:[A-Z]{{2}})?\d(?:[ \-./]?\d){{7,27}}{RIGHT}"),
    ),
    (
        "passport number",
        re.compile(_PASS_CUES, re.I),
        re.compile(
            rf"{LEFT}[A-Z]{{0,3}} ?\d{{6,9}}{RIGHT}|{LEFT}[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{{8}}{RIGHT}"
        ),
    ),
)
_PLATE_SHAPES = (
    shape(r"\d{2,3} ?[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주하허호] ?\d{4}"),
    re.compile(
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·• -]?[A-Z0-9]{5,6}(?![A-Za-z0-9])"
    ),
)
_PLATE_CUE = re.compile(_PLATE_CUES, re.IGNORECASE)
_PLATE_HINTS = (
    "plate",
    "registration",
    "kennzeichen",
    "nummernschild",
    "matr",
    "patente",
    "chapa",
    "placa",
    "plaka",
    "번호",
    "车牌",
    "牌照",
    "لوح",
    "প্লেট",
    "গাড়ি",
    "গাড়ি",
)
_PLATE = re.compile(
    rf"{LEFT}(?:[A-ZÄÖÜ]{{1,3}}[- ][A-Z]{{1,2}}[- ]?\d{{1,4}}[EH]?|\d{{4}}[ -]?[A-Z]{{3}}"
    rf"|[A-Z]{{2}}[ -]?\d{{3}}[ -]?[A-Z]{{2}}|\d?[A-Z]{{3}}[ -]?\d[A-Z0-9]\d{{1,2}}"
    rf"|\d{{2}} ?[A-Z]{{1,3}} ?\d{{2,5}}|\d{{2}}-\d{{2}}-[A-Z]{{2}}|[A-Z]{{2}}-\d{{2}}-[A-Z]{{2}}"
    rf"|[A-Z]{{2}}\d{{2}} ?[A-Z]{{3}}|\d{{1,5}}[ -]?[أ-ي][ -]?\d{{1,5}}){RIGHT}"
    r"|[أ-ي](?: [أ-ي]){1,2} ?\d{3,4}|\d{3,4} ?[أ-ي](?: [أ-ي]){1,2}(?!\w)"
    r"|মেট্রো[ -]?.{1,3}[ -]\d{2}-\d{4}|[ঀ-৿]{1,4}[ -]\d{2}-\d{4}"
)
_RUN = re.compile(r"\d(?:[ .\-/*x]{0,3}[A-Z]?\d){4}")
_REACH, _REACH_BACK = 60, 25


def find_number(text: str) -> Found | None:
    """The first such number in a levelled text."""
    return (_find_checked(text) or _find_cued(text) if _RUN.search(text) else None) or _find_plate(text)


def _find_checked(text: str) -> Found | None:
    for m in _IBAN.finditer(text):
        if count_digits(m[0]) > 9 and _is_iban_in(m[0]):
            return Found("IBAN", m[0])
    for kind, pattern, is_valid in _CHECKED:
        for m in pattern.finditer(text):
            if is_valid(_TO_DIGITS.sub("", m[0])) and not is_counted(text, m.start(), m.end()):
                return Found(kind, m[0])
    return None


def _find_plate(text: str) -> Found | None:
    for pattern in _PLATE_SHAPES:
        if m := pattern.search(text):
            return Found("plate", m[0])
    low = text.lower()
    if any(h in low for h in _PLATE_HINTS):
        for m in _PLATE.finditer(text):
            if _is_near(_PLATE_CUE, text, m):
                return Found("plate", m[0])
    return None


def _is_near(cue: re.Pattern[str], text: str, m: re.Match[str]) -> bool:
    """Does a cue word stand a little before the number, or right after it?"""
    start, end = m.span()
    return bool(cue.search(text, max(0, start - _REACH), start) or cue.search(text, end, end + _REACH_BACK))


def _is_iban_in(run: str) -> bool:
    """Is there an IBAN at the beginning of a run of letters and digits? Words may follow it."""
    plain = run.replace(" ", "").upper()
    return any(checksums.is_iban(plain[:n]) for n in range(15, len(plain) + 1))


def _find_cued(text: str) -> Found | None:
    for kind, cue, pattern in _CUED:
        for m in pattern.finditer(text):
            if _is_personal(kind, text, m) and _is_near(cue, text, m):
                return Found(kind, m[0])
    return None


def _is_personal(kind: str, text: str, m: re.Match[str]) -> bool:
    # An identity number in South America, millions elsewhere.
    dotted = kind == "identity number" and re.fullmatch(r"\d{1,2}\.\d{3}\.(?!000)\d{3}", m[0])
    plain = is_plain_number(m[0]) and not dotted
    return count_digits(m[0]) >= 5 and not plain and not is_counted(text, m.start(), m.end())
