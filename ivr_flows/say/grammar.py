"""What the grammar of a language offers: values as the phrases that are spoken, in their order."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Protocol

Gender = Literal["masculine", "feminine", "neuter"]
Noun = Literal["second", "minute", "hour", "day", "call", "caller", "agent", "message"]
Currency = Literal["CZK", "EUR", "USD", "GBP"]
Phrases = tuple[str, ...]
"""Each phrase is one word or more and, where it is the text of a piece, recorded as a whole."""

LIMIT = 999_999_999
"""The largest number that can be said, above zero and below."""
ORDINAL_LIMIT = 99_999
"""The largest ordinal number that can be said."""


class CannotSay(ValueError):
    """There are no words for this."""


class Grammar(Protocol):
    """A language. All numbers are from 0 to the limits above; amounts have two decimals at most."""

    @property
    def PIECES(self) -> Mapping[str, str]:
        """All pieces that a voice must have recorded: name and spoken text."""

    @property
    def HOME_CODE(self) -> str:
        """The country code that is left out of telephone numbers: who speaks the language dials without it."""

    def cardinal(self, value: int, gender: Gender | None) -> Phrases:
        """`gender` is that of the noun that follows, None for counting."""

    def ordinal(self, value: int, gender: Gender) -> Phrases:
        """Third, in the nominative."""

    def count(self, value: int, noun: Noun) -> Phrases:
        """So many things."""

    def date(self, day: datetime.date, with_year: bool) -> Phrases:
        """On which day, as an answer to when."""

    def time(self, at: datetime.time) -> Phrases:
        """Hours and minutes; seconds are passed over."""

    def duration(self, seconds: int) -> Phrases:
        """Days, hours, minutes and seconds, those that are zero left out."""

    def money(self, amount: Decimal, currency: Currency) -> Phrases:
        """Not below zero."""

    def position(self, value: int, gender: Gender) -> Phrases:
        """The caller's place in the queue, as a sentence."""

    def wait(self, low: int, high: int) -> Phrases:
        """How many minutes the caller will wait, as a sentence: between the two, or about so many; 0: less than one."""


UNITS_S: tuple[tuple[Noun, int], ...] = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def split(seconds: int) -> list[tuple[int, Noun]]:
    """A duration in its units, those that are zero left out; nothing at all is no seconds."""
    parts: list[tuple[int, Noun]] = []
    for noun, length in UNITS_S:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append((count, noun))
    return parts or [(0, "second")]


def major_minor(amount: Decimal) -> tuple[int, int]:
    """Whole units and hundredths."""
    whole, hundredths = divmod(int(amount * 100), 100)
    return whole, hundredths
