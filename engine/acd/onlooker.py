"""Why a member still waits, at this moment, for whoever owns nothing: from what is stored, by the owner's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.acd.explain import with_absent
from engine.acd.faults import BadMember
from engine.acd.matcher import Matcher
from engine.acd.news import MOST_PASSED
from engine.acd.store import PoolState
from engine.domain.acd import Member, Passed
from engine.domain.routing import QueueEntry


@dataclass(frozen=True, slots=True)
class Wait:
    """How a member stands. `position` is None where his queue is not set up, `offered` names the agents who are being
    rung for him.

    `passed`: agents of his queue who are not chosen, those who could be offered somebody first; `more`: so many others
    are not listed. `next`: who has nothing against him and would be chosen at the next decision; there is such an agent
    for longer than a second only where nobody decides for the queue.
    """

    member: Member
    position: int | None
    waited_ms: int
    offered: tuple[str, ...] = ()
    passed: tuple[Passed, ...] = ()
    next: tuple[str, ...] = ()
    more: int = 0


def look(
    state: PoolState, queues: Mapping[str, QueueEntry], member_id: str, now_ms: int, most: int = MOST_PASSED
) -> Wait | None:
    """The member's wait; None where he is in no queue of the pool."""
    member = next((each for each in state.members if each.id == member_id), None)
    if member is None:
        return None
    waited_ms = max(now_ms - member.joined_ms, 0)
    matcher = _matcher(state, queues, now_ms)
    position = matcher.position(member_id)
    if position is None:
        return Wait(member, None, waited_ms)
    offer = matcher.offer_of(member_id)
    offered = offer.agents if offer else ()
    others = [agent for agent in state.agents if member.queue in agent.tiers and agent.id not in offered]
    free = {agent.id for agent in others if agent.available}
    # Of those who are free all must be looked at, to find who would be chosen.
    passed = matcher.explain(member_id, now_ms, max(most, len(free)))
    following = sorted(free - {each.agent for each in passed})
    absent = [agent.id for agent in state.agents if member.queue in agent.assigned and member.queue not in agent.tiers]
    listed = with_absent(passed[:most], member.queue, absent, most)
    more = max(len(others) + len(absent) - len(following) - len(listed), 0)
    return Wait(member, position, waited_ms, offered, tuple(listed), tuple(following), more)


def _matcher(state: PoolState, queues: Mapping[str, QueueEntry], now_ms: int) -> Matcher:
    matcher = Matcher()
    for entry in queues.values():
        matcher.set_rules(entry.rules(is_open=True))
    for agent in state.agents:
        matcher.set_agent(agent.snapshot())
    offers = {each.number: each.offer for each in state.offers}
    for member in state.members:
        offer = offers.get(state.offered.get(member.id, ""))
        try:
            if member.queue not in queues:
                continue
            if offer is None:
                matcher.put_back(member, now_ms)
            else:
                matcher.resume(member, offer, now_ms)
        except BadMember:
            # His owner tells him to leave.
            continue
    return matcher
