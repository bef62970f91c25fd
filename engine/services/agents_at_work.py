"""What agents do now, and what they say of themselves: log in, ready, break, wrap-up (R50–R53); what happened to them.

States are in Redis, and PostgreSQL is asked for nothing that an agent needs for his work. Each change is an event in
the agents' log (`engine.acd.agent.AgentEvent`), which is why the audit trail has none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.acd.agent import Agent, AgentEvent, Happening, LogIn, LogOut
from engine.acd.roster import POOL
from engine.acd.states import NotPossible, possible
from engine.acd.store import AcdStore, UnknownAgent
from engine.services.errors import AgentNotFound, AgentNotPossible, AgentNotThere, AgentStatesAway
from engine.services.shared_state import SharedState
from engine.store.agents import AgentArchive, EventPosition
from engine.store.catalogue import AGENTS
from engine.store.database import Database

T = TypeVar("T")

_SAID = {"log_in": "log-in", "log_out": "log-out", "ready": "ready", "take_break": "break", "wrap_up_set": "wrap-up"}
"""What people may ask for, as the log has it and as the API is asked. The rest happens to an agent."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """A part of an agent's events, newest first. `next` is where they go on, None at the end."""

    events: Sequence[AgentEvent]
    next: EventPosition | None


class AgentsAtWork:
    """The use cases. `store` makes a store of the shared state when it is first needed."""

    def __init__(self, database: Database, store: Callable[[], AcdStore] | None) -> None:
        self._database = database
        self._archive = AgentArchive(database)
        self._shared = SharedState(store, AgentStatesAway)

    def list(self) -> Sequence[Agent]:
        """All agents by id. Raises AgentStatesAway."""
        return sorted(self._shared.ask(lambda store: store.load(POOL).agents), key=lambda agent: agent.id)

    def get(self, agent_id: str) -> Agent:
        """One agent. Raises AgentNotFound, AgentNotThere, AgentStatesAway."""
        return self._of(agent_id, lambda store: store.agent(agent_id))

    def happen(self, agent_id: str, happening: Happening) -> Agent:
        """The agent after it. Raises AgentNotPossible and what `get` raises."""
        try:
            return self._of(agent_id, lambda store: store.change(agent_id, happening).agent)
        except NotPossible as refused:
            raise AgentNotPossible(_said(refused, happening), refused.agent.state) from refused

    def events(self, agent_id: str, limit: int, after: EventPosition | None = None) -> EventPage:
        """What happened to an agent, at most `limit` events from `after` on, as far as it is in PostgreSQL by now.

        Raises AgentNotFound where there is neither such an agent nor an event of one.
        """
        found = self._archive.events(agent_id, limit + 1, after)
        if not found and after is None:
            self._check_known(agent_id)
        page = found[:limit]
        following = EventPosition(page[-1].at_ms, page[-1].version) if len(found) > limit else None
        return EventPage(page, following)

    def _of(self, agent_id: str, ask: Callable[[AcdStore], T]) -> T:
        try:
            return self._shared.ask(ask)
        except UnknownAgent:
            self._check_known(agent_id)
            raise AgentNotThere(agent_id) from None

    def _check_known(self, agent_id: str) -> None:
        with self._database.transaction() as session:
            if AGENTS.get(session, agent_id) is None:
                raise AgentNotFound(agent_id)


def _said(refused: NotPossible, happening: Happening) -> str:
    """The refusal in the words of whoever asked: why, and how to mend it, or else what he may ask for."""
    agent = refused.agent
    what = f"Agent {agent.id} is {agent.state}: {_SAID.get(refused.what, refused.what)} is not possible"
    if not refused.why:
        return f"{what}; possible is: {', '.join(_SAID[each] for each in possible(agent.state) if each in _SAID)}."
    return f"{what}: {refused.why}{_mend(agent, happening)}."


def _mend(agent: Agent, happening: Happening) -> str:
    if not isinstance(happening, LogIn | LogOut):
        return ""
    if happening.queue is not None and not (agent.may_choose_queues or happening.forced):
        return "; a supervisor may for him, with forced"
    return f"; PUT /agents/{agent.id} gives him queues"
