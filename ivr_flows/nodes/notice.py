"""The node `notice`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import NoticeId
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import Refused


@node(
    "notice",
    exits={"active": "the notice is on, and was played", "inactive": "it is off, or there is none"},
    needs="notices",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Node):
    """Play the notice on a general problem, if it is switched on at this moment (R24)."""

    notice: Annotated[NoticeId, Field(description="the notice's id")] = "general"
    play: Annotated[bool, Field(description="false: only ask whether it is on")] = True

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.CheckNotice(self.notice, call.language))
        if isinstance(got, Refused) or not got.active:
            return "inactive"
        if self.play and got.files:
            yield from ask(do.Play(tuple(do.PromptFile(file) for file in got.files)))
        return "active"
