"""The node `amd`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.node import Node, NodeRun, ask, node
from ivr_flows.results import Refused


@node(
    "amd",
    exits={
        "human": "a person answered",
        "machine": "an answering machine",
        "fax": "a fax",
        "unsure": "it can't be told, or detection isn't available; treat it as a person",
    },
    kinds=("outbound",),
    needs="amd",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Amd(Node):
    """Find out who answered a call that we placed (R74)."""

    timeout_ms: Annotated[int, Field(ge=500, le=10_000, description="how long to listen at most, ms")] = 3000

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        return self.timeout_ms

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.DetectAnswer(self.timeout_ms))
        return "unsure" if isinstance(got, Refused) else got.who
