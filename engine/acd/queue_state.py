"""One queue as the matcher keeps it: its members in order, its available agents, its tier levels."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from engine.acd.demand import Demand, DemandKey, demand_key
from engine.acd.ordering import Rank, Standing, file, rank, slope, standing, unfile
from engine.domain.acd import AgentSnapshot, Member, QueueRules

DEMANDS_KEPT = 32
"""Demands of a queue that stay though no member has them now: the next one who does finds his agents in order."""


@dataclass(slots=True)
class Waiter:
    """A member who waits and is not being offered. `filed` is the order that he stands in."""

    member: Member
    demand: Demand
    standing: Standing
    stage: int = 0
    filed: list[Standing] | None = None
    held: bool = False
    """He waits for his sticky agent alone."""
    due_ms: int | None = None
    """When time alone may next change something for him."""

    def refuses(self, agent: str, now_ms: int) -> bool:
        """Whether the agent did not take him a moment ago."""
        return self.member.refused_by.get(agent, 0) > now_ms


@dataclass(slots=True)
class AgentRecord:
    """An agent. `reserved_for`: the member whom he is offered. `filed`: the orders that he stands in, by queue."""

    snapshot: AgentSnapshot
    reserved_for: str | None = None
    filed: dict[str, list[tuple[list[Rank], Rank]]] = field(default_factory=dict)

    @property
    def free(self) -> bool:
        """Whether he may be offered a member."""
        return self.reserved_for is None and self.snapshot.available


class QueueState:
    """A queue's members and available agents, by demands."""

    def __init__(self, rules: QueueRules) -> None:
        self.rules = rules
        self.order: list[Standing] = []
        """All members, those who are being offered too."""
        self.waiting: dict[str, Waiter] = {}
        self.offered: dict[str, Member] = {}
        self.free: dict[str, AgentRecord] = {}
        self.demands: dict[DemandKey, Demand] = {}
        self.levels: list[int] = []
        """The levels that somebody is logged in at."""
        self._at_level: Counter[int] = Counter()
        self._ranks = 1
        """The most levels that there have been at once: stages are made for so many."""

    def less_worth(self, place: Standing, now_ms: int) -> float:
        """Less what a member is worth now, in points × ms in a minute: comparable between queues."""
        return place[0] - slope(self.rules) * now_ms

    def position(self, member_id: str) -> int:
        """The place of a member of this queue, from 1."""
        waiter = self.waiting.get(member_id)
        place = standing(self.offered[member_id], self.rules) if waiter is None else waiter.standing
        return bisect_left(self.order, place) + 1

    def log_in(self, level: int) -> bool:
        """An agent of this level logged in. Whether there are now more levels than stages were made for."""
        self._at_level[level] += 1
        if self._at_level[level] == 1:
            file(self.levels, level)
        if len(self.levels) <= self._ranks:
            return False
        self._ranks = len(self.levels)
        return True

    def log_out(self, level: int) -> bool:
        """An agent of this level logged out. Whether he was the last one of it."""
        self._at_level[level] -= 1
        if self._at_level[level] > 0:
            return False
        del self._at_level[level]
        unfile(self.levels, level)
        return True

    def rank_of(self, level: int) -> int:
        """How many levels are asked before this one."""
        return self.levels.index(level)

    def demand_of(self, member: Member) -> Demand:
        """The demands that the member has; made, with the available agents in order, where they are new."""
        key = demand_key(member.rings)
        demand = self.demands.pop(key, None)
        if demand is None:
            self._forget_demands()
            demand = self._new_demand(key, member)
            for record in self.free.values():
                self._file_agent(record, demand)
        self.demands[key] = demand
        return demand

    def demand_as_known(self, member: Member) -> Demand:
        """The same for a look at it alone: without agents in order where it is new, and not kept."""
        key = demand_key(member.rings)
        return self.demands.get(key) or self._new_demand(key, member)

    def add_free(self, record: AgentRecord) -> None:
        """An agent of this queue may be offered members from now on."""
        self.free[record.snapshot.id] = record
        for demand in self.demands.values():
            self._file_agent(record, demand)

    def drop_free(self, record: AgentRecord) -> None:
        """He may not any more."""
        self.free.pop(record.snapshot.id, None)
        for items, place in record.filed.pop(self.rules.id, ()):
            unfile(items, place)

    def renew(self, rules: QueueRules) -> None:
        """Put everything in order by these rules. The waiters are filed anew by the caller."""
        self.rules = rules
        members = [*(waiter.member for waiter in self.waiting.values()), *self.offered.values()]
        self.order = sorted(standing(member, rules) for member in members)
        self.demands.clear()
        for record in self.free.values():
            record.filed.pop(rules.id, None)
        for waiter in self.waiting.values():
            waiter.standing = standing(waiter.member, rules)
            waiter.demand, waiter.stage, waiter.filed = self.demand_of(waiter.member), 0, None
            waiter.demand.size += 1

    def _new_demand(self, key: DemandKey, member: Member) -> Demand:
        return Demand(key, member.rings, self.rules.tier_wait_ms, self._ranks)

    def _file_agent(self, record: AgentRecord, demand: Demand) -> None:
        agent = record.snapshot
        ring = demand.ring_of(agent.skills)
        if ring is None:
            return
        tier = agent.tiers[self.rules.id]
        items = demand.agents[ring].setdefault(tier.level, [])
        place = rank(self.rules, agent, tier, demand.wanted)
        file(items, place)
        record.filed.setdefault(self.rules.id, []).append((items, place))

    def _forget_demands(self) -> None:
        """Drop the demands that nobody has had for the longest time."""
        unused = [key for key, demand in self.demands.items() if demand.size == 0]
        for key in unused[: max(len(unused) - DEMANDS_KEPT + 1, 0)]:
            del self.demands[key]
