"""The node `wait`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import Keys
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import Played


@node(
    "wait",
    exits={"done": "the time is over"},
    more_exits={"key": "a key of `stop_keys` was pressed; exists only if there are any"},
    timed=("done",),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Node):
    """Wait in silence; a key may end it."""

    wait_ms: Annotated[int, Field(ge=20, le=600_000, description="how long to wait, ms")]
    stop_keys: Annotated[Keys, Field(description="keys that end the waiting; if any, the exit `key` must be wired")] = (
        ""
    )

    def exits(self) -> tuple[str, ...]:
        return ("done", "key") if self.stop_keys else self.EXITS

    def input_exits(self) -> frozenset[str]:
        return frozenset({"key"})

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return self.wait_ms

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.Play((do.Pause(self.wait_ms),), self.stop_keys))
        return "key" if self.stop_keys and isinstance(got, Played) and got.key else "done"
