"""The node `hangup`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.node import Node, NodeRun, ask, node

Cause = Literal[
    "NORMAL_CLEARING",
    "USER_BUSY",
    "NO_ANSWER",
    "NO_USER_RESPONSE",
    "CALL_REJECTED",
    "UNALLOCATED_NUMBER",
    "NUMBER_CHANGED",
    "DESTINATION_OUT_OF_ORDER",
    "NORMAL_TEMPORARY_FAILURE",
    "SWITCH_CONGESTION",
    "SERVICE_UNAVAILABLE",
]
"""The causes of ITU-T Q.850 that a flow has a use for, in FreeSWITCH's spelling."""


@node("hangup", exits={}, ends=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup(Node):
    """End the call."""

    cause: Annotated[Cause, Field(description="what the caller's side is told, in FreeSWITCH's spelling")] = (
        "NORMAL_CLEARING"
    )
    reason: Annotated[str, Field(max_length=100, description="why, for the call record")] = ""

    def run(self, call: Call) -> NodeRun:
        yield from ask(do.Hangup(self.cause, self.reason))
        return None
