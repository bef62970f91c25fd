"""What expressions come to, read as what is to be said: amounts, days, times."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

from ivr_flows.say.grammar import CannotSay

_AMOUNT = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_PERHAPS_THOUSANDS = re.compile(r".*\.[0-9]{3}")
_FIRST_MOMENT_MS = 946_684_800_000
"""2000-01-01 in UTC: a smaller number is no moment but something else, as the day 20261123."""


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # a directory of zones is an OSError
        return False
    return True


def amount(value: str | int | bool) -> Decimal:
    """A number, or a text with a decimal point or comma: `12,50`. Raises `CannotSay`.

    Three decimals are refused: `1,234` is one and a bit to some, more than a thousand to others.
    """
    text = str(value).strip().replace(" ", "").replace("\u00a0", "").replace(",", ".")
    if not _AMOUNT.fullmatch(text) or _PERHAPS_THOUSANDS.fullmatch(text):
        raise CannotSay("this is no amount, or can be read as two")
    return Decimal(text)


def day(value: str | int | bool, zone: str) -> datetime.date:
    """A day or a moment in ISO 8601, or a moment in UTC epoch milliseconds. Raises `CannotSay`."""
    if isinstance(value, str) and len(value.strip()) == len("2026-11-23"):
        try:
            return datetime.date.fromisoformat(value.strip())
        except ValueError:
            raise CannotSay("this is no day") from None
    return _moment(value, zone).date()


def time(value: str | int | bool, zone: str) -> datetime.time:
    """A time of day (`14:30`) or a moment in ISO 8601, or a moment in UTC epoch milliseconds. Raises `CannotSay`.

    A time of day has no offset: without a day nobody knows what it is in another zone.
    """
    if isinstance(value, str) and "-" not in value and "T" not in value:
        try:
            found = datetime.time.fromisoformat(value.strip())
        except ValueError:
            raise CannotSay("this is no time of day") from None
        if found.tzinfo is not None:
            raise CannotSay("a time of day with an offset needs its day")
        return found
    return _moment(value, zone).time()


def _moment(value: str | int | bool, zone: str) -> datetime.datetime:
    """In the zone; a text without an offset is meant in the zone already."""
    try:
        if isinstance(value, str):
            found = datetime.datetime.fromisoformat(value.strip())
            return found.astimezone(ZoneInfo(zone)) if found.tzinfo else found
        if int(value) < _FIRST_MOMENT_MS:
            raise CannotSay("a number is a moment in milliseconds, from the year 2000 on")
        return datetime.datetime.fromtimestamp(int(value) / 1000, ZoneInfo(zone))
    except CannotSay:
        raise
    except (ValueError, OverflowError, OSError, KeyError):
        raise CannotSay("this is no moment") from None
