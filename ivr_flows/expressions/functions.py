"""The functions of the expression language: what each takes, gives and does. All are defined for all values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ivr_flows.expressions import patterns
from ivr_flows.expressions.values import TEXT_LENGTH, Value, digits, number, text

Type = Literal["string", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its parameters' types ("any" takes all), the type of what it gives, and how it comes to that."""

    parameters: tuple[Type | Literal["any"], ...]
    result: Type
    run: Callable[..., Value]


def _left(value: Value, count: Value) -> str:
    return text(value)[: max(0, number(count))]


def _right(value: Value, count: Value) -> str:
    kept = text(value)
    return kept[max(0, len(kept) - max(0, number(count))) :]


def _mid(value: Value, start: Value, count: Value) -> str:
    """`count` characters from the one at `start`, the first of which is 1."""
    first = max(1, number(start)) - 1
    return text(value)[first : first + max(0, number(count))]


def _replace(value: Value, old: Value, new: Value) -> str:
    """All occurrences of `old`; nothing is replaced where `old` is empty."""
    whole, what = text(value), text(old)
    return whole.replace(what, text(new))[:TEXT_LENGTH] if what else whole


FUNCTIONS: dict[str, Function] = {
    "len": Function(("any",), "number", lambda value: len(text(value))),
    "lower": Function(("string",), "string", lambda value: text(value).lower()[:TEXT_LENGTH]),
    "upper": Function(("string",), "string", lambda value: text(value).upper()[:TEXT_LENGTH]),
    "startswith": Function(("string", "string"), "boolean", lambda value, start: text(value).startswith(text(start))),
    "endswith": Function(("string", "string"), "boolean", lambda value, end: text(value).endswith(text(end))),
    "digits": Function(("any",), "string", digits),
    "number": Function(("any",), "number", number),
    "text": Function(("any",), "string", text),
    "trim": Function(("string",), "string", lambda value: text(value).strip()),
    "left": Function(("string", "number"), "string", _left),
    "right": Function(("string", "number"), "string", _right),
    "mid": Function(("string", "number", "number"), "string", _mid),
    "replace": Function(("string", "string", "string"), "string", _replace),
    "matches": Function(
        ("string", "string"), "boolean", lambda value, pattern: patterns.found(text(pattern), text(value))
    ),
}
"""By name, in the order in which people are told them."""
