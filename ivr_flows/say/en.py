"""English, as in Britain: one hundred and five, the twenty-third of November; hours with a.m. and p.m."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal

from ivr_flows.say.grammar import Currency, Gender, Noun, Phrases, major_minor, split

HOME_CODE = ""

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
    **{tens: f"{tens.removesuffix('y')}ieth" for tens in _TENS},
}
"""Those that are not made by adding th."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NOUNS: Mapping[str, tuple[str, str]] = {
    noun: (noun, f"{noun}s") for noun in ("second", "minute", "hour", "day", "call", "caller", "agent", "message")
}
_MONEY: Mapping[Currency, tuple[tuple[str, str], tuple[str, str]]] = {
    "CZK": (("crown", "crowns"), ("heller", "hellers")),
    "EUR": (("euro", "euros"), ("cent", "cents")),
    "USD": (("dollar", "dollars"), ("cent", "cents")),
    "GBP": (("pound", "pounds"), ("penny", "pence")),
}
_WORDS = ("hundred", "thousand", "million", "and", "the", "of", "oh", "noon", "midnight", "a.m.", "p.m.")
_YOU_ARE, _IN_THE_QUEUE = "you are", "in the queue"
_WAIT, _BETWEEN, _ABOUT, _LESS_THAN_A_MINUTE = "expect to wait", "between", "about", "less than a minute"


def _ordinal_word(word: str) -> str:
    return _ORDINALS.get(word, f"{word}th")


PIECES: Mapping[str, str] = {
    **{str(value): word for value, word in enumerate(_UNITS)},
    **{str(20 + 10 * step): word for step, word in enumerate(_TENS)},
    **{word.replace(".", ""): word for word in _WORDS},
    "minus": "minus",
    "plus": "plus",
    "star": "star",
    "hash": "hash",
    "entered": "You entered",
    "confirm": "To confirm, press one. To enter it again, press two.",
    "you-are": _YOU_ARE,
    "in-the-queue": _IN_THE_QUEUE,
    "wait": _WAIT,
    "between": _BETWEEN,
    "about": _ABOUT,
    "less-than-a-minute": _LESS_THAN_A_MINUTE,
    **{f"ordinal-{value}": _ordinal_word(word) for value, word in enumerate(_UNITS)},
    **{f"ordinal-{20 + 10 * step}": _ordinal_word(word) for step, word in enumerate(_TENS)},
    **{f"ordinal-{word}": _ordinal_word(word) for word in ("hundred", "thousand")},
    **{f"month-{number}": month for number, month in enumerate(_MONTHS, 1)},
    **{word: word for pair in _NOUNS.values() for word in pair if word != "second"},
    **{word: word for pairs in _MONEY.values() for pair in pairs for word in pair},
}
"""All recorded pieces and what is spoken in them."""


def cardinal(value: int, gender: Gender | None = None) -> Phrases:
    """Of a number up to `LIMIT`. `gender` changes nothing in English."""
    if value == 0:
        return (_UNITS[0],)
    millions, rest = divmod(value, 1_000_000)
    thousands, units = divmod(rest, 1000)
    phrases: Phrases = ()
    if millions:
        phrases += (*_below_thousand(millions), "million")
    if thousands:
        phrases += (*_below_thousand(thousands), "thousand")
    if phrases and 0 < units < 100:
        phrases += ("and",)
    return phrases + _below_thousand(units)


def _below_thousand(value: int) -> Phrases:
    hundreds, rest = divmod(value, 100)
    phrases: Phrases = (_UNITS[hundreds], "hundred") if hundreds else ()
    if hundreds and rest:
        phrases += ("and",)
    if rest >= 20:
        phrases += (_TENS[rest // 10 - 2],)
        rest %= 10
    return (*phrases, _UNITS[rest]) if rest else phrases


def ordinal(value: int, gender: Gender | None = None) -> Phrases:
    """Of a number up to `ORDINAL_LIMIT`: the last word is ordinal."""
    *before, last = cardinal(value)
    return (*before, _ordinal_word(last))


def count(value: int, noun: Noun) -> Phrases:
    """One minute, two minutes."""
    return _count(value, _NOUNS[noun])


def _count(value: int, names: tuple[str, str]) -> Phrases:
    return (*cardinal(value), names[value != 1])


def date(day: datetime.date, with_year: bool) -> Phrases:
    """The twenty-third of November twenty twenty-six."""
    phrases = ("the", *ordinal(day.day), "of", _MONTHS[day.month - 1])
    return (*phrases, *_year(day.year)) if with_year else phrases


def _year(year: int) -> Phrases:
    """Nineteen eighty-nine, nineteen oh five, nineteen hundred, two thousand and five, twenty twenty-six."""
    hundreds, rest = divmod(year, 100)
    if not 1100 <= year < 10000 or (hundreds % 10 == 0 and rest < 10):
        return cardinal(year)
    if rest == 0:
        return (*_below_thousand(hundreds), "hundred")
    return (*_below_thousand(hundreds), *(("oh",) if rest < 10 else ()), *_below_thousand(rest))


def time(at: datetime.time) -> Phrases:
    """Two thirty p.m., two oh five a.m., noon, midnight."""
    if at.minute == 0 and at.hour % 12 == 0:
        return ("noon" if at.hour else "midnight",)
    minutes = (*(("oh",) if at.minute < 10 else ()), *cardinal(at.minute)) if at.minute else ()
    return (*cardinal(at.hour % 12 or 12), *minutes, "p.m." if at.hour >= 12 else "a.m.")


def duration(seconds: int) -> Phrases:
    """Two minutes thirty seconds."""
    return tuple(phrase for number, noun in split(seconds) for phrase in count(number, noun))


def money(amount: Decimal, currency: Currency) -> Phrases:
    """One euro and fifty cents."""
    (unit, hundredth), (whole, rest) = _MONEY[currency], major_minor(amount)
    if rest == 0:
        return _count(whole, unit)
    return (*_count(whole, unit), "and", *_count(rest, hundredth)) if whole else _count(rest, hundredth)


def position(value: int, gender: Gender | None = None) -> Phrases:
    """You are third in the queue."""
    return (_YOU_ARE, *ordinal(value), _IN_THE_QUEUE)


def wait(low: int, high: int) -> Phrases:
    """Expect to wait between two and four minutes, about three minutes, less than a minute."""
    if high == 0:
        return (_WAIT, _LESS_THAN_A_MINUTE)
    between = (_ABOUT,) if low == high else (_BETWEEN, *cardinal(low), "and")
    return (_WAIT, *between, *count(high, "minute"))
