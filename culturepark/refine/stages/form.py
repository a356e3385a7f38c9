"""Stage ``form``: the text is whole, in clean Unicode, and speech rather than markup.

Limits: an answer is taken for speech, so a list or a heading is a fault here even where it is neat.
"""

from __future__ import annotations

import re

from culturepark.language import LanguagePack
from culturepark.refine.candidate import KEPT, Candidate, Ruling, StageContext

# Scripts whose spelling needs joiners (U+200C, U+200D), and scripts written from right to left (U+200E, U+200F).
_JOINING = frozenset(
    "Arabic Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Khmer Burmese".split()
)
_RIGHT_TO_LEFT = frozenset(("Arabic", "Hebrew"))

_BROKEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control
    "\u00ad\u034fᅟᅠ\u17b4\u17b5\u180b-\u180e\u200b\u2028-\u202e\u2060-\u206f\u2800ㅤ\ufeffﾠ"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufff0-\uffff"  # surrogates, private use, no characters
    "\u2e80-\u2fdf\U0001d400-\U0001d7ff\U000e0080-\U0010ffff"  # radicals, mathematical letters, private planes
    "]|[\u0300-\u036f]{3}"  # a letter buried in accents
)
_BREAKS = dict.fromkeys(b"\t\n\r", " ")
_TAG = re.compile("(?<![\U0001f3f4\U000e0000-\U000e007f])[\U000e0000-\U000e007f]")  # unless a flag's
_PICTURE = "[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff\ufe0f]"
_LOOSE_JOINER = re.compile(f"(?<!{_PICTURE})\u200d|\u200d(?!{_PICTURE})|\u200c")
_DIRECTION = re.compile("[\u061c\u200e\u200f]")

# UTF-8 read as Windows-1252: what the bytes 0x80 to 0xBF look like there.
_HIGH = "".join({bytes([b]).decode("cp1252", "ignore") or chr(b) for b in range(0x80, 0xC0)}) + "\x81\x8d\x8f\x90\x9d"
_QUIET = "\u2018\u2019\u201a\u201c\u201d\u201e\u2026\u2013\u2014\u00ab\u00bb\u2039\u203a\u00a0"  # may follow a letter
_TWO = f"[\u00c2-\u00df][{re.escape(_HIGH)}]"
_THREE = f"[\u00e0-\u00ef][{re.escape(_HIGH)}]{{2}}"
_ODD_PAIR = re.compile(f"[\u00c2-\u00f4][{re.escape(_HIGH)}\u0178\u20ac]")
_GARBLED = re.compile(f"\u00e2\u20ac.|\u00f0\u0178|\u00ef\u00bf\u00bd|\u00ef\u00bb\u00bf|{_THREE}|{_TWO}")
_SURE = re.compile(f"\u00e2\u20ac|\u00f0\u0178|\u00ef\u00bf\u00bd|\u00ef\u00bb\u00bf|[\u00c0-\u00ff][^{_QUIET}]")
# What Chinese encodings make of lost characters; a two-byte code read as Latin-1: signs and letters in turn.
_JUMBLED = re.compile("锟斤拷|烫{3}|屯{3}|(?:[\u00c0-\u00ff][\u00a1-\u00bf]|[\u00a1-\u00bf][\u00c0-\u00ff]){2}")

_TAGS = (
    "a|abbr|article|b|big|blockquote|body|br|button|center|code|dd|del|div|dl|dt|em|font|footer|form|h[1-6]|head|header"
    "|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|ol|option|p|pre|q|script|section|select|small"
    "|span|strike|strong|style|sub|sup|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|u|ul|video|xml"
)
_MARKUP = {
    "HTML": (
        ("<", "&"),
        re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,200}})?/?>|<!(?:--|doctype)|<\?xml|&(?:[a-z]{{2,8}}|#x?\d+);", re.I),
    ),
    "fence": (("`", "~~~"), re.compile(r"```|~~~|`[^`\n]{1,80}`")),
    "heading": (
        ("#", "===", "---", "***"),
        re.compile(r"(?:^|\n)\s{0,3}#{1,6} \w|(?:^|\s)#{2,6} ?\w|(?:^|\n)[=-]{3,} *(?:\n|$)|(?:^|\s)\*{3,}(?:\s|$)"),
    ),
    "bold": (("**", "__", "~~"), re.compile(r"\*\*\w|\w[.,!?:]?\*\*|(?<!\w)__[^_\n]{1,200}__(?!\w)|~~[^~\n]{1,200}~~")),
    "table": (("|",), re.compile(r"\|[^|\n]{1,80}\|[^|\n]{0,80}\||\|\s*:?-{2,}:?\s*\||(?:^|\n)[^|\n]+ \| [^|\n]+ \| ")),
    "link": (
        ("[",),
        re.compile(r"!?\[[^\]\n]{0,120}\]\([^)\s]{1,300}[^)\n]{0,80}\)|\[\^?\d{1,3}\]|\[\[[^\]\n]{1,80}\]\]"),
    ),
    "quote": ((">",), re.compile(r"(?:^|\n)\s{0,3}>{1,3} ?\w")),
    "JSON": (
        ("{", "[", '":', "':", "}"),
        re.compile(r"[{\[]\s*[\"']\w[\w -]{0,40}[\"']\s*[:,\]}]|[\"']\w{1,40}[\"']\s*:\s*[\"'\[{\d]|[\"'\]}]\s*\}\s*$"),
    ),
    "YAML": (
        ("\n",),
        re.compile(
            r"(?:^|\n)---\s*\n|(?:^|\n)\s*[a-z_]{2,30}:\s*[|>]-?\s*\n|(?:(?:^"
            r"|\n)\s*(?:- )?[a-z_]{2,30}: [^\n]{1,300}){2}"
        ),
    ),
    "LaTeX": (
        ("\\", "$$"),
        re.compile(
            r"\\[a-zA-Z]{2,20}\s?\{|\\(?:begin|end|item|frac|cdot|times|alpha|beta|ldots|quad|section)\b|\\[()\[\]]"
            r"|\$\$"
        ),
    ),
    "escape": (("\\",), re.compile(r"\\[nrt](?=[A-Z\u0080-\uffff\s\\\"-]|$)|\\u[0-9a-fA-F]{4}|\\[\"']|\\x[0-9a-f]{2}")),
}
# Where a line of a list may begin. Sentences of a claim are joined, so line breaks may be gone.
_ITEM = re.compile(
    r"(?:(?:^|\n)\s{0,8}|[.!?:;\u2026\u3002\u0964\uff1a]\s{1,3})(?:([-*+])\s|(\d{1,2})[.)]\s"
    r"|([\u2022\u25aa\u25cf\u25e6\u2023]))"
)
_DASHES, _DOTS = ("- ", "* ", "+ "), "\u2022\u25aa\u25cf\u25e6\u2023"


def find_bad_unicode(text: str, pack: LanguagePack) -> str:
    """The first character or run that no clean text of the language holds, as code points; empty if there is none."""
    if text.isascii() and text.translate(_BREAKS).isprintable():
        return ""
    found = _BROKEN.search(text)
    if found:
        return _name(found[0])
    if max(text) > "\U000dffff" and (found := _TAG.search(text)):
        return _name(found[0])
    scripts = {pack.script, *pack.scripts_allowed}
    if not scripts & _JOINING and (found := _LOOSE_JOINER.search(text)):
        return _name(found[0])
    if not scripts & _RIGHT_TO_LEFT and (found := _DIRECTION.search(text)):
        return _name(found[0])
    return _find_garbled(text)


def _find_garbled(text: str) -> str:
    found = [m[0] for m in _GARBLED.finditer(text)] if _ODD_PAIR.search(text) else []
    if len(set(found)) > 1 or any(map(_SURE.match, found)):
        return f"garbled {found[0]!r}"
    jumbled = _JUMBLED.search(text)
    return f"garbled {jumbled[0]!r}" if jumbled else ""


def _name(found: str) -> str:
    return " ".join(f"U+{ord(c):04X}" for c in found[:4])


def find_markup(text: str) -> str:
    """What kind of markup is in the text and where it begins; empty for plain speech."""
    for kind, (hints, pattern) in _MARKUP.items():
        if any(map(text.__contains__, hints)) and (found := pattern.search(text)):
            return f"{kind}: {found[0].strip()[:60]}"
    return _find_list(text)


def _find_list(text: str) -> str:
    """Two dashes or stars, or 1 and 2, at the beginnings of lines or sentences; one dot is enough."""
    numbered, dashed = "2. " in text or "2) " in text, any(text.count(d) > 1 for d in _DASHES)
    if not numbered and not dashed and not any(d in text for d in _DOTS):
        return ""
    marks = [m.groups() for m in _ITEM.finditer(text)]
    numbers = [int(number) for _, number, _ in marks if number]
    if any(dot for _, _, dot in marks) or sum(bool(dash) for dash, _, _ in marks) > 1:
        return "list"
    return "numbered list" if any(b == a + 1 for a, b in zip(numbers, numbers[1:], strict=False)) else ""


def check(candidate: Candidate, context: StageContext) -> Ruling:
    """``empty`` (no letter in it), ``bad_unicode`` or ``markup``."""
    if not any(c.isalpha() for c in candidate.text):
        return Ruling("empty", candidate.text[:40].encode("ascii", "backslashreplace").decode())
    broken = find_bad_unicode(candidate.text, context.pack)
    if broken:
        return Ruling("bad_unicode", broken)
    marked = find_markup(candidate.text)
    return Ruling("markup", marked) if marked else KEPT
