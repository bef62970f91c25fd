"""Czech, after the rules of the Internet Language Reference Book (Internetová jazyková příručka) of the Academy.

**Cardinals.** Thousands and millions are declined after their count: tisíc, dva tisíce, pět tisíc; milion, dva miliony,
pět milionů. After a compound the last word decides, and a final one takes the genitive: dvacet dva tisíce, dvacet jedna
milionů. A count of one is left out: tisíc, milion. Counting aloud says jedna, dva; before a noun one and two take its
gender.

**Counted things.** One: nominative singular. Two to four: nominative plural. Five and more: genitive plural. After a
compound the genitive plural, with jedna and dva as in counting: dvacet jedna hodin, dvacet dva minut; but beyond a
hundred two to four are as by themselves: sto dvě koruny, sto jedna korun. Who waits does so in the accusative, which
differs for one alone: jednu minutu. Of two numbers the second decides: jednu až dvě minuty, čtyři až pět minut.

**Two rules are at work** where a compound ends in two to four. Within a number its last word decides on tisíc and
milion: 22 000 is dvacet dva tisíce. What is counted takes the genitive plural: 22 Kč is dvacet dva korun, 22 000 Kč
dvacet dva tisíce korun.

**Ordinals.** Of a compound, tens and units are ordinal, what stands before is cardinal: sto dvacátý třetí. Only the
last word is if hundreds or thousands are last: tisíc stý, dvoutisící. Dates take the genitive: dvacátého třetího.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from ivr_flows.say.czech_words import HUNDREDS, MONTHS, ORDINAL_PIECES, TENS, UNITS, Form, ordinal_word
from ivr_flows.say.grammar import Currency, Gender, Noun, Phrases, major_minor, split

HOME_CODE = "+420"


class _Counted(NamedTuple):
    """One, two to four, five and more of a thing."""

    gender: Gender
    one: str
    few: str
    many: str


_NOUNS: dict[str, _Counted] = {
    "second": _Counted("feminine", "sekunda", "sekundy", "sekund"),
    "minute": _Counted("feminine", "minuta", "minuty", "minut"),
    "hour": _Counted("feminine", "hodina", "hodiny", "hodin"),
    "day": _Counted("masculine", "den", "dny", "dní"),
    "call": _Counted("masculine", "hovor", "hovory", "hovorů"),
    "caller": _Counted("masculine", "volající", "volající", "volajících"),
    "agent": _Counted("masculine", "operátor", "operátoři", "operátorů"),
    "message": _Counted("feminine", "zpráva", "zprávy", "zpráv"),
}
_COINS = {
    "crown": _Counted("feminine", "koruna", "koruny", "korun"),
    "heller": _Counted("masculine", "haléř", "haléře", "haléřů"),
    "euro": _Counted("neuter", "euro", "eura", "eur"),
    "dollar": _Counted("masculine", "dolar", "dolary", "dolarů"),
    "cent": _Counted("masculine", "cent", "centy", "centů"),
    "pound": _Counted("feminine", "libra", "libry", "liber"),
    "penny": _Counted("feminine", "pence", "pence", "pencí"),
}
_MONEY: dict[Currency, tuple[str, str]] = {
    "CZK": ("crown", "heller"),
    "EUR": ("euro", "cent"),
    "USD": ("dollar", "cent"),
    "GBP": ("pound", "penny"),
}

_YOU_ARE, _IN_THE_QUEUE, _SET = "jste", "v pořadí", "set"
_WAIT, _TO, _ABOUT, _LESS_THAN_A_MINUTE = "budete čekat", "až", "asi", "méně než minutu"
_FOR_ONE, _FOR_A_MINUTE = "jednu", "minutu"

PIECES: Mapping[str, str] = {
    **{str(value): word for value, word in enumerate(UNITS)},
    **{str(20 + 10 * step): word for step, word in enumerate(TENS)},
    **{str(100 + 100 * step): word for step, word in enumerate(HUNDREDS)},
    "1-masculine": "jeden",
    "1-neuter": "jedno",
    "2-feminine": "dvě",
    "thousand": "tisíc",
    "thousand-few": "tisíce",
    "million": "milion",
    "million-few": "miliony",
    "million-many": "milionů",
    "minus": "minus",
    "plus": "plus",
    "star": "hvězdička",
    "hash": "křížek",
    "entered": "Zadali jste",
    "confirm": "Pro potvrzení stiskněte jedničku. Pro nové zadání stiskněte dvojku.",
    "you-are": _YOU_ARE,
    "in-the-queue": _IN_THE_QUEUE,
    "wait": _WAIT,
    "to": _TO,
    "about": _ABOUT,
    "less-than-a-minute": _LESS_THAN_A_MINUTE,
    "1-accusative": _FOR_ONE,
    "minute-accusative": _FOR_A_MINUTE,
    "hundred-of-years": _SET,
    **ORDINAL_PIECES,
    **{f"month-{number}": month for number, month in enumerate(MONTHS, 1)},
    **{
        f"{name}-{form}": word
        for name, thing in {**_NOUNS, **_COINS}.items()
        for form, word in (("one", thing.one), ("few", thing.few), ("many", thing.many))
    },
}
"""All recorded pieces and what is spoken in them."""

_ONE: dict[Gender | None, str] = {None: "jedna", "masculine": "jeden", "feminine": "jedna", "neuter": "jedno"}
_TWO: dict[Gender | None, str] = {None: "dva", "masculine": "dva", "feminine": "dvě", "neuter": "dvě"}


def cardinal(value: int, gender: Gender | None) -> Phrases:
    """Of a number up to `LIMIT`."""
    if value == 0:
        return (UNITS[0],)
    millions, rest = divmod(value, 1_000_000)
    thousands, units = divmod(rest, 1000)
    phrases: Phrases = ()
    if millions:
        phrases += (*_scale(millions), _declined(millions, "milion", "miliony", "milionů"))
    if thousands:
        phrases += (*_scale(thousands), _declined(thousands, "tisíc", "tisíce", "tisíc"))
    return phrases + _below_thousand(units, gender)


def _scale(count: int) -> Phrases:
    return () if count == 1 else _below_thousand(count, None)


def _declined(count: int, one: str, few: str, many: str) -> str:
    if count == 1:
        return one
    ends_in_few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return few if ends_in_few else many


def _below_thousand(value: int, gender: Gender | None) -> Phrases:
    hundreds, rest = divmod(value, 100)
    phrases: Phrases = (HUNDREDS[hundreds - 1],) if hundreds else ()
    if rest >= 20:
        phrases += (TENS[rest // 10 - 2],)
        rest %= 10
    if rest == 1:
        return (*phrases, _ONE[gender])
    if rest == 2:
        return (*phrases, _TWO[gender])
    return (*phrases, UNITS[rest]) if rest else phrases


def ordinal(value: int, gender: Gender) -> Phrases:
    """Of a number up to `ORDINAL_LIMIT`, in the nominative."""
    return _ordinal(value, gender)


def _ordinal(value: int, form: Form) -> Phrases:
    below_hundred = value % 100
    if value == 0 or 0 < below_hundred < 20:
        last: Phrases = (ordinal_word(below_hundred, form),)
        before = value - below_hundred
    elif below_hundred:
        tens, units = below_hundred // 10 * 10, below_hundred % 10
        last = (ordinal_word(tens, form), *((ordinal_word(units, form),) if units else ()))
        before = value - below_hundred
    elif value % 1000:
        last = (ordinal_word(value % 1000, form),)
        before = value - value % 1000
    else:
        return (ordinal_word(value, form),)
    return (*cardinal(before, None), *last) if before else last


def count(value: int, noun: Noun) -> Phrases:
    """Jedna minuta, dvě minuty, pět minut, dvacet dva minut."""
    return _count(value, _NOUNS[noun])


def _count(value: int, thing: _Counted) -> Phrases:
    if value == 1:
        return (_ONE[thing.gender], thing.one)
    if value % 100 in (2, 3, 4):
        return (*cardinal(value, thing.gender), thing.few)
    return (*cardinal(value, None), thing.many)


def date(day: datetime.date, with_year: bool) -> Phrases:
    """Dvacátého třetího listopadu dva tisíce dvacet šest."""
    phrases = (*_ordinal(day.day, "genitive"), MONTHS[day.month - 1])
    return (*phrases, *_year(day.year)) if with_year else phrases


def _year(year: int) -> Phrases:
    """From 1100 to 1999 by hundreds: devatenáct set osmdesát devět."""
    if not 1100 <= year < 2000:
        return cardinal(year, None)
    hundreds, rest = divmod(year, 100)
    return (UNITS[hundreds], _SET, *_below_thousand(rest, None))


def time(at: datetime.time) -> Phrases:
    """Čtrnáct hodin třicet minut."""
    hours = count(at.hour, "hour")
    return (*hours, *count(at.minute, "minute")) if at.minute else hours


def duration(seconds: int) -> Phrases:
    """Dvě minuty třicet sekund."""
    return tuple(phrase for number, noun in split(seconds) for phrase in count(number, noun))


def money(amount: Decimal, currency: Currency) -> Phrases:
    """Jedna koruna padesát; dvě koruny pět haléřů, since dvě koruny pět could be fifty."""
    unit, hundredth = (_COINS[name] for name in _MONEY[currency])
    whole, rest = major_minor(amount)
    if rest == 0:
        return _count(whole, unit)
    if whole == 0:
        return _count(rest, hundredth)
    return (*_count(whole, unit), *(cardinal(rest, None) if rest >= 10 else _count(rest, hundredth)))


def position(value: int, gender: Gender) -> Phrases:
    """Jste třetí v pořadí."""
    return (_YOU_ARE, *ordinal(value, gender), _IN_THE_QUEUE)


def wait(low: int, high: int) -> Phrases:
    """Budete čekat dvě až čtyři minuty, asi tři minuty, méně než minutu."""
    if high == 0:
        return (_WAIT, _LESS_THAN_A_MINUTE)
    between = (_ABOUT,) if low == high else (*_minutes(low)[:-1], _TO)
    return (_WAIT, *between, *_minutes(high))


def _minutes(number: int) -> Phrases:
    """In the accusative."""
    return (_FOR_ONE, _FOR_A_MINUTE) if number == 1 else count(number, "minute")
