"""The call as a flow sees it: the facts it came with, and what the flow has made of it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ivr_flows.expressions import TO_TYPE, Expression, Type, Value, text
from ivr_flows.instructions import Media
from ivr_flows.results import QueueStanding


@dataclass(frozen=True, slots=True)
class CallData:
    """The facts of a call that a flow may decide upon.

    `did` and `ani` are normalised numbers; `ani` is empty when `anonymous`. `language` is the route's wish, empty for
    none. `started_ms`: when the call came, UTC epoch ms. `attributes` are those that the call already carries.
    `call_id` is the call's own, for good. `standing`: where the caller stands as a waiting flow begins.
    """

    did: str
    ani: str
    anonymous: bool = False
    caller_name: str = ""
    language: str = ""
    started_ms: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    call_id: str = ""
    standing: QueueStanding | None = None


def queue_facts(standing: QueueStanding | None) -> dict[str, int]:
    """What expressions read of the caller's place in the queue (`expressions.QUEUE_NAMES`); 0: not known."""
    told = standing or QueueStanding(0)
    return {
        "queue.position": told.position,
        "queue.waited_s": told.waited_s,
        "queue.wait_low_s": told.wait_low_s or 0,
        "queue.wait_high_s": told.wait_high_s or 0,
    }


class Call:
    """What a node is given to work with. One for each flow that is entered; `attributes` and `queue` go on to the next.

    `queue` is what `queue_facts` gives, kept up to date by the interpreter.
    """

    def __init__(
        self,
        data: CallData,
        language: str,
        prompts: Mapping[str, Mapping[str, Media]],
        variables: Mapping[str, Value],
        attributes: dict[str, str],
        types: Mapping[str, Type] | None = None,
        queue: Mapping[str, int] | None = None,
    ) -> None:
        self.data = data
        self.language = language
        self.chosen_language = ""
        """The language that the flow changed to; later flows speak it too. Empty: none was chosen."""
        self.passes = 1
        """How often the flow has come to the present node since it was entered."""
        self.variables = dict(variables)
        self.attributes = attributes
        self._prompts = prompts
        self._types = types or {}
        self._queue = queue_facts(data.standing) if queue is None else queue

    def media(self, prompts: Iterable[str]) -> tuple[Media, ...]:
        """The prompts in the call's language. Raises `KeyError` for what no check would have let through."""
        return tuple(self._prompts[name][self.language] for name in prompts)

    def value(self, expression: Expression) -> Value:
        """What the expression comes to now. Never raises."""
        return expression.evaluate(self._look_up)

    def text(self, expression: Expression) -> str:
        """What the expression comes to, as text."""
        return text(self.value(expression))

    def type_of(self, variable: str) -> Type:
        """The declared type of a variable."""
        return self._types.get(variable, "string")

    def assign(self, variable: str, value: Value) -> None:
        """Set a variable to a value, converted to the variable's type."""
        self.variables[variable] = TO_TYPE[self.type_of(variable)](value)

    def speak(self, language: str) -> None:
        """Change the language of this call, in this flow and those that follow."""
        self.language = self.chosen_language = language

    def _look_up(self, name: str) -> Value | None:
        """The value behind a name of the expression language; None for one that was never set."""
        if name.startswith("call.attributes."):
            return self.attributes.get(name.removeprefix("call.attributes."), "")
        if name in self._queue:
            return self._queue[name]
        match name:
            case "call.did":
                return self.data.did
            case "call.ani":
                return self.data.ani
            case "call.anonymous":
                return self.data.anonymous
            case "call.caller_name":
                return self.data.caller_name
            case "call.language":
                return self.language
            case "call.started_ms":
                return self.data.started_ms
        return self.variables.get(name)
