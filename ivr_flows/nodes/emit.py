"""The node `emit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.expressions import Expression
from ivr_flows.fields import VARIABLE, Name
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import Refused


@node(
    "emit",
    exits={"next": "the event will be delivered", "error": "events can't be taken"},
    needs="webhooks",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Node):
    """Send an event to the webhooks (R112)."""

    event: Annotated[Name, Field(description="the event's name")]
    data: Annotated[
        Mapping[Annotated[str, Field(pattern=VARIABLE)], Expression],
        Field(max_length=50, description="what the event tells"),
    ] = field(default_factory=dict)

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.Emit(self.event, {name: call.value(value) for name, value in self.data.items()}))
        return "error" if isinstance(got, Refused) else "next"
