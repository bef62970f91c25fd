"""The node `callback`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.digits import is_dialable
from ivr_flows.expressions import Expression
from ivr_flows.fields import Key, Prompts, QueueId, TimeoutMs
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, gather, node
from ivr_flows.results import Refused


@node(
    "callback",
    exits={
        "accepted": "the request is noted",
        "declined": "the caller didn't press `accept_key`, or there is no number to call",
        "duplicate": "there is an open request for this number and queue",
        "closed": "callbacks aren't taken now",
    },
    kinds=("inbound", "queue_wait", "callback", "sub"),
    needs="callbacks",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Callback(Node):
    """Offer to call back, and note the request (R40)."""

    queue: Annotated[QueueId, Field(description="the queue whose agents call back")]
    prompts: Annotated[
        Prompts, Field(description="the offer; the caller accepts with accept_key. None: noted without asking")
    ] = ()
    accept_key: Annotated[Key, Field(description="the key that accepts the offer")] = "1"
    timeout_ms: Annotated[TimeoutMs, Field(description="how long to wait for the key, ms")] = 5000
    number_from: Annotated[
        Expression | None, Field(description="the number to call; null: the one that the caller calls from")
    ] = None
    not_before_from: Annotated[
        Expression | None, Field(description="earliest time wished, UTC epoch ms; null or 0: as soon as possible")
    ] = None
    keep_place: Annotated[bool, Field(description="the request takes the caller's place in the queue")] = True

    def input_exits(self) -> frozenset[str]:
        return frozenset({"accepted", "duplicate", "closed"} if self.prompts else ())

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if self.number_from is not None and scope.type_of(self.number_from) in ("number", "boolean"):
            yield Fault("number_from", "a telephone number is text; the expression gives something else")
        if self.not_before_from is not None and scope.type_of(self.not_before_from) in ("string", "boolean"):
            yield Fault("not_before_from", "a time is a number of ms; convert with number(…)")

    def run(self, call: Call) -> NodeRun:
        number = call.text(self.number_from) if self.number_from is not None else call.data.ani
        if not is_dialable(number):
            return "declined"
        if self.prompts:
            got = yield from gather(do.Collect(call.media(self.prompts), timeout_ms=self.timeout_ms))
            if got.digits != self.accept_key:
                return "declined"
        not_before = call.value(self.not_before_from) if self.not_before_from is not None else 0
        not_before_ms = max(0, not_before) if isinstance(not_before, int) else 0
        noted = yield from ask(do.RequestCallback(self.queue, number, int(not_before_ms), self.keep_place))
        return "closed" if isinstance(noted, Refused) else noted.outcome
