"""The reference pages of the node types, docs/nodes/<type>.md, generated from the node classes.

    python -m ivr_flows.pages             # writes the generated part of each page anew

The part between the two marks is generated; notes and an example, written by hand, follow it and are kept.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ivr_flows.fields import EXIT, NAME, VARIABLE
from ivr_flows.findings import listed
from ivr_flows.node import KINDS, REGISTRY, Node
from ivr_flows.schema import flow_schema
from ivr_flows.wording import pattern_in_words

FOLDER = Path(__file__).parents[1] / "docs" / "nodes"
BEGIN = "<!-- generated from the node's class by `python -m ivr_flows.pages` -->"
END = "<!-- end of what is generated -->"
_SHORT = {NAME: "name", VARIABLE: "variable", EXIT: "exit"}
"""What docs/flows.md explains once."""

JsonObject = dict[str, Any]


def generated(cls: type[Node]) -> str:
    """What the class says of the node type: what it does, its fields and its exits."""
    definitions: JsonObject = flow_schema()["$defs"]
    parts = [BEGIN, inspect.cleandoc(cls.__doc__ or "")]
    if frozenset(KINDS) != cls.KINDS:
        parts.append(f"Allowed in flows of kind {listed(kind for kind in KINDS if kind in cls.KINDS)}.")
    if cls.NEEDS is not None:
        parts.append(f"Needs `{cls.NEEDS}`: an installation that doesn't have it refuses the flow (`missing_feature`).")
    parts.append("\n".join(_fields(definitions, definitions[f"node.{cls.TYPE}"])) or "No fields.")
    parts.append("\n".join(_exits(cls)) or "No exits.")
    return "\n\n".join([*parts, END])


def page(cls: type[Node], before: str) -> str:
    """The page with its generated part renewed. `before` is the page as it stands, empty for a new one."""
    _, _, by_hand = before.partition(END)
    return f"# {cls.TYPE}\n\n{generated(cls)}\n" + by_hand.removeprefix("\n")


def _fields(definitions: JsonObject, schema: JsonObject) -> Iterator[str]:
    rows = list(_rows(definitions, schema, ""))
    if rows:
        yield "| Field | Type | Default | Meaning |"
        yield "|---|---|---|---|"
        yield from rows


def _rows(definitions: JsonObject, schema: JsonObject, prefix: str) -> Iterator[str]:
    required = schema.get("required", [])
    for name, each in schema.get("properties", {}).items():
        if not prefix and name in ("type", "exits"):
            continue
        default = "required" if name in required else f"`{json.dumps(each.get('default', {}), ensure_ascii=False)}`"
        yield f"| `{prefix}{name}` | {_type(each)} | {default} | {_cell(each.get('description', ''))} |"
        inner = each.get("items", each).get("$ref", "").removeprefix("#/$defs/")
        if inner:
            yield from _rows(definitions, definitions[inner], f"{prefix}{name}{'[]' if 'items' in each else ''}.")


def _exits(cls: type[Node]) -> Iterator[str]:
    if cls.MEANINGS:
        yield "| Exit | Taken when |"
        yield "|---|---|"
    for name, meaning in cls.MEANINGS.items():
        yield f"| {name if name.startswith('*') else f'`{name}`'} | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in words."""
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    if schema.get("format") == "callwright-expression":
        return "[expression](../flows.md#expressions)"
    match schema.get("type"):
        case "array":
            return f"list of {_bounds(schema, 'minItems', 'maxItems', 0)} × {_type(schema['items'])}"
        case "object":
            return f"object of {_bounds(schema, 'minProperties', 'maxProperties', 0)} × {_members(schema)}"
        case "integer":
            return f"whole number, {_bounds(schema, 'minimum', 'maximum', None)}"
        case "string" if "pattern" in schema:
            return _pattern(schema["pattern"])
        case "string" | None if "maxLength" in schema:
            return f"text of {_bounds(schema, 'minLength', 'maxLength', 0)} characters"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
    return "object"


def _pattern(pattern: str) -> str:
    return _SHORT.get(pattern) or _cell(pattern_in_words(pattern))


def _members(schema: Mapping[str, Any]) -> str:
    patterns: Mapping[str, Any] = schema.get("patternProperties", {})
    keys = schema.get("propertyNames", {})
    value = next(iter(patterns.values()), schema.get("additionalProperties", {}))
    key = _pattern(next(iter(patterns))) if patterns else _type(keys)
    return f"{key} → {_type(value) if isinstance(value, Mapping) and value else 'a value'}"


def _bounds(schema: Mapping[str, Any], low: str, high: str, least: int | None) -> str:
    at_least, at_most = schema.get(low, least), schema.get(high)
    if at_most is None:
        return f"at least {at_least}" if at_least else "any number"
    return f"up to {at_most}" if not at_least and least is not None else f"{at_least} to {at_most}"


def main() -> None:
    for cls in REGISTRY.values():
        file = FOLDER / f"{cls.TYPE}.md"
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(page(cls, before), encoding="utf-8")


if __name__ == "__main__":
    main()
