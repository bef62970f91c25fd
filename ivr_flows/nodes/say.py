"""The node `say`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows import say
from ivr_flows.call import Call
from ivr_flows.expressions import Expression, Value, number, text
from ivr_flows.instructions import Media
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node, unspeakable
from ivr_flows.results import PlayFailed
from ivr_flows.say import values

Form = Literal[
    "count",
    "date",
    "day_month",
    "digits",
    "duration",
    "money",
    "number",
    "ordinal",
    "phone",
    "position",
    "time",
    "wait",
]
NUMBERS = frozenset({"count", "duration", "number", "ordinal", "position", "wait"})
"""The forms that say whole numbers."""
_LONGEST_MS = 15_000


@node("say", exits={"done": "said", "error": "there is no way to say it, or to make it heard"}, timed=("done",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Say(Node):
    """Say a value in the call's language, from recorded pieces or by the speech engine."""

    value: Annotated[Expression, Field(description="what to say")]
    form: Annotated[Form, Field(description="as what the value is said")]
    to: Annotated[
        Expression | None, Field(description="the upper bound, s; for the form `wait`, whose `value` is the lower one")
    ] = None
    gender: Annotated[
        Literal["masculine", "feminine", "neuter"] | None,
        Field(description="gender of the noun that is meant; null: counting for a number, masculine for an ordinal"),
    ] = None
    noun: Annotated[say.Noun | None, Field(description="what is counted; for the form `count`")] = None
    currency: Annotated[say.Currency, Field(description="the currency; for the form `money`")] = "CZK"
    timezone: Annotated[str, Field(max_length=64, description="time zone of moments; for dates and times")] = (
        "Europe/Prague"
    )

    def faults(self, scope: Scope) -> Iterator[Fault]:
        yield from unspeakable(scope, "form")
        given = scope.type_of(self.value)
        if given == "boolean":
            yield Fault("value", "true or false can't be said; give a number or text")
        elif given == "string" and self.form in NUMBERS:
            yield Fault("value", "the expression gives text, not a number; convert with number(…) or say digits")
        if self.form == "count" and self.noun is None:
            yield Fault("noun", "what is counted? Name a noun, or say a number")
        if self.form == "wait" and self.to is None:
            yield Fault("to", "how long at most? Give the upper bound of the wait, s")
        elif self.form != "wait" and self.to is not None:
            yield Fault("to", f"only the form wait has an upper bound, not {self.form}; remove it")
        elif self.to is not None and scope.type_of(self.to) in ("string", "boolean"):
            yield Fault("to", "the upper bound is a number of seconds; convert with number(…)")
        if not values.is_zone(self.timezone):
            yield Fault("timezone", f"there is no time zone '{self.timezone}'; give one like Europe/Prague")

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return _LONGEST_MS

    def run(self, call: Call) -> NodeRun:
        try:
            spoken = _FORMS[self.form](self, call.value(self.value), call)
        except say.CannotSay:
            return "error"
        got = yield from ask(do.Play(spoken if isinstance(spoken, tuple) else (spoken,)))
        return "error" if isinstance(got, PlayFailed) else "done"


_Sayer = Callable[[Say, Value, Call], Media | tuple[Media, ...]]

_FORMS: Mapping[str, _Sayer] = {
    "count": lambda node, value, call: say.count(number(value), node.noun or "call", call.language),
    "date": lambda node, value, call: say.date(values.day(value, node.timezone), call.language),
    "day_month": lambda node, value, call: say.date(values.day(value, node.timezone), call.language, with_year=False),
    "digits": lambda node, value, call: say.digits(text(value), call.language),
    "duration": lambda node, value, call: say.duration(number(value), call.language),
    "money": lambda node, value, call: say.money(values.amount(value), node.currency, call.language),
    "number": lambda node, value, call: say.number(number(value), call.language, node.gender),
    "ordinal": lambda node, value, call: say.ordinal(number(value), call.language, node.gender or "masculine"),
    "phone": lambda node, value, call: say.phone(text(value), call.language),
    "position": lambda node, value, call: say.position(number(value), call.language, node.gender or "masculine"),
    "time": lambda node, value, call: say.time(values.time(value, node.timezone), call.language),
    "wait": lambda node, value, call: say.wait(number(value), number(call.value(node.to or node.value)), call.language),
}
