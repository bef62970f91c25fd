"""The engine's part as the one who looks after the agents: the thin edge between what is shared and `upkeep`.

Any number of engines run a roster; one of them holds the lease and sees to it that the agents in the shared state are
those of the routing data, that wrap-up ends, that it is known whose phone is there, and that nobody is held by a call
that is over. All of them remember each agent as he was last, so that he comes back as he was where Redis lost him.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping

from engine.acd.agent import Agent, ConversationEnded, Withdrawn
from engine.acd.leader import Leader
from engine.acd.news import News, Place
from engine.acd.phones import Phones
from engine.acd.states import Change, NotPossible
from engine.acd.store import AcdStore, OfferOver, Outdated, UnknownAgent
from engine.acd.upkeep import Drop, Known, come_back, newcomer, next_step
from engine.domain.acd import AgentState
from engine.domain.routing import AgentEntry, RoutingSnapshot

log = logging.getLogger(__name__)

POOL = "agents"
"""Reserved: the lease's name among those of the pools of queues."""
RENEW_EVERY_MS = 1_000
LOOK_EVERY_MS = 100
"""How late a change, a phone or new routing data may be noticed. Waiting in Redis would be no better: it ends the waits
of clients ten times a second, which is too coarse for the end of wrap-up.
"""
COMPARE_EVERY_MS = 30_000
"""How often everybody is compared with what he should be, whatever was heard."""
RECALL_WITHIN_MS = 10_000
"""How long it is waited for what is kept of an agent; then he begins anew, logged out."""
MOST_STEPS = 200
"""So many changes are made in a turn: the lease has to be renewed in between."""
MOST_LOOKS = 500
"""So many agents are compared in a turn, in a few ms: calls want their turn too."""


class Roster(Leader):
    """One greenlet. `routing` gives the newest routing data. The others' methods may be called from other greenlets."""

    def __init__(
        self,
        engine: str,
        store: AcdStore,
        routing: Callable[[], RoutingSnapshot],
        phones: Phones,
        pause: Callable[[float], object],
    ) -> None:
        super().__init__(POOL, engine, store, pause)
        self._routing, self._phones = routing, phones
        self._snapshot = RoutingSnapshot(0)
        self._entries: dict[str, AgentEntry] = {}
        self._known: dict[str, Agent | None] = {}
        """Agents as they were last; None: one of whom nothing is kept anywhere."""
        self._there: set[str] = set()
        """Agents in the shared state."""
        self._place: Place | None = None
        self._todo: dict[str, None] = {}
        """Agents who may not be as they should be, in order."""
        self._wrap_up_until: dict[str, int] = {}
        self._calls: dict[str, str] = {}
        """The call of each agent who is on one."""
        self._wanted_since: dict[str, int] = {}
        self._unwritten: dict[str, Agent] = {}
        self._renew_at_ms = self._compare_at_ms = 0

    # What others ask and tell

    @property
    def calls(self) -> frozenset[str]:
        """The calls that hold an agent."""
        return frozenset(self._calls.values())

    @property
    def wanted(self) -> frozenset[str]:
        """Agents who are missing, and of whom this engine knows nothing."""
        return frozenset(self._wanted_since)

    def recalled(self, asked: Iterable[str], found: Mapping[str, Agent]) -> None:
        """What is kept of the wanted ones."""
        for agent_id in asked:
            self._known.setdefault(agent_id, found.get(agent_id))

    def take_unwritten(self) -> dict[str, Agent]:
        """Agents' records that are to be kept elsewhere."""
        taken, self._unwritten = self._unwritten, {}
        return taken

    def not_written(self, records: Mapping[str, Agent]) -> None:
        """They could not be kept now."""
        self._unwritten = {**records, **self._unwritten}

    # Turns

    def _give_up(self) -> None:
        super()._give_up()
        self._place = None
        self._renew_at_ms = self._compare_at_ms = 0

    def _stand_by(self) -> None:
        super()._stand_by()
        self._listen()

    def _lead(self) -> None:
        if wait_ms := self._wait_ms():
            self._pause(wait_ms / 1000)
        self._listen()
        if self._now_ms >= self._renew_at_ms:
            self._renew()
            self._renew_at_ms = self._now_ms + RENEW_EVERY_MS
        self._compare()
        self._work()

    def _wait_ms(self) -> int:
        if self._todo:
            return 0
        due_ms = min(self._wrap_up_until.values(), default=self._now_ms + LOOK_EVERY_MS)
        return min(max(due_ms - self._now_ms, 0), LOOK_EVERY_MS)

    def _listen(self) -> None:
        place = self._place or self._load()
        news = self._store.wait_news(POOL, place, 0)
        if news.at_ms < self._now_ms:
            # The shared clock went back: what was to come in a second may be an hour away.
            self._renew_at_ms = self._compare_at_ms = 0
        self._now_ms = news.at_ms
        self._place = self._heard_all(place, news)

    def _heard_all(self, place: Place, news: News) -> Place | None:
        """The place after the news; None where some are missing."""
        last = place.agents
        for number, agent in news.agents:
            if number > last + 1:
                return None
            if number > last:
                last = number
                self._heard(agent)
        return None if not news.more and last < news.last.agents else Place(last)

    def _load(self) -> Place:
        state = self._store.load(POOL)
        self._there.clear()
        self._wrap_up_until.clear()
        self._calls.clear()
        for agent in state.agents:
            self._heard(agent)
        self._all_may_differ()
        return state.place

    def _heard(self, agent: Agent) -> None:
        if agent.id in self._there and self._known.get(agent.id) == agent:
            return
        self._known[agent.id] = self._unwritten[agent.id] = agent
        self._there.add(agent.id)
        self._wrap_up_until.pop(agent.id, None)
        self._calls.pop(agent.id, None)
        if agent.state is AgentState.WRAP_UP:
            self._wrap_up_until[agent.id] = agent.wrap_up_until_ms
        elif agent.state is AgentState.ON_CALL:
            self._calls[agent.id] = agent.call
        self._todo[agent.id] = None

    # What has to be done

    def _all_may_differ(self) -> None:
        self._todo |= dict.fromkeys([*self._there, *self._entries])

    def _compare(self) -> None:
        """Finds whom to look at."""
        changed = self._phones.take_changed()
        snapshot = self._routing()
        if snapshot.version and snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._entries = {entry.id: entry for entry in snapshot.agents}
            changed = None
        if changed is None or self._now_ms >= self._compare_at_ms:
            self._compare_at_ms = self._now_ms + COMPARE_EVERY_MS
            self._all_may_differ()
        else:
            self._todo |= dict.fromkeys(changed & self._there)
        self._todo |= dict.fromkeys(id for id, until_ms in self._wrap_up_until.items() if until_ms <= self._now_ms)
        if dead := self._stuck():
            self._todo |= dict.fromkeys(id for id, call in self._calls.items() if call in dead)
        for agent_id, since_ms in list(self._wanted_since.items()):
            if agent_id in self._known or self._now_ms - since_ms >= RECALL_WITHIN_MS:
                self._known.setdefault(agent_id, None)
                del self._wanted_since[agent_id]
                self._todo[agent_id] = None

    def _work(self) -> None:
        if not self._snapshot.version:
            # Who knows of no routing data must not take it for an empty one.
            self._todo.clear()
            return
        dead, steps, looks = self._stuck(), 0, 0
        while self._todo and steps < MOST_STEPS and looks < MOST_LOOKS:
            agent_id = next(iter(self._todo))
            del self._todo[agent_id]
            steps += self._look_at(agent_id, dead)
            looks += 1

    def _look_at(self, agent_id: str, dead: Collection[str]) -> bool:
        """Does one thing about the agent, and looks at him again; False where there is nothing to be done."""
        entry, agent = self._entries.get(agent_id), self._known.get(agent_id)
        if agent_id not in self._there:
            return entry is not None and self._add(entry)
        assert agent is not None
        known = Known(entry, self._phones.registered(agent_id), dead)
        step = next_step(agent, known, self._now_ms)
        if step is None:
            return False
        try:
            if isinstance(step, Drop):
                self._drop(agent)
            else:
                done = self._store.change(agent_id, step)
                self._tell(agent, done, isinstance(step, ConversationEnded | Withdrawn))
                self._heard(done.agent)
        except (NotPossible, OfferOver) as refused:
            # He is another by now; the news of it come.
            log.debug("agents: %s", refused)
        except UnknownAgent:
            self._gone(agent_id)
        return True

    def _add(self, entry: AgentEntry) -> bool:
        if entry.id not in self._known:
            self._wanted_since.setdefault(entry.id, self._now_ms)
            return False
        before = self._known[entry.id]
        if before is None:
            change = Change(newcomer(entry, self._phones.registered(entry.id)), None)
        else:
            change = come_back(before, self._now_ms)
        try:
            self._store.add_agent(change.agent, change.event)
        except Outdated as there:
            self._heard(there.agents[0])
        else:
            self._heard(change.agent)
        return True

    def _drop(self, agent: Agent) -> None:
        try:
            self._store.drop_agent(agent)
        except Outdated as there:
            if there.agents:
                return
        else:
            log.info("agents: %s is in the routing data no more", agent.id)
        self._gone(agent.id)

    def _gone(self, agent_id: str) -> None:
        self._there.discard(agent_id)
        self._wrap_up_until.pop(agent_id, None)
        self._calls.pop(agent_id, None)
        self._todo[agent_id] = None

    def _tell(self, before: Agent, done: Change, was_stuck: bool) -> None:
        if was_stuck:
            log.warning(
                "agent %s was held by call %s, which is over: he is %s", before.id, before.call, done.agent.state
            )
