"""Rules for keys that a caller typed: patterns, check digits, numbers to call. Nothing here can run long."""

from __future__ import annotations

import re
from collections.abc import Callable

_DIALABLE = re.compile(r"\+?[0-9]{2,20}")
_CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}

PATTERN = r"^([0-9XZN*#]|\[([0-9]-[0-9]|[0-9*#])+\])+\.?$"
"""What a pattern may look like."""


def matches(pattern: str, typed: str) -> bool:
    """Whether the keys fit a pattern written as in a dialplan.

    X is 0-9, Z 1-9, N 2-9, `[15-7]` one of these, any other sign itself; a dot at the end stands for any further keys.
    """
    steps, is_open = places(pattern)
    if len(typed) < len(steps) or (len(typed) > len(steps) and not is_open):
        return False
    return all(sign in allowed for sign, allowed in zip(typed, steps, strict=False))


def never_fits(pattern: str) -> bool:
    """Whether a list in the pattern is empty, as that of `[7-5]` is."""
    return not all(places(pattern)[0])


def places(pattern: str) -> tuple[list[str], bool]:
    """The keys allowed at each place, and whether more may follow."""
    body, is_open = (pattern[:-1], True) if pattern.endswith(".") else (pattern, False)
    steps: list[str] = []
    at = 0
    while at < len(body):
        if body[at] == "[":
            end = body.index("]", at)
            steps.append(_listed(body[at + 1 : end]))
            at = end + 1
        else:
            steps.append(_CLASSES.get(body[at], body[at]))
            at += 1
    return steps, is_open


def _listed(inside: str) -> str:
    """`15-7` as `1567`."""
    allowed = ""
    at = 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-":
            low, high = int(inside[at]), int(inside[at + 2])
            allowed += "".join(str(digit) for digit in range(low, high + 1))
            at += 3
        else:
            allowed += inside[at]
            at += 1
    return allowed


def is_dialable(number: str) -> bool:
    """Whether this is a number that can be called: 2 to 20 digits, + before them for an international one."""
    return _DIALABLE.fullmatch(number) is not None


def luhn(typed: str) -> bool:
    """ISO/IEC 7812-1: payment cards and many customer numbers. At least two digits."""
    if not _is_digits(typed) or len(typed) < 2:
        return False
    total = 0
    for place, sign in enumerate(reversed(typed)):
        doubled = int(sign) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def ico(typed: str) -> bool:
    """The Czech identification number of a company: eight digits, the last one by weights 8 to 2 modulo 11."""
    if not _is_digits(typed) or len(typed) != 8:
        return False
    remainder = sum(int(sign) * weight for sign, weight in zip(typed, range(8, 1, -1), strict=False)) % 11
    return int(typed[7]) == (11 - remainder) % 10


def rodne_cislo(typed: str) -> bool:
    """The Czech birth number (Act 133/2000 Coll.): nine digits until 1953, then ten that 11 divides.

    Until 1985 a remainder of ten in the first nine digits was written as 0. Months: +50 for women, and +20 for either
    since 2004 where a day had more births than numbers.
    """
    if not _is_digits(typed) or len(typed) not in (9, 10):
        return False
    year, month, day = int(typed[:2]), int(typed[2:4]), int(typed[4:6])
    if len(typed) == 9 and year > 53:
        return False
    if month % 50 not in range(1, 13) and not (len(typed) == 10 and month % 50 in range(21, 33)):
        return False
    if day not in range(1, 32):
        return False
    if len(typed) == 9 or int(typed) % 11 == 0:
        return True
    return year in range(54, 86) and int(typed[:9]) % 11 == 10 and typed[9] == "0"


def _is_digits(typed: str) -> bool:
    return typed.isascii() and typed.isdigit()


CHECKS: dict[str, Callable[[str], bool]] = {"luhn": luhn, "ico": ico, "rodne_cislo": rodne_cislo}
"""The check digits by their names in flows."""
