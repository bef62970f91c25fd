"""The node `conference`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import Name
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import Refused


@node(
    "conference",
    exits={"left": "the caller left the room, or was let out", "error": "the room is full or can't be entered"},
    kinds=("inbound", "outbound", "callback", "sub"),
    needs="conferences",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Conference(Node):
    """Let the caller into a conference room (R61)."""

    room: Annotated[Name, Field(description="the room's name")]
    muted: Annotated[bool, Field(description="the caller only listens")] = False
    max_members: Annotated[int, Field(ge=0, le=500, description="most members; 0: as the room is set")] = 0

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.JoinConference(self.room, self.muted, self.max_members))
        return "error" if isinstance(got, Refused) else "left"
