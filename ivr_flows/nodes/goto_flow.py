"""The node `goto_flow`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import FlowId, Version
from ivr_flows.node import NextFlow, Node, NodeRun, ask, node
from ivr_flows.results import Refused


class NoSuchFlow(Exception):
    """The runtime has no such flow to go on in; the call ends with a flow error."""


@node("goto_flow", exits={}, kinds=("inbound", "outbound", "callback", "sub"), ends=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class GotoFlow(Node):
    """Go on in another flow, for good. The call's attributes go along, the variables don't."""

    flow: Annotated[FlowId, Field(description="the other flow's id")]
    version: Annotated[Version | None, Field(description="its version; null: the one that is active then")] = None

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.EnterFlow(self.flow, self.version))
        if isinstance(got, Refused):
            raise NoSuchFlow(f"flow {self.flow} can't be entered: {got.reason}")
        return NextFlow(self.flow, got.version)
