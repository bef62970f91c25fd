"""`AcdStore` in memory: for simulations and tests. Several stores on one `SharedMemory` are several engines."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.acd.agent import Agent, AgentEvent, Happening
from engine.acd.lines import KnownLine
from engine.acd.news import (
    KEEP_WHY,
    Became,
    Explanation,
    Leave,
    MemberNews,
    News,
    Offered,
    Place,
    QueueFigures,
    Told,
)
from engine.acd.states import Change, apply
from engine.acd.store import (
    ASK_AGAIN_AFTER_MS,
    KEEP_EVENTS,
    Lease,
    LeaseLost,
    MemberGone,
    OfferOver,
    OfferStep,
    OpenOffer,
    Outdated,
    PoolState,
    QueueCounts,
    Reservation,
    StateLost,
    UnknownAgent,
    check_logged_out,
    offer_step,
    reserved,
)
from engine.domain.acd import Member, Offer
from engine.domain.ports import Clock
from engine.domain.routing import OverflowReason


@dataclass(slots=True)
class _Pool:
    lease: Lease | None = None
    members: dict[str, Member] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=dict)
    offers: dict[str, OpenOffer] = field(default_factory=dict)
    news: list[MemberNews] = field(default_factory=list)
    lines: tuple[KnownLine, ...] = ()

    def add_news(self, became: Became, member_id: str, **more: Any) -> None:
        self.news.append(MemberNews(number=len(self.news) + 1, became=became, id=member_id, **more))


class SharedMemory:
    """What the stores share. `lose` empties it, as a Redis that restarts without its data."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fence = 0
        self.generation = 0
        self.attached = False
        self.events: dict[int, AgentEvent] = {}
        self.whys: defaultdict[str, list[Explanation]] = defaultdict(list)
        self.lose()

    def lose(self) -> None:
        self.attached = False
        self.agents: dict[str, Agent] = {}
        self.pools: dict[str, _Pool] = {}
        self.pool_of: dict[str, str] = {}
        """By offer's number."""
        self.changes: list[Agent] = []
        self.inboxes: defaultdict[str, dict[int, Told]] = defaultdict(dict)
        self.told = 0
        self.figures: dict[str, QueueFigures] = {}

    def tell(self, engine: str, told: Told) -> None:
        if engine:
            self.told += 1
            self.inboxes[engine][self.told] = told

    def explain(self, member: str, why: Explanation | None) -> None:
        if why:
            self.whys[member] = [*self.whys[member], why][-KEEP_WHY:]


class MemoryStore:
    """One engine's view."""

    def __init__(self, shared: SharedMemory) -> None:
        self._shared = shared
        self._generation = 0
        self._offers = itertools.count(1)

    def attach(self) -> bool:
        fresh = not self._shared.attached
        if fresh:
            self._shared.attached = True
            self._shared.generation += 1
        self._generation = self._shared.generation
        return fresh

    def now_ms(self) -> int:
        return self._shared.clock.now_ms()

    def _here(self) -> SharedMemory:
        if not self._shared.attached or self._shared.generation != self._generation:
            raise StateLost("the queues' state in memory was lost: attach, and put it in again")
        return self._shared

    def _pool(self, pool: str) -> _Pool:
        return self._here().pools.setdefault(pool, _Pool())

    # Leases

    def acquire(self, pool: str, owner: str, for_ms: int) -> Lease | None:
        there = self._pool(pool)
        if there.lease and there.lease.owner != owner and there.lease.until_ms > self.now_ms():
            return None
        self._shared.fence += 1
        there.lease = Lease(pool, owner, self._shared.fence, self.now_ms() + for_ms)
        return there.lease

    def renew(self, lease: Lease, for_ms: int) -> Lease:
        there = self._held(lease)
        there.lease = replace(lease, until_ms=self.now_ms() + for_ms)
        return there.lease

    def release(self, lease: Lease) -> None:
        try:
            self.renew(lease, 0)
        except LeaseLost:
            return

    def _held(self, lease: Lease) -> _Pool:
        there = self._pool(lease.pool)
        if there.lease is None or there.lease.number != lease.number:
            raise LeaseLost(lease.pool, lease.number)
        return there

    # Agents

    def add_agent(self, agent: Agent, event: AgentEvent | None = None) -> None:
        if there := self._here().agents.get(agent.id):
            raise Outdated([there])
        self._put(Change(agent, event))

    def drop_agent(self, agent: Agent) -> None:
        check_logged_out(agent)
        there = self._here().agents.get(agent.id)
        if _version(there) != agent.version:
            raise Outdated([there] if there else [])
        del self._shared.agents[agent.id]

    def agent(self, agent_id: str) -> Agent:
        there = self._here().agents.get(agent_id)
        if there is None:
            raise UnknownAgent(agent_id)
        return there

    def change(self, agent_id: str, happening: Happening) -> Change:
        step = offer_step(happening)
        change = apply(self.agent(agent_id), happening, self.now_ms())
        if change.event is None:
            return change
        if step:
            self._step(agent_id, step)
        self._put(change)
        return change

    def reserve(
        self, lease: Lease, offer: Offer, agents: Sequence[Agent], why: Explanation | None = None
    ) -> Reservation:
        number = f"{lease.number}-{next(self._offers)}"
        changes = reserved(number, offer, agents)
        there = self._held(lease)
        if offer.member not in there.members or offer.member in there.offered:
            raise MemberGone(offer.member)
        known = {agent.id: agent for agent in agents}
        current = {each: self._shared.agents.get(each) for each in offer.agents}
        different = [each for each in offer.agents if _version(current[each]) != known[each].version]
        if different:
            raise Outdated([agent for each in different if (agent := current[each])])
        for each in changes:
            self._put(each)
        engine = there.members[offer.member].engine
        there.offers[number] = OpenOffer(number, offer, frozenset(offer.agents), engine=engine)
        there.offered[offer.member] = number
        self._shared.pool_of[number] = lease.pool
        self._shared.tell(engine, Offered(number, offer))
        self._shared.explain(offer.member, why)
        return Reservation(number, changes)

    def _put(self, change: Change) -> None:
        self._shared.agents[change.agent.id] = change.agent
        self._shared.changes.append(change.agent)
        if change.event:
            events = self._shared.events
            events[next(reversed(events), 0) + 1] = change.event
            if len(events) > KEEP_EVENTS:
                del events[next(iter(events))]

    def _step(self, agent: str, step: OfferStep) -> None:
        pool = self._shared.pools.get(self._shared.pool_of.get(step.number, ""), _Pool())
        there = pool.offers.get(step.number)
        waits = there is not None and pool.offered.get(there.offer.member) == step.number
        if step.kind == "take":
            if there is None or not waits or there.taken_by:
                raise OfferOver(step.number)
            there = replace(there, taken_by=agent)
        elif step.kind == "begin":
            if there is None or not waits:
                raise OfferOver(step.number)
            _forget(pool, there.offer.member, Became.TAKEN)
            there = replace(there, asked=there.asked - {agent})
        elif there is not None:
            taken_by = "" if waits and there.taken_by == agent else there.taken_by
            there = replace(there, asked=there.asked - {agent}, taken_by=taken_by)
            if waits and step.refuses:
                self._refused(pool, there.offer.member, agent)
        if there is not None:
            self._keep(pool, there)

    def _refused(self, pool: _Pool, member: str, agent: str) -> None:
        by: Mapping[str, int] = pool.members[member].refused_by
        until_ms = self.now_ms() + ASK_AGAIN_AFTER_MS
        pool.members[member] = replace(pool.members[member], refused_by={**by, agent: until_ms})

    def _keep(self, pool: _Pool, offer: OpenOffer) -> None:
        if offer.asked:
            pool.offers[offer.number] = offer
            return
        pool.offers.pop(offer.number, None)
        self._shared.pool_of.pop(offer.number, None)
        if pool.offered.get(offer.offer.member) == offer.number:
            del pool.offered[offer.offer.member]
            refused_by = pool.members[offer.offer.member].refused_by
            pool.add_news(Became.BACK, offer.offer.member, offer=offer.number, refused_by=refused_by)

    # Members

    def join(self, pool: str, member: Member) -> Member:
        there = self._pool(pool)
        before = there.members.get(member.id)
        after = replace(before or replace(member, refused_by={}), engine=member.engine)
        if after != before:
            there.members[member.id] = after
            there.add_news(Became.JOINED, member.id, member=replace(after, refused_by={}), engine=member.engine)
        if number := there.offered.get(member.id):
            there.offers[number] = replace(there.offers[number], engine=member.engine)
            self._shared.tell(member.engine, Offered(number, there.offers[number].offer))
        return after

    def leave(self, pool: str, member_id: str, gave_up: bool = False) -> str | None:
        there = self._pool(pool)
        if member_id not in there.members:
            return None
        return _forget(there, member_id, Became.LEFT, gave_up)

    def dismiss(self, lease: Lease, member_id: str, reason: OverflowReason, why: Explanation | None = None) -> None:
        there = self._held(lease)
        if member_id not in there.members or member_id in there.offered:
            raise MemberGone(member_id)
        member = there.members[member_id]
        self._shared.tell(member.engine, Leave(member_id, member.queue, reason))
        self._shared.explain(member_id, why)
        _forget(there, member_id, Became.LEFT)

    # All at once

    def load(self, pool: str) -> PoolState:
        there = self._pool(pool)
        agents = tuple(self._shared.agents.values())
        return PoolState(
            tuple(there.members.values()),
            tuple(there.offers.values()),
            dict(there.offered),
            agents,
            self._last(there),
            there.lines,
        )

    def _last(self, there: _Pool) -> Place:
        return Place(len(self._shared.changes), len(there.news))

    def counts(self, queue: str) -> QueueCounts:
        here = self._here()
        agents = [agent for agent in here.agents.values() if queue in agent.tiers]
        waiting = sum(member.queue == queue for pool in here.pools.values() for member in pool.members.values())
        return QueueCounts(len(agents), sum(agent.available for agent in agents), waiting)

    # What is told

    def wait_news(self, pool: str, after: Place, timeout_ms: int) -> News:
        there = self._pool(pool)
        return News(
            agents=list(enumerate(self._shared.changes[after.agents :], after.agents + 1)),
            members=there.news[after.members :],
            last=self._last(there),
            at_ms=self.now_ms(),
        )

    def tell(
        self,
        lease: Lease,
        told: Iterable[tuple[str, Told]],
        figures: Iterable[QueueFigures] = (),
        known: Iterable[KnownLine] | None = None,
    ) -> None:
        there = self._held(lease)
        there.lines = there.lines if known is None else tuple(known)
        for engine, each in told:
            self._shared.tell(engine, each)
        self._shared.figures |= {each.queue: each for each in figures}

    def inbox(self, engine: str, after: str = "0", timeout_ms: int = 0) -> list[tuple[str, Told]]:
        here = self._here().inboxes[engine]
        for place in [place for place in here if place <= int(after)]:
            del here[place]
        return [(str(place), told) for place, told in here.items()]

    def figures(self, queue: str) -> QueueFigures | None:
        return self._here().figures.get(queue)

    def all_figures(self) -> list[QueueFigures]:
        return list(self._here().figures.values())

    def why(self, member_id: str) -> list[Explanation]:
        return self._shared.whys.get(member_id, [])

    # The log

    def events(self, after: str = "0", most: int = 1000) -> list[tuple[str, AgentEvent]]:
        later = ((str(place), event) for place, event in self._shared.events.items() if place > int(after))
        return list(itertools.islice(later, most))

    def forget_events(self, up_to: str) -> None:
        for place in [place for place in self._shared.events if place <= int(up_to)]:
            del self._shared.events[place]


def _forget(pool: _Pool, member: str, became: Became, gave_up: bool = False) -> str | None:
    engine = pool.members.pop(member).engine
    number = pool.offered.pop(member, None)
    pool.add_news(became, member, offer=number or "", engine=engine, gave_up=gave_up)
    return number


def _version(agent: Agent | None) -> int | None:
    return agent.version if agent else None
