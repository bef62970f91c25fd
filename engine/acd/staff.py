"""The agents that an owner knows, and how many of them each queue has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator

from engine.acd.agent import Agent
from engine.domain.acd import AgentState


class Staff:
    """Agents' records, each the newest that was heard of."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}
        self._logged_in: Counter[str] = Counter()
        self._ready: Counter[str] = Counter()
        self._absent: defaultdict[str, set[str]] = defaultdict(set)
        """Who belongs to a queue and is not logged in to it."""

    def take(self, agent: Agent) -> Agent | None:
        """The record that this one replaces, itself where there was none; None where it is not news."""
        before = self._agents.get(agent.id)
        if before is not None and before.version >= agent.version:
            return None
        self._agents[agent.id] = agent
        if before is not None:
            self._count(before, -1)
        self._count(agent, 1)
        for queue in (before.assigned.keys() if before else set()) | agent.assigned.keys():
            if queue in agent.assigned and queue not in agent.tiers:
                self._absent[queue].add(agent.id)
            else:
                self._absent[queue].discard(agent.id)
        return before or agent

    def __getitem__(self, agent_id: str) -> Agent:
        return self._agents[agent_id]

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._agents.values())

    def holds(self, agent_id: str, offer: str) -> bool:
        """Whether the agent is reserved by this offer."""
        agent = self._agents.get(agent_id)
        return agent is not None and agent.offer is not None and agent.offer.number == offer

    def logged_in(self, queue: str) -> int:
        """Agents of the queue, those on a break too."""
        return self._logged_in[queue]

    def ready(self, queue: str) -> int:
        """Those who could be offered somebody."""
        return self._ready[queue]

    def absent(self, queue: str) -> Collection[str]:
        """Who belongs to the queue and is not logged in to it."""
        return self._absent[queue]

    def _count(self, agent: Agent, by: int) -> None:
        if agent.state is AgentState.LOGGED_OUT:
            return
        for queue in agent.tiers:
            self._logged_in[queue] += by
            self._ready[queue] += by * agent.available
