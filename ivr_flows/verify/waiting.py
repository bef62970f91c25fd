"""The longest time before a caller can reach a person.

Told for a caller who wants to reach one: every question is answered at the last moment and every prompt is heard to its
end, but no way is gone round by a key of the caller's own. Ways that never come to a person don't count: a hangup after
closing time is nobody's wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from ivr_flows.envelope import Speech
from ivr_flows.verify.graph import Edge, Graph, Way, way
from ivr_flows.verify.rounds import Rounds
from ivr_flows.verify.study import Study

PROMPT_MS = 5000
"""What a recording counts for: how long it is, isn't known here."""
CHARACTER_MS = 70
"""What a character of a text to be spoken counts for."""


@dataclass(frozen=True, slots=True)
class Longest:
    """The longest way to a person: at most how long, in ms, and over which nodes.

    None in place of the time: a call may go round on that way for ever, which is an error of its own. The time limit of
    the flow bounds every way.
    """

    ms: int | None
    path: Way


def longest(study: Study) -> Longest | None:
    """The longest way to a person, None for a flow in which none is reached."""
    people = [name for name in study.before if name in study.people]
    if not people or study.start is None:
        return None
    leading = study.graph.leading_to(people) & study.before.keys()
    part = study.graph.within(leading).where(lambda edge: edge.source not in study.people)
    ms, path = _Places(study, part, study.start).longest(people)
    return Longest(None if ms == inf else min(int(ms), study.draft.limits.max_seconds * 1000), path)


class _Places:
    """The ways to a person, with what a silent caller goes round in drawn together to one place."""

    def __init__(self, study: Study, part: Graph, start: str) -> None:
        self._study = study
        self._part = part
        self._start = start
        self._rounds = Rounds.of(study, part.where(lambda edge: not study.needs_caller(edge)))
        self._knots = {knot.nodes[0]: knot for knot in self._rounds.graph.knots()}
        self._place_of = {name: name for name in part.nodes}
        for first, knot in self._knots.items():
            self._place_of |= dict.fromkeys(knot.nodes, first)
        self._entries: dict[str, set[str]] = {self._place_of[start]: {start}}
        for edge in part.edges:
            if self._place_of[edge.source] != self._place_of[edge.target]:
                self._entries.setdefault(self._place_of[edge.target], set()).add(edge.target)

    def longest(self, people: list[str]) -> tuple[float, Way]:
        """The time in ms, infinite where a round has no bound, and the way."""
        places, between = self._places()
        order = _order(Graph(places, between), self._place_of[self._start])
        number = {place: position for position, place in enumerate(order)}
        spent = {place: self._ms(place) for place in order}
        times = {order[0]: spent[order[0]]}
        into: dict[str, Edge] = {}
        leaving: dict[str, list[Edge]] = {}
        for edge in self._part.edges:
            leaving.setdefault(self._place_of[edge.source], []).append(edge)
        for place in order:
            for edge in leaving.get(place, ()):
                target = self._place_of[edge.target]
                if number[target] <= number[place]:
                    continue  # back to where the call was before, by a key of the caller's
                arrived = times[place] + spent[target]
                if arrived > times.get(target, -1):
                    times[target], into[target] = arrived, edge
        first = [name for name in people if self._place_of[name] in times]  # others are rung only after one of these
        last = max(first, key=lambda name: times[self._place_of[name]])
        return times[self._place_of[last]], self._path(last, into)

    def _places(self) -> tuple[list[str], list[Edge]]:
        places = list(dict.fromkeys(self._place_of.values()))
        moved = (Edge(self._place_of[each.source], each.exit, self._place_of[each.target]) for each in self._part.edges)
        return places, [edge for edge in moved if edge.source != edge.target]

    def _ms(self, place: str) -> float:
        """The longest time that a call spends in a place, all its rounds together."""
        knot = self._knots.get(place)
        if knot is None:
            return self._node_ms(place)
        inside = self._rounds.inside(knot, self._node_ms)
        return max(inside[name] for name in self._entries[place])

    def _node_ms(self, name: str) -> int:
        return node_ms(self._study, name)

    def _path(self, last: str, into: dict[str, Edge]) -> Way:
        edges: list[Edge] = []
        at = self._place_of[last]
        while at in into:
            edges.append(into[at])
            at = self._place_of[into[at].source]
        path: list[str] = []
        here = self._start
        for edge in reversed(edges):
            path += self._through(here, edge.source)
            here = edge.target
        return (*path, *self._through(here, last))

    def _through(self, here: str, there: str) -> Way:
        """The way through a place, past the node of it in which most of the time passes."""
        knot = self._knots.get(self._place_of[here])
        if knot is None:
            return (here,)
        longest = max(knot.nodes, key=self._node_ms)
        straight = way(knot.reach(here), there)
        if longest in straight or not self._node_ms(longest):
            return straight
        return (*way(knot.reach(here), longest), *way(knot.reach(longest), there)[1:])


def _order(graph: Graph, start: str) -> list[str]:
    """The nodes that are reached, each before those that it leads to, but for edges that lead back (depth first)."""
    finished: list[str] = []
    entered = {start}
    walk = [(start, iter(graph.out(start)))]
    while walk:
        node, edges = walk[-1]
        target = next((edge.target for edge in edges if edge.target not in entered), None)
        if target is None:
            finished.append(node)
            walk.pop()
        else:
            entered.add(target)
            walk.append((target, iter(graph.out(target))))
    return finished[::-1]


def node_ms(study: Study, name: str) -> int:
    node = study.draft.nodes[name].node

    def sounds(prompts: Iterable[str]) -> int:
        return sum(_prompt_ms(study, prompt) for prompt in prompts)

    return 0 if node is None or name in study.people else node.longest_ms(sounds)


def _prompt_ms(study: Study, prompt: str) -> int:
    sources = study.draft.prompts.get(prompt) or {}
    lengths = [len(each.tts) * CHARACTER_MS if isinstance(each, Speech) else PROMPT_MS for each in sources.values()]
    return max(lengths, default=PROMPT_MS)
