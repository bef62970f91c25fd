"""The flow's own limits: whether a caller who stops pressing keys comes to an end before a limit ends the call."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from ivr_flows.findings import Finding, error, warning
from ivr_flows.verify.rounds import Rounds, Weight
from ivr_flows.verify.study import Study
from ivr_flows.verify.waiting import node_ms


def exceeded(study: Study, silent: Rounds) -> Iterator[Finding]:
    """`max_steps` that the nearest end or the longest silent way exceeds, `max_seconds` that the latter may."""
    limits = study.draft.limits
    waits = study.draft.parts.get("kind") == "queue_wait"
    nearest = None if waits else _nearest_end(study)
    if nearest is not None and nearest[1] > limits.max_steps:
        name, steps = nearest
        message = (
            f"even the shortest way to an end, to the node '{name}', enters {steps:,} nodes, and max_steps is "
            f"{limits.max_steps:,}; raise it"
        )
        yield error("step_limit", None, "limits.max_steps", message)
        return
    most = _longest(study, silent, lambda name: 1)
    if most == inf:
        return  # told already
    if most > limits.max_steps:
        yield _too_many(study, silent, int(most))
    if waits:
        return
    seconds = int(_longest(study, silent, lambda name: _takes_ms(study, name))) // 1000
    if seconds > limits.max_seconds:
        message = (
            f"without a key being pressed a call may take up to {seconds:,} s, and is ended after max_seconds, which "
            f"is {limits.max_seconds:,}; raise it, or shorten the rounds or the waiting"
        )
        yield warning("time_limit", "limits.max_seconds", message)


def _longest(study: Study, silent: Rounds, weight: Weight) -> float:
    """What the longest silent way counts for, from the entry or from where a key has led."""
    ways = silent.furthest(weight)
    kept = set(silent.graph.edges)
    led = {edge.target for name in study.before for edge in study.graph.out(name) if edge not in kept}
    return max(ways[name] for name in {study.start, *led} if name in ways)


def _takes_ms(study: Study, name: str) -> int:
    """What a node takes of the call's time at most: ringing counts, waiting in a queue and talking do not."""
    return node_ms(study, name) + 1000 * int(getattr(study.draft.nodes[name].node, "ring_timeout_s", 0))


def _nearest_end(study: Study) -> tuple[str, int] | None:
    """The end that takes the fewest nodes to come to, and which node of the call it is."""
    steps: dict[str, int] = {}
    for name, before in study.before.items():
        steps[name] = 1 if before is None else steps[before] + 1
        node = study.draft.nodes[name].node
        if node is None or node.ENDS:
            return name, steps[name]
    return None


def _too_many(study: Study, silent: Rounds, most: int) -> Finding:
    """The finding, at the knot that takes the most of the steps, if there is one."""
    inside = {knot.nodes[0]: max(silent.inside(knot, lambda name: 1).values()) for knot in silent.graph.knots()}
    allowed = f"and max_steps is {study.draft.limits.max_steps:,}"
    through = f"{most:,}" if most <= _TOLD else f"more than {_TOLD:,}"
    message = f"without a key being pressed a call may enter {through} nodes, {allowed}"
    if not inside:
        return error("step_limit", None, "limits.max_steps", f"{message}; raise it")
    worst = max(inside, key=lambda name: inside[name])
    return error("step_limit", worst, None, f"{message}; let it go round here less often, or raise limits.max_steps")


_TOLD = 100_000_000
"""Beyond this the number of nodes says nothing any more."""
