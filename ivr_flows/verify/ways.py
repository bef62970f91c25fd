"""What is wrong with the ways through a flow: nodes that none leads to or out of, values read too early, deep menus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

from ivr_flows.findings import MOST_FINDINGS, Finding, error, listed, warning
from ivr_flows.verify.graph import Edge, way
from ivr_flows.verify.study import Study

MENU_DEPTH = 5
"""Menus in a row from which on there is a warning (R25)."""
FEW = 5
"""Nodes that are named in one finding."""


def lost(study: Study) -> Iterator[Finding]:
    """Nodes to which no way leads, and those from which no way leads to an end."""
    draft = study.draft
    if draft.loose:
        return  # `not_yet` says so
    for name in draft.nodes:
        if name not in study.before:
            message = "no way leads from the entry to this node; lead an exit to it or remove it"
            yield error("unreachable", name, None, message)
    if draft.parts.get("kind") == "queue_wait":
        return  # such a flow is ended from outside, when an agent is free
    ends = [each.id for each in draft.nodes.values() if each.node is None or each.node.ENDS]
    ending = study.graph.leading_to(ends)
    for name in draft.nodes:
        if name in study.before and name not in ending:
            message = "no way leads from this node to an end of the flow; lead an exit to a hangup or goto_flow node"
            yield error("no_end", name, None, message)


def not_yet(study: Study) -> Iterator[Finding]:
    """Nodes that aren't reached now, and may be once the loose exits are wired."""
    missed = [name for name in study.draft.nodes if name not in study.before]
    if missed and study.draft.loose and study.entry == study.start:
        more = f" and {len(missed) - FEW} more" if len(missed) > FEW else ""
        message = (
            f"so far no way leads to {listed(missed[:FEW])}{more}; whether all nodes are reached, and lead to an end, "
            "is checked once each exit leads to a node"
        )
        yield warning("not_checked", "nodes", message)


def unset(study: Study) -> Iterator[Finding]:
    """Variables that are read where they have no value yet on some way."""
    declared = study.draft.variables.items()
    bits = {name: 1 << number for number, (name, spec) in enumerate(declared) if spec and spec.default is None}
    if not bits or study.start is None:
        return
    surely = _surely_set(study, study.start, bits)
    ways: dict[str, Mapping[str, str | None]] = {}
    told = 0
    for name in study.before:
        for formula in study.nodes[name].formulas:
            for variable in sorted(formula.expression.names & bits.keys()):
                if surely[name] & bits[variable]:
                    continue
                if told < MOST_FINDINGS and variable not in ways:
                    ways[variable] = study.graph.reach(study.start, _not_writing(study, variable))
                message = (
                    f"the variable '{variable}' has no value yet when the call comes this way; "
                    "give it a default, or set it before"
                )
                path = way(ways[variable], name) if told < MOST_FINDINGS else ()  # the others are only counted
                yield error("unset_variable", name, formula.field, message, path)
                told += 1


def _surely_set(study: Study, start: str, bits: Mapping[str, int]) -> dict[str, int]:
    """For each node the variables, as bits, that have a value on every way to it."""
    everything = sum(bits.values())
    sets = {
        (name, exit_name): sum(bits[each] for each in written if each in bits)
        for name, known in study.nodes.items()
        for exit_name, written in known.writes.items()
    }
    found = dict.fromkeys(study.nodes, everything) | {start: 0}
    waiting = deque(study.before)
    queued = set(waiting)
    while waiting:
        name = waiting.popleft()
        queued.remove(name)
        for edge in study.graph.out(name):
            # of a node with mistakes it isn't known what it sets
            added = sets.get((name, edge.exit), 0) if study.nodes[name].moves else everything
            left = found[edge.target] & (found[name] | added)
            if left != found[edge.target]:
                found[edge.target] = left
                if edge.target not in queued:
                    queued.add(edge.target)
                    waiting.append(edge.target)
    return found


def _not_writing(study: Study, variable: str) -> Callable[[Edge], bool]:
    def follow(edge: Edge) -> bool:
        known = study.nodes[edge.source]
        return known.moves and variable not in known.writes.get(edge.exit, ())

    return follow


def deep(study: Study) -> Iterator[Finding]:
    """Menus that take more than `MENU_DEPTH` menus to come to, by the way with the fewest."""
    if study.start is None:
        return
    depth = {study.start: _is_menu(study, study.start)}
    before: dict[str, str | None] = {study.start: None}
    waiting = deque([study.start])
    done: set[str] = set()
    while waiting:
        at = waiting.popleft()
        if at in done:
            continue
        done.add(at)
        for edge in study.graph.out(at):
            menu = _is_menu(study, edge.target)
            found = depth[at] + menu
            if found < depth.get(edge.target, found + 1):
                depth[edge.target], before[edge.target] = found, at
                (waiting.append if menu else waiting.appendleft)(edge.target)
    for name, found in depth.items():
        if found == MENU_DEPTH + 1 and _is_menu(study, name):
            message = f"this is menu number {found} in a row; callers get lost beyond {MENU_DEPTH}"
            yield Finding("warning", "menu_depth", name, None, message, way(before, name))


def _is_menu(study: Study, name: str) -> int:
    return int(study.draft.nodes[name].type == "menu")
