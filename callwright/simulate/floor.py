"""The virtual contact centre: the real matcher, the agents' real states, and a clock that jumps to what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf

from callwright.simulate.callers import HOUR_MS, Caller, Chances
from callwright.simulate.foretold import Foretold
from callwright.simulate.scenario import Agents, Scenario, Shift
from callwright.simulate.tally import Tally
from engine.acd import states
from engine.acd.agent import (
    NO_ANSWER,
    Accepted,
    Agent,
    Assigned,
    Break,
    ConversationBegan,
    ConversationEnded,
    Happening,
    LogIn,
    LogOut,
    NotAnswered,
    Ready,
    Reserved,
    TakeBreak,
    Withdrawn,
    WrapUpOver,
)
from engine.acd.matcher import Matcher
from engine.domain.acd import AgentState, Member, Offer

BEGINS_MS = 1_800_000_000_000
"""The clock's first moment. Which one doesn't matter, but 0 means `never` in places."""

Deed = Callable[[], None]


@dataclass(slots=True)
class Waiting:
    """A caller in a queue. `offer` is set while agents ring for him."""

    caller: Caller
    joined_ms: int
    offer: Offer | None = None


@dataclass(slots=True)
class Worker:
    """An agent, and how long his break is, the one that he is on or that is due after his call."""

    agent: Agent
    group: Agents
    break_ms: int = 0


class Floor:
    """One run. `Tally` keeps what came of each caller; `Foretold`, if given, the waits that would have been told."""

    def __init__(self, scenario: Scenario, chances: Chances, tally: Tally, foretold: Foretold | None = None) -> None:
        self.now_ms = BEGINS_MS
        self._scenario = scenario
        self._tally = tally
        self._foretold = foretold
        self._matcher = Matcher()
        self._queues = {queue.id: queue for queue in scenario.queues}
        self._asks = {queue.id: [kind.asks() for kind in queue.callers] for queue in scenario.queues}
        self._waiting: dict[str, Waiting] = {}
        self._workers: dict[str, Worker] = {}
        self._due: list[tuple[int, int, Deed]] = []
        self._numbers = count()
        self._wake_ms = inf
        self._answers = {group.id: chances.stream(group.id, "answers") for group in scenario.agents}
        for queue in scenario.queues:
            self._matcher.set_rules(queue.rules())
        for group in scenario.agents:
            for number in range(group.count):
                self._hire(group, number)

    def run(self, callers: Iterable[Caller]) -> None:
        """The whole day, until nobody waits whom anybody could still take, and nobody talks."""
        coming = iter(callers)
        self._next_caller(coming)
        while self._due:
            self.now_ms, _, deed = heappop(self._due)
            deed()
            self._settle()
        for waiting in self._waiting.values():
            self._tally.left_over(waiting.caller)
        for worker in self._workers.values():
            self._tally.worked(worker.group.id, worker.agent.state, worker.agent.since_ms, inf)

    # what comes next

    def _at(self, at_ms: float, deed: Deed) -> None:
        heappush(self._due, (round(at_ms), next(self._numbers), deed))

    def _next_caller(self, coming: Iterable[Caller]) -> None:
        caller = next(iter(coming), None)
        if caller is not None:
            self._at(BEGINS_MS + caller.at_ms, lambda: self._joins(caller, coming))

    def _settle(self) -> None:
        """All offers that are due, and the moment at which time alone brings the next one."""
        while offers := self._matcher.decide(self.now_ms):
            for offer in offers:
                self._offered(offer)
        wake_ms = self._matcher.next_wake_ms()
        if wake_ms is not None and (wake_ms < self._wake_ms or self._wake_ms <= self.now_ms):
            self._wake_ms = wake_ms
            self._at(max(wake_ms, self.now_ms), lambda: None)

    # callers

    def _joins(self, caller: Caller, coming: Iterable[Caller]) -> None:
        self._next_caller(coming)
        queue = self._queues[caller.queue]
        self._tally.joined(caller)
        if queue.max_waiting is not None and self._tally.waiting(queue.id) >= queue.max_waiting:
            self._tally.overflowed(caller)
            return
        self._waiting[caller.id] = Waiting(caller, self.now_ms)
        self._matcher.join(self._member(caller, self.now_ms), self.now_ms)
        longest_ms = inf if queue.max_wait_s is None else queue.max_wait_s * 1000
        if min(caller.patience_ms, longest_ms) < inf:
            gives_up = caller.patience_ms <= longest_ms
            self._at(self.now_ms + min(caller.patience_ms, longest_ms), lambda: self._leaves(caller, gives_up))
        self._settle()
        self._in_line(caller)

    def _in_line(self, caller: Caller) -> None:
        waiting = self._waiting.get(caller.id)
        if waiting is not None:
            self._tally.waits(caller)
            if self._foretold is not None and waiting.offer is None:
                member = self._member(caller, waiting.joined_ms)
                if caller.probe:
                    self._foretold.probe_waits(member, self._ahead(caller), self.now_ms)
                else:
                    self._foretold.waits(member, self.now_ms)

    def _ahead(self, caller: Caller) -> Iterable[str]:
        for member in self._matcher.waiting(caller.queue):
            if member.id == caller.id:
                return
            yield member.id

    def _member(self, caller: Caller, joined_ms: int) -> Member:
        kind = self._queues[caller.queue].callers[caller.kind]
        rings = self._asks[caller.queue][caller.kind]
        return Member(id=caller.id, queue=caller.queue, joined_ms=joined_ms, priority=kind.priority, rings=rings)

    def _leaves(self, caller: Caller, gives_up: bool) -> None:
        """He hangs up, or the longest wait is over; unless an agent was there before."""
        waiting = self._waiting.pop(caller.id, None)
        if waiting is None:
            return
        self._matcher.leave(caller.id)
        if gives_up:
            self._tally.abandoned(caller, self.now_ms - waiting.joined_ms)
        else:
            self._tally.overflowed(caller)
        if waiting.offer is not None:
            for agent in waiting.offer.agents:
                self._happens(agent, Withdrawn(caller.id))
        elif self._foretold is not None:
            self._foretold.left(caller.id, gives_up, self.now_ms)

    # offers

    def _offered(self, offer: Offer) -> None:
        waiting = self._waiting[offer.member]
        if waiting.caller.probe:
            self._probed(offer)
            return
        waiting.offer = offer
        if self._foretold is not None:
            self._foretold.taken(offer.member, self.now_ms)
        delays_ms = []
        for agent in offer.agents:
            self._happens(agent, Reserved(offer.member, offer.member, offer.queue), tell=False)
            group = self._workers[agent].group
            drawn_s = 0.0 if group.answer_s is None else group.answer_s.draw(self._answers[group.id])
            delays_ms.append((round(drawn_s * 1000), agent))
        first_ms, agent = min(delays_ms)
        ring_ms = self._queues[offer.queue].ring_s * 1000
        if first_ms > ring_ms:
            self._at(self.now_ms + ring_ms, lambda: self._unanswered(waiting, offer))
        elif first_ms:
            self._at(self.now_ms + first_ms, lambda: self._answered(waiting, offer, agent))
        else:
            self._answered(waiting, offer, agent)

    def _probed(self, offer: Offer) -> None:
        """The probe is gone, and the agents are as they were."""
        del self._waiting[offer.member]
        self._matcher.leave(offer.member)
        for agent in offer.agents:
            self._matcher.set_agent(self._workers[agent].agent.snapshot())
        if self._foretold is not None:
            self._foretold.probe_taken(offer.member, self.now_ms)

    def _answered(self, waiting: Waiting, offer: Offer, agent: str) -> None:
        if waiting.offer is not offer or offer.member not in self._waiting:
            return  # he gave up meanwhile
        del self._waiting[offer.member]
        self._matcher.leave(offer.member)
        self._tally.answered(waiting.caller, self.now_ms - waiting.joined_ms)
        self._happens(agent, Accepted(offer.member), tell=False)
        self._happens(agent, ConversationBegan(offer.member, offer.member))
        for other in offer.agents:
            if other != agent:
                self._happens(other, Withdrawn(offer.member))
        self._at(self.now_ms + waiting.caller.handling_ms, lambda: self._hangs_up(waiting.caller, agent))

    def _unanswered(self, waiting: Waiting, offer: Offer) -> None:
        if waiting.offer is not offer or offer.member not in self._waiting:
            return
        waiting.offer = None
        for agent in offer.agents:
            self._happens(agent, NotAnswered(offer.member))
        self._matcher.put_back(self._member(waiting.caller, waiting.joined_ms), self.now_ms)
        self._settle()
        self._in_line(waiting.caller)

    def _hangs_up(self, caller: Caller, agent: str) -> None:
        self._happens(agent, ConversationEnded(caller.id, self._queues[caller.queue].wrap_up_s * 1000))

    # agents

    def _hire(self, group: Agents, number: int) -> None:
        agent = Agent(id=f"{group.id}-{number + 1}")
        tiers = {queue: place.tier() for queue, place in group.queues.items()}
        agent = states.apply(agent, Assigned(tiers, group.skills), self.now_ms).agent
        self._workers[agent.id] = Worker(agent, group)
        self._matcher.set_agent(agent.snapshot())
        for shift in group.shifts:
            self._plan(agent.id, number, shift)

    def _plan(self, agent_id: str, number: int, shift: Shift) -> None:
        def at(hour: float, happening: Happening, break_ms: int = 0) -> None:
            self._at(BEGINS_MS + hour * HOUR_MS, lambda: self._planned(agent_id, happening, break_ms))

        at(shift.from_h, LogIn())
        for order, each in enumerate(shift.breaks, 1):
            at(each.begins_h(number), TakeBreak(Break(f"break {order}")), round(each.minutes * 60_000))
        if shift.to_h is not None:
            at(shift.to_h, LogOut())

    def _planned(self, agent_id: str, happening: Happening, break_ms: int) -> None:
        worker = self._workers[agent_id]
        if isinstance(happening, TakeBreak) and worker.agent.state is AgentState.LOGGED_OUT:
            return
        worker.break_ms = break_ms or worker.break_ms
        self._happens(agent_id, happening)

    def _happens(self, agent_id: str, happening: Happening, tell: bool = True) -> None:
        """It goes through the state machine; the matcher is told, unless more happens in the same instant."""
        worker = self._workers[agent_id]
        before, worker.agent = worker.agent, states.apply(worker.agent, happening, self.now_ms).agent
        after = worker.agent
        if after.state is not before.state or after.since_ms != before.since_ms:
            self._entered(worker, before)
        if tell:
            self._matcher.set_agent(after.snapshot())

    def _entered(self, worker: Worker, before: Agent) -> None:
        after = worker.agent
        self._tally.worked(worker.group.id, before.state, before.since_ms, self.now_ms)
        if self._foretold is not None:
            self._foretold.at_work(after.snapshot(), self.now_ms)
        if after.state is AgentState.WRAP_UP:
            self._at(after.wrap_up_until_ms, lambda: self._wrapped_up(worker, after.wrap_up_until_ms))
        elif after.state is AgentState.BREAK and after.on_break is not None:
            away_ms = worker.group.away_s * 1000 if after.on_break.reason == NO_ANSWER else worker.break_ms
            self._at(self.now_ms + away_ms, lambda: self._comes_back(worker, after.since_ms))

    def _wrapped_up(self, worker: Worker, until_ms: int) -> None:
        if worker.agent.state is AgentState.WRAP_UP and worker.agent.wrap_up_until_ms == until_ms:
            self._happens(worker.agent.id, WrapUpOver())

    def _comes_back(self, worker: Worker, since_ms: int) -> None:
        if worker.agent.state is AgentState.BREAK and worker.agent.since_ms == since_ms:
            self._happens(worker.agent.id, Ready())
