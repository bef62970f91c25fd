"""What is different between two versions of a flow: node by node, prompt by prompt, field by field.

Where the editor draws the nodes is no part of a version, and so of no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ivr_flows.document import JsonObject
from ivr_flows.migration import migrate

What = Literal["added", "removed", "changed"]
Part = Literal["flow", "variable", "prompt", "node"]

_PARTS: tuple[tuple[Part, str], ...] = (("variable", "variables"), ("prompt", "prompts"), ("node", "nodes"))
_LEFT_OUT = {"layout", *(field for _, field in _PARTS)}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field, as `exits.done` or `cases[1].when`, with its value before and after; None where there was none."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """A variable, prompt or node that was added, removed or changed; or fields of the flow itself, named by its id."""

    what: What
    part: Part
    name: str
    fields: tuple[FieldChange, ...] = ()


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes from one document to another, in the order of the flow's parts; old formats as they are read today.

    Raises `migration.NewerFormat`.
    """
    return tuple(_changes(migrate(before), migrate(after)))


def _changes(before: JsonObject, after: JsonObject) -> Iterator[Change]:
    own = {key: value for key, value in before.items() if key not in _LEFT_OUT}
    theirs = {key: value for key, value in after.items() if key not in _LEFT_OUT}
    if fields := tuple(_fields("", own, theirs)):
        yield Change("changed", "flow", str(after.get("id", "")), fields)
    for part, field in _PARTS:
        yield from _entries(part, _object(before.get(field)), _object(after.get(field)))


def _entries(part: Part, before: JsonObject, after: JsonObject) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield Change("removed", part, name, tuple(_fields("", before[name], {})))
        elif name not in before:
            yield Change("added", part, name, tuple(_fields("", {}, after[name])))
        elif fields := tuple(_fields("", before[name], after[name])):
            yield Change("changed", part, name, fields)


def _fields(place: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{place}.{key}" if place else key
            yield from _fields(inner, before.get(key, _MISSING), after.get(key, _MISSING))
    elif isinstance(before, list) and isinstance(after, list) and _nested(before, after):
        for number in range(max(len(before), len(after))):
            old = before[number] if number < len(before) else _MISSING
            new = after[number] if number < len(after) else _MISSING
            yield from _fields(f"{place}[{number}]", old, new)
    elif type(before) is not type(after) or before != after:
        yield FieldChange(place, None if before is _MISSING else before, None if after is _MISSING else after)


def _nested(*lists: list[Any]) -> bool:
    """Whether the lists hold objects, like the cases of a branch: others are shown whole."""
    return any(isinstance(item, dict) for each in lists for item in each)


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
