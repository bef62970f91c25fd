"""Czech numbers.

Thousands and millions are declined after their count: tisíc, dva tisíce, pět tisíc; milion, dva miliony, pět milionů.
After a compound the last word decides, and a final one takes the genitive: dvacet dva tisíce, dvacet jedna milionů. A
count of one is left out: tisíc, milion. Counting aloud says jedna, dva; before a noun one and two take its gender.
"""

from __future__ import annotations

from typing import Literal

Gender = Literal["masculine", "feminine", "neuter"]

LIMIT = 999_999_999

_UNITS = (
    *("nula", "jedna", "dva", "tři", "čtyři", "pět", "šest", "sedm", "osm", "devět"),
    *("deset", "jedenáct", "dvanáct", "třináct", "čtrnáct"),
    *("patnáct", "šestnáct", "sedmnáct", "osmnáct", "devatenáct"),
)
_TENS = ("dvacet", "třicet", "čtyřicet", "padesát", "šedesát", "sedmdesát", "osmdesát", "devadesát")
_HUNDREDS = ("sto", "dvě stě", "tři sta", "čtyři sta", "pět set", "šest set", "sedm set", "osm set", "devět set")

PIECES: dict[str, str] = {
    **{str(value): word for value, word in enumerate(_UNITS)},
    **{str(20 + 10 * step): word for step, word in enumerate(_TENS)},
    **{str(100 + 100 * step): word for step, word in enumerate(_HUNDREDS)},
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
}
"""All recorded pieces and what is spoken in them."""

_ONE: dict[Gender | None, str] = {None: "1", "masculine": "1-masculine", "feminine": "1", "neuter": "1-neuter"}
_TWO: dict[Gender | None, str] = {None: "2", "masculine": "2", "feminine": "2-feminine", "neuter": "2-feminine"}


def cardinal(value: int, gender: Gender | None) -> tuple[str, ...]:
    """The pieces of a number between 0 and `LIMIT`. `gender` is that of the noun that follows, None for counting."""
    if value == 0:
        return ("0",)
    millions, rest = divmod(value, 1_000_000)
    thousands, units = divmod(rest, 1000)
    pieces: tuple[str, ...] = ()
    if millions:
        pieces += (*_count(millions), _declined(millions, "million", "million-few", "million-many"))
    if thousands:
        pieces += (*_count(thousands), _declined(thousands, "thousand", "thousand-few", "thousand"))
    return pieces + _below_thousand(units, gender)


def _count(count: int) -> tuple[str, ...]:
    return () if count == 1 else _below_thousand(count, None)


def _declined(count: int, one: str, few: str, many: str) -> str:
    if count == 1:
        return one
    ends_in_few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return few if ends_in_few else many


def _below_thousand(value: int, gender: Gender | None) -> tuple[str, ...]:
    hundreds, rest = divmod(value, 100)
    pieces: tuple[str, ...] = (str(hundreds * 100),) if hundreds else ()
    if rest >= 20:
        pieces += (str(rest // 10 * 10),)
        rest %= 10
    if rest == 1:
        pieces += (_ONE[gender],)
    elif rest == 2:
        pieces += (_TWO[gender],)
    elif rest:
        pieces += (str(rest),)
    return pieces
