"""The JSON Schema of flows, generated from the node classes and the envelope; for editors and other tools.

    python -m ivr_flows.schema            # writes ivr_flows/flow.schema.json anew

It describes the form of a document. What only the checks can see (references, ways through the graph, types of
expressions) it lets pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import ivr_flows.nodes  # noqa: F401 - enters the node types in the registry
from ivr_flows.envelope import Envelope
from ivr_flows.fields import EXIT, NAME
from ivr_flows.node import REGISTRY, Node

FILE = Path(__file__).parent / "flow.schema.json"
"""The committed copy."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TARGET = {"type": "string", "pattern": NAME}

JsonObject = dict[str, Any]


def flow_schema() -> JsonObject:
    """The schema as draft 2020-12."""
    schema: JsonObject = _closed(TypeAdapter(Envelope).json_schema())
    definitions: JsonObject = schema.pop("$defs")
    for cls in REGISTRY.values():
        definitions |= _node_definitions(cls)
    definitions["node"] = _any_node()
    nodes = schema["properties"]["nodes"]
    nodes["patternProperties"] = {NAME: {"$ref": "#/$defs/node"}}
    return {"$schema": _DIALECT, "title": "callwright flow", **schema, "$defs": dict(sorted(definitions.items()))}


def _any_node() -> JsonObject:
    """A node of any type. Chosen by `type`, so that a validator names the fields of that type and no others."""
    choices = [
        {"if": {"properties": {"type": {"const": name}}}, "then": {"$ref": f"#/$defs/node.{name}"}}
        for name in sorted(REGISTRY)
    ]
    kinds = {"type": "object", "required": ["type"], "properties": {"type": {"enum": sorted(REGISTRY)}}}
    return {**kinds, "allOf": choices}


def _node_definitions(cls: type[Node]) -> JsonObject:
    name = f"node.{cls.TYPE}"
    schema = _closed(TypeAdapter(cls).json_schema(ref_template=f"#/$defs/{name}.{{model}}"))
    inner = {f"{name}.{key}": value for key, value in schema.pop("$defs", {}).items()}
    fields = schema.pop("properties", {})
    required = schema.pop("required", [])
    schema["properties"] = {"type": {"const": cls.TYPE}, **fields, "exits": _exits(cls)}
    schema["required"] = ["type", *required, *(["exits"] if cls.EXITS else [])]
    return {name: schema, **inner}


def _exits(cls: type[Node]) -> JsonObject:
    exits = {
        "type": "object",
        "description": "where the flow goes on",
        "properties": dict.fromkeys(cls.EXITS, _TARGET),
        "required": list(cls.EXITS),
    }
    if cls.MORE_EXITS:
        return {**exits, "propertyNames": {"pattern": EXIT}, "additionalProperties": _TARGET}
    return {**exits, "additionalProperties": False}


def _closed(schema: Any) -> Any:
    """Without the titles made from field names, and with objects closed against keys that fit none of the patterns."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _closed(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    return kept


def as_text() -> str:
    """The schema as it is written to `FILE`."""
    return json.dumps(flow_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text(), encoding="utf-8")
