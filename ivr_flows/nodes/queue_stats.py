"""The node `queue_stats`."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ivr_flows import instructions as do
from ivr_flows.call import Call
from ivr_flows.fields import ExitName, QueueId, VariableName
from ivr_flows.node import Fault, Node, NodeRun, Scope, ask, node
from ivr_flows.results import Refused

Figure = Literal["ready", "logged_in", "waiting", "longest_wait_s", "expected_wait_s"]
_TESTS: Mapping[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureCase:
    """One case: leave by `exit` when the figure stands so to the value."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    figure: Annotated[Figure, Field(description="agents ready or logged in, callers waiting, waits in s")]
    test: Annotated[Literal["==", "!=", "<", "<=", ">", ">="], Field(description="the comparison")]
    value: Annotated[int, Field(ge=0, le=1_000_000, description="what the figure is compared with")]
    exit: Annotated[ExitName, Field(description="the exit taken when it is true")]


@node(
    "queue_stats",
    exits={"default": "no case is true, or the figures can't be had"},
    more_exits={"*one for each case*": "it is the first that is true"},
    needs="queues",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats(Node):
    """Go on by the live figures of a queue (R6)."""

    queue: Annotated[QueueId, Field(description="the queue's id")]
    cases: Annotated[
        tuple[FigureCase, ...], Field(min_length=1, max_length=20, description="the cases, tried in this order")
    ]
    variables: Annotated[
        Mapping[Figure, VariableName], Field(description="variables of type number that take figures, to be said")
    ] = field(default_factory=dict)

    def exits(self) -> tuple[str, ...]:
        return (*dict.fromkeys(case.exit for case in self.cases), *self.EXITS)

    def writes(self, exit_name: str) -> frozenset[str]:
        return frozenset(self.variables.values())

    def faults(self, scope: Scope) -> Iterator[Fault]:
        times = Counter(case.exit for case in self.cases)
        for position, case in enumerate(self.cases):
            if case.exit in self.EXITS or times[case.exit] > 1:
                yield Fault(f"cases[{position}].exit", f"the exit '{case.exit}' is taken already; rename it")
        for figure, variable in self.variables.items():
            if scope.variable(variable) in ("string", "boolean"):
                yield Fault(f"variables.{figure}", f"the variable '{variable}' must be of type number")

    def run(self, call: Call) -> NodeRun:
        got = yield from ask(do.ReadQueue(self.queue))
        for figure, variable in self.variables.items():
            call.variables[variable] = 0 if isinstance(got, Refused) else getattr(got, figure) or 0
        if isinstance(got, Refused):
            return "default"
        for case in self.cases:
            figure_now = getattr(got, case.figure)
            if figure_now is not None and _TESTS[case.test](figure_now, case.value):
                return case.exit
        return "default"
