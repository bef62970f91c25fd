"""The best agent for a member, the best member for an agent, and the pairs that follow from who changed."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from engine.acd.floor import Floor
from engine.acd.ordering import Pair, Rank, rank
from engine.acd.queue_state import AgentRecord, QueueState, Waiter
from engine.domain.acd import Strategy


def best_agent(floor: Floor, waiter: Waiter, now_ms: int) -> Pair | None:
    """The pair of this member that goes before his others, None where nobody may take him now."""
    queue = floor.queues[waiter.member.queue]
    sticky = waiter.member.sticky_agent
    if sticky is not None:
        ring = floor.sticky_ring(waiter, now_ms)
        if ring is not None and floor.agents[sticky].free:
            return _sticky_pair(queue, waiter, floor.agents[sticky], ring, now_ms)
    return next(_pairs(queue, waiter, now_ms), None)


def best_member(floor: Floor, record: AgentRecord, now_ms: int) -> Pair | None:
    """The pair of this agent, who is free, that goes before his others, None where he may take nobody now."""
    own = [pair for waiter in _stuck(floor, record) if (pair := _if_sticky(floor, waiter, record, now_ms)) is not None]
    if own:
        return min(own)
    best: tuple[int, float, int, str] | None = None
    found: tuple[QueueState, Waiter, int] | None = None
    for queue_id in record.snapshot.tiers:
        queue = floor.queues.get(queue_id)
        if queue is None or not queue.waiting:
            continue
        for waiter, ring in _heads(queue, record, now_ms):
            less, joined_ms, member = waiter.standing
            goes = (ring, queue.less_worth((less, joined_ms, member), now_ms), joined_ms, member)
            if best is None or goes < best:
                best, found = goes, (queue, waiter, ring)
    if found is None:
        return None
    queue, waiter, ring = found
    agent = record.snapshot
    tier = agent.tiers[queue.rules.id]
    return _pair(queue, waiter, ring, tier.level, rank(queue.rules, agent, tier, waiter.demand.wanted), now_ms)


def pairs_of_changed(floor: Floor, now_ms: int) -> Iterator[Pair]:
    """The pairs to be made, each the first of all that are left. The caller reserves each before he asks for the next.

    After a decision nobody who waits fits anybody who is free, so every pair has somebody who changed since: their
    best ones are looked at, and looked for again where the other half was taken meanwhile.
    """
    proposals = [
        (pair, False)
        for member in floor.changed_members
        if (waiter := floor.waiter(member)) is not None and (pair := best_agent(floor, waiter, now_ms)) is not None
    ]
    proposals += [
        (pair, True)
        for agent in floor.changed_agents
        if (pair := best_member(floor, floor.agents[agent], now_ms)) is not None
    ]
    floor.changed_members.clear()
    floor.changed_agents.clear()
    heapify(proposals)
    while proposals:
        pair, by_agent = heappop(proposals)
        waiter, record = floor.waiter(pair.member), floor.agents[pair.agent]
        if waiter is not None and record.free:
            yield pair
            continue
        other = None
        if by_agent and record.free:
            other = best_member(floor, record, now_ms)
        elif not by_agent and waiter is not None:
            other = best_agent(floor, waiter, now_ms)
        if other is not None:
            heappush(proposals, (other, by_agent))


def agents_for(floor: Floor, pair: Pair, now_ms: int) -> tuple[str, ...]:
    """Whom the pair's member is offered to: its agent, and with `ring_all` all the others who may take him now."""
    waiter = floor.waiter(pair.member)
    if waiter is None:
        return ()
    queue = floor.queues[waiter.member.queue]
    if queue.rules.strategy is not Strategy.RING_ALL:
        return (pair.agent,)
    others = (each.agent for each in _pairs(queue, waiter, now_ms))
    return (pair.agent, *(agent for agent in others if agent != pair.agent))


def _pairs(queue: QueueState, waiter: Waiter, now_ms: int) -> Iterator[Pair]:
    """The member's pairs in order, without that of his sticky agent where only he is asked."""
    if waiter.held:
        return
    demand = waiter.demand
    open_ring, open_rank = demand.stages[waiter.stage]
    for ring in range(open_ring + 1):
        by_level = demand.agents[ring]
        for level in queue.levels[: open_rank + 1]:
            for place in by_level.get(level, ()):
                if not waiter.refuses(place[-1], now_ms):
                    yield _pair(queue, waiter, ring, level, place, now_ms)


def _heads(queue: QueueState, record: AgentRecord, now_ms: int) -> Iterator[tuple[Waiter, int]]:
    """The first member of each demand and stage who may go to this agent, with the agent's ring."""
    agent = record.snapshot
    level_rank = queue.rank_of(agent.tiers[queue.rules.id].level)
    for demand in queue.demands.values():
        ring = demand.ring_of(agent.skills) if demand.size else None
        if ring is None:
            continue
        for places in demand.members[demand.first_stage(ring, level_rank) :]:
            for place in places:
                waiter = queue.waiting[place[-1]]
                if not waiter.refuses(agent.id, now_ms):
                    yield waiter, ring
                    break


def _stuck(floor: Floor, record: AgentRecord) -> Iterator[Waiter]:
    for member in floor.stuck_to(record.snapshot.id):
        waiter = floor.waiter(member)
        if waiter is not None:
            yield waiter


def _if_sticky(floor: Floor, waiter: Waiter, record: AgentRecord, now_ms: int) -> Pair | None:
    ring = floor.sticky_ring(waiter, now_ms)
    if ring is None:
        return None
    return _sticky_pair(floor.queues[waiter.member.queue], waiter, record, ring, now_ms)


def _sticky_pair(queue: QueueState, waiter: Waiter, record: AgentRecord, ring: int, now_ms: int) -> Pair:
    agent = record.snapshot
    tier = agent.tiers[queue.rules.id]
    place = rank(queue.rules, agent, tier, waiter.demand.wanted)
    return _pair(queue, waiter, ring, tier.level, place, now_ms)


def _pair(queue: QueueState, waiter: Waiter, ring: int, level: int, place: Rank, now_ms: int) -> Pair:
    _, joined_ms, member = waiter.standing
    not_sticky = waiter.member.sticky_agent != place[-1]
    return Pair(not_sticky, ring, queue.less_worth(waiter.standing, now_ms), joined_ms, member, level, place)
