"""The node `dial`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.digits import is_dialable
from ivr_flows.expressions import Expression
from ivr_flows.fields import PhoneNumber, Prompts, RingTimeoutS, TrunkId
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node
from ivr_flows.results import Conversation

# A number has no phone that could be registered or not: whatever isn't the called party's doing is a failure.
_EXITS = {"busy": "busy", "no_answer": "no_answer", "rejected": "rejected", "not_ready": "failed", "failed": "failed"}


@node(
    "dial",
    exits={
        "finished": "they talked, and the called party hung up",
        "busy": "the number is busy",
        "no_answer": "nobody answered in time",
        "rejected": "the called party rejected the call",
        "failed": "the call couldn't be placed, or what `number_from` gives is no number",
    },
    kinds=("inbound", "outbound", "callback", "sub"),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Dial(Node):
    """Ring a number over a trunk and let it talk with the caller (R7)."""

    number: Annotated[PhoneNumber | None, Field(description="the number, like +420123456789, or an extension")] = None
    number_from: Annotated[Expression | None, Field(description="in place of number: where to take it from")] = None
    trunk: Annotated[TrunkId | None, Field(description="the trunk's id; null: the default trunk")] = None
    ring_timeout_s: Annotated[RingTimeoutS, Field(description="how long it rings, s")] = 30
    announcement: Annotated[Prompts, Field(description="played to the called party alone, before the two talk")] = ()
    caller_id: Annotated[PhoneNumber | None, Field(description="the number shown; null: as the trunk is set")] = None
    record: Annotated[
        bool | None, Field(description="true or false: record the conversation or not; null: as the route says")
    ] = None

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if (self.number is None) == (self.number_from is None):
            yield Fault("number", "give exactly one of number and number_from")
        elif self.number_from is not None and scope.type_of(self.number_from) in ("number", "boolean"):
            yield Fault("number_from", "a telephone number is text; the expression gives something else")

    def run(self, call: Call) -> NodeRun:
        number = self.number if self.number_from is None else call.text(self.number_from)
        if number is None or not is_dialable(number):
            return "failed"
        got = yield from ask(
            do.Connect(
                do.NumberTarget(number, self.trunk),
                ring_timeout_s=self.ring_timeout_s,
                announcement=call.media(self.announcement),
                caller_id=self.caller_id,
                record=self.record,
            )
        )
        return "finished" if isinstance(got, Conversation) else _EXITS[got.why]
