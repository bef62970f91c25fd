"""The call as a flow sees it: the facts it came with, and what the flow has made of it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ivr_flows.expressions import Expression, Value, text
from ivr_flows.instructions import Media, PromptFile


@dataclass(frozen=True, slots=True)
class CallData:
    """The facts of a call that a flow may decide upon.

    `did` and `ani` are normalised numbers; `ani` is empty when `anonymous`. `language` is the route's wish, empty for
    none. `started_ms`: when the call came, UTC epoch ms. `attributes` are those that the call already carries.
    """

    did: str
    ani: str
    anonymous: bool = False
    caller_name: str = ""
    language: str = ""
    started_ms: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)


class Call:
    """What a node is given to work with. One for each flow that is entered; `attributes` go on to the next flow."""

    def __init__(
        self,
        data: CallData,
        language: str,
        prompts: Mapping[str, Mapping[str, PromptFile]],
        variables: Mapping[str, Value],
        attributes: dict[str, str],
    ) -> None:
        self.data = data
        self.language = language
        self.variables = dict(variables)
        self.attributes = attributes
        self._prompts = prompts

    def media(self, prompts: Iterable[str]) -> tuple[Media, ...]:
        """The prompts' files in the call's language. Raises `KeyError` for what no check would have let through."""
        return tuple(self._prompts[name][self.language] for name in prompts)

    def value(self, expression: Expression) -> Value:
        """What the expression comes to now. Never raises."""
        return expression.evaluate(self._look_up)

    def text(self, expression: Expression) -> str:
        """What the expression comes to, as text."""
        return text(self.value(expression))

    def _look_up(self, name: str) -> Value | None:
        """The value behind a name of the expression language; None for one that was never set."""
        if name.startswith("call.attributes."):
            return self.attributes.get(name.removeprefix("call.attributes."), "")
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
