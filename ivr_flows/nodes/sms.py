"""The node `sms`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.digits import is_dialable
from ivr_flows.expressions import Expression
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node
from ivr_flows.results import Refused


@node(
    "sms",
    exits={"next": "the gateway took the message", "error": "it didn't, or there is no number or no text"},
    needs="sms",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Sms(Node):
    """Send a text message (R26)."""

    text: Annotated[Expression, Field(description="the text")]
    number_from: Annotated[
        Expression | None, Field(description="the number; null: the one that the caller calls from")
    ] = None

    def faults(self, scope: Scope) -> Iterator[Fault]:
        if self.number_from is not None and scope.type_of(self.number_from) in ("number", "boolean"):
            yield Fault("number_from", "a telephone number is text; the expression gives something else")

    def run(self, call: Call) -> NodeRun:
        number = call.text(self.number_from) if self.number_from is not None else call.data.ani
        text = call.text(self.text)
        if not text or not is_dialable(number):
            return "error"
        got = yield from ask(do.SendSms(number, text))
        return "error" if isinstance(got, Refused) else "next"
