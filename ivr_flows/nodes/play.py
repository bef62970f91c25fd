"""The node `play`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import Keys, SomePrompts
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import PlayFailed


@node(
    "play",
    exits={"done": "played to the end", "error": "a recording is missing or can't be read"},
    more_exits={"key": "a stop key was pressed; must be wired if, and only if, there are `stop_keys`"},
    timed=("done",),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Node):
    """Play prompts; a key may end them."""

    prompts: Annotated[SomePrompts, Field(description="prompts, played one after the other")]
    stop_keys: Annotated[Keys, Field(description="keys that end the prompts; if any, the exit `key` must be wired")] = (
        ""
    )

    def exits(self) -> tuple[str, ...]:
        return ("done", "key", "error") if self.stop_keys else ("done", "error")

    def input_exits(self) -> frozenset[str]:
        return frozenset({"key"})

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return sounds(self.prompts)

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.Play(call.media(self.prompts), self.stop_keys))
        if isinstance(got, PlayFailed):
            return "error"
        return "key" if self.stop_keys and got.key else "done"
