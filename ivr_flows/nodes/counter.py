"""The node `counter`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ivr_flows.call import Call
from ivr_flows.instructions import Instruction
from ivr_flows.node import Node, node
from ivr_flows.results import Result


@node(
    "counter",
    exits={"again": "at the first `passes` passes", "exhausted": "at every later one"},
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Counter(Node):
    """Count how often the call comes by, and let it pass only so often. Begins anew whenever the flow is entered."""

    passes: Annotated[int, Field(ge=1, le=1000, description="how often the exit `again` is taken")]

    def bounded_exits(self) -> Mapping[str, int]:
        return {"again": self.passes}

    def run(self, call: Call) -> Generator[Instruction, Result, str]:
        yield from ()
        return "again" if call.passes <= self.passes else "exhausted"
