"""E-mail addresses (also spelled out), names in networks, addresses of machines and of personal pages."""

from __future__ import annotations

import re

from culturepark.refine.stages.personal.found import Found

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]*[^\W\d_][\w.+-]*@[\w-]{2,}(?:\.[\w-]{2,})*"
    r"|(?<![\w.+-])[\w.+-]{2,40} ?@ ?[\w-]{2,40} ?\. ?[a-z]{2,10}\b",
    re.IGNORECASE,
)
_END = (
    "com|net|org|edu|gov|info|io|app|dev|xyz|example|test|de|es|pt|br|ar|tr|kr|cn|bd|eg|iq|jo|lb|ly|ma|tn|uk|us|eu|fr"
    "|كوم|نت|أورغ|اورغ|أورج|اورج|컴|콤|닷컴|넷|오알지|케이알|কম|নেট|অর্গ"
)
_SURE_AT = (
    r"\( ?at ?\)|\[ ?at ?\]|\{ ?at ?\}|< ?at ?>|\( ?a ?\)|\barroba\b|골뱅이|앳|艾特|圈 ?a|小老鼠|klammeraffe|at-zeichen"
    r"|kuyruklu a"
    r"|et işareti|\bätt?\b|at işareti|at the rate|অ্যাট|এট|এ্যাট|আত|(?<!\w)(?:آت|أت|ات|إت)(?!\w)|علامة at"
)
_DOT = (
    r"\( ?dot ?\)|\[ ?dot ?\]|\( ?punkt ?\)|\( ?punto ?\)|\( ?ponto ?\)|\( ?nokta ?\)|\bdot\b|\bpunto\b"
    r"|\bponto\b|\bpunkt\b|\bnokta\b|점|닷|쩜|点"
    r"|點|(?<!\w)(?:دوت|نقطة)(?!\w)|ডট|বিন্দু"
)
_PART = r"[\wঀ-\u09ff-]{2,30}"
_SPELLED = re.compile(
    rf"(?:{_PART}|\w) ?(?:{_SURE_AT}) ?{_PART}(?: ?(?:{_DOT}|\.) ?{_PART}){{0,2}}? ?(?:{_DOT}|\.) ?(?:{_END})(?![a-z])"
    rf"|{_PART} (?:at|et|ad) (?!(?:the|a|an|this|that|my"
    rf"|our)\b){_PART}(?: ?(?:{_DOT}) ?{_PART}){{0,2}}? ?(?:{_DOT}) ?(?:{_END})(?![a-z])"
    rf"|{_PART}(?: ?(?:{_DOT}) ?{_PART}|\.{_PART}) at {_PART}(?:\.{_PART}){{0,2}}?\.(?:{_END})(?![a-z])"
    r"|(?:e-?mail|mail|correo|이메일|메일|邮箱|邮件|بريد|إيميل|ايميل|ইমেইল|ই-মেইল|e-?posta)[^@\n]{1,40}? "
    rf"{_PART} at {_PART}(?:\.{_PART}){{0,2}}?\.(?:{_END})(?![a-z])",
    re.IGNORECASE,
)
_AT_HINTS = (
    " at ",
    " et ",
    " ad ",
    "(at",
    "[at",
    "{at",
    "( at",
    "<at",
    "(a)",
    "arroba",
    "골뱅이",
    "앳",
    "艾特",
    "圈",
    "小老鼠",
    "klammeraffe",
    "at-zeichen",
    "kuyruklu",
    "işareti",
    " ät ",
    " ätt ",
    "অ্যাট",
    "এট",
    "এ্যাট",
    "আত",
    "آت",
    "أت",
    "ات",
    "إت",
)
_DOT_HINTS = ("dot", "punkt", "punto", "ponto", "nokta", "점", "닷", "쩜", "点", "點", "دوت", "نقطة", "ডট", "বিন্দু")
_DOMAIN = re.compile(rf"\w\.(?:{_END})(?![a-z])", re.IGNORECASE)
_HANDLE = re.compile(
    r"(?<![\w@.+/-])@(?!(?:home|work|school|night|the|all|everyone|here|least|lunch)\b)(?=[^\W\d_])[\w.]{3,30}",
    re.IGNORECASE,
)
_NETWORK = (
    r"insta(?:gram)?|telegram|twitter|tiktok|snap(?:chat)?|facebook|we ?chat|weixin|微信|微博|抖音|kakao(?:talk)?|카톡"
    r"|카카오톡|인스타(?:그램)?|line id"
    r"|skype|discord|xbox|psn|انستغرام|إنستغرام|انستجرام|تيليجرام|تلغرام|فيسبوك|ফেসবুক|ইনস্টাগ্রাম|টেলিগ্রাম"
)
_LOGIN = r"(?<![a-z0-9_.])[a-z](?=[a-z0-9.-]*[_0-9])[a-z0-9_.-]{4,30}(?<![.-])(?![a-z0-9_])"
_USER = re.compile(
    rf"(?:{_NETWORK})[^@\n.!?]{{0,30}}?(?P<after>{_LOGIN})|(?P<before>{_LOGIN}) (?:on|auf|bei|en|no|na) (?:{_NETWORK})",
    re.IGNORECASE,
)
_NETWORK_HINTS = (
    "insta",
    "telegram",
    "twitter",
    "tiktok",
    "snap",
    "facebook",
    "wechat",
    "we chat",
    "weixin",
    "微信",
    "微博",
    "抖音",
    "kakao",
    "카톡",
    "카카오",
    "인스타",
    "line id",
    "skype",
    "discord",
    "xbox",
    "psn",
    "انست",
    "إنست",
    "تيليجرام",
    "تلغرام",
    "فيسبوك",
    "ফেসবুক",
    "ইনস্টাগ্রাম",
    "টেলিগ্রাম",
)
_QQ = re.compile(r"\bqq(?:号|号码|邮箱)?(?:是|:| )*(\d{5,11})", re.IGNORECASE)
_PAGE = re.compile(
    r"(?<![\w.@-])(?:https?://)?(?:www\.|m\.)?(?:facebook|fb|instagram|twitter|tiktok|linkedin|vk|youtube"
    r"|github|weibo|threads|snapchat|medium"
    r"|blog\.naver|x)\.(?:com|net|org)/(?:in/|u/|user/|c/|@)?[\w.%-]{3,}|(?<![\w.@-])(?:https?://)?(?:t\.me"
    r"|wa\.me|vk\.me|line\.me)/\S{3,}"
    r"|https?://\S{1,80}?(?:/(?:u|users?|profiles?|people|members?|in|~)[/=]?[\w.-]{2,}|/[@~][\w.-]{2,}"
    r"|[?&](?:user|uid|id|name)=[\w.-]{2,})"
    r"|https?://[\w.-]+:[^\s@]+@",
    re.IGNORECASE,
)
_IP4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\d)")
_IP6 = re.compile(
    r"(?<![\w:])(?:[0-9a-f]{1,4}:){5,7}[0-9a-f]{1,4}(?![\w:])"
    r"|(?<![\w:])(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4}(?![\w:])",
    re.I,
)
_MACHINE = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", re.IGNORECASE)
_IP_CUE = re.compile(r"\bip\b|address|adresse|dirección|endereço|地址|주소|عنوان|ঠিকানা", re.IGNORECASE)


def is_spelled_mail_likely(low: str) -> bool:
    """Can a lower-case text hold a spelled-out address? A cheap look before the dear one."""
    return any(h in low for h in _AT_HINTS) and (any(h in low for h in _DOT_HINTS) or bool(_DOMAIN.search(low)))


def find_contact(text: str) -> Found | None:
    """The first contact in a levelled text."""
    if "@" in text:
        if m := _EMAIL.search(text):
            return Found("e-mail", m[0])
        if m := _HANDLE.search(text):
            return Found("handle", m[0])
    low = text.lower()
    if is_spelled_mail_likely(low) and (m := _SPELLED.search(text)):
        return Found("e-mail", m[0])
    if any(h in low for h in _NETWORK_HINTS) and (m := _USER.search(text)):
        return Found("handle", m["after"] or m["before"])
    if "qq" in low and (m := _QQ.search(text)):
        return Found("handle", m[1])
    if "/" in text and (m := _PAGE.search(text)):
        return Found("page", m[0])
    return _find_machine(text)


def _find_machine(text: str) -> Found | None:
    if text.count(".") >= 3:
        for m in _IP4.finditer(text):
            before = text[max(0, m.start() - 30) : m.start()]
            if any(int(part) > 31 for part in m[0].split(".")) or _IP_CUE.search(before):
                return Found("IP address", m[0])
    hardware = (_MACHINE.search(text) or _IP6.search(text)) if text.count(":") > 1 else None
    return Found("IP address", hardware[0]) if hardware else None
