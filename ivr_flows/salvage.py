"""Reading nodes: whole ones, and what is right of those with a mistake in them, so that one doesn't hide the next."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ivr_flows.document import JsonObject
from ivr_flows.node import REGISTRY, Node

_ENTRY = re.compile(r"(?P<list>\w+)\[(?P<number>\d+)\]")


@dataclass(frozen=True, slots=True)
class Part:
    """What could be read of a node. For a node without mistakes both are the node itself.

    `sound` has the fields that are right as a whole, `readable` also those entries of lists and objects that are.
    Asking either for a field that it lacks raises `AttributeError`, and so does every method that needs it.
    """

    sound: Node
    readable: Node
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """For each list of which only some entries are right, their places in the document."""

    def exits(self, which: Node) -> tuple[str, ...] | None:
        """All exits, or None where a field that names them is lacking."""
        try:
            return which.exits()
        except AttributeError:
            if which is self.sound is self.readable:
                raise
            return None

    def place(self, written: str) -> str:
        """The place in the document of a field of `readable`, like `cases[1].when`."""
        found = _ENTRY.match(written)
        if found is None or found["list"] not in self.places:
            return written
        return f"{found['list']}[{self.places[found['list']][int(found['number'])]}]{written[found.end() :]}"


def read_node(cls: type[Node], raw: JsonObject) -> Node:
    """The node of an entry of `nodes`, its wiring left aside. Raises `pydantic.ValidationError`."""
    content = {key: value for key, value in raw.items() if key not in ("type", "exits")}
    return _node_adapters()[cls.TYPE].validate_json(json.dumps(content), strict=True)


def salvage(cls: type[Node], raw: JsonObject) -> Part:
    """What is right of an entry of `nodes` that `read_node` refuses."""
    places: dict[str, tuple[int, ...]] = {}
    part = Part(object.__new__(cls), object.__new__(cls), places)
    for each in fields(cls):  # type: ignore[arg-type]
        adapter = _field_adapters(cls.TYPE)[each.name]
        if each.name not in raw:
            default = each.default if each.default_factory is MISSING else each.default_factory()
            if default is not MISSING:
                _set(part.sound, each.name, default)
                _set(part.readable, each.name, default)
            continue
        try:
            value = adapter.validate_json(json.dumps(raw[each.name]), strict=True)
        except ValidationError as error:
            wrong = {details["loc"][0] for details in error.errors() if details["loc"]}
            _set_entries(part.readable, each.name, adapter, raw[each.name], wrong)
            if isinstance(raw[each.name], list):
                places[each.name] = tuple(place for place in range(len(raw[each.name])) if place not in wrong)
        else:
            _set(part.sound, each.name, value)
            _set(part.readable, each.name, value)
    return part


def _set(node: Node, name: str, value: Any) -> None:
    object.__setattr__(node, name, value)  # nodes are frozen


def _set_entries(node: Node, name: str, adapter: TypeAdapter[Any], value: Any, wrong: set[int | str]) -> None:
    """Set the field to those of its entries that are right, where it has any."""
    kept: Any
    if isinstance(value, list):
        kept = [item for position, item in enumerate(value) if position not in wrong]
    elif isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in wrong}
    else:
        return
    try:
        _set(node, name, adapter.validate_json(json.dumps(kept), strict=True))
    except ValidationError:
        return  # nothing of it is right


@functools.cache
def _node_adapters() -> dict[str, TypeAdapter[Node]]:
    return {name: TypeAdapter(cls) for name, cls in REGISTRY.items()}


@functools.cache
def _field_adapters(type_name: str) -> dict[str, TypeAdapter[Any]]:
    cls = REGISTRY[type_name]
    hints = get_type_hints(cls, include_extras=True)
    return {each.name: TypeAdapter(hints[each.name]) for each in fields(cls)}  # type: ignore[arg-type]
