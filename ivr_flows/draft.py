"""A document on its way to a flow: whatever of it can be understood, and what is wrong with the rest.

One mistake must not hide the next, so every part is read for itself and a part that fails is left out.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

import ivr_flows.nodes  # noqa: F401 - enters the node types in the registry
from ivr_flows.document import JsonObject
from ivr_flows.envelope import Envelope, LimitsSpec, Speech, VariableSpec
from ivr_flows.expressions import NUMBER_LIMIT, TEXT_LENGTH, WORDS, Expression, ExpressionError, Type, type_of
from ivr_flows.findings import Finding, did_you_mean, listed, shown
from ivr_flows.node import REGISTRY, Node
from ivr_flows.salvage import Part, read_node, salvage
from ivr_flows.wording import Wrong, explain

GUESSES = 100
"""For how many wrong names it is guessed which one was meant: it takes time, and there may be thousands of them."""

_FIELDS = tuple(each.name for each in fields(Envelope))
_BY_ITEM = ("variables", "prompts")


@dataclass(slots=True)
class DraftNode:
    """A node as far as it is understood.

    `node` is None where its type or one of its fields is wrong, so that it can't be run. What is right of such a node
    is in `part`, None only where the type is unknown: see `ivr_flows.salvage`.
    """

    id: str
    type: str
    node: Node | None
    exits: dict[str, str]
    part: Part | None


@dataclass(slots=True)
class Draft:
    """What could be read of a document. Serves as the nodes' `Scope`."""

    parts: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, DraftNode] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    loose: bool = False
    """Whether an exit is not wired or leads nowhere, so that nothing certain can be said of what is reached."""
    guesses: int = GUESSES

    @property
    def languages(self) -> tuple[str, ...]:
        languages: tuple[str, ...] = self.parts.get("languages", ())
        return languages

    @property
    def variables(self) -> Mapping[str, VariableSpec | None]:
        """The declared variables; None for one whose declaration is wrong."""
        found: Mapping[str, VariableSpec | None] = self.parts.get("variables", {})
        return found

    @property
    def prompts(self) -> Mapping[str, Mapping[str, str | Speech] | None]:
        """The prompts; None for one that is wrong."""
        found: Mapping[str, Mapping[str, str | Speech] | None] = self.parts.get("prompts", {})
        return found

    @property
    def limits(self) -> LimitsSpec:
        limits: LimitsSpec = self.parts.get("limits", LimitsSpec())
        return limits

    def variable(self, name: str) -> Type | None:
        declared = self.variables.get(name)
        return declared.type if declared else None

    def type_of(self, expression: Expression) -> Type | None:
        try:
            return type_of(expression.tree, self.variable)
        except ExpressionError:
            return None

    def meant(self, word: str, known: Collection[str]) -> str:
        """`; did you mean 'x'?`, or nothing when nothing comes near, or when too much has been guessed already."""
        self.guesses -= 1
        return did_you_mean(word, known) if self.guesses >= 0 else ""

    def error(self, code: str, node: str | None, place: str | None, message: str) -> None:
        """Note an error without a path; `verify.check` adds the path to the node."""
        self.findings.append(Finding("error", code, node, place, message))


def draft(content: JsonObject) -> Draft:
    """Read all that can be read of a document. Never raises."""
    made = Draft()
    for name in content:
        if name not in _FIELDS:
            hint = made.meant(name, _FIELDS) or f"; there are: {listed(_FIELDS)}"
            made.error("unknown_field", None, name, f"there is no field '{name}'{hint}")
    for each in fields(Envelope):
        if each.name in content:
            _read_part(made, each.name, content[each.name])
        elif each.name not in ("variables", "prompts", "limits", "layout"):
            made.error("missing_field", None, each.name, f"the field '{each.name}' is missing")
    _check_parts(made)
    for name, raw in made.parts.get("nodes", {}).items():
        made.nodes[name] = _node(made, name, raw)
    return made


def _read_part(made: Draft, name: str, value: Any) -> None:
    adapter = _envelope_adapters()[name]
    source = json.dumps(value)
    try:
        made.parts[name] = adapter.validate_json(source, strict=True)
    except ValidationError as error:
        wrong = explain(error, (), name)
        too_many = any(each["type"] == "too_long" and not each["loc"] for each in error.errors())
        if name in _BY_ITEM and isinstance(value, dict):
            made.parts[name] = dict.fromkeys(value) if too_many else _items(adapter, value)
        elif name == "nodes" and isinstance(value, dict) and not too_many:
            made.parts[name] = {key: item for key, item in value.items() if isinstance(item, dict)}
        for each in wrong:
            made.error(each.code, None, each.field, each.message)


def _items(adapter: TypeAdapter[Any], value: JsonObject) -> dict[str, Any]:
    """The entries of an object that are right; None for the others, whose names count as known."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        try:
            found |= adapter.validate_json(json.dumps({key: item}), strict=True)
        except ValidationError:
            found[key] = None
    return found


def _check_parts(made: Draft) -> None:
    languages = made.languages
    if len(set(languages)) < len(languages):
        made.error("bad_value", None, "languages", "a language stands twice; name each one once")
    for name, declared in made.variables.items():
        if name in WORDS:
            message = f"'{name}' is a word of the expression language; rename the variable"
            made.error("bad_value", None, f"variables.{name}", message)
        if declared is not None and declared.default is not None and _type(declared.default) != declared.type:
            made.error(
                "wrong_type",
                None,
                f"variables.{name}.default",
                f"the variable is of type {declared.type}, its default {shown(declared.default)} is not",
            )


def _type(value: Any) -> Type | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) and abs(value) <= NUMBER_LIMIT:
        return "number"
    return "string" if isinstance(value, str) and len(value) <= TEXT_LENGTH else None


def _node(made: Draft, name: str, raw: JsonObject) -> DraftNode:
    type_name = raw.get("type")
    cls = REGISTRY.get(type_name) if isinstance(type_name, str) else None
    if type_name is None:
        made.error("missing_field", name, "type", "the field 'type' is missing")
    elif cls is None:
        known = made.meant(str(type_name), REGISTRY) or f"; there are: {listed(sorted(REGISTRY))}"
        made.error("unknown_type", name, "type", f"there is no node type {shown(type_name)}{known}")
    node = part = None
    if cls is not None:
        node = _fields(made, name, cls, raw)
        part = Part(node, node) if node is not None else salvage(cls, raw)
    raw_exits = raw.get("exits", {})
    exits = _exits(made, name, raw_exits)
    if cls is not None and part is not None and isinstance(raw_exits, dict):
        _check_wiring(made, name, cls, part, raw_exits)
    return DraftNode(name, str(type_name), node, exits, part)


def _fields(made: Draft, name: str, cls: type[Node], raw: JsonObject) -> Node | None:
    try:
        return read_node(cls, raw)
    except ValidationError as error:
        known = [each.name for each in fields(cls)]  # type: ignore[arg-type]
        wrong: list[Wrong] = explain(error, known)
        for each in wrong:
            made.error(each.code, name, each.field, each.message)
        return None


def _exits(made: Draft, name: str, raw_exits: Any) -> dict[str, str]:
    """The exits that are wired to something."""
    if not isinstance(raw_exits, dict):
        made.error("bad_value", name, "exits", f"an object is expected, not {shown(raw_exits)}")
        made.loose = True
        return {}
    found: dict[str, str] = {}
    for exit_name, target in raw_exits.items():
        if isinstance(target, str):
            found[exit_name] = target
        else:
            made.error("bad_value", name, f"exits.{exit_name}", f"a node's id is expected, not {shown(target)}")
            made.loose = True
    return found


def _check_wiring(made: Draft, name: str, cls: type[Node], part: Part, exits: JsonObject) -> None:
    # Exits that are named by a field that is wrong aren't known; those of its entries that are right surely exist.
    wanted = part.exits(part.sound) or part.exits(part.readable) or cls.EXITS
    known = not cls.MORE_EXITS or part.exits(part.sound) is not None
    missing = [each for each in wanted if each not in exits]
    for exit_name in exits:
        if exit_name in wanted or not known:
            continue
        hint = made.meant(exit_name, missing)
        missing = [each for each in missing if f"'{each}'" not in hint]
        made.error(
            "unknown_exit",
            name,
            f"exits.{exit_name}",
            f"the node type {cls.TYPE} has no exit '{exit_name}' here{hint or f'; there are: {listed(wanted)}'}",
        )
    for exit_name in missing:
        made.loose = True
        made.error("missing_exit", name, f"exits.{exit_name}", f"the exit '{exit_name}' isn't wired; lead it to a node")


@functools.cache
def _envelope_adapters() -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(Envelope, include_extras=True)
    return {each.name: TypeAdapter(hints[each.name]) for each in fields(Envelope)}
