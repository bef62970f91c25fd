"""The node `record`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import Refused


@node(
    "record",
    exits={"next": "carried out", "error": "there is no recording, or it can't be started"},
    kinds=("inbound", "outbound", "callback", "sub"),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Node):
    """Control the recording of the call (R80)."""

    action: Annotated[
        Literal["start", "stop", "pause", "resume", "mask", "unmask"],
        Field(description="pause and mask keep the time and record silence, for a card number"),
    ]

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.Record(self.action))
        return "error" if isinstance(got, Refused) else "next"
