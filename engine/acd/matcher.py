"""Which member is offered to which agent, decided event by event. Pure: the moment comes with each call.

Of all pairs of a waiting member and a free agent who fit, the first one is made, then the first of those that are left,
until there is none. Before goes: the agent who spoke with the member last (R8); the inner ring of the member's demands;
the member who is worth more (priority, and waiting times weight and ageing); the lower tier level; the agent by the
queue's strategy, by position, by the longest idle. docs/queues.md says it with examples.

An event costs what it concerns: the orders of the agent's own queues, or of the member's queue. Nothing is looked at
again that did not change (pairing.py), and ageing changes no order within a queue (ordering.py).
"""

from __future__ import annotations

from engine.acd import explain, pairing
from engine.acd.demand import check
from engine.acd.faults import AlreadyInQueue, QueueClosed, UnknownMember, UnknownQueue
from engine.acd.floor import Floor
from engine.acd.ordering import Pair, fits
from engine.domain.acd import AgentSnapshot, Member, Offer, Passed, QueueRules, Ring


class Matcher:
    """Members, agents, queues. All moments are epoch milliseconds of the shared clock.

    Events are reported as they come; `decide` after each of them, or after several, gives the offers that are due, and
    `next_wake_ms` says when to ask again if nothing happens meanwhile.
    """

    def __init__(self) -> None:
        self._floor = Floor()

    def set_rules(self, rules: QueueRules) -> None:
        """A queue is new, or its rules are. Where it is closed, those who wait are served all the same."""
        self._floor.set_rules(rules)

    def drop_queue(self, queue: str) -> list[Member]:
        """The queue is no more. Gives the members who were in it, in order, offered ones too: they go another way."""
        return self._floor.drop_queue(queue)

    def set_agent(self, agent: AgentSnapshot) -> None:
        """What an agent is doing now. Ends his reservation: he is in the game if he is available."""
        self._floor.set_agent(agent)

    def drop_agent(self, agent: str) -> None:
        """There is no such agent any more. A member whom he was being offered comes back by put_back."""
        self._floor.drop_agent(agent)

    def join(self, member: Member, now_ms: int) -> None:
        """A member begins to wait. Raises UnknownQueue, QueueClosed, AlreadyInQueue, BadMember."""
        queue = self._floor.queues.get(member.queue)
        if queue is not None and not queue.rules.open:
            raise QueueClosed(member.queue)
        check(member)
        self._floor.put_in(member, now_ms)

    def put_back(self, member: Member, now_ms: int) -> None:
        """Nobody took the offer: the member waits again, before all whom he was before (R53); in a closed queue too.

        Also for a member of whom this matcher does not know, by whoever knows that he waits: after a fail-over. Raises
        UnknownQueue, BadMember, and AlreadyInQueue where he waits and is not being offered.
        """
        check(member)
        floor = self._floor
        if member.queue not in floor.queues:
            raise UnknownQueue(member.queue)
        if floor.waiter(member.id) is not None:
            raise AlreadyInQueue(member.id, floor.queue_of[member.id])
        floor.take_out(member.id)
        floor.put_in(member, now_ms)

    def resume(self, member: Member, offer: Offer, now_ms: int) -> None:
        """A member for whom an offer is out that another matcher made. The agents are as they are reported.

        Raises UnknownQueue, BadMember, AlreadyInQueue.
        """
        check(member)
        self._floor.put_in(member, now_ms)
        self._floor.hold(offer)

    def leave(self, member_id: str) -> Member | None:
        """The member is gone: answered, hung up, or another way. None where he was gone before."""
        return self._floor.take_out(member_id)

    def decide(self, now_ms: int) -> list[Offer]:
        """All offers that are due. Their members and agents are reserved: out of the game until the caller reports."""
        self._floor.advance(now_ms)
        offers = []
        for pair in pairing.pairs_of_changed(self._floor, now_ms):
            offer = self._offer(pair, now_ms)
            self._floor.reserve(offer)
            offers.append(offer)
        return offers

    def next_wake_ms(self) -> int | None:
        """When time alone may next change something, as of the last decision: a ring relaxes, a level is asked too, a
        sticky agent is waited for no longer, a refusal ends. None: never."""
        return self._floor.next_due_ms()

    def explain(self, member_id: str, now_ms: int, most: int | None = None) -> list[Passed]:
        """Why the agents of the member's queue were not chosen for him, by id. To be asked right after a decision.

        Who was chosen is in `offer_of` and not in the list. With `most` it has so many agents at the most, and those
        who could be offered somebody come before the others. Raises UnknownMember.
        """
        if member_id not in self._floor.queue_of:
            raise UnknownMember(member_id)
        return explain.passed(self._floor, member_id, now_ms, most)

    def offer_of(self, member_id: str) -> Offer | None:
        """The offer that the member is in."""
        return self._floor.offers.get(member_id)

    def is_waiting(self, member_id: str) -> bool:
        """Whether the member waits and is not being offered."""
        return self._floor.waiter(member_id) is not None

    def waiting(self, queue: str) -> list[Member]:
        """The members who wait, in order, without those who are being offered. Raises UnknownQueue."""
        if queue not in self._floor.queues:
            raise UnknownQueue(queue)
        state = self._floor.queues[queue]
        return [state.waiting[place[-1]].member for place in state.order if place[-1] in state.waiting]

    def order(self, queue: str) -> list[str]:
        """The ids of all members in order, those who are being offered too: as `position` counts them. Raises
        UnknownQueue.
        """
        if queue not in self._floor.queues:
            raise UnknownQueue(queue)
        return [place[-1] for place in self._floor.queues[queue].order]

    def is_free_for(self, queue: str, ring: Ring) -> bool:
        """Whether an agent is free who may be asked at once for somebody who joins with these demands. Raises
        UnknownQueue.
        """
        if queue not in self._floor.queues:
            raise UnknownQueue(queue)
        state = self._floor.queues[queue]
        agents = (record.snapshot for record in state.free.values())
        return any(each.tiers[queue].level == state.levels[0] and fits(each.skills, ring.skills) for each in agents)

    def position(self, member_id: str) -> int | None:
        """The member's place in his queue, from 1, None where he is in none. Those who are being offered count: so
        nobody's place grows when an agent does not answer."""
        queue_id = self._floor.queue_of.get(member_id)
        if queue_id is None:
            return None
        return self._floor.queues[queue_id].position(member_id)

    def _offer(self, pair: Pair, now_ms: int) -> Offer:
        floor = self._floor
        queue = floor.queues[floor.queue_of[pair.member]]
        agents = pairing.agents_for(floor, pair, now_ms)
        return Offer(
            member=pair.member,
            queue=queue.rules.id,
            agents=agents,
            at_ms=now_ms,
            strategy=queue.rules.strategy,
            ring=pair.ring,
            score=explain.score(queue.rules, floor.agents[pair.agent].snapshot, pair, len(agents), now_ms),
            waited_ms=max(now_ms - pair.joined_ms, 0),
            ring_ms=queue.rules.ring_ms,
            accept=queue.rules.accept,
        )
