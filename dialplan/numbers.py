"""Telephone numbers in one form, whatever form they came in.

Internal extension, national number, `+` and `00` forms reach the same target, anonymous callers are a kind of
their own (R11), and an emergency number is recognised before anything else is asked (R13).

What a caller or a trunk sends is never trusted: `normalise` returns a `Number` for any text and never raises.
The `value` of a number that can be dialled holds only digits, `*`, `#` and a leading `+`, at most 16 of them, so it is
safe as an argument of the switch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import shortnumberinfo

from dialplan.faults import Fault, NumberingError

EMERGENCY_NUMBERS = frozenset({"112", "150", "155", "156", "158"})
"""Always emergency numbers (R13): European, fire, ambulance, municipal police, police. A country's own come on top."""

DEFAULT_EXTENSION_DIGITS = (2, 6)
"""Fewest and most digits of an internal extension."""

_RAW_LIMIT = 64
_ANONYMOUS = frozenset(
    {
        "", "anonymous", "unknown", "restricted", "private", "unavailable", "withheld", "privacy", "nobody",
        "no number", "no_number", "null", "undefined", "-", "asserted-id unavailable",
    }
)  # fmt: skip
_ANONYMOUS_HOSTS = ("anonymous.invalid", "unknown.invalid")
_SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
_SPELLED = re.compile(r"[0-9+*#() ./\-\u00a0\u2009\u202f]+")
_SEPARATORS = re.compile(r"[() ./\-\u00a0\u2009\u202f]+")
_DIGITS = re.compile(r"[0-9]+")
_CODE = re.compile(r"[*#][0-9*#]{1,15}")


class NumberKind(StrEnum):
    """What a number is, which decides who may route it."""

    E164 = "e164"
    EXTENSION = "extension"
    SHORT = "short"
    """An emergency number or another public short number (`1188`): dialled as it is, never with a country code."""
    CODE = "code"
    """A feature code, `*` or `#` first (R54)."""
    ANONYMOUS = "anonymous"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Number:
    """A number in its one form. Two numbers are equal when they reach the same target, however they were written."""

    kind: NumberKind
    value: str
    """`+420601234567`, `2001`, `112`, `*45`; empty for anonymous and invalid ones."""
    emergency: bool = False
    raw: str = field(default="", compare=False)
    """What was received, for records only: at most 64 characters, unprintable ones replaced by `?`."""

    @property
    def dialable(self) -> bool:
        """Whether the value can be called: not a feature code, not anonymous, not invalid."""
        return self.kind in (NumberKind.E164, NumberKind.EXTENSION, NumberKind.SHORT)

    def __str__(self) -> str:
        return self.value or self.kind.value


def normalise(raw: str, country: str, *, extension_digits: tuple[int, int] = DEFAULT_EXTENSION_DIGITS) -> Number:
    """The one form of `raw` as it is meant in `country` (R11).

    `country` is the ISO 3166 code of the switch's own numbering plan (`CZ`), `extension_digits` the fewest and most
    digits that an internal extension has: a number of that length without a prefix is an extension, unless it is an
    emergency number (R13). A national number must be valid in the country; one with `+` or `00` needs only a possible
    length, because a foreign country opens ranges before any table knows them.

    Never raises for `raw`. Raises `NumberingError` for a country or a range that does not exist.
    """
    _check_plan(country, extension_digits)
    shown = _printable(raw)
    text = _bare(raw)
    if text is None:
        return Number(NumberKind.ANONYMOUS, "", raw=shown)
    if not _SPELLED.fullmatch(text):
        return Number(NumberKind.INVALID, "", raw=shown)
    compact = _SEPARATORS.sub("", text)
    kind, value, emergency = _classify(compact, country, extension_digits)
    return Number(kind, value, emergency, raw=shown)


def is_emergency(digits: str, country: str) -> bool:
    """Whether `digits` is an emergency number (R13); `digits` as dialled, without any prefix."""
    if digits in EMERGENCY_NUMBERS:
        return True
    return bool(_DIGITS.fullmatch(digits)) and shortnumberinfo.is_emergency_number(digits, country)


def _classify(compact: str, country: str, extension_digits: tuple[int, int]) -> tuple[NumberKind, str, bool]:
    invalid = (NumberKind.INVALID, "", False)
    if _CODE.fullmatch(compact):
        return NumberKind.CODE, compact, False
    # 00 is the international prefix of the ITU; a country that dials another one never begins a number with 00.
    international = compact[1:] if compact.startswith("+") else compact[2:] if compact.startswith("00") else ""
    digits = international or compact
    if not _DIGITS.fullmatch(digits) or len(digits) > 20:
        return invalid
    emergency = _emergency_in(digits, country, prefixed=bool(international))
    if emergency:
        return NumberKind.SHORT, emergency, True
    if not international and extension_digits[0] <= len(digits) <= extension_digits[1]:
        return NumberKind.EXTENSION, digits, False
    if not international and _is_public_short(digits, country):
        return NumberKind.SHORT, digits, False
    value = _e164(f"+{digits}" if international else digits, country, national=not international)
    return (NumberKind.E164, value, False) if value else invalid


def _emergency_in(digits: str, country: str, *, prefixed: bool) -> str:
    """The emergency number that `digits` mean, else empty; phones also send `+112` and `+420112`."""
    if is_emergency(digits, country):
        return digits
    code = str(phonenumbers.country_code_for_region(country))
    if prefixed and digits.startswith(code) and is_emergency(digits[len(code) :], country):
        return digits[len(code) :]
    return ""


def _is_public_short(digits: str, country: str) -> bool:
    number = phonenumbers.PhoneNumber(
        country_code=phonenumbers.country_code_for_region(country), national_number=int(digits)
    )
    return not digits.startswith("0") and shortnumberinfo.is_valid_short_number_for_region(number, country)


def _e164(text: str, country: str, *, national: bool) -> str:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return ""
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not possible or (national and not phonenumbers.is_valid_number(number)):
        return ""
    value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return value if len(value) <= 16 else ""


def _bare(raw: str) -> str | None:
    """The user part of a SIP or tel address without parameters; None for an anonymous caller."""
    text = raw.strip().strip("<>").strip()
    text = _SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text
    user, _, host = text.partition("@")
    user = user.partition(";")[0].strip()
    if user.casefold() in _ANONYMOUS or host.partition(";")[0].casefold().endswith(_ANONYMOUS_HOSTS):
        return None
    return user


def _printable(raw: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in raw[:_RAW_LIMIT])


@lru_cache(maxsize=64)
def _check_plan(country: str, extension_digits: tuple[int, int]) -> None:
    faults = []
    if country not in phonenumbers.SUPPORTED_REGIONS:
        faults.append(Fault("country", f'"{country}" is not a country with a numbering plan (ISO 3166, CZ)'))
    fewest, most = extension_digits
    if not 1 <= fewest <= most <= 8:
        faults.append(Fault("extension_digits", f"{fewest} to {most} is not a range within 1 to 8"))
    if faults:
        raise NumberingError(faults)
