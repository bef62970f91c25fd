"""Everybody in the queues, and every agent: kept so that one event touches only the orders that it concerns."""

from __future__ import annotations

from heapq import heappop, heappush

from engine.acd.faults import AlreadyInQueue, UnknownQueue
from engine.acd.ordering import file, standing, unfile
from engine.acd.queue_state import AgentRecord, QueueState, Waiter
from engine.domain.acd import AgentSnapshot, AgentState, Member, Offer, QueueRules

ON_HIS_WAY = frozenset({AgentState.READY, AgentState.RINGING, AgentState.ON_CALL, AgentState.WRAP_UP})
"""States of an agent whom a member may wait for (R8)."""


class Floor:
    """Queues, members, agents, and who of them changed since the last decision."""

    def __init__(self) -> None:
        self.queues: dict[str, QueueState] = {}
        self.agents: dict[str, AgentRecord] = {}
        self.logged_in: dict[str, set[str]] = {}
        """Agents who name the queue in their tiers, logged out ones too."""
        self.queue_of: dict[str, str] = {}
        """The queue of each member."""
        self.offers: dict[str, Offer] = {}
        self.changed_members: set[str] = set()
        self.changed_agents: set[str] = set()
        self.changed_queues: set[str] = set()
        self._stuck_to: dict[str, set[str]] = {}
        """Members who wait, by their sticky agent."""
        self._to_refile: set[str] = set()
        self._timers: list[tuple[int, str]] = []

    # queues

    def set_rules(self, rules: QueueRules) -> None:
        """New rules, for a new queue too."""
        queue = self.queues.get(rules.id)
        if queue is None:
            queue = self.queues[rules.id] = QueueState(rules)
            for agent in self.logged_in.get(rules.id, ()):
                record = self.agents[agent]
                self._enter(record, queue)
                if record.free:
                    queue.add_free(record)
        elif queue.rules != rules:
            queue.renew(rules)
            self._to_refile.add(rules.id)

    def drop_queue(self, queue_id: str) -> list[Member]:
        """The queue is no more; its members, in order."""
        queue = self.queues.get(queue_id)
        if queue is None:
            return []
        members = []
        for place in list(queue.order):
            member = self.take_out(place[-1])
            if member is not None:
                members.append(member)
        for record in list(queue.free.values()):
            queue.drop_free(record)
        del self.queues[queue_id]
        self._to_refile.discard(queue_id)
        self.changed_queues.discard(queue_id)
        return members

    # members

    def put_in(self, member: Member, now_ms: int) -> None:
        """The member waits. Raises UnknownQueue and AlreadyInQueue."""
        queue = self.queues.get(member.queue)
        if queue is None:
            raise UnknownQueue(member.queue)
        if member.id in self.queue_of:
            raise AlreadyInQueue(member.id, self.queue_of[member.id])
        self.queue_of[member.id] = member.queue
        waiter = Waiter(member, queue.demand_of(member), standing(member, queue.rules))
        waiter.demand.size += 1
        queue.waiting[member.id] = waiter
        file(queue.order, waiter.standing)
        if member.sticky_agent is not None:
            self._stuck_to.setdefault(member.sticky_agent, set()).add(member.id)
        self.changed_members.add(member.id)
        self.refresh(waiter, now_ms)

    def take_out(self, member_id: str) -> Member | None:
        """The member is gone, None where he was not there."""
        queue_id = self.queue_of.pop(member_id, None)
        if queue_id is None:
            return None
        queue = self.queues[queue_id]
        self.offers.pop(member_id, None)
        member = queue.offered.pop(member_id, None)
        if member is None:
            member = self._stop_waiting(queue, member_id).member
        unfile(queue.order, standing(member, queue.rules))
        return member

    def waiter(self, member_id: str) -> Waiter | None:
        """The member, if he waits and is not being offered."""
        queue_id = self.queue_of.get(member_id)
        return None if queue_id is None else self.queues[queue_id].waiting.get(member_id)

    def stuck_to(self, agent_id: str) -> set[str]:
        """Members who wait and spoke with this agent last."""
        return self._stuck_to.get(agent_id, set())

    def reserve(self, offer: Offer) -> None:
        """Member and agents of the offer are out of the game."""
        self.hold(offer)
        for agent in offer.agents:
            record = self.agents[agent]
            record.reserved_for = offer.member
            self._not_free(record)

    def hold(self, offer: Offer) -> None:
        """The offer's member is out of the game, and keeps his place."""
        queue = self.queues[offer.queue]
        queue.offered[offer.member] = self._stop_waiting(queue, offer.member).member
        self.offers[offer.member] = offer

    def _stop_waiting(self, queue: QueueState, member_id: str) -> Waiter:
        waiter = queue.waiting.pop(member_id)
        waiter.demand.size -= 1
        if waiter.filed is not None:
            unfile(waiter.filed, waiter.standing)
        sticky = waiter.member.sticky_agent
        if sticky is not None:
            self._stuck_to[sticky].discard(member_id)
            if not self._stuck_to[sticky]:
                del self._stuck_to[sticky]
        self.changed_members.discard(member_id)
        return waiter

    # agents

    def set_agent(self, agent: AgentSnapshot) -> None:
        """The agent is as reported; a reservation of his is over."""
        old = self.agents.get(agent.id)
        record = self.agents[agent.id] = AgentRecord(agent)
        if old is not None:
            self._not_free(old)
        if old is None or old.snapshot.tiers != agent.tiers or _logged_in(old) != _logged_in(record):
            if old is not None:
                self._leave_queues(old)
            for queue_id in agent.tiers:
                self.logged_in.setdefault(queue_id, set()).add(agent.id)
                if queue_id in self.queues:
                    self._enter(record, self.queues[queue_id])
        self.changed_members |= self.stuck_to(agent.id)
        if record.free:
            self.changed_agents.add(agent.id)
            for queue_id in agent.tiers:
                if queue_id in self.queues:
                    self.queues[queue_id].add_free(record)

    def drop_agent(self, agent_id: str) -> None:
        """There is no such agent any more."""
        record = self.agents.pop(agent_id, None)
        if record is not None:
            self._not_free(record)
            self._leave_queues(record)
            self.changed_members |= self.stuck_to(agent_id)

    def _enter(self, record: AgentRecord, queue: QueueState) -> None:
        if _logged_in(record) and queue.log_in(record.snapshot.tiers[queue.rules.id].level):
            queue.renew(queue.rules)
            self._to_refile.add(queue.rules.id)

    def _leave_queues(self, record: AgentRecord) -> None:
        for queue_id, tier in record.snapshot.tiers.items():
            agents = self.logged_in[queue_id]
            agents.discard(record.snapshot.id)
            if not agents:
                del self.logged_in[queue_id]
            queue = self.queues.get(queue_id)
            if queue is not None and _logged_in(record) and queue.log_out(tier.level):
                self.changed_queues.add(queue_id)

    def _not_free(self, record: AgentRecord) -> None:
        self.changed_agents.discard(record.snapshot.id)
        for queue_id in record.snapshot.tiers:
            queue = self.queues.get(queue_id)
            if queue is not None:
                queue.drop_free(record)

    # time

    def advance(self, now_ms: int) -> None:
        """Everything that changed by itself or by events is in its place; what may bring an offer is in `changed_*`."""
        for queue_id in self._to_refile:
            for waiter in self.queues[queue_id].waiting.values():
                self.refresh(waiter, now_ms)
        self.changed_queues |= self._to_refile
        self._to_refile.clear()
        while self._timers and self._timers[0][0] <= now_ms:
            due_ms, member_id = heappop(self._timers)
            due = self.waiter(member_id)
            if due is not None and due.due_ms == due_ms:
                self.changed_members.add(member_id)
                self.refresh(due, now_ms)
        for member_id in self.changed_members:
            changed = self.waiter(member_id)
            if changed is not None:
                self.refresh(changed, now_ms)
        for queue_id in self.changed_queues:
            self._look_at_smaller_side(self.queues[queue_id])
        self.changed_queues.clear()

    def next_due_ms(self) -> int | None:
        """When time alone may next change something."""
        while self._timers:
            due_ms, member_id = self._timers[0]
            waiter = self.waiter(member_id)
            if waiter is not None and waiter.due_ms == due_ms:
                return due_ms
            heappop(self._timers)
        return None

    def refresh(self, waiter: Waiter, now_ms: int) -> None:
        """Put the waiter where he belongs now, and note when that changes. What was relaxed once stays so."""
        demand = waiter.demand
        waiter.stage = max(waiter.stage, demand.stage_at(now_ms - waiter.member.joined_ms))
        waiter.held = self._is_held(waiter, now_ms)
        belongs = None if waiter.held else demand.members[waiter.stage]
        if belongs is not waiter.filed:
            if waiter.filed is not None:
                unfile(waiter.filed, waiter.standing)
            if belongs is not None:
                file(belongs, waiter.standing)
            waiter.filed = belongs
        due_ms = _due(waiter, now_ms)
        if due_ms != waiter.due_ms:
            waiter.due_ms = due_ms
            if due_ms is not None:
                heappush(self._timers, (due_ms, waiter.member.id))

    def sticky_ring(self, waiter: Waiter, now_ms: int) -> int | None:
        """The ring by which the member's sticky agent may take him now, were he free; None where he may not.

        The tier's level does not hold him back: it would make the member wait, and that for somebody else.
        """
        agent = waiter.member.sticky_agent
        record = None if agent is None else self.agents.get(agent)
        if record is None or waiter.member.queue not in record.snapshot.tiers or not _logged_in(record):
            return None
        ring = waiter.demand.ring_of(record.snapshot.skills)
        if ring is None or ring > waiter.demand.stages[waiter.stage][0]:
            return None
        return None if waiter.refuses(record.snapshot.id, now_ms) else ring

    def _is_held(self, waiter: Waiter, now_ms: int) -> bool:
        agent = waiter.member.sticky_agent
        if agent is None or now_ms >= waiter.member.sticky_until_ms or self.sticky_ring(waiter, now_ms) is None:
            return False
        snapshot = self.agents[agent].snapshot
        return snapshot.reachable and snapshot.state in ON_HIS_WAY

    def _look_at_smaller_side(self, queue: QueueState) -> None:
        """Every pair of the queue has a member and an agent: it is enough to look at the fewer ones."""
        if len(queue.free) < len(queue.waiting):
            self.changed_agents |= queue.free.keys()
        else:
            self.changed_members |= queue.waiting.keys()


def _logged_in(record: AgentRecord) -> bool:
    return record.snapshot.state is not AgentState.LOGGED_OUT


def _due(waiter: Waiter, now_ms: int) -> int | None:
    member, times = waiter.member, waiter.demand.times
    moments = [until for until in member.refused_by.values() if until > now_ms]
    if waiter.stage + 1 < len(times):
        moments.append(member.joined_ms + times[waiter.stage + 1])
    if waiter.held:
        moments.append(member.sticky_until_ms)
    return min(moments, default=None)
