"""The node `lookup`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import Expression
from ivr_flows.fields import VARIABLE, VariableName
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node
from ivr_flows.results import Refused


@node(
    "lookup",
    exits={
        "one": "one contact fits; the variables have its fields",
        "many": "several fit; the variables have the fields of the first",
        "none": "no contact fits",
        "error": "contacts can't be looked up",
    },
    needs="contacts",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup(Node):
    """Find the caller among the contacts, in the local copy (R111)."""

    by: Annotated[
        Literal["number", "key"], Field(description="number: telephone number; key: the customer's own key")
    ] = "number"
    value: Annotated[Expression | None, Field(description="what to look for; null: the caller's number")] = None
    variables: Annotated[
        Mapping[VariableName, Annotated[str, Field(pattern=VARIABLE)]],
        Field(max_length=50, description="variables, and the fields of the contact that they take"),
    ] = field(default_factory=dict)

    def writes(self, exit_name: str) -> frozenset[str]:
        return frozenset(self.variables if exit_name in ("one", "many") else ())

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if self.by == "key" and self.value is None:
            yield Fault("value", "say where the key comes from")

    def run(self, call: Call) -> NodeRun:
        value = call.text(self.value) if self.value is not None else call.data.ani
        if not value:
            return "none"
        fields = tuple(dict.fromkeys(self.variables.values()))
        got = yield from ask(do.FindContact(self.by, value, fields))
        if isinstance(got, Refused):
            return "error"
        if not got.count:
            return "none"
        for variable, name in self.variables.items():
            call.assign(variable, got.fields.get(name, ""))
        return "one" if got.count == 1 else "many"
