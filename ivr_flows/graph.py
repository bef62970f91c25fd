"""The flow as a graph: what is reached from where, and by which way. Walks are breadth first, so ways are shortest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

Way = tuple[str, ...]


class Edge(NamedTuple):
    """An exit and where it leads."""

    source: str
    exit: str
    target: str


class Graph:
    """Nodes by id in the document's order, and the edges between them."""

    def __init__(self, nodes: Iterable[str], edges: Iterable[Edge]) -> None:
        self.nodes = tuple(nodes)
        self.edges = tuple(edges)
        self._out: dict[str, list[Edge]] = {node: [] for node in self.nodes}
        for edge in self.edges:
            self._out[edge.source].append(edge)

    def out(self, node: str) -> tuple[Edge, ...]:
        """The edges that lead away from the node."""
        return tuple(self._out[node])

    def reach(self, start: str, follow: Callable[[Edge], bool] = lambda edge: True) -> dict[str, str | None]:
        """Every node reached from `start` along the edges to follow, with the node before it on the way."""
        before: dict[str, str | None] = {start: None}
        waiting = deque([start])
        while waiting:
            for edge in self._out[waiting.popleft()]:
                if edge.target not in before and follow(edge):
                    before[edge.target] = edge.source
                    waiting.append(edge.target)
        return before

    def leading_to(self, goals: Iterable[str]) -> set[str]:
        """Every node from which one of the goals is reached, the goals too."""
        into: dict[str, list[str]] = {node: [] for node in self.nodes}
        for edge in self.edges:
            into[edge.target].append(edge.source)
        found = set(goals)
        waiting = deque(found)
        while waiting:
            for source in into[waiting.popleft()]:
                if source not in found:
                    found.add(source)
                    waiting.append(source)
        return found

    def within(self, nodes: Collection[str]) -> Graph:
        """The part of the graph that these nodes make."""
        kept = set(nodes)
        inner = (edge for edge in self.edges if edge.source in kept and edge.target in kept)
        return Graph((node for node in self.nodes if node in kept), inner)

    def knots(self) -> list[tuple[str, ...]]:
        """The largest sets of nodes that all reach each other and themselves, in the document's order."""
        found: list[tuple[str, ...]] = []
        seen: set[str] = set()
        for node in self._trimmed():
            if node in seen:
                continue
            part = self.reach(node).keys() & self.leading_to([node])
            seen |= part
            if len(part) > 1 or any(edge.target == node for edge in self._out[node]):
                found.append(tuple(each for each in self.nodes if each in part))
        return found

    def cycle(self) -> Way:
        """A way that ends where it began, shortest for its first node; empty if there is none."""
        for knot in self.knots():
            return self.within(knot)._around(knot[0])
        return ()

    def _around(self, start: str) -> Way:
        before = self.reach(start)
        last = next(node for node in before if any(edge.target == start for edge in self._out[node]))
        return (*way(before, last), start)

    def _trimmed(self) -> tuple[str, ...]:
        """The nodes without those that no way leads out of or into: what can lie on or between cycles."""
        kept = set(self.nodes)
        changed = True
        while changed:
            sources = {edge.source for edge in self.edges if edge.source in kept and edge.target in kept}
            targets = {edge.target for edge in self.edges if edge.source in kept and edge.target in kept}
            left = sources & targets
            changed = left != kept
            kept = left
        return tuple(node for node in self.nodes if node in kept)


def way(before: Mapping[str, str | None], node: str) -> Way:
    """The way to a node, from what `Graph.reach` found; empty when it wasn't reached."""
    steps: list[str] = []
    at: str | None = node if node in before else None
    while at is not None:
        steps.append(at)
        at = before[at]
    return tuple(reversed(steps))
