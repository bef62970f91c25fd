"""What a node refers to: names of prompts, agents and so on, and expressions, found by the types of its fields."""

from __future__ import annotations

import functools
import types
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from ivr_flows.expressions import Expression
from ivr_flows.fields import Ref, RefKind


@dataclass(frozen=True, slots=True)
class Reference:
    """`name` of something of `kind` that must exist, at `field` of the node."""

    field: str
    kind: RefKind
    name: str


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression at `field` of the node."""

    field: str
    expression: Expression


def references(node: object) -> tuple[Reference, ...]:
    """All names that the node refers to, in the order of its fields."""
    return tuple(each for each in _fields(node, "") if isinstance(each, Reference))


def formulas(node: object) -> tuple[Formula, ...]:
    """All expressions of the node."""
    return tuple(each for each in _fields(node, "") if isinstance(each, Formula))


@functools.cache
def _hints(cls: Hashable) -> dict[str, Any]:
    return get_type_hints(cast("type", cls), include_extras=True)


def _fields(owner: object, prefix: str) -> Iterator[Reference | Formula]:
    hints = _hints(cast("Hashable", type(owner)))
    for each in fields(owner):  # type: ignore[arg-type]
        # a node of which only a part could be read lacks fields (ivr_flows.salvage)
        yield from _walk(hints[each.name], getattr(owner, each.name, None), f"{prefix}{each.name}", None)


def _walk(hint: Any, value: Any, place: str, ref: Ref | None) -> Iterator[Reference | Formula]:
    if isinstance(value, Expression):
        yield Formula(place, value)
        return
    origin = get_origin(hint)
    if origin is Annotated:
        base, *extras = get_args(hint)
        named = next((extra for extra in extras if isinstance(extra, Ref)), ref)
        yield from _walk(base, value, place, named)
    elif origin in (Union, types.UnionType):
        chosen = [each for each in get_args(hint) if each is not type(None)]
        if value is not None:
            yield from _walk(chosen[0], value, place, ref)
    elif isinstance(value, Mapping):
        of_key, of_value = get_args(hint)
        for key, item in value.items():
            yield from _walk(of_key, key, f"{place}.{key}", None)
            yield from _walk(of_value, item, f"{place}.{key}", None)
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from _walk(get_args(hint)[0], item, f"{place}[{position}]", ref)
    elif is_dataclass(value):
        yield from _fields(value, f"{place}.")
    elif ref is not None and isinstance(value, str):
        yield Reference(place, ref.kind, ref.of(value))
