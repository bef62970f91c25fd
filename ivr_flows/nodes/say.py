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
]
NUMBERS = frozenset({"count", "duration", "number", "ordinal", "position"})
"""The forms that say whole numbers."""
_LONGEST_MS = 15_000


@node("say", exits={"done": "said", "error": "there is no way to say it, or to make it heard"}, timed=("done",))
@dataclass(frozen=True, slots=True, kw_only=True)
class Say(Node):
    """Say a value in the call's language, from recorded pieces or by the speech engine."""

    value: Annotated[Expression, Field(description="what to say")]
    form: Annotated[Form, Field(description="as what the value is said")]
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
        if not values.is_zone(self.timezone):
            yield Fault("timezone", f"there is no time zone '{self.timezone}'; give one like Europe/Prague")

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return _LONGEST_MS

    def run(self, call: Call) -> NodeRun:
        try:
            spoken = _FORMS[self.form](self, call.value(self.value), call.language)
        except say.CannotSay:
            return "error"
        got = yield from ask(do.Play(spoken if isinstance(spoken, tuple) else (spoken,)))
        return "error" if isinstance(got, PlayFailed) else "done"


_Sayer = Callable[[Say, Value, str], Media | tuple[Media, ...]]

_FORMS: Mapping[str, _Sayer] = {
    "count": lambda node, value, language: say.count(number(value), node.noun or "call", language),
    "date": lambda node, value, language: say.date(values.day(value, node.timezone), language),
    "day_month": lambda node, value, language: say.date(values.day(value, node.timezone), language, with_year=False),
    "digits": lambda node, value, language: say.digits(text(value), language),
    "duration": lambda node, value, language: say.duration(number(value), language),
    "money": lambda node, value, language: say.money(values.amount(value), node.currency, language),
    "number": lambda node, value, language: say.number(number(value), language, node.gender),
    "ordinal": lambda node, value, language: say.ordinal(number(value), language, node.gender or "masculine"),
    "phone": lambda node, value, language: say.phone(text(value), language),
    "position": lambda node, value, language: say.position(number(value), language, node.gender or "masculine"),
    "time": lambda node, value, language: say.time(values.time(value, node.timezone), language),
}
