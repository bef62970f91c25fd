"""Telephone numbers in the groups in which they are written and spoken."""

from __future__ import annotations

import re

import phonenumbers

from ivr_flows.say.grammar import CannotSay

_GROUP = 3
_LONGEST_GROUP = 4
"""More digits than that nobody remembers at once."""
_NUMBER = re.compile(r"\+?[0-9 ()/.-]{1,40}")


def groups(text: str, home_code: str) -> list[str]:
    """The groups of a number; an international one as its country writes it, without `home_code`, others in threes.

    00 before a number that can be is read as the plus sign. Raises `CannotSay` for what is no number.
    """
    digits = re.sub(r"[^+0-9]", "", text)
    if not _NUMBER.fullmatch(text.strip()) or not digits.strip("+"):
        raise CannotSay("this is no telephone number")
    found = _parsed(digits)
    if found is not None:
        return _international(found, home_code)
    return ["+", *_threes(digits[1:])] if digits.startswith("+") else _threes(digits)


def _parsed(digits: str) -> phonenumbers.PhoneNumber | None:
    """The number of some country; None for one without a country's code."""
    if not digits.startswith(("+", "00")):
        return None
    try:
        found = phonenumbers.parse(f"+{digits[2:]}" if digits.startswith("00") else digits)
    except phonenumbers.NumberParseException:
        return None
    # an extension may begin with 00 too
    return found if digits.startswith("+") or phonenumbers.is_possible_number(found) else None


def _international(found: phonenumbers.PhoneNumber, home_code: str) -> list[str]:
    written = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    code, *rest = re.split(r"[ -]+", written)
    parts = [part for group in rest for part in (_threes(group) if len(group) > _LONGEST_GROUP else [group])]
    return parts if code == home_code and parts else [code, *parts]


def _threes(digits: str) -> list[str]:
    """In threes from the left; what is left over goes to the last one when it is a single digit."""
    parts = [digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP)]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [parts[-2] + parts[-1]]
    return parts
