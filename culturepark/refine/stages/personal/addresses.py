"""Street addresses with a house number, by the street words of each language.

Limits: a street without a number, a town or a postcode alone is no address.
"""

from __future__ import annotations

import re

from culturepark.refine.stages.personal.found import Found

# What may follow a house number. A counted thing ("Platz 3 Stände") may not.
_AFTER = r"(?=\s*(?:$|[,.;:!?)\]\"'/…،؛؟।\n]|- |\d{{4,5}}\b)|[ ,]+(?:{words})\b|\s?[a-f]\b)"  # filled below
_WORDS = {
    "en": (
        "in|at|on|and|or|near|next|by|where|since|for|with|but|is|was|apartment|apt|flat|floor|unit|suite|if|when"
        "|so|behind|opposite|because"
    ),
    "de": (
        "in|im|und|oder|bei|wo|seit|wohn\\w+|ist|war|steht|liegt|gegenüber|neben|hinter|hat|da|gleich|direkt|mit"
        "|als|aber|denn|weil|zu|lebe|leben|hinterhaus|stock|etage|eingezogen|gezogen|umgezogen|gemeldet"
    ),
    "es": (
        "en|de|y|o|del|con|piso|bajo|desde|donde|frente|al|junto|cerca|pero|porque|cuando|apartamento|dpto|puerta"
        "|escalera|es|era|está|estaba|departamento|depto|timbre|interior|tercero|segundo|primero|cuarto|que|si|a"
        "|por"
    ),
    "pt": (
        "em|no|na|e|ou|do|da|com|apartamento|apto|andar|desde|onde|perto|mas|porque|quando|bloco|casa|é|era|bairro"
        "|fica|ficava|frente|fundos|sobrado|que|se|a|ao|esquerdo|direito|rés"
    ),
    "tr": (
        "ve|numara\\w*|daire|kat|apartman\\w*|de|da|te|ta|adres\\w*|otur\\w*|yaş\\w*|ama|çünkü|nolu|kapı|ev\\w*"
        "|bina\\w*|bulun\\w*|taşın\\w*"
    ),
}


def _fill(tag: str) -> str:
    return _AFTER.format(words=_WORDS[tag])


_CAP = r"[A-ZÀ-ÖØ-ÞĀ-ŽİŞĞ][\w'’.-]*"
_NUMBER = r"\d{1,5}(?:[ -]?[A-Fa-f]\b)?(?:[/-]\d{1,4})?"
_NO = r"(?:n\.?[º°o]\.?|n[úu]m\.?|n[úu]mero|#|nr\.?|no\.?|no:|numara:?)"
_ADDRESSES: dict[str, tuple[re.Pattern[str], ...]] = {
    "en": (
        re.compile(
            rf"(?<![\w.,:/$£€-])(?<!\d[.,:])(?!(?:1[89]|20)\d\d ){_NUMBER},? (?:(?:North|South|East|West|N\."
            rf"|S\.|E\.|W\.|Old|New|Upper|Lower|Saint|St\.|Mount|El|Al|La|Le|De|von|\d{{1,3}}(?:st|nd|rd|th)"
            rf"|{_CAP}) ){{1,4}}"
            r"(?:Streets?|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Terrace|Way"
            r"|Square|Sq|Crescent|Close|Parkway|Pkwy|Alley|Row|Gardens|Grove|Hill|Highway|Circle|Mews|Walk"
            r"|Quay)\b(?! (?:workers|people|families|houses|shops|stalls))"
        ),
        re.compile(
            rf"\b(?:P\.? ?O\.? Box|Post Box) \d{{2,6}}|\b[Hh]ouse (?:[Nn]o\.? ?|[Nn]umber "
            rf"|#)?\d{{1,4}}[A-Z]?,? (?:[Rr]oad|[Ll]ane|[Bb]lock|[Ss]ector|[Ss]treet) (?:[Nn]o\.? ?"
            rf"|#)?[\dA-Z]{{1,4}}\b|\b(?:Street|Road|Avenue|Lane) {_NO} ?\d{{1,4}}\b|\b(?:[Rr]ue|[Ss]haria"
            rf"|[Ss]haria?) {_CAP}(?: {_CAP}){{0,3}},? (?:{_NO} ?)?{_NUMBER}{_fill('en')}"
            rf"|\b\d{{1,4}},? [Rr]ue (?:de |du |des |la |d')*{_CAP}"
        ),
    ),
    "de": (
        re.compile(
            r"(?<![\w-])(?!(?:Bundes|Land|Kreis|Staats|Schnell|Fern|Auto|Wasser|Seiden"
            r"|Milch)s?stra)(?:[A-ZÄÖÜ][\wäöüß.-]*(?:straße|strasse|str\.|gasse|allee|chaussee)"
            r"|(?:[A-ZÄÖÜ][\wäöüß-]+(?:er|sche|en|es|a|o|-)[ -])[Ss]tra(?:ß|ss)e"
            rf"|(?:[A-ZÄÖÜ][\wäöüß-]+[ -]){{1,2}}(?:Str\.|Gasse|Allee|Platz|Weg|Ring|Ufer|Damm))"
            rf" (?:Nr\. ?|Nummer |Hausnummer )?{_NUMBER}{_fill('de')}"
        ),
        re.compile(
            r"(?<![\w-])(?:[A-ZÄÖÜ][\wäöüß-]*(?:weg|platz|ring|ufer|damm|hof|steig|stieg|markt|graben|berg"
            r"|wall|tor|kamp|acker)|(?:Am|An der|An den|Im|In der|Auf dem|Auf der|Zum|Zur"
            r"|Unter den) (?:(?:[Aa]lten |[Nn]euen |[Hh]ohen )?[A-ZÄÖÜ][\wäöüß-]+)) (?:Nr\. ?|Nummer "
            rf"|Hausnummer )?{_NUMBER}(?=,? (?:in )?\d{{5}}\b)"
            r"|(?:wohn\w*|Adresse|Anschrift|zu Hause|zuhause|gemeldet"
            rf"|leb\w*)[^.!?\n]{{0,40}}(?<![\w-])(?!Spielplatz|Arbeitsplatz)[A-ZÄÖÜ][\wäöüß-]*(?:weg|platz|ring"
            rf"|ufer|damm|hof|steig|stieg|markt|graben|wall|kamp) (?:Nr\. ?|Nummer )?{_NUMBER}{_fill('de')}"
        ),
    ),
    "es": (
        re.compile(
            r"\b(?:calle|c/|avenida|avda\.?|avd\.|av\.?|paseo|pº|plaza|pza\.?|pasaje|ronda|travesía|bulevar"
            r"|jirón|camino|glorieta|cuesta|callejón|diagonal|pje\.?) ?(?:(?:de|del|la|las|los|el|san|santa"
            rf"|general|don|doctor|y) )*{_CAP}(?:,? (?:(?:de|del|la|las|los|y|e) )*{_CAP}){{0,5}},? (?:{_NO} ?"
            rf"|al )?{_NUMBER}{_fill('es')}",
            re.IGNORECASE,
        ),
        re.compile(
            r"\b(?:calle|avenida|avda\.?|plaza|camino|carretera|paseo|pasaje"
            rf"|ruta)\b [^.,;\n]{{2,40}}?,? (?:n\.?[º°]\.?|n[úu]m\.|n[úu]mero) ?{_NUMBER}\b|\b(?:calle|avenida"
            rf"|av\.|plaza|paseo) [^.,;\n]{{3,40}}, ?{_NUMBER},? (?:\d[º°ª]|piso|bajo|puerta|dpto|depto"
            rf"|\d{{4,5}}\b)",
            re.IGNORECASE,
        ),
    ),
    "pt": (
        re.compile(
            r"\b(?:rua|r\.|avenida|av\.?|travessa|tv\.|alameda|praça|largo|estrada|rodovia|beco|ladeira"
            r"|praceta|calçada|quinta) (?:(?:de|do|da|dos|das|o|a|são|santa|santo|dom|dona|doutor|dr\.|general"
            rf"|\d{{1,2}}) )*{_CAP}(?:,? (?:(?:de|do|da|dos|das"
            rf"|e) )*{_CAP}){{0,5}},? (?:{_NO} ?)?{_NUMBER}{_fill('pt')}",
            re.IGNORECASE,
        ),
        re.compile(
            r"\b(?:rua|avenida|av\.|travessa|praça|estrada|alameda|largo"
            rf"|quadra)\b [^.,;\n]{{2,40}}?,? (?:n\.?[º°]\.?|n[úu]m\.|n[úu]mero) ?{_NUMBER}\b|\b(?:rua|avenida"
            rf"|av\.|travessa|alameda|praça) [^.,;\n]{{3,40}}, ?{_NUMBER}(?:,| -| –| ap|{_fill('pt')})",
            re.IGNORECASE,
        ),
    ),
    "tr": (
        re.compile(
            rf"\b(?:{_CAP} ){{1,4}}(?:[Ss]okak|[Ss]okağı|Sok\.|Sk\.|[Cc]adde|[Cc]addesi|Cad\.|Cd\.|[Bb]ulvarı?"
            r"|Blv\.|[Mm]eydanı|Mah\.|[Mm]ahallesi|[Yy]olu),? (?:No\.?:? ?|Numara:? ?|numara:? ?"
            rf"|no\.?:? ?)?{_NUMBER}(?:'\w+|{_fill('tr')})"
        ),
        re.compile(
            r"\b(?:[Ss]okak\w*|[Ss]ok\.|[Cc]adde\w*|[Cc]ad\.|[Mm]ahalle\w*|[Mm]ah\.|[Aa]partman\w*"
            r"|Apt\.?)[^.!?\n]{0,30}? ?\b(?:No|no|Numara|numara|Nu)[.:]{0,2} ?\d{1,4}(?:/\d{1,3})?"
            r"|\b\d{1,4}\.? [Ss]okak,? (?:No:?|no:?|numara) ?\d{1,4}"
        ),
    ),
    "zh": (
        re.compile(
            r"(?<![公铁道网线马思])(?<!高速公)(?:[一-鿿]{2,8}(?:路|街|大道|巷|弄|胡同|里弄|道)"
            r"|[一-鿿]{2,6}(?:小区|花园|新村|公寓|家园|苑"
            r"|社区))(?:[东西南北中]段)?[ ,，]?(?:\d{1,5}|[一二三四五六七八九十百零〇]{2,6})(?:号(?!线|楼上"
            r"|房的|人)|弄|栋|幢|座)"
        ),
        re.compile(r"\d{1,3}(?:号楼|栋|幢|单元)[ ,，]?\d{0,2}(?:单元)?[ ,，]?\d{2,4}(?:室|号|房)"),
    ),
    "ko": (
        re.compile(
            r"[가-힣]{2,8}(?:시|도|구|군|읍|면|동|리) (?:[가-힣]{1,8}(?:구|군|읍|면|동"
            r"|리) )?[가-힣]{1,8}\d{0,3}(?:로|길"
            r"|대로) ?(?:\d{1,4}번?길 ?)?\d{1,4}(?:-\d{1,4})?(?!\d|시간|분|일|년|개월|주|월|킬로|미터|번 "
            r"|명|개|만|천|살|대|층짜리)"
        ),
        re.compile(
            r"(?<![가-힣])(?!(?:앞|뒤|위|아래|서|집|학교|회사|차|버스|전화|걸음|그대|마음대|세계|평생|하루"
            r"|처음으|정말|실제|스스"
            r"|서로서)(?:으)?로)[가-힣]{2,8}(?:대로|로\d{0,3}번?길|로"
            r"|길) ?(?:\d{1,4}번?길 ?)?\d{1,4}(?:-\d{1,4})?(?=번지|[,.)]|$"
            r"| ?(?:\d{1,4}동 \d|[가-힣]{2,10}(?:아파트|빌라|빌딩|오피스텔)|\d{1,4}호)|(?:에|에서)? ?(?:살"
            r"|거주|사는|사시))"
        ),
        re.compile(
            r"(?:[가-힣]{1,8}(?:동|리|가) )\d{1,4}(?:-\d{1,4})?번지|(?:아파트|빌라|단지|맨션|오피스텔|자이"
            r"|힐스테이트|푸르지오"
            r"|래미안) ?\d{1,4}동 ?\d{1,4}호|\d{3,4}동 \d{3,4}호"
        ),
    ),
    "ar": (
        re.compile(
            r"شارع (?:[ء-ي]+ ?){1,4}[،,]? ?(?:(?:ال)?(?:رقم|عمارة|عماره|مبنى|منزل|بيت|بناية|بنايه|دار|عقار|فيلا"
            r"|شقة) ?(?:رقم)? ?)\d{1,4}"
            r"|شارع (?!في |من |على |كان )(?:[ء-ي]+ ){1,4}?\d{1,4}(?=\s*(?:$|[،,.؛؟!)]| في | ب| قرب| بجوار| أمام"
            r"| شقة| الدور| الطابق))"
            r"|(?<![\w.,:])\d{1,4}[،,]? ?(?:شارع|زنقة|نهج|زقاق|حارة|درب) (?!في |من |على |واحد|رئيسي|ضيق|أو |كل "
            r"|حول )[ء-ي]{3,}"
            r"|(?:زنقة|نهج|حي|محلة|زقاق|درب|شارع|حارة|جادة)[^.؟!\n]{1,40}?(?:(?:رقم|عمارة|منزل|دار|بناية|مبنى"
            r"|بيت|فيلا|شقة)) ?(?:رقم )?\d{1,4}"
            r"|محلة \d{2,4}|(?:عمارة|بناية|فيلا|منزل رقم|بيت رقم|دار رقم|مبنى) \d{1,4}[،,]? (?:شارع|شقة|الدور"
            r"|زنقة|نهج|حي|زقاق)"
        ),
    ),
    "bn": (
        re.compile(
            r"(?:বাড়ি|বাড়ি|বাসা|হাউজ|হাউস|হোল্ডিং|ফ্ল্যাট|প্লট)(?:র)?[ -]*(?:নং|নম্বর|নাম্বার|নম্বরঃ|নং:|:"
            r"|#)?[ :#-]*\d{1,4}(?:/?[A-Zক-হ]?)(?:/\d{1,3})?[, ]+(?:[^।\n]{0,25}?)(?:রোড|সড়ক|সড়ক|রাস্তা|লেন"
            r"|গলি|ব্লক|সেক্টর|স্ট্রিট|মহল্লা|অ্যাভিনিউ|এভিনিউ)"
            r"|(?<![\d.,:])\d{1,4}(?:/\d{1,3})?(?:/?[ক-হA-Z])?,? (?:নং |নম্বর )?(?:[ঀ-৿]+ ){1,3}(?:রোড|সড়ক"
            r"|সড়ক|লেন|স্ট্রিট|গলি|অ্যাভিনিউ|এভিনিউ)(?!ে? ?(?:কিলো|মিটার|দুর্ঘটনা))"
            r"|(?:রোড|সড়ক|সড়ক|লেন|গলি|ব্লক)[^।\n]{0,20}?[, ](?:বাড়ি|বাড়ি|বাসা|হাউজ|হাউস|হোল্ডিং"
            r"|ফ্ল্যাট)[ -]*(?:নং|নম্বর|নাম্বার|:|#)?[ :#-]*\d{1,4}"
        ),
    ),
}


_HINTS: dict[str, tuple[str, ...]] = {
    "en": (),
    "de": (
        "stra",
        "str.",
        "gasse",
        "allee",
        "chaussee",
        "weg",
        "platz",
        "ring",
        "ufer",
        "damm",
        "hof",
        "stieg",
        "steig",
        "markt",
        "graben",
        "wall",
        "kamp",
        "am ",
        "an de",
        "im ",
        "in der",
        "auf de",
        "zu",
        "unter den",
        "berg",
        "tor",
        "acker",
    ),
    "es": (
        "calle",
        "c/",
        "av",
        "paseo",
        "pº",
        "plaza",
        "pza",
        "pasaje",
        "ronda",
        "traves",
        "bulevar",
        "jirón",
        "camino",
        "glorieta",
        "cuesta",
        "callej",
        "diagonal",
        "pje",
        "carretera",
        "ruta",
    ),
    "pt": (
        "rua",
        "r.",
        "av",
        "travessa",
        "tv.",
        "alameda",
        "praça",
        "largo",
        "estrada",
        "rodovia",
        "beco",
        "ladeira",
        "praceta",
        "calçada",
        "quinta",
        "quadra",
    ),
    "tr": ("sokak", "sokağ", "sok.", "sk.", "cad", "cd.", "bulvar", "blv", "meydan", "mah", "yolu", "apartman", "apt"),
    "zh": ("号", "弄", "栋", "幢", "座", "单元"),
    "ko": ("로", "길", "번지", "동 ", "호"),
    "ar": (
        "شارع",
        "زنقة",
        "نهج",
        "حي",
        "محلة",
        "زقاق",
        "درب",
        "حارة",
        "جادة",
        "عمارة",
        "بناية",
        "فيلا",
        "منزل",
        "بيت",
        "دار",
        "مبنى",
    ),
    "bn": ("রোড", "সড়ক", "সড়ক", "রাস্তা", "লেন", "গলি", "ব্লক", "সেক্টর", "স্ট্রিট", "মহল্লা", "ভিনিউ"),
}


def find_address(text: str, tag: str) -> Found | None:
    """The first address in a levelled text, by the rules of the language (``es``) and of English."""
    low = text.lower()
    for name in dict.fromkeys((tag, "en")):
        hints = _HINTS.get(name, ())
        if hints and not any(h in low for h in hints):
            continue
        for pattern in _ADDRESSES.get(name, ()):
            if m := pattern.search(text):
                return Found("address", m[0])
    return None
