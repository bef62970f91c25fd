"""The node `set`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import Expression
from ivr_flows.expressions.tree import Binary, Constant, Name
from ivr_flows.fields import AttributeName, VariableName
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node


@node("set", exits={"next": "always"})
@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Node):
    """Set variables of the flow and attributes of the call (R9). All values are taken before any is set."""

    variables: Annotated[
        Mapping[VariableName, Expression], Field(max_length=50, description="variables and their new values")
    ] = field(default_factory=dict)
    attributes: Annotated[
        Mapping[AttributeName, Expression],
        Field(max_length=50, description="attributes of the call; they go to the agent, the record and the reports"),
    ] = field(default_factory=dict)

    def writes(self, exit_name: str) -> frozenset[str]:
        return frozenset(self.variables)

    def counts(self) -> Mapping[str, int]:
        steps = {name: _step(name, value) for name, value in self.variables.items()}
        return {name: step for name, step in steps.items() if step}

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if not self.variables and not self.attributes:
            yield Fault("variables", "nothing is set; give variables or attributes, or remove the node")
        for name, value in self.variables.items():
            wanted, given = scope.variable(name), scope.type_of(value)
            if wanted and given and wanted != given:
                yield Fault(f"variables.{name}", f"the variable is of type {wanted}, the expression gives {given}")

    def run(self, call: Call) -> NodeRun:
        values = {name: call.value(value) for name, value in self.variables.items()}
        attributes = {name: call.text(value) for name, value in self.attributes.items()}
        call.variables.update(values)
        if attributes:
            call.attributes.update(attributes)
            yield from ask(do.SetAttributes(attributes))
        return "next"


def _step(name: str, value: Expression) -> int:
    """2 for `name + 2` and `2 + name`, -1 for `name - 1`; 0 for everything else."""
    match value.tree:
        case Binary(op=("+" | "-") as op, left=Name(name=read), right=Constant(value=step)):
            if read == name and isinstance(step, int) and not isinstance(step, bool):
                return step if op == "+" else -step
        case Binary(op="+", left=Constant(value=step), right=Name(name=read)):
            if read == name and isinstance(step, int) and not isinstance(step, bool):
                return step
    return 0
