"""English numbers, as in Britain: one hundred and five, one thousand and one."""

from __future__ import annotations

LIMIT = 999_999_999

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

PIECES: dict[str, str] = {
    **{str(value): word for value, word in enumerate(_UNITS)},
    **{str(20 + 10 * step): word for step, word in enumerate(_TENS)},
    "hundred": "hundred",
    "thousand": "thousand",
    "million": "million",
    "and": "and",
    "minus": "minus",
    "plus": "plus",
    "star": "star",
    "hash": "hash",
    "entered": "You entered",
    "confirm": "To confirm, press one. To enter it again, press two.",
}
"""All recorded pieces and what is spoken in them."""


def cardinal(value: int, gender: object = None) -> tuple[str, ...]:
    """The pieces of a number between 0 and `LIMIT`. `gender` changes nothing in English."""
    if value == 0:
        return ("0",)
    millions, rest = divmod(value, 1_000_000)
    thousands, units = divmod(rest, 1000)
    pieces: tuple[str, ...] = ()
    if millions:
        pieces += (*_below_thousand(millions), "million")
    if thousands:
        pieces += (*_below_thousand(thousands), "thousand")
    if pieces and 0 < units < 100:
        pieces += ("and",)
    return pieces + _below_thousand(units)


def _below_thousand(value: int) -> tuple[str, ...]:
    hundreds, rest = divmod(value, 100)
    pieces: tuple[str, ...] = (str(hundreds), "hundred") if hundreds else ()
    if hundreds and rest:
        pieces += ("and",)
    if rest >= 20:
        pieces += (str(rest // 10 * 10),)
        rest %= 10
    return (*pieces, str(rest)) if rest else pieces
