"""The node `say`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows import say
from ivr_flows.call import Call
from ivr_flows.expressions import Expression, number, text
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node, unspeakable
from ivr_flows.results import PlayFailed


@node("say", exits=("done", "error"), takes_time=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Say(Node):
    """Say a number or digits in the call's language, from recorded pieces."""

    value: Annotated[Expression, Field(description="what to say")]
    form: Annotated[
        Literal["digits", "number"], Field(description="digits: one by one, with +, * and #; number: as a number")
    ]
    gender: Annotated[
        Literal["masculine", "feminine", "neuter"] | None,
        Field(description="gender of the noun that follows a Czech number; null: counting"),
    ] = None

    def faults(self, scope: Scope) -> Iterator[Fault]:
        yield from unspeakable(scope, "form")
        given = scope.type_of(self.value)
        if given == "boolean":
            yield Fault("value", "true or false can't be said; give a number or digits")
        elif given == "string" and self.form == "number":
            yield Fault("value", "the expression gives text, not a number; convert with number(…) or say digits")

    def run(self, call: Call) -> NodeRun:
        value = call.value(self.value)
        try:
            if self.form == "number":
                media = say.number(number(value), call.language, self.gender)
            else:
                media = say.digits(text(value), call.language)
        except say.CannotSay:
            return "error"
        got = yield from ask(do.Play(media))
        return "error" if isinstance(got, PlayFailed) else "done"
