"""How far a silent caller may come: through how many nodes at most, and in how much time.

An infinite call through a knot that has a counter would in the end either no longer move it, or no longer pass a branch
that leaves by it. So the knot is finite when both what remains without the one and what remains without the other is.
The same division tells how long the longest way is; what is told may be more than can happen, and is never less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from ivr_flows.verify.counting import Counter, counter
from ivr_flows.verify.graph import Edge, Graph
from ivr_flows.verify.study import Study

EFFORT = 20
"""How often, on average, an edge is looked at before a knot counts as not to be proved."""

Weight = Callable[[str], float]
"""What a pass of a node counts for."""


class Unproved(NamedTuple):
    """A part of the flow in which a call may go round for ever. `certain` is False where the proof was given up."""

    part: Graph
    certain: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of a graph: for the nodes of each knot that is finite why, and where a call may go round."""

    graph: Graph
    counted: Mapping[str, Counted]
    unproved: tuple[Unproved, ...]

    def furthest(self, weight: Weight) -> dict[str, float]:
        """For each node what the longest way from it counts for, the node too; infinite where that isn't bounded."""
        return furthest(self.graph, weight, lambda knot: self._inside(knot, weight))

    def _inside(self, knot: Graph, weight: Weight) -> Mapping[str, float]:
        why = self.counted.get(knot.nodes[0])
        return why.furthest(weight) if why is not None else dict.fromkeys(knot.nodes, inf)


@dataclass(frozen=True, slots=True)
class Counted:
    """A knot that is finite by a counter: what remains of it without the nodes that move it, or without the others."""

    knot: Graph
    by: Counter
    unmoved: Proof
    staying: Proof

    def furthest(self, weight: Weight) -> dict[str, float]:
        """The longest ways within the knot. After the last of its rounds a call comes to one leaving node at most."""
        before, after = self.unmoved.furthest(weight), self.staying.furthest(weight)
        last = max(weight(name) for name in self.by.leaving)
        if not self.by.rounds:
            return {name: after.get(name, 0) + last for name in self.knot.nodes}
        rounds = [self._round(name, weight, before) for name in self.by.moving]
        counted = (self.by.rounds - 1) * max(rounds) + max(after.get(name, 0) for name in self.by.moving) + last
        return {name: before.get(name, 0) + counted for name in self.knot.nodes}

    def _round(self, moving: str, weight: Weight, before: Mapping[str, float]) -> float:
        """The longest way from a node that moves the counter to the next such node."""
        return weight(moving) + max((before.get(edge.target, 0) for edge in self.knot.out(moving)), default=0)


@dataclass(slots=True)
class _Effort:
    left: int


def prove(study: Study, graph: Graph) -> Proof:
    """Look for a counter of each knot, and of the knots in what remains when a round isn't counted."""
    return _prove(study, graph, _Effort(EFFORT * (len(graph.edges) + 20)))


def _prove(study: Study, graph: Graph, effort: _Effort) -> Proof:
    effort.left -= len(graph.edges) + 1
    counted: dict[str, Counted] = {}
    unproved: list[Unproved] = []
    for knot in graph.knots():
        by = counter(study, knot) if effort.left > 0 else None
        if by is None:
            unproved.append(Unproved(knot, effort.left > 0))
            continue
        parts = [_prove(study, knot.within(set(knot.nodes) - gone), effort) for gone in (by.moving, by.leaving)]
        missing = [each for part in parts for each in part.unproved]
        if missing:
            unproved += missing
        else:
            counted |= dict.fromkeys(knot.nodes, Counted(knot, by, *parts))
    return Proof(graph, counted, tuple(unproved))


@dataclass(slots=True)
class Rounds:
    """A graph of ways on which nobody presses a key, and what bounds the rounds in it. Build it with `of`.

    `unproved` has, for each knot that may be gone round for ever, the parts of it in which that is.
    """

    study: Study
    graph: Graph
    unproved: list[tuple[Unproved, ...]] = field(default_factory=list)
    _proofs: dict[str, Proof] = field(default_factory=dict)

    @classmethod
    def of(cls, study: Study, graph: Graph) -> Rounds:
        """Prove each knot for itself, so that one that is too tangled hides no other."""
        made = cls(study, graph)
        for knot in graph.where(lambda edge: not made._times(edge)).knots():
            proof = prove(study, knot)
            made._proofs |= dict.fromkeys(knot.nodes, proof)
            if proof.unproved:
                made.unproved.append(proof.unproved)
        return made

    def furthest(self, weight: Weight) -> dict[str, float]:
        """For each node what the longest way from it counts for, the node too; infinite where that isn't bounded."""
        return furthest(self.graph, weight, lambda knot: self.inside(knot, weight))

    def inside(self, knot: Graph, weight: Weight) -> Mapping[str, float]:
        """The longest ways within a knot of the graph: between two passes of bounded exits, and after each of them."""

        def within(inner: Graph) -> Mapping[str, float]:
            proof = self._proofs[inner.nodes[0]]
            return dict.fromkeys(inner.nodes, inf) if proof.unproved else proof.furthest(weight)

        free = furthest(knot.where(lambda edge: not self._times(edge)), weight, within)
        again = sum(times * free[edge.target] for edge in knot.edges if (times := self._times(edge)))
        return {name: ms + again for name, ms in free.items()}

    def _times(self, edge: Edge) -> int:
        """How often a call takes an exit at most; 0 for one that isn't bounded."""
        return self.study.nodes[edge.source].bounded_exits.get(edge.exit, 0)


def furthest(graph: Graph, weight: Weight, inside: Callable[[Graph], Mapping[str, float]]) -> dict[str, float]:
    """The longest ways in a graph, of whose knots `inside` tells the longest ways within."""
    knots = {name: knot for knot in graph.knots() for name in knot.nodes}
    found: dict[str, float] = {}
    for component in graph.components():
        knot = knots.get(component[0])
        here = inside(knot) if knot is not None else {component[0]: weight(component[0])}
        targets = [edge.target for name in component for edge in graph.out(name)]
        onwards = max((found[target] for target in targets if target not in here), default=0)
        found |= {name: here[name] + onwards for name in component}
    return found


def silent(study: Study) -> Rounds:
    """The ways that a call can come without a key being pressed; in a waiting flow also without time passing."""
    waits = study.draft.parts.get("kind") == "queue_wait"
    timed = {each.id: each.part.sound.TIMED for each in study.draft.nodes.values() if waits and each.part is not None}
    graph = study.graph.within(study.before).where(
        lambda edge: not study.needs_caller(edge) and edge.exit not in timed.get(edge.source, ())
    )
    return Rounds.of(study, graph)
