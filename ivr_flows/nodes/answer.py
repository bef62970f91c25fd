"""The node `answer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.node import Node, NodeRun, ask, node


@node("answer", exits={"next": "always"}, kinds=("inbound", "sub"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Node):
    """Answer the call, open early media, or only let it ring."""

    mode: Annotated[
        Literal["answer", "early_media", "ringing"],
        Field(description="answer: charging begins; early_media: prompts before that; ringing: it only rings"),
    ] = "answer"

    def run(self, call: Call) -> NodeRun:
        yield from ask(do.Answer(self.mode))
        return "next"
