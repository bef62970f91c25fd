"""A draft made ready for the checks: each node asked once, and the graph with the ways from the entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ivr_flows.draft import Draft, DraftNode
from ivr_flows.expressions import Expression
from ivr_flows.findings import did_you_mean
from ivr_flows.node import Node
from ivr_flows.references import Formula, Reference, formulas, references
from ivr_flows.verify.graph import Edge, Graph, Way, way


@dataclass(frozen=True, slots=True)
class Known:
    """What a node tells of itself. Of a node with mistakes, as much as can be told in spite of them.

    `moves` is False where it can't be told what the node does on a call: nothing is then concluded from it. `writes`
    are the variables that are surely set when it is left by an exit.
    """

    references: tuple[Reference, ...]
    formulas: tuple[Formula, ...]
    moves: bool
    input_exits: frozenset[str]
    writes: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]
    bounded_exits: Mapping[str, int]
    choices: tuple[tuple[Expression, str], ...]


_PEOPLE = ("agent", "dial", "queue")
_NOTHING = Known((), (), False, frozenset(), {}, {}, {}, ())


class Study:
    """A draft, what its nodes tell, and its graph.

    `entry` is None where there is none at all. Where it leads to no node, `start` is the node that was most likely
    meant, so that ways can be shown all the same.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.nodes = {each.id: _known(each) for each in draft.nodes.values()}
        edges = (Edge(each.id, name, target) for each in draft.nodes.values() for name, target in each.exits.items())
        self.graph = Graph(draft.nodes, (edge for edge in edges if edge.target in draft.nodes))
        self.entry: str | None = draft.parts.get("entry") if draft.nodes else None
        self.start = _start(self.graph, self.entry)
        self.before = self.graph.reach(self.start) if self.start is not None else {}
        self.people = {each.id for each in draft.nodes.values() if each.type in _PEOPLE}
        """The nodes that ring a person."""
        self.writers: dict[str, list[str]] = {}
        """The nodes that set each variable."""
        for name, known in self.nodes.items():
            for variable in frozenset().union(*known.writes.values()):
                self.writers.setdefault(variable, []).append(name)
        self._given: dict[str, Mapping[str, str | None]] = {}

    def way(self, node: str | None) -> Way:
        """The shortest way to a node, empty if there is none."""
        return way(self.before, node) if node is not None else ()

    def given(self, variable: str) -> Mapping[str, str | None]:
        """Where the variable may still be what the flow began with, apart from what was added to it."""
        if variable not in self._given and self.start is not None:
            self._given[variable] = self.graph.reach(self.start, lambda edge: not self._replaces(edge, variable))
        return self._given.get(variable, {})

    def _replaces(self, edge: Edge, variable: str) -> bool:
        known = self.nodes[edge.source]
        return variable in known.writes.get(edge.exit, ()) and variable not in known.counts

    def needs_caller(self, edge: Edge) -> bool:
        """Whether a silent caller surely doesn't take this exit; of a node with mistakes nothing can be told."""
        known = self.nodes[edge.source]
        return not known.moves or edge.exit in known.input_exits


def _start(graph: Graph, entry: str | None) -> str | None:
    if entry in graph.nodes or not graph.nodes:
        return entry if graph.nodes else None
    targets = {edge.target for edge in graph.edges}
    near = did_you_mean(entry, graph.nodes) if entry is not None else ""
    meant = [node for node in graph.nodes if f"'{node}'" in near] + [n for n in graph.nodes if n not in targets]
    return meant[0] if meant else graph.nodes[0]


def _known(each: DraftNode) -> Known:
    if each.part is None:
        return _NOTHING
    if each.node is not None:
        return _told(each.node, references(each.node), formulas(each.node))
    part = each.part
    named = tuple(replace(one, field=part.place(one.field)) for one in references(part.readable))
    written = tuple(replace(one, field=part.place(one.field)) for one in formulas(part.readable))
    try:
        return _told(part.sound, named, written)
    except AttributeError:  # a field that is wrong decides on it
        return replace(_NOTHING, references=named, formulas=written)


def _told(node: Node, refers: tuple[Reference, ...], expressions: tuple[Formula, ...]) -> Known:
    return Known(
        refers,
        expressions,
        True,
        node.input_exits(),
        {exit_name: node.writes(exit_name) for exit_name in node.exits()},
        node.counts(),
        node.bounded_exits(),
        node.choices(),
    )
