"""The node `split`."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ivr_flows.call import Call
from ivr_flows.fields import ExitName
from ivr_flows.instructions import Instruction
from ivr_flows.node import Fault, Node, Scope, node
from ivr_flows.results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm: this share of the calls leaves by `exit`."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    exit: Annotated[ExitName, Field(description="the exit")]
    percent: Annotated[int, Field(ge=0, le=100, description="its share of the calls")]


@node("split", exits={}, more_exits={"*one for each arm*": "the call falls to this arm"})
@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Node):
    """Send calls different ways by percentage; the same call or caller always the same way."""

    arms: Annotated[tuple[Arm, ...], Field(min_length=2, max_length=10, description="the arms; 100 percent in all")]
    by: Annotated[
        Literal["call", "caller"],
        Field(description="call: each call anew; caller: a number always the same way, hidden numbers by call"),
    ] = "call"
    seed: Annotated[
        str, Field(max_length=40, description="splits with different seeds divide independently of each other")
    ] = ""

    def exits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(arm.exit for arm in self.arms))

    def faults(self, scope: Scope) -> Iterator[Fault]:
        total = sum(arm.percent for arm in self.arms)
        if total != 100:
            yield Fault("arms", f"the arms make {total} percent in all; let them make 100")
        if len(self.exits()) < len(self.arms):
            yield Fault("arms", "two arms share an exit; join them, or name one exit for each")

    def run(self, call: Call) -> Generator[Instruction, Result, str]:
        yield from ()
        who = (self.by == "caller" and call.data.ani) or call.data.call_id
        drawn = int.from_bytes(hashlib.sha256(f"{self.seed}\0{who}".encode("utf-8", "replace")).digest()[:8]) % 10_000
        for arm in self.arms:
            drawn -= arm.percent * 100
            if drawn < 0:
                return arm.exit
        return self.arms[-1].exit
