"""The flow as a graph: what is reached from where, and by which way.

Walks are breadth first, so ways are shortest. Everything here takes time in proportion to nodes and edges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
        """Every node reached from `start` along the edges to follow, nearest first, with the node before it."""
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
        kept = nodes if isinstance(nodes, set | frozenset | dict) else set(nodes)
        inner = (edge for edge in self.edges if edge.source in kept and edge.target in kept)
        return Graph((node for node in self.nodes if node in kept), inner)

    def where(self, follow: Callable[[Edge], bool]) -> Graph:
        """The graph with only these edges."""
        return Graph(self.nodes, (edge for edge in self.edges if follow(edge)))

    def components(self) -> list[tuple[str, ...]]:
        """The largest sets of nodes that all reach each other, each before those that lead to it (Tarjan's algorithm).

        Most hold a single node.
        """
        numbers: dict[str, int] = {}
        found: list[tuple[str, ...]] = []
        for node in self.nodes:
            if node not in numbers:
                found += self._components_from(node, numbers)
        return found

    def _components_from(self, root: str, numbers: dict[str, int]) -> Iterator[tuple[str, ...]]:
        # `lowest`: the earliest node on the stack that is reached from here. Done without recursion: flows are deep.
        lowest: dict[str, int] = {}
        stack: list[str] = []
        on_stack: set[str] = set()
        walk: list[tuple[str, Iterator[Edge]]] = []

        def enter(node: str) -> None:
            numbers[node] = lowest[node] = len(numbers)
            stack.append(node)
            on_stack.add(node)
            walk.append((node, iter(self._out[node])))

        enter(root)
        while walk:
            node, edges = walk[-1]
            target = next((edge.target for edge in edges), None)
            if target is None:
                walk.pop()
                if walk:
                    lowest[walk[-1][0]] = min(lowest[walk[-1][0]], lowest[node])
                if lowest[node] == numbers[node]:
                    yield tuple(_popped(stack, on_stack, node))
            elif target not in numbers:
                enter(target)
            elif target in on_stack:
                lowest[node] = min(lowest[node], numbers[target])

    def knots(self) -> list[Graph]:
        """The components in which one can go round, each as a graph."""
        part_of: dict[str, int] = {}
        components = self.components()
        for number, component in enumerate(components):
            part_of |= dict.fromkeys(component, number)
        inner: dict[int, list[Edge]] = {}
        for edge in self.edges:
            if part_of[edge.source] == part_of[edge.target]:
                inner.setdefault(part_of[edge.source], []).append(edge)
        place = {node: number for number, node in enumerate(self.nodes)}
        found = [Graph(sorted(components[number], key=place.__getitem__), edges) for number, edges in inner.items()]
        return sorted(found, key=lambda knot: place[knot.nodes[0]])

    def around(self, start: str, longest: int) -> Way:
        """The shortest way from a node back to itself, of at most `longest` edges; empty if there is none."""
        before: dict[str, str] = {}
        waiting = deque([(start, 0)])
        while waiting:
            node, length = waiting.popleft()
            if length >= longest:
                break
            for edge in self._out[node]:
                if edge.target == start:
                    steps = [node]
                    while steps[-1] != start:
                        steps.append(before[steps[-1]])
                    return (*reversed(steps), start)
                if edge.target not in before:
                    before[edge.target] = node
                    waiting.append((edge.target, length + 1))
        return ()


def _popped(stack: list[str], on_stack: set[str], last: str) -> Iterator[str]:
    """Take nodes from the stack's top, up to and with `last`."""
    while True:
        node = stack.pop()
        on_stack.remove(node)
        yield node
        if node == last:
            return


def way(before: Mapping[str, str | None], node: str) -> Way:
    """The way to a node, from what `Graph.reach` found; empty when it wasn't reached."""
    steps: list[str] = []
    at: str | None = node if node in before else None
    while at is not None:
        steps.append(at)
        at = before[at]
    return tuple(reversed(steps))
