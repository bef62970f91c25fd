"""The node `call_flow`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import Expression
from ivr_flows.fields import VARIABLE, FlowId, VariableName, Version
from ivr_flows.node import Node, NodeRun, SubFlow, ask, node
from ivr_flows.results import Refused

TheirVariable = Annotated[str, Field(pattern=VARIABLE)]


@node(
    "call_flow",
    exits={
        "returned": "the other flow came to a `return_flow`",
        "error": "there is no such flow, it failed, or flows call each other more than 8 deep",
    },
    kinds=("inbound", "outbound", "callback", "sub"),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallFlow(Node):
    """Run another flow and come back. It has variables of its own; the call's attributes are common to both."""

    flow: Annotated[FlowId, Field(description="the other flow's id")]
    version: Annotated[Version | None, Field(description="its version; null: the one that is active then")] = None
    arguments: Annotated[
        Mapping[TheirVariable, Expression],
        Field(max_length=50, description="variables of the other flow and the values with which it begins"),
    ] = field(default_factory=dict)
    results: Annotated[
        Mapping[VariableName, TheirVariable],
        Field(max_length=50, description="variables of this flow, and those of the other one that they are taken from"),
    ] = field(default_factory=dict)

    def writes(self, exit_name: str) -> frozenset[str]:
        return frozenset(self.results if exit_name == "returned" else ())

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.EnterFlow(self.flow, self.version))
        if isinstance(got, Refused):
            return "error"
        arguments = {name: call.value(value) for name, value in self.arguments.items()}
        return SubFlow(self.flow, got.version, arguments, self.results)
