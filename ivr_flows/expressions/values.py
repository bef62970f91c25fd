"""What expressions come to. Every operation here is defined for all values: nothing raises.

A value is text (at most `TEXT_LENGTH` characters, cut there), a whole number (held between ±`NUMBER_LIMIT`) or a truth.
Where an operation meets a type that it isn't made for, the value is converted: `text` writes it out, `number` reads the
digits and gives 0 where there are none, and a truth is anything but false, 0 and the empty text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Value = str | int | bool

TEXT_LENGTH = 1000
NUMBER_LIMIT = 10**15

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}")


def text(value: Value) -> str:
    """The value as text: `true`, `false`, `42`, or the text itself, cut to `TEXT_LENGTH`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:TEXT_LENGTH]


def number_in(value: str) -> int | None:
    """The whole number that a text is, of up to 15 digits; None for any other text."""
    trimmed = value.strip()
    return int(trimmed) if _NUMBER.fullmatch(trimmed) else None


def number(value: Value) -> int:
    """The value as a whole number: 1 and 0 for truths; 0 for a text that is not a number of up to 15 digits."""
    if isinstance(value, str):
        return number_in(value) or 0
    return max(-NUMBER_LIMIT, min(NUMBER_LIMIT, int(value)))


def bounded(value: Value | None) -> Value:
    """A value that came from outside, within the limits; the empty text for None."""
    if isinstance(value, bool):
        return value
    return number(value) if isinstance(value, int) else text(value or "")


def truth(value: Value) -> bool:
    """False for false, 0 and the empty text; else true."""
    return bool(value)


def plus(left: Value, right: Value) -> Value:
    """The sum of two numbers; else both as text, one after the other."""
    if _is_number(left) and _is_number(right):
        return number(number(left) + number(right))
    return (text(left) + text(right))[:TEXT_LENGTH]


def minus(left: Value, right: Value) -> int:
    """The difference, both taken as numbers."""
    return number(number(left) - number(right))


def times(left: Value, right: Value) -> int:
    """The product, both taken as numbers."""
    return number(number(left) * number(right))


def divided(left: Value, right: Value) -> int:
    """The quotient, rounded down; 0 where the divisor is 0."""
    divisor = number(right)
    return number(left) // divisor if divisor else 0


def remainder(left: Value, right: Value) -> int:
    """What `divided` leaves, of the divisor's sign; 0 where the divisor is 0."""
    divisor = number(right)
    return number(left) % divisor if divisor else 0


def equal(left: Value, right: Value) -> bool:
    """Equal in type and value; values of two types are never equal."""
    return type(left) is type(right) and left == right


def less(left: Value, right: Value) -> bool:
    """Before the other: numbers by size, texts by code points; false for anything else."""
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    if _is_number(left) and _is_number(right):
        return left < right  # type: ignore[operator]
    return False


def digits(value: Value) -> str:
    """The digits 0-9 of the text, without everything else."""
    return "".join(sign for sign in text(value) if sign in "0123456789")


def _is_number(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": plus,
    "-": minus,
    "*": times,
    "//": divided,
    "%": remainder,
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": less,
    ">": lambda left, right: less(right, left),
    "<=": lambda left, right: less(left, right) or equal(left, right),
    ">=": lambda left, right: less(right, left) or equal(left, right),
    "in": lambda left, right: text(left) in text(right),
}

TO_TYPE: dict[str, Callable[[Value], Value]] = {"string": text, "number": number, "boolean": truth}
"""Makes a value one of a type."""
