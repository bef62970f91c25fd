"""The rules of docs/queues.md in the most naive form: every member against every agent, each time anew."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.domain.acd import AgentSnapshot, AgentState, Member, QueueRules, Strategy

MAY_COME = (AgentState.READY, AgentState.RINGING, AgentState.ON_CALL, AgentState.WRAP_UP)


@dataclass
class Reference:
    """The state as plain dictionaries; `reserved` are agents in an offer, `offered` members in one."""

    rules: dict[str, QueueRules] = field(default_factory=dict)
    agents: dict[str, AgentSnapshot] = field(default_factory=dict)
    waiting: dict[str, Member] = field(default_factory=dict)
    offered: dict[str, Member] = field(default_factory=dict)
    reserved: set[str] = field(default_factory=set)

    def decide(self, now: int) -> list[tuple[str, ...]]:
        """Member and agents of each offer."""
        offers = []
        while (best := self.best(now)) is not None:
            member, agent = best
            taken = [agent.id]
            if self.rules[member.queue].strategy is Strategy.RING_ALL:
                others = [(self.key(member, each, now), each.id) for each in self.agents.values()
                          if each is not agent and self.may(member, each, now)]  # fmt: skip
                taken += [name for _, name in sorted(others)]
            offers.append((member.id, *taken))
            self.reserved |= set(taken)
            self.offered[member.id] = self.waiting.pop(member.id)
        return offers

    def best(self, now: int) -> tuple[Member, AgentSnapshot] | None:
        """The first of all possible pairs."""
        possible = [(member, agent) for member in self.waiting.values() for agent in self.agents.values()
                    if self.may(member, agent, now)]  # fmt: skip
        return min(possible, key=lambda pair: self.key(pair[0], pair[1], now), default=None)

    def may(self, member: Member, agent: AgentSnapshot, now: int) -> bool:
        if not agent.available or agent.id in self.reserved or not self.suits(member, agent, now):
            return False
        if agent.id == member.sticky_agent:
            return True
        if now < member.sticky_until_ms and self.comes(member, now):
            return False
        levels = sorted({
            each.tiers[member.queue].level
            for each in self.agents.values()
            if member.queue in each.tiers and each.state is not AgentState.LOGGED_OUT
        })  # fmt: skip
        before = levels.index(agent.tiers[member.queue].level)
        return now - member.joined_ms >= before * self.rules[member.queue].tier_wait_ms or before == 0

    def suits(self, member: Member, agent: AgentSnapshot, now: int) -> bool:
        if member.queue not in agent.tiers or agent.state is AgentState.LOGGED_OUT:
            return False
        ring = self.ring(member, agent)
        open_ = max(index for index, each in enumerate(member.rings)
                    if index == 0 or each.after_ms <= now - member.joined_ms)  # fmt: skip
        return ring is not None and ring <= open_ and member.refused_by.get(agent.id, 0) <= now

    def comes(self, member: Member, now: int) -> bool:
        """Whether the member's sticky agent is available or on his way to be."""
        agent = self.agents.get(member.sticky_agent or "")
        return agent is not None and agent.reachable and agent.state in MAY_COME and self.suits(member, agent, now)

    def ring(self, member: Member, agent: AgentSnapshot) -> int | None:
        fitting = [
            index
            for index, ring in enumerate(member.rings)
            if all(agent.skills.get(name, 0) >= level for name, level in ring.skills.items())
        ]
        return min(fitting, default=None)

    def worth(self, member: Member, now: int) -> float:
        rules = self.rules[member.queue]
        return member.priority * 60_000 + rules.weight * rules.ageing_per_min * (now - member.joined_ms)

    def key(self, member: Member, agent: AgentSnapshot, now: int) -> tuple[object, ...]:
        tier = agent.tiers[member.queue]
        value = {
            Strategy.LONGEST_IDLE: agent.ready_since_ms,
            Strategy.FEWEST_CALLS: agent.calls,
            Strategy.LEAST_TALK_TIME: agent.talk_ms,
            Strategy.ROUND_ROBIN: agent.last_offer_ms,
            Strategy.TOP_DOWN: 0,
            Strategy.RING_ALL: 0,
            Strategy.BEST_SKILL: -sum(agent.skills.get(name, 0) for name in member.rings[0].skills),
            Strategy.OCCUPANCY: agent.busy_ms / agent.present_ms if agent.present_ms else 0,
        }[self.rules[member.queue].strategy]
        return (
            agent.id != member.sticky_agent,
            self.ring(member, agent),
            -self.worth(member, now),
            member.joined_ms,
            member.id,
            tier.level,
            value,
            tier.position,
            agent.ready_since_ms,
            agent.id,
        )
