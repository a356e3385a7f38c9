"""Check digits of numbers that people carry, each by its published rule. Arguments are digits without separators."""

from __future__ import annotations

from collections.abc import Sequence


def _weigh(digits: str, weights: Sequence[int]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def is_card(digits: str) -> bool:
    """Luhn (ISO/IEC 7812), 13 to 19 digits."""
    doubled = (int(d) * 2 for d in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)
    return 13 <= len(digits) <= 19 and digits[0] in "234569" and total % 10 == 0 and len(set(digits)) > 1


def is_iban(value: str) -> bool:
    """ISO 13616, remainder 1 of 97. ``value`` without spaces, in capitals."""
    if not (
        15 <= len(value) <= 34 and value[:2].isalpha() and value[2:4].isdigit() and value.isascii() and value.isalnum()
    ):
        return False
    return int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1


def is_date(month: str, day: str) -> bool:
    """Can this be a month and a day?"""
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def is_korean_id(digits: str) -> bool:
    """13 digits: birth date, then a digit for century and gender. Numbers since 2020 carry no check digit."""
    return len(digits) == 13 and is_date(digits[2:4], digits[4:6]) and digits[6] in "12345678"


def is_chinese_id(value: str) -> bool:
    """18 characters, GB 11643 (ISO 7064 mod 11-2)."""
    if len(value) != 18 or value[6:8] not in ("18", "19", "20") or not is_date(value[10:12], value[12:14]):
        return False
    return "10X98765432"[_weigh(value, [2 ** (17 - k) % 11 for k in range(17)]) % 11] == value[17].upper()


def is_cpf(digits: str) -> bool:
    """Brazil, persons: 11 digits, two of them checks."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    return all(_weigh(digits, range(n, 1, -1)) * 10 % 11 % 10 == int(digits[n - 1]) for n in (10, 11))


def is_cnpj(digits: str) -> bool:
    """Brazil, firms: 14 digits, two of them checks."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    if len(digits) != 14 or len(set(digits)) == 1:
        return False
    return all(-_weigh(digits, weights[13 - n :]) % 11 % 10 == int(digits[n]) for n in (12, 13))


def is_cuit(digits: str) -> bool:
    """Argentina: 11 digits, the last a check."""
    return len(digits) == 11 and -_weigh(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 == int(digits[10])


def is_turkish_id(digits: str) -> bool:
    """11 digits, no leading zero, two checks."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    d = [int(c) for c in digits]
    return (sum(d[0:9:2]) * 7 - sum(d[1:8:2])) % 10 == d[9] and sum(d[:10]) % 10 == d[10]


def is_german_tax_id(digits: str) -> bool:
    """11 digits, no leading zero, ISO 7064 mod 11,10."""
    if len(digits) != 11 or digits[0] == "0" or len(set(digits[:10])) in (1, 10):
        return False
    product = 10
    for d in digits[:10]:
        product = ((int(d) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def is_spanish_id(value: str) -> bool:
    """DNI (8 digits) or NIE (X, Y or Z and 7 digits) and a letter by the remainder of 23."""
    number = value[:-1].upper().translate(str.maketrans("XYZ", "012"))
    return len(number) == 8 and number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == value[-1].upper()


def is_egyptian_id(digits: str) -> bool:
    """14 digits: century, birth date, governorate."""
    return len(digits) == 14 and digits[0] in "23" and is_date(digits[3:5], digits[5:7]) and 1 <= int(digits[7:9]) <= 88


def is_portuguese_tax_id(digits: str) -> bool:
    """NIF: 9 digits, the last a check."""
    if len(digits) != 9:
        return False
    rest = _weigh(digits, range(9, 1, -1)) % 11
    return int(digits[8]) == (0 if rest < 2 else 11 - rest)
