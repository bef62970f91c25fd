"""The node `agent`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import AgentId, Prompts, RingTimeoutS
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import Conversation

# An agent who rejects the offer is there but doesn't want it now; a call that can't be placed finds nobody to ring.
_EXITS = {"busy": "busy", "rejected": "busy", "no_answer": "no_answer", "not_ready": "not_ready", "failed": "not_ready"}


@node(
    "agent",
    exits={
        "finished": "they talked, and the agent hung up",
        "busy": "the agent is on another call, or rejected this one",
        "no_answer": "nobody answered in time",
        "not_ready": "no phone is registered, the agent is not to be rung, or the call couldn't be placed",
    },
    kinds=("inbound", "outbound", "callback", "sub"),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Node):
    """Ring one agent and let the agent talk with the caller."""

    agent: Annotated[AgentId, Field(description="the agent's id")]
    ring_timeout_s: Annotated[RingTimeoutS, Field(description="how long the agent's phone rings, s")] = 20
    announcement: Annotated[Prompts, Field(description="played to the agent alone before the two talk")] = ()
    record: Annotated[
        bool | None, Field(description="true or false: record the conversation or not; null: as the route says")
    ] = None

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(
            do.Connect(
                do.AgentTarget(self.agent),
                ring_timeout_s=self.ring_timeout_s,
                announcement=call.media(self.announcement),
                record=self.record,
            )
        )
        return "finished" if isinstance(got, Conversation) else _EXITS[got.why]
