"""Rounds that are counted: a variable that every pass moves the same way, and a branch on it that leads out.

Whoever went round such a cycle for ever would move the variable beyond any bound. So a branch that the variable decides
once it is far enough, and that then leads out, is passed only so many times.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr_flows.expressions.tree import Binary, Constant, Name, Negate, Tree
from ivr_flows.verify.graph import Graph
from ivr_flows.verify.study import Study

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Counter:
    """A variable that bounds the rounds of a knot: the nodes that move it, those that leave by it, and after how many
    rounds they surely do. A cycle that misses one of the two sets isn't bounded by it."""

    variable: str
    moving: frozenset[str]
    leaving: frozenset[str]
    rounds: int


def counter(study: Study, knot: Graph) -> Counter | None:
    """A counter of the knot, if it has one."""
    steps: dict[str, dict[str, int]] = {}
    spoilt: set[str] = set()
    for name in knot.nodes:
        known = study.nodes[name]
        for variable, step in known.counts.items():
            steps.setdefault(variable, {})[name] = step
        spoilt |= {each for written in known.writes.values() for each in written} - known.counts.keys()
    for variable, by_node in steps.items():
        upwards = {step > 0 for step in by_node.values()}
        if variable in spoilt or len(upwards) > 1:
            continue
        starts = _starts(study, knot, variable, upwards=True in upwards)
        if starts is None:
            continue
        test = _Test(variable, upwards.pop(), min(abs(step) for step in by_node.values()), starts)
        leaving = {name: rounds for name in knot.nodes if (rounds := test.leaves(study, knot, name)) is not None}
        if leaving:
            return Counter(variable, frozenset(by_node), frozenset(leaving), max(leaving.values()))
    return None


def _starts(study: Study, knot: Graph, variable: str, upwards: bool) -> frozenset[int] | None:
    """The values with which counting may begin: those that the flow gives the variable. None where one isn't known.

    Whatever moves it the same way elsewhere only brings it nearer to the end of the counting.
    """
    declared = study.draft.variables.get(variable)
    if declared is None or declared.type != "number":
        return None
    found: set[int] = set()
    inside = set(knot.nodes)
    if not inside.isdisjoint(study.given(variable)):
        if study.draft.parts.get("kind") == "sub":
            return None  # who calls this flow may give it any value
        if isinstance(declared.default, int):
            found.add(declared.default)
    for name in study.writers.get(variable, ()):
        known = study.nodes[name]
        if variable in known.counts:
            if (known.counts[variable] > 0) != upwards:
                return None
            continue
        given = [each for each in known.formulas if each.field == f"variables.{variable}"]
        values = [_constant(each.expression.tree) for each in given]
        if not values or None in values:
            return None
        found |= {value for value in values if value is not None}
    return frozenset(found)


def _constant(tree: Tree) -> int | None:
    match tree:
        case Constant(value=value) if isinstance(value, int) and not isinstance(value, bool):
            return value
        case Negate(op="-", operand=operand):
            positive = _constant(operand)
            return None if positive is None else -positive
    return None


@dataclass(slots=True)
class _Test:
    """What branches come to in the end, when `variable` has been moved far enough by `step` in each round."""

    variable: str
    upwards: bool
    step: int
    starts: frozenset[int]
    rounds: int = 0

    def leaves(self, study: Study, knot: Graph, name: str) -> int | None:
        """After how many rounds the node surely leads out of the knot; None if never."""
        choices = study.nodes[name].choices
        if not choices:
            return None
        inside = {edge.exit for edge in knot.out(name)}
        self.rounds = 0
        for condition, exit_name in choices:
            outcome = self._in_the_end(condition.tree)
            if outcome is not False and exit_name in inside:
                return None
            if outcome is True:
                return self.rounds
        return self.rounds if "default" not in inside else None

    def _in_the_end(self, tree: Tree) -> bool | None:
        match tree:
            case Constant(value=value):
                return bool(value)
            case Negate(op="not", operand=operand):
                inner = self._in_the_end(operand)
                return None if inner is None else not inner
            case Binary(op=("and" | "or") as op, left=left, right=right):
                both = {self._in_the_end(left), self._in_the_end(right)}
                deciding = op == "or"
                return deciding if deciding in both else None if None in both else not deciding
            case Binary(op=op, left=Name(name=name), right=right) if name == self.variable and op in _MIRRORED:
                return self._against(op, _constant(right))
            case Binary(op=op, left=left, right=Name(name=name)) if name == self.variable and op in _MIRRORED:
                return self._against(_MIRRORED[op], _constant(left))
        return None

    def _against(self, op: str, bound: int | None) -> bool | None:
        if bound is None:
            return None
        on_the_way = [bound - start if self.upwards else start - bound for start in self.starts]
        # Some tests are decided at the bound, the others only beyond it.
        least = 0 if op in ((">=", "<") if self.upwards else ("<=", ">")) else 1
        self.rounds = max(self.rounds, *(-(-(distance + least) // self.step) for distance in on_the_way), 0)
        if op in ("==", "!="):
            return op == "!="
        return (op in (">", ">=")) == self.upwards
