"""The node `return_flow`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from ivr_flows.call import Call
from ivr_flows.instructions import Instruction
from ivr_flows.node import Node, Return, node
from ivr_flows.results import Result


@node("return_flow", exits={}, kinds=("sub",), ends=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFlow(Node):
    """Go back to the flow that called this one, which goes on by the exit `returned` of its `call_flow`."""

    def run(self, call: Call) -> Generator[Instruction, Result, Return]:
        yield from ()
        return Return()
