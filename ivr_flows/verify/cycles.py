"""The proof that no caller is trapped: every cycle holds a key of the caller's, or is gone round only so many times."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ivr_flows.findings import MOST_FINDINGS, Finding, error
from ivr_flows.verify.graph import Graph, Way, way
from ivr_flows.verify.rounds import Rounds, Unproved, prove
from ivr_flows.verify.study import Study

_CANDIDATES = 64
"""From how many nodes of a knot, the nearest first, the shortest example is sought."""


def endless(study: Study, silent: Rounds) -> Iterator[Finding]:
    """Cycles that a caller may never get out of."""
    told = 0
    for unproved in silent.unproved:
        seen: set[str] = set()
        for each in sorted(unproved, key=lambda one: len(one.part.nodes)):
            if seen.isdisjoint(each.part.nodes):
                seen.update(each.part.nodes)
                yield _finding(study, each, shown=told < MOST_FINDINGS)
                told += 1


def _finding(study: Study, found: Unproved, shown: bool) -> Finding:
    """`shown`: False for one that is only counted, so that an example needn't be sought."""
    path, cycle = _example(study, found.part) if shown else ((), found.part.nodes)
    waits = study.draft.parts.get("kind") == "queue_wait"
    without = "a key being pressed or time passing" if waits else "a key being pressed"
    reason = f"a call may go round here for ever without {without}"
    if not found.certain:
        reason = f"the rounds here are too tangled to prove that a call gets out without {without}"
    mend = "lead one of the exits out, or bound the rounds with a counter"
    by = ""
    if waits:
        mend = f"put a wait into the rounds, {mend}"
        by = f" (exits that take no time: {', '.join(_exits(found.part, cycle))})"
    if any(study.draft.nodes[name].type == "set" for name in cycle):
        mend += "; a variable is one if each round adds the same constant and it is compared with a constant by < or >="
    return error("endless_cycle", cycle[0], None, f"{reason}: {' -> '.join(cycle)}{by}; {mend}", path)


def _exits(part: Graph, cycle: Way) -> list[str]:
    steps = set(pairwise(cycle))
    return sorted({f"'{edge.exit}'" for name in cycle for edge in part.out(name) if (name, edge.target) in steps})


def _example(study: Study, part: Graph) -> tuple[Way, Way]:
    """The shortest way into a cycle of this part and around it, and the cycle itself."""
    best: tuple[Way, Way] = ((), ())
    fallback: tuple[Way, Way] = ((), ())
    inside = set(part.nodes)
    nearest = [name for name in study.before if name in inside]
    for name in nearest[:_CANDIDATES]:
        into = way(study.before, name)
        room = len(best[0]) - len(into) if best[0] else len(part.nodes) + 1
        cycle = part.around(name, room)
        if not cycle:
            continue
        fallback = fallback if fallback[0] else ((*into[:-1], *cycle), cycle)
        if prove(study, part.within(set(cycle))).unproved:
            best = (*into[:-1], *cycle), cycle
    return best if best[0] else fallback
