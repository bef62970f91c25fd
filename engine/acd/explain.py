"""Why this agent, and why not the others: what supervisors and `callwright why` read."""

from __future__ import annotations

from collections.abc import Collection
from heapq import nsmallest

from engine.acd import pairing
from engine.acd.floor import Floor
from engine.acd.ordering import Pair
from engine.acd.queue_state import AgentRecord, QueueState, Waiter
from engine.domain.acd import AgentSnapshot, AgentState, Member, Passed, QueueRules, Ring, Strategy, Why


def score(rules: QueueRules, agent: AgentSnapshot, pair: Pair, agents: int, now_ms: int) -> str:
    """By what the strategy chose this agent."""
    told = f"{agents} agents at once" if rules.strategy is Strategy.RING_ALL else value(rules, agent, pair, now_ms)
    return told if pair.not_sticky else f"spoke with this caller last; {told}"


def value(rules: QueueRules, agent: AgentSnapshot, pair: Pair, now_ms: int) -> str:
    """What the strategy compares, of this agent."""
    match rules.strategy:
        case Strategy.FEWEST_CALLS:
            return f"{agent.calls} calls"
        case Strategy.LEAST_TALK_TIME:
            return f"talked for {agent.talk_ms // 1000} s"
        case Strategy.ROUND_ROBIN:
            return (
                "not asked yet" if not agent.last_offer_ms else f"last asked {_span(now_ms - agent.last_offer_ms)} ago"
            )
        case Strategy.TOP_DOWN | Strategy.RING_ALL:
            return f"level {pair.level}, position {pair.rank[1]}"
        case Strategy.BEST_SKILL:
            return f"levels of the skills add up to {-pair.rank[0]:.0f}"
        case Strategy.OCCUPANCY:
            return f"{pair.rank[0]:.0%} occupied"
        case Strategy.LONGEST_IDLE:
            return f"idle for {_span(now_ms - agent.ready_since_ms)}"


def passed(floor: Floor, member_id: str, now_ms: int, most: int | None = None) -> list[Passed]:
    """Each agent of the member's queue who was not chosen, by id; the sticky agent too where he is in another one.

    `most`: only so many of them, first those who could be offered somebody.
    """
    queue = floor.queues[floor.queue_of[member_id]]
    waiter, offer = queue.waiting.get(member_id), floor.offers.get(member_id)
    member = queue.offered[member_id] if waiter is None else waiter.member
    agents = set(floor.logged_in.get(queue.rules.id, ()))
    if member.sticky_agent in floor.agents:
        agents.add(str(member.sticky_agent))
    if offer is not None:
        agents -= set(offer.agents)
    if waiter is None:
        # as he stood when he was chosen for: the offer tells the moment
        demand = queue.demand_as_known(member)
        at_ms = now_ms if offer is None else offer.at_ms
        waiter = Waiter(member, demand, (0.0, 0, ""), demand.stage_at(at_ms - member.joined_ms))
    listed = sorted(agents) if most is None else _first(queue, agents, most)
    reasons = (_Reasons(floor, queue, waiter, now_ms).why(floor.agents[agent]) for agent in listed)
    return [reason for reason in reasons if reason is not None]


def with_absent(passed: list[Passed], queue: str, absent: Collection[str], most: int) -> list[Passed]:
    """Behind those who are logged in to the queue those who belong to it and are not, `most` in all."""
    known = {each.agent for each in passed}
    others = nsmallest(most - len(passed), (agent for agent in absent if agent not in known))
    return [*passed, *(Passed(agent, Why.NOT_LOGGED_IN, f"not logged in to {queue}") for agent in others)]


def _first(queue: QueueState, agents: set[str], most: int) -> list[str]:
    available = nsmallest(most, agents & queue.free.keys())
    return available + nsmallest(most - len(available), agents - queue.free.keys())


class _Reasons:
    """Why an agent was not chosen for one member."""

    def __init__(self, floor: Floor, queue: QueueState, waiter: Waiter, now_ms: int) -> None:
        self._floor, self._queue, self._waiter, self._now_ms = floor, queue, waiter, now_ms
        self._member = waiter.member
        self._chosen = floor.offers.get(waiter.member.id)

    def why(self, record: AgentRecord) -> Passed | None:
        """The first reason that holds, None where there is none: he would be chosen at the next decision."""
        found = self._absent(record) or self._unfit(record) or self._outdone(record)
        return None if found is None else Passed(record.snapshot.id, *found)

    def _absent(self, record: AgentRecord) -> tuple[Why, str] | None:
        agent, queue_id = record.snapshot, self._queue.rules.id
        if queue_id not in agent.tiers or agent.state is AgentState.LOGGED_OUT:
            return Why.NOT_LOGGED_IN, f"not logged in to {queue_id}"
        if agent.state is not AgentState.READY:
            return Why.NOT_READY, f"{agent.state.value} for {_span(self._now_ms - agent.since_ms)}"
        if not agent.reachable:
            return Why.UNREACHABLE, "his phone can't be reached"
        if record.reserved_for is not None:
            return Why.OTHER_MEMBER, f"is being offered {record.reserved_for}"
        return None

    def _unfit(self, record: AgentRecord) -> tuple[Why, str] | None:
        agent, member, waiter = record.snapshot, self._member, self._waiter
        if waiter.refuses(agent.id, self._now_ms):
            left = _span(member.refused_by[agent.id] - self._now_ms)
            return Why.REFUSED, f"did not take this member, is asked again in {left}"
        open_ring, open_rank = waiter.demand.stages[waiter.stage]
        ring = waiter.demand.ring_of(agent.skills)
        if ring is None or ring > open_ring:
            return Why.SKILL, _lacks(agent, member, member.rings[open_ring], ring)
        if agent.id == member.sticky_agent:
            return None
        if waiter.held:
            left = _span(member.sticky_until_ms - self._now_ms)
            return Why.STICKY, f"the member waits for {member.sticky_agent}, for another {left} at most"
        level = agent.tiers[self._queue.rules.id].level
        level_rank = self._queue.rank_of(level)
        if level_rank > open_rank:
            after = _span(level_rank * self._queue.rules.tier_wait_ms)
            return Why.TIER, f"level {level} is asked after {after} of waiting"
        return None

    def _outdone(self, record: AgentRecord) -> tuple[Why, str] | None:
        """Why an agent who may take the member does not."""
        if self._chosen is not None:
            names = ", ".join(self._chosen.agents)
            return Why.OTHER_AGENT, f"{names} went before by {self._chosen.strategy.value}: {self._chosen.score}"
        his = pairing.best_member(self._floor, record, self._now_ms)
        if his is not None and his.member != self._member.id:
            return Why.OTHER_MEMBER, f"{his.member} goes before"
        best = pairing.best_agent(self._floor, self._waiter, self._now_ms)
        if best is not None and best.agent != record.snapshot.id:
            return Why.OTHER_AGENT, f"{best.agent} goes before by {self._queue.rules.strategy.value}"
        return None


def _lacks(agent: AgentSnapshot, member: Member, demanded: Ring, ring: int | None) -> str:
    lacking = [
        f"{name} {agent.skills.get(name, 0)} of {level}"
        for name, level in demanded.skills.items()
        if agent.skills.get(name, 0) < level
    ]
    later = "" if ring is None else f", enough after {_span(member.rings[ring].after_ms)} of waiting"
    return "has " + ", ".join(lacking) + later


def _span(span_ms: int) -> str:
    return f"{max(span_ms, 0) / 1000:g} s"
