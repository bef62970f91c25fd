"""Other flows that calls are led into by goto_flow, call_flow and queue: their kinds, and that there is an end to it.

Variables don't go along from flow to flow, so that nothing can count rounds through several of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from ivr_flows.draft import draft
from ivr_flows.findings import MOST_FINDINGS, Finding, error
from ivr_flows.nodes.call_flow import CallFlow
from ivr_flows.nodes.goto_flow import GotoFlow
from ivr_flows.nodes.queue import Queue
from ivr_flows.verify.graph import way
from ivr_flows.verify.study import Study
from ivr_flows.verify.world import World

MOST_FLOWS = 500
"""Other flows that are looked into."""
_WAITS = "queue_wait"
"""The kind of flows that callers hear while they wait: they may go round for ever, as they are ended from outside."""

_Target = tuple[str, str | None]


def recursion(study: Study, world: World) -> Iterator[Finding]:
    """For each node by which a silent caller comes into another flow and from there back to this one: its rounds."""
    own = study.draft.parts.get("id")
    if own is None or study.start is None:
        return
    known: dict[_Target, list[_Target]] = {}
    before = _silently(study)
    told = 0
    for name, target in _entered(study, before):
        chain = _back(target, own, known, world)
        if chain is not None:
            round_trip = " -> ".join([own, *(flow for flow, _ in chain), own])
            message = (
                f"a call may go from flow to flow for ever without a key being pressed: {round_trip}; "
                "lead one of these flows to an end, or to a question, before it goes on in the next"
            )
            yield error("endless_flows", name, "flow", message, way(before, name) if told < MOST_FINDINGS else ())
            told += 1


def kinds(study: Study, world: World) -> Iterator[Finding]:
    """Flows that calls are led into and that don't end by themselves, or are given arguments that they don't take."""
    known: dict[_Target, str | None] = {(study.draft.parts.get("id") or "", None): study.draft.parts.get("kind")}
    for name, each in study.draft.nodes.items():
        node = each.node
        if not isinstance(node, CallFlow | GotoFlow):
            continue
        target = (node.flow, node.version)
        if target not in known and len(known) <= MOST_FLOWS:
            known[target] = (world.flow(*target) or {}).get("kind")
        kind = known.get(target)
        if kind == _WAITS:
            message = (
                f"the flow '{node.flow}' is of kind {_WAITS}, which is ended from outside when the caller has waited; "
                "enter a flow of another kind, or a queue whose wait_flow it is"
            )
            yield error("bad_node", name, "flow", message)
        elif isinstance(node, CallFlow) and node.arguments and kind is not None and kind != "sub":
            message = f"the flow '{node.flow}' is of kind {kind}, only flows of kind sub take arguments; remove them"
            yield error("bad_node", name, "arguments", message)


def waiting(study: Study, world: World) -> Iterator[Finding]:
    """Waiting flows of `queue` nodes that are none, and those whose time limit is over before the longest wait is."""
    for name, each in study.draft.nodes.items():
        node = each.node
        if not isinstance(node, Queue) or node.wait_flow is None:
            continue
        document = world.flow(node.wait_flow, None)
        if document is None:
            continue
        made = draft(dict(document))
        kind, most_s = made.parts.get("kind"), made.limits.max_seconds
        if kind is not None and kind != _WAITS:
            message = f"the flow '{node.wait_flow}' is of kind {kind}; callers wait in one of kind {_WAITS}"
            yield error("bad_node", name, "wait_flow", message)
        elif node.max_wait_s is not None and node.max_wait_s > most_s:
            message = (
                f"a caller may wait {node.max_wait_s:,} s, and the flow '{node.wait_flow}' is ended after max_seconds, "
                f"which is {most_s:,}; raise it there"
            )
            yield Finding("warning", "time_limit", name, "wait_flow", message)


def _back(first: _Target, own: str, known: dict[_Target, list[_Target]], world: World) -> list[_Target] | None:
    """The flows from `first` back to the own one, the shortest way; empty when it is the own one, None for no way."""
    before: dict[_Target, _Target | None] = {first: None}
    waiting = deque([first])
    while waiting:
        at = waiting.popleft()
        if at == (own, None):  # whoever enters it at the active version enters this one when it is active
            chain: list[_Target] = []
            step = before[at]
            while step is not None:
                chain.append(step)
                step = before[step]
            return chain[::-1]
        if at not in known:
            document = world.flow(*at) if len(known) < MOST_FLOWS else None
            known[at] = _targets(Study(draft(dict(document)))) if document else []
        for target in known[at]:
            if target not in before:
                before[target] = at
                waiting.append(target)
    return None


def _targets(study: Study) -> list[_Target]:
    return [target for _, target in _entered(study, _silently(study))]


def _entered(study: Study, silently: Mapping[str, str | None]) -> Iterator[tuple[str, _Target]]:
    """The flows that a silent caller comes into, and by which nodes."""
    for name in silently:
        node = study.draft.nodes[name].node
        for reference in study.nodes[name].references if node is not None else ():
            if reference.kind == "flow":
                yield name, (reference.name, getattr(node, "version", None))


def _silently(study: Study) -> dict[str, str | None]:
    if study.start is None:
        return {}
    return study.graph.reach(study.start, lambda edge: not study.needs_caller(edge))
