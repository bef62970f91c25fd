"""The node `branch`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from ivr_flows.call import Call
from ivr_flows.expressions import Expression
from ivr_flows.fields import ExitName
from ivr_flows.instructions import Instruction
from ivr_flows.node import Fault, Node, Scope, node
from ivr_flows.results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: leave by `exit` when `when` is true."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    when: Annotated[Expression, Field(description="the condition")]
    exit: Annotated[ExitName, Field(description="the exit taken when it is true")]


@node(
    "branch",
    exits={"default": "no case is true"},
    more_exits={"*one for each case*": "its condition is the first that is true"},
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Node):
    """Go on by the first case that is true, else by `default`."""

    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=50, description="the cases, tried in this order")]

    def exits(self) -> tuple[str, ...]:
        return (*dict.fromkeys(case.exit for case in self.cases), *self.EXITS)

    def choices(self) -> tuple[tuple[Expression, str], ...]:
        return tuple((case.when, case.exit) for case in self.cases)

    def faults(self, scope: Scope) -> Iterator[Fault]:
        times: Counter[str] = Counter()
        for position, case in enumerate(self.cases):
            times[case.exit] += 1
            if case.exit in self.EXITS:
                yield Fault(f"cases[{position}].exit", f"the exit '{case.exit}' is kept for the rest; rename it")
            elif times[case.exit] == 2:
                message = f"an earlier case has the exit '{case.exit}' already; join the two with 'or'"
                yield Fault(f"cases[{position}].exit", message)
            if scope.type_of(case.when) in ("string", "number"):
                yield Fault(f"cases[{position}].when", "a case must be true or false; compare the value with something")

    def run(self, call: Call) -> Generator[Instruction, Result, str]:
        yield from ()
        return next((case.exit for case in self.cases if call.value(case.when)), "default")
