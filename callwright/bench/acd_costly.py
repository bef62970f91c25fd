"""Events that concern more than most, for `callwright bench acd`: they cost more, and this says how much.

Each kind is a small centre in which one event happens again and again; what puts it back as it was isn't counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from callwright.bench.acd_stream import BEGINS_MS, Event
from engine.acd.matcher import Matcher
from engine.domain.acd import AgentSnapshot, AgentState, Member, Offer, QueueRules, Ring, Strategy, Tier

RINGS = 100
"""Agents whom `ring_all` rings."""
IN_QUEUES = 500
"""Of one agent."""
DEMANDS = 1000
"""Different ones in one queue."""

Again: TypeAlias = Callable[[], object]
Costly: TypeAlias = tuple[Event, Again]
"""The event, and what makes it possible once more."""


def kinds() -> Iterator[tuple[str, Costly]]:
    """Each with what it is called in the table."""
    yield f"a caller comes, ring_all rings {RINGS} agents", ring_all(RINGS)
    yield f"an agent of {IN_QUEUES} queues comes free, in each waits a caller", many_queues(IN_QUEUES)
    yield f"an agent comes free, {DEMANDS:,} different demands wait", many_demands(DEMANDS)


def ring_all(agents: int) -> Costly:
    """A caller joins, and everybody is offered him."""
    matcher = _centre(("queue",), Strategy.RING_ALL)
    free = [_ready(f"agent-{number}", ("queue",)) for number in range(agents)]
    caller = Member(id="caller", queue="queue", joined_ms=BEGINS_MS)

    def again() -> None:
        matcher.leave(caller.id)
        for agent in free:
            matcher.set_agent(agent)

    again()
    return _joins(matcher, caller), again


def many_queues(queues: int) -> Costly:
    """The agent of them all comes free while a caller waits in each, the longest in the last."""
    names = [f"queue-{number}" for number in range(queues)]
    matcher = _centre(names)
    for name in names[:-1]:
        matcher.join(Member(id=f"caller-{name}", queue=name, joined_ms=BEGINS_MS), BEGINS_MS)
    longest = Member(id=f"caller-{names[-1]}", queue=names[-1], joined_ms=BEGINS_MS - 1000)
    return _comes_free(matcher, _ready("agent", names), longest)


def many_demands(demands: int) -> Costly:
    """An agent comes free who can only do what the last of those who wait asks for."""
    matcher = _centre(("queue",))
    asking = [
        Member(id=f"caller-{number}", queue="queue", joined_ms=BEGINS_MS, rings=(Ring(0, {f"skill-{number}": 1}),))
        for number in range(demands)
    ]
    for member in asking[:-1]:
        matcher.join(member, BEGINS_MS)
    return _comes_free(matcher, _ready("agent", ("queue",), {f"skill-{demands - 1}": 5}), asking[-1])


def _centre(queues: Iterable[str], strategy: Strategy = Strategy.LONGEST_IDLE) -> Matcher:
    matcher = Matcher()
    for name in queues:
        matcher.set_rules(QueueRules(id=name, strategy=strategy))
    return matcher


def _ready(name: str, queues: Iterable[str], skills: dict[str, int] | None = None) -> AgentSnapshot:
    return AgentSnapshot(
        id=name,
        state=AgentState.READY,
        since_ms=BEGINS_MS,
        ready_since_ms=BEGINS_MS,
        tiers=dict.fromkeys(queues, Tier()),
        skills=skills or {},
    )


def _joins(matcher: Matcher, caller: Member) -> Event:
    def event() -> list[Offer]:
        matcher.join(caller, BEGINS_MS)
        return matcher.decide(BEGINS_MS)

    return event


def _comes_free(matcher: Matcher, agent: AgentSnapshot, caller: Member) -> Costly:
    talks = replace(agent, state=AgentState.ON_CALL, ready_since_ms=0)

    def event() -> list[Offer]:
        matcher.set_agent(agent)
        return matcher.decide(BEGINS_MS)

    def again() -> None:
        matcher.leave(caller.id)
        matcher.set_agent(talks)
        matcher.join(caller, BEGINS_MS)

    again()
    return event, again
